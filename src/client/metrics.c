/* metrics.c — counters, gauges and histograms of the daemon, unpacked. */

#include "client_priv.h"

#include <string.h>

#define REPORT_BYTES ((size_t)4 << 20) /* 64 of each kind with all their buckets fit */

struct hearth_metrics_report {
    struct hearth_arena arena;
    hearth_metric_value *counters;
    hearth_metric_value *gauges;
    hearth_metric_histogram *histograms;
    size_t counter_count;
    size_t gauge_count;
    size_t histogram_count;
};

/* ── Unpacking ───────────────────────────────────────────────────────────────────────────────── */

static int unpack_counters(struct hearth_metrics_report *report, struct hearth_wire_list cursor)
{
    struct hearth_wire_counter counter;
    report->counters =
        hearth_arena_alloc(&report->arena, cursor.count + 1u, sizeof *report->counters);
    if (report->counters == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    while (hearth_wire_next(&cursor, HEARTH_RECORD_counter, &counter)) {
        hearth_metric_value *value = &report->counters[report->counter_count++];
        value->name = hearth_arena_copy(&report->arena, counter.name);
        value->value = counter.value;
        if (value->name == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
    }
    return 0;
}

static int unpack_gauges(struct hearth_metrics_report *report, struct hearth_wire_list cursor)
{
    struct hearth_wire_gauge gauge;
    report->gauges = hearth_arena_alloc(&report->arena, cursor.count + 1u, sizeof *report->gauges);
    if (report->gauges == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    while (hearth_wire_next(&cursor, HEARTH_RECORD_gauge, &gauge)) {
        hearth_metric_value *value = &report->gauges[report->gauge_count++];
        value->name = hearth_arena_copy(&report->arena, gauge.name);
        value->value = gauge.value;
        if (value->name == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
    }
    return 0;
}

static int unpack_histogram(struct hearth_arena *arena,
                            const struct hearth_wire_histogram *histogram,
                            hearth_metric_histogram *ret)
{
    struct hearth_wire_list cursor = histogram->buckets;
    struct hearth_wire_bucket bucket;
    hearth_metric_bucket *buckets = hearth_arena_alloc(arena, cursor.count + 1u, sizeof *buckets);
    *ret = (hearth_metric_histogram){
        .name = hearth_arena_copy(arena, histogram->name),
        .count = histogram->count,
        .sum = histogram->sum,
        .min = histogram->min,
        .max = histogram->max,
        .p50 = histogram->p50,
        .p95 = histogram->p95,
        .p99 = histogram->p99,
        .buckets = buckets,
        .bucket_count = cursor.count,
    };
    if (buckets == NULL || ret->name == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    while (hearth_wire_next(&cursor, HEARTH_RECORD_bucket, &bucket)) {
        *buckets++ = (hearth_metric_bucket){.up_to = bucket.up_to, .count = bucket.count};
    }
    return 0;
}

static int unpack_histograms(struct hearth_metrics_report *report, struct hearth_wire_list cursor)
{
    struct hearth_wire_histogram histogram;
    report->histograms =
        hearth_arena_alloc(&report->arena, cursor.count + 1u, sizeof *report->histograms);
    int rc = report->histograms == NULL ? HEARTH_E_NO_MEMORY : 0;
    while (rc == 0 && hearth_wire_next(&cursor, HEARTH_RECORD_histogram, &histogram)) {
        rc = unpack_histogram(&report->arena, &histogram,
                              &report->histograms[report->histogram_count++]);
    }
    return rc;
}

static int take_metrics(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    const struct hearth_wire_metrics_response *response = &answer->as.metrics_response;
    struct hearth_metrics_report *report = hearth_alloc(1, sizeof *report);
    if (report == NULL) {
        return hearth_fail_oom(err);
    }
    hearth_arena_init(&report->arena, REPORT_BYTES);
    int rc = unpack_counters(report, response->counters);
    rc = rc < 0 ? rc : unpack_gauges(report, response->gauges);
    rc = rc < 0 ? rc : unpack_histograms(report, response->histograms);
    if (rc < 0) {
        hearth_metrics_report_free(report);
        return hearth_fail_oom(err);
    }
    *(struct hearth_metrics_report **)arg = report;
    return 0;
}

/* ── The face ────────────────────────────────────────────────────────────────────────────────── */

int hearth_metrics(hearth_client *client, hearth_metrics_report **ret_report, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    struct hearth_message message = {.type = HEARTH_MSG_metrics_request};
    struct client_question question = {
        .wanted = HEARTH_MSG_metrics_response, .take = take_metrics, .arg = ret_report};
    return client_ask(client, &message, &question, client->timeout_ms, err);
}

const hearth_metric_value *hearth_metrics_report_counter(const hearth_metrics_report *report,
                                                         size_t index)
{
    return index < report->counter_count ? &report->counters[index] : NULL;
}

const hearth_metric_value *hearth_metrics_report_gauge(const hearth_metrics_report *report,
                                                       size_t index)
{
    return index < report->gauge_count ? &report->gauges[index] : NULL;
}

const hearth_metric_histogram *hearth_metrics_report_histogram(const hearth_metrics_report *report,
                                                               size_t index)
{
    return index < report->histogram_count ? &report->histograms[index] : NULL;
}

const hearth_metric_histogram *hearth_metrics_report_find(const hearth_metrics_report *report,
                                                          const char *name)
{
    for (size_t i = 0; i < report->histogram_count; i++) {
        if (strcmp(report->histograms[i].name, name) == 0) {
            return &report->histograms[i];
        }
    }
    return NULL;
}

void hearth_metrics_report_free(hearth_metrics_report *report)
{
    if (report != NULL) {
        hearth_arena_finish(&report->arena);
        hearth_free(report);
    }
}

/* ── Prometheus ──────────────────────────────────────────────────────────────────────────────── */

static int take_text(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    struct hearth_client *client = arg;
    struct hearth_slice text = answer->as.prometheus_response.text;
    hearth_buf_clear(&client->prometheus);
    int rc = hearth_buf_append(&client->prometheus, text.data, text.size);
    rc = rc < 0 ? rc : hearth_buf_append(&client->prometheus, "", 1);
    return rc < 0 ? hearth_fail_oom(err) : 0; /* its cap is the limit of the field */
}

int hearth_prometheus(hearth_client *client, const char **ret_text, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    struct hearth_message message = {.type = HEARTH_MSG_prometheus_request};
    struct client_question question = {
        .wanted = HEARTH_MSG_prometheus_response, .take = take_text, .arg = client};
    int rc = client_ask(client, &message, &question, client->timeout_ms, err);
    if (rc == 0) {
        *ret_text = (const char *)client->prometheus.data;
    }
    return rc;
}
