/* unicode.h — the reference's view of one code point: utf8proc, corrected where they disagree. */

#ifndef HEARTH_TOKENIZER_UNICODE_H
#define HEARTH_TOKENIZER_UNICODE_H

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
unsigned unicode_lower(uint32_t c, uint32_t room[2]);

#endif
