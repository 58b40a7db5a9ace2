/* matcher.h — private to this room: a matcher walks, and what it walks on is renewed beneath it. */

#ifndef HEARTH_GRAMMAR_MATCHER_H
#define HEARTH_GRAMMAR_MATCHER_H

#include "machine.h"

#define MATCHER_MAGIC 0x4d415443u

struct hearth_matcher {
    uint32_t magic;
    struct hearth_grammar *grammar; /* an owner of it; NULL before the first */
    struct machine *machines[2];    /* one at work; the other takes over when that one is full */
    unsigned working;
    /* walk[0] is where the answer stands; behind it, the places of a walk that is being tried. */
    uint16_t walk[HEARTH_GRAMMAR_MAX_TOKEN_BYTES + 1];
};

static inline struct machine *matcher_machine(const struct hearth_matcher *matcher)
{
    return matcher->machines[matcher->working];
}

static inline const struct place *matcher_place(const struct hearth_matcher *matcher)
{
    return machine_place(matcher_machine(matcher), matcher->walk[0]);
}

/** The step from walk[@at] by a class of bytes: a place, MACHINE_DEAD or MACHINE_TANGLED. May
 *  renumber all of walk[0 … at]; nothing behind is kept. */
uint16_t matcher_step(struct hearth_matcher *matcher, size_t at, uint8_t class_number);

#endif
