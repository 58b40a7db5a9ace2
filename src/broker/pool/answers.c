/* answers.c — is what a worker says about a ticket an answer to it? Pure: no state but the
 * ticket's.
 *
 * The codec has checked sizes and UTF-8 already; here it is meaning: right inputs, right kind, as
 * many labels and floats as the model has, each input once.                                      */

#include "pool_priv.h"

#include <string.h>

static const char *check_labels(const struct hearth_model *model, struct hearth_wire_list labels)
{
    const struct hearth_manifest *manifest = model->manifest;
    if (labels.count != manifest->label_count) {
        return "labels of a result are not as many as the model's";
    }
    struct hearth_wire_label label;
    while (hearth_wire_next(&labels, HEARTH_RECORD_label, &label)) {
        if (!(label.score >= 0.0f && label.score <= 1.0f)) {
            return "score of a label is not a probability";
        }
        bool is_known = false;
        for (uint32_t i = 0; i < manifest->label_count && !is_known; i++) {
            is_known = hearth_slice_equals_string(label.name, manifest->labels[i]);
        }
        if (!is_known) {
            return "label that the model does not have";
        }
    }
    return NULL;
}

static bool is_generation(const struct hearth_ticket *ticket)
{
    return ticket->task == HEARTH_TASK_GENERATE || ticket->task == HEARTH_TASK_CHAT;
}

static const char *check_kind(const struct hearth_ticket *ticket, const struct hearth_model *model,
                              uint32_t dimensions, const struct hearth_wire_result *result)
{
    if (result->token_ids.count != 0 &&
        (!is_generation(ticket) || result->token_ids.count != result->tokens)) {
        return "ids that are not those of its generated tokens";
    }
    switch (ticket->task) {
    case HEARTH_TASK_CLASSIFY:
        if (result->vector.count != 0 || result->text.size != 0) {
            return "classification with a vector or text";
        }
        return check_labels(model, result->labels);
    case HEARTH_TASK_EMBED:
        if (result->labels.count != 0 || result->text.size != 0) {
            return "embedding with labels or text";
        }
        return result->vector.count == dimensions ? NULL : "vector of another length";
    case HEARTH_TASK_GENERATE:
    case HEARTH_TASK_CHAT:
        return result->labels.count == 0 && result->vector.count == 0
                   ? NULL
                   : "generation with labels or a vector";
    case HEARTH_TASK_RERANK:
    case HEARTH_TASK_ENTITIES:
    case HEARTH_TASK_TENSORS: return "answer to a task that is not served yet";
    }
    return "unknown task";
}

/* Pieces of one generated text share its index; every other input is answered once. */
static const char *check_results(struct hearth_ticket *ticket, const struct hearth_model *model,
                                 uint32_t dimensions, struct hearth_wire_list results)
{
    struct hearth_wire_result result;
    while (hearth_wire_next(&results, HEARTH_RECORD_result, &result)) {
        if (result.index >= ticket->inputs) {
            return "result for an input that was not given";
        }
        uint64_t bit = UINT64_C(1) << result.index;
        if ((ticket->seen & bit) != 0 && !(is_generation(ticket) && ticket->is_stream)) {
            return "second result for one input";
        }
        ticket->seen |= bit;
        const char *wrong = check_kind(ticket, model, dimensions, &result);
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

const char *answer_check_chunk(struct hearth_ticket *ticket, const struct hearth_model *model,
                               uint32_t dimensions, const struct hearth_wire_stream_chunk *chunk)
{
    if (!ticket->is_stream) {
        return "chunk for a request that is not streamed";
    }
    return check_results(ticket, model, dimensions, chunk->results);
}

const char *answer_check_end(struct hearth_ticket *ticket, const struct hearth_model *model,
                             uint32_t dimensions,
                             const struct hearth_wire_inference_response *response)
{
    if (response->finish_reason > HEARTH_FINISH_FAILED) {
        return "unknown finish reason";
    }
    if (response->code != 0 && !hearth_error_is_known(-(int)response->code)) {
        return "unknown error code";
    }
    if (ticket->is_stream && response->results.count != 0) {
        return "results in the end of a stream";
    }
    const char *wrong = check_results(ticket, model, dimensions, response->results);
    if (wrong != NULL || response->code != 0 || is_generation(ticket)) {
        return wrong;
    }
    uint64_t all = ticket->inputs >= 64 ? UINT64_MAX : (UINT64_C(1) << ticket->inputs) - 1;
    return ticket->seen == all ? NULL : "inputs without a result";
}
