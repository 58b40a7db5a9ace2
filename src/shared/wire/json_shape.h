/* json_shape.h — the shapes of V1 as data, beside the layouts. Private to the room.
 *
 * The general rules: a number is a number, a number of which 1 is the largest is a boolean, text
 * and bytes are a string, arrays and lists are an array, a record is an object. A record that has
 * nothing but runs (str, bytes, arrays), at most one of them not empty, is written as that run
 * alone. What is empty is left out of messages to the daemon and of records; what is sent to a
 * client shows all its members but the optional ones. */

#ifndef HEARTH_JSON_SHAPE_H
#define HEARTH_JSON_SHAPE_H

#include "wire_priv.h"

#include "json_shape.def"

enum hearth_json_form {
    HEARTH_JSON_PLAIN,
    HEARTH_JSON_WORDS,
    HEARTH_JSON_VERSION,
    HEARTH_JSON_BITS,
    HEARTH_JSON_SOLE,
    HEARTH_JSON_KEYED,
    HEARTH_JSON_NULLABLE,
    HEARTH_JSON_REQUIRED,
    HEARTH_JSON_OPTIONAL,
    HEARTH_JSON_BASE64,
    HEARTH_JSON_TEXT
};
struct hearth_json_shape {
    unsigned owner;
    size_t offset;      /* of the field in its struct: names it within its owner */
    const char *member; /* NULL: as in the list */
    uint8_t member_bytes;
    const char *group;
    enum hearth_json_form form;
    const char *const *words; /* ended by NULL */
};

enum hearth_json_extra_kind {
    HEARTH_JSON_V1_CODE,
    HEARTH_JSON_HTTP_STATUS,
    HEARTH_JSON_FIRST_TEXT,
    HEARTH_JSON_FIRST_TOKEN,
    HEARTH_JSON_TRUE,
    HEARTH_JSON_FALSE,
    HEARTH_JSON_NULL,
    HEARTH_JSON_BUCKETS
};
struct hearth_json_extra {
    unsigned owner;
    const char *member;
    enum hearth_json_extra_kind kind;
    const char *help;
};

#define HEARTH_JSON_FIELDS_MAX 48u

/** The rows of one message or record. */
struct hearth_json_owner {
    const struct hearth_layout *layout;
    const struct hearth_json_shape *shapes[HEARTH_JSON_FIELDS_MAX]; /* by field, none is NULL */
    const struct hearth_json_extra *extras;
    size_t extra_count;
    const char *group; /* the one that it has, or NULL */
};
void hearth_json_owner_init(struct hearth_json_owner *owner, const struct hearth_layout *layout);

/** What a field is called in V1. */
static inline struct hearth_slice hearth_json_name(const struct hearth_json_shape *shape,
                                                   const struct hearth_field *field)
{
    return shape->member != NULL ? hearth_slice_of(shape->member, shape->member_bytes)
                                 : hearth_slice_of(field->name, field->name_bytes);
}

/** True if V1 has this message: those between clients and the daemon. */
bool hearth_json_is_public(const struct hearth_layout *layout);

/** True if all fields are runs, so that a record may be written as one of them. */
bool hearth_json_is_bare(const struct hearth_layout *layout);

/** True for numbers that are booleans in V1. */
static inline bool hearth_json_is_boolean(const struct hearth_field *field,
                                          const struct hearth_json_shape *shape)
{
    return field->kind == HEARTH_FIELD_u8 && field->limit == 1 && shape->words == NULL;
}

static inline bool hearth_json_is_run(enum hearth_field_kind kind)
{
    return kind == HEARTH_FIELD_str || kind == HEARTH_FIELD_bytes || hearth_wire_is_array(kind);
}

#endif
