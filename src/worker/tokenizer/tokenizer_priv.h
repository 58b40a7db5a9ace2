/* tokenizer_priv.h — the parts of a tokenizer, as load.c fills and encode.c reads them. */

#ifndef HEARTH_TOKENIZER_PRIV_H
#define HEARTH_TOKENIZER_PRIV_H

#include "hearth_tokenizer.h"

#include "decode.h"
#include "template.h"

#include "hearth_normal.h"
#include "hearth_pattern.h"
#include "hearth_subword.h"

#define TOKENIZER_MAGIC 0x544F4B31u /* "TOK1" */

/** Text that is cut out before the model sees the rest. */
struct added_token {
    struct hearth_slice content; /* as written in the file */
    struct hearth_slice pattern; /* what is searched for: content, normalised if the flag says so */
    uint32_t id;
    uint32_t order; /* of two equal patterns the earlier wins */
    bool is_single_word;
    bool takes_left_space;
    bool takes_right_space;
    bool is_normalized;
    bool is_special;
};

/** Patterns sorted by bytes, so that the longest match at a place is found by narrowing a range. */
struct added_set {
    struct added_token **tokens;
    size_t count;
    bool starts[256]; /* a pattern starts with this byte */
};

enum model_kind { MODEL_WORDPIECE, MODEL_BPE, MODEL_UNIGRAM };

struct hearth_tokenizer {
    uint32_t magic;
    struct hearth_arena arena; /* holds every array below */
    struct vocab vocab;
    struct normalizer normalizer;
    struct pretokenizer pretokenizer;
    enum model_kind kind;
    union {
        struct wordpiece wordpiece;
        struct bpe bpe;
        struct unigram unigram;
    } model;
    struct postprocessor post;
    struct truncation truncation;
    struct decoder decoder;
    struct added_token *added;
    size_t added_count;
    struct added_set raw;        /* matched in the text as it came */
    struct added_set normalized; /* matched in the text after normalisation */
    uint32_t beyond_vocab;       /* added tokens with ids behind the vocabulary */
    const char **beyond_pieces;
    uint64_t *special_bits; /* by id: decoding may skip it */
    struct hearth_tokenizer_facts facts;
};

/** What one hearth_encoding needs between its face and the models; made by its first text. */
struct tokenizer_scratch {
    struct normal_scratch normal;
    struct pretoken_scratch pretoken;
    struct model_scratch model;
    struct token_sink tokens[2]; /* of the first and the second text */
    struct hearth_buf
        notes[2]; /* struct blanks of the added tokens in them, if places are trimmed */
};

/* scratch.c */
HEARTH_NODISCARD struct tokenizer_scratch *scratch_create(void);
void scratch_wipe(struct tokenizer_scratch *scratch);
void scratch_destroy(struct tokenizer_scratch *scratch); /* NULL is fine */

/* encoding.c */
HEARTH_NODISCARD int encoding_reserve(struct hearth_encoding *out, size_t more, bool wants_places);
void encoding_clear(struct hearth_encoding *out);

/* added.c */
struct added_scan {
    struct hearth_slice text;
    size_t search_from;
    size_t done;       /* text before this is dealt with */
    size_t space_from; /* the last stretch of white space that was measured */
    size_t space_to;
    bool is_at_end;
};
struct added_split {
    size_t gap_start; /* ordinary text before the token; may be empty */
    size_t gap_end;
    size_t start; /* what the token took */
    size_t end;
    uint32_t id; /* NO_ID behind the last token */
};
int added_load(struct hearth_tokenizer *tokenizer, yyjson_val *array, struct hearth_error *err);
bool added_next(const struct added_set *set, struct added_scan *scan, struct added_split *ret);

/* trim.c — takes white space out of the places of @count tokens of @text, from the @first on. */
struct blanks {
    size_t ordinal; /* which token of the text */
    size_t leading;
    size_t trailing;
    bool is_all;               /* nothing else is in it */
    struct hearth_slice taken; /* compared by its place, not read again */
};
HEARTH_NODISCARD int blanks_note(struct hearth_buf *notes, size_t ordinal,
                                 struct hearth_slice taken);
void places_trim(const struct hearth_tokenizer *tokenizer, struct hearth_slice text,
                 const struct hearth_buf *notes, struct token_sink *tokens, size_t first,
                 size_t count);

#endif
