/* split_regex.h — Oniguruma's regular expressions in the words of PCRE2.
 *
 * Understood, and meant the same in both:
 *   literals, escaped punctuation, \n \r \t \f \a \e \xHH (ASCII) \x{H…} \uHHHH, .
 *   \s \S \d \D \w \W, \p{…} and \P{…} with L M N P S Z or one general category, [\s\S]
 *   [classes] and [^classes] of these and of ranges
 *   ( ) (?: ) (?= ) (?! ) (?> ), | and the quantifiers * + ? {n} {n,} {n,m}, the first three also
 *   lazy or possessive
 *   ^ and $ at every line, \A \z
 *   (?i: ) around ASCII letters, apostrophes and |
 * All else is refused by its place: back references, look-behind, named groups, other options,
 * nested classes, scripts, \b \h \v, an endless repeat of what can be empty, and so on. */

#ifndef HEARTH_PATTERN_SPLIT_REGEX_H
#define HEARTH_PATTERN_SPLIT_REGEX_H

#include "hearth_base.h"

/**
 * Writes @pattern (valid UTF-8) for PCRE2 to @out, with callouts around every endless repeat (1
 * in front, 2 behind), so that the matcher can count what it costs.
 *
 * Returns 0, HEARTH_E_UNSUPPORTED (@where and the byte are named) or HEARTH_E_NO_MEMORY.
 */
HEARTH_NODISCARD int split_regex_translate(struct hearth_slice pattern, const char *where,
                                           struct hearth_buf *out, struct hearth_error *err);

#endif
