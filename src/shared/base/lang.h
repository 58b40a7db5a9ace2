/* lang.h — what we ask of the language, in one place, so that a later standard touches one file. */

#ifndef HEARTH_LANG_H
#define HEARTH_LANG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEARTH_NODISCARD       __attribute__((warn_unused_result))
#define HEARTH_PRINTF(fmt, va) __attribute__((format(printf, fmt, va)))
#define HEARTH_NORETURN        __attribute__((noreturn))
#define HEARTH_UNUSED          __attribute__((unused))

#define HEARTH_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEARTH_MIN(a, b)    ((a) < (b) ? (a) : (b))
#define HEARTH_MAX(a, b)    ((a) > (b) ? (a) : (b))

/* HEARTH_AUTO(hearth_job) struct hearth_job *job = …; calls hearth_job_cleanup(&job) at the end of
 * the scope. HEARTH_TAKE(job) gives the value away and leaves NULL behind. */
#define HEARTH_AUTO(name) __attribute__((cleanup(name##_cleanup)))
#define HEARTH_TAKE(pointer)                                                                       \
    __extension__({                                                                                \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

/* Defines hearth_x_cleanup() for HEARTH_AUTO from hearth_x_destroy(struct hearth_x *). */
#define HEARTH_DEFINE_CLEANUP(name)                                                                \
    static inline void name##_cleanup(struct name **owned)                                         \
    {                                                                                              \
        name##_destroy(*owned);                                                                    \
    }

/* Ends the process with file and line: a programmer's error, in release builds too. */
HEARTH_NORETURN void hearth_abort_at(const char *file, int line, const char *claim);

#define HEARTH_ASSERT(claim)                                                                       \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            hearth_abort_at(__FILE__, __LINE__, #claim);                                           \
        }                                                                                          \
    } while (0)
#define HEARTH_UNREACHABLE() hearth_abort_at(__FILE__, __LINE__, "unreachable")

/* Objects know themselves: the first field is `uint32_t magic`. HEARTH_CHECK verifies a pointer of
 * known type, HEARTH_CAST one that came back as void * from a callback. */
#define HEARTH_CHECK(object, magic_value)                                                          \
    HEARTH_ASSERT((object) != NULL && (object)->magic == (magic_value))
#define HEARTH_CAST(type, pointer, magic_value)                                                    \
    __extension__({                                                                                \
        type *cast_ = (pointer);                                                                   \
        HEARTH_CHECK(cast_, magic_value);                                                          \
        cast_;                                                                                     \
    })

/* The struct that contains a member, as in intrusive lists. */
#define HEARTH_CONTAINER(type, member, pointer)                                                    \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
