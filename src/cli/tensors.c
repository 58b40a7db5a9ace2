/* tensors.c — arrays of NumPy in, arrays of NumPy out. */

#include "json.h"
#include "npy.h"

#include "hearth_os.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILE_BYTES ((size_t)(1u << 30) + 65536) /* the largest tensor and its head */
#define NAME_BYTES 129
#define PATH_BYTES 4096
#define SHOWN      6

struct job {
    const struct cli_settings *settings;
    hearth_client *client;
    char model[NAME_BYTES];
    char names[CLI_TENSORS_MAX][NAME_BYTES]; /* of inputs */
    struct hearth_buf files[CLI_TENSORS_MAX];
    hearth_tensor inputs[CLI_TENSORS_MAX];
    struct cli_json json;
};

/* ── Inputs ──────────────────────────────────────────────────────────────────────────────────── */

/* NAME=FILE; a name may hold anything but "=". */
static int read_input(struct job *job, size_t index, struct hearth_error *err)
{
    const char *given = job->settings->inputs.values[index];
    const char *equals = strchr(given, '=');
    if (equals == NULL || equals == given || equals[1] == '\0' ||
        (size_t)(equals - given) >= NAME_BYTES) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "--input: '%.60s' is not NAME=FILE", given);
    }
    memcpy(job->names[index], given, (size_t)(equals - given));
    job->inputs[index].name = job->names[index];
    int rc = hearth_file_read(equals + 1, &job->files[index], err);
    rc = rc < 0 ? rc : cli_npy_read(hearth_buf_slice(&job->files[index]), &job->inputs[index], err);
    return rc < 0 ? hearth_because(err, rc, "--input %.60s", job->names[index]) : 0;
}

static int read_inputs(struct job *job, struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < job->settings->inputs.count && rc == 0; i++) {
        rc = read_input(job, i, err);
    }
    return rc;
}

/* ── One number ──────────────────────────────────────────────────────────────────────────────── */

static uint64_t bits_at(const hearth_tensor *tensor, size_t index)
{
    size_t width = hearth_tensor_element_bytes(tensor->type);
    uint64_t bits = 0;
    memcpy(&bits, (const char *)tensor->data + index * width, width);
    return bits;
}

static bool is_real(enum hearth_tensor_type type)
{
    return type == HEARTH_TENSOR_FLOAT16 || type == HEARTH_TENSOR_FLOAT32 ||
           type == HEARTH_TENSOR_FLOAT64;
}

static double real_at(const hearth_tensor *tensor, size_t index)
{
    uint64_t bits = bits_at(tensor, index);
    double wide;
    float narrow;
    if (tensor->type == HEARTH_TENSOR_FLOAT64) {
        memcpy(&wide, &bits, sizeof wide);
        return wide;
    }
    if (tensor->type == HEARTH_TENSOR_FLOAT16) {
        return (double)cli_float_of_half((uint16_t)bits);
    }
    memcpy(&narrow, &bits, sizeof narrow);
    return (double)narrow;
}

static bool is_signed(enum hearth_tensor_type type)
{
    return type == HEARTH_TENSOR_INT8 || type == HEARTH_TENSOR_INT16 ||
           type == HEARTH_TENSOR_INT32 || type == HEARTH_TENSOR_INT64;
}

static int64_t integer_at(const hearth_tensor *tensor, size_t index)
{
    unsigned unused = 64 - 8 * (unsigned)hearth_tensor_element_bytes(tensor->type);
    return (int64_t)(bits_at(tensor, index) << unused) >> unused;
}

static void add_number(struct cli_json *json, yyjson_mut_val *array, const hearth_tensor *tensor,
                       size_t index)
{
    if (is_real(tensor->type)) {
        yyjson_mut_arr_add_real(json->doc, array, real_at(tensor, index));
    } else if (is_signed(tensor->type)) {
        yyjson_mut_arr_add_int(json->doc, array, integer_at(tensor, index));
    } else if (tensor->type == HEARTH_TENSOR_BOOL) {
        yyjson_mut_arr_add_bool(json->doc, array, bits_at(tensor, index) != 0);
    } else {
        yyjson_mut_arr_add_uint(json->doc, array, bits_at(tensor, index));
    }
}

static void print_number(const hearth_tensor *tensor, size_t index)
{
    if (is_real(tensor->type)) {
        printf("%.6g", real_at(tensor, index));
    } else if (is_signed(tensor->type)) {
        printf("%" PRId64, integer_at(tensor, index));
    } else {
        printf("%" PRIu64, bits_at(tensor, index));
    }
}

/* ── Outputs ─────────────────────────────────────────────────────────────────────────────────── */

/* Names of models may hold what names of files should not. */
static void file_name_of(const hearth_tensor *tensor, char room[NAME_BYTES])
{
    snprintf(room, NAME_BYTES, "%s", tensor->name);
    for (char *at = room; *at != '\0'; at++) {
        bool is_plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                        (*at >= '0' && *at <= '9') || strchr("-_.", *at) != NULL;
        *at = !is_plain || (at == room && *at == '.') ? '_' : *at;
    }
}

/* DIR/NAME.npy. Of two that become the same the second has its number behind the name. */
static int path_of(const struct job *job, const hearth_result *result, size_t index,
                   char room[PATH_BYTES], struct hearth_error *err)
{
    char name[NAME_BYTES];
    char number[24] = "";
    file_name_of(hearth_result_tensor(result, index), name);
    for (size_t i = 0; i < index; i++) {
        char other[NAME_BYTES];
        file_name_of(hearth_result_tensor(result, i), other);
        if (strcmp(name, other) == 0) {
            snprintf(number, sizeof number, "-%zu", index);
        }
    }
    int size = snprintf(room, PATH_BYTES, "%s/%s%s.npy", job->settings->output_dir, name, number);
    return size < PATH_BYTES ? 0 : hearth_fail(err, HEARTH_E_ARGUMENT, "--output-dir: is too long");
}

static int write_output(const hearth_tensor *tensor, const char *path, struct hearth_error *err)
{
    struct hearth_new_file file = {.fd = -1};
    char head[CLI_NPY_HEAD_BYTES];
    uint64_t shape[HEARTH_TENSOR_MAX_RANK];
    for (uint32_t i = 0; i < tensor->rank; i++) {
        shape[i] = tensor->shape[i];
    }
    int rc = hearth_new_file_open(path, &file, err);
    if (rc == 0) {
        size_t size = cli_npy_head(tensor->type, shape, tensor->rank, head);
        rc = hearth_fd_write_all(file.fd, hearth_slice_of(head, size));
        rc = rc < 0 ? rc
                    : hearth_fd_write_all(file.fd, hearth_slice_of(tensor->data, tensor->bytes));
        rc = rc < 0 ? hearth_fail_errno(err, HEARTH_E_SYSTEM, "write %.150s", path)
                    : hearth_new_file_commit(&file, err);
    }
    hearth_new_file_close(&file);
    return rc;
}

static void add_output(struct cli_json *json, yyjson_mut_val *array, const hearth_tensor *tensor,
                       const char *path)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(json->doc, array);
    yyjson_mut_obj_add_strcpy(json->doc, o, "name", tensor->name);
    yyjson_mut_obj_add_str(json->doc, o, "type", hearth_tensor_type_name(tensor->type));
    cli_json_add_shape(json, o, tensor->shape, tensor->rank);
    if (path != NULL) {
        yyjson_mut_obj_add_strcpy(json->doc, o, "file", path);
        return;
    }
    yyjson_mut_val *data = yyjson_mut_obj_add_arr(json->doc, o, "data");
    for (size_t i = 0; i < tensor->bytes / hearth_tensor_element_bytes(tensor->type); i++) {
        add_number(json, data, tensor, i);
    }
}

static void print_output(const hearth_tensor *tensor, const char *path)
{
    size_t count = tensor->bytes / hearth_tensor_element_bytes(tensor->type);
    cli_print_foreign(tensor->name, 0);
    printf(" %s [", hearth_tensor_type_name(tensor->type));
    for (uint32_t i = 0; i < tensor->rank; i++) {
        printf("%s%u", i > 0 ? ", " : "", tensor->shape[i]);
    }
    printf("]: %s", path != NULL ? path : "");
    for (size_t i = 0; path == NULL && i < HEARTH_MIN(count, (size_t)SHOWN); i++) {
        printf("%s", i > 0 ? " " : "");
        print_number(tensor, i);
    }
    printf("%s\n", path == NULL && count > SHOWN ? " …" : "");
}

static int tell_outputs(struct job *job, const hearth_result *result, struct hearth_error *err)
{
    yyjson_mut_obj_add_strcpy(job->json.doc, job->json.root, "model", job->model);
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(job->json.doc, job->json.root, "outputs");
    for (size_t i = 0; i < hearth_result_tensor_count(result); i++) {
        const hearth_tensor *tensor = hearth_result_tensor(result, i);
        char path[PATH_BYTES];
        bool is_file = job->settings->output_dir != NULL;
        int rc = is_file ? path_of(job, result, i, path, err) : 0;
        rc = rc < 0 || !is_file ? rc : write_output(tensor, path, err);
        if (rc < 0) {
            return rc;
        }
        if (job->settings->is_json) {
            add_output(&job->json, array, tensor, is_file ? path : NULL);
        } else {
            print_output(tensor, is_file ? path : NULL);
        }
    }
    return 0;
}

/* ── The whole ───────────────────────────────────────────────────────────────────────────────── */

static void tell_end(struct job *job, const hearth_usage *usage)
{
    if (job->settings->is_json) {
        cli_json_add_usage(&job->json, usage);
        cli_json_print(&job->json);
    }
    if (job->settings->is_stats) {
        fprintf(stderr, "queue %.1f ms, total %.1f ms\n", usage->queue_us / 1e3,
                usage->total_us / 1e3);
    }
}

static int ask(struct job *job, struct hearth_error *err)
{
    hearth_request_params params;
    hearth_result *result = NULL;
    int rc = cli_request_params(job->settings, &params, err);
    rc = rc < 0 ? rc : read_inputs(job, err);
    rc = rc < 0 ? rc : cli_connect(job->settings, &job->client, err);
    rc = rc < 0 ? rc
                : cli_choose_model(job->client, job->settings, HEARTH_TASK_TENSORS, job->model,
                                   sizeof job->model, err);
    params.model = job->model;
    params.outputs = job->settings->wanted.values;
    params.output_count = job->settings->wanted.count;
    rc = rc < 0 ? rc
                : hearth_run(job->client, job->inputs, job->settings->inputs.count, &params,
                             &result, err);
    if (rc == 0) {
        rc = tell_outputs(job, result, err);
    }
    if (rc == 0) {
        tell_end(job, hearth_result_usage(result));
    }
    hearth_result_free(result);
    return rc;
}

int cli_run_tensors(const struct cli_settings *settings, int argc, char **argv)
{
    const struct cli_command *self = cli_command_find("tensors");
    if (argc > 0) {
        return cli_usage(self, "takes no argument '%s'; inputs are given as --input NAME=FILE",
                         argv[0]);
    }
    if (settings->inputs.count == 0) {
        return cli_usage(self, "wants an --input NAME=FILE");
    }
    struct job job = {.settings = settings};
    struct hearth_error err;
    cli_json_begin(&job.json);
    for (size_t i = 0; i < CLI_TENSORS_MAX; i++) {
        hearth_buf_init(&job.files[i], FILE_BYTES);
    }
    int rc = ask(&job, &err);
    int code = rc < 0 ? cli_report(settings, &err) : CLI_DONE;
    hearth_disconnect(job.client);
    for (size_t i = 0; i < CLI_TENSORS_MAX; i++) {
        hearth_buf_finish(&job.files[i]);
    }
    cli_json_cleanup(&job.json);
    return code;
}
