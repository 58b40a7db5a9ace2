/* layout.h — the list of messages as data, for the codec, documents, other encodings and tests.
 *
 * Part of the face: included by hearth_wire.h, not alone. All of it is constant.               */

#ifndef HEARTH_LAYOUT_H
#define HEARTH_LAYOUT_H

#include "hearth_wire.h"

enum hearth_field_kind {
    HEARTH_FIELD_u8,
    HEARTH_FIELD_u16,
    HEARTH_FIELD_u32,
    HEARTH_FIELD_u64,
    HEARTH_FIELD_f32,
    HEARTH_FIELD_str,
    HEARTH_FIELD_bytes,
    HEARTH_FIELD_f32s,
    HEARTH_FIELD_u32s,
    HEARTH_FIELD_list
};
struct hearth_field {
    const char *name;
    const char *help;
    enum hearth_field_kind kind;
    uint8_t unit;       /* bytes of a number, or of one element of a run; 0 for a list */
    uint8_t name_bytes; /* without a terminator */
    enum hearth_record_type record; /* lists only */
    uint64_t limit;                 /* 0 = any */
    size_t offset;                  /* in the struct */
};
struct hearth_layout {
    const char *name;
    const char *help;
    const struct hearth_field *fields;
    size_t field_count;
    size_t struct_bytes;
    uint16_t number;                 /* messages only; 0 for a record */
    enum hearth_record_type record;  /* records only */
    enum hearth_direction direction; /* messages only */
};
const struct hearth_layout *hearth_wire_message_layout(enum hearth_message_type type); /* or NULL */
const struct hearth_layout *hearth_wire_record_layout(enum hearth_record_type type);
const struct hearth_layout *hearth_wire_message_at(size_t index); /* in order; NULL at the end */

#endif
