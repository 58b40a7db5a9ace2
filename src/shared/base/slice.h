/* slice.h — bytes that somebody else owns. */

#ifndef HEARTH_SLICE_H
#define HEARTH_SLICE_H

#include "lang.h"

#include <string.h>

/** Lends @size bytes at @data; @data may be NULL only if @size is 0. No terminator is promised. */
struct hearth_slice {
    const uint8_t *data;
    size_t size;
};

static inline struct hearth_slice hearth_slice_of(const void *data, size_t size)
{
    return (struct hearth_slice){(const uint8_t *)data, size};
}

static inline struct hearth_slice hearth_slice_of_string(const char *text)
{
    return hearth_slice_of(text, text == NULL ? 0 : strlen(text));
}

static inline bool hearth_slice_equal(struct hearth_slice a, struct hearth_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool hearth_slice_equals_string(struct hearth_slice a, const char *text)
{
    return hearth_slice_equal(a, hearth_slice_of_string(text));
}

/** Copies into @room with a terminator; returns false, and leaves "" there, if it does not fit. */
static inline bool hearth_slice_to_string(struct hearth_slice slice, char *room, size_t room_bytes)
{
    room[0] = '\0';
    if (slice.size >= room_bytes ||
        memchr(slice.data != NULL ? (const void *)slice.data : "", 0, slice.size) != NULL) {
        return false;
    }
    if (slice.size > 0) {
        memcpy(room, slice.data, slice.size);
    }
    room[slice.size] = '\0';
    return true;
}

/* For printf("%.*s", HEARTH_SLICE_ARGS(slice)): only for text that is not content. */
#define HEARTH_SLICE_ARGS(slice) (int)(slice).size, (const char *)(slice).data

#endif
