/* hearth_tokenizer.h — text to tokens, exactly as the reference implementation of tokenizer.json.
 *
 * Words: a *piece* is one entry of the vocabulary; an *added token* is text that is cut out before
 * anything else happens ("[SEP]" typed by a user becomes the special token, as in the reference);
 * a *special token* is one that the model's template puts around the text.
 *
 * What is known: model WordPiece; normaliser BertNormalizer or none; pre-tokeniser
 * BertPreTokenizer; post-processor TemplateProcessing, BertProcessing or none; added tokens with
 * all their flags; truncation on the right. Anything else is refused by name, never approximated.
 * Padding settings are read and ignored: nothing here pads. Sequence pairs are not offered. */

#ifndef HEARTH_TOKENIZER_H
#define HEARTH_TOKENIZER_H

#include "hearth_base.h"

struct hearth_tokenizer;

/* Limits on what comes from outside; each is refused by name when passed. */
#define HEARTH_TOKENIZER_MAX_FILE_BYTES    ((size_t)64 << 20)
#define HEARTH_TOKENIZER_MAX_PIECES        1000000u
#define HEARTH_TOKENIZER_MAX_PIECE_BYTES   512u
#define HEARTH_TOKENIZER_MAX_ADDED         10000u
#define HEARTH_TOKENIZER_MAX_TEMPLATE      16u   /* special tokens on one side of the text */
#define HEARTH_TOKENIZER_MAX_PREFIX_BYTES  16u   /* of continuing_subword_prefix ("##") */
#define HEARTH_TOKENIZER_MAX_WORD_CHARS    1000u /* of max_input_chars_per_word */
#define HEARTH_TOKENIZER_MAX_TEXT_BYTES    ((size_t)16 << 20)
#define HEARTH_TOKENIZER_MAX_LENGTH_TOKENS ((size_t)1 << 30)

/**
 * Reads the bytes of a tokenizer.json. @json is not needed after the call.
 *
 * The object is constant from then on: any number of threads may encode with it at once.
 *
 * Returns 0 and sets *@ret, to be given to hearth_tokenizer_destroy(). Returns
 * HEARTH_E_UNSUPPORTED (a part that is not known, named), HEARTH_E_MODEL_INVALID (not a
 * tokenizer.json, or one that contradicts itself), HEARTH_E_TOO_LARGE or HEARTH_E_NO_MEMORY.
 */
HEARTH_NODISCARD int hearth_tokenizer_create(struct hearth_slice json,
                                             struct hearth_tokenizer **ret,
                                             struct hearth_error *err);

void hearth_tokenizer_destroy(struct hearth_tokenizer *tokenizer);
HEARTH_DEFINE_CLEANUP(hearth_tokenizer)

/** Facts of a tokenizer; an id is -1 where the file names no such token. */
struct hearth_tokenizer_facts {
    size_t vocabulary_size;    /* pieces and added tokens; ids are 0 … vocabulary_size - 1 */
    size_t default_max_tokens; /* the file's own truncation; 0 = none */
    size_t special_tokens;     /* how many the template puts around a text */
    int64_t cls_id;            /* first before the text */
    int64_t sep_id;            /* first behind the text */
    int64_t pad_id;
    int64_t unk_id;
    int64_t mask_id;
};

/** Lends the facts for the life of the tokenizer. */
const struct hearth_tokenizer_facts *hearth_tokenizer_facts(
    const struct hearth_tokenizer *tokenizer);

/** Lends the text of one token, terminated; NULL for an id that does not exist. */
const char *hearth_tokenizer_piece(const struct hearth_tokenizer *tokenizer, int64_t id);

/* The file's own truncation setting, or none if it has none. */
#define HEARTH_ENCODE_FILE_LIMIT 0
/* No truncation at all, whatever the file says. */
#define HEARTH_ENCODE_NO_LIMIT SIZE_MAX

struct hearth_encode_options {
    size_t max_tokens; /* special tokens included; or one of the two above */
    bool add_special;  /* put the template's special tokens around the text */
    bool wants_places; /* fill hearth_encoding.places, which costs time */
};

/** What most callers want: the file's own limit, special tokens added. */
static inline struct hearth_encode_options hearth_encode_options_default(void)
{
    return (struct hearth_encode_options){HEARTH_ENCODE_FILE_LIMIT, true, false};
}

/** The bytes of its own text that a token came from; 0 and 0 for a special token. */
struct hearth_token_place {
    uint32_t start;
    uint32_t end;
};

#define HEARTH_SEQUENCE_FIRST   0
#define HEARTH_SEQUENCE_SECOND  1
#define HEARTH_SEQUENCE_SPECIAL 255 /* put there by the template, from no text */

/**
 * The tokens of one text, in arrays that grow as needed and are used again by the next call, so
 * that encoding allocates nothing once the largest text has been seen. One thread at a time.
 */
struct hearth_encoding {
    int64_t *ids;
    int64_t *type_ids;
    int64_t *mask;                     /* all ones: there is no padding */
    uint8_t *sequences;                /* HEARTH_SEQUENCE_*: which text a token came from */
    struct hearth_token_place *places; /* NULL unless the options asked for them */
    size_t count;                      /* elements used in each array */
    size_t full_count;                 /* what count would be without a limit */
    bool is_truncated;

    /* Scratch; not for callers. */
    size_t room;
    struct hearth_buf normal; /* a stretch of text after normalisation */
    struct hearth_buf points; /* its code points, uint32_t each */
    struct hearth_buf sorted; /* for long runs of combining marks */
};

/** Prepares an empty encoding; allocates nothing yet. */
void hearth_encoding_init(struct hearth_encoding *encoding);

/** Overwrites what the last text left behind and keeps the memory. */
void hearth_encoding_wipe(struct hearth_encoding *encoding);

/** Wipes and gives the memory back. */
void hearth_encoding_finish(struct hearth_encoding *encoding);

static inline void hearth_encoding_cleanup(struct hearth_encoding *encoding)
{
    hearth_encoding_finish(encoding);
}

/**
 * Encodes @text; takes time linear in its size, whatever it holds. NULL @options are the default.
 *
 * Safe from several threads on one tokenizer, each with its own @out.
 *
 * Returns 0. Returns HEARTH_E_INPUT_INVALID (not UTF-8), HEARTH_E_TOO_LARGE (text),
 * HEARTH_E_ARGUMENT (max_tokens leaves no room for the special tokens) or HEARTH_E_NO_MEMORY; @out
 * is then empty and may be used again.
 */
HEARTH_NODISCARD int hearth_tokenizer_encode(const struct hearth_tokenizer *tokenizer,
                                             struct hearth_slice text,
                                             const struct hearth_encode_options *options,
                                             struct hearth_encoding *out, struct hearth_error *err);

/**
 * Encodes two texts together, as a cross-encoder or a model of sentence pairs takes them: the
 * template for pairs is put around both, and truncation follows the file's strategy (the longest
 * first, or one of the two only). Otherwise as hearth_tokenizer_encode().
 */
HEARTH_NODISCARD int hearth_tokenizer_encode_pair(const struct hearth_tokenizer *tokenizer,
                                                  struct hearth_slice first,
                                                  struct hearth_slice second,
                                                  const struct hearth_encode_options *options,
                                                  struct hearth_encoding *out,
                                                  struct hearth_error *err);

/**
 * Turns @count ids back into text by the file's decoder and appends it to @out. @skips_special
 * leaves out special tokens. The text is UTF-8, whatever the ids are.
 *
 * Returns 0, HEARTH_E_INPUT_INVALID (an id that is not below vocabulary_size, named by its place),
 * HEARTH_E_TOO_LARGE (the cap of @out) or HEARTH_E_NO_MEMORY; nothing was appended then.
 */
HEARTH_NODISCARD int hearth_tokenizer_decode(const struct hearth_tokenizer *tokenizer,
                                             const int64_t *ids, size_t count, bool skips_special,
                                             struct hearth_buf *out, struct hearth_error *err);

/**
 * Takes @count ids (little-endian, unaligned) as they are instead of a text: nothing is put around
 * them, cut off or looked up. All type ids are 0.
 *
 * Returns 0. Returns HEARTH_E_TOO_LONG (more than @max_tokens; not the two constants above),
 * HEARTH_E_INPUT_INVALID (an id that is not below vocabulary_size, named by its place) or
 * HEARTH_E_NO_MEMORY; @out is then empty and may be used again.
 */
HEARTH_NODISCARD int hearth_tokenizer_take_ids(const struct hearth_tokenizer *tokenizer,
                                               const void *ids, size_t count, size_t max_tokens,
                                               struct hearth_encoding *out,
                                               struct hearth_error *err);

#endif
