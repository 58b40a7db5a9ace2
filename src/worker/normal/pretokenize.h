/* pretokenize.h — cuts normalised text into the parts that a model gets, one after the other. */

#ifndef HEARTH_NORMAL_PRETOKENIZE_H
#define HEARTH_NORMAL_PRETOKENIZE_H

#include "text.h"

#include "hearth_pattern.h"

#include <yyjson.h>

enum pretokenizer_kind {
    PRETOKENIZER_BERT,
    PRETOKENIZER_WHITESPACE,
    PRETOKENIZER_SPLIT, /* at the matches of a pattern, whatever the file calls it */
    PRETOKENIZER_BYTE_LEVEL,
    PRETOKENIZER_METASPACE,
};

enum pattern_kind {
    PATTERN_SPLITTER,
    PATTERN_CHAR,
    PATTERN_SPACE,
    PATTERN_PUNCTUATION,
    PATTERN_NUMBER
};

/** What becomes of a match, and what of the text between two. */
enum split_behavior {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS
};

enum prepend_scheme { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER };

struct pattern {
    enum pattern_kind kind;
    bool is_inverted;
    uint32_t c;                      /* of PATTERN_CHAR */
    const struct splitter *splitter; /* of PATTERN_SPLITTER */
};

struct pretokenizer_step {
    enum pretokenizer_kind kind;
    union {
        struct {
            struct pattern pattern;
            enum split_behavior behavior;
        } split;
        struct {
            const struct splitter *splitter; /* GPT-2's; NULL: not split */
            bool adds_prefix_space;
        } byte_level;
        struct {
            uint32_t replacement;
            enum prepend_scheme scheme;
            bool splits;
        } metaspace;
    };
};

struct pretokenizer {
    struct pretokenizer_step *steps;
    size_t count;
    bool needs_places; /* the steps ask where a part came from */
};

/** Bytes of a view. */
struct part {
    uint32_t start;
    uint32_t end;
};

struct pretoken_scratch {
    struct writer writers[2];
    struct writer prefixed;
    struct hearth_buf parts[2]; /* struct part each */
    struct split_scratch split;
};

/** Gets each part of the last step, in order: bytes @start to @end of @view, never none. */
struct part_sink {
    int (*take)(struct part_sink *sink, const struct view *view, size_t start, size_t end);
};

/**
 * Runs all steps on @view (not empty) and hands the parts to @sink. @tracks as in normalize().
 * HEARTH_E_NO_MEMORY, HEARTH_E_TOO_LARGE, or what @sink returns.
 */
HEARTH_NODISCARD int pretokenize(const struct pretokenizer *pretokenizer, const struct view *view,
                                 bool tracks, struct pretoken_scratch *scratch,
                                 struct part_sink *sink);

/** pretokenizer_load.c — reads the object "pre_tokenizer", which may be missing. */
HEARTH_NODISCARD int pretokenizer_load(struct pretokenizer *pretokenizer, yyjson_val *value,
                                       struct hearth_arena *arena, struct hearth_error *err);
void pretokenizer_finish(struct pretokenizer *pretokenizer); /* what PCRE2 took */

/** segments.c — the matches of a pattern and the text between them, in order. */
struct segment {
    size_t start;
    size_t end;
    bool is_match;
};
struct segments {
    const struct pattern *pattern;
    struct split_scratch *scratch;
    struct hearth_slice text;
    struct split_scan scan;
    size_t done;
    struct segment match; /* found behind the text that was just given */
    bool has_match;
    bool is_at_end;
};
/** Returns 1 and sets *@ret, 0 at the end, or an error of split_next(). */
HEARTH_NODISCARD int segments_next(struct segments *segments, struct segment *ret);

#endif
