/* hearth_tokenizer.h — text to tokens, exactly as the reference implementation of tokenizer.json.
 *
 * Words: a *piece* is one entry of the vocabulary; an *added token* is text that is cut out before
 * anything else happens ("[SEP]" typed by a user becomes the special token, as in the reference);
 * a *special token* is one that the model's template puts around the text.
 *
 * What is known: the models WordPiece, BPE and Unigram; every normaliser, pre-tokeniser,
 * post-processor and decoder that encoder models use (the rooms subword and normal, and
 * postprocessor_load.c and decoder_load.c, list them by name); added tokens with all their flags;
 * truncation with every strategy and direction. Anything else is refused by name, never
 * approximated. Padding settings are read and ignored: nothing here pads; so is the stride of
 * truncation, which speaks of what is cut off. */

#ifndef HEARTH_TOKENIZER_H
#define HEARTH_TOKENIZER_H

#include "hearth_base.h"
#include "tokenizer_limits.h" /* and struct hearth_token_place */

struct hearth_tokenizer;

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
    size_t vocabulary_size;     /* pieces and added tokens; ids are 0 … vocabulary_size - 1 */
    size_t default_max_tokens;  /* the file's own truncation; 0 = none */
    size_t special_tokens;      /* how many the template puts around a text */
    size_t special_tokens_pair; /* and around two */
    bool takes_pairs;
    int64_t cls_id; /* first before the text */
    int64_t sep_id; /* first behind the text */
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
    size_t max_tokens; /* special tokens included; or one of the two above. Strategy and direction
                          of truncation are always the file's. */
    bool add_special;  /* put the template's special tokens around the text */
    bool wants_places; /* fill hearth_encoding.places, which costs time */
};

/** What most callers want: the file's own limit, special tokens added. */
static inline struct hearth_encode_options hearth_encode_options_default(void)
{
    return (struct hearth_encode_options){HEARTH_ENCODE_FILE_LIMIT, true, false};
}

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

    /* Not for callers. */
    size_t room;
    size_t place_room;
    struct hearth_token_place *place_block;
    struct tokenizer_scratch *scratch;
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
 * Returns 0. Returns HEARTH_E_INPUT_INVALID (not UTF-8), HEARTH_E_TOO_LARGE (the text, its
 * normalised form, or the steps that a pattern of the file needs), HEARTH_E_ARGUMENT (max_tokens
 * leaves no room for the special tokens), HEARTH_E_TOO_LONG (the file's truncation may not cut
 * where it would have to) or HEARTH_E_NO_MEMORY; @out is then empty and may be used again.
 */
HEARTH_NODISCARD int hearth_tokenizer_encode(const struct hearth_tokenizer *tokenizer,
                                             struct hearth_slice text,
                                             const struct hearth_encode_options *options,
                                             struct hearth_encoding *out, struct hearth_error *err);

/**
 * Encodes two texts together, as a cross-encoder or a model of sentence pairs takes them: the
 * template for pairs is put around both, and truncation follows the file's strategy (the longest
 * first, or one of the two only). Otherwise as hearth_tokenizer_encode(), and HEARTH_E_UNSUPPORTED
 * if the file has no template for pairs.
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
