/* prompt.c — from a request to the tokens of its prompt. */

#include "gguf_engine.h"

#include <inttypes.h>

void gguf_add_token(struct gguf_tokens *tokens, llama_token token)
{
    if (tokens->count < tokens->room) {
        tokens->data[tokens->count] = token;
    }
    tokens->count++;
}

int gguf_tokenize(const struct hearth_engine *engine, struct hearth_slice text, bool add_special,
                  struct gguf_tokens *tokens, struct hearth_error *err)
{
    if (text.size > GGUF_MAX_PROMPT_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "a prompt of %zu bytes, the limit is %u",
                           text.size, GGUF_MAX_PROMPT_BYTES);
    }
    bool is_full = tokens->count >= tokens->room;
    size_t left = is_full ? 0 : tokens->room - tokens->count;
    llama_token none[1]; /* an address to give when there is no room: the count is wanted then */
    int32_t n = llama_tokenize(engine->vocab, text.size > 0 ? (const char *)text.data : "",
                               (int32_t)text.size, is_full ? none : tokens->data + tokens->count,
                               (int32_t)left, add_special, false);
    if (n == INT32_MIN) {
        return hearth_fail(err, HEARTH_E_TOO_LONG,
                           "the prompt has more tokens than can be counted");
    }
    tokens->count += (size_t)(n < 0 ? -n : n);
    return 0;
}

/* llama.cpp would index its tables with whatever stands here. @code: whose fault it would be. */
static int check_ids(const struct hearth_engine *engine, const struct gguf_tokens *tokens, int code,
                     struct hearth_error *err)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (tokens->data[i] < 0 || tokens->data[i] >= engine->vocab_size) {
            return hearth_fail(err, code,
                               "token id %zu of %zu is not in the vocabulary, which has %" PRId32
                               " tokens",
                               i, tokens->count, engine->vocab_size);
        }
    }
    return 0;
}

/* The client's own ids: nothing is put in front of them. One above INT32_MAX becomes negative. */
static void take_ids(struct hearth_wire_u32s ids, struct gguf_tokens *tokens)
{
    uint32_t count = (uint32_t)HEARTH_MIN((size_t)ids.count, tokens->room);
    hearth_wire_copy_u32s(ids, (uint32_t *)tokens->data, count);
    tokens->count = ids.count;
}

static int read_tokens(struct hearth_engine *engine, const struct hearth_item *item,
                       struct gguf_tokens *tokens, struct hearth_error *err)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(item->job);
    if (request->messages.count > 0) {
        return gguf_tokenize_chat(engine, request, tokens, err);
    }
    if (item->tokens.count > 0) {
        take_ids(item->tokens, tokens);
        return 0;
    }
    return gguf_tokenize(engine, item->text, true, tokens, err);
}

int gguf_read_prompt(struct hearth_engine *engine, struct gguf_sequence *sequence,
                     struct hearth_error *err)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(sequence->item->job);
    struct gguf_tokens tokens = {sequence->tokens, (size_t)engine->options.context_tokens, 0};
    int rc = read_tokens(engine, sequence->item, &tokens, err);
    if (rc < 0) {
        return rc;
    }
    uint64_t context = engine->options.context_tokens;
    sequence->left_out_tokens = 0;
    if (tokens.count > context - 1 && (request->flags & HEARTH_FLAG_SHORTEN) != 0) {
        rc = gguf_shorten(engine, sequence, &tokens, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (tokens.count > context - 1) { /* one place is for the first token of the answer */
        return hearth_fail(err, HEARTH_E_TOO_LONG,
                           "the prompt has %zu tokens, the model takes %" PRIu64
                           " (a context of %" PRIu64 ")",
                           tokens.count, context - 1, context);
    }
    if (tokens.count == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "the prompt has no tokens");
    }
    bool is_given = sequence->item->tokens.count > 0;
    rc =
        check_ids(engine, &tokens, is_given ? HEARTH_E_INPUT_INVALID : HEARTH_E_ENGINE_FAILED, err);
    if (rc < 0) {
        return rc;
    }
    sequence->prompt_count = (uint32_t)tokens.count;
    sequence->count = sequence->prompt_count;
    sequence->answer_from = sequence->prompt_count;
    sequence->logits_from = sequence->count - 1;
    sequence->max_tokens = request->max_tokens > 0 ? request->max_tokens : GGUF_DEFAULT_TOKENS;
    return 0;
}
