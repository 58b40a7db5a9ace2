/* split.c — a pattern: taken literally, matched by hand, or given to PCRE2. */

#include "split.h"

#include "json.h"
#include "split_known.h"
#include "split_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MOST_TRANSLATED_BYTES ((size_t)1 << 20)

struct splitter {
    struct hearth_slice literal; /* if not empty */
    enum known_pattern known;    /* if not KNOWN_NONE */
    pcre2_code *code;            /* otherwise */
};

static void *take_memory(size_t size, void *context)
{
    (void)context;
    return hearth_alloc(size, 1);
}

static void give_memory(void *block, void *context)
{
    (void)context;
    hearth_free(block);
}

/* Compiles what split_regex_translate() wrote; it knows no construct that PCRE2 does not. */
static int compile(struct hearth_slice translated, const char *where, pcre2_code **ret,
                   struct hearth_error *err)
{
    const uint32_t options =
        PCRE2_UTF | PCRE2_UCP | PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_BACKSLASH_C;
    pcre2_general_context *memory = pcre2_general_context_create(take_memory, give_memory, NULL);
    pcre2_compile_context *context = memory != NULL ? pcre2_compile_context_create(memory) : NULL;
    int problem = PCRE2_ERROR_NOMEMORY;
    PCRE2_SIZE place = 0;
    if (context != NULL) {
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        *ret = pcre2_compile(translated.data, translated.size, options, &problem, &place, context);
    }
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    if (context != NULL && *ret != NULL) {
        return 0;
    }
    if (context == NULL || problem == PCRE2_ERROR_NOMEMORY || problem == PCRE2_ERROR_HEAP_FAILED) {
        return hearth_fail_oom(err);
    }
    return hearth_fail(err, HEARTH_E_UNSUPPORTED, "%s: the regular expression is not supported",
                       where);
}

static int build_regex(struct splitter *splitter, struct hearth_slice pattern, const char *where,
                       struct hearth_error *err)
{
    splitter->known = known_pattern(pattern);
    if (splitter->known != KNOWN_NONE) {
        return 0;
    }
    HEARTH_AUTO(hearth_buf) struct hearth_buf translated;
    hearth_buf_init(&translated, MOST_TRANSLATED_BYTES);
    int rc = split_regex_translate(pattern, where, &translated, err);
    return rc < 0 ? rc : compile(hearth_buf_slice(&translated), where, &splitter->code, err);
}

static int build(struct hearth_slice pattern, bool is_regex, const char *where,
                 struct hearth_arena *arena, const struct splitter **ret, struct hearth_error *err)
{
    if (pattern.size == 0 || pattern.size > SPLIT_MAX_PATTERN_BYTES) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "%s: a pattern of %zu bytes, not of 1 … %u",
                           where, pattern.size, SPLIT_MAX_PATTERN_BYTES);
    }
    struct splitter *splitter = hearth_arena_alloc(arena, 1, sizeof *splitter);
    char *copy = is_regex ? NULL : hearth_arena_copy(arena, pattern);
    if (splitter == NULL || (copy == NULL && !is_regex)) {
        return hearth_fail_oom(err);
    }
    splitter->literal = hearth_slice_of(copy, copy != NULL ? pattern.size : 0);
    int rc = is_regex ? build_regex(splitter, pattern, where, err) : 0;
    if (rc == 0) {
        *ret = splitter;
    }
    return rc;
}

int splitter_build(yyjson_val *pattern, const char *where, struct hearth_arena *arena,
                   const struct splitter **ret, struct hearth_error *err)
{
    yyjson_val *regex = yyjson_obj_get(pattern, "Regex");
    yyjson_val *string = yyjson_obj_get(pattern, "String");
    struct hearth_slice text;
    if (yyjson_obj_size(pattern) != 1 || !json_string(regex != NULL ? regex : string, &text)) {
        return tokenizer_invalid(err, where, "it is neither a String nor a Regex");
    }
    return build(text, regex != NULL, where, arena, ret, err);
}

int splitter_build_regex(const char *pattern, const char *where, struct hearth_arena *arena,
                         const struct splitter **ret, struct hearth_error *err)
{
    return build(hearth_slice_of_string(pattern), true, where, arena, ret, err);
}

void splitter_finish(const struct splitter *splitter)
{
    if (splitter != NULL) {
        pcre2_code_free(splitter->code);
    }
}

static int find_literal(struct hearth_slice literal, struct hearth_slice text,
                        struct split_scan *scan, struct split_range *ret)
{
    const uint8_t *found =
        memmem(text.data + scan->from, text.size - scan->from, literal.data, literal.size);
    if (found == NULL) {
        scan->from = text.size;
        return 0;
    }
    ret->start = (size_t)(found - text.data);
    ret->end = ret->start + literal.size;
    scan->from = ret->end;
    return 1;
}

/** What one search has cost so far. */
struct meter {
    size_t steps;
    size_t most;
    size_t last; /* where the last callout was */
};

/* In front of an endless repeat and behind it: going on costs the distance, coming back one. */
static int count_steps(pcre2_callout_block *block, void *data)
{
    struct meter *meter = data;
    size_t at = block->current_position;
    bool is_behind = block->callout_number == 2;
    meter->steps += 1 + (is_behind && at > meter->last ? at - meter->last : 0);
    meter->last = at;
    return meter->steps <= meter->most ? 0 : PCRE2_ERROR_CALLOUT;
}

static int prepare(struct split_scratch *scratch)
{
    if (scratch->match != NULL) {
        return 0;
    }
    pcre2_general_context *memory = pcre2_general_context_create(take_memory, give_memory, NULL);
    if (memory != NULL) {
        scratch->context = pcre2_match_context_create(memory);
        scratch->match = scratch->context != NULL ? pcre2_match_data_create(1, memory) : NULL;
        pcre2_general_context_free(memory);
    }
    if (scratch->match == NULL) {
        split_scratch_finish(scratch);
        return HEARTH_E_NO_MEMORY;
    }
    pcre2_set_match_limit(scratch->context, SPLIT_MAX_MATCH_STEPS);
    pcre2_set_depth_limit(scratch->context, SPLIT_MAX_MATCH_STEPS);
    pcre2_set_heap_limit(scratch->context, SPLIT_MAX_HEAP_KIB);
    return 0;
}

static int search(const struct splitter *splitter, struct hearth_slice text,
                  struct split_scratch *scratch, struct split_scan *scan, struct split_range *ret)
{
    struct meter meter = {scan->steps, SPLIT_FREE_STEPS + text.size * SPLIT_STEPS_PER_BYTE,
                          scan->from};
    pcre2_set_callout(scratch->context, count_steps, &meter);
    /* An empty text may come without a place. */
    const uint8_t *data = text.size > 0 ? text.data : (const uint8_t *)"";
    int rc = pcre2_match(splitter->code, data, text.size, scan->from, PCRE2_NO_UTF_CHECK,
                         scratch->match, scratch->context);
    scan->steps = meter.steps;
    if (rc == PCRE2_ERROR_NOMATCH) {
        return 0;
    }
    if (rc < 0) {
        return rc == PCRE2_ERROR_NOMEMORY ? HEARTH_E_NO_MEMORY : HEARTH_E_TOO_LARGE;
    }
    const PCRE2_SIZE *places = pcre2_get_ovector_pointer(scratch->match);
    *ret = (struct split_range){places[0], places[1]};
    return 1;
}

/* As the reference goes on: an empty match right behind the last one is passed over. */
static int find_regex(const struct splitter *splitter, struct hearth_slice text,
                      struct split_scratch *scratch, struct split_scan *scan,
                      struct split_range *ret)
{
    int rc = prepare(scratch);
    while (rc == 0 && scan->from <= text.size) {
        rc = search(splitter, text, scratch, scan, ret);
        if (rc <= 0) {
            scan->from = text.size + 1;
            return rc;
        }
        scan->from = ret->end;
        if (ret->start != ret->end || scan->last_end != ret->end + 1) {
            scan->last_end = ret->end + 1;
            return 1;
        }
        uint32_t c;
        scan->from += ret->end < text.size ? hearth_utf8_read(text, ret->end, &c) : 1;
        rc = 0;
    }
    return rc;
}

int split_next(const struct splitter *splitter, struct hearth_slice text,
               struct split_scratch *scratch, struct split_scan *scan, struct split_range *ret)
{
    if (splitter->code != NULL) {
        return find_regex(splitter, text, scratch, scan, ret);
    }
    if (scan->from >= text.size) {
        return 0;
    }
    if (splitter->known == KNOWN_NONE) {
        return find_literal(splitter->literal, text, scan, ret);
    }
    ret->start = scan->from;
    ret->end = known_match(splitter->known, text, scan->from);
    scan->from = ret->end;
    return 1;
}

/* PCRE2 keeps places of the text, never the text. */
void split_scratch_wipe(struct split_scratch *scratch)
{
    (void)scratch;
}

void split_scratch_finish(struct split_scratch *scratch)
{
    pcre2_match_data_free(scratch->match);
    pcre2_match_context_free(scratch->context);
    *scratch = (struct split_scratch){0};
}
