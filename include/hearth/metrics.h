/* metrics.h — what the daemon counts and measures. Included by hearth.h.
 *
 * None of these needs a session: hearth_connect_params.without_session is enough.                */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_METRICS_REPORT_H
#define HEARTH_METRICS_REPORT_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hearth_metrics_report hearth_metrics_report;

/** A counter, which only grows since the start of the daemon, or a gauge. May grow. */
typedef struct hearth_metric_value {
    const char *name; /* "requests_total", "queue_depth" */
    uint64_t value;
} hearth_metric_value;

typedef struct hearth_metric_bucket {
    uint64_t up_to; /* largest value of this bucket; UINT64_MAX: no bound */
    uint64_t count; /* values in this bucket alone */
} hearth_metric_bucket;

/** How values are spread. Quantiles are at most a quarter too large. May grow. */
typedef struct hearth_metric_histogram {
    const char *name; /* "request_total_us"; its end is the unit */
    uint64_t count;
    uint64_t sum;
    uint64_t min;
    uint64_t max;
    uint64_t p50;
    uint64_t p95;
    uint64_t p99;
    const hearth_metric_bucket *buckets; /* ascending; empty ones may be left out */
    size_t bucket_count;
} hearth_metric_histogram;

/**
 * Asks for all counters, gauges and histograms, taken at one moment.
 *
 * *@ret_report is owned by the caller until hearth_metrics_report_free(). Blocks for at most the
 * timeout of the connection. Returns HEARTH_E_DISCONNECTED, HEARTH_E_EXPIRED, HEARTH_E_BUSY (in a
 * callback) or HEARTH_E_NO_MEMORY.
 */
HEARTH_API int hearth_metrics(hearth_client *client, hearth_metrics_report **ret_report,
                              hearth_error *err);

/** Each lends the one at @index, from 0; NULL behind the last. They live in the report. */
HEARTH_API const hearth_metric_value *hearth_metrics_report_counter(
    const hearth_metrics_report *report, size_t index);
HEARTH_API const hearth_metric_value *hearth_metrics_report_gauge(
    const hearth_metrics_report *report, size_t index);
HEARTH_API const hearth_metric_histogram *hearth_metrics_report_histogram(
    const hearth_metrics_report *report, size_t index);

/** Lends the histogram @name, or NULL. */
HEARTH_API const hearth_metric_histogram *hearth_metrics_report_find(
    const hearth_metrics_report *report, const char *name);

HEARTH_API void hearth_metrics_report_free(hearth_metrics_report *report);

/**
 * Asks for the same in the text format of Prometheus (exposition format 0.0.4). *@ret_text ends
 * with NUL and lives in the client until its next hearth_prometheus(). Errors as hearth_metrics().
 */
HEARTH_API int hearth_prometheus(hearth_client *client, const char **ret_text, hearth_error *err);

#ifdef __cplusplus
}
#endif

#endif
