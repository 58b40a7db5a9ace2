/* prometheus.c — all numbers in the text exposition format 0.0.4. */

#include "hearth_metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES 96u

/* A time in seconds, of its unit exactly: no floating point, so no locale and no rounding. */
struct seconds {
    uint64_t whole;
    uint64_t fraction;
    int digits;
};
#define SECONDS       "%" PRIu64 ".%0*" PRIu64
#define SECONDS_OF(s) (s).whole, (s).digits, (s).fraction

/* Times are told in seconds; a number of inputs is told as it is. */
static bool is_time(const char *unit)
{
    return strcmp(unit, "us") == 0 || strcmp(unit, "ms") == 0;
}

static struct seconds seconds_of(uint64_t value, const char *unit)
{
    bool is_us = strcmp(unit, "us") == 0;
    uint64_t per_second = is_us ? 1000000u : 1000u;
    return (struct seconds){value / per_second, value % per_second, is_us ? 6 : 3};
}

static int print_value(uint64_t value, const char *unit, struct hearth_buf *out)
{
    return is_time(unit) ? hearth_buf_printf(out, SECONDS, SECONDS_OF(seconds_of(value, unit)))
                         : hearth_buf_printf(out, "%" PRIu64, value);
}

/* A name of ours for readers of the text: "request_total_us" is "request_total_seconds" there, and
 * "model_run_us_total" "model_run_seconds_total". */
static void name_of(const char *name, const char *unit, char room[NAME_BYTES])
{
    const char *at = is_time(unit) ? strstr(name, unit) : NULL;
    for (; at != NULL && (at == name || at[-1] != '_' || (at[2] != '\0' && at[2] != '_'));) {
        at = strstr(at + 1, unit);
    }
    if (at == NULL) {
        snprintf(room, NAME_BYTES, "%s", name);
    } else {
        snprintf(room, NAME_BYTES, "%.*sseconds%s", (int)(at - name), name, at + 2);
    }
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
        rc = hearth_buf_printf(out, "hearth_%s_bucket{le=\"", name);
        /* The bound of a time is above all that it counts, that of a number is the largest. */
        rc = rc < 0 ? rc : print_value(is_time(unit) ? bound : bound - 1, unit, out);
        rc = rc < 0 ? rc : hearth_buf_printf(out, "\"} %" PRIu64 "\n", below);
    }
    return rc;
}

static int print_histogram(const struct hearth_histogram_cells *cells,
                           const struct hearth_metric *metric, struct hearth_buf *out)
{
    char name[NAME_BYTES];
    name_of(metric->name, metric->unit, name);
    int rc = print_head(name, "", "histogram", metric->help, out);
    rc = rc < 0 ? rc : print_buckets(cells, name, metric->unit, out);
    rc = rc < 0
             ? rc
             : hearth_buf_printf(out, "hearth_%s_bucket{le=\"+Inf\"} %" PRIu64 "\nhearth_%s_sum ",
                                 name, cells->count, name);
    rc = rc < 0 ? rc : print_value(cells->sum, metric->unit, out);
    return rc < 0 ? rc
                  : hearth_buf_printf(out, "\nhearth_%s_count %" PRIu64 "\n", name, cells->count);
}

static int print_series(const struct hearth_metrics *metrics, const struct hearth_series *series,
                        const char *name, struct hearth_buf *out)
{
    int rc = hearth_buf_printf(out, "hearth_%s{", name);
    rc = rc < 0 ? rc : hearth_metrics_labels(metrics, series, out);
    rc = rc < 0 ? rc : hearth_buf_printf(out, "} ");
    rc = rc < 0 ? rc : print_value(series->value, series->family->unit, out);
    return rc < 0 ? rc : hearth_buf_printf(out, "\n");
}

static int print_families(const struct hearth_metrics *metrics, struct hearth_buf *out)
{
    const struct hearth_family_shape *family = NULL;
    struct hearth_series series;
    char name[NAME_BYTES];
    size_t cursor = 0;
    int rc = 0;
    while (rc == 0 && hearth_metrics_next_series(metrics, &cursor, &series)) {
        if (series.family != family) {
            family = series.family;
            name_of(family->name, family->unit, name);
            rc = print_head(name, "", family->is_gauge ? "gauge" : "counter", family->help, out);
        }
        rc = rc < 0 ? rc : print_series(metrics, &series, name, out);
    }
    return rc;
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
    return rc < 0 ? rc : print_families(metrics, out);
}
