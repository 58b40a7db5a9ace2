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

static void end_cancelled(struct hearth_engine *engine)
{
    for (uint64_t i = 0; i < engine->options.sequences; i++) {
        struct gguf_sequence *sequence = &engine->sequences[i];
        int rc = sequence->item == NULL ? 0 : hearth_item_must_end(sequence->item);
        if (rc < 0) {
            gguf_fail(engine, sequence, rc, NULL);
        }
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
    batch->seq_id[n][0] = gguf_id_of(engine, sequence);
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
        gguf_fail(engine, of[i], code, &err);
    }
    return false;
}

/* Adds the rows of @sequence up to token @end. */
static void add_rows(struct hearth_engine *engine, struct gguf_sequence *sequence, uint32_t end)
{
    for (uint32_t i = sequence->done; i < end; i++) {
        add_row(engine, sequence, sequence->tokens[i], i, i >= sequence->logits_from);
    }
}

/* The rows of @sequence from @row on, @count of them, are computed. */
static void take_rows(struct hearth_engine *engine, struct gguf_sequence *sequence, int32_t row,
                      uint32_t count)
{
    uint32_t first = sequence->done;
    sequence->done += count;
    if (sequence->done < sequence->count) {
        return; /* a prompt that goes on */
    }
    uint32_t skipped = HEARTH_MAX(sequence->logits_from, first) - first;
    sequence->is_prompt_done = true;
    gguf_take_logits(engine, sequence, row + (int32_t)skipped);
    if (sequence->item != NULL && sequence->has_leftovers) {
        (void)llama_memory_seq_rm(llama_get_memory(engine->context), gguf_id_of(engine, sequence),
                                  (llama_pos)sequence->done, -1);
        sequence->has_leftovers = false;
    }
}

static void decode_rows(struct hearth_engine *engine)
{
    struct gguf_sequence *of[GGUF_MAX_SEQUENCES];
    int32_t first_rows[GGUF_MAX_SEQUENCES];
    uint32_t counts[GGUF_MAX_SEQUENCES];
    size_t count = 0;
    engine->batch.n_tokens = 0;
    for (uint64_t i = 0; i < engine->options.sequences; i++) {
        struct gguf_sequence *sequence = &engine->sequences[i];
        uint32_t rows = sequence->count - sequence->done;
        if (sequence->item != NULL && sequence->is_prompt_done &&
            (uint32_t)engine->batch.n_tokens + rows <= GGUF_CHUNK_TOKENS) {
            of[count] = sequence;
            first_rows[count] = engine->batch.n_tokens;
            counts[count++] = rows;
            add_rows(engine, sequence, sequence->count);
        }
    }
    if (count == 0 || !decode(engine, of, count)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        take_rows(engine, of[i], first_rows[i], counts[i]);
    }
}

static struct gguf_sequence *oldest_prompt(struct hearth_engine *engine)
{
    struct gguf_sequence *oldest = NULL;
    for (uint64_t i = 0; i < engine->options.sequences; i++) {
        struct gguf_sequence *sequence = &engine->sequences[i];
        if (sequence->item != NULL && !sequence->is_prompt_done &&
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
    uint32_t end = HEARTH_MIN(sequence->done + GGUF_CHUNK_TOKENS, sequence->count);
    engine->batch.n_tokens = 0;
    add_rows(engine, sequence, end);
    engine->prefilling = sequence->item;
    bool is_done = decode(engine, &sequence, 1);
    engine->prefilling = NULL;
    if (is_done) { /* else the next look at the items ends this one */
        take_rows(engine, sequence, 0, end - sequence->done);
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
        gguf_admit(engine, sequence, item);
    }
    return !hearth_inbox_is_closed(inbox);
}

static void hand_back(struct hearth_engine *engine)
{
    for (uint64_t i = 0; i < engine->options.sequences; i++) {
        if (engine->sequences[i].item != NULL) {
            gguf_fail(engine, &engine->sequences[i], HEARTH_E_SHUTTING_DOWN, NULL);
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
