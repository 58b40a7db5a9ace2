/* test_calibrate.c — what a few runs decide, with runs and a clock of our own. */

#include "kit.h"

#include "calibrate.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

/* A model: how long its runs take and what they take. */
struct world {
    uint64_t narrow_ns_per_token;
    uint64_t wide_ns_per_token;
    uint64_t wide_ns_to_wake;
    size_t most_tokens; /* longer runs fail */
    uint64_t bytes_per_token;
    uint64_t now_ns;
    uint64_t memory_bytes;
    unsigned runs;
    struct run_memory memory;
    struct choice choice;
    struct calibration found;
};

static int run(void *arg, size_t tokens, bool is_wide, struct hearth_error *err)
{
    struct world *w = arg;
    w->runs++;
    if (tokens > w->most_tokens) {
        return hearth_fail(err, HEARTH_E_NO_MEMORY, "too long");
    }
    w->now_ns += is_wide ? tokens * w->wide_ns_per_token + w->wide_ns_to_wake
                         : tokens * w->narrow_ns_per_token;
    w->memory_bytes = HEARTH_MAX(w->memory_bytes, 1000 + tokens * w->bytes_per_token);
    return 0;
}

static uint64_t now_ns(void *arg)
{
    return ((struct world *)arg)->now_ns;
}

static uint64_t memory_bytes(void *arg)
{
    return ((struct world *)arg)->memory_bytes;
}

static void find(struct world *w, size_t max_tokens, bool has_wide)
{
    const struct calibrate_runs runs = {run, now_ns, memory_bytes, w};
    w->now_ns = 5 * MS;
    w->memory_bytes = 1000;
    w->most_tokens = w->most_tokens != 0 ? w->most_tokens : SIZE_MAX;
    run_memory_init(&w->memory, 1 << 30);
    choice_init(&w->choice);
    calibrate(&runs, max_tokens, has_wide, 1000, &w->memory, &w->choice, &w->found);
}

static void wide_is_chosen_from_the_length_where_it_pays(void **state)
{
    (void)state;
    /* 100 µs a token, or 30 and 2 ms to wake: at 32 tokens 3.2 against 2.96 ms is too little. */
    struct world w = {
        .narrow_ns_per_token = 100 * US, .wide_ns_per_token = 30 * US, .wide_ns_to_wake = 2 * MS};
    find(&w, 256, true);
    assert_int_equal(w.found.wide_from, 64);
    assert_true(choice_is_wide(&w.choice, 70));
    assert_false(choice_is_wide(&w.choice, 20));
    assert_int_equal(w.found.tokens_per_second, 10000);
    assert_int_equal(w.found.longest, 128); /* two wins are enough */
    run_memory_finish(&w.memory);
}

static void a_tiny_model_gains_nothing_and_says_so(void **state)
{
    (void)state;
    struct world w = {.narrow_ns_per_token = 1 * US, .wide_ns_per_token = 2 * US};
    find(&w, 128, true);
    assert_int_equal(w.found.wide_from, CHOICE_NEVER);
    assert_true(w.found.is_worthless);
    run_memory_finish(&w.memory);
}

static void a_model_that_was_held_up_keeps_its_wide_session(void **state)
{
    (void)state;
    struct world w = {.narrow_ns_per_token = 100 * US, .wide_ns_per_token = 200 * US};
    find(&w, 256, true);
    assert_int_equal(w.found.wide_from, CHOICE_NEVER);
    assert_false(w.found.is_worthless);
    run_memory_finish(&w.memory);
}

static void a_large_model_is_not_kept_waiting(void **state)
{
    (void)state;
    struct world w = {.narrow_ns_per_token = 20 * MS, .wide_ns_per_token = 15 * MS};
    find(&w, 8192, true);
    assert_in_range(w.found.took_ns, 1, 2 * CALIBRATE_NS);
    assert_in_range(w.runs, 2, 8);
    assert_in_range(w.found.longest, 4, 8);
    run_memory_finish(&w.memory);
}

static void memory_is_learned_up_to_the_longest_run(void **state)
{
    (void)state;
    struct world w = {
        .narrow_ns_per_token = 100 * US, .wide_ns_per_token = 20 * US, .bytes_per_token = 50};
    find(&w, 512, true);
    assert_int_equal(w.found.wide_from, 4); /* won at 4 and 8, the rest is not tried */
    assert_int_equal(run_memory_longest(&w.memory), 512);
    assert_int_equal(run_memory_need(&w.memory, 512), 512 * 50);
    assert_int_equal(run_memory_need(&w.memory, 100), 100 * 50);
    run_memory_finish(&w.memory);
}

static void a_run_that_fails_ends_it_with_what_was_found(void **state)
{
    (void)state;
    struct world w = {.narrow_ns_per_token = 100 * US,
                      .wide_ns_per_token = 99 * US,
                      .most_tokens = 16,
                      .bytes_per_token = 50};
    find(&w, 256, true);
    assert_int_equal(w.found.longest, 16);
    assert_int_equal(run_memory_need(&w.memory, 16), 16 * 50);
    run_memory_finish(&w.memory);
}

static void without_a_wide_session_a_few_runs_are_enough(void **state)
{
    (void)state;
    struct world w = {.narrow_ns_per_token = 10 * US};
    find(&w, 128, false);
    assert_int_equal(w.found.wide_from, CHOICE_NEVER);
    assert_in_range(w.runs, 2, 12);
    run_memory_finish(&w.memory);
}

static void a_model_of_one_token_is_no_trouble(void **state)
{
    (void)state;
    struct world w = {.narrow_ns_per_token = 0, .wide_ns_per_token = 0};
    find(&w, 1, true);
    assert_int_equal(w.found.longest, 1);
    run_memory_finish(&w.memory);
}

KIT_MAIN(cmocka_unit_test(wide_is_chosen_from_the_length_where_it_pays),
         cmocka_unit_test(a_tiny_model_gains_nothing_and_says_so),
         cmocka_unit_test(a_model_that_was_held_up_keeps_its_wide_session),
         cmocka_unit_test(a_large_model_is_not_kept_waiting),
         cmocka_unit_test(memory_is_learned_up_to_the_longest_run),
         cmocka_unit_test(a_run_that_fails_ends_it_with_what_was_found),
         cmocka_unit_test(without_a_wide_session_a_few_runs_are_enough),
         cmocka_unit_test(a_model_of_one_token_is_no_trouble))
