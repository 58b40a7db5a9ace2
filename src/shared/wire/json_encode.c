/* json_encode.c — structs → V1, one interpreter over the layouts and their shapes.
 *
 * The text is written as it goes: no tree is built, so the room is not needed. */

#include "json_priv.h"

#include <stdio.h>

union any_record {
#define ROOM(name, help) struct hearth_wire_##name name;
    HEARTH_RECORDS(ROOM)
#undef ROOM
};

static void put_name(struct json_writer *to, const char *name)
{
    json_put_name(to, hearth_slice_of_string(name));
}

static bool is_empty(const struct hearth_field *field, const void *member)
{
    if (field->kind == HEARTH_FIELD_list) {
        return ((const struct hearth_wire_list *)member)->count == 0;
    }
    if (hearth_wire_is_array(field->kind)) {
        return ((const struct hearth_wire_f32s *)member)->count == 0;
    }
    return !hearth_wire_is_number(field->kind) && ((const struct hearth_slice *)member)->size == 0;
}

/* ── Values ──────────────────────────────────────────────────────────────────────────────────── */

/* The fields from number @first on. */
static void put_record(struct json_writer *to, const struct hearth_json_owner *owner,
                       const void *record, size_t first);

static void put_run(struct json_writer *to, const struct hearth_field *field,
                    enum hearth_json_form form, const void *member)
{
    if (form == HEARTH_JSON_BASE64) {
        json_put_base64(to, *(const struct hearth_slice *)member);
    } else if (field->kind == HEARTH_FIELD_f32s) {
        json_put_f32s(to, *(const struct hearth_wire_f32s *)member);
    } else if (field->kind == HEARTH_FIELD_u32s) {
        json_put_u32s(to, *(const struct hearth_wire_u32s *)member);
    } else {
        const struct hearth_slice *text = member;
        if (field->kind == HEARTH_FIELD_bytes && !hearth_utf8_is_valid(*text)) {
            to->rc = to->rc < 0 ? to->rc : HEARTH_E_INPUT_INVALID;
        }
        json_put_string(to, *text);
    }
}

static void put_number(struct json_writer *to, const struct hearth_field *field,
                       const struct hearth_json_shape *shape, const void *member)
{
    if (field->kind == HEARTH_FIELD_f32) {
        float number;
        memcpy(&number, member, sizeof number);
        json_put_f32(to, number);
        return;
    }
    uint64_t number = hearth_wire_load(member, field->unit);
    const char *word = shape->words != NULL ? hearth_wire_word(shape->words, number) : NULL;
    if (shape->form == HEARTH_JSON_VERSION) {
        char version[16];
        snprintf(version, sizeof version, "V%u", (unsigned)number);
        json_put_word(to, version);
    } else if (word != NULL && shape->form != HEARTH_JSON_BITS) {
        json_put_word(to, word);
    } else if (hearth_json_is_boolean(field, shape)) {
        json_put_literal(to, number != 0 ? "true" : "false");
    } else {
        json_put_u64(to, number);
    }
}

/* A value alone is read as the first field of its kind. */
static bool is_first_of_kind(const struct hearth_layout *layout, const struct hearth_field *field)
{
    for (const struct hearth_field *at = layout->fields; at < field; at++) {
        if (hearth_wire_is_array(at->kind) == hearth_wire_is_array(field->kind)) {
            return false;
        }
    }
    return true;
}

/* The only field of @record that is not empty, its first if all are, or NULL if several are not or
 * the value alone would not tell which field it is. */
static const struct hearth_field *only_field(const struct hearth_layout *layout, const void *record)
{
    const struct hearth_field *only = NULL;
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct hearth_field *field = &layout->fields[i];
        if (!is_empty(field, hearth_wire_peek(record, field))) {
            if (only != NULL) {
                return NULL;
            }
            only = field;
        }
    }
    if (only == NULL) {
        return &layout->fields[0];
    }
    return is_first_of_kind(layout, only) ? only : NULL;
}

static void put_element(struct json_writer *to, const struct hearth_json_owner *owner,
                        const void *record)
{
    const struct hearth_field *only =
        hearth_json_is_bare(owner->layout) ? only_field(owner->layout, record) : NULL;
    if (only != NULL) {
        put_run(to, only, HEARTH_JSON_PLAIN, hearth_wire_peek(record, only));
    } else {
        put_record(to, owner, record, 0);
    }
}

static void put_list(struct json_writer *to, const struct hearth_field *field,
                     const struct hearth_json_shape *shape, struct hearth_wire_list cursor);

static void put_value(struct json_writer *to, const struct hearth_field *field,
                      const struct hearth_json_shape *shape, const void *member)
{
    if (field->kind == HEARTH_FIELD_list) {
        put_list(to, field, shape, *(const struct hearth_wire_list *)member);
    } else if (hearth_wire_is_number(field->kind)) {
        put_number(to, field, shape, member);
    } else if (shape->form == HEARTH_JSON_NULLABLE && is_empty(field, member)) {
        json_put_literal(to, "null");
    } else {
        put_run(to, field, shape->form, member);
    }
}

/* ── Lists ───────────────────────────────────────────────────────────────────────────────────── */

static void put_keyed(struct json_writer *to, const struct hearth_json_owner *owner,
                      const void *record)
{
    const struct hearth_layout *layout = owner->layout;
    const struct hearth_slice *name = hearth_wire_peek(record, &layout->fields[0]);
    json_put_name(to, *name);
    if (layout->field_count == 2) {
        const struct hearth_field *value = &layout->fields[1];
        put_value(to, value, owner->shapes[1], hearth_wire_peek(record, value));
        return;
    }
    put_record(to, owner, record, 1);
}

static void put_list(struct json_writer *to, const struct hearth_field *field,
                     const struct hearth_json_shape *shape, struct hearth_wire_list cursor)
{
    struct hearth_json_owner owner;
    hearth_json_owner_init(&owner, hearth_wire_record_layout(field->record));
    bool is_keyed = shape->form == HEARTH_JSON_KEYED;
    union any_record record;
    json_open(to, is_keyed ? '{' : '[');
    while (to->rc == 0 && hearth_wire_next(&cursor, field->record, &record)) {
        if (is_keyed) {
            put_keyed(to, &owner, &record);
        } else {
            put_element(to, &owner, &record);
        }
    }
    json_close(to, is_keyed ? '}' : ']');
}

/* One record with one field that has a name of its own; false if the list is not like that. */
static bool put_sole(struct json_writer *to, const struct hearth_field *field,
                     const struct hearth_json_shape *shape, struct hearth_wire_list cursor)
{
    const struct hearth_layout *layout = hearth_wire_record_layout(field->record);
    union any_record record;
    if (cursor.count != 1 || !hearth_wire_next(&cursor, field->record, &record)) {
        return false;
    }
    const struct hearth_field *only = only_field(layout, &record);
    const char *word =
        only != NULL ? hearth_wire_word(shape->words, (uint64_t)(only - layout->fields)) : NULL;
    if (word == NULL) {
        return false;
    }
    put_name(to, word);
    put_run(to, only, HEARTH_JSON_PLAIN, hearth_wire_peek(&record, only));
    return true;
}

/* ── Members ─────────────────────────────────────────────────────────────────────────────────── */

static void put_bits(struct json_writer *to, const struct hearth_json_shape *shape, uint64_t number)
{
    const char *word;
    for (unsigned bit = 0; (word = hearth_wire_word(shape->words, bit)) != NULL; bit++) {
        put_name(to, word);
        json_put_literal(to, (number >> bit & 1) != 0 ? "true" : "false");
        number &= ~(UINT64_C(1) << bit);
    }
    if (number != 0) {
        put_name(to, shape->member);
        json_put_u64(to, number);
    }
}

static void put_member(struct json_writer *to, const struct hearth_field *field,
                       const struct hearth_json_shape *shape, const void *member)
{
    if (shape->form == HEARTH_JSON_BITS) {
        put_bits(to, shape, hearth_wire_load(member, field->unit));
        return;
    }
    if (shape->form == HEARTH_JSON_SOLE &&
        put_sole(to, field, shape, *(const struct hearth_wire_list *)member)) {
        return;
    }
    json_put_name(to, hearth_json_name(shape, field));
    put_value(to, field, shape, member);
}

/* Optional members also when all are shown. */
static bool is_left_out(const struct hearth_field *field, const struct hearth_json_shape *shape,
                        const void *member, bool shows_all)
{
    if (hearth_wire_is_number(field->kind)) {
        return shape->form == HEARTH_JSON_OPTIONAL && hearth_wire_load(member, field->unit) == 0;
    }
    bool is_optional = shape->form == HEARTH_JSON_OPTIONAL || shape->form == HEARTH_JSON_TEXT;
    return (!shows_all || is_optional) && is_empty(field, member);
}

/* The fields that stand in the owner's one group, or the others. */
static void put_fields(struct json_writer *to, const struct hearth_json_owner *owner,
                       const void *record, size_t first, bool in_group, bool shows_all)
{
    const struct hearth_layout *layout = owner->layout;
    for (size_t i = first; i < layout->field_count; i++) {
        const struct hearth_field *field = &layout->fields[i];
        const void *member = hearth_wire_peek(record, field);
        const struct hearth_json_shape *shape = owner->shapes[i];
        if ((shape->group != NULL) == in_group && !is_left_out(field, shape, member, shows_all)) {
            put_member(to, field, shape, member);
        }
    }
}

static void put_group(struct json_writer *to, const struct hearth_json_owner *owner,
                      const void *record, bool shows_all)
{
    if (owner->group != NULL) {
        put_name(to, owner->group);
        json_open(to, '{');
        put_fields(to, owner, record, 0, true, shows_all);
        json_close(to, '}');
    }
}

/* ── Members for the reader's ease ───────────────────────────────────────────────────────────── */

/* The field of that name; the table of extras names only owners that have it. */
static const struct hearth_field *field_called(const struct hearth_layout *layout, const char *name)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        if (strcmp(layout->fields[i].name, name) == 0) {
            return &layout->fields[i];
        }
    }
    HEARTH_UNREACHABLE();
}

static int code_in(const struct hearth_layout *layout, const void *record)
{
    bool is_model = layout->number == 0 && layout->record == HEARTH_RECORD_model_info;
    const struct hearth_field *field = field_called(layout, is_model ? "error_code" : "code");
    return -(int)hearth_wire_load(hearth_wire_peek(record, field), field->unit);
}

static void put_first_result(struct json_writer *to, const struct hearth_layout *layout,
                             const void *record, bool wants_text)
{
    const struct hearth_field *field = field_called(layout, "results");
    struct hearth_wire_list cursor =
        *(const struct hearth_wire_list *)hearth_wire_peek(record, field);
    struct hearth_wire_result result = {0};
    hearth_wire_next(&cursor, HEARTH_RECORD_result, &result);
    if (wants_text) {
        json_put_string(to, result.text);
    } else {
        json_put_u64(to,
                     result.token_ids.count > 0 ? hearth_wire_load(result.token_ids.data, 4) : 0);
    }
}

/* As the predecessor had them: bounds, and the values under each and above the last. */
static void put_columns(struct json_writer *to, const struct hearth_wire_histogram *histogram,
                        bool wants_bounds)
{
    struct hearth_wire_list cursor = histogram->buckets;
    struct hearth_wire_bucket bucket = {0};
    json_open(to, '[');
    while (hearth_wire_next(&cursor, HEARTH_RECORD_bucket, &bucket)) {
        if (!wants_bounds || bucket.up_to != UINT64_MAX) {
            json_put_u64(to, wants_bounds ? bucket.up_to : bucket.count);
        }
    }
    if (!wants_bounds && bucket.up_to != UINT64_MAX) {
        json_put_u64(to, 0);
    }
    json_close(to, ']');
}

static void put_buckets(struct json_writer *to, const struct hearth_wire_metrics_response *metrics)
{
    struct hearth_wire_list cursor = metrics->histograms;
    struct hearth_wire_histogram histogram;
    json_open(to, '{');
    while (to->rc == 0 && hearth_wire_next(&cursor, HEARTH_RECORD_histogram, &histogram)) {
        json_put_name(to, histogram.name);
        json_open(to, '{');
        put_name(to, "boundaries");
        put_columns(to, &histogram, true);
        put_name(to, "bucket_counts");
        put_columns(to, &histogram, false);
        put_name(to, "count");
        json_put_u64(to, histogram.count);
        put_name(to, "sum");
        json_put_u64(to, histogram.sum);
        json_close(to, '}');
    }
    json_close(to, '}');
}

static void put_extra(struct json_writer *to, const struct hearth_layout *layout,
                      const void *record, const struct hearth_json_extra *extra)
{
    put_name(to, extra->member);
    switch (extra->kind) {
    case HEARTH_JSON_V1_CODE: {
        int code = code_in(layout, record);
        if (code == 0) {
            json_put_literal(to, "null");
        } else {
            json_put_word(to, hearth_error_v1(code));
        }
        return;
    }
    case HEARTH_JSON_HTTP_STATUS:
        json_put_u64(to, (uint64_t)hearth_error_http(code_in(layout, record)));
        return;
    case HEARTH_JSON_FIRST_TEXT: put_first_result(to, layout, record, true); return;
    case HEARTH_JSON_FIRST_TOKEN: put_first_result(to, layout, record, false); return;
    case HEARTH_JSON_TRUE: json_put_literal(to, "true"); return;
    case HEARTH_JSON_FALSE: json_put_literal(to, "false"); return;
    case HEARTH_JSON_NULL: json_put_literal(to, "null"); return;
    case HEARTH_JSON_BUCKETS: put_buckets(to, record); return;
    }
    HEARTH_UNREACHABLE();
}

static void put_extras(struct json_writer *to, const struct hearth_json_owner *owner,
                       const void *record)
{
    for (size_t i = 0; i < owner->extra_count; i++) {
        put_extra(to, owner->layout, record, &owner->extras[i]);
    }
}

/* ── Records and messages ────────────────────────────────────────────────────────────────────── */

static void put_record(struct json_writer *to, const struct hearth_json_owner *owner,
                       const void *record, size_t first)
{
    json_open(to, '{');
    put_fields(to, owner, record, first, false, false);
    put_extras(to, owner, record);
    json_close(to, '}');
}

static void put_message(struct json_writer *to, const struct hearth_layout *layout,
                        const void *message)
{
    struct hearth_json_owner owner;
    hearth_json_owner_init(&owner, layout);
    bool shows_all = layout->direction == HEARTH_TO_CLIENT;
    json_open(to, '{');
    put_name(to, "type");
    json_put_word(to, layout->name);
    put_fields(to, &owner, message, 0, false, shows_all);
    put_extras(to, &owner, message);
    put_group(to, &owner, message, shows_all);
    json_close(to, '}');
}

int hearth_json_encode(const struct hearth_message *message, struct hearth_json_room *room,
                       struct hearth_buf *out)
{
    (void)room;
    const struct hearth_layout *layout = hearth_wire_message_layout(message->type);
    HEARTH_ASSERT(layout != NULL);
    if (!hearth_json_is_public(layout)) {
        return HEARTH_E_UNSUPPORTED;
    }
    int rc = hearth_wire_check_fields(message, NULL);
    if (rc < 0) {
        return rc;
    }
    size_t before = out->size;
    struct json_writer to = {out, 0, true};
    put_message(&to, layout, &message->as);
    if (to.rc == 0 && out->size - before > HEARTH_MAX_FRAME_BYTES) {
        to.rc = HEARTH_E_TOO_LARGE;
    }
    if (to.rc < 0) {
        out->size = before;
    }
    return to.rc;
}
