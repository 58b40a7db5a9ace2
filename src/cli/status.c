/* status.c — status, health, version: what the daemon and this program say of themselves. */

#include "models.h"

#include <stdio.h>

static const char *state_word(const hearth_health_report *report)
{
    static const char *const words[] = {"healthy", "degraded", "unhealthy"};
    return report->state >= 0 && report->state < 3 ? words[report->state] : "unknown";
}

static void print_report(const hearth_client *client, const hearth_health_report *report)
{
    printf("%s, pid %u, %s, %s, up %llu s\n", hearth_client_server(client), report->pid,
           state_word(report), report->ready ? "ready" : "not ready",
           (unsigned long long)report->uptime_secs);
    printf("socket %s\n", hearth_client_socket(client));
    printf("%u models loaded, %.1f MiB, %u connections, %u running, %u queued, %llu requests, "
           "%llu worker deaths\n",
           report->models_loaded, (double)report->memory_used_bytes / (1024.0 * 1024.0),
           report->connections, report->running, report->queue_depth,
           (unsigned long long)report->requests_total, (unsigned long long)report->worker_deaths);
}

static int show_status(const struct cli_settings *settings, hearth_client *client,
                       struct hearth_error *err)
{
    const hearth_health_report *report;
    hearth_model_list *list;
    int rc = hearth_health(client, HEARTH_CHECK_FULL, &report, err);
    rc = rc < 0 ? rc : hearth_models(client, &list, err);
    if (rc < 0) {
        return rc;
    }
    if (settings->is_json) {
        HEARTH_AUTO(cli_json) struct cli_json json;
        cli_json_begin(&json);
        yyjson_mut_obj_add_strcpy(json.doc, json.root, "server", hearth_client_server(client));
        yyjson_mut_obj_add_strcpy(json.doc, json.root, "socket", hearth_client_socket(client));
        cli_json_add_health(&json, report);
        cli_json_add_models(&json, list);
        cli_json_print(&json);
    } else {
        print_report(client, report);
        cli_print_models(list);
    }
    hearth_model_list_free(list);
    return 0;
}

int cli_run_status(const struct cli_settings *settings, int argc, char **argv)
{
    if (argc > 0) {
        return cli_usage(cli_command_find("status"), "takes no argument '%s'", argv[0]);
    }
    struct hearth_error err;
    hearth_client *client = NULL;
    int rc = cli_connect(settings, &client, &err);
    rc = rc < 0 ? rc : show_status(settings, client, &err);
    hearth_disconnect(client);
    return rc < 0 ? cli_report(settings, &err) : CLI_DONE;
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
    int rc = cli_connect(settings, &client, &err);
    rc = rc < 0 ? rc : show_health(settings, client, check, &is_ok, &err);
    hearth_disconnect(client);
    return rc < 0 ? cli_report(settings, &err) : is_ok ? CLI_DONE : CLI_FAILED;
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
