#include "kit.h"

#include "leases.h"

enum { CORES = 6, LANES = 9 };

static uint32_t sum_of(const struct hearth_leases *leases)
{
    uint32_t sum = 0;
    for (uint32_t lane = 0; lane < HEARTH_LEASE_LANES; lane++) {
        sum += hearth_leases_share(leases, lane);
    }
    return sum;
}

static void leases_add_up_to_the_cores_exactly(void **state)
{
    (void)state;
    for (uint32_t cores = 1; cores <= 64; cores++) {
        struct hearth_leases leases;
        hearth_leases_init(&leases, cores);
        assert_int_equal(sum_of(&leases), 0);
        for (uint32_t lane = 0; lane < HEARTH_LEASE_LANES; lane++) {
            assert_int_equal(hearth_leases_take(&leases, lane, 0), lane < cores);
            assert_int_equal(sum_of(&leases), cores);
        }
    }
}

static void no_lease_differs_from_another_by_more_than_a_core(void **state)
{
    (void)state;
    struct hearth_leases leases;
    hearth_leases_init(&leases, 7);
    for (uint32_t lane = 10; lane < 13; lane++) {
        assert_true(hearth_leases_take(&leases, lane, 0));
    }
    assert_int_equal(hearth_leases_share(&leases, 10), 3);
    assert_int_equal(hearth_leases_share(&leases, 11), 2);
    assert_int_equal(hearth_leases_share(&leases, 12), 2);
    assert_int_equal(hearth_leases_share(&leases, 13), 0);
}

static void who_waits_gets_the_lease_that_is_given_back(void **state)
{
    (void)state;
    struct hearth_leases leases;
    hearth_leases_init(&leases, 1);
    assert_true(hearth_leases_take(&leases, 5, 0));
    assert_false(hearth_leases_take(&leases, 3, 1));
    assert_false(hearth_leases_take(&leases, 9, 2));
    assert_false(hearth_leases_take(&leases, 3, 3)); /* asks again: its place stays */
    assert_int_equal(hearth_leases_leave(&leases, 3), HEARTH_LEASE_NOBODY); /* it has none */
    assert_int_equal(hearth_leases_leave(&leases, 5), 3);
    assert_int_equal(hearth_leases_share(&leases, 3), 1);
    assert_int_equal(hearth_leases_leave(&leases, 3), 9);
    assert_int_equal(hearth_leases_leave(&leases, 9), HEARTH_LEASE_NOBODY);
    assert_int_equal(sum_of(&leases), 0);
}

static void a_turn_begins_when_it_is_taken(void **state)
{
    (void)state;
    struct hearth_leases leases;
    hearth_leases_init(&leases, 1);
    assert_true(hearth_leases_take(&leases, 0, 0));
    assert_false(hearth_leases_take(&leases, 1, 0));
    assert_false(hearth_leases_take(&leases, 2, 0));
    assert_int_equal(hearth_leases_leave(&leases, 0), 1);
    assert_true(hearth_leases_take(&leases, 1, 10 * HEARTH_LEASE_TURN_MS)); /* it was late */
    assert_false(hearth_leases_take(&leases, 1, 11 * HEARTH_LEASE_TURN_MS));
}

static void a_turn_ends_only_where_others_wait(void **state)
{
    (void)state;
    struct hearth_leases leases;
    hearth_leases_init(&leases, 1);
    assert_true(hearth_leases_take(&leases, 0, 1000));
    assert_true(hearth_leases_take(&leases, 0, 1000 + 10 * HEARTH_LEASE_TURN_MS));
    assert_true(hearth_leases_leave(&leases, 0) == HEARTH_LEASE_NOBODY);
    assert_true(hearth_leases_take(&leases, 0, 5000));
    assert_false(hearth_leases_take(&leases, 1, 5001));
    assert_true(hearth_leases_take(&leases, 0, 5000 + HEARTH_LEASE_TURN_MS - 1));
    assert_false(hearth_leases_take(&leases, 0, 5000 + HEARTH_LEASE_TURN_MS));
}

/* Lanes that always have more to do, each for a while: all of them get their turns. */
static void everybody_computes_some_time(struct kit_random *random, void *context)
{
    (void)context;
    struct hearth_leases leases;
    uint32_t turns[LANES] = {0};
    uint32_t running[LANES] = {0};
    uint32_t cores = (uint32_t)kit_random_between(random, 1, CORES);
    hearth_leases_init(&leases, cores);
    for (uint64_t now_ms = 0; now_ms < 8000; now_ms += 1 + kit_random_below(random, 10)) {
        uint32_t lane = (uint32_t)kit_random_below(random, LANES);
        if (running[lane] > 0 && --running[lane] == 0) {
            hearth_leases_leave(&leases, lane);
        }
        if (hearth_leases_take(&leases, lane, now_ms)) {
            running[lane]++;
            turns[lane]++;
        }
        assert_int_equal(sum_of(&leases), cores);
    }
    for (uint32_t lane = 0; lane < LANES; lane++) {
        assert_true(turns[lane] > 0);
    }
}

static void no_lane_waits_for_ever_and_the_sum_is_always_exact(void **state)
{
    (void)state;
    kit_property(200, everybody_computes_some_time, NULL);
}

KIT_MAIN(cmocka_unit_test(leases_add_up_to_the_cores_exactly),
         cmocka_unit_test(no_lease_differs_from_another_by_more_than_a_core),
         cmocka_unit_test(who_waits_gets_the_lease_that_is_given_back),
         cmocka_unit_test(a_turn_begins_when_it_is_taken),
         cmocka_unit_test(a_turn_ends_only_where_others_wait),
         cmocka_unit_test(no_lane_waits_for_ever_and_the_sum_is_always_exact))
