/* split.h — finding the next match of a pattern: what Split, ByteLevel, Replace … share.
 *
 * A splitter is made once at load and constant from then on; a text is searched with it from left
 * to right. It finds what the reference finds with Oniguruma's find_iter (String patterns: the
 * text itself, taken literally): matches do not overlap, and an empty match is followed by a search
 * one character further on.
 *
 * A regular expression goes to PCRE2: UTF and UCP, never JIT (executable memory is forbidden in a
 * worker), with match, depth and heap limits, and with all steps of one text counted: a pattern
 * that costs the square of a text ends in an error. What Oniguruma means otherwise than PCRE2 is
 * translated or refused by name at load (split_regex.h). Well-known patterns (GPT-2's of ByteLevel
 * and its heirs) are matched by hand; that never shows. */

#ifndef HEARTH_PATTERN_SPLIT_H
#define HEARTH_PATTERN_SPLIT_H

#include "hearth_base.h"

#include <yyjson.h>

#define SPLIT_MAX_PATTERN_BYTES 4096u
#define SPLIT_MAX_MATCH_STEPS   10000000u /* of one search from one place */
#define SPLIT_MAX_HEAP_KIB      65536u    /* of one search; deeper backtracking is refused */
#define SPLIT_FREE_STEPS        1000000u  /* of a text: so many in all … */
#define SPLIT_STEPS_PER_BYTE    32u       /* … and so many more for each byte */

struct splitter; /* shape: split.c's own business */

/** What one thread needs to match: PCRE2's match data. Made at first use, kept; starts as {0}. */
struct split_scratch {
    void *match; /* pcre2_match_data *; NULL until a pattern needs it */
    void *context;
};

/** How far one text is searched; starts as {0}. */
struct split_scan {
    size_t from;
    size_t last_end; /* of the last match, plus one; 0 before the first */
    size_t steps;
};

/** Bytes of the text that is searched. */
struct split_range {
    size_t start;
    size_t end;
};

/** Reads {"String": "…"} or {"Regex": "…"}; @where names the part in errors. Memory that PCRE2
 * takes is given back by splitter_finish(); the rest comes from @arena. */
HEARTH_NODISCARD int splitter_build(yyjson_val *pattern, const char *where,
                                    struct hearth_arena *arena, const struct splitter **ret,
                                    struct hearth_error *err);

/** A splitter that is part of another type: a regular expression in the reference's own words. */
HEARTH_NODISCARD int splitter_build_regex(const char *pattern, const char *where,
                                          struct hearth_arena *arena, const struct splitter **ret,
                                          struct hearth_error *err);
void splitter_finish(const struct splitter *splitter); /* NULL is fine */

/**
 * Finds the next match in @text (valid UTF-8) and moves *@scan on.
 *
 * Returns 1 and sets *@ret; 0 when there is none left; HEARTH_E_NO_MEMORY, or HEARTH_E_TOO_LARGE
 * if the pattern needs more steps than the limits allow.
 */
HEARTH_NODISCARD int split_next(const struct splitter *splitter, struct hearth_slice text,
                                struct split_scratch *scratch, struct split_scan *scan,
                                struct split_range *ret);

void split_scratch_wipe(struct split_scratch *scratch);
void split_scratch_finish(struct split_scratch *scratch);

#endif
