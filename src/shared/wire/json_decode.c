/* json_decode.c — V1 → structs, one interpreter over the layouts and their shapes.
 *
 * The library gives a tree in the room; its strings stay where they are, lists and arrays become
 * items behind it. As in decode.c there are two kinds of failure: a *hard* one (a value of the
 * wrong JSON type) ends the walk, a *soft* one (a limit, a range, a member given twice) leaves the
 * field as it is and the walk goes on, so that the request stays answerable. */

#include "json_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* The library takes at most 13 times the text; then come the records. */
#define ROOM_FACTOR 14

struct json_reader {
    struct hearth_json_room *room;
    struct hearth_error *err;
    int soft;            /* first soft failure, or 0 */
    bool is_from_client; /* null is no number in a request */
    unsigned depth;      /* objects and arrays around the current value */
};

/* What one object has given so far. */
struct members {
    const struct hearth_json_owner *owner;
    void *record;
    size_t next;   /* field to try first: members mostly come in the order of the list */
    uint64_t seen; /* bit n: field n; the others below */
};
#define SEEN_SOLE  40u /* + n: a list of one record, given as its field n */
#define SEEN_SOLES (UINT64_C(3) << SEEN_SOLE)
#define SEEN_BIT   48u /* + n: bit n */
#define SEEN_GROUP 63u

static int hard(struct json_reader *in, const struct hearth_wire_place *place, const char *wanted)
{
    return hearth_wire_refuse(in->err, HEARTH_E_MALFORMED, place, "%s is wanted", wanted);
}

HEARTH_PRINTF(4, 5)
static void soft(struct json_reader *in, const struct hearth_wire_place *place, int code,
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

static void *take(struct json_reader *in, size_t count, size_t size)
{
    void *memory = json_room_take(in->room, count, size);
    if (memory == NULL) {
        hearth_fail(in->err, HEARTH_E_NO_MEMORY, "message: the room of %zu bytes is full",
                    in->room->cap);
    }
    return memory;
}

static int read_fields(struct json_reader *in, const struct hearth_wire_place *outer,
                       uint32_t index, yyjson_val *object, struct members *members, bool in_group);
static int read_record(struct json_reader *in, const struct hearth_wire_place *list, uint32_t index,
                       const struct hearth_json_owner *owner, yyjson_val *value, void *record);
static int read_member(struct json_reader *in, const struct hearth_wire_place *place,
                       const struct hearth_json_shape *shape, yyjson_val *value, void *member);

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
        soft(in, place, HEARTH_E_INPUT_INVALID, "a whole number from 0 to %" PRIu64 " is wanted",
             most);
    } else {
        return hard(in, place, "a number");
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
            soft(in, place, HEARTH_E_INPUT_INVALID, "the number is too large");
            return 0;
        }
    } else if (yyjson_is_raw(value)) {
        soft(in, place, HEARTH_E_INPUT_INVALID, "the number is too large");
        return 0;
    } else if (!yyjson_is_null(value)) {
        return hard(in, place, "a number");
    } else if (in->is_from_client) {
        soft(in, place, HEARTH_E_INPUT_INVALID, "a number is wanted, not null");
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
    soft(in, place, HEARTH_E_INPUT_INVALID, "wanted is %s", list);
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
        soft(in, place, HEARTH_E_INPUT_INVALID, "V1 or V2 is wanted");
    } else {
        hearth_wire_store(member, number, place->field->unit);
    }
    return 0;
}

static int read_number(struct json_reader *in, const struct hearth_wire_place *place,
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

static int read_string(struct json_reader *in, const struct hearth_wire_place *place,
                       yyjson_val *value, struct hearth_slice *member)
{
    if (!yyjson_is_str(value)) {
        return hard(in, place, "a string");
    }
    size_t size = yyjson_get_len(value);
    if (size > place->field->limit) {
        soft(in, place, HEARTH_E_TOO_LARGE, "%zu bytes, the limit is %" PRIu64, size,
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
        return hard(in, place, "an array of numbers");
    }
    soft(in, place, HEARTH_E_INPUT_INVALID, "whole numbers from 0 to %u are wanted", UINT32_MAX);
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
        return hard(in, place, "an array of numbers");
    }
    size_t count = yyjson_arr_size(value);
    if (count > place->field->limit) {
        soft(in, place, HEARTH_E_TOO_LARGE, "%zu elements, the limit is %" PRIu64, count,
             place->field->limit);
        return 0;
    }
    uint8_t *elements = take(in, count, 4);
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

static int read_base64(struct json_reader *in, const struct hearth_wire_place *place,
                       yyjson_val *value, struct hearth_slice *member)
{
    if (!yyjson_is_str(value)) {
        return hard(in, place, "a string of base64");
    }
    struct hearth_slice text = hearth_slice_of(yyjson_get_str(value), yyjson_get_len(value));
    size_t size;
    bool is_good = json_base64_measure(text, &size);
    if (size > place->field->limit) {
        soft(in, place, HEARTH_E_TOO_LARGE, "%zu bytes, the limit is %" PRIu64, size,
             place->field->limit);
        return 0;
    }
    uint8_t *bytes = take(in, text.size / 4 + 1, 3); /* the padding of the last group as well */
    if (bytes == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    if (!is_good || !json_base64_read(text, bytes)) {
        soft(in, place, HEARTH_E_INPUT_INVALID, "base64 with padding is wanted (RFC 4648)");
    } else {
        *member = hearth_slice_of(bytes, size);
    }
    return 0;
}

static int skip(struct json_reader *in, yyjson_val *value, unsigned depth);

/* Text that is JSON itself, given as the value that it holds instead of in a string. */
static int read_json(struct json_reader *in, const struct hearth_wire_place *place,
                     yyjson_val *value, struct hearth_slice *member)
{
    int rc = skip(in, value, in->depth);
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
        soft(in, place, HEARTH_E_TOO_LARGE, "%zu bytes, the limit is %" PRIu64, size,
             place->field->limit);
    } else {
        *member = hearth_slice_of(text, size);
    }
    return 0;
}

static int read_run(struct json_reader *in, const struct hearth_wire_place *place,
                    yyjson_val *value, void *member)
{
    return hearth_wire_is_array(place->field->kind) ? read_array(in, place, value, member)
                                                    : read_string(in, place, value, member);
}

/* ── Lists ───────────────────────────────────────────────────────────────────────────────────── */

/* Room for the records of a list, zeroed; NULL with *@ret_rc 0 if there are too many. */
static void *begin_list(struct json_reader *in, const struct hearth_wire_place *place, size_t count,
                        size_t struct_bytes, int *ret_rc)
{
    *ret_rc = 0;
    if (count > place->field->limit) {
        soft(in, place, HEARTH_E_TOO_LARGE, "%zu elements, the limit is %" PRIu64, count,
             place->field->limit);
        return NULL;
    }
    void *items = take(in, count, struct_bytes);
    if (items == NULL) {
        *ret_rc = HEARTH_E_NO_MEMORY;
    } else {
        memset(items, 0, count * struct_bytes);
    }
    return items;
}

/* A record as the rest of a member whose name is its first field. */
static int read_keyed(struct json_reader *in, const struct hearth_wire_place *list, uint32_t index,
                      const struct hearth_json_owner *owner, yyjson_val *key, void *record)
{
    const struct hearth_layout *layout = owner->layout;
    struct hearth_wire_place place = {list, layout, &layout->fields[0], index, NULL};
    int rc = read_string(in, &place, key, hearth_wire_member(record, place.field));
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    if (rc < 0 || layout->field_count > 2) {
        return rc < 0 ? rc : read_record(in, list, index, owner, value, record);
    }
    place.field = &layout->fields[1];
    return read_member(in, &place, owner->shapes[1], value,
                       hearth_wire_member(record, place.field));
}

static int read_items(struct json_reader *in, const struct hearth_wire_place *place,
                      yyjson_val *value, const struct hearth_json_owner *owner, char *items)
{
    yyjson_arr_iter elements;
    yyjson_obj_iter keys;
    bool is_keyed = yyjson_obj_iter_init(value, &keys);
    yyjson_arr_iter_init(value, &elements);
    size_t count = is_keyed ? yyjson_obj_size(value) : yyjson_arr_size(value);
    int rc = 0;
    in->depth++;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        void *record = items + i * owner->layout->struct_bytes;
        rc = is_keyed ? read_keyed(in, place, i, owner, yyjson_obj_iter_next(&keys), record)
                      : read_record(in, place, i, owner, yyjson_arr_iter_next(&elements), record);
    }
    in->depth--;
    return rc;
}

static int read_list(struct json_reader *in, const struct hearth_wire_place *place,
                     const struct hearth_json_shape *shape, yyjson_val *value,
                     struct hearth_wire_list *member)
{
    bool is_keyed = shape->form == HEARTH_JSON_KEYED && yyjson_is_obj(value);
    if (!yyjson_is_arr(value) && !is_keyed) {
        return hard(in, place, shape->form == HEARTH_JSON_KEYED ? "an object" : "an array");
    }
    size_t count = is_keyed ? yyjson_obj_size(value) : yyjson_arr_size(value);
    struct hearth_json_owner owner;
    hearth_json_owner_init(&owner, hearth_wire_record_layout(place->field->record));
    int rc;
    void *items = begin_list(in, place, count, owner.layout->struct_bytes, &rc);
    if (items != NULL) {
        rc = read_items(in, place, value, &owner, items);
        *member = (struct hearth_wire_list){.count = (uint32_t)count, .items = items};
    }
    return rc;
}

/* The list of one record that consists of its field @index. */
static int read_sole(struct json_reader *in, const struct hearth_wire_place *place, size_t index,
                     yyjson_val *value, struct hearth_wire_list *member)
{
    const struct hearth_layout *layout = hearth_wire_record_layout(place->field->record);
    int rc;
    void *record = begin_list(in, place, 1, layout->struct_bytes, &rc);
    if (record == NULL) {
        return rc;
    }
    struct hearth_wire_place inside = *place;
    inside.field = &layout->fields[index];
    *member = (struct hearth_wire_list){.count = 1, .items = record};
    return read_run(in, &inside, value, hearth_wire_member(record, inside.field));
}

/* ── Members ─────────────────────────────────────────────────────────────────────────────────── */

static int read_member(struct json_reader *in, const struct hearth_wire_place *place,
                       const struct hearth_json_shape *shape, yyjson_val *value, void *member)
{
    if (place->field->kind == HEARTH_FIELD_list) {
        return read_list(in, place, shape, value, member);
    }
    if (shape->form == HEARTH_JSON_BASE64) {
        return read_base64(in, place, value, member);
    }
    if (shape->form == HEARTH_JSON_TEXT && yyjson_is_ctn(value)) {
        return read_json(in, place, value, member);
    }
    return hearth_wire_is_number(place->field->kind) ? read_number(in, place, shape, value, member)
                                                     : read_run(in, place, value, member);
}

/* Notes that a member was there; false if it, or another form of it, had been there before. */
static bool note(struct json_reader *in, struct members *members, unsigned bit, uint64_t others,
                 const struct hearth_wire_place *place)
{
    uint64_t mine = UINT64_C(1) << bit;
    if ((members->seen & (mine | others)) != 0) {
        soft(in, place, HEARTH_E_INPUT_INVALID, "is there twice");
        return false;
    }
    members->seen |= mine;
    return true;
}

static int read_bit(struct json_reader *in, const struct hearth_wire_place *place, unsigned bit,
                    yyjson_val *value, struct members *members)
{
    if (!yyjson_is_bool(value)) {
        return hard(in, place, "true or false");
    }
    if (note(in, members, SEEN_BIT + bit, 0, place) && yyjson_get_bool(value)) {
        void *member = hearth_wire_member(members->record, place->field);
        size_t width = place->field->unit;
        hearth_wire_store(member, hearth_wire_load(member, width) | UINT64_C(1) << bit, width);
    }
    return 0;
}

/* A number that adds to the bits that members of their own have set. */
static int read_bits(struct json_reader *in, const struct hearth_wire_place *place,
                     const struct hearth_json_shape *shape, yyjson_val *value, void *member)
{
    size_t width = place->field->unit;
    uint64_t before = hearth_wire_load(member, width);
    int rc = read_member(in, place, shape, value, member);
    hearth_wire_store(member, hearth_wire_load(member, width) | before, width);
    return rc;
}

/* A null is as if the member were not there, except where it stands for a number. */
static bool is_absent(const struct hearth_wire_place *place, yyjson_val *value)
{
    return yyjson_is_null(value) && place->field->kind != HEARTH_FIELD_f32;
}

/* Number @index of the names that a shape gives to its bits, or to fields of its one record. */
static int read_worded(struct json_reader *in, const struct hearth_wire_place *place, size_t field,
                       const struct hearth_json_shape *shape, unsigned index, yyjson_val *value,
                       struct members *members)
{
    if (is_absent(place, value)) {
        return 0;
    }
    if (shape->form == HEARTH_JSON_BITS) {
        return read_bit(in, place, index, value, members);
    }
    if (!note(in, members, SEEN_SOLE + index, SEEN_SOLES | UINT64_C(1) << field, place)) {
        return 0;
    }
    return read_sole(in, place, index, value, hearth_wire_member(members->record, place->field));
}

static int read_named(struct json_reader *in, const struct hearth_wire_place *place, size_t field,
                      const struct hearth_json_shape *shape, yyjson_val *value,
                      struct members *members)
{
    uint64_t others = shape->form == HEARTH_JSON_SOLE ? SEEN_SOLES : 0;
    void *member = hearth_wire_member(members->record, place->field);
    if (is_absent(place, value) || !note(in, members, (unsigned)field, others, place)) {
        return 0;
    }
    return shape->form == HEARTH_JSON_BITS ? read_bits(in, place, shape, value, member)
                                           : read_member(in, place, shape, value, member);
}

/* Which of the shape's words @key is, or -1; only forms whose words are names of members. */
static int word_index(const struct hearth_json_shape *shape, yyjson_val *key)
{
    if (shape->form != HEARTH_JSON_BITS && shape->form != HEARTH_JSON_SOLE) {
        return -1;
    }
    for (int i = 0; shape->words[i] != NULL; i++) {
        if (yyjson_equals_str(key, shape->words[i])) {
            return i;
        }
    }
    return -1;
}

static bool is_named(const struct hearth_json_shape *shape, const struct hearth_field *field,
                     struct hearth_slice key)
{
    return hearth_slice_equal(key, hearth_json_name(shape, field)) ||
           (shape->form == HEARTH_JSON_VERSION && hearth_slice_equals_string(key, field->name));
}

/* Reads the member if it belongs to field number @field; false if it does not. */
static bool try_field(struct json_reader *in, struct hearth_wire_place *place, size_t field,
                      const struct hearth_json_shape *shape, yyjson_val *key,
                      struct members *members, int *ret_rc)
{
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    struct hearth_slice name = hearth_slice_of(yyjson_get_str(key), yyjson_get_len(key));
    int word = word_index(shape, key);
    if (word >= 0) {
        place->member = shape->words[word];
        *ret_rc = read_worded(in, place, field, shape, (unsigned)word, value, members);
        return true;
    }
    if (is_named(shape, place->field, name)) {
        place->member = shape->member;
        *ret_rc = read_named(in, place, field, shape, value, members);
        return true;
    }
    return false;
}

/* Walks what is not known, only to see how deep it is. */
static int skip(struct json_reader *in, yyjson_val *value, unsigned depth)
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
        int rc = skip(in, child, depth + 1);
        if (rc < 0) {
            return rc;
        }
        child = unsafe_yyjson_get_next(child);
    }
    return 0;
}

static int read_one_member(struct json_reader *in, const struct hearth_wire_place *outer,
                           uint32_t index, yyjson_val *key, struct members *members, bool in_group)
{
    const struct hearth_layout *layout = members->owner->layout;
    struct hearth_wire_place place = {outer, layout, NULL, index, NULL};
    for (size_t tried = 0; tried < layout->field_count; tried++) {
        size_t i = (members->next + tried) % layout->field_count;
        const struct hearth_json_shape *shape = members->owner->shapes[i];
        int rc = 0;
        place.field = &layout->fields[i];
        if ((!in_group || shape->group != NULL) &&
            try_field(in, &place, i, shape, key, members, &rc)) {
            members->next = i + (shape->form == HEARTH_JSON_BITS ? 0 : 1);
            return rc;
        }
    }
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    const char *group = members->owner->group;
    if (group == NULL || in_group || !yyjson_equals_str(key, group)) {
        return skip(in, value, in->depth);
    }
    place.member = group;
    if (yyjson_is_null(value) || !note(in, members, SEEN_GROUP, 0, &place)) {
        return 0;
    }
    return read_fields(in, outer, index, value, members, true);
}

static int read_fields(struct json_reader *in, const struct hearth_wire_place *outer,
                       uint32_t index, yyjson_val *object, struct members *members, bool in_group)
{
    const struct hearth_layout *layout = members->owner->layout;
    struct hearth_wire_place place = {outer, layout, layout->fields, index,
                                      in_group ? members->owner->group : ""};
    if (!yyjson_is_obj(object)) {
        return hard(in, &place, "an object");
    }
    size_t count = yyjson_obj_size(object);
    if (count > HEARTH_MAX_JSON_MEMBERS) {
        soft(in, &place, HEARTH_E_TOO_LARGE, "%zu members, the limit is %u", count,
             HEARTH_MAX_JSON_MEMBERS);
        count = HEARTH_MAX_JSON_MEMBERS;
    }
    yyjson_obj_iter each = yyjson_obj_iter_with(object);
    in->depth++;
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = read_one_member(in, outer, index, yyjson_obj_iter_next(&each), members, in_group);
    }
    in->depth--;
    return rc;
}

/* ── Records ─────────────────────────────────────────────────────────────────────────────────── */

/* A record written as its one run: the first field of that JSON type. */
static int read_bare(struct json_reader *in, const struct hearth_wire_place *list, uint32_t index,
                     const struct hearth_layout *layout, yyjson_val *value, void *record)
{
    struct hearth_wire_place place = {list, layout, &layout->fields[0], index, NULL};
    for (size_t i = 0; i < layout->field_count; i++) {
        bool is_array = hearth_wire_is_array(layout->fields[i].kind);
        if (is_array ? yyjson_is_arr(value) : yyjson_is_str(value)) {
            place.field = &layout->fields[i];
            break;
        }
    }
    return read_run(in, &place, value, hearth_wire_member(record, place.field));
}

static void check_required(struct json_reader *in, const struct hearth_wire_place *list,
                           uint32_t index, const struct members *members)
{
    const struct hearth_layout *layout = members->owner->layout;
    for (size_t i = 0; i < layout->field_count; i++) {
        enum hearth_json_form form = members->owner->shapes[i]->form;
        if (form == HEARTH_JSON_REQUIRED && (members->seen >> i & 1) == 0) {
            struct hearth_wire_place place = {list, layout, &layout->fields[i], index, NULL};
            soft(in, &place, HEARTH_E_INPUT_INVALID, "is missing");
        }
    }
}

static int read_record(struct json_reader *in, const struct hearth_wire_place *list, uint32_t index,
                       const struct hearth_json_owner *owner, yyjson_val *value, void *record)
{
    if (!yyjson_is_obj(value) && hearth_json_is_bare(owner->layout)) {
        return read_bare(in, list, index, owner->layout, value, record);
    }
    struct members members = {.owner = owner, .record = record};
    int rc = read_fields(in, list, index, value, &members, false);
    if (rc == 0) {
        check_required(in, list, index, &members);
    }
    return rc;
}

/* ── Messages ────────────────────────────────────────────────────────────────────────────────── */

/* What a member that is not there means, where that is not zero. */
static void set_defaults(struct hearth_message *message)
{
    if (message->type == HEARTH_MSG_inference_request) {
        hearth_wire_default_request(&message->as.inference_request);
    } else if (message->type == HEARTH_MSG_handshake) {
        message->as.handshake.version_max = HEARTH_PROTOCOL_V1;
    }
}

static bool was_seen(const struct members *members, size_t offset)
{
    const struct hearth_layout *layout = members->owner->layout;
    for (size_t i = 0; i < layout->field_count; i++) {
        if (layout->fields[i].offset == offset) {
            return (members->seen >> i & 1) != 0;
        }
    }
    return false;
}

/* What is told by other members if it is not there. The task of texts cannot be told. */
static void derive(struct json_reader *in, const struct members *members,
                   struct hearth_message *message)
{
    if (message->type == HEARTH_MSG_handshake &&
        !was_seen(members, offsetof(struct hearth_wire_handshake, version_min))) {
        message->as.handshake.version_min = message->as.handshake.version_max;
    }
    if (message->type != HEARTH_MSG_inference_request ||
        was_seen(members, offsetof(struct hearth_wire_inference_request, task))) {
        return;
    }
    struct hearth_wire_inference_request *request = &message->as.inference_request;
    if (was_seen(members, offsetof(struct hearth_wire_inference_request, choices))) {
        request->task = HEARTH_TASK_CHOICE;
    } else if (was_seen(members, offsetof(struct hearth_wire_inference_request, messages))) {
        request->task = HEARTH_TASK_CHAT;
    } else if (was_seen(members, offsetof(struct hearth_wire_inference_request, query))) {
        request->task = HEARTH_TASK_RERANK;
    } else if (was_seen(members, offsetof(struct hearth_wire_inference_request, tensors))) {
        request->task = HEARTH_TASK_TENSORS;
    } else if (!was_seen(members, offsetof(struct hearth_wire_inference_request, texts))) {
        request->task = HEARTH_TASK_GENERATE;
    } else if (in->soft == 0) {
        in->soft = hearth_fail(in->err, HEARTH_E_INPUT_INVALID,
                               "inference_request.task: is missing, texts do not tell it");
    }
}

/* The member "type", or NULL; the number of such members goes to *@ret_count. */
static yyjson_val *find_type(yyjson_val *root, unsigned *ret_count)
{
    yyjson_val *type = NULL;
    yyjson_obj_iter each = yyjson_obj_iter_with(root);
    *ret_count = 0;
    for (size_t i = 0; i < HEARTH_MAX_JSON_MEMBERS && yyjson_obj_iter_has_next(&each); i++) {
        yyjson_val *key = yyjson_obj_iter_next(&each);
        if (yyjson_equals_str(key, "type")) {
            type = yyjson_obj_iter_get_val(key);
            (*ret_count)++;
        }
    }
    return type;
}

/* The layout that the member "type" names, or NULL with the reason in @err. */
static const struct hearth_layout *layout_of(yyjson_val *root, struct hearth_error *err)
{
    unsigned count;
    yyjson_val *type = find_type(root, &count);
    if (count > 1) {
        hearth_fail(err, HEARTH_E_MALFORMED, "message: \"type\" is there twice");
        return NULL;
    }
    const struct hearth_layout *layout;
    for (size_t i = 0; (layout = hearth_wire_message_at(i)) != NULL; i++) {
        if (hearth_json_is_public(layout) && yyjson_equals_str(type, layout->name)) {
            return layout;
        }
    }
    hearth_fail(err, HEARTH_E_MALFORMED,
                "message: no object with a known \"type\"; see docs/protocol.md");
    return NULL;
}

static int read_message(struct json_reader *in, yyjson_val *root, struct hearth_message *ret)
{
    const struct hearth_layout *layout = layout_of(root, in->err);
    if (layout == NULL) {
        return HEARTH_E_MALFORMED;
    }
    memset(ret, 0, sizeof *ret);
    ret->type = (enum hearth_message_type)layout->number;
    set_defaults(ret);
    in->is_from_client = layout->direction == HEARTH_TO_DAEMON;
    struct hearth_json_owner owner;
    hearth_json_owner_init(&owner, layout);
    HEARTH_ASSERT(layout->field_count <= SEEN_SOLE);
    struct members members = {.owner = &owner, .record = &ret->as};
    int rc = read_fields(in, NULL, 0, root, &members, false);
    if (rc < 0) {
        return rc;
    }
    derive(in, &members, ret);
    return in->soft;
}

/* One attempt with the room as it is; HEARTH_E_NO_MEMORY if that was too small. */
static int decode_in(struct hearth_slice frame, struct hearth_json_room *room,
                     struct hearth_message *ret, struct hearth_error *err)
{
    struct json_reader in = {.room = room, .err = err};
    struct yyjson_alc allocator = json_room_allocator(room);
    yyjson_read_err problem;
    /* The library promises not to write to the text unless told that it may. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)frame.data, frame.size,
                                       YYJSON_READ_BIGNUM_AS_RAW, &allocator, &problem);
    if (doc == NULL) {
        /* JSON that is sound takes no more than the factor says. */
        bool is_room_short = problem.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION &&
                             room->room < ROOM_FACTOR * frame.size;
        return hearth_fail(err, is_room_short ? HEARTH_E_NO_MEMORY : HEARTH_E_MALFORMED,
                           "message: no JSON: %s at byte %zu", problem.msg, problem.pos);
    }
    return read_message(&in, yyjson_doc_get_root(doc), ret);
}

int hearth_json_decode(struct hearth_slice frame, struct hearth_json_room *room,
                       struct hearth_message *ret, struct hearth_error *err)
{
    if (frame.size == 0) {
        return hearth_fail(err, HEARTH_E_MALFORMED, "message: is empty");
    }
    size_t bytes = HEARTH_MAX(room->room, ROOM_FACTOR * frame.size + 4096);
    for (;;) {
        if (json_room_hold(room, bytes) < 0) {
            return hearth_fail_oom(err);
        }
        int rc = decode_in(frame, room, ret, err);
        if (rc != HEARTH_E_NO_MEMORY || room->room == room->cap) {
            return rc;
        }
        bytes = 2 * room->room;
    }
}
