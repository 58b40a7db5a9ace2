/* prometheus.c — all numbers in the text exposition format 0.0.4. */

#include "hearth_metrics.h"

#include <inttypes.h>
#include <string.h>

/* A time in seconds, of its unit exactly: no floating point, so no locale and no rounding. */
struct seconds {
    uint64_t whole;
    uint64_t fraction;
    int digits;
};
#define SECONDS       "%" PRIu64 ".%0*" PRIu64
#define SECONDS_OF(s) (s).whole, (s).digits, (s).fraction

/* Units of histograms: "us" and "ms", which are also the ends of their names. */
static struct seconds seconds_of(uint64_t value, const char *unit)
{
    bool is_us = strcmp(unit, "us") == 0;
    HEARTH_ASSERT(is_us || strcmp(unit, "ms") == 0);
    uint64_t per_second = is_us ? 1000000u : 1000u;
    return (struct seconds){value / per_second, value % per_second, is_us ? 6 : 3};
}

static int print_head(const char *name, const char *end, const char *type, const char *help,
                      struct hearth_buf *out)
{
    return hearth_buf_printf(out, "# HELP hearth_%s%s %s\n# TYPE hearth_%s%s %s\n", name, end, help,
                             name, end, type);
}

static int print_number(const struct hearth_metric *metric, const char *end, const char *type,
                        struct hearth_buf *out)
{
    int rc = print_head(metric->name, end, type, metric->help, out);
    return rc < 0 ? rc
                  : hearth_buf_printf(out, "hearth_%s%s %" PRIu64 "\n", metric->name, end,
                                      metric->value);
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

/* One line to a power of two, from 1 up to where the last bucket begins. */
static int print_buckets(const struct hearth_histogram_cells *cells, const char *name,
                         const char *unit, struct hearth_buf *out)
{
    uint64_t below = 0;
    size_t index = 0;
    int rc = 0;
    for (unsigned bits = 0; rc == 0 && bits <= HEARTH_HISTOGRAM_TOP_BITS; bits++) {
        uint64_t bound = UINT64_C(1) << bits;
        while (hearth_histogram_bound(index) < bound) {
            below += cells->buckets[index++];
        }
        rc = hearth_buf_printf(out, "hearth_%s_bucket{le=\"" SECONDS "\"} %" PRIu64 "\n", name,
                               SECONDS_OF(seconds_of(bound, unit)), below);
    }
    return rc;
}

static int print_histogram(const struct hearth_histogram_cells *cells,
                           const struct hearth_metric *metric, struct hearth_buf *out)
{
    char name[64];
    size_t size = strlen(metric->name) - strlen(metric->unit);
    HEARTH_ASSERT(size + sizeof "seconds" <= sizeof name);
    memcpy(name, metric->name, size);
    memcpy(name + size, "seconds", sizeof "seconds");
    int rc = print_head(name, "", "histogram", metric->help, out);
    rc = rc < 0 ? rc : print_buckets(cells, name, metric->unit, out);
    return rc < 0 ? rc
                  : hearth_buf_printf(out,
                                      "hearth_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n"
                                      "hearth_%s_sum " SECONDS "\nhearth_%s_count %" PRIu64 "\n",
                                      name, cells->count, name,
                                      SECONDS_OF(seconds_of(cells->sum, metric->unit)), name,
                                      cells->count);
}

int hearth_metrics_prometheus(const struct hearth_metrics *metrics, struct hearth_buf *out)
{
    struct hearth_metric metric;
    int rc = 0;
    for (size_t i = 0; rc == 0 && hearth_metrics_read(metrics, i, &metric); i++) {
        rc =
            print_number(&metric, ends_with(metric.name, "_total") ? "" : "_total", "counter", out);
    }
    for (size_t i = 0; rc == 0 && hearth_metrics_read_gauge(metrics, i, &metric); i++) {
        rc = print_number(&metric, "", "gauge", out);
    }
    for (size_t i = 0; rc == 0 && hearth_metrics_read_histogram(metrics, i, &metric); i++) {
        rc = print_histogram(&metrics->histograms[i], &metric, out);
    }
    return rc;
}
