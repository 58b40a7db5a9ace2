/* sample.c — from logits to one token.
 *
 * In this order:
 *     bias                 what the client knows comes before everything; -100 forbids
 *     penalties            change logits too, so they must see all candidates before any is cut
 *     top-k                the cheapest cut first: what follows sorts only these
 *     typical-p, top-p, min-p   measure how likely a candidate is to the model itself
 *     temperature          spreads the choice among candidates that all made sense: a high one
 *                          makes the text varied and does not let nonsense back in
 *     choice by seed
 * Temperature 0 is plain argmax behind bias and penalties: nothing else plays a part.
 *
 * The window of the penalties holds generated tokens only. Were the prompt in it, the end token of
 * a chat's earlier turns and the very words that were asked about would be made unlikely. */

#include "gguf_engine.h"

#include <inttypes.h>
#include <math.h>

#define FORBIDDEN -100.0f

/* The library takes 32 bits and reads one value as "any": both halves count, that one is moved. */
static uint32_t seed_of(uint64_t seed)
{
    uint32_t folded = (uint32_t)(seed ^ seed >> 32);
    return folded == LLAMA_DEFAULT_SEED ? 0x5eedu : folded;
}

static int check_biases(struct hearth_wire_list biases, int32_t vocab_size,
                        struct hearth_error *err)
{
    struct hearth_wire_bias bias;
    for (unsigned i = 0; hearth_wire_next(&biases, HEARTH_RECORD_bias, &bias); i++) {
        if (bias.token >= (uint32_t)vocab_size) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "logit_bias[%u].token: is not in the vocabulary, which has %" PRId32
                               " tokens",
                               i, vocab_size);
        }
    }
    return 0;
}

static void make_chain(struct gguf_sampling *sampling, int32_t vocab_size,
                       const struct hearth_wire_inference_request *request, uint32_t index)
{
    struct llama_sampler_chain_params params = llama_sampler_chain_default_params();
    params.no_perf = true;
    struct llama_sampler *chain = llama_sampler_chain_init(params);
    sampling->chain = chain;
    if (request->top_k > 0 && request->top_k < (uint32_t)vocab_size) {
        llama_sampler_chain_add(chain, llama_sampler_init_top_k((int32_t)request->top_k));
    }
    if (request->typical_p > 0 && request->typical_p < 1) {
        llama_sampler_chain_add(chain, llama_sampler_init_typical(request->typical_p, 1));
    }
    if (request->top_p > 0 && request->top_p < 1) {
        llama_sampler_chain_add(chain, llama_sampler_init_top_p(request->top_p, 1));
    }
    if (request->min_p > 0) {
        llama_sampler_chain_add(chain, llama_sampler_init_min_p(request->min_p, 1));
    }
    llama_sampler_chain_add(chain, llama_sampler_init_temp(request->temperature));
    llama_sampler_chain_add(chain, llama_sampler_init_dist(seed_of(request->seed + index)));
}

int gguf_begin_sampling(struct gguf_sampling *sampling, int32_t vocab_size,
                        const struct hearth_wire_inference_request *request, uint32_t index,
                        struct hearth_error *err)
{
    bool has_repetition = request->repetition_penalty > 0 &&
                          (request->repetition_penalty < 1 || request->repetition_penalty > 1);
    bool has_other = request->frequency_penalty < 0 || request->frequency_penalty > 0 ||
                     request->presence_penalty < 0 || request->presence_penalty > 0;
    *sampling = (struct gguf_sampling){
        .repetition = has_repetition ? request->repetition_penalty : 1,
        .frequency = request->frequency_penalty,
        .presence = request->presence_penalty,
        .window = has_repetition || has_other ? request->repetition_window : 0,
        .biases = request->logit_bias,
    };
    int rc = check_biases(request->logit_bias, vocab_size, err);
    if (rc == 0 && request->temperature > 0) {
        make_chain(sampling, vocab_size, request, index);
    }
    return rc;
}

void gguf_end_sampling(struct gguf_sampling *sampling)
{
    if (sampling->chain != NULL) {
        llama_sampler_free(sampling->chain);
    }
    *sampling = (struct gguf_sampling){.chain = NULL};
}

static void add_biases(struct hearth_wire_list biases, float *logits)
{
    struct hearth_wire_bias bias;
    while (hearth_wire_next(&biases, HEARTH_RECORD_bias, &bias)) {
        logits[bias.token] = bias.bias > FORBIDDEN ? logits[bias.token] + bias.bias : -INFINITY;
    }
}

/* As Keskar et al. 2019 with the sign of the logit looked at, and as the OpenAI API defines the
 * other two. */
static void penalise(const struct gguf_sampling *sampling, uint16_t *counts, float *logits,
                     const llama_token *generated, size_t count)
{
    size_t window = HEARTH_MIN(count, (size_t)sampling->window);
    const llama_token *last = generated + (count - window);
    for (size_t i = 0; i < window; i++) {
        counts[last[i]]++;
    }
    for (size_t i = 0; i < window; i++) {
        float *logit = &logits[last[i]];
        uint16_t times = counts[last[i]];
        if (times > 0) {
            *logit = *logit > 0 ? *logit / sampling->repetition : *logit * sampling->repetition;
            *logit -= (float)times * sampling->frequency + sampling->presence;
            counts[last[i]] = 0;
        }
    }
}

const float *gguf_edit_logits(const struct gguf_sampling *sampling, struct gguf_room *room,
                              const float *logits, int32_t vocab_size, const llama_token *generated,
                              size_t count)
{
    bool has_penalties = sampling->window > 0 && count > 0;
    if (sampling->biases.count == 0 && !has_penalties) {
        return logits;
    }
    memcpy(room->edited, logits, (size_t)vocab_size * sizeof *logits);
    add_biases(sampling->biases, room->edited);
    if (has_penalties) {
        penalise(sampling, room->counts, room->edited, generated, count);
    }
    return room->edited;
}

static bool is_allowed(const uint64_t *allowed, int32_t token)
{
    return allowed == NULL || (allowed[token / 64] >> (token % 64) & 1) != 0;
}

/* The first of the largest; -1 if a logit is not a number or all are minus infinity. The library's
 * samplers would end the process on such a row. */
static llama_token argmax(const float *logits, int32_t count, const uint64_t *allowed)
{
    llama_token best = -1;
    float most = -INFINITY;
    for (int32_t i = 0; i < count; i++) {
        if (isnan(logits[i])) {
            return -1;
        }
        if (logits[i] > most && is_allowed(allowed, i)) {
            most = logits[i];
            best = i;
        }
    }
    return isinf(most) ? -1 : best;
}

llama_token gguf_pick(const struct gguf_sampling *sampling, struct gguf_room *room,
                      const float *logits, int32_t vocab_size, const uint64_t *allowed)
{
    llama_token best = argmax(logits, vocab_size, allowed);
    if (best < 0 || sampling->chain == NULL) {
        return best;
    }
    size_t count = 0;
    for (int32_t i = 0; i < vocab_size; i++) {
        if (is_allowed(allowed, i) && !isinf(logits[i])) {
            room->candidates[count++] = (llama_token_data){.id = i, .logit = logits[i], .p = 0};
        }
    }
    llama_token_data_array array = {room->candidates, count, -1, false};
    llama_sampler_apply(sampling->chain, &array);
    if (array.selected < 0 || array.selected >= (int64_t)array.size) {
        return -1;
    }
    llama_token token = array.data[array.selected].id;
    return token >= 0 && token < vocab_size ? token : -1;
}
