/* tokenizer_priv.h — the parts of a tokenizer, as load.c fills and encode.c reads them. */

#ifndef HEARTH_TOKENIZER_PRIV_H
#define HEARTH_TOKENIZER_PRIV_H

#include "hearth_tokenizer.h"
#include "load.h"
#include "unicode.h"
#include "vocab.h"

#include <yyjson.h>

#define TOKENIZER_MAGIC   0x544F4B31u /* "TOK1" */
#define ENCODED_BYTES_MAX ((size_t)1 << 30)

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

struct normalizer {
    bool cleans_text;
    bool spaces_chinese;
    bool strips_accents;
    bool lowers;
};

struct template_token {
    uint32_t id;
    uint32_t type_id;
};

struct template_side {
    struct template_token tokens[HEARTH_TOKENIZER_MAX_TEMPLATE];
    size_t count;
};

struct hearth_tokenizer {
    uint32_t magic;
    struct hearth_arena arena; /* holds every array below */
    struct vocab vocab;
    struct normalizer normalizer;
    struct added_token *added;
    size_t added_count;
    struct added_set raw;        /* matched in the text as it came */
    struct added_set normalized; /* matched in the text after normalisation */
    uint32_t beyond_vocab;       /* added tokens with ids behind the vocabulary */
    const char **beyond_pieces;
    struct hearth_slice prefix; /* "##" */
    size_t max_word_chars;
    struct template_side before;
    struct template_side behind;
    uint32_t text_type_id;
    struct hearth_tokenizer_facts facts;
};

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
    struct hearth_slice gap; /* ordinary text before the token; may be empty */
    uint32_t id;             /* NO_ID behind the last token */
};
int added_load(struct hearth_tokenizer *tokenizer, yyjson_val *array, struct hearth_error *err);
bool added_next(const struct added_set *set, struct added_scan *scan, struct added_split *ret);

/* normalize.c — writes the normalised form of @text into out->normal. */
int normalize(const struct normalizer *normalizer, struct hearth_slice text,
              struct hearth_encoding *out);

/* wordpiece.c */
struct word_sink {
    struct hearth_encoding *out;
    size_t limit; /* body tokens kept */
    size_t kept;  /* body tokens so far, at most limit */
    size_t total; /* body tokens so far */
    uint32_t type_id;
};
int encoding_reserve(struct hearth_encoding *out, size_t more);
int sink_put(struct word_sink *sink, uint32_t id);
int wordpiece_text(const struct hearth_tokenizer *tokenizer, struct hearth_slice text,
                   struct word_sink *sink);

#endif
