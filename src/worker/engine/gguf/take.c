/* take.c — what comes after the logits: the next tokens of a sequence, or the end of its item. */

#include "gguf_engine.h"

#include <inttypes.h>

int gguf_create_after_logits(struct hearth_engine *engine HEARTH_UNUSED,
                             struct gguf_sequence *sequence, struct hearth_error *err)
{
    return gguf_output_create(&sequence->output, err);
}

void gguf_destroy_after_logits(struct gguf_sequence *sequence)
{
    gguf_output_destroy(&sequence->output);
}

int gguf_begin_taking(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      struct hearth_error *err HEARTH_UNUSED)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(sequence->item->job);
    gguf_output_begin(&sequence->output, request);
    gguf_begin_sampling(engine, sequence, request);
    return 0;
}

void gguf_end_taking(struct gguf_sequence *sequence)
{
    if (sequence->sampling.chain != NULL) {
        llama_sampler_free(sequence->sampling.chain);
        sequence->sampling.chain = NULL;
    }
    gguf_output_clear(&sequence->output);
}

static void finish(struct hearth_engine *engine, struct gguf_sequence *sequence,
                   enum hearth_finish_reason reason)
{
    int rc = gguf_output_end(&sequence->output, sequence->item);
    if (rc < 0) {
        gguf_fail(engine, sequence, rc, NULL);
        return;
    }
    struct hearth_item_result result = {.finish = reason};
    gguf_finish(engine, sequence, &result);
}

/* Takes one token from @row; true if the row behind it holds good logits already. */
static bool take_token(struct hearth_engine *engine, struct gguf_sequence *sequence, int32_t row)
{
    struct hearth_error err = {0};
    const float *logits = gguf_logits(engine, sequence, row);
    llama_token token = logits == NULL ? -1 : gguf_sample(engine, sequence, logits);
    if (token < 0) {
        int rc = hearth_fail(&err, HEARTH_E_ENGINE_FAILED,
                             "the model's output after %" PRIu32 " tokens is not a number",
                             sequence->count);
        gguf_fail(engine, sequence, rc, &err);
        return false;
    }
    if (engine->on_token != NULL) {
        engine->on_token(engine->on_token_arg, sequence->item, token);
    }
    if (llama_vocab_is_eog(engine->vocab, token)) {
        finish(engine, sequence, HEARTH_FINISH_STOP);
        return false;
    }
    bool was_guessed = gguf_append(sequence, token);
    hearth_item_token(sequence->item, (uint32_t)token);
    int rc = gguf_output_add(&sequence->output, engine->vocab, token, sequence->item);
    if (rc < 0) {
        gguf_fail(engine, sequence, rc, NULL);
        return false;
    }
    enum hearth_finish_reason reason =
        rc > 0 ? HEARTH_FINISH_STOP : gguf_reason_to_end(engine, sequence);
    if (reason != HEARTH_FINISH_NONE) {
        finish(engine, sequence, reason);
        return false;
    }
    return was_guessed;
}

void gguf_take_logits(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      int32_t first_row)
{
    while (take_token(engine, sequence, first_row)) {
        first_row++;
    }
}

size_t gguf_guess(const struct hearth_engine *engine HEARTH_UNUSED,
                  const struct gguf_sequence *sequence HEARTH_UNUSED,
                  llama_token *room HEARTH_UNUSED, size_t most HEARTH_UNUSED)
{
    return 0;
}

bool gguf_is_plain_greedy(const struct gguf_sequence *sequence)
{
    return sequence->sampling.chain == NULL;
}
