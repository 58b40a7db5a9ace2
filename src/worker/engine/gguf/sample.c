/* sample.c — from logits to one token.
 *
 * Temperature 0 is plain argmax: nothing else of the request plays a part but the repetition
 * penalty (1 turns it off). Otherwise, in this order: repetition penalty   changes logits, so it
 * must see all candidates before any is cut top-k                cheapest cut first: what follows
 * sorts only these top-p, min-p         measure how likely a candidate is to the model itself, at
 * temperature 1 temperature          spreads the choice among candidates that all made sense: a
 * high one makes the text varied and does not let nonsense back in choice by seed The window of the
 * penalty holds generated tokens only. Were the prompt in it, the end token of a chat's earlier
 * turns and the very words that were asked about would be made unlikely.           */

#include "gguf_engine.h"

#include <math.h>

/* The library takes 32 bits and reads one value as "any": both halves count, that one is moved. */
static uint32_t seed_of(uint64_t seed)
{
    uint32_t folded = (uint32_t)(seed ^ seed >> 32);
    return folded == LLAMA_DEFAULT_SEED ? 0x5eedu : folded;
}

void gguf_begin_sampling(struct hearth_engine *engine, struct gguf_sequence *sequence,
                         const struct hearth_wire_inference_request *request)
{
    bool has_penalty = request->repetition_penalty > 0 && request->repetition_window > 0 &&
                       (request->repetition_penalty < 1 || request->repetition_penalty > 1);
    sequence->sampling.temperature = request->temperature;
    sequence->sampling.chain = NULL;
    bool is_greedy = !(request->temperature > 0);
    if (is_greedy && !has_penalty) {
        return;
    }
    struct llama_sampler_chain_params params = llama_sampler_chain_default_params();
    params.no_perf = true;
    struct llama_sampler *chain = llama_sampler_chain_init(params);
    sequence->sampling.chain = chain;
    if (has_penalty) {
        llama_sampler_chain_add(chain, llama_sampler_init_penalties(
                                           engine->vocab_size, (int32_t)request->repetition_window,
                                           request->repetition_penalty, 0, 0));
    }
    if (is_greedy) {
        llama_sampler_chain_add(chain, llama_sampler_init_greedy());
        return;
    }
    if (request->top_k > 0 && request->top_k < (uint32_t)engine->vocab_size) {
        llama_sampler_chain_add(chain, llama_sampler_init_top_k((int32_t)request->top_k));
    }
    if (request->top_p > 0 && request->top_p < 1) {
        llama_sampler_chain_add(chain, llama_sampler_init_top_p(request->top_p, 1));
    }
    if (request->min_p > 0) {
        llama_sampler_chain_add(chain, llama_sampler_init_min_p(request->min_p, 1));
    }
    llama_sampler_chain_add(chain, llama_sampler_init_temp(request->temperature));
    llama_sampler_chain_add(chain, llama_sampler_init_dist(seed_of(request->seed)));
}

/* The first of the largest; -1 if a logit is not a number or all are minus infinity. The library's
 * samplers would end the process on such a row. */
static llama_token argmax(const float *logits, int32_t count)
{
    llama_token best = -1;
    float most = -INFINITY;
    for (int32_t i = 0; i < count; i++) {
        if (isnan(logits[i])) {
            return -1;
        }
        if (logits[i] > most) {
            most = logits[i];
            best = i;
        }
    }
    return isinf(most) ? -1 : best;
}

llama_token gguf_sample(struct hearth_engine *engine, struct gguf_sequence *sequence,
                        const float *logits)
{
    llama_token best = argmax(logits, engine->vocab_size);
    if (best < 0 || sequence->sampling.chain == NULL) {
        return best;
    }
    for (int32_t i = 0; i < engine->vocab_size; i++) {
        engine->candidates[i] = (llama_token_data){.id = i, .logit = logits[i], .p = 0};
    }
    llama_token_data_array array = {engine->candidates, (size_t)engine->vocab_size, -1, false};
    llama_sampler_apply(sequence->sampling.chain, &array);
    if (array.selected < 0 || array.selected >= (int64_t)array.size) {
        return -1;
    }
    llama_token token = array.data[array.selected].id;
    if (token < 0 || token >= engine->vocab_size) {
        return -1;
    }
    llama_sampler_accept(sequence->sampling.chain, token);
    return token;
}
