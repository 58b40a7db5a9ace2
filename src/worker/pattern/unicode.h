/* unicode.h — the reference's view of one code point: utf8proc, corrected where they disagree. */

#ifndef HEARTH_PATTERN_UNICODE_H
#define HEARTH_PATTERN_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

bool unicode_is_space(uint32_t c);   /* White_Space */
bool unicode_is_removed(uint32_t c); /* by clean_text */
bool unicode_is_chinese(uint32_t c);
bool unicode_is_mark(uint32_t c); /* nonspacing, dropped by strip_accents */
bool unicode_is_punctuation(uint32_t c);
bool unicode_is_word(uint32_t c); /* \w */
unsigned unicode_combining_class(uint32_t c);
#define UNICODE_MOST_DECOMPOSED 8
unsigned unicode_decompose(uint32_t c, uint32_t room[UNICODE_MOST_DECOMPOSED]);
/** The compatible decomposition. */
#define UNICODE_MOST_COMPATIBLE 18
unsigned unicode_decompose_compatible(uint32_t c, uint32_t room[UNICODE_MOST_COMPATIBLE]);
/** What the two compose to; 0 if they do not. */
uint32_t unicode_compose(uint32_t first, uint32_t second);
bool unicode_is_combining(uint32_t c); /* any mark, dropped by StripAccents */
bool unicode_is_numeric(uint32_t c);   /* decimal, letter or other number */
/** Whether a grapheme cluster may end between the two; *state starts at 0. */
bool unicode_breaks_grapheme(uint32_t before, uint32_t after, int32_t *state);
unsigned unicode_lower(uint32_t c, uint32_t room[2]);

#endif
