/* hearth_pattern.h — what the parts of a tokenizer stand on: characters, patterns, and its file.
 *
 * unicode.h says what the reference thinks of one character, split.h finds the matches of a pattern
 * in a text. json.h reads members of tokenizer.json and refuses by name what is wrong or unknown;
 * tokenizer_limits.h bounds all that comes from outside.
 *
 * What is built at load is constant from then on: any number of threads may search with it, each
 * with a scratch of its own. Nothing blocks. Functions that can fail return 0 or a negative
 * HEARTH_E_*. */

#ifndef HEARTH_PATTERN_H
#define HEARTH_PATTERN_H

#include "json.h"
#include "split.h"
#include "tokenizer_limits.h"
#include "unicode.h"

#endif
