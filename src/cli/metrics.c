/* metrics.c — what the daemon counts and measures: for people, for programs, for Prometheus. */

#include "json.h"

#include <stdio.h>

static void print_values(const hearth_metrics_report *report)
{
    const hearth_metric_value *value;
    for (size_t i = 0; (value = hearth_metrics_report_counter(report, i)) != NULL; i++) {
        printf("%-32s %20llu\n", value->name, (unsigned long long)value->value);
    }
    for (size_t i = 0; (value = hearth_metrics_report_gauge(report, i)) != NULL; i++) {
        printf("%-32s %20llu  now\n", value->name, (unsigned long long)value->value);
    }
}

static void print_histograms(const hearth_metrics_report *report)
{
    const hearth_metric_histogram *h;
    printf("%-32s %20s %10s %10s %10s %10s\n", "", "COUNT", "P50", "P95", "P99", "MAX");
    for (size_t i = 0; (h = hearth_metrics_report_histogram(report, i)) != NULL; i++) {
        printf("%-32s %20llu %10llu %10llu %10llu %10llu\n", h->name, (unsigned long long)h->count,
               (unsigned long long)h->p50, (unsigned long long)h->p95, (unsigned long long)h->p99,
               (unsigned long long)h->max);
    }
}

static void print_json(const hearth_metrics_report *report)
{
    HEARTH_AUTO(cli_json) struct cli_json json;
    cli_json_begin(&json);
    const hearth_metric_value *value;
    const hearth_metric_histogram *histogram;
    yyjson_mut_val *counters = yyjson_mut_obj_add_obj(json.doc, json.root, "counters");
    for (size_t i = 0; (value = hearth_metrics_report_counter(report, i)) != NULL; i++) {
        yyjson_mut_obj_add_uint(json.doc, counters, value->name, value->value);
    }
    yyjson_mut_val *gauges = yyjson_mut_obj_add_obj(json.doc, json.root, "gauges");
    for (size_t i = 0; (value = hearth_metrics_report_gauge(report, i)) != NULL; i++) {
        yyjson_mut_obj_add_uint(json.doc, gauges, value->name, value->value);
    }
    yyjson_mut_val *histograms = yyjson_mut_obj_add_obj(json.doc, json.root, "histograms");
    for (size_t i = 0; (histogram = hearth_metrics_report_histogram(report, i)) != NULL; i++) {
        cli_json_add_histogram(&json, yyjson_mut_obj_add_obj(json.doc, histograms, histogram->name),
                               histogram);
    }
    cli_json_print(&json);
}

static int show(const struct cli_settings *settings, hearth_client *client,
                struct hearth_error *err)
{
    if (settings->is_prometheus) {
        const char *text;
        int rc = hearth_prometheus(client, &text, err);
        if (rc == 0) {
            fputs(text, stdout);
        }
        return rc;
    }
    hearth_metrics_report *report;
    int rc = hearth_metrics(client, &report, err);
    if (rc < 0) {
        return rc;
    }
    if (settings->is_json) {
        print_json(report);
    } else {
        print_values(report);
        print_histograms(report);
    }
    hearth_metrics_report_free(report);
    return 0;
}

int cli_run_metrics(const struct cli_settings *settings, int argc, char **argv)
{
    const struct cli_command *self = cli_command_find("metrics");
    if (argc > 0) {
        return cli_usage(self, "takes no argument '%s'", argv[0]);
    }
    if (settings->is_json && settings->is_prometheus) {
        return cli_usage(self, "--json and --prometheus exclude each other");
    }
    struct hearth_error err;
    hearth_client *client = NULL;
    int rc = cli_connect_for_reports(settings, &client, &err);
    rc = rc < 0 ? rc : show(settings, client, &err);
    hearth_disconnect(client);
    return rc < 0 ? cli_report(settings, &err) : CLI_DONE;
}
