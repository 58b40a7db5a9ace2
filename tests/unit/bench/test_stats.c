/* Statistics against values worked out by hand or published. */

#include "hearth_stats.h"

#include "kit.h"

#include <math.h>
#include <string.h>

#define NEAR 1e-12

static void assert_near(double value, double wanted, double tolerance)
{
    assert_true(fabs(value - wanted) <= tolerance);
}

static void random_numbers_are_the_published_sequence(void **state)
{
    (void)state;
    /* splitmix64 with seed 1234567, as its authors' C code prints it. */
    static const uint64_t published[] = {
        UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
        UINT64_C(4593380528125082431), UINT64_C(16408922859458223821)};
    struct hearth_stats_random random;
    hearth_stats_seed(&random, 1234567);
    for (size_t i = 0; i < HEARTH_COUNT(published); i++) {
        assert_true(hearth_stats_next(&random) == published[i]);
    }
}

static void draws_have_their_means(void **state)
{
    (void)state;
    struct hearth_stats_random random;
    double normal = 0.0;
    double squares = 0.0;
    double exponential = 0.0;
    hearth_stats_seed(&random, 1);
    for (int i = 0; i < 100000; i++) {
        double x = hearth_stats_normal(&random);
        normal += x / 1e5;
        squares += x * x / 1e5;
        exponential += hearth_stats_exponential(&random) / 1e5;
    }
    /* Four standard errors of 100,000 draws: 0.0127, 0.018, 0.0127. */
    assert_near(normal, 0.0, 0.0127);
    assert_near(squares, 1.0, 0.018);
    assert_near(exponential, 1.0, 0.0127);
}

static void quantiles_lie_between_order_statistics(void **state)
{
    (void)state;
    const double values[] = {1, 2, 4, 8};
    assert_near(hearth_stats_quantile(values, 4, 0.0), 1.0, NEAR);
    assert_near(hearth_stats_quantile(values, 4, 0.5), 3.0, NEAR);
    assert_near(hearth_stats_quantile(values, 4, 0.25), 1.75, NEAR); /* place 0.75 */
    assert_near(hearth_stats_quantile(values, 4, 1.0), 8.0, NEAR);
    assert_near(hearth_stats_quantile(values, 1, 0.9), 1.0, NEAR);
}

static void outliers_are_classed_by_the_fences(void **state)
{
    (void)state;
    /* Quartiles 10 and 14, range 4: fences at -2, 4, 20, 26. */
    const double values[] = {-3, 3, 10, 10, 11, 12, 13, 14, 14, 21, 27};
    struct hearth_stats_outliers found;
    hearth_stats_classify(values, HEARTH_COUNT(values), &found);
    assert_int_equal(found.low_severe, 1);
    assert_int_equal(found.low_mild, 1);
    assert_int_equal(found.high_mild, 1);
    assert_int_equal(found.high_severe, 1);
}

static void summary_is_right_for_known_values(void **state)
{
    (void)state;
    double values[] = {9, 2, 5, 4, 12, 7, 8, 11, 9, 3, 7, 4, 12, 5, 4, 10, 9, 6, 9, 4};
    struct hearth_stats_summary found;
    assert_int_equal(hearth_stats_summarize(values, HEARTH_COUNT(values), 1, &found), 0);
    assert_int_equal(found.count, 20);
    assert_near(found.mean, 7.0, NEAR);
    assert_near(found.median, 7.0, NEAR);
    assert_near(found.deviation, sqrt(178.0 / 19.0), NEAR);
    assert_near(found.least, 2.0, NEAR);
    assert_near(found.most, 12.0, NEAR);
    assert_true(found.mean_95.low < 7.0 && found.mean_95.high > 7.0);
}

/* The median's interval has an exact form: order statistics whose ranks are binomial. For 101
 * values 1 … 101 they are 41 and 61 (P = 0.954); the bootstrap approximates just that. */
static void median_interval_is_near_the_binomial_one(void **state)
{
    (void)state;
    double values[101];
    struct hearth_stats_interval found;
    for (size_t i = 0; i < HEARTH_COUNT(values); i++) {
        values[i] = (double)(i + 1);
    }
    assert_int_equal(
        hearth_stats_bootstrap(values, HEARTH_COUNT(values), HEARTH_STATS_MEDIAN, 0.95, 7, &found),
        0);
    assert_near(found.low, 41.0, 1.5);
    assert_near(found.high, 61.0, 1.5);
}

/* Of a symmetric population BCa is the normal interval: mean ± 1.96 standard errors. */
static void mean_interval_is_the_normal_one_without_skew(void **state)
{
    (void)state;
    double values[200];
    struct hearth_stats_interval found;
    for (size_t i = 0; i < HEARTH_COUNT(values); i++) {
        values[i] = (double)i;
    }
    assert_int_equal(
        hearth_stats_bootstrap(values, HEARTH_COUNT(values), HEARTH_STATS_MEAN, 0.95, 7, &found),
        0);
    double error = sqrt((200.0 * 200.0 - 1.0) / 12.0 / 200.0);
    assert_near(found.low, 99.5 - 1.96 * error, 0.6);
    assert_near(found.high, 99.5 + 1.96 * error, 0.6);
}

/* BCa moves the interval towards the long tail, which percentiles alone do not. */
static void mean_interval_leans_towards_the_tail(void **state)
{
    (void)state;
    struct hearth_stats_random random;
    struct hearth_stats_interval found;
    double values[60];
    hearth_stats_seed(&random, 3);
    for (size_t i = 0; i < HEARTH_COUNT(values); i++) {
        values[i] = hearth_stats_exponential(&random);
    }
    hearth_stats_sort(values, HEARTH_COUNT(values));
    double mean = hearth_stats_mean(values, HEARTH_COUNT(values));
    assert_int_equal(
        hearth_stats_bootstrap(values, HEARTH_COUNT(values), HEARTH_STATS_MEAN, 0.95, 7, &found),
        0);
    assert_true(found.high - mean > mean - found.low);
}

static void same_seed_gives_the_same_interval(void **state)
{
    (void)state;
    const double values[] = {1, 2, 3, 5, 8, 13, 21, 34, 55};
    struct hearth_stats_interval first;
    struct hearth_stats_interval second;
    assert_int_equal(hearth_stats_bootstrap(values, 9, HEARTH_STATS_MEAN, 0.95, 5, &first), 0);
    assert_int_equal(hearth_stats_bootstrap(values, 9, HEARTH_STATS_MEAN, 0.95, 5, &second), 0);
    assert_memory_equal(&first, &second, sizeof first);
}

static void too_few_values_have_no_interval(void **state)
{
    (void)state;
    const double values[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct hearth_stats_interval found;
    assert_int_equal(hearth_stats_bootstrap(values, 5, HEARTH_STATS_MEAN, 0.95, 5, &found),
                     HEARTH_E_ARGUMENT);
    assert_int_equal(hearth_stats_bootstrap(values, 6, HEARTH_STATS_MEAN, 0.95, 5, &found), 0);
}

/* All n values lie on one side of their median with probability 2^(1 - n): 1/32, 1/64, 1/128. */
static void median_has_no_interval_that_its_values_cannot_have(void **state)
{
    (void)state;
    const double values[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct hearth_stats_interval found;
    assert_int_equal(hearth_stats_bootstrap(values, 6, HEARTH_STATS_MEDIAN, 0.95, 5, &found), 0);
    assert_near(found.low, 1.0, NEAR); /* the first and last but one cover in 0.78 only */
    assert_near(found.high, 6.0, NEAR);
    assert_int_equal(hearth_stats_bootstrap(values, 7, HEARTH_STATS_MEDIAN, 0.99, 5, &found),
                     HEARTH_E_ARGUMENT);
    assert_int_equal(hearth_stats_bootstrap(values, 8, HEARTH_STATS_MEDIAN, 0.99, 5, &found), 0);
}

static void bootstrap_survives_any_failed_allocation(void **state)
{
    (void)state;
    const double values[] = {1, 2, 3, 5, 8, 13, 21, 34, 55};
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_stats_interval found;
        int rc = hearth_stats_bootstrap(values, 9, HEARTH_STATS_MEDIAN, 0.95, 5, &found);
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
    }
}

KIT_MAIN(cmocka_unit_test(random_numbers_are_the_published_sequence),
         cmocka_unit_test(draws_have_their_means),
         cmocka_unit_test(quantiles_lie_between_order_statistics),
         cmocka_unit_test(outliers_are_classed_by_the_fences),
         cmocka_unit_test(summary_is_right_for_known_values),
         cmocka_unit_test(median_interval_is_near_the_binomial_one),
         cmocka_unit_test(mean_interval_is_the_normal_one_without_skew),
         cmocka_unit_test(mean_interval_leans_towards_the_tail),
         cmocka_unit_test(same_seed_gives_the_same_interval),
         cmocka_unit_test(too_few_values_have_no_interval),
         cmocka_unit_test(median_has_no_interval_that_its_values_cannot_have),
         cmocka_unit_test(bootstrap_survives_any_failed_allocation))
