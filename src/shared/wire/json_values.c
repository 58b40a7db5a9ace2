/* json_values.c — V1 → numbers, strings and arrays: the values of single fields.
 *
 * What json_decode.c walks to is read here; its kinds of failure are told there. */

#include "json_read.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* ── Failure and room ────────────────────────────────────────────────────────────────────────── */

int json_hard(struct json_reader *in, const struct hearth_wire_place *place, const char *wanted)
{
    return hearth_wire_refuse(in->err, HEARTH_E_MALFORMED, place, "%s is wanted", wanted);
}

void json_soft(struct json_reader *in, const struct hearth_wire_place *place, int code,
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

void *json_take(struct json_reader *in, size_t count, size_t size)
{
    void *memory = json_room_take(in->room, count, size);
    if (memory == NULL) {
        hearth_fail(in->err, HEARTH_E_NO_MEMORY, "message: the room of %zu bytes is full",
                    in->room->cap);
    }
    return memory;
}

/* Walks what is not known, only to see how deep it is. */
int json_skip(struct json_reader *in, yyjson_val *value, unsigned depth)
{
    if (!yyjson_is_ctn(value)) {
        return 0;
    }
    if (depth >= HEARTH_MAX_JSON_DEPTH) {
        return hearth_fail(in->err, HEARTH_E_MALFORMED,
                           "message: objects and arrays inside each other, the limit is %u",
                           HEARTH_MAX_JSON_DEPTH);
    }
    yyjson_val *child = unsafe_yyjson_get_first(value);
    yyjson_val *end = unsafe_yyjson_get_next(value);
    while (child < end) {
        int rc = json_skip(in, child, depth + 1);
        if (rc < 0) {
            return rc;
        }
        child = unsafe_yyjson_get_next(child);
    }
    return 0;
}

/* ── Numbers ─────────────────────────────────────────────────────────────────────────────────── */

static uint64_t largest(const struct hearth_field *field)
{
    static const uint64_t by_width[] = {0, UINT8_MAX, UINT16_MAX, 0,         UINT32_MAX,
                                        0, 0,         0,          UINT64_MAX};
    return field->limit != 0 ? field->limit : by_width[field->unit];
}

static int store_integer(struct json_reader *in, const struct hearth_wire_place *place,
                         yyjson_val *value, void *member)
{
    uint64_t most = largest(place->field);
    if (yyjson_is_uint(value) && yyjson_get_uint(value) <= most) {
        hearth_wire_store(member, yyjson_get_uint(value), place->field->unit);
    } else if (yyjson_is_num(value) || yyjson_is_raw(value)) {
        json_soft(in, place, HEARTH_E_INPUT_INVALID,
                  "a whole number from 0 to %" PRIu64 " is wanted", most);
    } else {
        return json_hard(in, place, "a number");
    }
    return 0;
}

static int store_f32(struct json_reader *in, const struct hearth_wire_place *place,
                     yyjson_val *value, void *member)
{
    float number = NAN;
    if (yyjson_is_num(value)) {
        number = (float)yyjson_get_num(value);
        if (isinf(number)) {
            json_soft(in, place, HEARTH_E_INPUT_INVALID, "the number is too large");
            return 0;
        }
    } else if (yyjson_is_raw(value)) {
        json_soft(in, place, HEARTH_E_INPUT_INVALID, "the number is too large");
        return 0;
    } else if (!yyjson_is_null(value)) {
        return json_hard(in, place, "a number");
    } else if (in->is_from_client) {
        json_soft(in, place, HEARTH_E_INPUT_INVALID, "a number is wanted, not null");
        return 0;
    }
    memcpy(member, &number, sizeof number);
    return 0;
}

/* "wanted is a, b or c" */
static void refuse_word(struct json_reader *in, const struct hearth_wire_place *place,
                        const char *const *words)
{
    char list[112] = "";
    size_t used = 0;
    for (size_t i = 0; words[i] != NULL && used < sizeof list; i++) {
        const char *between = i == 0 ? "" : words[i + 1] != NULL ? ", " : " or ";
        int n = snprintf(list + used, sizeof list - used, "%s%s", between, words[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    json_soft(in, place, HEARTH_E_INPUT_INVALID, "wanted is %s", list);
}

static int store_word(struct json_reader *in, const struct hearth_wire_place *place,
                      const struct hearth_json_shape *shape, yyjson_val *value, void *member)
{
    for (unsigned i = 0; shape->words[i] != NULL; i++) {
        if (yyjson_equals_str(value, shape->words[i])) {
            hearth_wire_store(member, i, place->field->unit);
            return 0;
        }
    }
    refuse_word(in, place, shape->words);
    return 0;
}

/* "V" and a number. */
static int store_version(struct json_reader *in, const struct hearth_wire_place *place,
                         yyjson_val *value, void *member)
{
    const char *text = yyjson_get_str(value);
    size_t size = yyjson_get_len(value);
    uint64_t number = 0;
    bool is_good = size >= 2 && size <= 6 && text[0] == 'V';
    for (size_t i = 1; i < size && is_good; i++) {
        is_good = text[i] >= '0' && text[i] <= '9';
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    if (!is_good || number > largest(place->field)) {
        json_soft(in, place, HEARTH_E_INPUT_INVALID, "V1 or V2 is wanted");
    } else {
        hearth_wire_store(member, number, place->field->unit);
    }
    return 0;
}

int json_read_number(struct json_reader *in, const struct hearth_wire_place *place,
                     const struct hearth_json_shape *shape, yyjson_val *value, void *member)
{
    if (place->field->kind == HEARTH_FIELD_f32) {
        return store_f32(in, place, value, member);
    }
    if (yyjson_is_str(value) && shape->form == HEARTH_JSON_VERSION) {
        return store_version(in, place, value, member);
    }
    if (yyjson_is_str(value) && shape->words != NULL) {
        return store_word(in, place, shape, value, member);
    }
    if (yyjson_is_bool(value) && hearth_json_is_boolean(place->field, shape)) {
        hearth_wire_store(member, yyjson_get_bool(value), 1);
        return 0;
    }
    return store_integer(in, place, value, member);
}

/* ── Runs ────────────────────────────────────────────────────────────────────────────────────── */

int json_read_string(struct json_reader *in, const struct hearth_wire_place *place,
                     yyjson_val *value, struct hearth_slice *member)
{
    if (!yyjson_is_str(value)) {
        return json_hard(in, place, "a string");
    }
    size_t size = yyjson_get_len(value);
    if (size > place->field->limit) {
        json_soft(in, place, HEARTH_E_TOO_LARGE, "%zu bytes, the limit is %" PRIu64, size,
                  place->field->limit);
    } else {
        *member = hearth_slice_of(yyjson_get_str(value), size);
    }
    return 0;
}

static int refuse_id(struct json_reader *in, const struct hearth_wire_place *place,
                     yyjson_val *value)
{
    if (!yyjson_is_num(value) && !yyjson_is_raw(value)) {
        return json_hard(in, place, "an array of numbers");
    }
    json_soft(in, place, HEARTH_E_INPUT_INVALID, "whole numbers from 0 to %u are wanted",
              UINT32_MAX);
    return 0;
}

/* Both readers stop at the first element that is refused. An array of numbers has its values side
 * by side, so stepping from one to the next asks nothing. */
static int read_ids(struct json_reader *in, const struct hearth_wire_place *place,
                    yyjson_val *array, uint8_t *room)
{
    size_t count = yyjson_arr_size(array);
    yyjson_val *value = yyjson_arr_get_first(array);
    for (size_t i = 0; i < count; i++, value++) {
        if (!yyjson_is_uint(value) || yyjson_get_uint(value) > UINT32_MAX) {
            return refuse_id(in, place, value);
        }
        hearth_wire_store(room + 4 * i, yyjson_get_uint(value), 4);
    }
    return 0;
}

static int read_floats(struct json_reader *in, const struct hearth_wire_place *place,
                       yyjson_val *array, uint8_t *room)
{
    size_t i, count;
    yyjson_val *value;
    yyjson_arr_foreach(array, i, count, value)
    {
        int rc = store_f32(in, place, value, room + 4 * i);
        if (rc < 0 || in->soft != 0) {
            return rc;
        }
    }
    return 0;
}

static int read_array(struct json_reader *in, const struct hearth_wire_place *place,
                      yyjson_val *value, struct hearth_wire_f32s *member)
{
    if (!yyjson_is_arr(value)) {
        return json_hard(in, place, "an array of numbers");
    }
    size_t count = yyjson_arr_size(value);
    if (count > place->field->limit) {
        json_soft(in, place, HEARTH_E_TOO_LARGE, "%zu elements, the limit is %" PRIu64, count,
                  place->field->limit);
        return 0;
    }
    uint8_t *elements = json_take(in, count, 4);
    if (elements == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    int rc = place->field->kind == HEARTH_FIELD_f32s ? read_floats(in, place, value, elements)
                                                     : read_ids(in, place, value, elements);
    if (rc == 0 && in->soft == 0) {
        *member = (struct hearth_wire_f32s){elements, (uint32_t)count};
    }
    return rc;
}

int json_read_base64(struct json_reader *in, const struct hearth_wire_place *place,
                     yyjson_val *value, struct hearth_slice *member)
{
    if (!yyjson_is_str(value)) {
        return json_hard(in, place, "a string of base64");
    }
    struct hearth_slice text = hearth_slice_of(yyjson_get_str(value), yyjson_get_len(value));
    size_t size;
    bool is_good = json_base64_measure(text, &size);
    if (size > place->field->limit) {
        json_soft(in, place, HEARTH_E_TOO_LARGE, "%zu bytes, the limit is %" PRIu64, size,
                  place->field->limit);
        return 0;
    }
    uint8_t *bytes =
        json_take(in, text.size / 4 + 1, 3); /* the padding of the last group as well */
    if (bytes == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    if (!is_good || !json_base64_read(text, bytes)) {
        json_soft(in, place, HEARTH_E_INPUT_INVALID, "base64 with padding is wanted (RFC 4648)");
    } else {
        *member = hearth_slice_of(bytes, size);
    }
    return 0;
}

/* Text that is JSON itself, given as the value that it holds instead of in a string. */
int json_read_json(struct json_reader *in, const struct hearth_wire_place *place, yyjson_val *value,
                   struct hearth_slice *member)
{
    int rc = json_skip(in, value, in->depth);
    if (rc < 0) {
        return rc;
    }
    struct yyjson_alc allocator = json_room_allocator(in->room);
    yyjson_write_err problem;
    size_t size;
    const char *text = yyjson_val_write_opts(value, 0, &allocator, &size, &problem);
    if (text == NULL) { /* what was read can be written: only the room may be too small */
        return hearth_fail(in->err, HEARTH_E_NO_MEMORY, "message: the room of %zu bytes is full",
                           in->room->cap);
    }
    if (size > place->field->limit) {
        json_soft(in, place, HEARTH_E_TOO_LARGE, "%zu bytes, the limit is %" PRIu64, size,
                  place->field->limit);
    } else {
        *member = hearth_slice_of(text, size);
    }
    return 0;
}

int json_read_run(struct json_reader *in, const struct hearth_wire_place *place, yyjson_val *value,
                  void *member)
{
    return hearth_wire_is_array(place->field->kind) ? read_array(in, place, value, member)
                                                    : json_read_string(in, place, value, member);
}
