/* normalize.h — the normaliser of a tokenizer: a flat list of steps, each from view to view. */

#ifndef HEARTH_NORMAL_NORMALIZE_H
#define HEARTH_NORMAL_NORMALIZE_H

#include "text.h"

#include "hearth_pattern.h"

#include <yyjson.h>

enum normalizer_kind {
    NORMALIZER_BERT,
    NORMALIZER_FORM, /* NFC, NFD, NFKC, NFKD */
    NORMALIZER_LOWERCASE,
    NORMALIZER_STRIP_ACCENTS,
    NORMALIZER_STRIP,
    NORMALIZER_REPLACE,
    NORMALIZER_PREPEND,
    NORMALIZER_NMT,
    NORMALIZER_BYTE_LEVEL,
    NORMALIZER_PRECOMPILED,
};

struct bert_options {
    bool cleans_text;
    bool spaces_chinese;
    bool strips_accents;
    bool lowers;
};

struct form_options {
    bool is_compatible;
    bool composes;
};

/** The character map of sentencepiece: a double-array trie over bytes, and the texts that its
 * leaves point to. Every index is checked at use: the file is not trusted. */
struct charsmap {
    const uint32_t *units;
    size_t unit_count;
    const uint8_t *texts; /* each ends with a NUL, the last at the latest at the end */
    size_t text_bytes;
    bool maps_ascii[128]; /* that character alone is mapped */
};

struct normalizer_step {
    enum normalizer_kind kind;
    union {
        struct bert_options bert;
        struct form_options form;
        struct {
            bool left;
            bool right;
        } strip;
        struct {
            const struct splitter *pattern;
            struct hearth_slice content;
        } replace;
        struct hearth_slice prepend;
        struct charsmap precompiled;
    };
};

struct normalizer {
    struct normalizer_step *steps;
    size_t count;
};

/** Memory of one thread for normalising; kept between texts. */
struct normal_scratch {
    struct writer writers[2];
    struct hearth_buf points; /* struct mark each: a run of combining marks */
    struct hearth_buf sorted;
    struct hearth_buf blocked;
    struct hearth_buf places;
    struct split_scratch split;
};

/**
 * Runs all steps on @view; *ret lives in @scratch or is @view itself, until the next call.
 * HEARTH_E_NO_MEMORY or HEARTH_E_TOO_LARGE.
 */
HEARTH_NODISCARD int normalize(const struct normalizer *normalizer, const struct view *view,
                               bool tracks, struct normal_scratch *scratch, struct view *ret);

/** normalizer_load.c — reads the object "normalizer", which may be missing. */
HEARTH_NODISCARD int normalizer_load(struct normalizer *normalizer, yyjson_val *value,
                                     struct hearth_arena *arena, struct hearth_error *err);
void normalizer_finish(struct normalizer *normalizer); /* what PCRE2 took */

/** One step. *has_changed false: the writer holds nothing of use, the view stays. */
HEARTH_NODISCARD int normalize_bert(const struct bert_options *options, const struct view *view,
                                    struct normal_scratch *scratch, struct writer *writer,
                                    bool *has_changed);
HEARTH_NODISCARD int normalize_form(const struct form_options *options, const struct view *view,
                                    struct normal_scratch *scratch, struct writer *writer,
                                    bool *has_changed);
HEARTH_NODISCARD int normalize_precompiled(const struct charsmap *map, const struct view *view,
                                           struct writer *writer, bool *has_changed);

/** charsmap.c — takes the decoded bytes, which must live as long as the map (they are not copied).
 */
HEARTH_NODISCARD int charsmap_load(struct charsmap *map, struct hearth_slice bytes,
                                   struct hearth_error *err);

/** marks.c — puts a run of combining marks into canonical order. */
struct mark {
    uint32_t c;
    uint16_t class;
    bool is_first; /* of what its character was decomposed into */
};
HEARTH_NODISCARD int marks_order(struct mark *marks, size_t count, struct hearth_buf *sorted);

/** byte_level.c — the alphabet of ByteLevel: a printable character for each byte, and back. */
uint32_t byte_level_char(uint8_t byte);
int byte_level_byte(uint32_t c); /* -1 if it stands for none */
HEARTH_NODISCARD int byte_level_write(const struct view *view, size_t start, size_t end,
                                      struct writer *writer);

#endif
