/* models.c — the models of the daemon: listed, loaded, unloaded; show.c describes one. */

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
        if (model->shares[0] != '\0') {
            printf("  served by the worker of %s: files and options are the same\n", model->shares);
        }
        const char *missing = strstr(model->containment, "missing: ");
        if (missing != NULL) {
            printf("  walls %s (SECURITY.md tells what that means)\n", missing);
        }
    }
}

static void print_aliases(const hearth_model_list *list)
{
    for (size_t i = 0; i < hearth_model_list_alias_count(list); i++) {
        const hearth_alias *alias = hearth_model_list_alias_at(list, i);
        printf("%-24s stands for %s, generation %u\n", alias->name, alias->model,
               alias->generation);
    }
}

void cli_json_add_models(struct cli_json *json, const hearth_model_list *list)
{
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(json->doc, json->root, "models");
    for (size_t i = 0; i < hearth_model_list_count(list); i++) {
        cli_json_add_model(json, array, hearth_model_list_at(list, i));
    }
    yyjson_mut_val *aliases = yyjson_mut_obj_add_arr(json->doc, json->root, "aliases");
    for (size_t i = 0; i < hearth_model_list_alias_count(list); i++) {
        const hearth_alias *alias = hearth_model_list_alias_at(list, i);
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(json->doc, aliases);
        yyjson_mut_obj_add_strcpy(json->doc, o, "name", alias->name);
        yyjson_mut_obj_add_strcpy(json->doc, o, "model", alias->model);
        yyjson_mut_obj_add_uint(json->doc, o, "generation", alias->generation);
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
        print_aliases(list);
    }
    hearth_model_list_free(list);
    return 0;
}

static int change_model(const struct cli_settings *settings, hearth_client *client, bool is_load,
                        const char *name, struct hearth_error *err)
{
    const hearth_load_report *report = NULL;
    uint32_t timeout_ms = (uint32_t)(settings->timeout_secs * 1000);
    uint64_t start_ns = hearth_clock_ns();
    int rc = is_load              ? cli_load(settings, client, name, &report, err)
             : settings->is_drain ? hearth_drain(client, name, timeout_ms, err)
                                  : hearth_unload(client, name, timeout_ms, err);
    if (rc < 0) {
        return rc;
    }
    double seconds = (double)(hearth_clock_ns() - start_ns) / 1e9;
    uint32_t pid = is_load ? report->worker_pid : 0;
    if (is_load && settings->is_dry_run) {
        return 0; /* all was said */
    }
    if (settings->is_json) {
        HEARTH_AUTO(cli_json) struct cli_json json;
        cli_json_begin(&json);
        yyjson_mut_obj_add_strcpy(json.doc, json.root, "model", name);
        yyjson_mut_obj_add_str(json.doc, json.root, "state", is_load ? "ready" : "absent");
        yyjson_mut_obj_add_uint(json.doc, json.root, "worker_pid", pid);
        yyjson_mut_obj_add_real(json.doc, json.root, "seconds", seconds);
        if (is_load) {
            cli_json_add_load(&json, report);
        }
        cli_json_print(&json);
    } else if (is_load) {
        cli_print_evictions(report, "left for it");
        printf("%s is ready, worker pid %u, %.2f s\n", name, pid, seconds);
    } else {
        printf("%s is unloaded, %.2f s\n", name, seconds);
    }
    return 0;
}

static int warm_up(const struct cli_settings *settings, hearth_client *client, const char *name,
                   struct hearth_error *err)
{
    uint32_t elapsed_ms = 0;
    int rc = hearth_warm_up(client, name, (uint32_t)settings->warm_tokens,
                            (uint32_t)(settings->timeout_secs * 1000), &elapsed_ms, err);
    if (rc < 0) {
        return rc;
    }
    if (settings->is_json) {
        HEARTH_AUTO(cli_json) struct cli_json json;
        cli_json_begin(&json);
        yyjson_mut_obj_add_strcpy(json.doc, json.root, "model", name);
        yyjson_mut_obj_add_uint(json.doc, json.root, "elapsed_ms", elapsed_ms);
        cli_json_print(&json);
    } else {
        printf("%s is warm, %.3f s\n", name, elapsed_ms / 1e3);
    }
    return 0;
}

/* What `models` may be told to do. */
enum verb { LIST, SHOW, LOAD, UNLOAD, WARMUP, SWAP, ALIAS, VERB_COUNT_ };
static const char *const verbs[VERB_COUNT_] = {"list",   "show", "load", "unload",
                                               "warmup", "swap", "alias"};

static enum verb find_verb(const char *word)
{
    int verb = LIST;
    while (verb < VERB_COUNT_ && strcmp(verbs[verb], word) != 0) {
        verb++;
    }
    return (enum verb)verb;
}

/* What a verb wants behind it: so many words, and what they are. */
static int check_words(const struct cli_settings *settings, enum verb verb, int count)
{
    const struct cli_command *self = cli_command_find("models");
    if (verb == SWAP || (verb == ALIAS && !settings->is_remove)) {
        return count == 2 ? 0
                          : cli_usage(self, "%s wants a name and the model that it shall stand for",
                                      verbs[verb]);
    }
    if (verb == ALIAS) {
        return count == 1 ? 0 : cli_usage(self, "alias --remove wants one name");
    }
    return count == 1 ? 0 : cli_usage(self, "%s wants the name of one model", verbs[verb]);
}

static int check_usage(const struct cli_settings *settings, enum verb verb, int argc, char **argv)
{
    const struct cli_command *self = cli_command_find("models");
    if (verb == VERB_COUNT_) {
        return cli_usage(self, "'%s' is not list, show, load, unload, warmup, swap or alias",
                         argv[0]);
    }
    if (verb == LIST && argc > 1) {
        return cli_usage(self, "list takes no argument '%s'", argv[1]);
    }
    int rc = verb != LIST ? check_words(settings, verb, argc - 1) : 0;
    if (rc != 0) {
        return rc;
    }
    if (settings->warm_tokens < 1 || settings->warm_tokens > 64) {
        return cli_usage(self, "--tokens: wanted 1 to 64");
    }
    return settings->timeout_secs >= 0.001 && settings->timeout_secs <= 86400
               ? 0
               : cli_usage(self, "--timeout: wanted 0.001 to 86400 seconds");
}

int cli_run_models(const struct cli_settings *settings, int argc, char **argv)
{
    enum verb verb = find_verb(argc > 0 ? argv[0] : "list");
    int rc = check_usage(settings, verb, argc, argv);
    if (rc != 0) {
        return rc;
    }
    struct hearth_error err;
    hearth_client *client = NULL;
    rc = cli_connect(settings, &client, &err);
    if (rc == 0) {
        rc = verb == LIST     ? list_models(settings, client, &err)
             : verb == SHOW   ? cli_show_model(settings, client, argv[1], &err)
             : verb == WARMUP ? warm_up(settings, client, argv[1], &err)
             : verb == SWAP   ? cli_swap_model(settings, client, argv[1], argv[2], &err)
             : verb == ALIAS  ? cli_set_alias(settings, client, argv[1],
                                             settings->is_remove ? NULL : argv[2], &err)
                              : change_model(settings, client, verb == LOAD, argv[1], &err);
    }
    hearth_disconnect(client);
    return rc < 0 ? cli_report(settings, &err) : CLI_DONE;
}
