/* result.c — what came off the wire, unpacked into memory of its own. */

#include "client_priv.h"

#include <math.h>
#include <string.h>

/* One block, and the arena empty: many requests may be open whose answers have not come. */
struct hearth_result *client_result_create(size_t count, bool is_text)
{
    size_t items_bytes = count * sizeof(hearth_item);
    size_t growths_bytes = is_text ? count * sizeof(struct client_growth) : 0;
    struct hearth_result *result =
        hearth_alloc(1, sizeof *result + items_bytes + growths_bytes + count);
    if (result == NULL) {
        return NULL;
    }
    char *behind = (char *)(result + 1);
    hearth_arena_init(&result->arena, CLIENT_RESULT_BYTES);
    result->items = (hearth_item *)(void *)behind;
    result->growths = is_text ? (struct client_growth *)(void *)(behind + items_bytes) : NULL;
    result->is_answered = (bool *)(void *)(behind + items_bytes + growths_bytes);
    result->count = count;
    for (size_t i = 0; is_text && i < count; i++) {
        client_growth_init(&result->growths[i]);
    }
    return result;
}

void hearth_result_free(hearth_result *result)
{
    if (result == NULL) {
        return;
    }
    client_result_unmap(result);
    hearth_arena_reset(&result->arena); /* wipes: answers are content */
    hearth_arena_finish(&result->arena);
    for (size_t i = 0; result->growths != NULL && i < result->count; i++) {
        client_growth_finish(&result->growths[i]);
    }
    hearth_free(result);
}

/* ── Unpacking ───────────────────────────────────────────────────────────────────────────────── */

static int unpack_labels(struct hearth_arena *arena, const struct hearth_wire_list *list,
                         hearth_item *item)
{
    if (list->count == 0) {
        return 0;
    }
    hearth_label *labels = hearth_arena_alloc(arena, list->count, sizeof *labels);
    if (labels == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    struct hearth_wire_list cursor = *list;
    struct hearth_wire_label label;
    for (size_t i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_label, &label); i++) {
        labels[i].name = hearth_arena_copy(arena, label.name);
        labels[i].probability = label.score;
        if (labels[i].name == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
    }
    item->labels = labels;
    item->label_count = list->count;
    return 0;
}

static int unpack_vector(struct hearth_arena *arena, struct hearth_wire_f32s floats,
                         hearth_item *item)
{
    if (floats.count == 0) {
        return 0;
    }
    float *vector = hearth_arena_alloc(arena, floats.count, sizeof *vector);
    if (vector == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    hearth_wire_copy_floats(floats, vector, floats.count);
    item->vector = vector;
    item->dimensions = floats.count;
    return 0;
}

/* Two bytes or one a number, as it was asked for. */
static int unpack_packed(struct hearth_result *result, const struct hearth_wire_result *record,
                         hearth_item *item)
{
    size_t width = result->vector_type == HEARTH_VECTOR_FLOAT16 ? 2 : 1;
    if (record->packed.size == 0) {
        return 0;
    }
    if (result->vector_type == HEARTH_VECTOR_FLOAT32 || record->packed.size % width != 0) {
        return HEARTH_E_MALFORMED;
    }
    void *packed = hearth_arena_alloc(&result->arena, record->packed.size, 1);
    if (packed == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    memcpy(packed, record->packed.data, record->packed.size);
    item->packed = packed;
    item->packed_bytes = record->packed.size;
    item->dimensions = record->packed.size / width;
    return 0;
}

static int unpack_entities(struct hearth_arena *arena, struct hearth_wire_list cursor,
                           hearth_item *item)
{
    if (cursor.count == 0) {
        return 0;
    }
    hearth_entity *entities = hearth_arena_alloc(arena, cursor.count, sizeof *entities);
    if (entities == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    struct hearth_wire_entity record;
    for (size_t i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_entity, &record); i++) {
        entities[i] = (hearth_entity){.label = hearth_arena_copy(arena, record.label),
                                      .score = record.score,
                                      .start_byte = record.start_byte,
                                      .end_byte = record.end_byte,
                                      .start_char = record.start_char,
                                      .end_char = record.end_char};
        if (entities[i].label == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
        item->entity_count = i + 1;
    }
    item->entities = entities;
    return 0;
}

static int unpack(struct hearth_result *result, const struct hearth_wire_result *record,
                  hearth_item *item)
{
    *item = (hearth_item){.index = record->index,
                          .tokens = record->tokens,
                          .is_truncated = record->is_truncated,
                          .score = record->score,
                          .scale = record->scale,
                          .finish_reason = (enum hearth_finish_reason)record->finish_reason};
    int rc = unpack_labels(&result->arena, &record->labels, item);
    rc = rc < 0 ? rc : unpack_vector(&result->arena, record->vector, item);
    rc = rc < 0 ? rc : unpack_packed(result, record, item);
    rc = rc < 0 ? rc : unpack_entities(&result->arena, record->entities, item);
    return rc;
}

int client_result_add(struct hearth_result *result, const struct hearth_wire_result *record,
                      bool is_piece, hearth_item *ret_item)
{
    if (record->index >= result->count || (result->is_answered[record->index] && !is_piece)) {
        return HEARTH_E_MALFORMED;
    }
    hearth_item *item = &result->items[record->index];
    uint32_t tokens_before = item->tokens;
    int rc = unpack(result, record, item);
    if (rc == 0 && result->growths != NULL) {
        rc = client_growth_add(&result->growths[record->index], &result->arena, record, item);
    } else if (rc == 0) {
        item->text = hearth_arena_copy(&result->arena, record->text);
        item->text_bytes = record->text.size;
        rc = item->text == NULL ? HEARTH_E_NO_MEMORY : 0;
    }
    if (rc < 0) {
        return rc;
    }
    *ret_item = *item;
    item->tokens += is_piece ? tokens_before : 0;
    result->is_answered[record->index] = true;
    return 0;
}

/* The one answer of a daemon that does not tell each its own end has that of the request. */
static int end_item(struct hearth_result *result, size_t index)
{
    hearth_item *item = &result->items[index];
    if (!result->is_answered[index]) {
        return HEARTH_E_MALFORMED;
    }
    if (result->growths == NULL) {
        return 0;
    }
    if (result->count == 1 && item->finish_reason == HEARTH_FINISH_NONE) {
        item->finish_reason = result->usage.finish_reason;
    }
    return client_growth_end(&result->growths[index], &result->arena, item);
}

int client_result_end(struct hearth_result *result,
                      const struct hearth_wire_inference_response *response)
{
    const char *fingerprint = hearth_arena_copy(&result->arena, response->fingerprint);
    if (fingerprint == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    result->usage = (hearth_usage){
        .finish_reason = (enum hearth_finish_reason)response->finish_reason,
        .prompt_tokens = response->prompt_tokens,
        .tokens_generated = response->tokens_generated,
        .queue_us = response->queue_us,
        .first_us = response->first_us,
        .total_us = response->total_us,
        .cached_tokens = response->cached_tokens,
        .evicted_tokens = response->evicted_tokens,
        .cache = (enum hearth_cache_state)response->cache,
        .drafted_tokens = response->drafted_tokens,
        .accepted_tokens = response->accepted_tokens,
        .fingerprint = fingerprint,
        .left_out_tokens = response->left_out_tokens,
    };
    int rc = 0;
    for (size_t i = 0; i < result->count && rc == 0; i++) {
        rc = end_item(result, i);
    }
    return rc;
}

/* ── Reading ─────────────────────────────────────────────────────────────────────────────────── */

size_t hearth_result_count(const hearth_result *result)
{
    return result->count;
}

const hearth_item *hearth_result_item(const hearth_result *result, size_t index)
{
    return index < result->count ? &result->items[index] : NULL;
}

/* What is no number is worse than any. */
static float score_of(const hearth_item *item)
{
    return isnan(item->score) ? -INFINITY : item->score;
}

/* Items are few: each counts those that come before it. */
const hearth_item *hearth_result_ranked(const hearth_result *result, size_t rank)
{
    for (size_t i = 0; i < result->count; i++) {
        size_t better = 0;
        for (size_t j = 0; j < result->count; j++) {
            float mine = score_of(&result->items[i]);
            float other = score_of(&result->items[j]);
            better += other > mine || (j < i && !(mine > other));
        }
        if (better == rank) {
            return &result->items[i];
        }
    }
    return NULL;
}

const hearth_usage *hearth_result_usage(const hearth_result *result)
{
    return &result->usage;
}
