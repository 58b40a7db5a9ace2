/* step.c — continuous batching: one thread, one loop, one step at a time.
 *
 * A step is one call of the shared lane: the rows of all sequences that are past their prompt, and
 * as many rows of the prompt that is next as a step may take while others stream. Prompts go one
 * after another, the highest class first; one that is in the middle can be overtaken at each step
 * (turns.c says who runs). Then each exact sequence has a call of its own. */

#include "gguf_engine.h"

#include "hearth_os.h"

#include <inttypes.h>

static void end_cancelled(struct hearth_engine *engine)
{
    for (uint32_t i = 0; i < engine->places; i++) {
        struct gguf_sequence *sequence = &engine->sequences[i];
        int rc = sequence->item == NULL ? 0 : hearth_item_must_end(sequence->item);
        if (rc < 0) {
            gguf_fail(engine, sequence, rc, NULL);
        }
    }
}

/* ---- a call and what comes of it ------------------------------------------------------------- */

static llama_memory_t memory_of(struct hearth_engine *engine, const struct gguf_sequence *sequence)
{
    return llama_get_memory(gguf_lane_of(engine, sequence)->context);
}

/* Takes out of the cache what was guessed wrong or is tried again. */
static void remove_leftovers(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    if (!engine->cache.can_share) { /* such a memory gives back all or nothing */
        sequence->done = 0;
    }
    (void)llama_memory_seq_rm(memory_of(engine, sequence), sequence->id, (llama_pos)sequence->done,
                              -1);
    sequence->has_leftovers = false;
}

/* The rows of a part are computed. */
static void take_part(struct hearth_engine *engine, const struct gguf_part *part)
{
    struct gguf_sequence *sequence = part->sequence;
    uint32_t first = sequence->done;
    sequence->done = HEARTH_MIN(first + part->rows, sequence->count);
    if (sequence->done < sequence->count) {
        gguf_cache_note(engine, sequence);
        return; /* a prompt that goes on */
    }
    uint32_t guessed = sequence->guessed;
    uint32_t right = sequence->accepted_tokens;
    uint32_t skipped = HEARTH_MAX(sequence->logits_from, first) - first;
    sequence->is_prompt_done = true;
    gguf_cache_note(engine, sequence);
    gguf_take_logits(engine, sequence, part->first_row + (int32_t)skipped);
    if (sequence->item == NULL) {
        return;
    }
    if (guessed > 0) {
        right = sequence->accepted_tokens - right;
        gguf_luck_measure(&sequence->luck, &engine->tempo, guessed, right);
        sequence->has_leftovers = sequence->has_leftovers || sequence->guessed > 0;
        sequence->guessed = 0;
    }
    if (sequence->has_leftovers) {
        remove_leftovers(engine, sequence);
    }
    gguf_cache_note(engine, sequence);
}

static void fail_parts(struct hearth_engine *engine, const struct gguf_lane *lane, int code,
                       const struct hearth_error *err)
{
    for (uint32_t i = 0; i < lane->part_count; i++) {
        lane->parts[i].sequence->done = 0; /* what is in the cells is not known */
        gguf_fail(engine, lane->parts[i].sequence, code, err);
    }
}

/* Computes what the lane's batch holds, and asks what comes next. */
static bool run(struct hearth_engine *engine, struct gguf_lane *lane)
{
    int32_t rc = 0;
    enum gguf_called called;
    do {
        called = gguf_lane_call(engine, lane, &rc);
    } while (called == GGUF_FULL && lane == &engine->shared &&
             gguf_cache_evict(engine, lane->parts[lane->part_count - 1].sequence));
    if (called == GGUF_ABORTED) {
        return false; /* the next look at the items ends the one that did it */
    }
    if (called != GGUF_DONE) {
        struct hearth_error err = {0};
        int code =
            hearth_fail(&err, HEARTH_E_ENGINE_FAILED,
                        "llama_decode gives %" PRId32 "; try again, or reload the model", rc);
        fail_parts(engine, lane, code, &err);
        return false;
    }
    for (uint32_t i = 0; i < lane->part_count; i++) {
        take_part(engine, &lane->parts[i]);
    }
    return true;
}

/* ---- the shared lane ------------------------------------------------------------------------- */

/* Half of what is behind the kept part goes, and the rest moves up. */
static void shift(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    uint32_t gone =
        HEARTH_MIN((sequence->count - sequence->kept) / 2, sequence->done - sequence->kept);
    llama_pos from = (llama_pos)sequence->kept;
    llama_pos to = from + (llama_pos)gone;
    (void)llama_memory_seq_rm(memory_of(engine, sequence), sequence->id, from, to);
    llama_memory_seq_add(memory_of(engine, sequence), sequence->id, to, -1, -(llama_pos)gone);
    memmove(sequence->tokens + from, sequence->tokens + to,
            (sequence->count - (uint32_t)to) * sizeof *sequence->tokens);
    sequence->count -= gone;
    sequence->done -= gone;
    sequence->logits_from -= gone;
    sequence->answer_from -= HEARTH_MIN(gone, sequence->answer_from - sequence->kept);
    gguf_lane_of(engine, sequence)->must_not_abort = true;
}

/* Guesses pay while a row more costs little: few streams, and no prompt that waits. */
static void guess(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    uint32_t left = gguf_tokens_left(engine, sequence);
    if (!engine->options.use_drafts || sequence->is_exact || engine->busy > GGUF_GUESSING_STREAMS ||
        !engine->cache.can_share || sequence->done + 1 != sequence->count || left < 2 ||
        !gguf_is_plain_greedy(sequence)) {
        return;
    }
    uint32_t most = HEARTH_MIN(left - 1, GGUF_MAX_LOGIT_ROWS - 1);
    most = HEARTH_MIN(most, (uint32_t)engine->options.context_tokens - sequence->count);
    most = gguf_luck_rows(&sequence->luck, &engine->tempo, most);
    if (most > 0) {
        sequence->guessed =
            (uint32_t)gguf_guess(engine, sequence, sequence->tokens + sequence->count, most);
        sequence->drafted_tokens += sequence->guessed;
    }
}

static uint32_t add_stream(struct hearth_engine *engine, struct gguf_lane *lane,
                           struct gguf_sequence *sequence, bool may_guess)
{
    if (sequence->count > engine->options.context_tokens) {
        shift(engine, sequence);
    }
    if (may_guess) {
        guess(engine, sequence);
    }
    if (gguf_lane_add(lane, sequence, UINT32_MAX) > 0) {
        return 1;
    }
    sequence->drafted_tokens -= sequence->guessed;
    sequence->guessed = 0; /* no room for its logits in this call: it is first in the next */
    return 0;
}

/* Rows of all sequences that are past their prompt; returns how many sequences. */
static uint32_t add_streams(struct hearth_engine *engine, struct gguf_lane *lane, bool may_guess)
{
    uint32_t streams = 0;
    uint64_t count = engine->places;
    for (uint64_t i = 0; i < count; i++) {
        struct gguf_sequence *sequence = &engine->sequences[(engine->steps + i) % count];
        if (sequence->item != NULL && sequence->is_prompt_done &&
            gguf_lane_of(engine, sequence) == lane) {
            streams += add_stream(engine, lane, sequence, may_guess);
        }
    }
    return streams;
}

/* True if @sequence would find more, once the prompts that are in this call are computed. */
static bool should_wait(const struct hearth_engine *engine, const struct gguf_lane *lane,
                        const struct gguf_sequence *sequence)
{
    uint32_t found = HEARTH_MAX(gguf_cache_peek(engine, sequence), sequence->done);
    for (uint32_t i = 0; i < lane->part_count; i++) {
        const struct gguf_sequence *other = lane->parts[i].sequence;
        uint32_t most = gguf_cache_soon(engine, sequence, other);
        uint32_t at = 0;
        while (!other->is_prompt_done && at < most && other->tokens[at] == sequence->tokens[at]) {
            at++;
        }
        if (at >= found + GGUF_LEAST_KEPT) {
            return true;
        }
    }
    return false;
}

/* Rows of the prompt that is next, and of those behind it while there is room; returns how many. */
static uint32_t add_prompts(struct hearth_engine *engine, struct gguf_lane *lane, uint32_t streams)
{
    uint64_t target_ns = engine->options.inter_token_ms * (HEARTH_NS_PER_SEC / 1000);
    uint32_t most = streams == 0
                        ? lane->most_rows
                        : gguf_tempo_chunk(&engine->tempo, target_ns, streams, lane->most_rows);
    uint32_t added = 0;
    struct gguf_sequence *sequence = gguf_next_prompt(engine, lane);
    while (sequence != NULL && added < most) {
        uint32_t rows = gguf_lane_add(lane, sequence, most - added);
        added += rows;
        /* While nobody streams, the first has its first token as soon as can be. */
        if (rows == 0 || streams == 0) {
            break;
        }
        sequence = gguf_first_prompt(engine, lane, false);
        if (sequence != NULL &&
            (should_wait(engine, lane, sequence) || !gguf_start(engine, sequence))) {
            break;
        }
    }
    return added;
}

static uint32_t guessed_rows(const struct gguf_lane *lane)
{
    uint32_t guessed = 0;
    for (uint32_t i = 0; i < lane->part_count; i++) {
        guessed += lane->parts[i].sequence->guessed;
    }
    return guessed;
}

/* Averages are of whole steps alone: one that was broken off, or computed guesses and a prompt at
 * once, says nothing. */
static void measure(struct hearth_engine *engine, uint64_t since_ns, uint32_t streams,
                    uint32_t prompt_rows, uint32_t guessed)
{
    uint64_t wall_ns = hearth_clock_ns() - since_ns;
    if (guessed == 0) {
        gguf_tempo_measure(&engine->tempo, wall_ns, streams, prompt_rows);
    } else if (prompt_rows == 0) {
        gguf_tempo_measure_guesses(&engine->tempo, wall_ns, guessed);
    }
}

static void step_shared(struct hearth_engine *engine)
{
    struct gguf_lane *lane = &engine->shared;
    uint64_t since_ns = hearth_clock_ns();
    gguf_lane_begin(lane);
    bool is_any_waiting = gguf_first_prompt(engine, lane, false) != NULL;
    if (is_any_waiting) { /* before the others are in the call: who is in it cannot stand back */
        (void)gguf_next_prompt(engine, lane);
    }
    uint32_t streams = add_streams(engine, lane, !is_any_waiting);
    uint32_t prompt_rows = is_any_waiting ? add_prompts(engine, lane, streams) : 0;
    uint32_t guessed = guessed_rows(lane);
    if (lane->part_count > 0 && run(engine, lane)) {
        measure(engine, since_ns, streams, prompt_rows, guessed);
    }
}

/* ---- the exact lane -------------------------------------------------------------------------- */

/* Chunks begin at multiples of the grid of their own prompt, whatever came before. */
static void step_exact(struct hearth_engine *engine)
{
    struct gguf_lane *lane = &engine->exact;
    for (uint32_t i = 0; lane->context != NULL && i < engine->places; i++) {
        struct gguf_sequence *sequence = &engine->sequences[i];
        if (sequence->item != NULL && sequence->is_exact && sequence->is_prompt_done) {
            gguf_lane_begin(lane);
            (void)add_stream(engine, lane, sequence, false);
            (void)run(engine, lane);
        }
    }
    gguf_lane_begin(lane);
    struct gguf_sequence *sequence = lane->context == NULL ? NULL : gguf_next_prompt(engine, lane);
    if (sequence != NULL && gguf_lane_add(lane, sequence, lane->most_rows) > 0) {
        (void)run(engine, lane);
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void hand_back(struct hearth_engine *engine)
{
    for (uint32_t i = 0; i < engine->places; i++) {
        if (engine->sequences[i].item != NULL) {
            gguf_fail(engine, &engine->sequences[i], HEARTH_E_SHUTTING_DOWN, NULL);
        }
    }
}

void gguf_work(struct hearth_engine *engine, struct hearth_inbox *inbox)
{
    engine->inbox = inbox;
    gguf_begin_threads(engine);
    while (gguf_take_items(engine, inbox)) {
        end_cancelled(engine);
        if (engine->busy == 0) {
            continue; /* nothing to do is no step */
        }
        step_shared(engine);
        step_exact(engine);
        engine->steps++;
        hearth_inbox_progress(inbox);
    }
    hand_back(engine);
    gguf_end_threads(engine);
    engine->inbox = NULL;
}
