/* tokenizer_limits.h — what a tokenizer.json and a text may be at most, and how a place in a text
 * is written: 32 bits are enough because no text passes these limits. */

#ifndef HEARTH_PATTERN_TOKENIZER_LIMITS_H
#define HEARTH_PATTERN_TOKENIZER_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* Limits on what comes from outside; each is refused by name when passed. */
#define HEARTH_TOKENIZER_MAX_FILE_BYTES     ((size_t)64 << 20)
#define HEARTH_TOKENIZER_MAX_PIECES         1000000u
#define HEARTH_TOKENIZER_MAX_PIECE_BYTES    512u
#define HEARTH_TOKENIZER_MAX_ADDED          10000u
#define HEARTH_TOKENIZER_MAX_TEMPLATE       16u   /* special tokens on one side of the text */
#define HEARTH_TOKENIZER_MAX_PREFIX_BYTES   16u   /* of continuing_subword_prefix ("##") */
#define HEARTH_TOKENIZER_MAX_WORD_CHARS     1000u /* of max_input_chars_per_word */
#define HEARTH_TOKENIZER_MAX_TEXT_BYTES     ((size_t)16 << 20)
#define HEARTH_TOKENIZER_MAX_NORMAL_BYTES   ((size_t)64 << 20) /* of a text once normalised */
#define HEARTH_TOKENIZER_MAX_LENGTH_TOKENS  ((size_t)1 << 30)
#define HEARTH_TOKENIZER_MAX_STEPS          64u /* of one normaliser, pre-tokeniser or decoder */
#define HEARTH_TOKENIZER_MAX_DEPTH          8u  /* of sequences in sequences */
#define HEARTH_TOKENIZER_MAX_CHARSMAP_BYTES 4194304u
#define HEARTH_TOKENIZER_MAX_DECODE_BYTES   ((size_t)64 << 20)

/** The bytes of its own text that a token came from; 0 and 0 for a special token. */
struct hearth_token_place {
    uint32_t start;
    uint32_t end;
};

#endif
