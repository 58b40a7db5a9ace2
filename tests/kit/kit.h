/* kit.h — what unit tests share beyond cmocka. Link with hearth_kit, include after nothing else.
 *
 *     static void thing_holds(void **state) { … }
 *
 *     KIT_MAIN(cmocka_unit_test(thing_holds), cmocka_unit_test(other_thing_holds))
 *
 * KIT_MAIN prints TAP and fails the program if a test fails or if a block of hearth_alloc() is
 * still alive at the end. */

#ifndef HEARTH_KIT_H
#define HEARTH_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hearth_base.h"
#include "kit_random.h"

/**
 * Runs its body again and again with the first, the second, the third … allocation failing, until a
 * run needs no more than @n allocations; that last run sees no failure at all.
 *
 *     KIT_FOR_EACH_FAILURE(n) {
 *         int rc = build(&thing);
 *         if (hearth_alloc_has_failed()) assert_int_equal(rc, HEARTH_E_NO_MEMORY);
 *         else assert_int_equal(rc, 0);
 *         thing_destroy(thing);
 *     }
 *
 * Each run must give back all that it allocated: a run that does not fails the test. Do not leave
 * the loop with break or return. The failure hits any thread of the process.
 */
#define KIT_FOR_EACH_FAILURE(n) for (uint64_t n = 1; kit_failure_arm(n); n++)

/** Ends the n-th failure: for the part of a body that must not fail, such as a comparison. */
void kit_failure_disarm(void);

/** One property, @cases times, each with its own seed. A failing case names its seed. */
void kit_property(unsigned cases, void (*holds)(struct kit_random *random, void *context),
                  void *context);

/** Fails the test unless @err has this code and its text contains @part. */
#define KIT_ASSERT_ERROR(err, wanted_code, part)                                                   \
    kit_assert_error(&(err), wanted_code, part, __FILE__, __LINE__)

#define KIT_MAIN(...)                                                                              \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                           \
        kit_begin();                                                                               \
        return kit_end(cmocka_run_group_tests_name(kit_name(__FILE__), tests, NULL, NULL));        \
    }

/* For the macros above. */
bool kit_failure_arm(uint64_t n);
void kit_assert_error(const struct hearth_error *err, int code, const char *part, const char *file,
                      int line);
void kit_begin(void);
int kit_end(int failed_tests);
const char *kit_name(const char *file);

#endif
