/* err.h — filling and naming errors. The list itself is include/hearth/errors.h. */

#ifndef HEARTH_ERR_H
#define HEARTH_ERR_H

#include "lang.h"

#include <hearth/errors.h>
#include <hearth/types.h>

/**
 * Fills @err (if not NULL) with @code and the formatted detail; returns @code, so that a function
 * may `return hearth_fail(…)`. The text must name what was wrong and where, never content.
 */
int hearth_fail(struct hearth_error *err, int code, const char *format, ...) HEARTH_PRINTF(3, 4);

/** As hearth_fail(), with errno recorded and its words appended. */
int hearth_fail_errno(struct hearth_error *err, int code, const char *format, ...)
    HEARTH_PRINTF(3, 4);

/** Says that an allocation failed; returns HEARTH_E_NO_MEMORY. */
int hearth_fail_oom(struct hearth_error *err);

/**
 * Puts a clause in front of what @err says ("load \"tiny\": open weights: permission denied") and
 * returns @code. A text that no longer fits is cut at the end.
 */
int hearth_because(struct hearth_error *err, int code, const char *format, ...) HEARTH_PRINTF(3, 4);

/* More facts of one code (name, sentence and remedy are in hearth/types.h); an unknown code is
 * described as INTERNAL. All strings are constants. */
const char *hearth_error_v1(int code);
int hearth_error_http(int code);
bool hearth_error_is_retryable(int code);
bool hearth_error_is_known(int code);

#endif
