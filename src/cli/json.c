/* json.c — what several commands print as JSON. */

#include "json.h"

#include <stdio.h>
#include <stdlib.h>

void cli_json_begin(struct cli_json *json)
{
    json->doc = yyjson_mut_doc_new(NULL);
    HEARTH_ASSERT(json->doc != NULL);
    json->root = yyjson_mut_obj(json->doc);
    yyjson_mut_doc_set_root(json->doc, json->root);
}

void cli_json_print(struct cli_json *json)
{
    char *text = yyjson_mut_write(json->doc, YYJSON_WRITE_INF_AND_NAN_AS_NULL, NULL);
    HEARTH_ASSERT(text != NULL);
    printf("%s\n", text);
    fflush(stdout);
    free(text);
}

void cli_json_cleanup(struct cli_json *json)
{
    yyjson_mut_doc_free(json->doc);
}

void cli_json_add_usage(struct cli_json *json, const hearth_usage *usage)
{
    yyjson_mut_val *object = yyjson_mut_obj_add_obj(json->doc, json->root, "usage");
    yyjson_mut_obj_add_str(json->doc, object, "finish_reason",
                           hearth_finish_name(usage->finish_reason));
    yyjson_mut_obj_add_uint(json->doc, object, "prompt_tokens", usage->prompt_tokens);
    yyjson_mut_obj_add_uint(json->doc, object, "tokens_generated", usage->tokens_generated);
    yyjson_mut_obj_add_uint(json->doc, object, "queue_us", usage->queue_us);
    yyjson_mut_obj_add_uint(json->doc, object, "first_us", usage->first_us);
    yyjson_mut_obj_add_uint(json->doc, object, "total_us", usage->total_us);
}

void cli_json_add_ids(struct cli_json *json, yyjson_mut_val *object, const hearth_item *item)
{
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(json->doc, object, "token_ids");
    for (size_t i = 0; i < item->token_id_count; i++) {
        yyjson_mut_arr_add_uint(json->doc, array, item->token_ids[i]);
    }
}

void cli_json_add_model(struct cli_json *json, yyjson_mut_val *array, const hearth_model *model)
{
    cli_json_fill_model(json, yyjson_mut_arr_add_obj(json->doc, array), model);
}

void cli_json_add_shape(struct cli_json *json, yyjson_mut_val *object, const uint32_t *shape,
                        size_t rank)
{
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(json->doc, object, "shape");
    for (size_t i = 0; i < rank; i++) {
        if (shape[i] == HEARTH_ANY_SIZE) {
            yyjson_mut_arr_add_null(json->doc, array);
        } else {
            yyjson_mut_arr_add_uint(json->doc, array, shape[i]);
        }
    }
}

void cli_json_fill_model(struct cli_json *json, yyjson_mut_val *o, const hearth_model *model)
{
    yyjson_mut_doc *doc = json->doc;
    yyjson_mut_obj_add_strcpy(doc, o, "name", model->name);
    yyjson_mut_obj_add_str(doc, o, "task", hearth_task_name(model->task));
    yyjson_mut_obj_add_str(doc, o, "engine", hearth_engine_name(model->engine));
    yyjson_mut_obj_add_str(doc, o, "state", hearth_model_state_name(model->state));
    yyjson_mut_obj_add_strcpy(doc, o, "version", model->version);
    yyjson_mut_obj_add_strcpy(doc, o, "digest", model->digest);
    yyjson_mut_obj_add_strcpy(doc, o, "shares", model->shares);
    yyjson_mut_obj_add_uint(doc, o, "worker_pid", model->worker_pid);
    yyjson_mut_obj_add_uint(doc, o, "restarts", model->restarts);
    yyjson_mut_obj_add_uint(doc, o, "size_bytes", model->size_bytes);
    yyjson_mut_obj_add_uint(doc, o, "need_bytes", model->need_bytes);
    yyjson_mut_obj_add_uint(doc, o, "memory_bytes", model->memory_bytes);
    yyjson_mut_obj_add_uint(doc, o, "queue_depth", model->queue_depth);
    yyjson_mut_obj_add_uint(doc, o, "running", model->running);
    yyjson_mut_obj_add_uint(doc, o, "request_count", model->request_count);
    yyjson_mut_obj_add_real(doc, o, "avg_latency_ms", (double)model->avg_latency_ms);
    yyjson_mut_obj_add_uint(doc, o, "threads", model->threads);
    yyjson_mut_obj_add_uint(doc, o, "context_tokens", model->context_tokens);
    yyjson_mut_obj_add_uint(doc, o, "dimensions", model->dimensions);
    yyjson_mut_val *labels = yyjson_mut_obj_add_arr(doc, o, "labels");
    for (size_t i = 0; i < model->label_count; i++) {
        yyjson_mut_arr_add_strcpy(doc, labels, model->labels[i]);
    }
    yyjson_mut_obj_add_strcpy(doc, o, "containment", model->containment);
    yyjson_mut_obj_add_strcpy(doc, o, "error", model->error);
    yyjson_mut_obj_add_int(doc, o, "error_code", -model->error_code);
}

void cli_json_add_histogram(struct cli_json *json, yyjson_mut_val *object,
                            const hearth_metric_histogram *histogram)
{
    yyjson_mut_doc *doc = json->doc;
    yyjson_mut_obj_add_uint(doc, object, "count", histogram->count);
    yyjson_mut_obj_add_uint(doc, object, "sum", histogram->sum);
    yyjson_mut_obj_add_uint(doc, object, "min", histogram->min);
    yyjson_mut_obj_add_uint(doc, object, "max", histogram->max);
    yyjson_mut_obj_add_uint(doc, object, "p50", histogram->p50);
    yyjson_mut_obj_add_uint(doc, object, "p95", histogram->p95);
    yyjson_mut_obj_add_uint(doc, object, "p99", histogram->p99);
    yyjson_mut_val *buckets = yyjson_mut_obj_add_arr(doc, object, "buckets");
    for (size_t i = 0; i < histogram->bucket_count; i++) {
        const hearth_metric_bucket *bucket = &histogram->buckets[i];
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, buckets);
        if (bucket->up_to == UINT64_MAX) {
            yyjson_mut_obj_add_null(doc, o, "up_to"); /* no bound */
        } else {
            yyjson_mut_obj_add_uint(doc, o, "up_to", bucket->up_to);
        }
        yyjson_mut_obj_add_uint(doc, o, "count", bucket->count);
    }
}

void cli_json_add_health(struct cli_json *json, const hearth_health_report *report)
{
    static const char *const states[] = {"healthy", "degraded", "unhealthy"};
    yyjson_mut_doc *doc = json->doc;
    yyjson_mut_val *o = json->root;
    yyjson_mut_obj_add_bool(doc, o, "ok", report->ok != 0);
    if (report->check != HEARTH_CHECK_FULL) {
        return;
    }
    size_t state = report->state >= 0 && report->state < 3 ? (size_t)report->state : 2;
    yyjson_mut_obj_add_str(doc, o, "state", states[state]);
    yyjson_mut_obj_add_bool(doc, o, "ready", report->ready != 0);
    yyjson_mut_obj_add_bool(doc, o, "accepting_requests", report->accepting_requests != 0);
    yyjson_mut_obj_add_uint(doc, o, "models_loaded", report->models_loaded);
    yyjson_mut_obj_add_uint(doc, o, "memory_used_bytes", report->memory_used_bytes);
    yyjson_mut_obj_add_uint(doc, o, "queue_depth", report->queue_depth);
    yyjson_mut_obj_add_uint(doc, o, "running", report->running);
    yyjson_mut_obj_add_uint(doc, o, "connections", report->connections);
    yyjson_mut_obj_add_uint(doc, o, "uptime_secs", report->uptime_secs);
    yyjson_mut_obj_add_uint(doc, o, "requests_total", report->requests_total);
    yyjson_mut_obj_add_uint(doc, o, "worker_deaths", report->worker_deaths);
    yyjson_mut_obj_add_uint(doc, o, "pid", report->pid);
    yyjson_mut_obj_add_strcpy(doc, o, "version", report->version);
}
