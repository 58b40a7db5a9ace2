/* draft.c — building expressions. See draft.h. */

#include "draft.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM 64u

void draft_init(struct draft *draft, struct hearth_error *err)
{
    *draft = (struct draft){.err = err};
    /* Escapes make a text at most as long as its source; names are written once for each use. */
    hearth_buf_init(&draft->text, 16u * HEARTH_GRAMMAR_MAX_SOURCE_BYTES);
}

void draft_finish(struct draft *draft)
{
    hearth_free(draft->exprs);
    hearth_free(draft->sets);
    hearth_free(draft->counts);
    hearth_free(draft->rules);
    hearth_buf_wipe(&draft->text);
    hearth_buf_finish(&draft->text);
}

uint32_t draft_fail(struct draft *draft, int code, const char *format, ...)
{
    if (draft->code == 0) {
        char text[sizeof draft->err->text];
        va_list args;
        va_start(args, format);
        (void)vsnprintf(text, sizeof text, format, args);
        va_end(args);
        draft->code = hearth_fail(draft->err, code, "%s", text);
    }
    return DRAFT_NEVER;
}

/* Room for one element more. */
static bool reserve(struct draft *draft, void *array, uint32_t *room, uint32_t count, size_t size,
                    uint32_t most)
{
    void **elements = array;
    if (draft->code != 0) {
        return false;
    }
    if (count < *room) {
        return true;
    }
    if (count >= most) {
        draft_fail(draft, HEARTH_E_TOO_LARGE, "the grammar has more than %u parts", most);
        return false;
    }
    uint32_t wanted = HEARTH_MIN(*room == 0 ? FIRST_ROOM : 2 * *room, most);
    void *grown = hearth_realloc(*elements, wanted, size);
    if (grown == NULL) {
        draft_fail(draft, HEARTH_E_NO_MEMORY, "out of memory");
        return false;
    }
    *elements = grown;
    *room = wanted;
    return true;
}

static uint32_t add(struct draft *draft, enum expr_kind kind, uint32_t a, uint32_t b,
                    uint32_t height)
{
    if (height > DRAFT_MAX_HEIGHT) {
        return draft_fail(draft, HEARTH_E_TOO_LARGE, "the grammar is nested more than %u deep",
                          DRAFT_MAX_HEIGHT);
    }
    while (draft->expr_count < 2 || kind != EXPR_EMPTY) { /* the two that everybody knows first */
        if (!reserve(draft, &draft->exprs, &draft->expr_room, draft->expr_count,
                     sizeof *draft->exprs, HEARTH_GRAMMAR_MAX_NODES)) {
            return DRAFT_NEVER;
        }
        uint32_t at = draft->expr_count++;
        if (at < 2) {
            draft->exprs[at] = (struct expr){.kind = at == 0 ? EXPR_NEVER : EXPR_EMPTY};
            continue;
        }
        draft->exprs[at] =
            (struct expr){.kind = kind, .height = height & 0xFFFFFFu, .a = a, .b = b};
        return at;
    }
    return DRAFT_EMPTY;
}

static uint32_t height_of(const struct draft *draft, uint32_t expr)
{
    return expr < draft->expr_count ? draft->exprs[expr].height : 0;
}

uint32_t draft_text(struct draft *draft, struct hearth_slice text)
{
    if (text.size == 0) {
        return DRAFT_EMPTY;
    }
    uint32_t offset = (uint32_t)draft->text.size;
    int rc = hearth_buf_append(&draft->text, text.data, text.size);
    if (rc < 0) {
        return draft_fail(draft, rc,
                          rc == HEARTH_E_TOO_LARGE ? "the grammar has too much text"
                                                   : "out of memory");
    }
    return add(draft, EXPR_TEXT, offset, (uint32_t)text.size, 0);
}

uint32_t draft_string(struct draft *draft, const char *text)
{
    return draft_text(draft, hearth_slice_of_string(text));
}

uint32_t draft_set(struct draft *draft, struct byte_set set)
{
    if ((set.words[0] | set.words[1] | set.words[2] | set.words[3]) == 0) {
        return DRAFT_NEVER;
    }
    if (!reserve(draft, &draft->sets, &draft->set_room, draft->set_count, sizeof *draft->sets,
                 HEARTH_GRAMMAR_MAX_NODES)) {
        return DRAFT_NEVER;
    }
    draft->sets[draft->set_count] = set;
    return add(draft, EXPR_SET, draft->set_count++, 0, 0);
}

uint32_t draft_sequence(struct draft *draft, uint32_t a, uint32_t b)
{
    if (a == DRAFT_NEVER || b == DRAFT_NEVER) {
        return DRAFT_NEVER;
    }
    if (a == DRAFT_EMPTY || b == DRAFT_EMPTY) {
        return a == DRAFT_EMPTY ? b : a;
    }
    uint32_t height = HEARTH_MAX(height_of(draft, a), height_of(draft, b) + 1);
    return add(draft, EXPR_SEQUENCE, a, b, height);
}

uint32_t draft_choice(struct draft *draft, uint32_t a, uint32_t b)
{
    if (a == b || a == DRAFT_NEVER || b == DRAFT_NEVER) {
        return a == DRAFT_NEVER ? b : a;
    }
    uint32_t height = HEARTH_MAX(height_of(draft, a), height_of(draft, b) + 1);
    return add(draft, EXPR_CHOICE, a, b, height);
}

uint32_t draft_repeat(struct draft *draft, uint32_t a, uint32_t min, uint32_t max)
{
    if (min > max) {
        return DRAFT_NEVER;
    }
    if (max == 0 || a == DRAFT_EMPTY || (a == DRAFT_NEVER && min == 0)) {
        return DRAFT_EMPTY;
    }
    if (a == DRAFT_NEVER || (min == 1 && max == 1)) {
        return a;
    }
    if (!reserve(draft, &draft->counts, &draft->count_room, draft->count_count,
                 sizeof *draft->counts, HEARTH_GRAMMAR_MAX_NODES)) {
        return DRAFT_NEVER;
    }
    draft->counts[draft->count_count] = (struct repetition){min, max};
    return add(draft, EXPR_REPEAT, a, draft->count_count++, height_of(draft, a) + 1);
}

uint32_t draft_optional(struct draft *draft, uint32_t a)
{
    return draft_repeat(draft, a, 0, 1);
}

uint32_t draft_call(struct draft *draft, uint32_t rule)
{
    return add(draft, EXPR_RULE, rule, 0, 0);
}

uint32_t draft_rule(struct draft *draft, struct hearth_slice name, uint32_t line)
{
    if (!reserve(draft, &draft->rules, &draft->rule_room, draft->rule_count, sizeof *draft->rules,
                 HEARTH_GRAMMAR_MAX_RULES)) {
        return 0;
    }
    draft->rules[draft->rule_count] =
        (struct draft_rule){.expr = DRAFT_NEVER, .line = line, .name = name};
    return draft->rule_count++;
}

void draft_write_rule(struct draft *draft, uint32_t rule, uint32_t expr)
{
    if (draft->code == 0) {
        draft->rules[rule].expr = expr;
    }
}

/* ---- one of several texts ------------------------------------------------------------------- */

static int compare_texts(const void *left, const void *right)
{
    const struct hearth_slice *a = left;
    const struct hearth_slice *b = right;
    size_t both = HEARTH_MIN(a->size, b->size);
    int order = both == 0 ? 0 : memcmp(a->data, b->data, both);
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

/* Sorted texts that are equal up to @at. Each level parts at least one text from the others, and
 * the height of expressions ends what would nest too deep. */
static uint32_t shared_texts(struct draft *draft, const struct hearth_slice *texts, size_t count,
                             size_t at, uint32_t level)
{
    if (level > DRAFT_MAX_HEIGHT / 2) {
        return draft_fail(draft, HEARTH_E_TOO_LARGE, "texts begin alike more than %u times",
                          DRAFT_MAX_HEIGHT / 2);
    }
    uint32_t all = DRAFT_NEVER;
    size_t i = 0;
    for (; i < count && texts[i].size == at; i++) {
        all = DRAFT_EMPTY; /* this one ends here, and its doubles */
    }
    while (i < count && draft->code == 0) {
        size_t same = i + 1;
        while (same < count && texts[same].data[at] == texts[i].data[at]) {
            same++;
        }
        /* Sorted: what the first and the last share, all between them share. */
        size_t until = at + 1;
        while (until < texts[i].size && texts[i].data[until] == texts[same - 1].data[until]) {
            until++;
        }
        struct hearth_slice begin = hearth_slice_of(texts[i].data + at, until - at);
        uint32_t rest = shared_texts(draft, texts + i, same - i, until, level + 1);
        uint32_t text = draft_text(draft, begin);
        all = draft_choice(draft, all, draft_sequence(draft, text, rest));
        i = same;
    }
    return all;
}

uint32_t draft_texts(struct draft *draft, struct hearth_slice *texts, size_t count)
{
    qsort(texts, count, sizeof *texts, compare_texts);
    return shared_texts(draft, texts, count, 0, 0);
}
