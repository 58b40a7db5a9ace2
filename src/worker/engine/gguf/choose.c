/* choose.c — how likely each of some texts is as what comes next.
 *
 * A text is the tokens that the model's tokenizer makes of it alone. The logits behind the prompt
 * give the first token of every text. The further ones are computed text by text, each put behind
 * the prompt and taken away again, a few rows in a step, so that other answers go on. The
 * log-probabilities of a text's tokens are added up and the sums normalised over the texts; length
 * is not made up for. */

#include "gguf_engine.h"

#include <inttypes.h>
#include <math.h>

#define MAX_TOKENS (HEARTH_MAX_LABEL_BYTES + 8u) /* of one text */

struct gguf_choosing {
    uint32_t count;
    uint32_t at;    /* the text whose tokens are being computed */
    uint32_t taken; /* tokens of it that are behind the prompt */
    bool has_firsts;
    uint32_t sizes[HEARTH_MAX_CHOICES];
    double sums[HEARTH_MAX_CHOICES];
    llama_token tokens[HEARTH_MAX_CHOICES][MAX_TOKENS];
};

static int read_choices(struct hearth_engine *engine, struct gguf_choosing *choosing,
                        struct hearth_wire_list choices, uint32_t room, struct hearth_error *err)
{
    struct hearth_wire_choice choice;
    for (uint32_t i = 0; hearth_wire_next(&choices, HEARTH_RECORD_choice, &choice); i++) {
        struct gguf_tokens tokens = {choosing->tokens[i], MAX_TOKENS, 0};
        int rc = gguf_tokenize(engine, choice.text, false, &tokens, err);
        if (rc < 0) {
            return rc;
        }
        if (tokens.count == 0 || tokens.count > MAX_TOKENS) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "choices[%" PRIu32 "]: has %zu tokens",
                               i, tokens.count);
        }
        if (tokens.count - 1 > room) {
            return hearth_fail(err, HEARTH_E_TOO_LONG,
                               "choices[%" PRIu32 "]: has %zu tokens, behind the prompt there is "
                               "room for %" PRIu32,
                               i, tokens.count, room + 1);
        }
        choosing->sizes[i] = (uint32_t)tokens.count;
        choosing->count = i + 1;
    }
    return 0;
}

int gguf_begin_choosing(struct hearth_engine *engine, struct gguf_sequence *sequence,
                        struct hearth_error *err)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(sequence->item->job);
    struct gguf_after *after = sequence->after;
    if (after->choosing == NULL) {
        after->choosing = hearth_alloc(1, sizeof *after->choosing);
    }
    if (after->choosing == NULL) {
        return hearth_fail_oom(err);
    }
    memset(after->choosing, 0, offsetof(struct gguf_choosing, sizes));
    sequence->max_tokens = MAX_TOKENS; /* so much room is kept for it, whatever the request says */
    uint32_t room = (uint32_t)engine->options.context_tokens - sequence->count;
    return read_choices(engine, after->choosing, request->choices, room, err);
}

void gguf_end_choosing(struct gguf_choosing *choosing)
{
    if (choosing != NULL) {
        hearth_wipe(choosing, sizeof *choosing);
    }
}

void gguf_destroy_choosing(struct gguf_choosing *choosing)
{
    hearth_free(choosing);
}

/* The log-probability of @token in a row is added to text @at; false if it is not a number. */
static bool add(struct gguf_choosing *choosing, uint32_t at, const float *logits, double log_sum,
                llama_token token)
{
    choosing->sums[at] += (double)logits[token] - log_sum;
    return !isnan(choosing->sums[at]);
}

/* The row behind the prompt: the first token of each text. */
static bool take_firsts(const struct hearth_engine *engine, struct gguf_choosing *choosing,
                        const float *logits)
{
    double log_sum = hearth_log_sum_exp(logits, (size_t)engine->vocab_size);
    bool is_good = true;
    for (uint32_t i = 0; i < choosing->count; i++) {
        choosing->sums[i] = 0;
        is_good = is_good && add(choosing, i, logits, log_sum, choosing->tokens[i][0]);
    }
    choosing->has_firsts = true;
    return is_good;
}

/* Rows behind the tokens that were put behind the prompt last: each gives the next token. */
static bool take_rest(struct hearth_engine *engine, const struct gguf_sequence *sequence,
                      struct gguf_choosing *choosing, int32_t row)
{
    uint32_t taken = sequence->count - sequence->prompt_count;
    for (; choosing->taken < taken; choosing->taken++, row++) {
        const float *logits = gguf_logits(engine, sequence, row);
        if (logits == NULL) {
            return false;
        }
        double log_sum = hearth_log_sum_exp(logits, (size_t)engine->vocab_size);
        llama_token next = choosing->tokens[choosing->at][choosing->taken + 1];
        if (!add(choosing, choosing->at, logits, log_sum, next)) {
            return false;
        }
    }
    return true;
}

/* Puts the next tokens behind the prompt; false if all are computed. */
static bool put_next(struct gguf_sequence *sequence, struct gguf_choosing *choosing)
{
    bool is_new = false;
    while (choosing->at < choosing->count && choosing->taken + 1 >= choosing->sizes[choosing->at]) {
        choosing->at++; /* the last token of a text has nothing behind it that counts */
        choosing->taken = 0;
        is_new = true;
    }
    if (choosing->at == choosing->count) {
        return false;
    }
    if (is_new && sequence->count > sequence->prompt_count) {
        gguf_rewind(sequence, sequence->prompt_count);
    }
    uint32_t first = sequence->count;
    uint32_t left = choosing->sizes[choosing->at] - 1 - choosing->taken;
    for (uint32_t i = 0; i < HEARTH_MIN(left, GGUF_MAX_LOGIT_ROWS); i++) {
        (void)gguf_append(sequence, choosing->tokens[choosing->at][choosing->taken + i]);
    }
    sequence->logits_from = first;
    return true;
}

/* False if no text is possible at all. */
static bool finish(struct hearth_engine *engine, struct gguf_sequence *sequence,
                   const struct gguf_choosing *choosing)
{
    float scores[HEARTH_MAX_CHOICES];
    double most = -INFINITY;
    double sum = 0;
    for (uint32_t i = 0; i < choosing->count; i++) {
        most = HEARTH_MAX(most, choosing->sums[i]);
    }
    for (uint32_t i = 0; i < choosing->count; i++) {
        sum += exp(choosing->sums[i] - most);
    }
    if (!isfinite(most)) {
        return false;
    }
    for (uint32_t i = 0; i < choosing->count; i++) {
        scores[i] = (float)(exp(choosing->sums[i] - most) / sum);
    }
    struct hearth_item_result result = {.finish = HEARTH_FINISH_NONE, .scores = scores};
    gguf_finish(engine, sequence, &result);
    return true;
}

void gguf_take_choice(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      int32_t first_row)
{
    struct gguf_choosing *choosing = sequence->after->choosing;
    const float *logits = gguf_logits(engine, sequence, first_row);
    bool is_good =
        logits != NULL && (choosing->has_firsts ? take_rest(engine, sequence, choosing, first_row)
                                                : take_firsts(engine, choosing, logits));
    if (is_good && !put_next(sequence, choosing)) {
        is_good = finish(engine, sequence, choosing);
    }
    if (!is_good) {
        struct hearth_error err = {0};
        int rc = hearth_fail(&err, HEARTH_E_ENGINE_FAILED, "the model's output is not a number");
        gguf_fail(engine, sequence, rc, &err);
    }
}
