/* utf8_wide.h — private to this room: whether a text is UTF-8, sixteen bytes at a time. */

#ifndef HEARTH_UTF8_WIDE_H
#define HEARTH_UTF8_WIDE_H

#include "slice.h"

/** True if all of @text is valid. False also where this processor cannot tell: ask byte by byte. */
bool utf8_wide_is_valid(struct hearth_slice text);

#endif
