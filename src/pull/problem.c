/* problem.c — see problem.h. */

#include "problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

HEARTH_PRINTF(4, 0)
static void fill(struct pull_problem *problem, int code, const char *remedy, const char *format,
                 va_list args)
{
    *problem = (struct pull_problem){.err.code = code};
    vsnprintf(problem->err.text, sizeof problem->err.text, format, args);
    snprintf(problem->remedy, sizeof problem->remedy, "%s", remedy);
}

int pull_fail(struct pull_problem *problem, int code, const char *remedy, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(problem, code, remedy, format, args);
    va_end(args);
    return code;
}

int pull_fail_errno(struct pull_problem *problem, const char *remedy, const char *format, ...)
{
    int found = errno;
    bool is_full = found == ENOSPC || found == EDQUOT || found == EFBIG;
    va_list args;
    va_start(args, format);
    fill(problem, HEARTH_E_SYSTEM,
         is_full ? "free some space, or choose another --cache or --models; what has come is kept"
                 : remedy,
         format, args);
    va_end(args);
    size_t used = strlen(problem->err.text);
    snprintf(problem->err.text + used, sizeof problem->err.text - used, ": %s",
             strerrordesc_np(found));
    problem->err.sys_errno = found;
    return HEARTH_E_SYSTEM;
}

int pull_fail_oom(struct pull_problem *problem)
{
    return pull_fail(problem, HEARTH_E_NO_MEMORY, "free memory and try again", "out of memory");
}

void pull_problem_print(const struct pull_problem *problem)
{
    fprintf(stderr, "hearth-pull: %s\n  try: %s\n", problem->err.text, problem->remedy);
}
