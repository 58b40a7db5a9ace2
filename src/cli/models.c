/* models.c — the models of the daemon: listed, loaded, unloaded. */

#include "models.h"

#include "hearth_os.h"

#include <stdio.h>
#include <string.h>

void cli_print_models(const hearth_model_list *list)
{
    printf("%-24s %-9s %-6s %-10s %10s %8s %6s %5s\n", "NAME", "TASK", "ENGINE", "STATE", "MEMORY",
           "PID", "QUEUED", "RUN");
    for (size_t i = 0; i < hearth_model_list_count(list); i++) {
        const hearth_model *model = hearth_model_list_at(list, i);
        char pid[16] = "-";
        if (model->worker_pid != 0) {
            snprintf(pid, sizeof pid, "%u", model->worker_pid);
        }
        printf("%-24s %-9s %-6s %-10s %6.1f MiB %8s %6u %5u\n", model->name,
               hearth_task_name(model->task), hearth_engine_name(model->engine),
               hearth_model_state_name(model->state),
               (double)model->memory_bytes / (1024.0 * 1024.0), pid, model->queue_depth,
               model->running);
        if (model->error[0] != '\0') {
            printf("  %s\n", model->error);
        }
    }
}

void cli_json_add_models(struct cli_json *json, const hearth_model_list *list)
{
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(json->doc, json->root, "models");
    for (size_t i = 0; i < hearth_model_list_count(list); i++) {
        cli_json_add_model(json, array, hearth_model_list_at(list, i));
    }
}

static int list_models(const struct cli_settings *settings, hearth_client *client,
                       struct hearth_error *err)
{
    hearth_model_list *list;
    int rc = hearth_models(client, &list, err);
    if (rc < 0) {
        return rc;
    }
    if (settings->is_json) {
        HEARTH_AUTO(cli_json) struct cli_json json;
        cli_json_begin(&json);
        cli_json_add_models(&json, list);
        cli_json_print(&json);
    } else {
        cli_print_models(list);
    }
    hearth_model_list_free(list);
    return 0;
}

static int change_model(const struct cli_settings *settings, hearth_client *client, bool is_load,
                        const char *name, struct hearth_error *err)
{
    uint32_t pid = 0;
    uint32_t timeout_ms = (uint32_t)(settings->timeout_secs * 1000);
    uint64_t start_ns = hearth_clock_ns();
    int rc = is_load ? hearth_load(client, name, timeout_ms, &pid, err)
                     : hearth_unload(client, name, timeout_ms, err);
    if (rc < 0) {
        return rc;
    }
    double seconds = (double)(hearth_clock_ns() - start_ns) / 1e9;
    if (settings->is_json) {
        HEARTH_AUTO(cli_json) struct cli_json json;
        cli_json_begin(&json);
        yyjson_mut_obj_add_strcpy(json.doc, json.root, "model", name);
        yyjson_mut_obj_add_str(json.doc, json.root, "state", is_load ? "ready" : "absent");
        yyjson_mut_obj_add_uint(json.doc, json.root, "worker_pid", pid);
        yyjson_mut_obj_add_real(json.doc, json.root, "seconds", seconds);
        cli_json_print(&json);
    } else if (is_load) {
        printf("%s is ready, worker pid %u, %.2f s\n", name, pid, seconds);
    } else {
        printf("%s is unloaded, %.2f s\n", name, seconds);
    }
    return 0;
}

int cli_run_models(const struct cli_settings *settings, int argc, char **argv)
{
    const struct cli_command *self = cli_command_find("models");
    const char *verb = argc > 0 ? argv[0] : "list";
    bool is_list = strcmp(verb, "list") == 0;
    bool is_load = strcmp(verb, "load") == 0;
    if (!is_list && !is_load && strcmp(verb, "unload") != 0) {
        return cli_usage(self, "'%s' is not list, load or unload", verb);
    }
    if (is_list && argc > 1) {
        return cli_usage(self, "list takes no argument '%s'", argv[1]);
    }
    if (!is_list && argc != 2) {
        return cli_usage(self, "%s wants the name of one model", verb);
    }
    if (!(settings->timeout_secs >= 0.001 && settings->timeout_secs <= 86400)) {
        return cli_usage(self, "--timeout: wanted 0.001 to 86400 seconds");
    }
    struct hearth_error err;
    hearth_client *client = NULL;
    int rc = cli_connect(settings, &client, &err);
    if (rc == 0) {
        rc = is_list ? list_models(settings, client, &err)
                     : change_model(settings, client, is_load, argv[1], &err);
    }
    hearth_disconnect(client);
    return rc < 0 ? cli_report(settings, &err) : CLI_DONE;
}
