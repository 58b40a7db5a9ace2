/* decode.h — the decoder of a tokenizer: a flat list of steps over the texts of the tokens. */

#ifndef HEARTH_TOKENIZER_DECODE_H
#define HEARTH_TOKENIZER_DECODE_H

#include "hearth_tokenizer.h"

#include "hearth_pattern.h"

#include <yyjson.h>

enum decoder_kind {
    DECODER_WORDPIECE,
    DECODER_BYTE_LEVEL,
    DECODER_METASPACE,
    DECODER_BPE,
    DECODER_BYTE_FALLBACK,
    DECODER_FUSE,
    DECODER_STRIP,
    DECODER_REPLACE,
};

struct decoder_step {
    enum decoder_kind kind;
    union {
        struct {
            struct hearth_slice prefix;
            bool cleans_up;
        } wordpiece;
        struct {
            uint32_t replacement;
            bool drops_first; /* the replacement in the first token stands for nothing */
        } metaspace;
        struct hearth_slice suffix; /* of DECODER_BPE */
        struct {
            uint32_t c;
            size_t start;
            size_t stop;
        } strip;
        struct {
            const struct splitter *pattern;
            struct hearth_slice content;
        } replace;
    };
};

struct decoder {
    struct decoder_step *steps;
    size_t count;
    bool is_present; /* without one, tokens are joined by spaces */
};

/** Texts one after the other: ends[i] is where text i ends in bytes. */
struct texts {
    struct hearth_buf bytes;
    struct hearth_buf ends; /* size_t each */
};

void texts_init(struct texts *texts);
void texts_finish(struct texts *texts);
void texts_clear(struct texts *texts);
size_t texts_count(const struct texts *texts);
struct hearth_slice texts_at(const struct texts *texts, size_t i);
HEARTH_NODISCARD int texts_add(struct texts *texts, struct hearth_slice bytes);
/** Ends the text that was appended to texts->bytes. */
HEARTH_NODISCARD int texts_close(struct texts *texts);

/** Runs all steps on @texts, which holds the result afterwards. */
HEARTH_NODISCARD int decoder_run(const struct decoder *decoder, struct texts *texts);

/** decoder_load.c — reads the object "decoder", which may be missing. */
HEARTH_NODISCARD int decoder_load(struct decoder *decoder, yyjson_val *value,
                                  struct hearth_arena *arena, struct hearth_error *err);
void decoder_finish(struct decoder *decoder);

#endif
