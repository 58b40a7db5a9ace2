/* pretokenizer_load.c — the object "pre_tokenizer" of a tokenizer.json. */

#include "pretokenize.h"

#define WHERE "pre_tokenizer"

/* What ByteLevel cuts a text into: GPT-2's own words. */
#define GPT2_PATTERN                                                                               \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

static int load_behavior(yyjson_val *name, enum split_behavior *ret, struct hearth_error *err)
{
    static const struct {
        const char *name;
        enum split_behavior behavior;
    } behaviors[] = {
        {"Removed", SPLIT_REMOVED},
        {"Isolated", SPLIT_ISOLATED},
        {"MergedWithPrevious", SPLIT_MERGED_WITH_PREVIOUS},
        {"MergedWithNext", SPLIT_MERGED_WITH_NEXT},
        {"Contiguous", SPLIT_CONTIGUOUS},
    };
    for (size_t i = 0; i < HEARTH_COUNT(behaviors); i++) {
        if (yyjson_equals_str(name, behaviors[i].name)) {
            *ret = behaviors[i].behavior;
            return 0;
        }
    }
    return tokenizer_unsupported(err, WHERE ".behavior", name);
}

static int load_split(struct pretokenizer_step *step, yyjson_val *value, struct hearth_arena *arena,
                      struct hearth_error *err)
{
    struct pattern *pattern = &step->split.pattern;
    pattern->kind = PATTERN_SPLITTER;
    int rc = load_behavior(yyjson_obj_get(value, "behavior"), &step->split.behavior, err);
    if (rc == 0) {
        rc = json_bool(value, "invert", WHERE, &pattern->is_inverted, err);
    }
    return rc < 0 ? rc
                  : splitter_build(yyjson_obj_get(value, "pattern"), WHERE ".pattern", arena,
                                   &pattern->splitter, err);
}

static int load_byte_level(struct pretokenizer_step *step, yyjson_val *value,
                           struct hearth_arena *arena, struct hearth_error *err)
{
    bool uses_regex = true;
    int rc = json_bool(value, "add_prefix_space", WHERE, &step->byte_level.adds_prefix_space, err);
    if (rc == 0) {
        rc = json_bool_or(value, "use_regex", WHERE, true, &uses_regex, err);
    }
    return rc < 0 || !uses_regex
               ? rc
               : splitter_build_regex(GPT2_PATTERN, WHERE, arena, &step->byte_level.splitter, err);
}

/* Before there was a prepend_scheme, add_prefix_space said always or never. */
static int load_metaspace(struct pretokenizer *pretokenizer, struct pretokenizer_step *step,
                          yyjson_val *value, struct hearth_error *err)
{
    yyjson_val *scheme = yyjson_obj_get(value, "prepend_scheme");
    bool adds_prefix = true;
    int rc = json_char(value, "replacement", WHERE, &step->metaspace.replacement, err);
    if (rc == 0) {
        rc = json_bool_or(value, "split", WHERE, true, &step->metaspace.splits, err);
    }
    if (rc == 0) {
        rc = json_bool_or(value, "add_prefix_space", WHERE, true, &adds_prefix, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (!json_is_absent(scheme) && yyjson_equals_str(scheme, "first")) {
        step->metaspace.scheme = PREPEND_FIRST;
        pretokenizer->needs_places = true;
    } else if (!json_is_absent(scheme) && yyjson_equals_str(scheme, "never")) {
        step->metaspace.scheme = PREPEND_NEVER;
    } else if (!json_is_absent(scheme) && !yyjson_equals_str(scheme, "always")) {
        return tokenizer_unsupported(err, WHERE ".prepend_scheme", scheme);
    }
    if (!adds_prefix && !json_is_absent(scheme) && step->metaspace.scheme != PREPEND_NEVER) {
        return tokenizer_invalid(err, WHERE, "add_prefix_space contradicts prepend_scheme");
    }
    step->metaspace.scheme = adds_prefix ? step->metaspace.scheme : PREPEND_NEVER;
    return 0;
}

static int load_pattern(struct pretokenizer_step *step, yyjson_val *value, struct hearth_error *err)
{
    struct pattern *pattern = &step->split.pattern;
    step->split.behavior = SPLIT_REMOVED;
    if (json_is_type(value, "WhitespaceSplit")) {
        pattern->kind = PATTERN_SPACE;
        return 0;
    }
    if (json_is_type(value, "CharDelimiterSplit")) {
        pattern->kind = PATTERN_CHAR;
        return json_char(value, "delimiter", WHERE, &pattern->c, err);
    }
    if (json_is_type(value, "Punctuation")) {
        yyjson_val *behavior = yyjson_obj_get(value, "behavior");
        pattern->kind = PATTERN_PUNCTUATION;
        step->split.behavior = SPLIT_ISOLATED;
        return json_is_absent(behavior) ? 0 : load_behavior(behavior, &step->split.behavior, err);
    }
    bool stands_alone = false;
    int rc = json_bool(value, "individual_digits", WHERE, &stands_alone, err);
    pattern->kind = PATTERN_NUMBER;
    step->split.behavior = stands_alone ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
    return rc;
}

static int load_step(struct pretokenizer *pretokenizer, yyjson_val *value,
                     struct hearth_arena *arena, struct hearth_error *err)
{
    static const struct {
        const char *name;
        enum pretokenizer_kind kind;
        bool is_pattern;
    } kinds[] = {
        {"BertPreTokenizer", PRETOKENIZER_BERT, false},
        {"Whitespace", PRETOKENIZER_WHITESPACE, false},
        {"ByteLevel", PRETOKENIZER_BYTE_LEVEL, false},
        {"Metaspace", PRETOKENIZER_METASPACE, false},
        {"Split", PRETOKENIZER_SPLIT, false},
        {"WhitespaceSplit", PRETOKENIZER_SPLIT, true},
        {"Punctuation", PRETOKENIZER_SPLIT, true},
        {"Digits", PRETOKENIZER_SPLIT, true},
        {"CharDelimiterSplit", PRETOKENIZER_SPLIT, true},
    };
    size_t i = 0;
    while (i < HEARTH_COUNT(kinds) && !json_is_type(value, kinds[i].name)) {
        i++;
    }
    if (i == HEARTH_COUNT(kinds)) {
        return tokenizer_unsupported(err, WHERE, value);
    }
    if (pretokenizer->count == HEARTH_TOKENIZER_MAX_STEPS) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, WHERE ": more than %u steps",
                           HEARTH_TOKENIZER_MAX_STEPS);
    }
    struct pretokenizer_step *step = &pretokenizer->steps[pretokenizer->count++];
    step->kind = kinds[i].kind;
    if (kinds[i].is_pattern) {
        return load_pattern(step, value, err);
    }
    switch (step->kind) {
    case PRETOKENIZER_BYTE_LEVEL: return load_byte_level(step, value, arena, err);
    case PRETOKENIZER_METASPACE: return load_metaspace(pretokenizer, step, value, err);
    case PRETOKENIZER_SPLIT: return load_split(step, value, arena, err);
    case PRETOKENIZER_BERT:
    case PRETOKENIZER_WHITESPACE: break;
    }
    return 0;
}

static int load(struct pretokenizer *pretokenizer, yyjson_val *value, unsigned depth,
                struct hearth_arena *arena, struct hearth_error *err)
{
    int rc = json_check_keys(value, WHERE, err);
    if (rc < 0 || !json_is_type(value, "Sequence")) {
        return rc < 0 ? rc : load_step(pretokenizer, value, arena, err);
    }
    yyjson_val *list = NULL;
    rc = json_sequence(value, "pretokenizers", WHERE, depth, &list, err);
    size_t i = 0;
    size_t max = 0;
    yyjson_val *member = NULL;
    yyjson_arr_foreach(list, i, max, member)
    {
        rc = rc < 0 ? rc : load(pretokenizer, member, depth + 1, arena, err);
    }
    return rc;
}

int pretokenizer_load(struct pretokenizer *pretokenizer, yyjson_val *value,
                      struct hearth_arena *arena, struct hearth_error *err)
{
    if (json_is_absent(value)) {
        return 0; /* the whole text is one part */
    }
    pretokenizer->steps =
        hearth_arena_alloc(arena, HEARTH_TOKENIZER_MAX_STEPS, sizeof *pretokenizer->steps);
    return pretokenizer->steps == NULL ? hearth_fail_oom(err)
                                       : load(pretokenizer, value, 0, arena, err);
}
