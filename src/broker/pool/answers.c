/* answers.c — is what a worker says about a ticket an answer to it? Pure: no state but the
 * ticket's.
 *
 * The codec has checked sizes and UTF-8 already; here it is meaning: right inputs, right kind, as
 * many labels and floats as the model has, places inside the texts, each input once.            */

#include "pool_priv.h"

#include <math.h>
#include <string.h>

/* ---- one result --------------------------------------------------------------------------- */

/* What a result holds beside index, tokens and is_truncated, one bit each. */
enum part {
    PART_TEXT = 1,
    PART_LABELS = 2,
    PART_VECTOR = 4,
    PART_IDS = 8,
    PART_SCORE = 16,
    PART_PACKED = 32,
    PART_SCALE = 64,
    PART_ENTITIES = 128,
    PART_LOGPROBS = 256,
    PART_TOOL_CALLS = 512,
    PART_FINISH = 1024,
};

static unsigned parts_of(const struct hearth_wire_result *result)
{
    return (result->text.size != 0 ? PART_TEXT : 0u) |
           (result->labels.count != 0 ? PART_LABELS : 0u) |
           (result->vector.count != 0 ? PART_VECTOR : 0u) |
           (result->token_ids.count != 0 ? PART_IDS : 0u) |
           (result->score != 0.0f ? PART_SCORE : 0u) |
           (result->packed.size != 0 ? PART_PACKED : 0u) |
           (result->scale != 0.0f ? PART_SCALE : 0u) |
           (result->entities.count != 0 ? PART_ENTITIES : 0u) |
           (result->logprobs.count != 0 ? PART_LOGPROBS : 0u) |
           (result->tool_calls.count != 0 ? PART_TOOL_CALLS : 0u) |
           (result->finish_reason != HEARTH_FINISH_NONE ? PART_FINISH : 0u);
}

static unsigned parts_of_task(enum hearth_task task)
{
    switch (task) {
    case HEARTH_TASK_CLASSIFY: return PART_LABELS;
    case HEARTH_TASK_EMBED: return PART_VECTOR | PART_PACKED | PART_SCALE;
    case HEARTH_TASK_GENERATE:
    case HEARTH_TASK_CHAT:
        return PART_TEXT | PART_IDS | PART_LOGPROBS | PART_TOOL_CALLS | PART_FINISH;
    case HEARTH_TASK_RERANK: return PART_SCORE;
    case HEARTH_TASK_ENTITIES: return PART_ENTITIES;
    case HEARTH_TASK_TENSORS: return 0;
    case HEARTH_TASK_CHOICE: return PART_LABELS;
    }
    return 0;
}

/* A model of entities calls them B-PER and I-PER; an entity is a PER. */
static const char *stem_of(const char *label)
{
    bool is_marked = (label[0] == 'B' || label[0] == 'I') && label[1] == '-';
    return is_marked ? label + 2 : label;
}

static bool is_known_label(const struct hearth_manifest *manifest, struct hearth_slice name,
                           bool is_entity)
{
    for (uint32_t i = 0; i < manifest->label_count; i++) {
        const char *label = manifest->labels[i];
        if (hearth_slice_equals_string(name, is_entity ? stem_of(label) : label)) {
            return true;
        }
    }
    return false;
}

static const char *check_labels(const struct answer_rules *rules, struct hearth_wire_list labels)
{
    struct hearth_wire_label label;
    if (labels.count != rules->manifest->label_count) {
        return "labels of a result are not as many as the model's";
    }
    while (hearth_wire_next(&labels, HEARTH_RECORD_label, &label)) {
        bool is_probability = label.score >= 0.0f && label.score <= 1.0f;
        if (!is_probability && !(rules->has_raw_scores && isfinite(label.score))) {
            return "score of a label is not a probability";
        }
        if (!is_known_label(rules->manifest, label.name, false)) {
            return "label that the model does not have";
        }
    }
    return NULL;
}

static const char *check_entities(const struct answer_rules *rules, uint32_t text_bytes,
                                  struct hearth_wire_list entities)
{
    struct hearth_wire_entity entity;
    uint32_t last_byte = 0;
    while (hearth_wire_next(&entities, HEARTH_RECORD_entity, &entity)) {
        if (entity.start_byte >= entity.end_byte || entity.end_byte > text_bytes ||
            entity.start_char >= entity.end_char || entity.end_char > entity.end_byte ||
            entity.start_char > entity.start_byte) {
            return "entity outside its text";
        }
        if (entity.start_byte < last_byte) {
            return "entities that are not in the order of the text";
        }
        last_byte = entity.start_byte;
        if (!isfinite(entity.score)) {
            return "score of an entity is no number";
        }
        if (!is_known_label(rules->manifest, entity.label, true)) {
            return "label that the model does not have";
        }
    }
    return NULL;
}

static const char *check_vector(const struct hearth_ticket *ticket,
                                const struct answer_rules *rules,
                                const struct hearth_wire_result *result)
{
    size_t wanted = ticket->dimensions != 0 ? ticket->dimensions : rules->dimensions;
    bool is_float32 = ticket->vector_type == HEARTH_VECTOR_FLOAT32;
    bool is_int8 = ticket->vector_type == HEARTH_VECTOR_INT8;
    if (result->vector.count != (is_float32 ? wanted : 0)) {
        return "vector of another length";
    }
    if (result->packed.size != (is_float32 ? 0 : is_int8 ? wanted : 2 * wanted)) {
        return "packed vector of another length";
    }
    return isfinite(result->scale) && (is_int8 || result->scale == 0.0f)
               ? NULL
               : "scale of a packed vector is no number";
}

static const char *check_kind(struct hearth_ticket *ticket, const struct answer_rules *rules,
                              const struct hearth_wire_result *result)
{
    if ((parts_of(result) & ~parts_of_task(ticket->task)) != 0) {
        return "result of another task";
    }
    switch (ticket->task) {
    case HEARTH_TASK_CLASSIFY: return check_labels(rules, result->labels);
    case HEARTH_TASK_EMBED: return check_vector(ticket, rules, result);
    case HEARTH_TASK_GENERATE:
    case HEARTH_TASK_CHAT: return answer_check_text(ticket, result);
    case HEARTH_TASK_RERANK: return isfinite(result->score) ? NULL : "score that is no number";
    case HEARTH_TASK_ENTITIES:
        return check_entities(rules, ticket->text_bytes[result->index], result->entities);
    case HEARTH_TASK_TENSORS: return "result of a text where tensors are due";
    case HEARTH_TASK_CHOICE: return answer_check_choice(ticket, result->labels);
    }
    return "unknown task";
}

/* ---- all of them -------------------------------------------------------------------------- */

/* Pieces of one generated text share its index; every other input is answered once. */
static const char *check_results(struct hearth_ticket *ticket, const struct answer_rules *rules,
                                 struct hearth_wire_list results)
{
    struct hearth_wire_result result;
    while (hearth_wire_next(&results, HEARTH_RECORD_result, &result)) {
        if (result.index >= ticket->inputs) {
            return "result for an input that was not given";
        }
        uint64_t bit = UINT64_C(1) << result.index;
        if ((ticket->seen & bit) != 0 && !(answer_is_text(ticket) && ticket->is_stream)) {
            return "second result for one input";
        }
        if (ticket->is_in_order && (ticket->seen & (bit - 1)) != bit - 1) {
            return "result before its turn";
        }
        ticket->seen |= bit;
        const char *wrong = check_kind(ticket, rules, &result);
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

static bool is_output(const struct answer_rules *rules, struct hearth_slice name)
{
    struct hearth_wire_list outputs = rules->outputs;
    struct hearth_wire_port output;
    while (hearth_wire_next(&outputs, HEARTH_RECORD_port, &output)) {
        if (hearth_slice_equal(output.name, name)) {
            return true;
        }
    }
    return rules->outputs.count == 0;
}

static const char *check_tensors(const struct hearth_ticket *ticket,
                                 const struct answer_rules *rules,
                                 const struct hearth_wire_inference_response *response)
{
    struct hearth_wire_list cursor = response->tensors;
    struct hearth_wire_tensor tensor;
    bool is_due = ticket->task == HEARTH_TASK_TENSORS && response->code == 0;
    if (!is_due) {
        return cursor.count == 0 ? NULL : "tensors where none are due";
    }
    if (cursor.count == 0) {
        return "tensors are due and none came";
    }
    if (hearth_wire_check_tensors(cursor, NULL) < 0) {
        return "tensors that do not hold together";
    }
    while (hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &tensor)) {
        if (tensor.memfd_bytes != 0 && !ticket->takes_memfds) {
            return "memfd for a client that takes none";
        }
        if (!is_output(rules, tensor.name)) {
            return "output that the model does not have";
        }
    }
    return NULL;
}

const char *answer_check_chunk(struct hearth_ticket *ticket, const struct answer_rules *rules,
                               const struct hearth_wire_stream_chunk *chunk)
{
    if (!ticket->is_stream) {
        return "chunk for a request that is not streamed";
    }
    return check_results(ticket, rules, chunk->results);
}

/* Whether all that was asked for has come. A lone text that is streamed is told by its end alone:
 * of an empty one there is no piece. */
static const char *check_whole(const struct hearth_ticket *ticket)
{
    bool is_text = answer_is_text(ticket);
    uint64_t all = ticket->inputs >= 64 ? UINT64_MAX : (UINT64_C(1) << ticket->inputs) - 1;
    if (is_text && ticket->is_stream && ticket->inputs == 1) {
        return NULL;
    }
    if (ticket->seen != all) {
        return "inputs without a result";
    }
    return !is_text || ticket->ended == all ? NULL : "answers without an end";
}

const char *answer_check_end(struct hearth_ticket *ticket, const struct answer_rules *rules,
                             const struct hearth_wire_inference_response *response)
{
    if (response->code != 0 && !hearth_error_is_known(-(int)response->code)) {
        return "unknown error code";
    }
    if (ticket->is_stream && response->results.count != 0) {
        return "results in the end of a stream";
    }
    const char *wrong = check_tensors(ticket, rules, response);
    wrong = wrong != NULL ? wrong : check_results(ticket, rules, response->results);
    wrong = wrong != NULL ? wrong : answer_check_told(ticket, response);
    if (wrong != NULL || response->code != 0 || ticket->task == HEARTH_TASK_TENSORS) {
        return wrong;
    }
    return check_whole(ticket);
}
