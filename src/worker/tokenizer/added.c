/* added.c — added tokens: reading them, and finding them in text.
 *
 * The leftmost match wins, of those the longest, of equal patterns the special and then the earlier
 * one. A match that single_word refuses is skipped whole: the search goes on behind it. */

#include "tokenizer_priv.h"

#include <stdlib.h>
#include <string.h>

static int compare_patterns(const void *left, const void *right)
{
    const struct added_token *a = *(struct added_token *const *)left;
    const struct added_token *b = *(struct added_token *const *)right;
    size_t shared = HEARTH_MIN(a->pattern.size, b->pattern.size);
    int order = memcmp(a->pattern.data, b->pattern.data, shared);
    if (order != 0) {
        return order;
    }
    if (a->pattern.size != b->pattern.size) {
        return a->pattern.size < b->pattern.size ? -1 : 1;
    }
    if (a->is_special != b->is_special) {
        return a->is_special ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

static int build_set(struct hearth_tokenizer *tokenizer, struct added_set *set, bool is_normalized,
                     struct hearth_error *err)
{
    set->tokens =
        hearth_arena_alloc(&tokenizer->arena, tokenizer->added_count, sizeof(struct added_token *));
    if (set->tokens == NULL) {
        return hearth_fail_oom(err);
    }
    for (size_t i = 0; i < tokenizer->added_count; i++) {
        struct added_token *token = &tokenizer->added[i];
        if (token->is_normalized == is_normalized) {
            set->tokens[set->count++] = token;
            set->starts[token->pattern.data[0]] = true;
        }
    }
    qsort(set->tokens, set->count, sizeof(struct added_token *), compare_patterns);
    return 0;
}

/* A token of the vocabulary keeps its id; others follow behind it in the order of the file. */
static int check_id(struct hearth_tokenizer *tokenizer, struct added_token *token, uint64_t written,
                    struct hearth_error *err)
{
    uint32_t id = vocab_find_text(&tokenizer->vocab, token->content);
    if (id == NO_ID) {
        id = tokenizer->vocab.count + tokenizer->beyond_vocab;
        tokenizer->beyond_pieces[tokenizer->beyond_vocab++] = (const char *)token->content.data;
    }
    if (written != id) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "added_tokens[%u]: its id should be %u by the vocabulary", token->order,
                           id);
    }
    token->id = id;
    return 0;
}

static int set_pattern(struct hearth_tokenizer *tokenizer, struct added_token *token,
                       struct normal_scratch *scratch, struct hearth_error *err)
{
    token->pattern = token->content;
    if (!token->is_normalized) {
        return 0;
    }
    const struct view view = {token->content, NULL, 0};
    struct view normalized;
    int rc = normalize(&tokenizer->normalizer, &view, false, scratch, &normalized);
    if (rc < 0) {
        return hearth_fail(err, rc, "added_tokens[%u]: %s", token->order,
                           hearth_error_sentence(rc));
    }
    struct hearth_slice normal = normalized.text;
    if (normal.size == 0) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "added_tokens[%u]: nothing is left of it after normalisation",
                           token->order);
    }
    char *copy = hearth_arena_copy(&tokenizer->arena, normal);
    if (copy == NULL) {
        return hearth_fail_oom(err);
    }
    token->pattern = hearth_slice_of(copy, normal.size);
    return 0;
}

static int load_one(struct hearth_tokenizer *tokenizer, yyjson_val *value,
                    struct normal_scratch *scratch, struct hearth_error *err)
{
    struct added_token *token = &tokenizer->added[tokenizer->added_count];
    token->order = (uint32_t)tokenizer->added_count;
    struct hearth_slice content;
    yyjson_val *id = yyjson_obj_get(value, "id");
    if (!json_string(yyjson_obj_get(value, "content"), &content) || content.size == 0 ||
        content.size > HEARTH_TOKENIZER_MAX_PIECE_BYTES || !yyjson_is_uint(id)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "added_tokens[%u]: needs a numeric id and a content of 1 … %u bytes",
                           token->order, HEARTH_TOKENIZER_MAX_PIECE_BYTES);
    }
    for (size_t i = 0; i < tokenizer->added_count; i++) {
        if (hearth_slice_equal(tokenizer->added[i].content, content)) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "added_tokens[%u]: the same content as added_tokens[%zu]",
                               token->order, i);
        }
    }
    const struct {
        const char *key;
        bool *to;
    } flags[] = {
        {"single_word", &token->is_single_word}, {"lstrip", &token->takes_left_space},
        {"rstrip", &token->takes_right_space},   {"normalized", &token->is_normalized},
        {"special", &token->is_special},
    };
    for (size_t i = 0; i < HEARTH_COUNT(flags); i++) {
        int rc = json_bool(value, flags[i].key, "added_tokens", flags[i].to, err);
        if (rc < 0) {
            return rc;
        }
    }
    char *copy = hearth_arena_copy(&tokenizer->arena, content);
    if (copy == NULL) {
        return hearth_fail_oom(err);
    }
    token->content = hearth_slice_of(copy, content.size);
    int rc = check_id(tokenizer, token, yyjson_get_uint(id), err);
    return rc < 0 ? rc : set_pattern(tokenizer, token, scratch, err);
}

static int load_all(struct hearth_tokenizer *tokenizer, yyjson_val *array,
                    struct normal_scratch *scratch, struct hearth_error *err)
{
    size_t i = 0;
    size_t max = 0;
    yyjson_val *value = NULL;
    yyjson_arr_foreach(array, i, max, value)
    {
        int rc = load_one(tokenizer, value, scratch, err);
        if (rc < 0) {
            return rc;
        }
        tokenizer->added_count++;
    }
    return 0;
}

int added_load(struct hearth_tokenizer *tokenizer, yyjson_val *array, struct hearth_error *err)
{
    size_t count = yyjson_arr_size(array);
    if (array != NULL && !yyjson_is_arr(array)) {
        return tokenizer_invalid(err, "added_tokens", "it is not a list");
    }
    if (count > HEARTH_TOKENIZER_MAX_ADDED) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "added_tokens: %zu entries, at most %u", count,
                           HEARTH_TOKENIZER_MAX_ADDED);
    }
    struct hearth_arena *arena = &tokenizer->arena;
    tokenizer->added = hearth_arena_alloc(arena, count, sizeof *tokenizer->added);
    tokenizer->beyond_pieces = hearth_arena_alloc(arena, count, sizeof *tokenizer->beyond_pieces);
    if (tokenizer->added == NULL || tokenizer->beyond_pieces == NULL) {
        return hearth_fail_oom(err);
    }
    struct tokenizer_scratch *scratch = scratch_create();
    if (scratch == NULL) {
        return hearth_fail_oom(err);
    }
    int rc = load_all(tokenizer, array, &scratch->normal, err);
    scratch_destroy(scratch);
    if (rc == 0) {
        rc = build_set(tokenizer, &tokenizer->raw, false, err);
    }
    return rc < 0 ? rc : build_set(tokenizer, &tokenizer->normalized, true, err);
}
/* The first of tokens[low … high) whose byte at @depth is not below @byte. */
static size_t lower_bound(const struct added_set *set, size_t low, size_t high, size_t depth,
                          unsigned byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct hearth_slice pattern = set->tokens[middle]->pattern;
        if (pattern.size <= depth || pattern.data[depth] < byte) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const struct added_token *longest_at(const struct added_set *set, struct hearth_slice text,
                                            size_t at)
{
    const struct added_token *found = NULL;
    size_t low = 0;
    size_t high = set->count;
    for (size_t depth = 0; at + depth < text.size && low < high; depth++) {
        unsigned byte = text.data[at + depth];
        low = lower_bound(set, low, high, depth, byte);
        high = lower_bound(set, low, high, depth, byte + 1);
        if (low < high && set->tokens[low]->pattern.size == depth + 1) {
            found = set->tokens[low]; /* whole patterns sort before their extensions */
        }
    }
    return found;
}

static uint32_t char_before(struct hearth_slice text, size_t at)
{
    size_t start = at - 1;
    while (start > 0 && (text.data[start] & 0xC0) == 0x80) {
        start--;
    }
    uint32_t c = 0;
    hearth_utf8_read(text, start, &c);
    return c;
}

static bool is_single_word(struct hearth_slice text, size_t start, size_t stop)
{
    uint32_t after = ' ';
    if (stop < text.size) {
        hearth_utf8_read(text, stop, &after);
    }
    return (start == 0 || !unicode_is_word(char_before(text, start))) && !unicode_is_word(after);
}

static size_t space_before(struct hearth_slice text, size_t at, size_t floor)
{
    while (at > floor && unicode_is_space(char_before(text, at))) {
        do {
            at--;
        } while ((text.data[at] & 0xC0) == 0x80);
    }
    return at;
}

/* The end of the white space at @at. Tokens may follow each other inside one stretch of it, so the
 * last stretch is remembered: measuring it again for each would cost its square. */
static size_t space_after(struct added_scan *scan, size_t at)
{
    if (at < scan->space_from || at > scan->space_to) {
        scan->space_from = at;
        scan->space_to = at;
    }
    while (scan->space_to < scan->text.size) {
        uint32_t c;
        unsigned length = hearth_utf8_read(scan->text, scan->space_to, &c);
        if (!unicode_is_space(c)) {
            break;
        }
        scan->space_to += length;
    }
    return scan->space_to;
}

static const struct added_token *next_match(const struct added_set *set, struct added_scan *scan,
                                            size_t *ret_start)
{
    const uint8_t *data = scan->text.data;
    while (set->count > 0 && scan->search_from < scan->text.size) {
        size_t start = scan->search_from;
        while (start < scan->text.size && !set->starts[data[start]]) {
            start++;
        }
        scan->search_from = start;
        if (start == scan->text.size) {
            break;
        }
        const struct added_token *token = longest_at(set, scan->text, start);
        scan->search_from += token != NULL ? token->pattern.size : 1;
        if (token != NULL &&
            (!token->is_single_word || is_single_word(scan->text, start, scan->search_from))) {
            *ret_start = start;
            return token;
        }
    }
    return NULL;
}

bool added_next(const struct added_set *set, struct added_scan *scan, struct added_split *ret)
{
    if (scan->is_at_end) {
        return false;
    }
    size_t start = scan->text.size;
    const struct added_token *token = next_match(set, scan, &start);
    size_t stop = scan->search_from;
    ret->id = NO_ID;
    if (token == NULL) {
        scan->is_at_end = true;
        start = scan->text.size;
        stop = start;
    } else {
        ret->id = token->id;
        if (token->takes_left_space) {
            start = start > scan->done ? space_before(scan->text, start, scan->done) : scan->done;
        }
        if (token->takes_right_space) {
            stop = space_after(scan, stop);
        }
    }
    ret->gap_start = scan->done;
    ret->gap_end = HEARTH_MAX(start, scan->done);
    ret->start = HEARTH_MIN(start, stop);
    ret->end = stop;
    scan->done = stop;
    return true;
}
