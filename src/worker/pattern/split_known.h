/* split_known.h — the patterns of well-known models, matched by hand in one pass.
 *
 * Each of them matches at every place of every text, so a match ends where the next one starts.
 * White space is looked at no more than three times, however long a run of it is. */

#ifndef HEARTH_PATTERN_SPLIT_KNOWN_H
#define HEARTH_PATTERN_SPLIT_KNOWN_H

#include "hearth_base.h"

enum known_pattern {
    KNOWN_NONE,
    KNOWN_GPT2,   /* ByteLevel's own; RoBERTa, ModernBERT */
    KNOWN_QWEN2,  /* digits alone */
    KNOWN_LLAMA3, /* up to three digits together; cl100k */
};

/** Which of them @pattern is, to the letter. */
enum known_pattern known_pattern(struct hearth_slice pattern);

/** Returns the end of the match that starts at @at (< text.size); @text is valid UTF-8. */
size_t known_match(enum known_pattern pattern, struct hearth_slice text, size_t at);

#endif
