/* load.c — a load and what it takes of the memory budget, done or only tried. */

#include "models.h"

#include <inttypes.h>
#include <stdio.h>

static double mib(uint64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0);
}

void cli_print_evictions(const hearth_load_report *report, const char *what)
{
    for (size_t i = 0; i < report->eviction_count; i++) {
        const hearth_eviction *one = &report->evictions[i];
        cli_print_foreign(one->model, 0);
        printf(" %s: %.1f MiB, idle for %.1f s, loads in %.1f s\n", what, mib(one->bytes),
               (double)one->idle_ms / 1e3, one->reload_ms / 1e3);
    }
}

void cli_json_add_load(struct cli_json *json, const hearth_load_report *report)
{
    yyjson_mut_obj_add_uint(json->doc, json->root, "need_bytes", report->need_bytes);
    yyjson_mut_obj_add_uint(json->doc, json->root, "free_bytes", report->free_bytes);
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(json->doc, json->root, "evictions");
    for (size_t i = 0; i < report->eviction_count; i++) {
        const hearth_eviction *one = &report->evictions[i];
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(json->doc, array);
        yyjson_mut_obj_add_strcpy(json->doc, o, "model", one->model);
        yyjson_mut_obj_add_uint(json->doc, o, "bytes", one->bytes);
        yyjson_mut_obj_add_uint(json->doc, o, "idle_ms", one->idle_ms);
        yyjson_mut_obj_add_uint(json->doc, o, "reload_ms", one->reload_ms);
    }
}

static void tell_dry_run(const struct cli_settings *settings, const char *name,
                         const hearth_load_report *report, bool fits)
{
    if (settings->is_json) {
        HEARTH_AUTO(cli_json) struct cli_json json;
        cli_json_begin(&json);
        yyjson_mut_obj_add_strcpy(json.doc, json.root, "model", name);
        yyjson_mut_obj_add_bool(json.doc, json.root, "fits", fits);
        cli_json_add_load(&json, report);
        cli_json_print(&json);
    } else if (report->worker_pid != 0) {
        printf("%s is loaded already\n", name);
    } else {
        printf("%s needs %.1f MiB, %.1f MiB are free: it %s\n", name, mib(report->need_bytes),
               mib(report->free_bytes), fits ? "would be loaded" : "would be refused");
        cli_print_evictions(report, fits ? "would leave for it" : "could leave for it (--evict)");
    }
}

int cli_load(const struct cli_settings *settings, hearth_client *client, const char *name,
             const hearth_load_report **ret_report, struct hearth_error *err)
{
    uint32_t flags = (settings->is_evict ? (uint32_t)HEARTH_LOAD_EVICT : 0u) |
                     (settings->is_dry_run ? (uint32_t)HEARTH_LOAD_DRY_RUN : 0u);
    int rc = hearth_load_with(client, name, flags, (uint32_t)(settings->timeout_secs * 1000),
                              ret_report, err);
    bool is_verdict = rc == 0 || (rc == HEARTH_E_NO_ROOM && (*ret_report)->need_bytes != 0);
    if (settings->is_dry_run && is_verdict) {
        tell_dry_run(settings, name, *ret_report, rc == 0);
        return 0;
    }
    return rc;
}
