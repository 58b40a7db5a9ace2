#include "kit.h"

#include "hearth_budget.h"

#define MIB (UINT64_C(1) << 20)

static void reserve_takes_from_the_free_bytes(void **state)
{
    (void)state;
    struct hearth_budget budget;
    struct hearth_hold hold = {0};
    hearth_budget_init(&budget, 100 * MIB);
    assert_int_equal(hearth_budget_reserve(&budget, &hold, "a", 30 * MIB, NULL), 0);
    assert_int_equal(hearth_budget_free_bytes(&budget), 70 * MIB);
    hearth_budget_release(&budget, &hold);
    assert_int_equal(hearth_budget_free_bytes(&budget), 100 * MIB);
    assert_false(hold.is_held);
}

static void refusal_says_need_have_and_who_holds(void **state)
{
    (void)state;
    struct hearth_budget budget;
    struct hearth_hold small = {0};
    struct hearth_hold large = {0};
    struct hearth_hold refused = {0};
    struct hearth_error err;
    hearth_budget_init(&budget, 100 * MIB);
    assert_int_equal(hearth_budget_reserve(&budget, &small, "small", 10 * MIB, NULL), 0);
    assert_int_equal(hearth_budget_reserve(&budget, &large, "large", 60 * MIB, NULL), 0);
    assert_int_equal(hearth_budget_reserve(&budget, &refused, "new", 31 * MIB, &err),
                     HEARTH_E_NO_ROOM);
    assert_string_equal(err.text, "31.0 MiB of memory wanted, 30.0 MiB free of 100.0 MiB; "
                                  "\"large\" holds 60.0 MiB");
    assert_false(refused.is_held);
    assert_int_equal(budget.held_bytes, 70 * MIB);
    hearth_budget_release(&budget, &refused);
    assert_int_equal(budget.held_bytes, 70 * MIB);
}

static void the_last_byte_can_be_reserved_and_no_more(void **state)
{
    (void)state;
    struct hearth_budget budget;
    struct hearth_hold all = {0};
    struct hearth_hold one = {0};
    struct hearth_hold none = {0};
    hearth_budget_init(&budget, 100);
    assert_int_equal(hearth_budget_reserve(&budget, &all, "all", 100, NULL), 0);
    assert_int_equal(hearth_budget_reserve(&budget, &one, "one", 1, NULL), HEARTH_E_NO_ROOM);
    assert_int_equal(hearth_budget_reserve(&budget, &none, "none", 0, NULL), 0);
    assert_int_equal(hearth_budget_reserve(&budget, &one, "huge", UINT64_MAX, NULL),
                     HEARTH_E_NO_ROOM);
}

static void commit_grows_past_the_limit_and_never_shrinks(void **state)
{
    (void)state;
    struct hearth_budget budget;
    struct hearth_hold hold = {0};
    struct hearth_hold other = {0};
    hearth_budget_init(&budget, 100);
    assert_int_equal(hearth_budget_reserve(&budget, &hold, "a", 50, NULL), 0);
    hearth_budget_commit(&budget, &hold, 20);
    assert_int_equal(hold.bytes, 50);
    hearth_budget_commit(&budget, &hold, 130);
    assert_int_equal(hold.bytes, 130);
    assert_int_equal(hearth_budget_free_bytes(&budget), 0);
    assert_int_equal(hearth_budget_reserve(&budget, &other, "b", 1, NULL), HEARTH_E_NO_ROOM);
    hearth_budget_release(&budget, &hold);
    assert_int_equal(hearth_budget_free_bytes(&budget), 100);
    assert_int_equal(hearth_budget_reserve(&budget, &hold, "a", 1, NULL), 0);
    hearth_budget_commit(&budget, &hold, UINT64_MAX);
    assert_int_equal(budget.held_bytes, UINT64_MAX);
    hearth_budget_release(&budget, &hold);
    assert_int_equal(budget.held_bytes, 0);
}

/* A flat array of promises beside the ledger: after any sequence the sums agree. */
static void ledger_equals_a_plain_sum(struct kit_random *random, void *context)
{
    enum { HOLDERS = 8 };
    struct hearth_budget budget;
    struct hearth_hold holds[HOLDERS] = {0};
    uint64_t plain[HOLDERS] = {0};
    (void)context;
    hearth_budget_init(&budget, 1000);
    for (int step = 0; step < 300; step++) {
        size_t at = kit_random_below(random, HOLDERS);
        uint64_t bytes = kit_random_below(random, 700);
        uint64_t sum = 0;
        for (size_t i = 0; i < HOLDERS; i++) {
            sum += plain[i];
        }
        assert_int_equal(budget.held_bytes, sum);
        if (!holds[at].is_held) {
            bool fits = bytes <= (sum < 1000 ? 1000 - sum : 0);
            int rc = hearth_budget_reserve(&budget, &holds[at], "x", bytes, NULL);
            assert_int_equal(rc, fits ? 0 : HEARTH_E_NO_ROOM);
            plain[at] = fits ? bytes : 0;
        } else if (kit_random_once_in(random, 2)) {
            hearth_budget_release(&budget, &holds[at]);
            plain[at] = 0;
        } else {
            hearth_budget_commit(&budget, &holds[at], bytes);
            plain[at] = HEARTH_MAX(plain[at], bytes);
        }
    }
    for (size_t i = 0; i < HOLDERS; i++) {
        hearth_budget_release(&budget, &holds[i]);
    }
    assert_int_equal(budget.held_bytes, 0);
    assert_true(hearth_list_is_empty(&budget.holds));
}

static void any_sequence_keeps_the_sum(void **state)
{
    (void)state;
    kit_property(200, ledger_equals_a_plain_sum, NULL);
}

static void a_limit_below_what_is_held_leaves_nothing_free_and_takes_nothing_away(void **state)
{
    (void)state;
    struct hearth_budget budget;
    struct hearth_hold hold = {0};
    struct hearth_hold next = {0};
    hearth_budget_init(&budget, 100 * MIB);
    assert_int_equal(hearth_budget_reserve(&budget, &hold, "a", 30 * MIB, NULL), 0);
    hearth_budget_set_limit(&budget, 20 * MIB);
    assert_int_equal(hearth_budget_free_bytes(&budget), 0);
    assert_int_equal(hearth_budget_reserve(&budget, &next, "b", 1, NULL), HEARTH_E_NO_ROOM);
    assert_int_equal(budget.held_bytes, 30 * MIB);
    hearth_budget_set_limit(&budget, 31 * MIB);
    assert_int_equal(hearth_budget_reserve(&budget, &next, "b", MIB, NULL), 0);
}

KIT_MAIN(cmocka_unit_test(reserve_takes_from_the_free_bytes),
         cmocka_unit_test(refusal_says_need_have_and_who_holds),
         cmocka_unit_test(the_last_byte_can_be_reserved_and_no_more),
         cmocka_unit_test(commit_grows_past_the_limit_and_never_shrinks),
         cmocka_unit_test(a_limit_below_what_is_held_leaves_nothing_free_and_takes_nothing_away),
         cmocka_unit_test(any_sequence_keeps_the_sum))
