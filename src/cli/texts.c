/* texts.c — classify, and what embed, rerank and entities share with it: texts in, in batches that
 * the daemon takes, results out. */

#include "texts.h"

#include <stdio.h>

static int ask_batch(struct cli_batch_job *job, size_t first, size_t count,
                     struct hearth_error *err)
{
    hearth_result *result;
    job->params.pairs = job->texts.pairs != NULL ? job->texts.pairs + first : NULL;
    int rc = hearth_infer(job->client, job->task, job->texts.inputs + first, count, &job->params,
                          &result, err);
    if (rc < 0) { /* it counts from the first text of the batch */
        return first == 0 ? rc : hearth_because(err, rc, "counted from text %zu on", first + 1);
    }
    job->usage.prompt_tokens += hearth_result_usage(result)->prompt_tokens;
    job->usage.queue_us += hearth_result_usage(result)->queue_us;
    job->usage.total_us += hearth_result_usage(result)->total_us;
    if (first == 0) {
        job->usage.first_us = hearth_result_usage(result)->first_us;
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        const hearth_item *item = hearth_result_item(result, i);
        job->cut_count += item->is_truncated != 0;
        rc = job->on_item(job, first + i, item, err);
    }
    hearth_result_free(result);
    return rc;
}

static int ask_all(struct cli_batch_job *job, struct hearth_error *err)
{
    int rc = cli_request_params(job->settings, &job->params, err);
    rc = rc < 0 || job->on_params == NULL ? rc : job->on_params(job, err);
    rc = rc < 0 ? rc : cli_connect(job->settings, &job->client, err);
    rc = rc < 0 ? rc
                : cli_choose_model(job->client, job->settings, job->task, job->model,
                                   sizeof job->model, err);
    job->params.model = job->model;
    for (size_t first = 0; rc == 0 && first < job->texts.count; first += CLI_BATCH) {
        rc = ask_batch(job, first, HEARTH_MIN(CLI_BATCH, job->texts.count - first), err);
    }
    return rc;
}

/* An answer about half a text looks like any other. */
static void tell_cuts(const struct cli_batch_job *job)
{
    if (job->cut_count > 0 && !job->settings->is_json) {
        fprintf(stderr, "hearth: %zu of %zu texts had more tokens than the model takes: cut\n",
                job->cut_count, job->texts.count);
    }
}

int cli_batch_run(struct cli_batch_job *job, int argc, char **argv)
{
    struct hearth_error err;
    cli_json_begin(&job->json);
    int rc = cli_texts_read(&job->texts, job->settings, argc, argv, &err);
    if (rc == 0) {
        job->results = yyjson_mut_arr(job->json.doc);
        rc = ask_all(job, &err);
    }
    if (rc == 0 && job->on_end != NULL) {
        rc = job->on_end(job, &err);
    }
    if (rc == 0 && job->settings->is_json) {
        yyjson_mut_obj_add_strcpy(job->json.doc, job->json.root, "model", job->model);
        if (job->file == NULL) {
            yyjson_mut_obj_add_val(job->json.doc, job->json.root, "results", job->results);
        }
        cli_json_add_usage(&job->json, &job->usage);
        cli_json_print(&job->json);
    }
    if (rc == 0 && job->settings->is_stats) {
        fprintf(stderr, "%zu texts, %u tokens, queue %.1f ms, total %.1f ms\n", job->texts.count,
                job->usage.prompt_tokens, job->usage.queue_us / 1e3, job->usage.total_us / 1e3);
    }
    tell_cuts(job);
    int code = rc < 0 ? cli_report(job->settings, &err) : CLI_DONE;
    hearth_disconnect(job->client);
    cli_texts_finish(&job->texts);
    cli_json_cleanup(&job->json);
    return code;
}

/* ── Classify ────────────────────────────────────────────────────────────────────────────────── */

static void add_classes(struct cli_batch_job *job, size_t index, const hearth_item *item)
{
    yyjson_mut_doc *doc = job->json.doc;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, job->results);
    yyjson_mut_obj_add_uint(doc, o, "index", index);
    yyjson_mut_obj_add_strcpy(doc, o, "label", item->labels[0].name);
    yyjson_mut_obj_add_real(doc, o, "probability", (double)item->labels[0].probability);
    yyjson_mut_obj_add_uint(doc, o, "tokens", item->tokens);
    yyjson_mut_obj_add_bool(doc, o, "is_truncated", item->is_truncated != 0);
    yyjson_mut_val *labels = yyjson_mut_obj_add_arr(doc, o, "labels");
    for (size_t i = 0; i < item->label_count; i++) {
        yyjson_mut_val *label = yyjson_mut_arr_add_obj(doc, labels);
        yyjson_mut_obj_add_strcpy(doc, label, "name", item->labels[i].name);
        yyjson_mut_obj_add_real(doc, label, "probability", (double)item->labels[i].probability);
    }
}

static int print_classes(struct cli_batch_job *job, size_t index, const hearth_item *item,
                         struct hearth_error *err)
{
    if (item->label_count == 0) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "model \"%s\" gave no labels", job->model);
    }
    if (job->settings->is_json) {
        add_classes(job, index, item);
        return 0;
    }
    size_t wanted = job->settings->top == CLI_TOP_DEFAULT ? 1 : (size_t)job->settings->top;
    size_t shown = HEARTH_MIN(wanted, item->label_count);
    for (size_t i = 0; i < shown; i++) {
        printf("%-20s %.4f  %s\n", item->labels[i].name, (double)item->labels[i].probability,
               i == 0 ? cli_texts_shown(&job->texts, index) : "");
    }
    return 0;
}

int cli_run_classify(const struct cli_settings *settings, int argc, char **argv)
{
    if (settings->top == 0) {
        return cli_usage(cli_command_find("classify"), "--top: 0, wanted 1 or more");
    }
    struct cli_batch_job job = {
        .settings = settings, .task = HEARTH_TASK_CLASSIFY, .on_item = print_classes};
    return cli_batch_run(&job, argc, argv);
}
