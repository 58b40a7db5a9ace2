/* kit.c — the loop over failing allocations, properties, and the main of every unit test. */

#include "kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MOST_ALLOCATIONS 100000 /* a body that needs more never ends, more likely than not */
#define DEFAULT_SEED     UINT64_C(20240131)

static int64_t live_at_begin;
static int64_t live_at_first_failure;
static bool is_in_property;
static uint64_t property_seed;

bool kit_failure_arm(uint64_t n)
{
    bool was_hit = hearth_alloc_has_failed();
    hearth_alloc_fail_at(0);
    if (n == 1) {
        live_at_first_failure = hearth_alloc_live();
    } else {
        if (hearth_alloc_live() != live_at_first_failure) {
            fail_msg("with allocation %" PRIu64 " failing, %" PRId64 " blocks were not given back",
                     n - 1, hearth_alloc_live() - live_at_first_failure);
        }
        if (!was_hit) {
            return false;
        }
    }
    if (n > MOST_ALLOCATIONS) {
        fail_msg("the body needs more than %d allocations", MOST_ALLOCATIONS);
    }
    hearth_alloc_fail_at(n);
    return true;
}

void kit_failure_disarm(void)
{
    hearth_alloc_fail_at(0);
}

void kit_property(unsigned cases, void (*holds)(struct kit_random *random, void *context),
                  void *context)
{
    struct kit_random seeds = {kit_random_seed(DEFAULT_SEED)};
    is_in_property = true;
    for (unsigned i = 0; i < cases; i++) {
        /* The first case runs on the seed itself, so that a seed that was printed is tried first.
         */
        property_seed = i == 0 ? seeds.state : kit_random_u64(&seeds);
        struct kit_random random = {property_seed};
        holds(&random, context);
    }
    is_in_property = false; /* a failed case jumps past this line, and kit_end() names its seed */
}

void kit_assert_error(const struct hearth_error *err, int code, const char *part, const char *file,
                      int line)
{
    if (err->code != code || strstr(err->text, part) == NULL) {
        print_error("%s:%d: wanted %s with \"%s\", got %s: %s\n", file, line,
                    hearth_error_name(code), part, hearth_error_name(err->code), err->text);
        _fail(file, line);
    }
}

void kit_begin(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    live_at_begin = hearth_alloc_live();
}

int kit_end(int failed_tests)
{
    if (is_in_property) {
        printf("# a property failed; repeat with HEARTH_TEST_SEED=%" PRIu64 "\n", property_seed);
    }
    int64_t leaked = hearth_alloc_live() - live_at_begin;
    if (leaked != 0) {
        printf("# %" PRId64 " blocks of hearth_alloc() were not given back\n", leaked);
    }
    return failed_tests != 0 || leaked != 0 ? 1 : 0;
}

const char *kit_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash != NULL ? slash + 1 : file;
}
