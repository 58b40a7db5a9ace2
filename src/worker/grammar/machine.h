/* machine.h — private to this room: a grammar at work, its steps remembered.
 *
 * A *frame* is what lies on the stack: where to go on, and in a repetition how often. Frames know
 * the one below, so stacks share what they have in common. A *place* is the set of all (state,
 * frame) pairs that an answer can be read as. Equal frames and equal places are kept once, so a
 * place is a number, and the step from a place by a class of bytes is worked out once.
 *
 * The room is fixed. When it is full, MACHINE_FULL asks for a fresh machine to which the places
 * that still matter are moved. */

#ifndef HEARTH_GRAMMAR_MACHINE_H
#define HEARTH_GRAMMAR_MACHINE_H

#include "automaton.h"

#define MACHINE_FRAMES 16384u
#define MACHINE_PLACES 4096u
#define MACHINE_PAIRS  65536u
#define MACHINE_STEPS  (MACHINE_PLACES * 64u) /* places × classes of bytes */

/* What a step leads to, if not to a place. */
#define MACHINE_UNKNOWN 0u
#define MACHINE_DEAD    1u      /* the byte does not fit */
#define MACHINE_FULL    0xFFFEu /* no room */
#define MACHINE_TANGLED 0xFFFFu /* more than HEARTH_GRAMMAR_MAX_WAYS readings */
#define MACHINE_FIRST   2u      /* the first number of a place */

static inline bool machine_is_place(uint16_t step)
{
    return step >= MACHINE_FIRST && step < MACHINE_FULL;
}

struct place {
    uint32_t pairs; /* where they begin */
    uint16_t pair_count;
    bool may_end;
    bool knows_calm;
    uint8_t calm_groups; /* of bytes (vocabulary.h): whichever of these come, … */
    uint8_t calm_bytes;  /* … so many can follow; VOCABULARY_HIGH: any number */
    uint32_t distance;   /* bytes to the end */
};

struct machine;

int machine_create(struct machine **ret);
void machine_destroy(struct machine *machine);

/** Forgets everything and works for @grammar (lent). */
void machine_clear(struct machine *machine, const struct hearth_grammar *grammar);

/** The place at the beginning of an answer, or MACHINE_TANGLED. The machine is clear. */
uint16_t machine_start(struct machine *machine);

/** The same place as @place of @from, which works for the same grammar; or MACHINE_FULL. Between
 *  machine_begin_adoption() and the last call @from must not change. */
uint16_t machine_adopt(struct machine *machine, const struct machine *from, uint16_t place);
void machine_begin_adoption(struct machine *machine);

const struct place *machine_place(const struct machine *machine, uint16_t place);
struct place *machine_place_to_note(struct machine *machine, uint16_t place);

/** The bytes that lead on from @place. */
struct byte_set machine_bytes(const struct machine *machine, uint16_t place);

/** Steps already known: rows of class_count, one a place; for the inner loop of the mask. */
const uint16_t *machine_steps(const struct machine *machine);

/** How much the last step that was worked out cost: pairs looked at, and something for itself. */
uint32_t machine_work(const struct machine *machine);

/** Works the step out (or recalls it). */
uint16_t machine_step(struct machine *machine, uint16_t place, uint8_t class_number);

#endif
