/* wire_priv.h — what the files of this room share: numbers as bytes, and where a field stands. */

#ifndef HEARTH_WIRE_PRIV_H
#define HEARTH_WIRE_PRIV_H

#include "hearth_wire.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats are copied as they stand");
_Static_assert(sizeof(float) == 4, "f32 is IEEE 754 single");
/* The codec handles both kinds of array through the first. */
_Static_assert(sizeof(struct hearth_wire_u32s) == sizeof(struct hearth_wire_f32s) &&
                   offsetof(struct hearth_wire_u32s, count) ==
                       offsetof(struct hearth_wire_f32s, count),
               "arrays are laid out alike");

#define HEARTH_WIRE_HEADER_BYTES 4u /* u16 number, u16 zero */
#define HEARTH_WIRE_COUNT_BYTES  4u /* in front of a run, and twice of a list */

/** Where in a message we are, for error texts: message.list[3].field. Lives on the stack. */
struct hearth_wire_place {
    const struct hearth_wire_place *outer; /* NULL in the message itself */
    const struct hearth_layout *layout;
    const struct hearth_field *field;
    uint32_t index; /* of the record in its list; unused in the message itself */
    const char
        *member; /* the field's name in this encoding; NULL = as in the list, "" = no field */
};

/** As hearth_fail(), with the place in front; a NULL @place is left out. Returns @code. */
int hearth_wire_refuse(struct hearth_error *err, int code, const struct hearth_wire_place *place,
                       const char *format, ...) HEARTH_PRINTF(4, 5);

/* The words of types.h by number, ended by NULL; and the one of @number, or NULL. */
extern const char *const hearth_wire_task_words[];
extern const char *const hearth_wire_priority_words[];
extern const char *const hearth_wire_role_words[];
extern const char *const hearth_wire_engine_words[];
extern const char *const hearth_wire_finish_words[];
extern const char *const hearth_wire_state_words[];
const char *hearth_wire_word(const char *const *words, uint64_t number);

/** Bytes of one number, or of one element of a run; 0 for a list. */
static inline size_t hearth_wire_unit(enum hearth_field_kind kind)
{
    static const uint8_t units[] = {
        [HEARTH_FIELD_u8] = 1,    [HEARTH_FIELD_u16] = 2,  [HEARTH_FIELD_u32] = 4,
        [HEARTH_FIELD_u64] = 8,   [HEARTH_FIELD_f32] = 4,  [HEARTH_FIELD_str] = 1,
        [HEARTH_FIELD_bytes] = 1, [HEARTH_FIELD_f32s] = 4, [HEARTH_FIELD_u32s] = 4,
        [HEARTH_FIELD_list] = 0,
    };
    return units[kind];
}

static inline bool hearth_wire_is_number(enum hearth_field_kind kind)
{
    return kind <= HEARTH_FIELD_f32;
}

/** f32s and u32s: a count and that many four-byte elements. */
static inline bool hearth_wire_is_array(enum hearth_field_kind kind)
{
    return kind == HEARTH_FIELD_f32s || kind == HEARTH_FIELD_u32s;
}

/* A number of @width bytes (1, 2, 4, 8), anywhere in memory, little-endian. A float goes as its
 * bits. On the hosts that we accept this is also how it stands in a struct. */
static inline uint64_t hearth_wire_load(const void *at, size_t width)
{
    uint64_t value = 0;
    memcpy(&value, at, width);
    return value;
}

static inline void hearth_wire_store(void *at, uint64_t value, size_t width)
{
    memcpy(at, &value, width);
}

/** The member of @record that @field describes. */
static inline void *hearth_wire_member(void *record, const struct hearth_field *field)
{
    return (char *)record + field->offset;
}

static inline const void *hearth_wire_peek(const void *record, const struct hearth_field *field)
{
    return (const char *)record + field->offset;
}

/** The record at @index of a list that still has its items. */
static inline const void *hearth_wire_item(const struct hearth_wire_list *list,
                                           const struct hearth_layout *layout, uint32_t index)
{
    return (const char *)list->items + index * layout->struct_bytes;
}

#endif
