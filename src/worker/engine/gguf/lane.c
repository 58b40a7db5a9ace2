/* lane.c — see lane.h. Who rides in a call is decided in step.c. */

#include "gguf_engine.h"

#include "hearth_os.h"

#include <inttypes.h>

/* ---- making ---------------------------------------------------------------------------------- */

static int make_lane(struct hearth_engine *engine, struct gguf_lane *lane,
                     const struct llama_context_params *wanted, struct hearth_error *err)
{
    struct llama_context_params params = *wanted;
    params.n_seq_max = lane->sequences;
    params.n_batch = lane->most_rows;
    params.n_ubatch = lane->most_rows;
    params.n_outputs_max = lane->most_logits;
    params.n_threads = (int32_t)engine->threads;
    params.n_threads_batch = (int32_t)engine->threads;
    params.no_perf = true;
    params.abort_callback = gguf_must_abort;
    params.abort_callback_data = engine;
    lane->context = llama_init_from_model(engine->model, params);
    lane->batch = llama_batch_init((int32_t)lane->most_rows, 0, 1);
    if (lane->context == NULL || lane->batch.token == NULL) {
        return hearth_fail(err, HEARTH_E_NO_MEMORY,
                           "a context of %" PRIu32 " cells for %" PRIu32
                           " sequences could not be made",
                           params.n_ctx, lane->sequences);
    }
    uint32_t each = llama_n_ctx_seq(lane->context);
    if (each < engine->options.context_tokens) {
        return hearth_fail(err, HEARTH_E_INTERNAL,
                           "llama.cpp gives a sequence %" PRIu32 " tokens, %" PRIu64 " are needed",
                           each, engine->options.context_tokens);
    }
    lane->cells = llama_n_ctx(lane->context);
    return 0;
}

static int make_shared(struct hearth_engine *engine, struct hearth_error *err)
{
    const struct gguf_options *options = &engine->options;
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = (uint32_t)gguf_shared_cells(options);
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
    params.kv_unified = true;
    params.type_k = options->kv_type;
    params.type_v = options->kv_type;
    engine->shared = (struct gguf_lane){
        .sequences = (uint32_t)options->sequences + 1, /* and the spare one of cache.c */
        .most_rows = GGUF_SHARED_ROWS,
        .most_logits = (uint32_t)options->sequences + GGUF_SPARE_LOGITS,
    };
    return make_lane(engine, &engine->shared, &params, err);
}

static int make_exact(struct hearth_engine *engine, struct hearth_error *err)
{
    const struct gguf_options *options = &engine->options;
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = (uint32_t)(gguf_padded_context(options) * options->exact_sequences);
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.kv_unified = false;
    engine->exact = (struct gguf_lane){
        .sequences = (uint32_t)options->exact_sequences,
        .most_rows = GGUF_EXACT_ROWS,
        .most_logits = (uint32_t)options->exact_sequences + GGUF_MAX_LOGIT_ROWS,
    };
    return make_lane(engine, &engine->exact, &params, err);
}

int gguf_make_lanes(struct hearth_engine *engine, struct hearth_error *err)
{
    int rc = make_shared(engine, err);
    return rc < 0 || engine->options.exact_sequences == 0 ? rc : make_exact(engine, err);
}

static void free_lane(struct gguf_lane *lane)
{
    if (lane->batch.token != NULL) {
        llama_batch_free(lane->batch);
    }
    if (lane->context != NULL) {
        llama_free(lane->context);
    }
    *lane = (struct gguf_lane){.context = NULL};
}

void gguf_free_lanes(struct hearth_engine *engine)
{
    free_lane(&engine->shared);
    free_lane(&engine->exact);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void set_threads(struct hearth_engine *engine, unsigned threads)
{
    struct gguf_lane *lanes[] = {&engine->shared, &engine->exact};
    engine->threads = threads;
    for (size_t i = 0; i < HEARTH_COUNT(lanes); i++) {
        if (lanes[i]->context != NULL) {
            llama_set_n_threads(lanes[i]->context, (int32_t)threads, (int32_t)threads);
            llama_attach_threadpool(lanes[i]->context, engine->pool, engine->pool);
        }
    }
}

/* By lease and pace. */
static void apply_threads(struct hearth_engine *engine)
{
    unsigned wanted = HEARTH_MIN(atomic_load(&engine->wanted_threads), engine->cores.pace.allowed);
    if (wanted != engine->threads) {
        set_threads(engine, wanted);
    }
}

void gguf_begin_threads(struct hearth_engine *engine)
{
    /* The pool is made here, so that its threads inherit the nice value of the calling one. One
     * pool serves both lanes: they never compute at the same time. It is never exchanged for a
     * smaller one: the library would still touch the old. */
    struct ggml_threadpool_params params =
        ggml_threadpool_params_default((int)engine->most_threads);
    params.poll = GGUF_POLL;
    engine->pool = ggml_threadpool_new(&params);
    set_threads(engine, engine->most_threads);
}

void gguf_end_threads(struct hearth_engine *engine)
{
    struct gguf_lane *lanes[] = {&engine->shared, &engine->exact};
    for (size_t i = 0; i < HEARTH_COUNT(lanes); i++) {
        if (lanes[i]->context != NULL) {
            llama_detach_threadpool(lanes[i]->context);
        }
    }
    ggml_threadpool_free(engine->pool);
    engine->pool = NULL;
}

/* ---- a call ---------------------------------------------------------------------------------- */

/* A prompt may take seconds, so that its own end ends the call; a row of a stream does not. */
static bool must_a_prompt_end(const struct gguf_lane *lane)
{
    for (uint32_t i = 0; i < lane->part_count; i++) {
        const struct gguf_sequence *sequence = lane->parts[i].sequence;
        if (!sequence->is_prompt_done && hearth_item_must_end(sequence->item) < 0) {
            return true;
        }
    }
    return false;
}

/* Called between the nodes of a graph, by the thread that called llama_decode(). */
bool gguf_must_abort(void *arg)
{
    struct hearth_engine *engine = arg;
    const struct gguf_lane *lane = engine->called;
    if (engine->inbox != NULL) {
        hearth_inbox_progress(engine->inbox); /* a long call goes on as it should */
    }
    if (lane == NULL || lane->must_not_abort) {
        return false;
    }
    return hearth_inbox_is_closed(engine->inbox) || must_a_prompt_end(lane) ||
           gguf_cores_must_shed(&engine->cores, engine->threads);
}

void gguf_lane_begin(struct gguf_lane *lane)
{
    lane->batch.n_tokens = 0;
    lane->part_count = 0;
    lane->logits = 0;
}

static void add_row(struct gguf_lane *lane, const struct gguf_sequence *sequence, uint32_t index)
{
    struct llama_batch *batch = &lane->batch;
    int32_t n = batch->n_tokens++;
    batch->token[n] = sequence->tokens[index];
    batch->pos[n] = (llama_pos)index;
    batch->n_seq_id[n] = 1;
    batch->seq_id[n][0] = sequence->id;
    batch->logits[n] = index >= sequence->logits_from;
    lane->logits += index >= sequence->logits_from;
}

uint32_t gguf_lane_add(struct gguf_lane *lane, struct gguf_sequence *sequence, uint32_t most)
{
    uint32_t wanted = sequence->count + sequence->guessed - sequence->done;
    uint32_t room = lane->most_rows - (uint32_t)lane->batch.n_tokens;
    uint32_t rows = HEARTH_MIN(HEARTH_MIN(wanted, room), most);
    uint32_t end = sequence->done + rows;
    uint32_t logits = end > sequence->logits_from ? end - sequence->logits_from : 0;
    if (rows < wanted || logits > lane->most_logits - lane->logits) {
        end -= logits; /* they come all in one call, or wait for the next */
        rows = end > sequence->done ? end - sequence->done : 0;
    }
    if (rows == 0 || lane->part_count == GGUF_MAX_SEQUENCES) {
        return 0;
    }
    lane->parts[lane->part_count++] = (struct gguf_part){sequence, lane->batch.n_tokens, rows};
    for (uint32_t i = sequence->done; i < sequence->done + rows; i++) {
        add_row(lane, sequence, i);
    }
    return rows;
}

enum gguf_called gguf_lane_call(struct hearth_engine *engine, struct gguf_lane *lane,
                                int32_t *ret_code)
{
    enum { NO_CELLS = 1, ABORTED = 2 };
    int32_t rc;
    do {
        apply_threads(engine);
        gguf_cores_call(&engine->cores);
        engine->called = lane;
        rc = llama_decode(lane->context, lane->batch);
        engine->called = NULL;
        gguf_cores_measure(&engine->cores, engine->threads);
    } while (rc == ABORTED && engine->cores.has_shed);
    *ret_code = rc;
    if (rc == NO_CELLS) {
        return GGUF_FULL;
    }
    lane->must_not_abort = false;
    return rc == 0 ? GGUF_DONE : rc == ABORTED ? GGUF_ABORTED : GGUF_FAILED;
}
