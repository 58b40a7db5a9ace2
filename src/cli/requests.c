/* requests.c — open requests of this user: listing and ending them. */

#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A list holds 1024 requests, and one that was cancelled stays in it until it has ended. */
#define PASSES_MOST 64

static bool is_meant(const struct cli_settings *settings, const hearth_request_info *request)
{
    return settings->model == NULL || strcmp(settings->model, request->model) == 0;
}

/* ── Listing ─────────────────────────────────────────────────────────────────────────────────── */

static void print_requests(const struct cli_settings *settings, const hearth_request_list *list)
{
    printf("%10s %-24s %-9s %-8s %-21s %9s %8s %s\n", "TICKET", "MODEL", "TASK", "PRIORITY",
           "STATE", "AGE", "PID", "PROGRAM");
    for (size_t i = 0; i < hearth_request_list_count(list); i++) {
        const hearth_request_info *request = hearth_request_list_at(list, i);
        char state[48] = "running";
        if (!request->is_running && request->expected_wait_ms == 0) {
            snprintf(state, sizeof state, "waits, %u first", request->position);
        } else if (!request->is_running) {
            snprintf(state, sizeof state, "waits, %u first, %.1f s", request->position,
                     request->expected_wait_ms / 1e3);
        }
        if (is_meant(settings, request)) {
            printf("%10llu %-24s %-9s %-8s %-21s %7.1f s %8u ", (unsigned long long)request->ticket,
                   request->model, hearth_task_name(request->task),
                   hearth_priority_name(request->priority), state, request->age_ms / 1e3,
                   request->pid);
            cli_print_foreign(request->client[0] != '\0' ? request->client : "-", 0);
            putchar('\n');
        }
    }
    size_t left = hearth_request_list_total(list) - hearth_request_list_count(list);
    if (left > 0) {
        printf("and %zu more\n", left);
    }
}

static void print_json(const struct cli_settings *settings, const hearth_request_list *list)
{
    HEARTH_AUTO(cli_json) struct cli_json json;
    cli_json_begin(&json);
    yyjson_mut_doc *doc = json.doc;
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(doc, json.root, "requests");
    for (size_t i = 0; i < hearth_request_list_count(list); i++) {
        const hearth_request_info *request = hearth_request_list_at(list, i);
        if (!is_meant(settings, request)) {
            continue;
        }
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, array);
        yyjson_mut_obj_add_uint(doc, o, "ticket", request->ticket);
        yyjson_mut_obj_add_strcpy(doc, o, "model", request->model);
        yyjson_mut_obj_add_str(doc, o, "task", hearth_task_name(request->task));
        yyjson_mut_obj_add_str(doc, o, "priority", hearth_priority_name(request->priority));
        yyjson_mut_obj_add_str(doc, o, "state", request->is_running ? "running" : "queued");
        yyjson_mut_obj_add_uint(doc, o, "position", request->position);
        yyjson_mut_obj_add_uint(doc, o, "expected_wait_ms", request->expected_wait_ms);
        yyjson_mut_obj_add_uint(doc, o, "age_ms", request->age_ms);
        yyjson_mut_obj_add_uint(doc, o, "pid", request->pid);
        yyjson_mut_obj_add_strcpy(doc, o, "program", request->client);
    }
    yyjson_mut_obj_add_uint(doc, json.root, "total", hearth_request_list_total(list));
    cli_json_print(&json);
}

int cli_run_requests(const struct cli_settings *settings, int argc, char **argv)
{
    if (argc > 0) {
        return cli_usage(cli_command_find("requests"), "takes no argument '%s'", argv[0]);
    }
    struct hearth_error err;
    hearth_client *client = NULL;
    hearth_request_list *list = NULL;
    int rc = cli_connect(settings, &client, &err);
    rc = rc < 0 ? rc : hearth_requests(client, &list, &err);
    if (rc == 0 && settings->is_json) {
        print_json(settings, list);
    } else if (rc == 0) {
        print_requests(settings, list);
    }
    hearth_request_list_free(list);
    hearth_disconnect(client);
    return rc < 0 ? cli_report(settings, &err) : CLI_DONE;
}

/* ── Ending ──────────────────────────────────────────────────────────────────────────────────── */

struct cancelling {
    const struct cli_settings *settings;
    hearth_client *client;
    struct cli_json json;
    yyjson_mut_val *cancelled;
    size_t count;
};

static int cancel_one(struct cancelling *job, uint64_t ticket, struct hearth_error *err)
{
    int rc = hearth_cancel_ticket(job->client, ticket, err);
    if (rc == 0) {
        job->count++;
        yyjson_mut_arr_add_uint(job->json.doc, job->cancelled, ticket);
    }
    if (rc == 0 && !job->settings->is_json) {
        printf("request %llu is cancelled\n", (unsigned long long)ticket);
    }
    return rc;
}

/* One that has ended between the two questions is no failure. */
static int cancel_listed(struct cancelling *job, const hearth_request_list *list,
                         struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < hearth_request_list_count(list) && rc == 0; i++) {
        const hearth_request_info *request = hearth_request_list_at(list, i);
        if (is_meant(job->settings, request)) {
            rc = cancel_one(job, request->ticket, err);
            rc = rc == HEARTH_E_NO_REQUEST ? 0 : rc;
        }
    }
    return rc;
}

static int cancel_all(struct cancelling *job, struct hearth_error *err)
{
    bool is_more = true;
    int rc = 0;
    for (int pass = 0; rc == 0 && is_more && pass < PASSES_MOST; pass++) {
        hearth_request_list *list;
        size_t before = job->count;
        rc = hearth_requests(job->client, &list, err);
        if (rc == 0) {
            rc = cancel_listed(job, list, err);
            is_more = hearth_request_list_total(list) > hearth_request_list_count(list) &&
                      job->count > before;
            hearth_request_list_free(list);
        }
    }
    if (rc == 0 && job->count == 0 && !job->settings->is_json) {
        printf("no such request is open\n");
    }
    return rc;
}

/* Returns 0 for what is no ticket. */
static uint64_t read_ticket(const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 ? value : 0;
}

/* One that has ended already keeps none of the others open; it is the failure that is told. */
static int cancel_named(struct cancelling *job, int argc, char **argv, struct hearth_error *err)
{
    int first_rc = 0;
    for (int i = 0; i < argc; i++) {
        struct hearth_error why;
        int rc = cancel_one(job, read_ticket(argv[i]), &why);
        if (rc < 0 && first_rc == 0) {
            first_rc = rc;
            *err = why;
        }
        if (rc < 0 && rc != HEARTH_E_NO_REQUEST) {
            break;
        }
    }
    return first_rc;
}

static int cancel(struct cancelling *job, int argc, char **argv, struct hearth_error *err)
{
    int rc = cli_connect(job->settings, &job->client, err);
    if (rc == 0 && job->settings->is_all) {
        rc = cancel_all(job, err);
    }
    return rc < 0 ? rc : cancel_named(job, argc, argv, err);
}

int cli_run_cancel(const struct cli_settings *settings, int argc, char **argv)
{
    const struct cli_command *self = cli_command_find("cancel");
    if (settings->is_all == (argc > 0)) {
        return cli_usage(self, "wants tickets, or --all");
    }
    if (settings->model != NULL && !settings->is_all) {
        return cli_usage(self, "--model goes with --all");
    }
    for (int i = 0; i < argc; i++) {
        if (read_ticket(argv[i]) == 0) {
            return cli_usage(self, "'%s' is no ticket; `hearth requests` lists them", argv[i]);
        }
    }
    struct hearth_error err;
    struct cancelling job = {.settings = settings};
    cli_json_begin(&job.json);
    job.cancelled = yyjson_mut_obj_add_arr(job.json.doc, job.json.root, "cancelled");
    int rc = cancel(&job, argc, argv, &err);
    if (settings->is_json && (rc == 0 || job.count > 0)) {
        cli_json_print(&job.json);
    }
    int code = rc < 0 ? cli_report(settings, &err) : CLI_DONE;
    hearth_disconnect(job.client);
    cli_json_cleanup(&job.json);
    return code;
}
