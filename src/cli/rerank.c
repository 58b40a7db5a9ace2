/* rerank.c — texts by how well they answer a query, and what is named in texts. */

#include "texts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ── Rerank ──────────────────────────────────────────────────────────────────────────────────── */

/** One text with what is told of it, to be sorted. */
struct ranked {
    size_t index;
    float score;
    uint32_t tokens;
    bool is_truncated;
};

static int set_query(struct cli_batch_job *job, struct hearth_error *err)
{
    (void)err;
    job->params.query = job->query;
    return 0;
}

static int keep_score(struct cli_batch_job *job, size_t index, const hearth_item *item,
                      struct hearth_error *err)
{
    if (job->ranked == NULL) {
        job->ranked = hearth_alloc(job->texts.count, sizeof *job->ranked);
    }
    if (job->ranked == NULL) {
        return hearth_fail_oom(err);
    }
    job->ranked[index] = (struct ranked){.index = index,
                                         .score = item->score,
                                         .tokens = item->tokens,
                                         .is_truncated = item->is_truncated != 0};
    return 0;
}

/* Best first, equals as they came, what is no number last. */
static int compare(const void *a, const void *b)
{
    const struct ranked *first = a;
    const struct ranked *second = b;
    float left = isnan(first->score) ? -INFINITY : first->score;
    float right = isnan(second->score) ? -INFINITY : second->score;
    if (left != right) {
        return left > right ? -1 : 1;
    }
    return first->index < second->index ? -1 : first->index > second->index;
}

static int print_ranked(struct cli_batch_job *job, struct hearth_error *err)
{
    (void)err;
    size_t shown = HEARTH_MIN((size_t)job->settings->top, job->texts.count);
    qsort(job->ranked, job->texts.count, sizeof *job->ranked, compare);
    for (size_t i = 0; i < shown; i++) {
        const struct ranked *text = &job->ranked[i];
        if (job->settings->is_json) {
            yyjson_mut_val *o = yyjson_mut_arr_add_obj(job->json.doc, job->results);
            yyjson_mut_obj_add_uint(job->json.doc, o, "index", text->index);
            yyjson_mut_obj_add_real(job->json.doc, o, "score", (double)text->score);
            yyjson_mut_obj_add_uint(job->json.doc, o, "tokens", text->tokens);
            yyjson_mut_obj_add_bool(job->json.doc, o, "is_truncated", text->is_truncated);
        } else {
            printf("%9.4f  %s\n", (double)text->score, cli_texts_shown(&job->texts, text->index));
        }
    }
    return 0;
}

int cli_run_rerank(const struct cli_settings *settings, int argc, char **argv)
{
    const struct cli_command *self = cli_command_find("rerank");
    if (argc == 0 || argv[0][0] == '\0') {
        return cli_usage(self, "wants a query");
    }
    if (settings->top == 0) {
        return cli_usage(self, "--top: 0, wanted 1 or more");
    }
    struct cli_batch_job job = {.settings = settings,
                                .task = HEARTH_TASK_RERANK,
                                .query = argv[0],
                                .on_params = set_query,
                                .on_item = keep_score,
                                .on_end = print_ranked};
    int code = cli_batch_run(&job, argc - 1, argv + 1);
    hearth_free(job.ranked);
    return code;
}

/* ── Entities ────────────────────────────────────────────────────────────────────────────────── */

static void add_entity(struct cli_batch_job *job, yyjson_mut_val *array,
                       const hearth_entity *entity, struct hearth_slice stretch)
{
    yyjson_mut_doc *doc = job->json.doc;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, array);
    yyjson_mut_obj_add_strcpy(doc, o, "label", entity->label);
    yyjson_mut_obj_add_real(doc, o, "score", (double)entity->score);
    yyjson_mut_obj_add_strncpy(doc, o, "text", (const char *)stretch.data, stretch.size);
    yyjson_mut_obj_add_uint(doc, o, "start_byte", entity->start_byte);
    yyjson_mut_obj_add_uint(doc, o, "end_byte", entity->end_byte);
    yyjson_mut_obj_add_uint(doc, o, "start_char", entity->start_char);
    yyjson_mut_obj_add_uint(doc, o, "end_char", entity->end_char);
}

/* The text between the offsets: the daemon's numbers are believed only if they lie in it. */
static struct hearth_slice stretch_of(const char *text, const hearth_entity *entity)
{
    size_t size = strlen(text);
    size_t end = HEARTH_MIN((size_t)entity->end_byte, size);
    size_t start = HEARTH_MIN((size_t)entity->start_byte, end);
    return hearth_slice_of(text + start, end - start);
}

static int print_entities(struct cli_batch_job *job, size_t index, const hearth_item *item,
                          struct hearth_error *err)
{
    (void)err;
    yyjson_mut_doc *doc = job->json.doc;
    const char *text = job->texts.inputs[index].text;
    yyjson_mut_val *array = NULL;
    if (job->settings->is_json) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, job->results);
        yyjson_mut_obj_add_uint(doc, o, "index", index);
        yyjson_mut_obj_add_uint(doc, o, "tokens", item->tokens);
        yyjson_mut_obj_add_bool(doc, o, "is_truncated", item->is_truncated != 0);
        array = yyjson_mut_obj_add_arr(doc, o, "entities");
    }
    for (size_t i = 0; i < item->entity_count; i++) {
        const hearth_entity *entity = &item->entities[i];
        struct hearth_slice stretch = stretch_of(text, entity);
        if (job->settings->is_json) {
            add_entity(job, array, entity, stretch);
        } else {
            printf("%zu: %-10s %.4f  %u-%u  %.*s\n", index + 1, entity->label,
                   (double)entity->score, entity->start_byte, entity->end_byte,
                   HEARTH_SLICE_ARGS(stretch));
        }
    }
    return 0;
}

int cli_run_entities(const struct cli_settings *settings, int argc, char **argv)
{
    struct cli_batch_job job = {
        .settings = settings, .task = HEARTH_TASK_ENTITIES, .on_item = print_entities};
    return cli_batch_run(&job, argc, argv);
}
