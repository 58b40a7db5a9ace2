/* status.c — status, health, version: what the daemon and this program say of themselves. */

#include "models.h"

#include <stdio.h>
#include <string.h>

static const char *state_word(const hearth_health_report *report)
{
    static const char *const words[] = {"healthy", "degraded", "unhealthy"};
    return report->state >= 0 && report->state < 3 ? words[report->state] : "unknown";
}

/* "1 model", "2 models" */
static void print_count(unsigned long long count, const char *what, const char *behind)
{
    printf("%llu %s%s%s", count, what, count == 1 ? "" : "s", behind);
}

static void print_report(const hearth_client *client, const hearth_health_report *report)
{
    const char *server = hearth_client_server(client); /* a probe has no session to know it from */
    printf("%s%s, pid %u, %s, %s, up %llu s\n", server[0] != '\0' ? server : "hearthd ",
           server[0] != '\0' ? "" : report->version, report->pid, state_word(report),
           report->ready ? "ready" : "not ready", (unsigned long long)report->uptime_secs);
    printf("socket %s\n", hearth_client_socket(client));
    print_count(report->models_loaded, "model", " loaded, ");
    printf("%.1f MiB, ", (double)report->memory_used_bytes / (1024.0 * 1024.0));
    print_count(report->connections, "connection", "");
    printf(", %u running, %u queued, ", report->running, report->queue_depth);
    print_count(report->requests_total, "request", ", ");
    print_count(report->worker_deaths, "worker death", "\n");
}

/* ── Times ───────────────────────────────────────────────────────────────────────────────────── */

static const struct {
    const char *histogram;
    const char *name;
    const char *help;
} times[] = {{"request_queue_us", "queue_us", "waited"},
             {"request_first_us", "first_us", "to the first result"},
             {"request_total_us", "total_us", "to the end"}};

static void print_times(const hearth_metrics_report *metrics)
{
    printf("%-20s %10s %10s %10s %10s %10s\n", "TIMES", "REQUESTS", "P50 MS", "P95 MS", "P99 MS",
           "MAX MS");
    for (size_t i = 0; i < HEARTH_COUNT(times); i++) {
        const hearth_metric_histogram *h = hearth_metrics_report_find(metrics, times[i].histogram);
        if (h != NULL) {
            printf("%-20s %10llu %10.3f %10.3f %10.3f %10.3f\n", times[i].help,
                   (unsigned long long)h->count, (double)h->p50 / 1e3, (double)h->p95 / 1e3,
                   (double)h->p99 / 1e3, (double)h->max / 1e3);
        }
    }
}

static void add_times(struct cli_json *json, const hearth_metrics_report *metrics)
{
    yyjson_mut_val *object = yyjson_mut_obj_add_obj(json->doc, json->root, "times");
    for (size_t i = 0; i < HEARTH_COUNT(times); i++) {
        const hearth_metric_histogram *h = hearth_metrics_report_find(metrics, times[i].histogram);
        if (h != NULL) {
            yyjson_mut_val *o = yyjson_mut_obj_add_obj(json->doc, object, times[i].name);
            cli_json_add_histogram(json, o, h);
        }
    }
}

/* ── Status ──────────────────────────────────────────────────────────────────────────────────── */

static int show_status(const struct cli_settings *settings, hearth_client *client,
                       struct hearth_error *err)
{
    const hearth_health_report *report;
    hearth_metrics_report *metrics = NULL;
    hearth_model_list *list = NULL;
    int rc = hearth_health(client, HEARTH_CHECK_FULL, &report, err);
    rc = rc < 0 ? rc : hearth_metrics(client, &metrics, err);
    rc = rc < 0 ? rc : hearth_models(client, &list, err);
    if (rc < 0) {
        hearth_metrics_report_free(metrics);
        return rc;
    }
    if (settings->is_json) {
        HEARTH_AUTO(cli_json) struct cli_json json;
        cli_json_begin(&json);
        yyjson_mut_obj_add_strcpy(json.doc, json.root, "server", hearth_client_server(client));
        yyjson_mut_obj_add_strcpy(json.doc, json.root, "socket", hearth_client_socket(client));
        cli_json_add_health(&json, report);
        add_times(&json, metrics);
        cli_json_add_models(&json, list);
        cli_json_print(&json);
    } else {
        print_report(client, report);
        print_times(metrics);
        cli_print_models(list);
    }
    hearth_metrics_report_free(metrics);
    hearth_model_list_free(list);
    return 0;
}

/* ── Health ──────────────────────────────────────────────────────────────────────────────────── */

static int show_health(const struct cli_settings *settings, hearth_client *client,
                       enum hearth_check_type check, bool *ret_ok, struct hearth_error *err)
{
    const hearth_health_report *report;
    int rc = hearth_health(client, check, &report, err);
    if (rc < 0) {
        return rc;
    }
    *ret_ok = report->ok != 0;
    if (settings->is_json) {
        HEARTH_AUTO(cli_json) struct cli_json json;
        cli_json_begin(&json);
        cli_json_add_health(&json, report);
        cli_json_print(&json);
    } else if (check == HEARTH_CHECK_FULL) {
        print_report(client, report);
    } else if (check == HEARTH_CHECK_READINESS) {
        printf("%s\n", report->ok ? "ready" : "not ready");
    } else {
        printf("%s\n", report->ok ? "alive" : "not alive");
    }
    return 0;
}

int cli_run_health(const struct cli_settings *settings, int argc, char **argv)
{
    if (argc > 0) {
        return cli_usage(cli_command_find("health"), "takes no argument '%s'", argv[0]);
    }
    if (settings->is_live + settings->is_ready + settings->is_full > 1) {
        return cli_usage(cli_command_find("health"), "--live, --ready and --full exclude another");
    }
    enum hearth_check_type check = settings->is_full    ? HEARTH_CHECK_FULL
                                   : settings->is_ready ? HEARTH_CHECK_READINESS
                                                        : HEARTH_CHECK_LIVENESS;
    struct hearth_error err;
    hearth_client *client = NULL;
    bool is_ok = false;
    int rc = cli_connect_for_reports(settings, &client, &err);
    rc = rc < 0 ? rc : show_health(settings, client, check, &is_ok, &err);
    hearth_disconnect(client);
    return rc < 0 ? cli_report(settings, &err) : is_ok ? CLI_DONE : CLI_FAILED;
}

/* ── Status, and its probe ───────────────────────────────────────────────────────────────────── */

/* Whatever stands in the way of a "yes" is a "no". */
static int probe(const struct cli_settings *settings, enum hearth_check_type check)
{
    struct hearth_error err;
    hearth_client *client = NULL;
    bool is_ok = false;
    int rc = cli_connect_for_reports(settings, &client, &err);
    rc = rc < 0 ? rc : show_health(settings, client, check, &is_ok, &err);
    hearth_disconnect(client);
    if (rc < 0) {
        cli_report(settings, &err);
    }
    return is_ok ? CLI_DONE : CLI_FAILED;
}

int cli_run_status(const struct cli_settings *settings, int argc, char **argv)
{
    const struct cli_command *self = cli_command_find("status");
    if (argc > 0) {
        return cli_usage(self, "takes no argument '%s'", argv[0]);
    }
    if (settings->check != NULL) {
        bool is_live = strcmp(settings->check, "live") == 0;
        return is_live || strcmp(settings->check, "ready") == 0
                   ? probe(settings, is_live ? HEARTH_CHECK_LIVENESS : HEARTH_CHECK_READINESS)
                   : cli_usage(self, "--check: '%s' is not live or ready", settings->check);
    }
    struct hearth_error err;
    hearth_client *client = NULL;
    int rc = cli_connect(settings, &client, &err);
    rc = rc < 0 ? rc : show_status(settings, client, &err);
    hearth_disconnect(client);
    return rc < 0 ? cli_report(settings, &err) : CLI_DONE;
}

int cli_run_version(const struct cli_settings *settings, int argc, char **argv)
{
    if (argc > 0) {
        return cli_usage(cli_command_find("version"), "takes no argument '%s'", argv[0]);
    }
    if (settings->is_json) {
        HEARTH_AUTO(cli_json) struct cli_json json;
        cli_json_begin(&json);
        yyjson_mut_obj_add_str(json.doc, json.root, "version", HEARTH_VERSION);
        cli_json_print(&json);
    } else {
        printf("hearth %s\n", HEARTH_VERSION);
    }
    return CLI_DONE;
}
