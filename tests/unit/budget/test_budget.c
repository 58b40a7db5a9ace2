#include "kit.h"

#include "hearth_budget.h"

#define MIB (UINT64_C(1) << 20)

/* So many bytes of one kind. */
static const struct hearth_need *of(uint64_t bytes)
{
    static struct hearth_need need;
    need = (struct hearth_need){.parts = {[HEARTH_MEMORY_COMPUTE] = bytes}};
    return &need;
}

static void reserve_takes_from_the_free_bytes(void **state)
{
    (void)state;
    struct hearth_budget budget;
    struct hearth_hold hold = {0};
    hearth_budget_init(&budget, 100 * MIB);
    assert_int_equal(hearth_budget_reserve(&budget, &hold, "a", of(30 * MIB), NULL), 0);
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
    assert_int_equal(hearth_budget_reserve(&budget, &small, "small", of(10 * MIB), NULL), 0);
    assert_int_equal(hearth_budget_reserve(&budget, &large, "large", of(60 * MIB), NULL), 0);
    assert_int_equal(hearth_budget_reserve(&budget, &refused, "new", of(31 * MIB), &err),
                     HEARTH_E_NO_ROOM);
    assert_string_equal(err.text, "31.0 MiB of memory wanted, 30.0 MiB free of 100.0 MiB; "
                                  "\"large\" holds 60.0 MiB, \"small\" 10.0 MiB");
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
    assert_int_equal(hearth_budget_reserve(&budget, &all, "all", of(100), NULL), 0);
    assert_int_equal(hearth_budget_reserve(&budget, &one, "one", of(1), NULL), HEARTH_E_NO_ROOM);
    assert_int_equal(hearth_budget_reserve(&budget, &none, "none", of(0), NULL), 0);
    assert_int_equal(hearth_budget_reserve(&budget, &one, "huge", of(UINT64_MAX), NULL),
                     HEARTH_E_NO_ROOM);
}

static void commit_grows_past_the_limit_and_keeps_what_was_promised(void **state)
{
    (void)state;
    struct hearth_budget budget;
    struct hearth_hold hold = {0};
    struct hearth_hold other = {0};
    hearth_budget_init(&budget, 100);
    assert_int_equal(hearth_budget_reserve(&budget, &hold, "a", of(50), NULL), 0);
    hearth_budget_commit(&budget, &hold, 20);
    assert_int_equal(hold.bytes, 50);
    hearth_budget_commit(&budget, &hold, 130);
    assert_int_equal(hold.bytes, 130);
    assert_int_equal(hold.need.parts[HEARTH_MEMORY_OTHER], 80);
    assert_int_equal(hearth_budget_free_bytes(&budget), 0);
    assert_int_equal(hearth_budget_reserve(&budget, &other, "b", of(1), NULL), HEARTH_E_NO_ROOM);
    hearth_budget_release(&budget, &hold);
    assert_int_equal(hearth_budget_free_bytes(&budget), 100);
    assert_int_equal(hearth_budget_reserve(&budget, &hold, "a", of(1), NULL), 0);
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
    uint64_t promised[HOLDERS] = {0};
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
            int rc = hearth_budget_reserve(&budget, &holds[at], "x", of(bytes), NULL);
            assert_int_equal(rc, fits ? 0 : HEARTH_E_NO_ROOM);
            plain[at] = fits ? bytes : 0;
            promised[at] = plain[at];
        } else if (kit_random_once_in(random, 2)) {
            hearth_budget_release(&budget, &holds[at]);
            plain[at] = 0;
        } else {
            hearth_budget_commit(&budget, &holds[at], bytes);
            plain[at] = HEARTH_MAX(promised[at], bytes);
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
    assert_int_equal(hearth_budget_reserve(&budget, &hold, "a", of(30 * MIB), NULL), 0);
    hearth_budget_set_limit(&budget, 20 * MIB);
    assert_int_equal(hearth_budget_free_bytes(&budget), 0);
    assert_int_equal(hearth_budget_reserve(&budget, &next, "b", of(1), NULL), HEARTH_E_NO_ROOM);
    assert_int_equal(budget.held_bytes, 30 * MIB);
    hearth_budget_set_limit(&budget, 31 * MIB);
    assert_int_equal(hearth_budget_reserve(&budget, &next, "b", of(MIB), NULL), 0);
}

static void at_most_three_holders_are_named_largest_first(void **state)
{
    (void)state;
    struct hearth_budget budget;
    struct hearth_hold holds[5] = {0};
    struct hearth_error err;
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    static const uint64_t bytes[] = {2 * MIB, 5 * MIB, 1 * MIB, 4 * MIB, 3 * MIB};
    hearth_budget_init(&budget, 16 * MIB);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(hearth_budget_reserve(&budget, &holds[i], names[i], of(bytes[i]), NULL),
                         0);
    }
    assert_int_equal(hearth_budget_reserve(&budget, &holds[4], "e", of(5 * MIB), &err),
                     HEARTH_E_NO_ROOM);
    assert_string_equal(err.text, "5.0 MiB of memory wanted, 4.0 MiB free of 16.0 MiB; "
                                  "\"b\" holds 5.0 MiB, \"d\" 4.0 MiB, \"a\" 2.0 MiB");
}

/* A model whose weights are partly pages of @file. */
static struct hearth_need mapped(const char *file, uint64_t file_bytes, uint64_t more)
{
    return (struct hearth_need){
        .parts = {[HEARTH_MEMORY_WEIGHTS] = file_bytes, [HEARTH_MEMORY_CELLS] = more},
        .file = file,
        .file_bytes = file_bytes};
}

static void a_file_that_two_map_counts_once(void **state)
{
    (void)state;
    struct hearth_budget budget;
    struct hearth_hold a = {0};
    struct hearth_hold b = {0};
    struct hearth_hold c = {0};
    char same[] = "f1"; /* the text counts, not where it is */
    struct hearth_need first = mapped("f1", 60, 10);
    struct hearth_need second = mapped(same, 60, 5);
    struct hearth_need third = mapped("f2", 60, 5);
    hearth_budget_init(&budget, 100);
    assert_int_equal(hearth_budget_reserve(&budget, &a, "a", &first, NULL), 0);
    assert_int_equal(hearth_budget_cost(&budget, &second), 5);
    assert_int_equal(hearth_budget_reserve(&budget, &b, "b", &second, NULL), 0);
    assert_int_equal(budget.held_bytes, 75);
    assert_int_equal(b.bytes, 65);
    assert_int_equal(hearth_budget_held_of(&budget, HEARTH_MEMORY_WEIGHTS), 60);
    assert_int_equal(hearth_budget_held_of(&budget, HEARTH_MEMORY_CELLS), 15);
    assert_int_equal(hearth_budget_reserve(&budget, &c, "c", &third, NULL), HEARTH_E_NO_ROOM);

    hearth_budget_release(&budget, &a); /* b has the file now */
    assert_int_equal(budget.held_bytes, 65);
    hearth_budget_release(&budget, &b);
    assert_int_equal(budget.held_bytes, 0);
}

static void of_two_that_map_parts_of_a_file_the_larger_part_counts(void **state)
{
    (void)state;
    struct hearth_budget budget;
    struct hearth_hold a = {0};
    struct hearth_hold b = {0};
    struct hearth_need small = mapped("f", 20, 1);
    struct hearth_need large = mapped("f", 50, 1);
    hearth_budget_init(&budget, 100);
    assert_int_equal(hearth_budget_reserve(&budget, &a, "a", &small, NULL), 0);
    assert_int_equal(hearth_budget_cost(&budget, &large), 31);
    assert_int_equal(hearth_budget_reserve(&budget, &b, "b", &large, NULL), 0);
    assert_int_equal(budget.held_bytes, 52);
    assert_int_equal(hearth_budget_held_of(&budget, HEARTH_MEMORY_WEIGHTS), 50);
    hearth_budget_release(&budget, &b);
    assert_int_equal(budget.held_bytes, 21);
    hearth_budget_release(&budget, &a);
    assert_int_equal(budget.held_bytes, 0);
}

static void kinds_add_up_to_what_is_held(void **state)
{
    (void)state;
    struct hearth_budget budget;
    struct hearth_hold hold = {0};
    struct hearth_need need = {.parts = {1, 2, 4, 8, 16, 32, 0}};
    hearth_budget_init(&budget, 100);
    assert_int_equal(hearth_budget_reserve(&budget, &hold, "a", &need, NULL), 0);
    hearth_budget_commit(&budget, &hold, 70);
    uint64_t sum = 0;
    for (unsigned kind = 0; kind < HEARTH_MEMORY_KINDS; kind++) {
        sum += hearth_budget_held_of(&budget, (enum hearth_memory_kind)kind);
        assert_true(hearth_memory_kind_name((enum hearth_memory_kind)kind)[0] != '\0');
    }
    assert_int_equal(sum, 70);
    assert_int_equal(hearth_budget_held_of(&budget, HEARTH_MEMORY_CACHES), 32);
    assert_int_equal(hearth_budget_held_of(&budget, HEARTH_MEMORY_OTHER), 7);
    hearth_budget_commit(&budget, &hold, 60); /* it gave some back */
    assert_int_equal(budget.held_bytes, 63);
}

KIT_MAIN(cmocka_unit_test(at_most_three_holders_are_named_largest_first),
         cmocka_unit_test(a_file_that_two_map_counts_once),
         cmocka_unit_test(of_two_that_map_parts_of_a_file_the_larger_part_counts),
         cmocka_unit_test(kinds_add_up_to_what_is_held),
         cmocka_unit_test(reserve_takes_from_the_free_bytes),
         cmocka_unit_test(refusal_says_need_have_and_who_holds),
         cmocka_unit_test(the_last_byte_can_be_reserved_and_no_more),
         cmocka_unit_test(commit_grows_past_the_limit_and_keeps_what_was_promised),
         cmocka_unit_test(a_limit_below_what_is_held_leaves_nothing_free_and_takes_nothing_away),
         cmocka_unit_test(any_sequence_keeps_the_sum))
