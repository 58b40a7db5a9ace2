/* automaton.h — private to this room: a compiled grammar, an automaton over bytes with a stack.
 *
 * A rule is called and returns, so what is to come after it lies on the stack; a repetition keeps
 * its count there. For every state it is known how many bytes the shortest way to the end of its
 * rule has and how deep the stack gets on it, so that nothing is begun that could not be ended. */

#ifndef HEARTH_GRAMMAR_AUTOMATON_H
#define HEARTH_GRAMMAR_AUTOMATON_H

#include "draft.h"

#include <stdatomic.h>

#define GRAMMAR_MAGIC 0x47524d52u
#define COST_NEVER    (1u << 28) /* no way to the end; sums stay below 2^32 */

enum state_kind {
    STATE_RETURN, /* the end of a rule, or of one round of a repetition */
    STATE_SET,    /* a byte of sets[a], then b */
    STATE_SPLIT,  /* a or b */
    STATE_CALL,   /* rule a, then b */
    STATE_COUNT,  /* counters[a], then b */
};

struct state {
    uint32_t kind : 3;
    uint32_t need : 13; /* how much the stack grows on the shortest way to the end of the rule */
    uint32_t a;
    uint32_t b;
    uint32_t cost; /* bytes of that way, or COST_NEVER */
};

struct counter {
    uint32_t body;
    uint32_t min;
    uint32_t max; /* or DRAFT_UNLIMITED */
};

struct hearth_grammar {
    uint32_t magic;
    atomic_uint owners;
    struct state *states;
    struct counter *counters;
    struct byte_set *sets;
    uint32_t *starts; /* of rules; the answer follows the first */
    uint32_t state_count, counter_count, set_count, rule_count;
    uint8_t class_of[256]; /* bytes that no state tells apart are one class */
    uint8_t class_byte[256];
    uint8_t class_groups[256]; /* of its bytes, one bit each (vocabulary.h) */
    uint32_t class_count;
};

/** Compiles what was drafted, rule 0 first. Takes nothing over. */
int grammar_compile(struct draft *draft, struct hearth_grammar **ret);

/** Finds the shortest ways to the end; refuses rules that begin with themselves and grammars that
 *  never end. The states of rule r are those from @first[r] to before @first[r + 1]. */
int grammar_measure(struct hearth_grammar *grammar, const uint32_t *first, struct draft *draft);

static inline uint32_t cost_sum(uint32_t a, uint32_t b)
{
    return HEARTH_MIN(a + b, COST_NEVER);
}

static inline uint32_t cost_times(uint32_t cost, uint32_t times)
{
    uint64_t product = (uint64_t)cost * times;
    return product < COST_NEVER ? (uint32_t)product : COST_NEVER;
}

#endif
