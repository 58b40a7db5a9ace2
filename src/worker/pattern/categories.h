/* categories.h — general categories of characters, as the reference's regular expressions see them.
 *
 * Its tables are those of Unicode 16; utf8proc and PCRE2 may know less. */

#ifndef HEARTH_PATTERN_CATEGORIES_H
#define HEARTH_PATTERN_CATEGORIES_H

#include "hearth_base.h"

#include <utf8proc.h>

/** A set of categories, one bit each. */
#define CATEGORY(name)    (1u << UTF8PROC_CATEGORY_##name)
#define CATEGORIES_LETTER (CATEGORY(LU) | CATEGORY(LL) | CATEGORY(LT) | CATEGORY(LM) | CATEGORY(LO))
#define CATEGORIES_MARK   (CATEGORY(MN) | CATEGORY(MC) | CATEGORY(ME))
#define CATEGORIES_NUMBER (CATEGORY(ND) | CATEGORY(NL) | CATEGORY(NO))
#define CATEGORIES_PUNCTUATION                                                                     \
    (CATEGORY(PC) | CATEGORY(PD) | CATEGORY(PS) | CATEGORY(PE) | CATEGORY(PI) | CATEGORY(PF) |     \
     CATEGORY(PO))
#define CATEGORIES_SYMBOL (CATEGORY(SM) | CATEGORY(SC) | CATEGORY(SK) | CATEGORY(SO))
#define CATEGORIES_SPACE  (CATEGORY(ZS) | CATEGORY(ZL) | CATEGORY(ZP))

/** What pre-tokeniser patterns tell apart. */
enum char_kind { KIND_OTHER, KIND_LETTER, KIND_NUMBER, KIND_SPACE };

/** The category of one character, as one bit. */
uint32_t category_of(uint32_t c);

/** The kind of the character at @at of @text (valid UTF-8), and its length. */
enum char_kind kind_at(struct hearth_slice text, size_t at, unsigned *ret_length);

/** Appends to @out, as in a class of PCRE2, what it may not know of the categories @set. */
HEARTH_NODISCARD int categories_write_newer(uint32_t set, struct hearth_buf *out);

#endif
