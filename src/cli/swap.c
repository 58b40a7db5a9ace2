/* swap.c — names that stand for models. */

#include "models.h"

#include <stdio.h>

static const char *const compared_with[] = {"nothing", "the answers written down for it",
                                            "what the model before answers",
                                            "answers written down and those of the model before"};

static const char *comparison(const hearth_swap_report *report)
{
    bool is_known = report->check >= 0 && (size_t)report->check < HEARTH_COUNT(compared_with);
    return is_known ? compared_with[report->check] : "something";
}

static void print_swap(const char *name, const hearth_swap_report *report)
{
    printf("%s stands for %s, generation %u; before: %s\n", name, report->model, report->generation,
           report->old_model[0] != '\0' ? report->old_model : "none");
    if (report->checked > 0) {
        printf("  %u golden inputs compared with %s\n", report->checked, comparison(report));
    } else {
        printf("  no golden inputs: its answers were not checked\n");
    }
    printf("  %.2f s", report->load_ms / 1e3);
    if (report->pause_ms > 0) {
        printf(", requests waited for %.2f s of them (swap = drain-first)", report->pause_ms / 1e3);
    }
    printf("\n  to keep it after a restart: [alias %s] model = %s in hearthd.conf\n", name,
           report->model);
}

static void add_swap(struct cli_json *json, const char *name, const hearth_swap_report *report)
{
    yyjson_mut_obj_add_strcpy(json->doc, json->root, "name", name);
    yyjson_mut_obj_add_strcpy(json->doc, json->root, "model", report->model);
    yyjson_mut_obj_add_strcpy(json->doc, json->root, "old_model", report->old_model);
    yyjson_mut_obj_add_uint(json->doc, json->root, "generation", report->generation);
    yyjson_mut_obj_add_uint(json->doc, json->root, "checked", report->checked);
    yyjson_mut_obj_add_int(json->doc, json->root, "check", report->check);
    yyjson_mut_obj_add_uint(json->doc, json->root, "load_ms", report->load_ms);
    yyjson_mut_obj_add_uint(json->doc, json->root, "pause_ms", report->pause_ms);
}

int cli_swap_model(const struct cli_settings *settings, hearth_client *client, const char *name,
                   const char *model, struct hearth_error *err)
{
    const hearth_swap_report *report = NULL;
    int rc = hearth_swap(client, name, model, settings->is_keep,
                         (uint32_t)(settings->timeout_secs * 1000), &report, err);
    if (rc < 0) {
        return rc;
    }
    if (settings->is_json) {
        HEARTH_AUTO(cli_json) struct cli_json json;
        cli_json_begin(&json);
        add_swap(&json, name, report);
        cli_json_print(&json);
    } else {
        print_swap(name, report);
    }
    return 0;
}

int cli_set_alias(const struct cli_settings *settings, hearth_client *client, const char *name,
                  const char *model, struct hearth_error *err)
{
    int rc = hearth_set_alias(client, name, model, err);
    if (rc < 0) {
        return rc;
    }
    if (settings->is_json) {
        HEARTH_AUTO(cli_json) struct cli_json json;
        cli_json_begin(&json);
        yyjson_mut_obj_add_strcpy(json.doc, json.root, "name", name);
        yyjson_mut_obj_add_strcpy(json.doc, json.root, "model", model != NULL ? model : "");
        cli_json_print(&json);
    } else if (model != NULL) {
        printf("%s stands for %s\n", name, model);
    } else {
        printf("%s is no alias any more\n", name);
    }
    return 0;
}
