/* tokenizer_priv.h — the parts of a tokenizer, as load.c fills and encode.c reads them. */

#ifndef HEARTH_TOKENIZER_PRIV_H
#define HEARTH_TOKENIZER_PRIV_H

#include "hearth_tokenizer.h"

#include <yyjson.h>

#define TOKENIZER_MAGIC   0x544F4B31u /* "TOK1" */
#define ENCODED_BYTES_MAX ((size_t)1 << 30)
#define NO_ID             UINT32_MAX

/** All pieces by id, and a flat hash table from text to id. Pieces lie in one blob, terminated. */
struct vocab {
    uint8_t *bytes;
    uint32_t *starts; /* count + 1 offsets into bytes */
    uint32_t count;
    uint32_t *slots; /* id + 1, or 0 for empty */
    uint32_t slot_mask;
    size_t longest_bytes;
};

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

/* load.c — small readers that name what is wrong. */
int tokenizer_invalid(struct hearth_error *err, const char *where, const char *what);
int json_bool(yyjson_val *object, const char *key, const char *where, bool *ret,
              struct hearth_error *err);
bool json_string(yyjson_val *value, struct hearth_slice *ret);

/* vocab.c */
int vocab_build(struct vocab *vocab, yyjson_val *object, struct hearth_arena *arena,
                struct hearth_error *err);
uint64_t vocab_hash(uint64_t seed, const uint8_t *bytes, size_t size);
#define VOCAB_HASH_START UINT64_C(0xCBF29CE484222325)
/** Finds the piece that is @prefix followed by @rest, whose hash the caller has; NO_ID if none. */
uint32_t vocab_find(const struct vocab *vocab, uint64_t hash, struct hearth_slice prefix,
                    struct hearth_slice rest);
uint32_t vocab_find_text(const struct vocab *vocab, struct hearth_slice text);

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

/* unicode.c — the reference's view of one code point. */
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
