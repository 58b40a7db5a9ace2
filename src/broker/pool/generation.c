/* generation.c — is what a worker says of generated text, of choices and of its prefix cache
 * possible? Pure, as answers.c is. */

#include "pool_priv.h"

#include <math.h>
#include <string.h>

/* Sums of rounded exponentials may be a little more than one. */
#define LARGEST_LOGPROB 1e-3f

bool answer_is_text(const struct hearth_ticket *ticket)
{
    return ticket->task == HEARTH_TASK_GENERATE || ticket->task == HEARTH_TASK_CHAT;
}

/* ---- parts of an answer ------------------------------------------------------------------- */

static const char *check_logprobs(const struct hearth_ticket *ticket,
                                  const struct hearth_wire_result *result)
{
    struct hearth_wire_list cursor = result->logprobs;
    struct hearth_wire_token_score score;
    uint32_t last_place = 0;
    if (cursor.count > (uint64_t)result->tokens * ticket->scores_per_token) {
        return "more log-probabilities than were asked for";
    }
    while (hearth_wire_next(&cursor, HEARTH_RECORD_token_score, &score)) {
        if (!isfinite(score.logprob) || score.logprob > LARGEST_LOGPROB) {
            return "log-probability that is none";
        }
        if (score.place < last_place || score.place >= HEARTH_MAX_GENERATED_TOKENS) {
            return "log-probabilities that are not in the order of the text";
        }
        last_place = score.place;
    }
    return NULL;
}

/* One call after the other. Only a stream has a call in parts, and all that follows its first part
 * are arguments. */
static const char *check_tool_calls(struct hearth_ticket *ticket,
                                    const struct hearth_wire_result *result)
{
    struct hearth_wire_list cursor = result->tool_calls;
    struct hearth_wire_tool_call call;
    uint8_t *begun = &ticket->calls[result->index];
    if (cursor.count > 0 && !ticket->has_tools) {
        return "call of a tool where there are none";
    }
    while (hearth_wire_next(&cursor, HEARTH_RECORD_tool_call, &call)) {
        if (call.index == *begun && *begun < HEARTH_MAX_TOOL_CALLS && call.name.size > 0) {
            (*begun)++;
        } else if (!ticket->is_stream || call.index + 1 != *begun ||
                   call.name.size + call.id.size > 0) {
            return "calls of tools that are out of order";
        }
    }
    return NULL;
}

/* How an answer to a request that did not fail may have ended. */
static bool is_end(const struct hearth_ticket *ticket, unsigned finish)
{
    return finish == HEARTH_FINISH_STOP || finish == HEARTH_FINISH_MAX_TOKENS ||
           finish == HEARTH_FINISH_CONTEXT_FULL ||
           (finish == HEARTH_FINISH_TOOL_CALLS && ticket->has_tools);
}

static const char *check_finish(struct hearth_ticket *ticket,
                                const struct hearth_wire_result *result)
{
    uint64_t bit = UINT64_C(1) << result->index;
    bool is_stopped = result->finish_reason == HEARTH_FINISH_TIMEOUT ||
                      result->finish_reason == HEARTH_FINISH_CANCELLED;
    if ((ticket->ended & bit) != 0) {
        return "piece of an answer that has ended";
    }
    if (result->finish_reason == HEARTH_FINISH_NONE) {
        return NULL;
    }
    if (!is_end(ticket, result->finish_reason) && !is_stopped) {
        return "answer that ended in no lawful way";
    }
    if (!is_stopped) {
        ticket->ended |= bit;
    }
    if (result->index == 0) {
        ticket->first_finish = result->finish_reason;
    }
    return NULL;
}

const char *answer_check_text(struct hearth_ticket *ticket, const struct hearth_wire_result *result)
{
    if (result->token_ids.count != 0 && result->token_ids.count != result->tokens) {
        return "ids that are not those of its generated tokens";
    }
    const char *wrong = check_finish(ticket, result);
    wrong = wrong != NULL ? wrong : check_logprobs(ticket, result);
    return wrong != NULL ? wrong : check_tool_calls(ticket, result);
}

/* ---- choices ------------------------------------------------------------------------------ */

/* The number of the choice with that text, or choice_count. */
static uint32_t find_choice(const struct hearth_ticket *ticket, struct hearth_slice name)
{
    const uint8_t *at = ticket->choices.data;
    uint32_t i = 0;
    for (; i < ticket->choice_count; i++) {
        size_t size = *at++;
        if (size == name.size && memcmp(at, name.data, size) == 0) {
            break;
        }
        at += size;
    }
    return i;
}

const char *answer_check_choice(const struct hearth_ticket *ticket, struct hearth_wire_list labels)
{
    bool seen[HEARTH_MAX_CHOICES] = {false};
    struct hearth_wire_label label;
    float last = 1.0f;
    if (labels.count != ticket->choice_count) {
        return "labels of a result are not as many as the choices";
    }
    while (hearth_wire_next(&labels, HEARTH_RECORD_label, &label)) {
        if (!(label.score >= 0.0f && label.score <= 1.0f)) {
            return "score of a choice is not a probability";
        }
        if (label.score > last) {
            return "choices that are not best first";
        }
        last = label.score;
        uint32_t which = find_choice(ticket, label.name);
        if (which == ticket->choice_count || seen[which]) {
            return "choice that was not given, or twice";
        }
        seen[which] = true;
    }
    return NULL;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static bool is_printable(struct hearth_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static const char *check_cache(const struct hearth_ticket *ticket,
                               const struct hearth_wire_inference_response *response)
{
    bool is_generator = answer_is_text(ticket) || ticket->task == HEARTH_TASK_CHOICE;
    uint64_t told = (uint64_t)response->cached_tokens + response->evicted_tokens + response->cache +
                    response->evicted_of_others + response->left_out_tokens +
                    response->drafted_tokens + response->fingerprint.size;
    if (!is_generator && told > 0) {
        return "prefix cache of a model that has none";
    }
    if (response->cached_tokens > response->prompt_tokens) {
        return "more cached tokens than the prompt has";
    }
    if (response->accepted_tokens > response->drafted_tokens) {
        return "more accepted tokens than were drafted";
    }
    return is_printable(response->fingerprint) ? NULL : "fingerprint that cannot be printed";
}

/* An error is never told as an end, nor an end as an error. */
static const char *check_end(const struct hearth_ticket *ticket,
                             const struct hearth_wire_inference_response *response)
{
    unsigned finish = response->finish_reason;
    if (response->code != 0) {
        return finish == HEARTH_FINISH_NONE || finish == HEARTH_FINISH_TIMEOUT ||
                       finish == HEARTH_FINISH_CANCELLED || finish == HEARTH_FINISH_FAILED
                   ? NULL
                   : "error that is told as an end";
    }
    if (!answer_is_text(ticket)) {
        return finish == HEARTH_FINISH_NONE ? NULL : "end of a text where there is none";
    }
    if (!is_end(ticket, finish)) {
        return "request that ended in no lawful way";
    }
    return (ticket->ended & 1u) == 0 || ticket->first_finish == finish
               ? NULL
               : "end that is not that of the first answer";
}

const char *answer_check_told(const struct hearth_ticket *ticket,
                              const struct hearth_wire_inference_response *response)
{
    const char *wrong = check_end(ticket, response);
    return wrong != NULL ? wrong : check_cache(ticket, response);
}
