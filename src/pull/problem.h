/* problem.h — what went wrong, and what the person who runs this can do about it. */

#ifndef HEARTH_PULL_PROBLEM_H
#define HEARTH_PULL_PROBLEM_H

#include "hearth_base.h"

struct pull_problem {
    struct hearth_error err;
    char remedy[320];
};

/** Fills @problem and returns @code. @remedy is one sentence without a full stop. */
int pull_fail(struct pull_problem *problem, int code, const char *remedy, const char *format, ...)
    HEARTH_PRINTF(4, 5);

/** As pull_fail(), with the words of errno behind the text; a full disk gets its own remedy. */
int pull_fail_errno(struct pull_problem *problem, const char *remedy, const char *format, ...)
    HEARTH_PRINTF(3, 4);

int pull_fail_oom(struct pull_problem *problem);

/** Prints it to standard error. */
void pull_problem_print(const struct pull_problem *problem);

#endif
