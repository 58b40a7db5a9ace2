/* err.c — filling and naming errors; nothing here allocates. */

#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fact {
    int code;
    int http;
    bool is_retryable;
    const char *name;
    const char *v1;
    const char *sentence;
    const char *remedy;
};

static const struct fact facts[] = {
#define FACT(NAME, number, name, retryable, v1, http, sentence, remedy)                            \
    {-(number), http, (retryable) != 0, name, v1, sentence, remedy},
    HEARTH_ERRORS(FACT)
#undef FACT
};

/* The list is frozen by number and short, so the search is a scan. */
static const struct fact *fact_of(int code)
{
    const struct fact *internal = NULL;
    for (size_t i = 0; i < HEARTH_COUNT(facts); i++) {
        if (facts[i].code == code) {
            return &facts[i];
        }
        if (facts[i].code == HEARTH_E_INTERNAL) {
            internal = &facts[i];
        }
    }
    return internal;
}

void hearth_abort_at(const char *file, int line, const char *claim)
{
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, claim);
    abort();
}

HEARTH_PRINTF(4, 0)
static int fill(struct hearth_error *err, int code, int sys_errno, const char *format, va_list args)
{
    if (err != NULL) {
        err->code = code;
        err->sys_errno = sys_errno;
        vsnprintf(err->text, sizeof err->text, format, args);
    }
    return code;
}

int hearth_fail(struct hearth_error *err, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, code, 0, format, args);
    va_end(args);
    return code;
}

int hearth_fail_errno(struct hearth_error *err, int code, const char *format, ...)
{
    int sys_errno = errno;
    va_list args;
    va_start(args, format);
    fill(err, code, sys_errno, format, args);
    va_end(args);
    if (err != NULL) {
        size_t used = strlen(err->text);
        /* strerrordesc_np: thread-safe, never localised, so that texts are the same everywhere. */
        const char *words = strerrordesc_np(sys_errno);
        snprintf(err->text + used, sizeof err->text - used, ": %s",
                 words != NULL ? words : "unknown error");
    }
    return code;
}

int hearth_fail_oom(struct hearth_error *err)
{
    return hearth_fail(err, HEARTH_E_NO_MEMORY, "out of memory");
}

int hearth_because(struct hearth_error *err, int code, const char *format, ...)
{
    if (err == NULL) {
        return code;
    }
    char before[HEARTH_ERROR_TEXT_BYTES];
    memcpy(before, err->text, sizeof before);
    before[sizeof before - 1] = '\0';
    int sys_errno = err->code == code ? err->sys_errno : 0;
    va_list args;
    va_start(args, format);
    fill(err, code, sys_errno, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", before);
    return code;
}

const char *hearth_error_name(int code)
{
    return fact_of(code)->name;
}

const char *hearth_error_sentence(int code)
{
    return fact_of(code)->sentence;
}

const char *hearth_error_remedy(int code)
{
    return fact_of(code)->remedy;
}

const char *hearth_error_v1(int code)
{
    return fact_of(code)->v1;
}

int hearth_error_http(int code)
{
    return fact_of(code)->http;
}

bool hearth_error_is_retryable(int code)
{
    return fact_of(code)->is_retryable;
}

bool hearth_error_is_known(int code)
{
    return fact_of(code)->code == code;
}
