/* draft.h — private to this room: a grammar while it is being read, as expressions and rules.
 *
 * The readers (schema, GBNF, patterns) build expressions bottom-up; compile.c makes the automaton
 * of them. An expression is named by a number and may be used in several places; each use is
 * compiled on its own. Failing is sticky: the first error stays, what is built after it is
 * DRAFT_NEVER, and whoever asked looks at `code` once. */

#ifndef HEARTH_GRAMMAR_DRAFT_H
#define HEARTH_GRAMMAR_DRAFT_H

#include "hearth_grammar.h"

#define DRAFT_NEVER      0u /* nothing fits */
#define DRAFT_EMPTY      1u /* the empty text */
#define DRAFT_UNLIMITED  UINT32_MAX
#define DRAFT_MAX_HEIGHT 256u /* expressions in expressions: how deep compilation recurses */
#define DRAFT_NO_NAME    ((struct hearth_slice){0})

enum expr_kind {
    EXPR_NEVER,
    EXPR_EMPTY,
    EXPR_TEXT,     /* the bytes text[a … a+b) */
    EXPR_SET,      /* one byte of sets[a] */
    EXPR_SEQUENCE, /* a, then b: longer ones lean to the left */
    EXPR_CHOICE,   /* a or b: as above */
    EXPR_REPEAT,   /* a, counts[b] times */
    EXPR_RULE,     /* what rule a says */
};

struct expr {
    uint32_t kind : 8;
    uint32_t height : 24;
    uint32_t a;
    uint32_t b;
};

struct byte_set {
    uint64_t words[4];
};

struct repetition {
    uint32_t min;
    uint32_t max; /* or DRAFT_UNLIMITED */
};

struct draft_rule {
    uint32_t expr;            /* DRAFT_NEVER until it is known */
    uint32_t line;            /* 0: it was not written by a person */
    struct hearth_slice name; /* lent by the source */
};

struct draft {
    struct hearth_error *err;
    int code; /* the first failure, or 0 */
    struct expr *exprs;
    struct byte_set *sets;
    struct repetition *counts;
    struct draft_rule *rules;
    uint32_t expr_count, set_count, count_count, rule_count;
    uint32_t expr_room, set_room, count_room, rule_room;
    struct hearth_buf text;
};

void draft_init(struct draft *draft, struct hearth_error *err);
void draft_finish(struct draft *draft);
static inline void draft_cleanup(struct draft *draft)
{
    draft_finish(draft);
}

/** Keeps the first failure; returns DRAFT_NEVER. */
uint32_t draft_fail(struct draft *draft, int code, const char *format, ...) HEARTH_PRINTF(3, 4);

/* Each returns an expression. */
uint32_t draft_text(struct draft *draft, struct hearth_slice text);
uint32_t draft_string(struct draft *draft, const char *text);
uint32_t draft_set(struct draft *draft, struct byte_set set);
uint32_t draft_sequence(struct draft *draft, uint32_t a, uint32_t b);
uint32_t draft_choice(struct draft *draft, uint32_t a, uint32_t b);
uint32_t draft_repeat(struct draft *draft, uint32_t a, uint32_t min, uint32_t max);
uint32_t draft_optional(struct draft *draft, uint32_t a);
uint32_t draft_call(struct draft *draft, uint32_t rule);

/** One of @count texts; sorts them. Common beginnings are shared. */
uint32_t draft_texts(struct draft *draft, struct hearth_slice *texts, size_t count);

/** A rule that is not yet written; returns its number (0 for the first, which an answer follows).
 */
uint32_t draft_rule(struct draft *draft, struct hearth_slice name, uint32_t line);
void draft_write_rule(struct draft *draft, uint32_t rule, uint32_t expr);

static inline void byte_set_add(struct byte_set *set, uint8_t first, uint8_t last)
{
    for (unsigned byte = first; byte <= last; byte++) {
        set->words[byte / 64] |= UINT64_C(1) << (byte % 64);
    }
}

static inline bool byte_set_has(const struct byte_set *set, uint8_t byte)
{
    return (set->words[byte / 64] >> (byte % 64) & 1) != 0;
}

#endif
