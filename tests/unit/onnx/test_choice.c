/* test_choice.c — narrow or wide, from what runs took. */

#include "kit.h"

#include "choice.h"

#define MS UINT64_C(1000000)

static struct choice choice;

static int begin(void **state)
{
    (void)state;
    choice_init(&choice);
    return 0;
}

/* Serves @count lonely runs of @tokens that take so long either way; returns how many were wide. */
static unsigned serve(unsigned count, size_t tokens, uint64_t narrow_ns, uint64_t wide_ns)
{
    unsigned wide = 0;
    for (unsigned i = 0; i < count; i++) {
        bool is_wide = choice_is_wide(&choice, tokens);
        choice_note(&choice, tokens, is_wide, is_wide ? wide_ns : narrow_ns);
        wide += is_wide;
    }
    return wide;
}

static void each_way_is_tried_once_before_one_is_chosen(void **state)
{
    (void)state;
    assert_int_equal(serve(1, 100, 10 * MS, 4 * MS), 0);
    assert_int_equal(serve(1, 100, 10 * MS, 4 * MS), 1);
    assert_int_equal(serve(20, 100, 10 * MS, 4 * MS), 20);
}

static void the_slower_way_is_tried_now_and_then_and_seldom(void **state)
{
    (void)state;
    serve(2, 100, 10 * MS, 2 * MS);
    unsigned narrow = 10000 - serve(10000, 100, 10 * MS, 2 * MS);
    /* Five times slower: four runs in 128 × 5². */
    assert_in_range(narrow, 4 * (10000 / 3200), 4 * (10000 / 3200 + 1));
}

static void a_change_of_the_machine_is_noticed(void **state)
{
    (void)state;
    serve(2, 100, 10 * MS, 6 * MS);
    assert_int_equal(serve(20, 100, 10 * MS, 6 * MS), 20);
    serve(200, 100, 10 * MS, 30 * MS); /* the cores are taken by somebody else */
    assert_in_range(serve(100, 100, 10 * MS, 30 * MS), 0, 4);
    serve(3000, 100, 10 * MS, 5 * MS); /* and given back */
    assert_in_range(serve(100, 100, 10 * MS, 5 * MS), 90, 100);
}

static void lengths_that_were_not_tried_follow_the_nearest_shorter_one(void **state)
{
    (void)state;
    choice_note(&choice, 16, false, 2 * MS);
    choice_note(&choice, 16, true, 1 * MS);
    assert_true(choice_is_wide(&choice, 300));
    assert_false(choice_is_wide(&choice, 8)); /* nothing shorter is known: narrow first */
}

static void a_length_at_which_shorter_ones_did_not_pay_is_tried_itself(void **state)
{
    (void)state;
    choice_note(&choice, 8, false, 2 * MS);
    choice_note(&choice, 8, true, 2 * MS);
    assert_int_equal(serve(1, 500, 1400 * MS, 500 * MS), 0);
    assert_int_equal(serve(1, 500, 1400 * MS, 500 * MS), 1);
    assert_int_equal(serve(20, 500, 1400 * MS, 500 * MS), 20);
    assert_false(choice_is_wide(&choice, 8));
}

static void microseconds_are_not_worth_waking_threads(void **state)
{
    (void)state;
    choice_note(&choice, 16, false, MS / 10);
    choice_note(&choice, 16, true, MS / 40);
    assert_false(choice_is_wide(&choice, 16));
    assert_false(choice_pays(100 * 1000, 10 * 1000));
    assert_false(choice_pays(10 * MS, 9 * MS)); /* nor a tenth all the cores */
    assert_true(choice_pays(10 * MS, 8 * MS));
}

static void one_run_that_was_held_up_does_not_turn_it_over(void **state)
{
    (void)state;
    serve(2, 100, 10 * MS, 5 * MS);
    choice_note(&choice, 100, true, 5000 * MS);
    assert_true(choice_is_wide(&choice, 100));
}

/* Alone between narrow runs a wide one wakes its threads; in a row with others it is fast. */
static void a_try_is_not_judged_by_its_first_run(void **state)
{
    (void)state;
    bool was_wide = false;
    unsigned wide = 0;
    choice_note(&choice, 100, false, 6 * MS);
    choice_note(&choice, 100, true, 9 * MS);
    for (unsigned i = 0; i < 3000; i++) {
        bool is_wide = choice_is_wide(&choice, 100);
        uint64_t wide_ns = was_wide ? 3 * MS : 12 * MS;
        choice_note(&choice, 100, is_wide, is_wide ? wide_ns : 6 * MS);
        wide += i >= 1000 && is_wide;
        was_wide = is_wide;
    }
    assert_in_range(wide, 1900, 2000);
}

static void the_time_of_a_run_is_foreseen_from_what_is_known_of_shorter_ones(void **state)
{
    (void)state;
    assert_true(choice_foreseen_ns(&choice, 8) == UINT64_MAX);
    choice_note(&choice, 16, true, 1 * MS);
    assert_true(choice_foreseen_ns(&choice, 16) == UINT64_MAX); /* of narrow runs only */
    choice_note(&choice, 16, false, 2 * MS);
    assert_true(choice_foreseen_ns(&choice, 15) == UINT64_MAX);
    assert_int_equal(choice_foreseen_ns(&choice, 24), 3 * MS);
    assert_int_equal(choice_foreseen_ns(&choice, 160), 20 * MS);
}

static void a_slow_stretch_does_not_turn_it_over(void **state)
{
    (void)state;
    serve(2, 100, 6 * MS, 3 * MS);
    unsigned wide = 0;
    for (unsigned i = 0; i < 400; i++) {
        wide += choice_is_wide(&choice, 100);
        choice_note(&choice, 100, true, (i % 4 == 0 ? 9 : 3) * MS);
    }
    assert_in_range(wide, 388, 400);
}

static void no_length_leaves_the_table(void **state)
{
    (void)state;
    choice_note(&choice, 0, true, 0);
    choice_note(&choice, SIZE_MAX, false, 1);
    (void)choice_is_wide(&choice, SIZE_MAX);
    assert_false(choice_is_wide(&choice, 1));
}

KIT_MAIN(cmocka_unit_test_setup(each_way_is_tried_once_before_one_is_chosen, begin),
         cmocka_unit_test_setup(the_slower_way_is_tried_now_and_then_and_seldom, begin),
         cmocka_unit_test_setup(a_change_of_the_machine_is_noticed, begin),
         cmocka_unit_test_setup(lengths_that_were_not_tried_follow_the_nearest_shorter_one, begin),
         cmocka_unit_test_setup(a_length_at_which_shorter_ones_did_not_pay_is_tried_itself, begin),
         cmocka_unit_test_setup(microseconds_are_not_worth_waking_threads, begin),
         cmocka_unit_test_setup(one_run_that_was_held_up_does_not_turn_it_over, begin),
         cmocka_unit_test_setup(a_try_is_not_judged_by_its_first_run, begin),
         cmocka_unit_test_setup(the_time_of_a_run_is_foreseen_from_what_is_known_of_shorter_ones,
                                begin),
         cmocka_unit_test_setup(a_slow_stretch_does_not_turn_it_over, begin),
         cmocka_unit_test_setup(no_length_leaves_the_table, begin))
