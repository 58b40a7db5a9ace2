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
extern const char *const hearth_wire_vector_words[];
extern const char *const hearth_wire_tensor_words[]; /* also of types that we do not take */
const char *hearth_wire_word(const char *const *words, uint64_t number);

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
 * bits. On the hosts that we accept this is also how it stands in a struct. Each width has a copy
 * of its own, because a memcpy() of a variable size is a call. */
static inline uint64_t hearth_wire_load(const void *at, size_t width)
{
    uint8_t byte;
    uint16_t half;
    uint32_t word;
    uint64_t value;
    switch (width) {
    case 1: memcpy(&byte, at, 1); return byte;
    case 2: memcpy(&half, at, 2); return half;
    case 4: memcpy(&word, at, 4); return word;
    default: memcpy(&value, at, 8); return value;
    }
}

static inline void hearth_wire_store(void *at, uint64_t value, size_t width)
{
    switch (width) {
    case 1: memcpy(at, &value, 1); return;
    case 2: memcpy(at, &value, 2); return;
    case 4: memcpy(at, &value, 4); return;
    default: memcpy(at, &value, 8); return;
    }
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
