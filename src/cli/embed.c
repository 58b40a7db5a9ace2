/* embed.c — vectors in short or in full, and the cosine of pairs. */

#include "texts.h"
#include "vectors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SHOWN         6  /* numbers of a vector in the short form */
#define COMPARED_MOST 64 /* texts: 2016 pairs */

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static int keep_vector(struct cli_batch_job *job, size_t index, const hearth_item *item,
                       struct hearth_error *err)
{
    if (job->vectors == NULL) {
        job->vectors = hearth_alloc(job->texts.count * item->dimensions, sizeof *job->vectors);
    }
    if (job->vectors == NULL) {
        return hearth_fail_oom(err);
    }
    memcpy(job->vectors + index * job->dimensions, job->unpacked,
           job->dimensions * sizeof *job->vectors);
    return 0;
}

static void add_vector(struct cli_batch_job *job, size_t index, const hearth_item *item)
{
    yyjson_mut_doc *doc = job->json.doc;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, job->results);
    yyjson_mut_obj_add_uint(doc, o, "index", index);
    yyjson_mut_obj_add_uint(doc, o, "tokens", item->tokens);
    yyjson_mut_obj_add_bool(doc, o, "is_truncated", item->is_truncated != 0);
    yyjson_mut_obj_add_uint(doc, o, "dimensions", item->dimensions);
    bool is_int8 = job->params.vector_type == HEARTH_VECTOR_INT8;
    yyjson_mut_val *vector = yyjson_mut_obj_add_arr(doc, o, "vector");
    for (size_t i = 0; i < item->dimensions; i++) {
        if (is_int8) {
            yyjson_mut_arr_add_int(doc, vector, ((const int8_t *)item->packed)[i]);
        } else {
            yyjson_mut_arr_add_real(doc, vector, (double)job->unpacked[i]);
        }
    }
    if (is_int8) {
        yyjson_mut_obj_add_real(doc, o, "scale", (double)item->scale);
    }
}

/* The vector as floats, in job->unpacked; the first decides how many there are. */
static int unpack(struct cli_batch_job *job, const hearth_item *item, struct hearth_error *err)
{
    if (item->dimensions == 0) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "model \"%s\" gave no vector", job->model);
    }
    bool is_packed = job->params.vector_type != HEARTH_VECTOR_FLOAT32;
    if ((is_packed ? item->packed : item->vector) == NULL) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "model \"%s\" gave vectors of another type",
                           job->model);
    }
    if (job->unpacked == NULL) {
        job->dimensions = item->dimensions;
        job->unpacked = hearth_alloc(item->dimensions, sizeof *job->unpacked);
    }
    if (job->unpacked == NULL) {
        return hearth_fail_oom(err);
    }
    if (item->dimensions != job->dimensions) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "a vector has %zu dimensions, the first has %zu",
                           item->dimensions, job->dimensions);
    }
    cli_vectors_unpack(item, job->params.vector_type, job->unpacked);
    return 0;
}

/* What a file of int8 has no room for. */
static void note_scale(struct cli_batch_job *job, const hearth_item *item)
{
    if (job->params.vector_type == HEARTH_VECTOR_INT8) {
        yyjson_mut_arr_add_real(job->json.doc, job->results, (double)item->scale);
    }
}

static int print_vector(struct cli_batch_job *job, size_t index, const hearth_item *item,
                        struct hearth_error *err)
{
    int rc = unpack(job, item, err);
    if (rc < 0) {
        return rc;
    }
    if (job->file != NULL) {
        note_scale(job, item);
        return cli_vectors_add(job->file, item, err);
    }
    if (job->settings->is_json) {
        add_vector(job, index, item);
    }
    if (job->settings->is_similarity) {
        return keep_vector(job, index, item, err);
    }
    if (!job->settings->is_json) {
        printf("%zu: %zu dimensions, norm %.4f: [", index + 1, item->dimensions,
               sqrt(dot(job->unpacked, job->unpacked, item->dimensions)));
        for (size_t i = 0; i < HEARTH_MIN((size_t)SHOWN, item->dimensions); i++) {
            printf("%s%.4f", i > 0 ? " " : "", (double)job->unpacked[i]);
        }
        printf("%s]\n", item->dimensions > SHOWN ? " …" : "");
    }
    return 0;
}

static double cosine(const struct cli_batch_job *job, size_t a, size_t b)
{
    const float *first = job->vectors + a * job->dimensions;
    const float *second = job->vectors + b * job->dimensions;
    double norms = sqrt(dot(first, first, job->dimensions) * dot(second, second, job->dimensions));
    return norms > 0 ? dot(first, second, job->dimensions) / norms : 0;
}

static int print_pairs(struct cli_batch_job *job, struct hearth_error *err)
{
    (void)err;
    yyjson_mut_val *pairs = yyjson_mut_arr(job->json.doc);
    for (size_t a = 0; a < job->texts.count; a++) {
        for (size_t b = a + 1; b < job->texts.count; b++) {
            if (job->settings->is_json) {
                yyjson_mut_val *pair = yyjson_mut_arr_add_obj(job->json.doc, pairs);
                yyjson_mut_obj_add_uint(job->json.doc, pair, "a", a);
                yyjson_mut_obj_add_uint(job->json.doc, pair, "b", b);
                yyjson_mut_obj_add_real(job->json.doc, pair, "cosine", cosine(job, a, b));
            } else {
                printf("%7.4f  %s | %s\n", cosine(job, a, b), cli_texts_shown(&job->texts, a),
                       cli_texts_shown(&job->texts, b));
            }
        }
    }
    yyjson_mut_obj_add_val(job->json.doc, job->json.root, "similarity", pairs);
    return 0;
}

/* The number of texts is known only when they are read, which is before the first answer. */
static int check_pairs(struct cli_batch_job *job, size_t index, const hearth_item *item,
                       struct hearth_error *err)
{
    if (job->texts.count < 2 || job->texts.count > COMPARED_MOST) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "--similarity: %zu texts given, wanted 2 to %d",
                           job->texts.count, COMPARED_MOST);
    }
    return print_vector(job, index, item, err);
}

/* ── Into a file ─────────────────────────────────────────────────────────────────────────────── */

/* The number of vectors stands at the start of an .npy: it is known when the texts are read. */
static int write_vector(struct cli_batch_job *job, size_t index, const hearth_item *item,
                        struct hearth_error *err)
{
    if (index == 0) {
        enum cli_vector_format format;
        const char *path = job->settings->output;
        enum hearth_vector_type type = job->params.vector_type;
        int rc = cli_vectors_format(job->settings->format, path, type, &format, err);
        rc = rc < 0 ? rc : cli_vectors_open(job->file, path, format, type, job->texts.count, err);
        if (rc < 0) {
            return rc;
        }
    }
    return print_vector(job, index, item, err);
}

static int end_file(struct cli_batch_job *job, struct hearth_error *err)
{
    const struct cli_vectors *file = job->file;
    int rc = cli_vectors_commit(job->file, err);
    if (rc < 0) {
        return rc;
    }
    if (job->settings->is_json) {
        yyjson_mut_doc *doc = job->json.doc;
        yyjson_mut_obj_add_strcpy(doc, job->json.root, "output", job->settings->output);
        yyjson_mut_obj_add_str(doc, job->json.root, "format",
                               file->format == CLI_FORMAT_NPY ? "npy"
                                                              : cli_vectors_suffix(file->type));
        yyjson_mut_obj_add_uint(doc, job->json.root, "vectors", file->rows);
        yyjson_mut_obj_add_uint(doc, job->json.root, "dimensions", file->dimensions);
        if (file->type == HEARTH_VECTOR_INT8) {
            yyjson_mut_obj_add_val(doc, job->json.root, "scales", job->results);
        }
    } else if (strcmp(job->settings->output, "-") != 0) {
        printf("%s: %zu vectors of %zu dimensions\n", job->settings->output, file->rows,
               file->dimensions);
    }
    return 0;
}

/* ── Options ─────────────────────────────────────────────────────────────────────────────────── */

/* The type that --type names, or one that is none. */
static enum hearth_vector_type type_of(const struct cli_settings *settings)
{
    int type = HEARTH_VECTOR_FLOAT32;
    while (settings->type != NULL && type <= HEARTH_VECTOR_INT8 &&
           strcmp(settings->type, hearth_vector_type_name((enum hearth_vector_type)type)) != 0) {
        type++;
    }
    return (enum hearth_vector_type)type;
}

/* What the options say together; 0, or CLI_USAGE. */
static int check_output(const struct cli_settings *settings, const struct cli_command *self)
{
    enum cli_vector_format format;
    struct hearth_error err;
    if (settings->output == NULL) {
        return settings->format == NULL ? 0 : cli_usage(self, "--format goes with --output");
    }
    if (cli_vectors_format(settings->format, settings->output, type_of(settings), &format, &err) <
        0) {
        return cli_usage(self, "%s", err.text);
    }
    if (settings->is_similarity) {
        return cli_usage(self, "--output and --similarity exclude each other");
    }
    return settings->is_json && strcmp(settings->output, "-") == 0
               ? cli_usage(self, "--json has no place to be printed beside --output -")
               : 0;
}

static int check_vector(const struct cli_settings *settings, const struct cli_command *self)
{
    if (type_of(settings) > HEARTH_VECTOR_INT8) {
        return cli_usage(self, "--type: '%.40s' is not float32, float16 or int8", settings->type);
    }
    if (settings->is_normalize && settings->is_no_normalize) {
        return cli_usage(self, "--normalize and --no-normalize exclude each other");
    }
    return settings->dimensions <= UINT32_MAX
               ? 0
               : cli_usage(self, "--dimensions: wanted as many as the model has at the most");
}

static int set_params(struct cli_batch_job *job, struct hearth_error *err)
{
    (void)err;
    job->params.vector_type = type_of(job->settings);
    job->params.dimensions = (uint32_t)job->settings->dimensions;
    job->params.normalize = job->settings->is_normalize      ? HEARTH_NORMALIZE_YES
                            : job->settings->is_no_normalize ? HEARTH_NORMALIZE_NO
                                                             : HEARTH_NORMALIZE_DEFAULT;
    return 0;
}

int cli_run_embed(const struct cli_settings *settings, int argc, char **argv)
{
    const struct cli_command *self = cli_command_find("embed");
    int rc = check_vector(settings, self);
    rc = rc != 0 ? rc : check_output(settings, self);
    if (rc != 0) {
        return rc;
    }
    struct cli_vectors file = {.file.fd = -1};
    struct cli_batch_job job = {.settings = settings,
                                .task = HEARTH_TASK_EMBED,
                                .on_params = set_params,
                                .on_item = settings->is_similarity ? check_pairs : print_vector,
                                .on_end = settings->is_similarity ? print_pairs : NULL};
    if (settings->output != NULL) {
        job.file = &file;
        job.on_item = write_vector;
        job.on_end = end_file;
    }
    int code = cli_batch_run(&job, argc, argv);
    cli_vectors_finish(&file);
    hearth_free(job.vectors);
    hearth_free(job.unpacked);
    return code;
}
