/* step.c — continuous batching: one thread, one loop, one step at a time.
 *
 * A step first decodes one row for every sequence that is past its prompt, then prefills one chunk
 * of the oldest prompt. So a running stream waits for at most one chunk of a neighbour's prompt,
 * and prompts that arrive together are served one after another. */

#include "gguf_engine.h"

#include "hearth_os.h"

#include <inttypes.h>
#include <time.h>

static struct gguf_moment moment_now(void)
{
    struct timespec cpu;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return (struct gguf_moment){
        .wall_ns = hearth_clock_ns(),
        .cpu_ns = (uint64_t)cpu.tv_sec * HEARTH_NS_PER_SEC + (uint64_t)cpu.tv_nsec,
    };
}

/* A call that met busy cores with all threads could take minutes where one thread needs half a
 * second (see pace.h), so it is not waited for: it is given up and made again with fewer. */
static bool must_shed(struct hearth_engine *engine)
{
    struct gguf_call *call = &engine->call;
    uint64_t wall = hearth_clock_ns() - call->since.wall_ns;
    if (engine->threads == 1 || wall < GGUF_STALL_NS) {
        return false;
    }
    struct gguf_moment now = moment_now();
    call->has_shed = gguf_pace_is_short(wall, now.cpu_ns - call->since.cpu_ns);
    call->since = now; /* if it is slow because it is long: look again after the same time */
    return call->has_shed;
}

/* Called between the nodes of a graph, by the thread that called llama_decode(). */
bool gguf_must_abort(void *arg)
{
    struct hearth_engine *engine = arg;
    if (engine->inbox == NULL) {
        return false;
    }
    return hearth_inbox_is_closed(engine->inbox) ||
           (engine->prefilling != NULL && hearth_item_must_end(engine->prefilling) < 0) ||
           must_shed(engine);
}

static struct gguf_sequence *free_sequence(struct hearth_engine *engine)
{
    for (uint64_t i = 0; i < engine->options.sequences; i++) {
        if (engine->sequences[i].item == NULL) {
            return &engine->sequences[i]; /* the lowest: neighbours in the cache decode together */
        }
    }
    return NULL;
}

static llama_seq_id id_of(const struct hearth_engine *engine, const struct gguf_sequence *sequence)
{
    return (llama_seq_id)(sequence - engine->sequences);
}

/* Makes a sequence free and forgets what it held; its item has been ended or is about to be. */
static struct hearth_item *release(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    struct hearth_item *item = sequence->item;
    (void)llama_memory_seq_rm(llama_get_memory(engine->context), id_of(engine, sequence), -1, -1);
    if (sequence->chain != NULL) {
        llama_sampler_free(sequence->chain);
        sequence->chain = NULL;
    }
    hearth_wipe(sequence->prompt, (size_t)engine->options.context_tokens * sizeof(llama_token));
    gguf_output_clear(&sequence->output);
    sequence->item = NULL;
    engine->busy--;
    return item;
}

static void fail(struct hearth_engine *engine, struct gguf_sequence *sequence, int code,
                 const struct hearth_error *err)
{
    hearth_item_fail(release(engine, sequence), code, err);
}

static void finish(struct hearth_engine *engine, struct gguf_sequence *sequence,
                   enum hearth_finish_reason reason)
{
    int rc = gguf_output_end(&sequence->output, sequence->item);
    if (rc < 0) {
        fail(engine, sequence, rc, NULL);
        return;
    }
    struct hearth_item_result result = {.prompt_tokens = sequence->prompt_count, .finish = reason};
    hearth_item_finish(release(engine, sequence), &result);
}

static void admit(struct hearth_engine *engine, struct gguf_sequence *sequence,
                  struct hearth_item *item)
{
    struct hearth_error err = {0};
    *sequence = (struct gguf_sequence){.item = item,
                                       .turn = engine->turns++,
                                       .prompt = sequence->prompt,
                                       .output = sequence->output};
    engine->busy++;
    int rc = hearth_item_must_end(item);
    if (rc < 0) {
        fail(engine, sequence, rc, NULL);
        return;
    }
    rc = gguf_read_prompt(engine, sequence, &err);
    if (rc < 0) {
        fail(engine, sequence, rc, &err);
        return;
    }
    const struct hearth_wire_inference_request *request = hearth_job_request(item->job);
    gguf_output_begin(&sequence->output, request);
    gguf_begin_sampling(engine, sequence, request);
}

static void end_cancelled(struct hearth_engine *engine)
{
    for (uint64_t i = 0; i < engine->options.sequences; i++) {
        struct gguf_sequence *sequence = &engine->sequences[i];
        int rc = sequence->item == NULL ? 0 : hearth_item_must_end(sequence->item);
        if (rc < 0) {
            fail(engine, sequence, rc, NULL);
        }
    }
}

/* Takes the next token of @sequence from row @row of the last call. */
static void take_token(struct hearth_engine *engine, struct gguf_sequence *sequence, int32_t row)
{
    struct hearth_error err = {0};
    const float *logits = llama_get_logits_ith(engine->context, row);
    llama_token token = logits == NULL ? -1 : gguf_sample(engine, sequence, logits);
    if (token < 0) {
        int rc = hearth_fail(&err, HEARTH_E_ENGINE_FAILED,
                             "the model's output after %" PRIu32 " tokens is not a number",
                             sequence->done);
        fail(engine, sequence, rc, &err);
        return;
    }
    if (engine->on_token != NULL) {
        engine->on_token(engine->on_token_arg, sequence->item, token);
    }
    if (llama_vocab_is_eog(engine->vocab, token)) {
        finish(engine, sequence, HEARTH_FINISH_STOP);
        return;
    }
    sequence->generated++;
    sequence->next = token;
    hearth_item_token(sequence->item, (uint32_t)token);
    int rc = gguf_output_add(&sequence->output, engine->vocab, token, sequence->item);
    if (rc < 0) {
        fail(engine, sequence, rc, NULL);
    } else if (rc > 0) {
        finish(engine, sequence, HEARTH_FINISH_STOP);
    } else if (sequence->generated >= sequence->max_tokens) {
        finish(engine, sequence, HEARTH_FINISH_MAX_TOKENS);
    }
}

static void add_row(struct hearth_engine *engine, struct gguf_sequence *sequence, llama_token token,
                    uint32_t position, bool wants_logits)
{
    struct llama_batch *batch = &engine->batch;
    int32_t n = batch->n_tokens++;
    batch->token[n] = token;
    batch->pos[n] = (llama_pos)position;
    batch->n_seq_id[n] = 1;
    batch->seq_id[n][0] = id_of(engine, sequence);
    batch->logits[n] = wants_logits;
}

static void apply_threads(struct hearth_engine *engine)
{
    unsigned wanted = HEARTH_MIN(atomic_load(&engine->wanted_threads), engine->pace.allowed);
    if (wanted != engine->threads) {
        engine->threads = wanted;
        llama_set_n_threads(engine->context, (int32_t)wanted, (int32_t)wanted);
    }
}

/* True if the call has done its work. When it was aborted, the cache is as it was before. */
static bool decode(struct hearth_engine *engine, struct gguf_sequence *const *of, size_t count)
{
    enum { ABORTED = 2 };
    int32_t rc;
    do {
        engine->call = (struct gguf_call){.since = moment_now()};
        rc = llama_decode(engine->context, engine->batch);
        if (engine->call.has_shed) {
            gguf_pace_shed(&engine->pace, engine->threads);
            apply_threads(engine);
        }
    } while (rc == ABORTED && engine->call.has_shed);
    if (rc == 0 || rc == ABORTED) {
        return rc == 0;
    }
    struct hearth_error err = {0};
    int code = hearth_fail(&err, HEARTH_E_ENGINE_FAILED, "llama_decode gives %" PRId32, rc);
    for (size_t i = 0; i < count; i++) {
        fail(engine, of[i], code, &err);
    }
    return false;
}

static void decode_rows(struct hearth_engine *engine)
{
    struct gguf_sequence *of[GGUF_MAX_SEQUENCES];
    size_t count = 0;
    engine->batch.n_tokens = 0;
    for (uint64_t i = 0; i < engine->options.sequences; i++) {
        struct gguf_sequence *sequence = &engine->sequences[i];
        if (sequence->item != NULL && sequence->done >= sequence->prompt_count) {
            add_row(engine, sequence, sequence->next, sequence->done, true);
            of[count++] = sequence;
        }
    }
    if (count == 0 || !decode(engine, of, count)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        of[i]->done++;
        take_token(engine, of[i], (int32_t)i);
    }
}

static struct gguf_sequence *oldest_prompt(struct hearth_engine *engine)
{
    struct gguf_sequence *oldest = NULL;
    for (uint64_t i = 0; i < engine->options.sequences; i++) {
        struct gguf_sequence *sequence = &engine->sequences[i];
        if (sequence->item != NULL && sequence->done < sequence->prompt_count &&
            (oldest == NULL || sequence->turn < oldest->turn)) {
            oldest = sequence;
        }
    }
    return oldest;
}

static void prefill_chunk(struct hearth_engine *engine)
{
    struct gguf_sequence *sequence = oldest_prompt(engine);
    if (sequence == NULL) {
        return;
    }
    uint32_t end = HEARTH_MIN(sequence->done + GGUF_CHUNK_TOKENS, sequence->prompt_count);
    bool is_last = end == sequence->prompt_count;
    engine->batch.n_tokens = 0;
    for (uint32_t i = sequence->done; i < end; i++) {
        add_row(engine, sequence, sequence->prompt[i], i, is_last && i + 1 == end);
    }
    engine->prefilling = sequence->item;
    bool is_done = decode(engine, &sequence, 1);
    engine->prefilling = NULL;
    if (!is_done) {
        return; /* aborted: the next look at the items ends this one */
    }
    sequence->done = end;
    if (is_last) {
        take_token(engine, sequence, engine->batch.n_tokens - 1);
    }
}

static void adapt_threads(struct hearth_engine *engine)
{
    struct gguf_moment now = moment_now();
    const struct gguf_moment *since = &engine->pace_since;
    if (gguf_pace_measure(&engine->pace, engine->threads, now.wall_ns - since->wall_ns,
                          now.cpu_ns - since->cpu_ns)) {
        engine->pace_since = now;
    }
}

/* Takes what there is room for; waits only if nothing runs. False: the inbox is closed. */
static bool take_items(struct hearth_engine *engine, struct hearth_inbox *inbox)
{
    for (;;) {
        struct gguf_sequence *sequence = free_sequence(engine);
        if (sequence == NULL) {
            break;
        }
        bool is_idle = engine->busy == 0;
        struct hearth_item *item = hearth_inbox_take(inbox, is_idle);
        if (item == NULL) {
            break;
        }
        if (is_idle) {
            engine->pace_since = moment_now(); /* the time asleep says nothing about cores */
        }
        admit(engine, sequence, item);
    }
    return !hearth_inbox_is_closed(inbox);
}

static void hand_back(struct hearth_engine *engine)
{
    for (uint64_t i = 0; i < engine->options.sequences; i++) {
        if (engine->sequences[i].item != NULL) {
            fail(engine, &engine->sequences[i], HEARTH_E_SHUTTING_DOWN, NULL);
        }
    }
}

void gguf_work(struct hearth_engine *engine, struct hearth_inbox *inbox)
{
    /* The pool is made here, so that its threads inherit the nice value of the calling one. They
     * sleep between graphs: polling would burn a core per thread for nothing. */
    struct ggml_threadpool_params params =
        ggml_threadpool_params_default((int)engine->most_threads);
    params.poll = 0;
    struct ggml_threadpool *pool = ggml_threadpool_new(&params);
    llama_attach_threadpool(engine->context, pool, pool);
    engine->inbox = inbox;
    gguf_pace_begin(&engine->pace, engine->most_threads);
    while (take_items(engine, inbox)) {
        end_cancelled(engine);
        if (engine->busy == 0) {
            continue; /* nothing to do is no step */
        }
        apply_threads(engine);
        decode_rows(engine);
        prefill_chunk(engine);
        adapt_threads(engine);
        hearth_inbox_progress(inbox);
    }
    hand_back(engine);
    engine->inbox = NULL;
    llama_detach_threadpool(engine->context);
    ggml_threadpool_free(pool);
}
