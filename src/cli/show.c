/* show.c — all about one model, for a person and as JSON. */

#include "models.h"

#include <stdio.h>

static void print_ports(const char *title, const hearth_port *ports, size_t count)
{
    if (count > 0) {
        printf("%s\n", title);
    }
    for (size_t i = 0; i < count; i++) {
        printf("  ");
        cli_print_foreign(ports[i].name, 24);
        printf(" %-8s [", hearth_tensor_type_name(ports[i].type));
        for (size_t j = 0; j < ports[i].rank; j++) {
            if (ports[i].shape[j] == HEARTH_ANY_SIZE) {
                printf("%sany", j > 0 ? ", " : "");
            } else {
                printf("%s%u", j > 0 ? ", " : "", ports[i].shape[j]);
            }
        }
        printf("]\n");
    }
}

static void print_labels(const hearth_model *model)
{
    if (model->label_count > 0) {
        printf("labels\n ");
    }
    for (size_t i = 0; i < model->label_count; i++) {
        printf(" ");
        cli_print_foreign(model->labels[i], 0);
        printf("%s", i + 1 < model->label_count ? "," : "\n");
    }
}

static void print_details(const hearth_model_details *details)
{
    const hearth_model *model = details->model;
    printf("%s: %s, %s, %s\n", model->name, hearth_task_name(model->task),
           hearth_engine_name(model->engine), hearth_model_state_name(model->state));
    if (model->error[0] != '\0') {
        printf("  %s\n", model->error);
    }
    printf("  %-24s %s\n", "digest", model->digest[0] != '\0' ? model->digest : "none");
    if (model->shares[0] != '\0') {
        printf("  %-24s %s\n", "served by the worker of", model->shares);
    }
    printf("  %-24s %.1f MiB\n", "files", (double)model->size_bytes / (1024.0 * 1024.0));
    if (model->worker_pid != 0) {
        printf("  %-24s %.1f MiB of %.1f MiB reserved\n", "memory",
               (double)model->memory_bytes / (1024.0 * 1024.0),
               (double)model->need_bytes / (1024.0 * 1024.0));
    }
    for (size_t i = 0; i < details->memory_count; i++) {
        if (details->memory[i].bytes > 0) {
            printf("    for %-18s %.1f MiB\n", details->memory[i].kind,
                   (double)details->memory[i].bytes / (1024.0 * 1024.0));
        }
    }
    if (model->context_tokens > 0) {
        printf("  %-24s %u\n", "tokens at most", model->context_tokens);
    }
    if (model->dimensions > 0) {
        printf("  %-24s %u\n", "dimensions", model->dimensions);
    }
    for (size_t i = 0; i < details->fact_count; i++) {
        printf("  ");
        cli_print_foreign(details->facts[i].key, 24);
        printf(" ");
        cli_print_foreign(details->facts[i].value, 0);
        printf("\n");
    }
    print_ports("inputs", details->inputs, details->input_count);
    print_ports("outputs", details->outputs, details->output_count);
    print_labels(model);
}

static void add_ports(struct cli_json *json, const char *name, const hearth_port *ports,
                      size_t count)
{
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(json->doc, json->root, name);
    for (size_t i = 0; i < count; i++) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(json->doc, array);
        yyjson_mut_obj_add_strcpy(json->doc, o, "name", ports[i].name);
        yyjson_mut_obj_add_str(json->doc, o, "type", hearth_tensor_type_name(ports[i].type));
        cli_json_add_shape(json, o, ports[i].shape, ports[i].rank);
    }
}

static void print_json(const hearth_model_details *details)
{
    HEARTH_AUTO(cli_json) struct cli_json json;
    cli_json_begin(&json);
    yyjson_mut_val *model = yyjson_mut_obj_add_obj(json.doc, json.root, "model");
    cli_json_fill_model(&json, model, details->model);
    add_ports(&json, "inputs", details->inputs, details->input_count);
    add_ports(&json, "outputs", details->outputs, details->output_count);
    yyjson_mut_val *facts = yyjson_mut_obj_add_obj(json.doc, json.root, "facts");
    for (size_t i = 0; i < details->fact_count; i++) {
        yyjson_mut_obj_put(facts, yyjson_mut_strcpy(json.doc, details->facts[i].key),
                           yyjson_mut_strcpy(json.doc, details->facts[i].value));
    }
    yyjson_mut_val *memory = yyjson_mut_obj_add_obj(json.doc, json.root, "memory");
    for (size_t i = 0; i < details->memory_count; i++) {
        yyjson_mut_obj_put(memory, yyjson_mut_strcpy(json.doc, details->memory[i].kind),
                           yyjson_mut_uint(json.doc, details->memory[i].bytes));
    }
    cli_json_print(&json);
}

int cli_show_model(const struct cli_settings *settings, hearth_client *client, const char *name,
                   struct hearth_error *err)
{
    hearth_model_details *details;
    int rc = hearth_describe(client, name, &details, err);
    if (rc < 0) {
        return rc;
    }
    if (settings->is_json) {
        print_json(details);
    } else {
        print_details(details);
    }
    hearth_model_details_free(details);
    return 0;
}
