#include "kit.h"

#include "hearth_budget.h"

#define MIB (UINT64_C(1) << 20)

/* The limits of the first such runtime. */
static struct hearth_calls limited(void)
{
    return (struct hearth_calls){
        .limits = {.per_call_bytes = 1024 * MIB, .total_bytes = 2048 * MIB, .concurrent = 2}};
}

static void a_call_of_exactly_the_limit_is_admitted_and_a_byte_more_is_not(void **state)
{
    (void)state;
    struct hearth_calls calls = limited();
    struct hearth_error err;
    assert_int_equal(hearth_calls_admit(&calls, 1024 * MIB + 1, &err), HEARTH_E_TOO_LARGE);
    assert_string_equal(err.text, "the request needs 1073741825 bytes, one may have 1073741824 "
                                  "(per_call_memory)");
    assert_int_equal(calls.open, 0);
    assert_int_equal(hearth_calls_admit(&calls, 1024 * MIB, &err), 0);
    assert_int_equal(calls.held_bytes, 1024 * MIB);
    hearth_calls_end(&calls, 1024 * MIB);
    assert_int_equal(calls.held_bytes, 0);
}

static void the_total_trips_at_its_byte_and_says_who_holds_it(void **state)
{
    (void)state;
    struct hearth_calls calls = limited();
    struct hearth_error err;
    calls.limits.concurrent = 0;
    calls.limits.per_call_bytes = 0;
    assert_int_equal(hearth_calls_admit(&calls, 1000, &err), 0);
    assert_int_equal(hearth_calls_admit(&calls, 2048 * MIB - 999, &err), HEARTH_E_NO_ROOM);
    assert_string_equal(err.text, "the request needs 2147482649 bytes, 1 open ones hold 1000 of "
                                  "2147483648 (total_call_memory)");
    assert_int_equal(hearth_calls_admit(&calls, 2048 * MIB - 1000, &err), 0);
    assert_int_equal(hearth_calls_admit(&calls, 1, &err), HEARTH_E_NO_ROOM);
    hearth_calls_end(&calls, 1000);
    assert_int_equal(hearth_calls_admit(&calls, 1, &err), 0);
}

static void the_third_of_two_concurrent_calls_is_refused_until_one_ends(void **state)
{
    (void)state;
    struct hearth_calls calls = limited();
    struct hearth_error err;
    assert_int_equal(hearth_calls_admit(&calls, 1, &err), 0);
    assert_int_equal(hearth_calls_admit(&calls, 0, &err), 0);
    assert_int_equal(hearth_calls_admit(&calls, 1, &err), HEARTH_E_QUEUE_FULL);
    assert_string_equal(err.text, "2 requests are open, 2 may be (concurrent_requests)");
    hearth_calls_end(&calls, 0);
    assert_int_equal(hearth_calls_admit(&calls, 1, &err), 0);
    hearth_calls_end(&calls, 1);
    hearth_calls_end(&calls, 1);
    assert_int_equal(calls.open, 0);
    assert_int_equal(calls.held_bytes, 0);
}

static void without_limits_everything_is_counted_and_nothing_refused(void **state)
{
    (void)state;
    struct hearth_calls calls = {0};
    assert_int_equal(hearth_calls_admit(&calls, UINT64_MAX / 2, NULL), 0);
    assert_int_equal(hearth_calls_admit(&calls, UINT64_MAX / 2, NULL), 0);
    assert_int_equal(calls.open, 2);
    assert_int_equal(calls.held_bytes, UINT64_MAX - 1);
    assert_int_equal(hearth_calls_admit(&calls, 2, NULL), HEARTH_E_NO_ROOM); /* no wrap-around */
}

KIT_MAIN(cmocka_unit_test(a_call_of_exactly_the_limit_is_admitted_and_a_byte_more_is_not),
         cmocka_unit_test(the_total_trips_at_its_byte_and_says_who_holds_it),
         cmocka_unit_test(the_third_of_two_concurrent_calls_is_refused_until_one_ends),
         cmocka_unit_test(without_limits_everything_is_counted_and_nothing_refused))
