#include "hearth_metrics.h"

#include "kit.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void counting_changes_one_counter_only(void **state)
{
    (void)state;
    struct hearth_metrics metrics;
    memset(&metrics, 0xff, sizeof metrics);
    hearth_metrics_init(&metrics);
    hearth_metrics_count(&metrics, HEARTH_COUNTER_REQUESTS_TOTAL);
    hearth_metrics_add(&metrics, HEARTH_COUNTER_TOKENS_INPUT_TOTAL, UINT64_C(1) << 40);
    uint64_t sum = 0;
    struct hearth_metric metric;
    for (size_t i = 0; hearth_metrics_read(&metrics, i, &metric); i++) {
        sum += metric.value;
    }
    assert_int_equal(sum, (UINT64_C(1) << 40) + 1);
    assert_int_equal(hearth_metrics_value(&metrics, HEARTH_COUNTER_REQUESTS_TOTAL), 1);
}

static void reading_names_each_counter_once_and_ends(void **state)
{
    (void)state;
    struct hearth_metrics metrics;
    hearth_metrics_init(&metrics);
    for (size_t i = 0; i < HEARTH_COUNTER_COUNT_; i++) {
        metrics.counters[i] = i + 100;
    }
    struct hearth_metric metric = {0};
    size_t count = 0;
    bool has_deaths = false;
    for (; hearth_metrics_read(&metrics, count, &metric); count++) {
        assert_int_equal(metric.value, count + 100);
        for (size_t other = 0; other < count; other++) {
            struct hearth_metric earlier;
            assert_true(hearth_metrics_read(&metrics, other, &earlier));
            assert_string_not_equal(metric.name, earlier.name);
        }
        for (const char *at = metric.name; *at != '\0'; at++) {
            assert_true(islower((unsigned char)*at) || *at == '_');
        }
        assert_true(strlen(metric.unit) > 0);
        assert_int_equal(metric.help[strlen(metric.help) - 1], '.');
        has_deaths |= strcmp(metric.name, "worker_deaths") == 0 &&
                      metric.value == HEARTH_COUNTER_WORKER_DEATHS + 100u;
    }
    assert_int_equal(count, HEARTH_COUNTER_COUNT_);
    assert_true(has_deaths);
}

typedef bool (*reader)(const struct hearth_metrics *, size_t, struct hearth_metric *);

static void gauges_and_histograms_are_listed_like_counters(void **state)
{
    (void)state;
    struct hearth_metrics metrics;
    hearth_metrics_init(&metrics);
    hearth_metrics_set(&metrics, HEARTH_GAUGE_QUEUE_DEPTH, 9);
    hearth_metrics_set(&metrics, HEARTH_GAUGE_QUEUE_DEPTH, 7);
    hearth_metrics_observe(&metrics, HEARTH_HISTOGRAM_TOTAL_TIME, 100);
    hearth_metrics_observe(&metrics, HEARTH_HISTOGRAM_TOTAL_TIME, 200);
    static const reader readers[] = {hearth_metrics_read_gauge, hearth_metrics_read_histogram};
    static const size_t counts[] = {HEARTH_GAUGE_COUNT_, HEARTH_HISTOGRAM_COUNT_};
    static const char *const names[] = {"queue_depth", "request_total_us"};
    static const uint64_t values[] = {7, 2};
    for (size_t k = 0; k < HEARTH_COUNT(readers); k++) {
        struct hearth_metric metric;
        size_t i = 0;
        for (; readers[k](&metrics, i, &metric); i++) {
            assert_int_equal(metric.help[strlen(metric.help) - 1], '.');
            assert_int_equal(metric.value, strcmp(metric.name, names[k]) == 0 ? values[k] : 0);
        }
        assert_int_equal(i, counts[k]);
    }
}

static void buckets_meet_without_a_gap_and_hold_their_bound(void **state)
{
    (void)state;
    struct hearth_metrics metrics;
    hearth_metrics_init(&metrics);
    struct hearth_histogram_cells *cells = &metrics.histograms[HEARTH_HISTOGRAM_QUEUE_TIME];
    uint64_t first = 0; /* of this bucket */
    for (size_t i = 0; i < HEARTH_HISTOGRAM_BUCKETS; i++) {
        uint64_t bound = hearth_histogram_bound(i);
        bool is_last = i + 1 == HEARTH_HISTOGRAM_BUCKETS;
        assert_true(bound >= first);
        assert_true(is_last || bound - first + 1 <= HEARTH_MAX(first / 4, (uint64_t)1));
        hearth_metrics_observe(&metrics, HEARTH_HISTOGRAM_QUEUE_TIME, first);
        hearth_metrics_observe(&metrics, HEARTH_HISTOGRAM_QUEUE_TIME, bound);
        assert_int_equal(cells->buckets[i], 2);
        if (is_last) {
            assert_int_equal(first, UINT64_C(1) << 36);
            assert_true(bound == UINT64_MAX);
        }
        first = bound + 1;
    }
    assert_int_equal(cells->count, 2 * HEARTH_HISTOGRAM_BUCKETS);
}

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

#define VALUES_MAX 3000u

/* One exact answer from sorting, one from the buckets. The last bucket has no width to promise. */
static void quantiles_are_near_a_sort(struct kit_random *random, void *context)
{
    (void)context;
    static uint64_t values[VALUES_MAX];
    struct hearth_metrics metrics;
    hearth_metrics_init(&metrics);
    size_t count = kit_random_between(random, 1, VALUES_MAX);
    unsigned shift = (unsigned)kit_random_between(random, 28, 63);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        values[i] = kit_random_u64(random) >> shift >> kit_random_below(random, 28);
        sum += values[i];
        hearth_metrics_observe(&metrics, HEARTH_HISTOGRAM_TOTAL_TIME, values[i]);
    }
    qsort(values, count, sizeof values[0], by_value);
    const struct hearth_histogram_cells *cells = &metrics.histograms[HEARTH_HISTOGRAM_TOTAL_TIME];
    assert_int_equal(cells->count, count);
    assert_true(cells->sum == sum);
    assert_true(cells->min == values[0] && cells->max == values[count - 1]);
    static const unsigned asked[] = {1, 250, 500, 900, 950, 990, 999, 1000};
    for (size_t i = 0; i < HEARTH_COUNT(asked); i++) {
        size_t rank = (count * asked[i] + 999) / 1000;
        uint64_t exact = values[rank - 1];
        uint64_t answer = hearth_histogram_quantile(cells, asked[i]);
        assert_true(answer >= exact && answer <= exact + exact / 4);
        assert_true(answer <= values[count - 1]);
    }
}

static void quantiles_agree_with_a_sort_within_a_bucket(void **state)
{
    (void)state;
    kit_property(200, quantiles_are_near_a_sort, NULL);
}

static void quantiles_of_none_of_one_and_of_very_many(void **state)
{
    (void)state;
    struct hearth_histogram_cells cells = {0};
    assert_int_equal(hearth_histogram_quantile(&cells, 500), 0);
    struct hearth_metrics metrics;
    hearth_metrics_init(&metrics);
    hearth_metrics_observe(&metrics, HEARTH_HISTOGRAM_LOAD_TIME, UINT64_MAX - 5);
    for (unsigned permille = 0; permille <= 2000; permille += 500) {
        assert_true(hearth_histogram_quantile(&metrics.histograms[HEARTH_HISTOGRAM_LOAD_TIME],
                                              permille) == UINT64_MAX - 5);
    }
    /* More values than a product with 1000 could hold: three of four are 1, the rest 3. */
    cells = (struct hearth_histogram_cells){.count = UINT64_C(1) << 62, .min = 1, .max = 3};
    cells.buckets[1] = UINT64_C(3) << 60;
    cells.buckets[3] = UINT64_C(1) << 60;
    assert_int_equal(hearth_histogram_quantile(&cells, 750), 1);
    assert_int_equal(hearth_histogram_quantile(&cells, 751), 3);
}

static void prometheus_text_stops_at_a_bound_and_survives_failing_allocations(void **state)
{
    (void)state;
    struct hearth_metrics metrics;
    hearth_metrics_init(&metrics);
    struct hearth_buf out;
    hearth_buf_init(&out, 1000);
    assert_int_equal(hearth_metrics_prometheus(&metrics, &out), HEARTH_E_TOO_LARGE);
    hearth_buf_finish(&out);
    KIT_FOR_EACH_FAILURE(n) {
        hearth_buf_init(&out, 1u << 20);
        int rc = hearth_metrics_prometheus(&metrics, &out);
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        hearth_buf_finish(&out);
    }
}

static void every_cell_of_every_family_is_another_one(void **state)
{
    (void)state;
    static struct hearth_metrics metrics;
    hearth_metrics_init(&metrics);
    size_t count = 0;
    for (size_t f = 0; f < HEARTH_FAMILY_COUNT_; f++) {
        const struct hearth_family_shape *shape = &hearth_families[f];
        for (unsigned a = 0; a < shape->sizes[0]; a++) {
            for (unsigned b = 0; b < shape->sizes[1]; b++) {
                for (unsigned c = 0; c < shape->sizes[2]; c++) {
                    uint64_t *cell = hearth_metrics_cell(&metrics, (enum hearth_family)f, a, b, c);
                    assert_int_equal(*cell, 0);
                    *cell = ++count;
                }
            }
        }
    }
    assert_int_equal(count, HEARTH_FAMILY_CELLS_);
}

static size_t count_series(const struct hearth_metrics *metrics, uint64_t *ret_sum)
{
    struct hearth_series series;
    size_t cursor = 0;
    size_t count = 0;
    for (*ret_sum = 0; hearth_metrics_next_series(metrics, &cursor, &series); count++) {
        *ret_sum += series.value;
    }
    return count;
}

static void another_model_in_a_slot_begins_at_0_and_the_same_goes_on(void **state)
{
    (void)state;
    static struct hearth_metrics metrics;
    uint64_t sum;
    hearth_metrics_init(&metrics);
    hearth_metrics_name_model(&metrics, 3, "a");
    hearth_metrics_name_model(&metrics, 4, "b");
    *hearth_metrics_cell(&metrics, HEARTH_FAMILY_REQUESTS, 3, 1, 0) = 5;
    *hearth_metrics_cell(&metrics, HEARTH_FAMILY_REQUESTS, 4, 0, 0) = 70;
    *hearth_metrics_cell(&metrics, HEARTH_FAMILY_TOKENS_OUTPUT, 3, 0, 0) = 600;
    hearth_metrics_name_model(&metrics, 3, "a");
    assert_int_equal(count_series(&metrics, &sum), 3);
    assert_int_equal(sum, 675);
    hearth_metrics_name_model(&metrics, 3, "c");
    assert_int_equal(count_series(&metrics, &sum), 1);
    assert_int_equal(sum, 70);
}

static void a_slot_without_a_model_is_not_told(void **state)
{
    (void)state;
    static struct hearth_metrics metrics;
    uint64_t sum;
    hearth_metrics_init(&metrics);
    *hearth_metrics_cell(&metrics, HEARTH_FAMILY_REQUESTS, 3, 1, 0) = 5;
    *hearth_metrics_cell(&metrics, HEARTH_FAMILY_REJECTIONS, HEARTH_METRIC_NO_MODEL,
                         HEARTH_REFUSAL_NO_MODEL, 0) = 2;
    assert_int_equal(count_series(&metrics, &sum), 1);
    assert_int_equal(sum, 2);
}

KIT_MAIN(cmocka_unit_test(every_cell_of_every_family_is_another_one),
         cmocka_unit_test(another_model_in_a_slot_begins_at_0_and_the_same_goes_on),
         cmocka_unit_test(a_slot_without_a_model_is_not_told),
         cmocka_unit_test(counting_changes_one_counter_only),
         cmocka_unit_test(reading_names_each_counter_once_and_ends),
         cmocka_unit_test(gauges_and_histograms_are_listed_like_counters),
         cmocka_unit_test(buckets_meet_without_a_gap_and_hold_their_bound),
         cmocka_unit_test(quantiles_agree_with_a_sort_within_a_bucket),
         cmocka_unit_test(quantiles_of_none_of_one_and_of_very_many),
         cmocka_unit_test(prometheus_text_stops_at_a_bound_and_survives_failing_allocations))
