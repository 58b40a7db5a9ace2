/* self_check.h — does the harness tell the truth? Answered on data whose truth is known. */

#ifndef HEARTH_SELF_CHECK_H
#define HEARTH_SELF_CHECK_H

#include "hearth_harness.h"

#define HEARTH_SELF_CHECK_RUNS 1000u

/** One claim about many runs, and how often it held. */
struct hearth_self_check_row {
    const char *claim;
    unsigned runs;
    unsigned held;
    double least; /* share that must hold … */
    double most; /* … and must not be passed: too wide an interval is not the stated one either */
};

/**
 * Checks by @runs runs a claim, seeded, so that the same @runs give the same answer everywhere;
 * prints a table to @out unless it is NULL. Takes about a minute for HEARTH_SELF_CHECK_RUNS.
 *
 * Returns the number of claims that do not hold; HEARTH_E_NO_MEMORY.
 */
int hearth_self_check(unsigned runs, FILE *out);

#endif
