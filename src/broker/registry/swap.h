/* swap.h — the phases of replacing the model that a name stands for by another.
 *
 * The new one is loaded beside the old, answers its golden inputs, and takes over; whatever fails
 * leaves the old in its place. Drain-first: the old one ends before the new is loaded, its requests
 * wait, and after a failure it is loaded again. What is done in a phase is session/'s. */

#ifndef HEARTH_SWAP_H
#define HEARTH_SWAP_H

#include "hearth_base.h"

enum hearth_swap_phase {
    HEARTH_SWAP_NONE,      /* there is none, or it is over */
    HEARTH_SWAP_RECORDING, /* the old one answers golden inputs that have no answer written down */
    HEARTH_SWAP_DRAINING,  /* drain-first: the old one finishes what runs, and ends */
    HEARTH_SWAP_LOADING,   /* the new one */
    HEARTH_SWAP_TESTING,   /* the new one answers the golden inputs */
    HEARTH_SWAP_RESTORING, /* drain-first has failed: the old one is loaded again */
};

/** "none", "recording", … */
const char *hearth_swap_phase_name(enum hearth_swap_phase phase);

/** True if the table of lawful moves has it. */
bool hearth_swap_may_move(enum hearth_swap_phase from, enum hearth_swap_phase to);

/** Moves on; an unlawful move is a programmer's error and aborts. */
void hearth_swap_move(enum hearth_swap_phase *phase, enum hearth_swap_phase to);

#endif
