/* encode.c — structs → bytes: limits first, then the size, then one write without a question. */

#include "wire_priv.h"

#include <inttypes.h>

/* ── Limits ──────────────────────────────────────────────────────────────────────────────────── */

static int check_fields(const struct hearth_layout *layout, const void *record,
                        const struct hearth_wire_place *outer, uint32_t index, bool with_text,
                        struct hearth_error *err);

static int over_limit(const struct hearth_wire_place *place, uint64_t found, const char *unit,
                      struct hearth_error *err)
{
    return hearth_wire_refuse(err, HEARTH_E_TOO_LARGE, place,
                              "%" PRIu64 " %s, the limit is %" PRIu64, found, unit,
                              place->field->limit);
}

static int check_number(const struct hearth_wire_place *place, const void *member,
                        struct hearth_error *err)
{
    uint64_t limit = place->field->limit;
    uint64_t value = hearth_wire_load(member, hearth_wire_unit(place->field->kind));
    if (limit != 0 && value > limit) {
        return hearth_wire_refuse(err, HEARTH_E_INPUT_INVALID, place,
                                  "%" PRIu64 ", the largest value is %" PRIu64, value, limit);
    }
    return 0;
}

static int check_slice(const struct hearth_wire_place *place, const struct hearth_slice *slice,
                       bool with_text, struct hearth_error *err)
{
    if (slice->size > place->field->limit) {
        return over_limit(place, slice->size, "bytes", err);
    }
    if (with_text && place->field->kind == HEARTH_FIELD_str) {
        size_t valid = hearth_utf8_valid_bytes(*slice);
        if (valid < slice->size) {
            return hearth_wire_refuse(err, HEARTH_E_INPUT_INVALID, place,
                                      "not valid UTF-8 at byte %zu of %zu", valid, slice->size);
        }
    }
    return 0;
}

static int check_list(const struct hearth_wire_place *place, const struct hearth_wire_list *list,
                      bool with_text, struct hearth_error *err)
{
    if (list->count > place->field->limit) {
        return over_limit(place, list->count, "elements", err);
    }
    if (list->items == NULL) {
        return 0; /* decoded: was checked then */
    }
    const struct hearth_layout *layout = hearth_wire_record_layout(place->field->record);
    for (uint32_t i = 0; i < list->count; i++) {
        int rc = check_fields(layout, hearth_wire_item(list, layout, i), place, i, with_text, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int check_field(const struct hearth_wire_place *place, const void *member, bool with_text,
                       struct hearth_error *err)
{
    switch (place->field->kind) {
    case HEARTH_FIELD_u8:
    case HEARTH_FIELD_u16:
    case HEARTH_FIELD_u32:
    case HEARTH_FIELD_u64:
    case HEARTH_FIELD_f32: return check_number(place, member, err);
    case HEARTH_FIELD_str:
    case HEARTH_FIELD_bytes: return check_slice(place, member, with_text, err);
    case HEARTH_FIELD_f32s:
    case HEARTH_FIELD_u32s: {
        const struct hearth_wire_f32s *array = member;
        return array->count > place->field->limit ? over_limit(place, array->count, "elements", err)
                                                  : 0;
    }
    case HEARTH_FIELD_list: return check_list(place, member, with_text, err);
    }
    HEARTH_UNREACHABLE();
}

static int check_fields(const struct hearth_layout *layout, const void *record,
                        const struct hearth_wire_place *outer, uint32_t index, bool with_text,
                        struct hearth_error *err)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct hearth_field *field = &layout->fields[i];
        struct hearth_wire_place place = {outer, layout, field, index, NULL};
        int rc = check_field(&place, hearth_wire_peek(record, field), with_text, err);
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
    return check_fields(layout, &message->as, NULL, 0, true, err);
}

/* ── Size ────────────────────────────────────────────────────────────────────────────────────── */

static size_t size_of_fields(const struct hearth_layout *layout, const void *record);

static size_t size_of_list(const struct hearth_field *field, const struct hearth_wire_list *list)
{
    if (list->items == NULL) {
        return list->bytes.size;
    }
    const struct hearth_layout *layout = hearth_wire_record_layout(field->record);
    size_t bytes = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        bytes +=
            HEARTH_WIRE_COUNT_BYTES + size_of_fields(layout, hearth_wire_item(list, layout, i));
    }
    return bytes;
}

static size_t size_of_fields(const struct hearth_layout *layout, const void *record)
{
    size_t bytes = 0;
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct hearth_field *field = &layout->fields[i];
        const void *member = hearth_wire_peek(record, field);
        if (hearth_wire_is_number(field->kind)) {
            bytes += hearth_wire_unit(field->kind);
        } else if (field->kind == HEARTH_FIELD_list) {
            bytes += 2 * HEARTH_WIRE_COUNT_BYTES + size_of_list(field, member);
        } else if (hearth_wire_is_array(field->kind)) {
            const struct hearth_wire_f32s *array = member;
            bytes += HEARTH_WIRE_COUNT_BYTES + array->count * hearth_wire_unit(field->kind);
        } else {
            const struct hearth_slice *slice = member;
            bytes += HEARTH_WIRE_COUNT_BYTES + slice->size;
        }
    }
    return bytes;
}

size_t hearth_wire_size(const struct hearth_message *message)
{
    const struct hearth_layout *layout = hearth_wire_message_layout(message->type);
    HEARTH_ASSERT(layout != NULL);
    return HEARTH_WIRE_HEADER_BYTES + size_of_fields(layout, &message->as);
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
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct hearth_field *field = &layout->fields[i];
        const void *member = hearth_wire_peek(record, field);
        size_t unit = hearth_wire_unit(field->kind);
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
    int rc = check_fields(layout, &message->as, NULL, 0, false, NULL);
    if (rc < 0) {
        return rc;
    }
    size_t size = hearth_wire_size(message);
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
