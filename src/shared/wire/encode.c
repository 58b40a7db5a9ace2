/* encode.c — structs → bytes: limits and size in one walk, then one write without a question. */

#include "wire_priv.h"

#include <inttypes.h>

/* ── Limits ──────────────────────────────────────────────────────────────────────────────────── */

/* Bytes of a str or bytes, elements of an array, records of a list; 0 for a number. */
static inline size_t count_of(const struct hearth_field *field, const void *member)
{
    if (field->kind == HEARTH_FIELD_list) {
        return ((const struct hearth_wire_list *)member)->count;
    }
    if (hearth_wire_is_array(field->kind)) {
        return ((const struct hearth_wire_f32s *)member)->count;
    }
    return hearth_wire_is_number(field->kind) ? 0 : ((const struct hearth_slice *)member)->size;
}

/* The limit of one field, apart from what is inside the records of a list. */
static inline int judge(const struct hearth_field *field, const void *member)
{
    if (hearth_wire_is_number(field->kind)) {
        bool is_over = field->limit != 0 && hearth_wire_load(member, field->unit) > field->limit;
        return is_over ? HEARTH_E_INPUT_INVALID : 0;
    }
    return count_of(field, member) > field->limit ? HEARTH_E_TOO_LARGE : 0;
}

static int refuse(const struct hearth_wire_place *place, const void *member, int code,
                  struct hearth_error *err)
{
    const struct hearth_field *field = place->field;
    if (code == HEARTH_E_INPUT_INVALID) {
        return hearth_wire_refuse(err, code, place, "%" PRIu64 ", the largest value is %" PRIu64,
                                  hearth_wire_load(member, field->unit), field->limit);
    }
    bool is_text = field->kind == HEARTH_FIELD_str || field->kind == HEARTH_FIELD_bytes;
    return hearth_wire_refuse(err, code, place, "%zu %s, the limit is %" PRIu64,
                              count_of(field, member), is_text ? "bytes" : "elements",
                              field->limit);
}

static int check_fields(const struct hearth_layout *layout, const void *record,
                        const struct hearth_wire_place *outer, uint32_t index,
                        struct hearth_error *err);

static int check_text(const struct hearth_wire_place *place, const struct hearth_slice *text,
                      struct hearth_error *err)
{
    size_t valid = hearth_utf8_valid_bytes(*text);
    return valid == text->size
               ? 0
               : hearth_wire_refuse(err, HEARTH_E_INPUT_INVALID, place,
                                    "not valid UTF-8 at byte %zu of %zu", valid, text->size);
}

static int check_list(const struct hearth_wire_place *place, const struct hearth_wire_list *list,
                      struct hearth_error *err)
{
    const struct hearth_layout *layout = hearth_wire_record_layout(place->field->record);
    uint32_t count = list->items != NULL ? list->count : 0; /* decoded: was checked then */
    int rc = 0;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        rc = check_fields(layout, hearth_wire_item(list, layout, i), place, i, err);
    }
    return rc;
}

static int check_fields(const struct hearth_layout *layout, const void *record,
                        const struct hearth_wire_place *outer, uint32_t index,
                        struct hearth_error *err)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct hearth_field *field = &layout->fields[i];
        const void *member = hearth_wire_peek(record, field);
        struct hearth_wire_place place = {outer, layout, field, index, NULL};
        int rc = judge(field, member);
        if (rc < 0) {
            return refuse(&place, member, rc, err);
        }
        if (field->kind == HEARTH_FIELD_str) {
            rc = check_text(&place, member, err);
        } else if (field->kind == HEARTH_FIELD_list) {
            rc = check_list(&place, member, err);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int hearth_wire_check_fields(const struct hearth_message *message, struct hearth_error *err)
{
    const struct hearth_layout *layout = hearth_wire_message_layout(message->type);
    HEARTH_ASSERT(layout != NULL);
    return check_fields(layout, &message->as, NULL, 0, err);
}

/* ── Size ────────────────────────────────────────────────────────────────────────────────────── */

/* The bytes of all fields; the first failure of a limit goes to *@ret_rc. */
static size_t measure(const struct hearth_layout *layout, const void *record, int *ret_rc);

static size_t measure_list(const struct hearth_field *field, const struct hearth_wire_list *list,
                           int *ret_rc)
{
    if (list->items == NULL) {
        return list->bytes.size;
    }
    const struct hearth_layout *layout = hearth_wire_record_layout(field->record);
    size_t bytes = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        bytes +=
            HEARTH_WIRE_COUNT_BYTES + measure(layout, hearth_wire_item(list, layout, i), ret_rc);
    }
    return bytes;
}

static size_t measure(const struct hearth_layout *layout, const void *record, int *ret_rc)
{
    size_t bytes = 0;
    int rc = *ret_rc;
    const struct hearth_field *end = layout->fields + layout->field_count;
    for (const struct hearth_field *field = layout->fields; field < end; field++) {
        const void *member = hearth_wire_peek(record, field);
        if (field->limit != 0 && rc == 0) {
            rc = judge(field, member);
        }
        if (hearth_wire_is_number(field->kind)) {
            bytes += field->unit;
        } else if (field->kind == HEARTH_FIELD_list) {
            bytes += 2 * HEARTH_WIRE_COUNT_BYTES + measure_list(field, member, &rc);
        } else {
            bytes += HEARTH_WIRE_COUNT_BYTES + count_of(field, member) * field->unit;
        }
    }
    *ret_rc = rc;
    return bytes;
}

size_t hearth_wire_size(const struct hearth_message *message)
{
    const struct hearth_layout *layout = hearth_wire_message_layout(message->type);
    HEARTH_ASSERT(layout != NULL);
    int rc = 0;
    return HEARTH_WIRE_HEADER_BYTES + measure(layout, &message->as, &rc);
}

/* ── Bytes ───────────────────────────────────────────────────────────────────────────────────── */

static uint8_t *put(uint8_t *at, uint64_t value, size_t width)
{
    hearth_wire_store(at, value, width);
    return at + width;
}

static uint8_t *put_run(uint8_t *at, const void *data, size_t count, size_t bytes)
{
    at = put(at, count, HEARTH_WIRE_COUNT_BYTES);
    if (bytes > 0) {
        memcpy(at, data, bytes);
    }
    return at + bytes;
}

static uint8_t *put_fields(uint8_t *at, const struct hearth_layout *layout, const void *record);

/* Sizes come before what they measure, so they are filled in when it is written. */
static uint8_t *put_list(uint8_t *at, const struct hearth_field *field,
                         const struct hearth_wire_list *list)
{
    at = put(at, list->count, HEARTH_WIRE_COUNT_BYTES);
    if (list->items == NULL) {
        return put_run(at, list->bytes.data, list->bytes.size, list->bytes.size);
    }
    const struct hearth_layout *layout = hearth_wire_record_layout(field->record);
    uint8_t *start = at + HEARTH_WIRE_COUNT_BYTES;
    uint8_t *end = start;
    for (uint32_t i = 0; i < list->count; i++) {
        uint8_t *fields = end + HEARTH_WIRE_COUNT_BYTES;
        uint8_t *after = put_fields(fields, layout, hearth_wire_item(list, layout, i));
        put(end, (size_t)(after - fields), HEARTH_WIRE_COUNT_BYTES);
        end = after;
    }
    put(at, (size_t)(end - start), HEARTH_WIRE_COUNT_BYTES);
    return end;
}

static uint8_t *put_fields(uint8_t *at, const struct hearth_layout *layout, const void *record)
{
    const struct hearth_field *end = layout->fields + layout->field_count;
    for (const struct hearth_field *field = layout->fields; field < end; field++) {
        const void *member = hearth_wire_peek(record, field);
        size_t unit = field->unit;
        if (hearth_wire_is_number(field->kind)) {
            at = put(at, hearth_wire_load(member, unit), unit);
        } else if (field->kind == HEARTH_FIELD_list) {
            at = put_list(at, field, member);
        } else if (hearth_wire_is_array(field->kind)) {
            const struct hearth_wire_f32s *array = member;
            at = put_run(at, array->data, array->count, array->count * unit);
        } else {
            const struct hearth_slice *slice = member;
            at = put_run(at, slice->data, slice->size, slice->size);
        }
    }
    return at;
}

int hearth_wire_encode(const struct hearth_message *message, struct hearth_buf *out)
{
    const struct hearth_layout *layout = hearth_wire_message_layout(message->type);
    HEARTH_ASSERT(layout != NULL);
    int rc = 0;
    size_t size = HEARTH_WIRE_HEADER_BYTES + measure(layout, &message->as, &rc);
    if (rc < 0) {
        return rc;
    }
    if (size > HEARTH_MAX_FRAME_BYTES) {
        return HEARTH_E_TOO_LARGE;
    }
    rc = hearth_buf_reserve(out, size);
    if (rc < 0) {
        return rc;
    }
    uint8_t *at = put(out->data + out->size, layout->number, 2);
    at = put(at, 0, 2);
    at = put_fields(at, layout, &message->as);
    HEARTH_ASSERT(at == out->data + out->size + size);
    out->size += size;
    return 0;
}
