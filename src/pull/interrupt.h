/* interrupt.h — Ctrl-C and SIGTERM end a fetch between two pieces, so that what has come is kept.
 */

#ifndef HEARTH_PULL_INTERRUPT_H
#define HEARTH_PULL_INTERRUPT_H

#include "problem.h"

/** From now on the signals are noted and do not end the process by themselves. */
void pull_interrupt_install(void);

/** The signal that came, or 0. */
int pull_interrupted(void);

/** Sleeps; returns early, and false, if a signal came. */
bool pull_interrupt_sleep(unsigned seconds);

/** Fills @problem with what came; returns HEARTH_E_CANCELLED. */
int pull_fail_interrupted(struct pull_problem *problem);

#endif
