/* sequence.c — the life of a sequence, from its item to its end, and what may be done with its
 * tokens. Nothing is computed here. */

#include "gguf_engine.h"

llama_seq_id gguf_id_of(const struct hearth_engine *engine, const struct gguf_sequence *sequence)
{
    return (llama_seq_id)(sequence - engine->sequences);
}

/* ---- for those who take logits -------------------------------------------------------------- */

const float *gguf_logits(const struct hearth_engine *engine,
                         const struct gguf_sequence *sequence HEARTH_UNUSED, int32_t row)
{
    return llama_get_logits_ith(engine->context, row);
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
    uint32_t context = (uint32_t)engine->options.context_tokens;
    return HEARTH_MIN(sequence->max_tokens - sequence->generated, context - sequence->count);
}

enum hearth_finish_reason gguf_reason_to_end(const struct hearth_engine *engine,
                                             const struct gguf_sequence *sequence)
{
    if (sequence->generated >= sequence->max_tokens) {
        return HEARTH_FINISH_MAX_TOKENS;
    }
    return sequence->count >= engine->options.context_tokens ? HEARTH_FINISH_CONTEXT_FULL
                                                             : HEARTH_FINISH_NONE;
}

/* ---- beginning and end ---------------------------------------------------------------------- */

/* Makes a sequence free and forgets what it held; its item has been ended or is about to be. */
static struct hearth_item *release(struct hearth_engine *engine, struct gguf_sequence *sequence)
{
    struct hearth_item *item = sequence->item;
    (void)llama_memory_seq_rm(llama_get_memory(engine->context), gguf_id_of(engine, sequence), -1,
                              -1);
    gguf_end_taking(sequence);
    hearth_wipe(sequence->tokens, (size_t)engine->options.context_tokens * sizeof(llama_token));
    sequence->item = NULL;
    engine->busy--;
    return item;
}

void gguf_fail(struct hearth_engine *engine, struct gguf_sequence *sequence, int code,
               const struct hearth_error *err)
{
    hearth_item_fail(release(engine, sequence), code, err);
}

void gguf_finish(struct hearth_engine *engine, struct gguf_sequence *sequence,
                 struct hearth_item_result *result)
{
    result->prompt_tokens = sequence->prompt_count;
    hearth_item_finish(release(engine, sequence), result);
}

void gguf_admit(struct hearth_engine *engine, struct gguf_sequence *sequence,
                struct hearth_item *item)
{
    struct hearth_error err = {0};
    *sequence = (struct gguf_sequence){.item = item,
                                       .turn = engine->turns++,
                                       .tokens = sequence->tokens,
                                       .after = sequence->after};
    engine->busy++;
    int rc = hearth_item_must_end(item);
    rc = rc < 0 ? rc : gguf_read_prompt(engine, sequence, &err);
    rc = rc < 0 ? rc : gguf_begin_taking(engine, sequence, &err);
    if (rc < 0) {
        gguf_fail(engine, sequence, rc, &err);
    }
}
