/* The harness with sides that take no time: order, verdicts, and the quick self-check. */

#include "hearth_harness.h"

#include "hearth_os.h"
#include "kit.h"
#include "self_check.h"

#include <math.h>
#include <string.h>

#ifdef HEARTH_SANITIZED
#define SELF_CHECK_RUNS 10u /* a tenth of the speed */
#else
#define SELF_CHECK_RUNS 40u
#endif

static void assert_near(double value, double wanted, double tolerance)
{
    assert_true(fabs(value - wanted) <= tolerance);
}

/* ---- a made-up benchmark -------------------------------------------------------------------- */

#define BLOCK_NS (3 * HEARTH_NS_PER_SEC) /* of the slow clock */

struct world {
    char order[4096]; /* which side each block was of */
    size_t blocks;
    double ns[2];
    int check_code;
    int measure_code;
    bool was_closed;
};

static struct world world;

static uint64_t no_clock(void)
{
    return 0;
}

/* A block takes three seconds, whatever it measures. */
static uint64_t slow_clock(void)
{
    return world.blocks * BLOCK_NS;
}

static int measure(size_t which, double *ret, size_t calls, struct hearth_error *err)
{
    if (world.measure_code != 0) {
        return hearth_fail(err, world.measure_code, "it broke");
    }
    if (world.blocks < sizeof world.order - 1) {
        world.order[world.blocks] = which == 0 ? 'A' : 'B';
    }
    for (size_t i = 0; i < calls; i++) {
        ret[i] = world.ns[which] * (1.0 + 0.001 * (double)(world.blocks % 5));
    }
    world.blocks++;
    return 0;
}

static int measure_a(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    (void)arg;
    return measure(0, ret, calls, err);
}

static int measure_b(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    (void)arg;
    return measure(1, ret, calls, err);
}

/* The second figure of a block of either side is 7 times, the third 8 times what was measured. */
static double other_figure(const void *arg, unsigned which)
{
    (void)arg;
    size_t last = HEARTH_MIN(world.blocks, sizeof world.order - 1) - 1;
    return world.ns[world.order[last] == 'A' ? 0 : 1] * (6.0 + which);
}

static int check(void *state, struct hearth_error *err)
{
    (void)state;
    return world.check_code == 0 ? 0 : hearth_fail(err, world.check_code, "5 is not 6");
}

static void close_world(void *state)
{
    (void)state;
    world.was_closed = true;
}

static int open_world(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                      struct hearth_error *err)
{
    (void)places;
    (void)err;
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "a", .measure = measure_a, .figure = other_figure},
                  {.name = "b", .measure = measure_b, .figure = other_figure}},
        .side_count = 2,
        .check = check,
        .close = close_world};
    return 0;
}

static int open_nothing(const struct hearth_harness_places *places,
                        struct hearth_harness_setup *ret, struct hearth_error *err)
{
    (void)places;
    (void)ret;
    return hearth_fail(err, HEARTH_E_UNSUPPORTED, "a-server is missing: install a-package");
}

static struct hearth_harness_plan plan_of_tests(void)
{
    struct hearth_harness_plan plan;
    hearth_harness_plan_default(&plan, true);
    plan.now_ns = no_clock;
    plan.warm_up_ns = 0;
    plan.max_quads = 40;
    plan.foreign_limit = INFINITY; /* the machine of a test run is not the subject */
    plan.steal_limit = INFINITY;
    return plan;
}

static struct hearth_harness_result run_with(const struct hearth_harness_case *of,
                                             bool is_check_only, bool keeps_values)
{
    struct hearth_harness_plan plan = plan_of_tests();
    struct hearth_harness_result result;
    plan.is_check_only = is_check_only;
    plan.keeps_values = keeps_values;
    hearth_harness_run(of, 1, &(struct hearth_harness_places){0}, &plan, &result);
    return result;
}

static int fresh(void **state)
{
    (void)state;
    world = (struct world){.ns = {200.0, 100.0}};
    return 0;
}

static struct hearth_harness_result run(const struct hearth_harness_case *of)
{
    return run_with(of, false, false);
}

/* ---- claims --------------------------------------------------------------------------------- */

static void quads_are_interleaved_in_both_orders(void **state)
{
    (void)state;
    struct hearth_harness_case of = {.id = "x", .open = open_world};
    struct hearth_harness_result result = run(&of);
    unsigned seen[2] = {0};
    assert_true(result.quads >= 8);
    assert_int_equal(world.blocks,
                     2 + 4 * (8 + result.quads)); /* warm-up, pilot, and what counts */
    for (size_t i = 2; i < world.blocks; i += 4) {
        bool is_a_first = memcmp(world.order + i, "ABBA", 4) == 0;
        assert_true(is_a_first || memcmp(world.order + i, "BAAB", 4) == 0);
        seen[is_a_first]++;
    }
    assert_true(seen[0] > 0 && seen[1] > 0);
    assert_true(world.was_closed);
}

static void ratio_of_times_is_found_and_that_of_rates_is_its_inverse(void **state)
{
    (void)state;
    struct hearth_harness_case of = {.id = "x", .open = open_world};
    struct hearth_harness_result result = run(&of);
    assert_int_equal(result.verdict, HEARTH_VERDICT_MEASURED);
    assert_near(result.ratio, 2.0, 0.01);
    assert_int_equal(hearth_harness_change_of(&result), HEARTH_CHANGE_SLOWER);
    of.kind = HEARTH_HARNESS_RATE;
    result = run(&of);
    assert_near(result.ratio, 0.5, 0.005);
    assert_int_equal(hearth_harness_change_of(&result), HEARTH_CHANGE_SLOWER);
}

static void cases_that_share_a_run_have_a_result_each(void **state)
{
    (void)state;
    const struct hearth_harness_case of[] = {
        {.id = "x", .open = open_world, .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 2.2, false}}},
        {.id = "y",
         .kind = HEARTH_HARNESS_RATE,
         .figure = 1,
         .shares_run = true,
         .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 0.6, false}}}};
    struct hearth_harness_plan plan = plan_of_tests();
    struct hearth_harness_result results[2];
    hearth_harness_run(of, 2, &(struct hearth_harness_places){0}, &plan, results);
    assert_int_equal(world.blocks, 2 + 4 * (8 + results[0].quads)); /* as many as for one */
    assert_string_equal(results[1].of->id, "y");
    assert_int_equal(results[0].quads, results[1].quads);
    assert_int_equal(results[0].verdict, HEARTH_VERDICT_PASS);
    assert_int_equal(results[1].verdict, HEARTH_VERDICT_FAIL);
    assert_near(results[0].ratio, 2.0, 0.01);
    assert_near(results[1].ratio, 0.5, 1e-9);
    assert_near(results[1].sides[0].blocks.median, 1400.0, 1e-9);
    struct hearth_harness_case alone = of[1];
    alone.open = open_world;
    alone.figure = 2;
    assert_near(run(&alone).sides[1].blocks.median, 800.0, 1e-9);
    world.check_code = HEARTH_E_INTERNAL;
    hearth_harness_run(of, 2, &(struct hearth_harness_places){0}, &plan, results);
    assert_int_equal(results[0].verdict, HEARTH_VERDICT_BROKEN);
    assert_int_equal(results[1].verdict, HEARTH_VERDICT_BROKEN);
    assert_string_equal(results[1].reason, "5 is not 6");
}

static void slow_quads_are_as_many_as_fit_and_never_fewer_than_six(void **state)
{
    (void)state;
    static const struct {
        unsigned limit_s;
        size_t quads; /* of 12 s each */
    } rows[] = {{1, 6}, {71, 6}, {120, 10}};
    struct hearth_harness_case of = {.id = "x", .open = open_world};
    struct hearth_harness_plan plan = plan_of_tests();
    plan.now_ns = slow_clock;
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        struct hearth_harness_result result;
        world.blocks = 0;
        plan.time_limit_ns = rows[i].limit_s * HEARTH_NS_PER_SEC;
        hearth_harness_run(&of, 1, &(struct hearth_harness_places){0}, &plan, &result);
        assert_int_equal(result.quads, rows[i].quads);
        assert_int_equal(world.blocks, 2 + 4 * rows[i].quads); /* and nothing but the warm-up */
        assert_true((result.ratio_99.high > 0.0) == (rows[i].quads >= 8));
        assert_int_equal(hearth_harness_change_of(&result),
                         rows[i].quads >= 8 ? HEARTH_CHANGE_SLOWER : HEARTH_CHANGE_UNKNOWN);
    }
}

static void goals_are_judged_on_both_sides_of_their_limit(void **state)
{
    (void)state;
    static const struct {
        struct hearth_harness_goal goal;
        enum hearth_harness_verdict verdict;
    } rows[] = {
        {{HEARTH_GOAL_RATIO_AT_MOST, 2.2, false}, HEARTH_VERDICT_PASS},
        {{HEARTH_GOAL_RATIO_AT_MOST, 1.8, false}, HEARTH_VERDICT_FAIL},
        {{HEARTH_GOAL_RATIO_AT_LEAST, 1.8, false}, HEARTH_VERDICT_PASS},
        {{HEARTH_GOAL_RATIO_AT_LEAST, 2.2, false}, HEARTH_VERDICT_FAIL},
        {{HEARTH_GOAL_MEDIAN_AT_MOST, 210.0, false}, HEARTH_VERDICT_PASS},
        {{HEARTH_GOAL_MEDIAN_AT_MOST, 190.0, false}, HEARTH_VERDICT_FAIL},
        {{HEARTH_GOAL_DIFFERENCE_AT_MOST, 110.0, false}, HEARTH_VERDICT_PASS},
        {{HEARTH_GOAL_DIFFERENCE_AT_MOST, 90.0, false}, HEARTH_VERDICT_FAIL},
        {{HEARTH_GOAL_RATIO_AT_MOST, 1.8, true}, HEARTH_VERDICT_MEASURED}, /* a stretch */
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        struct hearth_harness_case of = {.id = "x", .open = open_world, .goals = {rows[i].goal}};
        assert_int_equal(run(&of).verdict, rows[i].verdict);
    }
}

static void a_check_times_nothing_and_still_finds_a_wrong_result(void **state)
{
    (void)state;
    struct hearth_harness_case of = {.id = "x", .open = open_world};
    assert_int_equal(run_with(&of, true, false).verdict, HEARTH_VERDICT_MEASURED);
    assert_int_equal(world.blocks, 0);
    assert_true(world.was_closed);
    world.check_code = HEARTH_E_INTERNAL;
    assert_int_equal(run_with(&of, true, false).verdict, HEARTH_VERDICT_BROKEN);
}

static void values_of_all_blocks_are_kept_as_they_came(void **state)
{
    (void)state;
    struct hearth_harness_case of = {.id = "x", .open = open_world};
    struct hearth_harness_result result = run_with(&of, false, true);
    for (size_t i = 0; i < 2; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < 2 * result.quads; j++) {
            sum += result.sides[i].values[j];
        }
        assert_near(sum / (double)(2 * result.quads), result.sides[i].blocks.mean, 1e-9);
        hearth_free(result.sides[i].values);
    }
    assert_null(run(&of).sides[0].values);
}

static struct hearth_harness_result judged(struct hearth_harness_result result)
{
    struct hearth_harness_plan plan;
    hearth_harness_plan_default(&plan, false);
    hearth_harness_judge(&plan, &result);
    return result;
}

static void noise_ends_as_inconclusive_whatever_the_ratio(void **state)
{
    (void)state;
    static const struct hearth_harness_case of = {
        .id = "x", .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 1.3, false}}};
    struct hearth_harness_result quiet = {.of = &of,
                                          .side_count = 2,
                                          .ratio = 1.1,
                                          .ratio_95 = {1.08, 1.12},
                                          .same_95 = {0.99, 1.01},
                                          .usage = {.seconds = 5, .cores = 4}};
    assert_int_equal(judged(quiet).verdict, HEARTH_VERDICT_PASS);
    struct hearth_harness_result noisy = quiet;
    noisy.same_95.high = 1.06;
    assert_int_equal(judged(noisy).verdict, HEARTH_VERDICT_INCONCLUSIVE);
    noisy = quiet;
    noisy.usage.steal = 0.02;
    assert_int_equal(judged(noisy).verdict, HEARTH_VERDICT_INCONCLUSIVE);
    noisy = quiet;
    noisy.usage.foreign_cores = 0.5;
    noisy.ratio_95 = (struct hearth_stats_interval){1.5, 1.6}; /* would be a failure */
    assert_int_equal(judged(noisy).verdict, HEARTH_VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(judged(noisy).reason, "other programs computed on 0.50 cores"));
    noisy = quiet;
    noisy.ratio_95 = (struct hearth_stats_interval){1.2, 1.4};
    assert_int_equal(judged(noisy).verdict, HEARTH_VERDICT_INCONCLUSIVE);
}

static void wrong_result_is_never_timed(void **state)
{
    (void)state;
    struct hearth_harness_case of = {.id = "x", .open = open_world};
    world.check_code = HEARTH_E_INTERNAL;
    struct hearth_harness_result result = run(&of);
    assert_int_equal(result.verdict, HEARTH_VERDICT_BROKEN);
    assert_string_equal(result.reason, "5 is not 6");
    assert_int_equal(world.blocks, 0);
    assert_true(world.was_closed);
}

static void failing_measurement_is_broken_and_says_which(void **state)
{
    (void)state;
    struct hearth_harness_case of = {.id = "x", .open = open_world};
    world.measure_code = HEARTH_E_SYSTEM;
    struct hearth_harness_result result = run(&of);
    assert_int_equal(result.verdict, HEARTH_VERDICT_BROKEN);
    assert_non_null(strstr(result.reason, "measure \"")); /* "a" or "b", by lot */
}

static void missing_program_is_skipped_with_the_remedy(void **state)
{
    (void)state;
    struct hearth_harness_case of = {.id = "x", .open = open_nothing};
    struct hearth_harness_result result = run(&of);
    assert_int_equal(result.verdict, HEARTH_VERDICT_SKIPPED);
    assert_string_equal(result.reason, "a-server is missing: install a-package");
}

static void change_is_named_only_when_it_is_sure(void **state)
{
    (void)state;
    static const struct hearth_harness_case of = {.id = "x"};
    static const struct {
        struct hearth_stats_interval wide, usual;
        enum hearth_harness_change change;
    } rows[] = {
        {{0.99, 1.02}, {0.995, 1.015}, HEARTH_CHANGE_UNCHANGED},
        {{1.005, 1.02}, {1.007, 1.018}, HEARTH_CHANGE_UNCHANGED}, /* too small to be named */
        {{1.02, 1.08}, {1.03, 1.07}, HEARTH_CHANGE_SLOWER},
        {{0.90, 0.95}, {0.91, 0.94}, HEARTH_CHANGE_FASTER},
        {{0.94, 1.08}, {0.96, 1.06}, HEARTH_CHANGE_UNKNOWN},
        {{0.0, 0.0}, {1.03, 1.07}, HEARTH_CHANGE_UNKNOWN}, /* too few quads */
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        struct hearth_harness_result result = {
            .of = &of, .ratio_99 = rows[i].wide, .ratio_95 = rows[i].usual};
        assert_int_equal(hearth_harness_change_of(&result), rows[i].change);
    }
}

/* The same code as `hearth-bench --self-check`, with fewer runs and the wider tolerance that they
 * need. */
static void harness_tells_the_truth_about_known_data(void **state)
{
    (void)state;
    assert_int_equal(hearth_self_check(SELF_CHECK_RUNS, stderr), 0);
}

KIT_MAIN(cmocka_unit_test_setup(quads_are_interleaved_in_both_orders, fresh),
         cmocka_unit_test_setup(ratio_of_times_is_found_and_that_of_rates_is_its_inverse, fresh),
         cmocka_unit_test_setup(cases_that_share_a_run_have_a_result_each, fresh),
         cmocka_unit_test_setup(slow_quads_are_as_many_as_fit_and_never_fewer_than_six, fresh),
         cmocka_unit_test_setup(goals_are_judged_on_both_sides_of_their_limit, fresh),
         cmocka_unit_test_setup(a_check_times_nothing_and_still_finds_a_wrong_result, fresh),
         cmocka_unit_test_setup(values_of_all_blocks_are_kept_as_they_came, fresh),
         cmocka_unit_test_setup(noise_ends_as_inconclusive_whatever_the_ratio, fresh),
         cmocka_unit_test_setup(wrong_result_is_never_timed, fresh),
         cmocka_unit_test_setup(failing_measurement_is_broken_and_says_which, fresh),
         cmocka_unit_test_setup(missing_program_is_skipped_with_the_remedy, fresh),
         cmocka_unit_test(change_is_named_only_when_it_is_sure),
         cmocka_unit_test(harness_tells_the_truth_about_known_data))
