/* utf8.h — strict UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF). */

#ifndef HEARTH_UTF8_H
#define HEARTH_UTF8_H

#include "slice.h"

/** True if all of @text is valid; NUL is a valid character here. */
bool hearth_utf8_is_valid(struct hearth_slice text);

/** Returns the offset of the first byte that is not valid, or text.size. */
size_t hearth_utf8_valid_bytes(struct hearth_slice text);

/**
 * Returns how many bytes at the start of @text form whole characters when more may follow: an
 * incomplete character at the end is left for later. Bytes that can never become valid count as
 * whole, so a stream does not stall on them; see hearth_utf8_is_valid() before passing them on.
 */
size_t hearth_utf8_complete_bytes(struct hearth_slice text);

/**
 * Reads one character at @offset (< text.size), sets *@ret_code_point and returns its length in
 * bytes (1–4), or 0 if the bytes there are not valid.
 */
unsigned hearth_utf8_read(struct hearth_slice text, size_t offset, uint32_t *ret_code_point);

/** Writes @code_point (valid) to @room (4 bytes) and returns its length. */
unsigned hearth_utf8_write(uint32_t code_point, uint8_t *room);

#endif
