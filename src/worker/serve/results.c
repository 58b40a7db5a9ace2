/* results.c — results of texts between the engine and the message that takes them along. */

#include "reply_priv.h"

#include <string.h>

/* ---- collecting ---------------------------------------------------------------------------- */

static int append(struct hearth_buf *buf, const void *data, size_t count, size_t element_bytes,
                  struct stretch *ret)
{
    *ret = (struct stretch){.at = buf->size, .count = (uint32_t)count};
    return hearth_buf_append(buf, data, count * element_bytes);
}

/* Keeps labels[0 … count] sorted, best first; equal scores in the order of their names' list. */
static void insert_label(struct hearth_wire_label *labels, uint32_t count, struct hearth_slice name,
                         float score)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (labels[middle].score >= score) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    memmove(labels + low + 1, labels + low, (count - low) * sizeof *labels);
    labels[low] = (struct hearth_wire_label){.name = name, .score = score};
}

/* Name @i: that of the plan, or what @choices begin with, which is taken off. */
static struct hearth_slice name_of(const struct hearth_engine_plan *plan, uint32_t i,
                                   struct hearth_wire_list *choices)
{
    struct hearth_wire_choice choice;
    return hearth_wire_next(choices, HEARTH_RECORD_choice, &choice)
               ? choice.text
               : hearth_slice_of_string(plan->labels[i]);
}

/* Scores of the model's labels, or of the texts that the request wants one of: these stay where
 * the request is, which outlives its answer. */
static int collect_labels(struct reply *reply, const float *scores, struct collected *into)
{
    const struct hearth_engine_plan *plan = &reply->worker->plan;
    struct hearth_wire_list choices = reply->choices;
    size_t count = choices.count > 0 ? choices.count : plan->label_count;
    size_t bytes = count * sizeof(struct hearth_wire_label);
    int rc = hearth_buf_reserve(&reply->labels, bytes);
    if (rc != 0) {
        return rc;
    }
    into->labels = (struct stretch){reply->labels.size, (uint32_t)count};
    struct hearth_wire_label *labels = (void *)(reply->labels.data + reply->labels.size);
    for (uint32_t i = 0; i < into->labels.count; i++) {
        insert_label(labels, i, name_of(plan, i, &choices), scores[i]);
    }
    reply->labels.size += bytes;
    return 0;
}

/* A token may stand for no text at all (a piece of a character, a space that was added): what
 * would be an entity of that is none. */
static int collect_entities(struct reply *reply, const struct hearth_item_result *result,
                            struct collected *into)
{
    const size_t bytes = sizeof *result->entities;
    int rc = hearth_buf_reserve(&reply->entities, result->entity_count * bytes);
    into->entities = (struct stretch){.at = reply->entities.size};
    for (uint32_t i = 0; i < result->entity_count && rc == 0; i++) {
        const struct hearth_wire_entity *entity = &result->entities[i];
        if (entity->start_byte < entity->end_byte && entity->start_char < entity->end_char) {
            rc = hearth_buf_append(&reply->entities, entity, bytes);
            into->entities.count++;
        }
    }
    return rc;
}

int results_collect(struct reply *reply, uint32_t index, const struct hearth_item_result *result)
{
    HEARTH_ASSERT(reply->count < HEARTH_MAX_BATCH);
    struct collected *into = &reply->collected[reply->count];
    *into = (struct collected){
        .index = index,
        .tokens = result->prompt_tokens,
        .is_truncated = result->is_truncated,
        .score = result->score,
        .scale = result->scale,
    };
    int rc = 0;
    if (result->vector != NULL) {
        rc = append(&reply->vectors, result->vector, result->dimensions, sizeof *result->vector,
                    &into->vector);
    }
    if (rc == 0 && result->packed != NULL) {
        rc = append(&reply->vectors, result->packed, result->packed_bytes, 1, &into->packed);
    }
    if (rc == 0 && result->entities != NULL) {
        rc = collect_entities(reply, result, into);
    }
    if (rc == 0 && result->scores != NULL) {
        rc = collect_labels(reply, result->scores, into);
    }
    reply->count += rc == 0 ? 1 : 0;
    return rc;
}

void results_clear(struct reply *reply)
{
    reply->count = 0;
    hearth_buf_clear(&reply->vectors);
    hearth_buf_clear(&reply->labels);
    hearth_buf_clear(&reply->entities);
}

/* ---- the wire's view ----------------------------------------------------------------------- */

static const void *start_of(const struct hearth_buf *buf, struct stretch stretch)
{
    return stretch.count > 0 ? buf->data + stretch.at : NULL;
}

static struct hearth_wire_result result_of(const struct reply *reply, const struct collected *from)
{
    return (struct hearth_wire_result){
        .index = from->index,
        .tokens = from->tokens,
        .is_truncated = from->is_truncated,
        .labels = {.count = from->labels.count, .items = start_of(&reply->labels, from->labels)},
        .vector = {.count = from->vector.count, .data = start_of(&reply->vectors, from->vector)},
        .score = from->score,
        .packed = hearth_slice_of(start_of(&reply->vectors, from->packed), from->packed.count),
        .scale = from->scale,
        .entities = {.count = from->entities.count,
                     .items = start_of(&reply->entities, from->entities)},
    };
}

static void sort_by_index(struct reply *reply)
{
    for (uint32_t i = 1; i < reply->count; i++) {
        struct collected moving = reply->collected[i];
        uint32_t at = i;
        for (; at > 0 && reply->collected[at - 1].index > moving.index; at--) {
            reply->collected[at] = reply->collected[at - 1];
        }
        reply->collected[at] = moving;
    }
}

struct hearth_wire_list results_all(struct reply *reply)
{
    sort_by_index(reply);
    for (uint32_t i = 0; i < reply->count; i++) {
        reply->results[i] = result_of(reply, &reply->collected[i]);
    }
    return (struct hearth_wire_list){.count = reply->count, .items = reply->results};
}

bool results_take(struct reply *reply, uint32_t index, struct hearth_wire_list *ret)
{
    uint32_t at = 0;
    while (at < reply->count && reply->collected[at].index != index) {
        at++;
    }
    if (at == reply->count) {
        return false;
    }
    reply->results[0] = result_of(reply, &reply->collected[at]);
    reply->collected[at] = reply->collected[--reply->count];
    *ret = (struct hearth_wire_list){.count = 1, .items = reply->results};
    return true;
}
