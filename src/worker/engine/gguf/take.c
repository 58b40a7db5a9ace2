/* take.c — what comes after the logits: the next tokens of a sequence, or the end of its item. */

#include "gguf_engine.h"

#include <inttypes.h>

/* ---- memory ---------------------------------------------------------------------------------- */

int gguf_create_room(struct hearth_engine *engine, struct hearth_error *err)
{
    size_t count = (size_t)engine->vocab_size;
    struct gguf_room *room = hearth_alloc(1, sizeof *room);
    if (room == NULL) {
        return hearth_fail_oom(err);
    }
    engine->room = room;
    room->candidates = hearth_alloc(count, sizeof *room->candidates);
    room->edited = hearth_alloc(count, sizeof *room->edited);
    room->counts = hearth_alloc(count, sizeof *room->counts);
    bool is_there = room->candidates != NULL && room->edited != NULL && room->counts != NULL;
    return is_there ? 0 : hearth_fail_oom(err);
}

void gguf_destroy_room(struct gguf_room *room)
{
    if (room == NULL) {
        return;
    }
    hearth_free(room->candidates);
    hearth_free(room->edited);
    hearth_free(room->counts);
    hearth_free(room->mask);
    hearth_free(room->ends);
    hearth_vocabulary_destroy(room->vocabulary);
    gguf_grammars_destroy(&room->grammars);
    hearth_free(room);
}

int gguf_create_after_logits(struct hearth_engine *engine HEARTH_UNUSED,
                             struct gguf_sequence *sequence, struct hearth_error *err)
{
    sequence->after = hearth_alloc(1, sizeof *sequence->after);
    return sequence->after == NULL ? hearth_fail_oom(err)
                                   : gguf_output_create(&sequence->after->output, err);
}

void gguf_destroy_after_logits(struct gguf_sequence *sequence)
{
    if (sequence->after == NULL) {
        return;
    }
    gguf_output_destroy(&sequence->after->output);
    gguf_destroy_rules(&sequence->after->rules);
    gguf_destroy_choosing(sequence->after->choosing);
    hearth_free(sequence->after);
    sequence->after = NULL;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

int gguf_begin_taking(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      struct hearth_error *err)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(sequence->item->job);
    struct gguf_after *after = sequence->after;
    after->is_choice = request->task == HEARTH_TASK_CHOICE;
    after->wants_logprobs = (request->flags & HEARTH_FLAG_LOGPROBS) != 0;
    after->top_logprobs = request->top_logprobs;
    if (after->is_choice) {
        return gguf_begin_choosing(engine, sequence, err);
    }
    int rc = gguf_begin_sampling(&after->sampling, engine->vocab_size, request,
                                 sequence->item->index, err);
    rc = rc < 0 ? rc : gguf_begin_rules(engine, sequence, err);
    return rc < 0 ? rc
                  : gguf_output_begin(&after->output, sequence->item, after->rules.names,
                                      after->rules.tool_count);
}

void gguf_end_taking(struct gguf_sequence *sequence)
{
    struct gguf_after *after = sequence->after;
    gguf_output_clear(&after->output);
    gguf_end_sampling(&after->sampling);
    gguf_end_rules(&after->rules);
    gguf_end_choosing(after->choosing);
}

/* @reason: why no more tokens come; calls of tools that are complete make more of STOP. */
static void finish(struct hearth_engine *engine, struct gguf_sequence *sequence,
                   enum hearth_finish_reason reason)
{
    struct gguf_output *output = &sequence->after->output;
    int rc = gguf_output_end(output);
    if (rc < 0) {
        gguf_fail(engine, sequence, rc, NULL);
        return;
    }
    bool is_call =
        reason == HEARTH_FINISH_STOP && !output->is_stopped && output->calls.complete > 0;
    struct hearth_item_result result = {.finish = is_call ? HEARTH_FINISH_TOOL_CALLS : reason};
    gguf_finish(engine, sequence, &result);
}

/* ---- how likely it was ----------------------------------------------------------------------- */

static void tell(const struct hearth_engine *engine, const struct gguf_sequence *sequence,
                 llama_token token, double logprob, bool is_chosen)
{
    char text[HEARTH_MAX_PIECE_BYTES];
    int32_t size = llama_token_to_piece(engine->vocab, token, text, sizeof text, 0, true);
    struct hearth_wire_token_score score = {
        .place = sequence->generated,
        .id = (uint32_t)token,
        .logprob = (float)logprob,
        .is_chosen = is_chosen,
        .text = hearth_slice_of(text, size > 0 ? (size_t)size : 0),
    };
    hearth_item_logprob(sequence->item, &score);
}

/* Of the model itself: @logits are those that it gave, before any rule or penalty. */
static void tell_logprobs(const struct hearth_engine *engine, const struct gguf_sequence *sequence,
                          const float *logits, llama_token token)
{
    struct hearth_likely best[HEARTH_LIKELY_MOST];
    size_t count = (size_t)engine->vocab_size;
    double log_sum = hearth_log_sum_exp(logits, count);
    size_t found = hearth_likeliest(logits, count, log_sum, best, sequence->after->top_logprobs);
    tell(engine, sequence, token, (double)logits[token] - log_sum, true);
    for (size_t i = 0; i < found; i++) {
        tell(engine, sequence, best[i].id, (double)best[i].logprob, false);
    }
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* Takes @token into the answer. True if it had been guessed: the next row holds what is behind it.
 * The item may have ended after this. */
static bool keep(struct hearth_engine *engine, struct gguf_sequence *sequence, llama_token token)
{
    struct hearth_error err = {0};
    struct gguf_after *after = sequence->after;
    if (engine->on_token != NULL) {
        engine->on_token(engine->on_token_arg, sequence->item, token);
    }
    if (llama_vocab_is_eog(engine->vocab, token)) {
        finish(engine, sequence, HEARTH_FINISH_STOP);
        return false;
    }
    bool was_guessed = gguf_append(sequence, token);
    hearth_item_token(sequence->item, (uint32_t)token);
    int rc = gguf_output_add(&after->output, engine->vocab, token);
    rc = rc != 0 ? rc : gguf_follow_rules(engine, sequence, &err);
    if (rc < 0) {
        gguf_fail(engine, sequence, rc, &err);
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

/* Takes one token from @row, and those that must follow it. True if the row behind it holds good
 * logits already. */
static bool take_row(struct hearth_engine *engine, struct gguf_sequence *sequence, int32_t row)
{
    struct hearth_error err = {0};
    struct gguf_after *after = sequence->after;
    const float *logits = gguf_logits(engine, sequence, row);
    if (logits == NULL) {
        int rc = hearth_fail(&err, HEARTH_E_ENGINE_FAILED, "the model gave no output");
        gguf_fail(engine, sequence, rc, &err);
        return false;
    }
    const float *edited = gguf_edit_logits(
        &after->sampling, engine->room, logits, engine->vocab_size,
        sequence->tokens + sequence->answer_from, sequence->count - sequence->answer_from);
    llama_token token = gguf_pick_by_rules(engine, sequence, edited, &err);
    if (token < 0) {
        gguf_fail(engine, sequence, token, &err);
        return false;
    }
    if (after->wants_logprobs && !llama_vocab_is_eog(engine->vocab, token)) {
        tell_logprobs(engine, sequence, logits, token);
    }
    bool was_guessed = keep(engine, sequence, token);
    /* Rules may force more than a context holds: it is shifted before the rest is taken. */
    while (sequence->item != NULL && gguf_has_forced(&after->rules) && !after->wants_logprobs &&
           sequence->count <= engine->options.context_tokens) {
        was_guessed = keep(engine, sequence, after->rules.forced[after->rules.forced_at++]);
    }
    return was_guessed;
}

void gguf_take_logits(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      int32_t first_row)
{
    if (sequence->after->is_choice) {
        gguf_take_choice(engine, sequence, first_row);
        return;
    }
    while (take_row(engine, sequence, first_row)) {
        first_row++;
    }
}

/* ---- guesses --------------------------------------------------------------------------------- */

size_t gguf_guess(const struct hearth_engine *engine HEARTH_UNUSED,
                  const struct gguf_sequence *sequence, llama_token *room, size_t most)
{
    return hearth_guess(sequence->tokens, sequence->count, room, most);
}

bool gguf_is_plain_greedy(const struct gguf_sequence *sequence)
{
    const struct gguf_after *after = sequence->after;
    return !after->is_choice && after->sampling.chain == NULL && after->sampling.window == 0 &&
           after->sampling.biases.count == 0 && after->rules.phase == GGUF_FREE &&
           after->rules.tool_count == 0;
}
