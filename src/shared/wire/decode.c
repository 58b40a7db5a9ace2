/* decode.c — bytes → structs, one interpreter over the layouts.
 *
 * Two kinds of failure. A *hard* one (the bytes end too early, a count that cannot be) ends the
 * walk: MALFORMED. A *soft* one (a field over its limit, text that is not UTF-8, a number out of
 * range) leaves that field at zero and the walk goes on, because the frame is only sound, and the
 * request in it only answerable, if the rest holds together. The first soft failure is reported. */

#include "wire_priv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    struct hearth_error *err;
    int soft;        /* first soft failure, or 0 */
    bool is_trusted; /* the bytes were walked before: limits and text are known to be good */
};

static size_t left_bytes(const struct reader *in)
{
    return (size_t)(in->end - in->at);
}

static int hard(struct reader *in, const struct hearth_wire_place *place, size_t wanted_bytes)
{
    return hearth_wire_refuse(in->err, HEARTH_E_MALFORMED, place, "%zu bytes wanted, %zu left",
                              wanted_bytes, left_bytes(in));
}

/* Takes a u32 in front of a field. */
static int take_u32(struct reader *in, const struct hearth_wire_place *place, uint32_t *ret_value)
{
    if (left_bytes(in) < HEARTH_WIRE_COUNT_BYTES) {
        return hard(in, place, HEARTH_WIRE_COUNT_BYTES);
    }
    *ret_value = (uint32_t)hearth_wire_load(in->at, HEARTH_WIRE_COUNT_BYTES);
    in->at += HEARTH_WIRE_COUNT_BYTES;
    return 0;
}

/* Notes a soft failure; only the first one fills the error. */
HEARTH_PRINTF(4, 5)
static void soft(struct reader *in, const struct hearth_wire_place *place, int code,
                 const char *format, ...)
{
    if (in->soft != 0) {
        return;
    }
    char what[128];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    in->soft = hearth_wire_refuse(in->err, code, place, "%s", what);
}

/* The numbers from place->field to the next run or list, which becomes place->field. */
static int read_numbers(struct reader *in, struct hearth_wire_place *place,
                        const struct hearth_field *end, void *record)
{
    const uint8_t *at = in->at; /* in a register: this is most of what decoding does */
    for (; place->field < end && hearth_wire_is_number(place->field->kind) && at < in->end;
         place->field++) {
        const struct hearth_field *field = place->field;
        size_t width = field->unit;
        if ((size_t)(in->end - at) < width) {
            in->at = at;
            return hard(in, place, width);
        }
        uint64_t value = hearth_wire_load(at, width);
        at += width;
        if (field->limit != 0 && value > field->limit) {
            soft(in, place, HEARTH_E_INPUT_INVALID, "%" PRIu64 ", the largest value is %" PRIu64,
                 value, field->limit);
        } else if (record != NULL) {
            hearth_wire_store(hearth_wire_member(record, field), value, width);
        }
    }
    in->at = at;
    return 0;
}

static bool is_run_good(struct reader *in, const struct hearth_wire_place *place, uint32_t count)
{
    const struct hearth_field *field = place->field;
    if (in->is_trusted) {
        return true;
    }
    if (field->limit != 0 && count > field->limit) {
        soft(in, place, HEARTH_E_TOO_LARGE, "%u %s, the limit is %" PRIu64, count,
             hearth_wire_is_array(field->kind) ? "elements" : "bytes", field->limit);
        return false;
    }
    if (field->kind == HEARTH_FIELD_str) {
        size_t valid = hearth_utf8_valid_bytes(hearth_slice_of(in->at, count));
        if (valid < count) {
            soft(in, place, HEARTH_E_INPUT_INVALID, "not valid UTF-8 at byte %zu of %u", valid,
                 count);
            return false;
        }
    }
    return true;
}

/* str, bytes and arrays: a count and that many units. */
static int read_run(struct reader *in, const struct hearth_wire_place *place, void *record)
{
    uint32_t count = 0;
    int rc = take_u32(in, place, &count);
    if (rc < 0) {
        return rc;
    }
    size_t bytes = count * place->field->unit;
    if (bytes > left_bytes(in)) {
        return hard(in, place, bytes);
    }
    if (is_run_good(in, place, count) && record != NULL) {
        void *member = hearth_wire_member(record, place->field);
        if (hearth_wire_is_array(place->field->kind)) {
            *(struct hearth_wire_f32s *)member = (struct hearth_wire_f32s){in->at, count};
        } else {
            *(struct hearth_slice *)member = hearth_slice_of(in->at, bytes);
        }
    }
    in->at += bytes;
    return 0;
}

static int read_fields(struct reader *in, const struct hearth_wire_place *outer, uint32_t index,
                       const struct hearth_layout *layout, void *record);

/* One element: its size, its fields, and whatever a newer peer put behind them. */
static int read_record(struct reader *in, const struct hearth_wire_place *list, uint32_t index,
                       const struct hearth_layout *layout, void *record)
{
    uint32_t size = 0;
    int rc = take_u32(in, list, &size);
    if (rc < 0) {
        return rc;
    }
    if (size > left_bytes(in)) {
        return hard(in, list, size);
    }
    const uint8_t *after = in->at + size;
    const uint8_t *end = in->end;
    in->end = after;
    rc = read_fields(in, list, index, layout, record);
    in->end = end;
    in->at = after;
    return rc;
}

static int walk_list(struct reader *in, const struct hearth_wire_place *place, uint32_t count)
{
    const struct hearth_layout *layout = hearth_wire_record_layout(place->field->record);
    for (uint32_t i = 0; i < count; i++) {
        int rc = read_record(in, place, i, layout, NULL);
        if (rc < 0) {
            return rc;
        }
    }
    if (in->at != in->end) {
        return hearth_wire_refuse(in->err, HEARTH_E_MALFORMED, place,
                                  "%zu bytes after the last of %u records", left_bytes(in), count);
    }
    return 0;
}

static int read_list(struct reader *in, const struct hearth_wire_place *place, void *record)
{
    uint32_t count = 0;
    uint32_t bytes = 0;
    int rc = take_u32(in, place, &count);
    rc = rc < 0 ? rc : take_u32(in, place, &bytes);
    if (rc < 0) {
        return rc;
    }
    if (bytes > left_bytes(in)) {
        return hard(in, place, bytes);
    }
    const uint8_t *start = in->at;
    in->at += bytes;
    if (!in->is_trusted && (count | bytes) != 0) {
        if (count > place->field->limit) {
            soft(in, place, HEARTH_E_TOO_LARGE, "%u elements, the limit is %" PRIu64, count,
                 place->field->limit);
        }
        const uint8_t *end = in->end;
        in->at = start;
        in->end = start + bytes;
        rc = walk_list(in, place, count);
        in->at = in->end;
        in->end = end;
    }
    if (rc == 0 && record != NULL && count <= place->field->limit) {
        *(struct hearth_wire_list *)hearth_wire_member(record, place->field) =
            (struct hearth_wire_list){count, NULL, hearth_slice_of(start, bytes)};
    }
    return rc;
}

/* Reads the fields of @layout into @record, or only walks them if it is NULL. The end of the bytes
 * where a field would begin is no failure: an older peer does not know the fields that follow. */
static int read_fields(struct reader *in, const struct hearth_wire_place *outer, uint32_t index,
                       const struct hearth_layout *layout, void *record)
{
    struct hearth_wire_place place = {outer, layout, NULL, index, NULL};
    const struct hearth_field *end = layout->fields + layout->field_count;
    int rc = 0;
    place.field = layout->fields;
    while (place.field < end && in->at < in->end && rc == 0) {
        if (hearth_wire_is_number(place.field->kind)) {
            rc = read_numbers(in, &place, end, record);
            continue;
        }
        bool is_list = place.field->kind == HEARTH_FIELD_list;
        rc = is_list ? read_list(in, &place, record) : read_run(in, &place, record);
        place.field++;
    }
    return rc;
}

int hearth_wire_decode(struct hearth_slice frame, struct hearth_message *ret,
                       struct hearth_error *err)
{
    if (frame.size < HEARTH_WIRE_HEADER_BYTES) {
        return hearth_fail(err, HEARTH_E_MALFORMED, "message of %zu bytes, %u wanted", frame.size,
                           HEARTH_WIRE_HEADER_BYTES);
    }
    uint64_t number = hearth_wire_load(frame.data, 2);
    uint64_t zero = hearth_wire_load(frame.data + 2, 2);
    const struct hearth_layout *layout =
        hearth_wire_message_layout((enum hearth_message_type)number);
    if (layout == NULL || zero != 0) {
        return hearth_fail(err, HEARTH_E_MALFORMED, "no message starts with %u, %u",
                           (unsigned)number, (unsigned)zero);
    }
    memset(&ret->as, 0, layout->struct_bytes); /* the rest belongs to larger messages */
    ret->type = (enum hearth_message_type)number;
    struct reader in = {frame.data + HEARTH_WIRE_HEADER_BYTES, frame.data + frame.size, err, 0,
                        false};
    int rc = read_fields(&in, NULL, 0, layout, &ret->as);
    return rc < 0 ? rc : in.soft;
}

bool hearth_wire_next(struct hearth_wire_list *cursor, enum hearth_record_type type,
                      void *ret_record)
{
    if (cursor->count == 0) {
        return false;
    }
    const struct hearth_layout *layout = hearth_wire_record_layout(type);
    if (cursor->items != NULL) {
        memcpy(ret_record, cursor->items, layout->struct_bytes);
        cursor->items = hearth_wire_item(cursor, layout, 1);
    } else {
        struct reader in = {cursor->bytes.data, cursor->bytes.data + cursor->bytes.size, NULL, 0,
                            true};
        memset(ret_record, 0, layout->struct_bytes);
        int rc = read_record(&in, NULL, 0, layout, ret_record);
        HEARTH_ASSERT(rc == 0); /* decode walked these bytes: the caller named another type */
        cursor->bytes = hearth_slice_of(in.at, left_bytes(&in));
    }
    cursor->count--;
    return true;
}

void hearth_wire_copy_floats(struct hearth_wire_f32s floats, float *room, uint32_t count)
{
    HEARTH_ASSERT(count <= floats.count);
    if (count > 0) {
        memcpy(room, floats.data, count * sizeof *room);
    }
}

void hearth_wire_copy_u32s(struct hearth_wire_u32s numbers, uint32_t *room, uint32_t count)
{
    HEARTH_ASSERT(count <= numbers.count);
    if (count > 0) {
        memcpy(room, numbers.data, count * sizeof *room);
    }
}
