#include "hearth_metrics.h"

#include "kit.h"

#include <ctype.h>
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

KIT_MAIN(cmocka_unit_test(counting_changes_one_counter_only),
         cmocka_unit_test(reading_names_each_counter_once_and_ends))
