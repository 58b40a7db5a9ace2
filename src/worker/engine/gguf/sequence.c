/* sequence.c — the life of a sequence, from its item to its end, and what may be done with its
 * tokens. Nothing is computed here. */

#include "gguf_engine.h"

struct gguf_lane *gguf_lane_of(struct hearth_engine *engine, const struct gguf_sequence *sequence)
{
    return sequence->is_exact ? &engine->exact : &engine->shared;
}

/* ---- for those who take logits -------------------------------------------------------------- */

const float *gguf_logits(const struct hearth_engine *engine, const struct gguf_sequence *sequence,
                         int32_t row)
{
    const struct gguf_lane *lane = sequence->is_exact ? &engine->exact : &engine->shared;
    return llama_get_logits_ith(lane->context, row);
}

bool gguf_append(struct gguf_sequence *sequence, llama_token token)
{
    bool was_guessed = sequence->guessed > 0 && sequence->tokens[sequence->count] == token;
    sequence->tokens[sequence->count] = token;
    sequence->logits_from = sequence->count;
    sequence->count++;
    sequence->generated++;
    if (was_guessed) {
        sequence->done++;
        sequence->guessed--;
        sequence->accepted_tokens++;
    } else if (sequence->guessed > 0) {
        sequence->guessed = 0;
        sequence->has_leftovers = true;
    }
    return was_guessed;
}

void gguf_rewind(struct gguf_sequence *sequence, uint32_t count)
{
    uint32_t gone = sequence->count - count;
    sequence->generated -= HEARTH_MIN(gone, sequence->generated);
    sequence->count = count;
    sequence->done = HEARTH_MIN(sequence->done, count - 1);
    sequence->guessed = 0;
    sequence->has_leftovers = true;
    sequence->logits_from = count - 1;
}

uint32_t gguf_tokens_left(const struct hearth_engine *engine, const struct gguf_sequence *sequence)
{
    uint32_t left = sequence->max_tokens - sequence->generated;
    uint32_t context = (uint32_t)engine->options.context_tokens;
    if (sequence->is_shifting) {
        return left;
    }
    return HEARTH_MIN(left, context - HEARTH_MIN(sequence->count, context));
}

enum hearth_finish_reason gguf_reason_to_end(const struct hearth_engine *engine,
                                             const struct gguf_sequence *sequence)
{
    if (sequence->generated >= sequence->max_tokens) {
        return HEARTH_FINISH_MAX_TOKENS;
    }
    bool is_full = sequence->count >= engine->options.context_tokens && !sequence->is_shifting;
    return is_full ? HEARTH_FINISH_CONTEXT_FULL : HEARTH_FINISH_NONE;
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Makes a sequence free; its item has been ended or is about to be. */
static struct hearth_item *release(struct hearth_engine *engine, struct gguf_sequence *sequence,
                                   bool may_stay)
{
    struct hearth_item *item = sequence->item;
    gguf_end_taking(sequence);
    gguf_cache_leave(engine, sequence, may_stay);
    if (sequence->is_started && sequence->is_exact) {
        (void)llama_memory_seq_rm(llama_get_memory(engine->exact.context), sequence->id, -1, -1);
    } else if (sequence->is_started) {
        engine->shared.reserved -= sequence->need_cells;
    }
    sequence->item = NULL;
    engine->busy--;
    return item;
}

void gguf_fail(struct hearth_engine *engine, struct gguf_sequence *sequence, int code,
               const struct hearth_error *err)
{
    /* What was computed of a prompt that was given up serves the next one like it. */
    bool may_stay = code == HEARTH_E_CANCELLED || code == HEARTH_E_EXPIRED;
    hearth_item_fail(release(engine, sequence, may_stay), code, err);
}

void gguf_finish(struct hearth_engine *engine, struct gguf_sequence *sequence,
                 struct hearth_item_result *result)
{
    char fingerprint[HEARTH_MAX_FINGERPRINT_BYTES + 1];
    const struct hearth_wire_inference_request *request = hearth_job_request(sequence->item->job);
    gguf_fingerprint(engine, sequence->is_exact, request->seed + sequence->item->index,
                     fingerprint);
    result->prompt_tokens = sequence->prompt_count;
    result->cached_tokens = sequence->cached_tokens;
    result->cache = gguf_cache_state(engine, sequence);
    result->drafted_tokens = sequence->drafted_tokens;
    result->accepted_tokens = sequence->accepted_tokens;
    result->fingerprint = fingerprint;
    struct hearth_item *item = release(engine, sequence, true);
    result->evicted_tokens = sequence->evicted_tokens; /* staying may have cost others theirs */
    result->evicted_of_others = sequence->evicted_of_others;
    result->left_out_tokens = sequence->left_out_tokens;
    hearth_item_finish(item, result);
}

/* ---- the beginning -------------------------------------------------------------------------- */

static int check_flags(const struct hearth_engine *engine, uint32_t flags, struct hearth_error *err)
{
    if ((flags & HEARTH_FLAG_EXACT) != 0 && engine->exact.context == NULL) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "exact answers need a stretch of cache of their own; load the model "
                           "with the option exact_sequences=1");
    }
    if ((flags & HEARTH_FLAG_SHIFT) != 0 &&
        !llama_memory_can_shift(llama_get_memory(engine->shared.context))) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "the context of a model of this architecture cannot be shifted; ask "
                           "without that flag");
    }
    return 0;
}

/* What follows from the prompt and the request. */
static void plan_cells(const struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    uint64_t context = engine->options.context_tokens;
    uint64_t need = (uint64_t)sequence->prompt_count + sequence->max_tokens;
    sequence->need_cells = (uint32_t)HEARTH_MIN(need, context);
    sequence->kept = (uint32_t)HEARTH_MIN((uint64_t)sequence->prompt_count, context / 4);
    sequence->is_shifting = sequence->is_shifting && need > context;
}

void gguf_admit(struct hearth_engine *engine, struct gguf_sequence *sequence,
                struct hearth_item *item)
{
    struct hearth_error err = {0};
    const struct hearth_wire_inference_request *request = hearth_job_request(item->job);
    uint32_t slot = gguf_cache_hold(engine, request->cache_domain);
    *sequence = (struct gguf_sequence){
        .item = item,
        .slot = slot,
        .turn = engine->turns++,
        .priority = request->priority,
        .is_exact = (request->flags & HEARTH_FLAG_EXACT) != 0,
        .is_shifting = (request->flags & HEARTH_FLAG_SHIFT) != 0,
        .tokens = hearth_prefix_tokens(engine->cache.index, slot),
        .after = sequence->after,
    };
    gguf_luck_begin(&sequence->luck);
    engine->busy++;
    int rc = hearth_item_must_end(item);
    rc = rc < 0 ? rc : check_flags(engine, request->flags, &err);
    rc = rc < 0 ? rc : gguf_read_prompt(engine, sequence, &err);
    rc = rc < 0 ? rc : gguf_begin_taking(engine, sequence, &err);
    plan_cells(engine, sequence);
    if (rc < 0) {
        gguf_fail(engine, sequence, rc, &err);
    }
}
