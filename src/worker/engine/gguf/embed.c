/* embed.c — see embed.h. */

#include "embed.h"

#include "hearth_os.h"
#include "vector.h"

#include <inttypes.h>
#include <math.h>

struct embed_text {
    struct hearth_item *item;
    struct hearth_vector_form form;
    uint32_t first; /* of its tokens */
    uint32_t count;
};

struct gguf_embedder {
    struct gguf_embed_options options;
    uint32_t dimensions;
    struct llama_batch batch;
    llama_token *tokens; /* of all texts, one behind the other; call_tokens of them */
    struct embed_text texts[GGUF_EMBED_TEXTS];
    uint32_t count;           /* of texts */
    uint32_t used;            /* of tokens */
    struct hearth_item *held; /* does not fit into this call any more; the first of the next */
    float *vector;
    struct hearth_engine_fact told[2];
};

/* ---- what it is to be ------------------------------------------------------------------------ */

static const struct {
    const char *name; /* as the manifest spells it */
    enum llama_pooling_type type;
} poolings[] = {
    {"mean", LLAMA_POOLING_TYPE_MEAN},
    {"cls", LLAMA_POOLING_TYPE_CLS},
    {"lasttoken", LLAMA_POOLING_TYPE_LAST},
};

static const char *name_of(enum llama_pooling_type type)
{
    for (size_t i = 0; i < HEARTH_COUNT(poolings); i++) {
        if (poolings[i].type == type) {
            return poolings[i].name;
        }
    }
    return "";
}

static int read_pooling(const struct hearth_engine_plan *plan,
                        const struct hearth_gguf_facts *facts, enum llama_pooling_type *ret,
                        struct hearth_error *err)
{
    const char *wanted = hearth_plan_string(plan, "pooling");
    for (size_t i = 0; wanted != NULL && i < HEARTH_COUNT(poolings); i++) {
        if (strcmp(poolings[i].name, wanted) == 0) {
            *ret = poolings[i].type;
            return 0;
        }
    }
    if (wanted != NULL) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "option pooling is \"%s\"; mean, cls and lasttoken are known", wanted);
    }
    if (facts->pooling == HEARTH_GGUF_POOLING_RANK) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "the file says pooling rank: it scores pairs and makes no vectors");
    }
    if (facts->pooling == HEARTH_GGUF_POOLING_UNTOLD ||
        facts->pooling == HEARTH_GGUF_POOLING_NONE) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "the file does not say how vectors of tokens become one: give the "
                           "option pooling (mean, cls or lasttoken) in the manifest");
    }
    *ret = (enum llama_pooling_type)facts->pooling;
    return 0;
}

int gguf_embed_options(const struct hearth_engine_plan *plan, const struct hearth_gguf_facts *facts,
                       struct gguf_embed_options *ret, struct hearth_error *err)
{
    *ret = (struct gguf_embed_options){
        .text_tokens = HEARTH_MIN(GGUF_EMBED_CONTEXT, facts->context_length),
        .is_normalised = true,
        .is_encoder = facts->is_encoder,
    };
    int rc = read_pooling(plan, facts, &ret->pooling, err);
    rc = rc < 0 ? rc
                : hearth_plan_number(plan, "context_tokens",
                                     HEARTH_MIN(GGUF_LEAST_CONTEXT, facts->context_length),
                                     facts->context_length, &ret->text_tokens, err);
    rc = rc < 0 ? rc : hearth_plan_bool(plan, "normalize", &ret->is_normalised, err);
    /* A multiple of the texts: for anything else the library cannot lay out the mean. */
    uint64_t most = HEARTH_MAX(ret->text_tokens, (uint64_t)GGUF_EMBED_TOKENS);
    ret->call_tokens =
        (uint32_t)((most + GGUF_EMBED_TEXTS - 1) / GGUF_EMBED_TEXTS) * GGUF_EMBED_TEXTS;
    return rc;
}

/* ---- making it ------------------------------------------------------------------------------- */

/* ggml asks it between the nodes of a graph: a call is given up when nobody waits for it any more,
 * or when cores are short. */
static bool must_abort(void *arg)
{
    struct hearth_engine *engine = arg;
    struct gguf_embedder *embedder = engine->embedder;
    if (engine->inbox == NULL) {
        return false;
    }
    hearth_inbox_progress(engine->inbox); /* a long call goes on as it should */
    if (hearth_inbox_is_closed(engine->inbox) ||
        gguf_cores_must_shed(&engine->cores, engine->threads)) {
        return true;
    }
    for (uint32_t i = 0; i < embedder->count; i++) {
        if (hearth_item_must_end(embedder->texts[i].item) == 0) {
            return false;
        }
    }
    return embedder->count > 0;
}

static int make_context(struct hearth_engine *engine, const struct gguf_embed_options *options,
                        struct hearth_error *err)
{
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = options->call_tokens;
    params.n_batch = options->call_tokens;
    params.n_ubatch = options->call_tokens; /* a text is never cut between two */
    params.n_seq_max = GGUF_EMBED_TEXTS;
    params.n_threads = (int32_t)engine->threads;
    params.n_threads_batch = (int32_t)engine->threads;
    params.pooling_type = options->pooling;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.kv_unified = true; /* one stretch for all: it is cleared before each call */
    params.embeddings = true;
    params.no_perf = true;
    params.abort_callback = must_abort;
    params.abort_callback_data = engine;
    engine->context = llama_init_from_model(engine->model, params);
    if (engine->context == NULL) {
        return hearth_fail(err, HEARTH_E_NO_MEMORY,
                           "a context for %" PRIu32 " tokens at a time could not be made",
                           options->call_tokens);
    }
    return 0;
}

static void tell(struct gguf_embedder *embedder, struct hearth_engine_facts *ret)
{
    const char *const values[][2] = {
        {"pooling", name_of(embedder->options.pooling)},
        {"normalize", embedder->options.is_normalised ? "true" : "false"}};
    for (size_t i = 0; i < HEARTH_COUNT(values); i++) {
        struct hearth_engine_fact *fact = &embedder->told[i];
        (void)hearth_slice_to_string(hearth_slice_of_string(values[i][0]), fact->key,
                                     sizeof fact->key);
        (void)hearth_slice_to_string(hearth_slice_of_string(values[i][1]), fact->value,
                                     sizeof fact->value);
    }
    *ret = (struct hearth_engine_facts){
        .capacity = GGUF_EMBED_TEXTS,
        .context_tokens = (uint32_t)embedder->options.text_tokens,
        .dimensions = embedder->dimensions,
        .run_threads = 1,
        .told = embedder->told,
        .told_count = HEARTH_COUNT(embedder->told),
    };
}

int gguf_embed_create(struct hearth_engine *engine, const struct hearth_engine_plan *plan,
                      const struct hearth_gguf_facts *facts, struct hearth_engine_facts *ret_facts,
                      struct hearth_error *err)
{
    struct gguf_embedder *embedder = hearth_alloc(1, sizeof *embedder);
    if (embedder == NULL) {
        return hearth_fail_oom(err);
    }
    engine->embedder = embedder;
    int rc = gguf_embed_options(plan, facts, &embedder->options, err);
    rc = rc < 0 ? rc : make_context(engine, &embedder->options, err);
    if (rc < 0) {
        return rc;
    }
    embedder->dimensions = (uint32_t)llama_model_n_embd_out(engine->model);
    embedder->batch = llama_batch_init((int32_t)embedder->options.call_tokens, 0, 1);
    embedder->tokens = hearth_alloc(embedder->options.call_tokens, sizeof *embedder->tokens);
    embedder->vector = hearth_alloc(embedder->dimensions, sizeof *embedder->vector);
    if (embedder->batch.token == NULL || embedder->tokens == NULL || embedder->vector == NULL) {
        return hearth_fail_oom(err);
    }
    tell(embedder, ret_facts);
    return 0;
}

void gguf_embed_destroy(struct gguf_embedder *embedder)
{
    if (embedder == NULL) {
        return;
    }
    if (embedder->batch.token != NULL) {
        llama_batch_free(embedder->batch);
    }
    hearth_free(embedder->tokens);
    hearth_free(embedder->vector);
    hearth_free(embedder);
}

/* ---- a call ---------------------------------------------------------------------------------- */

/* The client's own ids: nothing is put around them. */
static int take_ids(const struct hearth_engine *engine, const struct hearth_item *item,
                    struct gguf_tokens *tokens, struct hearth_error *err)
{
    uint32_t count = (uint32_t)HEARTH_MIN((size_t)item->tokens.count, tokens->room);
    hearth_wire_copy_u32s(item->tokens, (uint32_t *)tokens->data, count);
    tokens->count = item->tokens.count;
    for (uint32_t i = 0; i < count; i++) {
        if (tokens->data[i] < 0 || tokens->data[i] >= engine->vocab_size) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "token id %" PRIu32 " of %" PRIu32
                               " is not in the vocabulary, which has %" PRId32 " tokens",
                               i, item->tokens.count, engine->vocab_size);
        }
    }
    return 0;
}

static int check_count(const struct gguf_embedder *embedder, size_t count, struct hearth_error *err)
{
    if (count > embedder->options.text_tokens) {
        return hearth_fail(err, HEARTH_E_TOO_LONG,
                           "the text has %zu tokens, the model takes %" PRIu64, count,
                           embedder->options.text_tokens);
    }
    return count > 0 ? 0 : hearth_fail(err, HEARTH_E_INPUT_INVALID, "the text has no tokens");
}

/* Puts @item into the call. 1: it does not fit beside the others. */
static int add_text(struct hearth_engine *engine, struct hearth_item *item,
                    struct hearth_error *err)
{
    struct gguf_embedder *embedder = engine->embedder;
    struct embed_text *text = &embedder->texts[embedder->count];
    struct gguf_tokens tokens = {embedder->tokens + embedder->used,
                                 embedder->options.call_tokens - embedder->used, 0};
    if (item->pair.size > 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "the model takes no pairs of texts");
    }
    int rc = hearth_item_must_end(item);
    rc = rc < 0 ? rc
                : hearth_vector_form(hearth_job_request(item->job), embedder->dimensions,
                                     embedder->options.is_normalised, &text->form, err);
    if (rc == 0) {
        rc = item->tokens.count > 0 ? take_ids(engine, item, &tokens, err)
                                    : gguf_tokenize(engine, item->text, true, &tokens, err);
    }
    rc = rc < 0 ? rc : check_count(embedder, tokens.count, err);
    if (rc < 0) {
        return rc;
    }
    if (tokens.count > tokens.room) {
        return 1;
    }
    text->item = item;
    text->first = embedder->used;
    text->count = (uint32_t)tokens.count;
    embedder->used += text->count;
    embedder->count++;
    return 0;
}

/* Takes what fits into one call; waits only for the first. False: there is nothing more to come. */
static bool take_texts(struct hearth_engine *engine, struct hearth_inbox *inbox)
{
    struct gguf_embedder *embedder = engine->embedder;
    while (embedder->count < GGUF_EMBED_TEXTS) {
        struct hearth_item *item = embedder->held;
        bool is_idle = item == NULL && embedder->count == 0;
        embedder->held = NULL;
        item = item != NULL ? item : hearth_inbox_take(inbox, is_idle);
        if (is_idle) {
            gguf_cores_wake(&engine->cores);
        }
        if (item == NULL) {
            break;
        }
        struct hearth_error err = {0};
        int rc = add_text(engine, item, &err);
        if (rc < 0) {
            hearth_item_fail(item, rc, err.code != 0 ? &err : NULL);
        } else if (rc > 0) {
            embedder->held = item;
            break;
        }
    }
    return !hearth_inbox_is_closed(inbox);
}

static void fill_batch(struct gguf_embedder *embedder)
{
    struct llama_batch *batch = &embedder->batch;
    batch->n_tokens = (int32_t)embedder->used;
    for (uint32_t i = 0; i < embedder->count; i++) {
        const struct embed_text *text = &embedder->texts[i];
        for (uint32_t j = 0; j < text->count; j++) {
            uint32_t n = text->first + j;
            batch->token[n] = embedder->tokens[n];
            batch->pos[n] = (llama_pos)j;
            batch->n_seq_id[n] = 1;
            batch->seq_id[n][0] = (llama_seq_id)i;
            batch->logits[n] = true;
        }
    }
}

static void finish_text(struct hearth_engine *engine, uint32_t index)
{
    struct gguf_embedder *embedder = engine->embedder;
    const struct embed_text *text = &embedder->texts[index];
    const float *values = llama_get_embeddings_seq(engine->context, (llama_seq_id)index);
    struct hearth_error err = {0};
    struct hearth_item_result result = {.prompt_tokens = text->count};
    bool is_finite = values != NULL;
    for (uint32_t i = 0; is_finite && i < embedder->dimensions; i++) {
        embedder->vector[i] = values[i];
        is_finite = isfinite(values[i]);
    }
    int rc = is_finite ? hearth_vector_finish(&text->form, embedder->vector, &result, &err)
                       : hearth_fail(&err, HEARTH_E_ENGINE_FAILED,
                                     "the model's output for a text of %" PRIu32
                                     " tokens is not a number",
                                     text->count);
    if (rc < 0) {
        hearth_item_fail(text->item, rc, &err);
    } else {
        hearth_item_finish(text->item, &result);
    }
}

/* Texts that nobody waits for are taken out, and those that stay move together. */
static void drop_ended(struct gguf_embedder *embedder, bool is_closed)
{
    uint32_t kept = 0;
    uint32_t used = 0;
    for (uint32_t i = 0; i < embedder->count; i++) {
        struct embed_text text = embedder->texts[i];
        int rc = is_closed ? HEARTH_E_SHUTTING_DOWN : hearth_item_must_end(text.item);
        if (rc < 0) {
            hearth_item_fail(text.item, rc, NULL);
            continue;
        }
        memmove(embedder->tokens + used, embedder->tokens + text.first,
                text.count * sizeof *embedder->tokens);
        text.first = used;
        used += text.count;
        embedder->texts[kept++] = text;
    }
    embedder->count = kept;
    embedder->used = used;
}

static void clear(struct gguf_embedder *embedder)
{
    hearth_wipe(embedder->tokens, embedder->used * sizeof *embedder->tokens);
    hearth_wipe(embedder->vector, embedder->dimensions * sizeof *embedder->vector);
    embedder->count = 0;
    embedder->used = 0;
}

static void apply_threads(struct hearth_engine *engine)
{
    unsigned wanted = HEARTH_MIN(atomic_load(&engine->wanted_threads), engine->cores.pace.allowed);
    if (wanted != engine->threads) {
        engine->threads = wanted;
        llama_set_n_threads(engine->context, (int32_t)wanted, (int32_t)wanted);
    }
}

static int32_t compute(struct hearth_engine *engine)
{
    struct gguf_embedder *embedder = engine->embedder;
    apply_threads(engine);
    fill_batch(embedder);
    gguf_cores_call(&engine->cores);
    if (embedder->options.is_encoder) {
        return llama_encode(engine->context, embedder->batch);
    }
    llama_memory_clear(llama_get_memory(engine->context), false);
    return llama_decode(engine->context, embedder->batch);
}

static void run_call(struct hearth_engine *engine, const struct hearth_inbox *inbox)
{
    enum { ABORTED = 2 };
    struct gguf_embedder *embedder = engine->embedder;
    int32_t rc = 0;
    do {
        drop_ended(embedder, hearth_inbox_is_closed(inbox));
        if (embedder->count == 0) {
            return;
        }
        rc = compute(engine);
        gguf_cores_measure(&engine->cores, engine->threads);
    } while (rc == ABORTED);
    struct hearth_error err = {0};
    int code = rc == 0 ? 0
                       : hearth_fail(&err, HEARTH_E_ENGINE_FAILED,
                                     "llama.cpp gives %" PRId32 " for %" PRIu32 " texts", rc,
                                     embedder->count);
    for (uint32_t i = 0; i < embedder->count; i++) {
        if (code < 0) {
            hearth_item_fail(embedder->texts[i].item, code, &err);
        } else {
            finish_text(engine, i);
        }
    }
}

void gguf_embed_work(struct hearth_engine *engine, struct hearth_inbox *inbox)
{
    struct gguf_embedder *embedder = engine->embedder;
    struct ggml_threadpool_params params =
        ggml_threadpool_params_default((int)engine->most_threads);
    params.poll = GGUF_POLL;
    struct ggml_threadpool *pool = ggml_threadpool_new(&params);
    llama_attach_threadpool(engine->context, pool, pool);
    engine->inbox = inbox;
    while (take_texts(engine, inbox)) {
        run_call(engine, inbox);
        clear(embedder);
        hearth_inbox_progress(inbox);
    }
    drop_ended(embedder, true);
    clear(embedder);
    if (embedder->held != NULL) {
        hearth_item_fail(embedder->held, HEARTH_E_SHUTTING_DOWN, NULL);
        embedder->held = NULL;
    }
    engine->inbox = NULL;
    llama_detach_threadpool(engine->context);
    ggml_threadpool_free(pool);
}
