/* weights.c — finds the initializers of a file and lends them. */

#include "weights.h"

#include "hearth_inspect.h"
#include "hearth_os.h"

#include <string.h>

/* Smaller ones are shapes and axes, which the library folds away and never packs. */
#define LEAST_LENT_BYTES 1024u
#define ALIGNMENT        64u
/* Data types that both protobuf and the library's C API number alike, whole bytes each. */
#define LAST_LENT_TYPE ((uint32_t)ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16)
/* A matrix this much longer than wide is a table of tokens or labels. */
#define TABLE_RATIO 16

struct lent_weight {
    char name[HEARTH_ONNX_MAX_NAME_BYTES + 1];
    OrtValue *value;
};

/* The two files of a model as the walk wants them. */
struct model_files {
    void *model;
    size_t model_bytes;
    struct hearth_onnx_file beside;
    size_t beside_count;
};

static int open_files(struct model_files *files, const struct hearth_engine_plan *plan,
                      struct hearth_error *err)
{
    const struct hearth_engine_file *model = hearth_plan_file(plan, HEARTH_FILE_MODEL);
    const struct hearth_engine_file *weights = hearth_plan_file(plan, HEARTH_FILE_WEIGHTS);
    *files = (struct model_files){.model_bytes = (size_t)model->size_bytes};
    if (weights != NULL) {
        files->beside =
            (struct hearth_onnx_file){.name = weights->path, .size_bytes = weights->size_bytes};
        files->beside_count = 1;
    }
    return hearth_memfd_map(model->fd, files->model_bytes, false, &files->model, err);
}

static int walk(const struct model_files *files,
                int (*visit)(void *arg, const struct hearth_onnx_weight *weight), void *arg,
                struct hearth_error *err)
{
    return hearth_onnx_each_weight(hearth_slice_of(files->model, files->model_bytes),
                                   &files->beside, files->beside_count, visit, arg, err);
}

/* ---- measuring ------------------------------------------------------------------------------- */

static int measure(void *arg, const struct hearth_onnx_weight *weight)
{
    struct weights_shape *shape = arg;
    *(weight->file != NULL ? &shape->external_bytes : &shape->inline_bytes) += weight->size_bytes;
    if (weight->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 ||
        weight->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16) {
        shape->half_bytes += weight->size_bytes;
    }
    if (weight->rank != 2) {
        return 0;
    }
    uint64_t longer = (uint64_t)HEARTH_MAX(weight->shape[0], weight->shape[1]);
    uint64_t shorter = (uint64_t)HEARTH_MIN(weight->shape[0], weight->shape[1]);
    if (longer <= TABLE_RATIO * shorter && longer > shape->widest) {
        shape->widest = longer;
        shape->hidden = shorter;
    }
    return 0;
}

int weights_measure(const struct hearth_engine_plan *plan, struct weights_shape *ret,
                    struct hearth_error *err)
{
    struct model_files files;
    struct weights_shape shape = {0};
    int rc = open_files(&files, plan, err);
    if (rc == 0) {
        rc = walk(&files, measure, &shape, err);
    }
    hearth_memfd_unmap(files.model, files.model_bytes);
    *ret = shape;
    return rc;
}

/* ---- lending --------------------------------------------------------------------------------- */

/* Two walks: the first counts, the second fills. */
struct lending {
    struct weights *weights;
    struct hearth_error *err;
    size_t copied_bytes;
    size_t count;
    bool is_counting;
};

static bool is_worth_lending(const struct hearth_onnx_weight *weight)
{
    return weight->size_bytes >= LEAST_LENT_BYTES && weight->rank > 0 && weight->type > 0 &&
           weight->type <= LAST_LENT_TYPE && weight->name.size > 0 &&
           weight->name.size <= HEARTH_ONNX_MAX_NAME_BYTES;
}

/* Where the library will read it: in the mapping, or in our copy; NULL while counting. */
static void *place_of(struct lending *lending, const struct hearth_onnx_weight *weight)
{
    struct weights *weights = lending->weights;
    if (weight->file != NULL && weight->offset % ALIGNMENT == 0) {
        return (unsigned char *)weights->mapped + weight->offset;
    }
    size_t at = lending->copied_bytes;
    lending->copied_bytes += ((size_t)weight->size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (lending->is_counting) {
        return NULL;
    }
    const unsigned char *from = weight->file != NULL
                                    ? (unsigned char *)weights->mapped + weight->offset
                                    : weight->inline_data;
    return memcpy(weights->copied + at, from, (size_t)weight->size_bytes);
}

static int lend_one(void *arg, const struct hearth_onnx_weight *weight)
{
    struct lending *lending = arg;
    if (!is_worth_lending(weight)) {
        return 0;
    }
    void *place = place_of(lending, weight);
    size_t index = lending->count++;
    if (lending->is_counting) {
        return 0;
    }
    struct lent_weight *lent = &lending->weights->lent[index];
    memcpy(lent->name, weight->name.data, weight->name.size);
    int rc =
        runtime_check(runtime_api()->CreateTensorWithDataAsOrtValue(
                          lending->weights->info, place, (size_t)weight->size_bytes, weight->shape,
                          weight->rank, (ONNXTensorElementDataType)weight->type, &lent->value),
                      HEARTH_E_MODEL_INVALID, "describe a weight", lending->err);
    lending->weights->count += rc == 0;
    return rc;
}

static int make_room(struct weights *weights, const struct lending *counted,
                     struct hearth_error *err)
{
    weights->lent = hearth_alloc(counted->count + 1, sizeof *weights->lent);
    if (weights->lent == NULL) {
        return hearth_fail_oom(err);
    }
    if (counted->copied_bytes == 0) {
        return 0;
    }
    weights->block = hearth_alloc(counted->copied_bytes + ALIGNMENT, 1);
    if (weights->block == NULL) {
        return hearth_fail_oom(err);
    }
    weights->copied = weights->block + (ALIGNMENT - (uintptr_t)weights->block % ALIGNMENT);
    return 0;
}

static int fill(struct weights *weights, const struct model_files *files, struct hearth_error *err)
{
    struct lending lending = {.weights = weights, .err = err, .is_counting = true};
    int rc = walk(files, lend_one, &lending, err);
    if (rc == 0) {
        rc = make_room(weights, &lending, err);
    }
    lending.is_counting = false;
    lending.count = lending.copied_bytes = 0;
    return rc < 0 ? rc : walk(files, lend_one, &lending, err);
}

/* ---- life ------------------------------------------------------------------------------------ */

int weights_open(struct weights *weights, const struct hearth_engine_plan *plan,
                 struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    const struct hearth_engine_file *file = hearth_plan_file(plan, HEARTH_FILE_WEIGHTS);
    struct model_files files;
    *weights = (struct weights){0};
    int rc = runtime_check(
        api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &weights->info),
        HEARTH_E_NO_MEMORY, "describe memory", err);
    if (rc == 0) {
        rc = runtime_check(api->CreatePrepackedWeightsContainer(&weights->packed),
                           HEARTH_E_NO_MEMORY, "share weights", err);
    }
    if (rc == 0 && file != NULL && file->size_bytes > 0) {
        weights->mapped_bytes = (size_t)file->size_bytes;
        rc = hearth_memfd_map(file->fd, weights->mapped_bytes, false, &weights->mapped, err);
    }
    if (rc < 0) {
        return rc;
    }
    rc = open_files(&files, plan, err);
    if (rc == 0) {
        rc = fill(weights, &files, err);
    }
    hearth_memfd_unmap(files.model, files.model_bytes);
    return rc;
}

int weights_lend(const struct weights *weights, OrtSessionOptions *options,
                 struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < weights->count; i++) {
        const struct lent_weight *lent = &weights->lent[i];
        rc = runtime_check(runtime_api()->AddInitializer(options, lent->name, lent->value),
                           HEARTH_E_MODEL_INVALID, "lend a weight", err);
    }
    return rc;
}

void weights_drop_pages(const struct weights *weights)
{
    hearth_mapping_drop(weights->mapped, weights->mapped_bytes);
}

void weights_close(struct weights *weights)
{
    const OrtApi *api = runtime_api();
    for (size_t i = 0; i < weights->count; i++) {
        api->ReleaseValue(weights->lent[i].value);
    }
    hearth_free(weights->lent);
    if (weights->packed != NULL) {
        api->ReleasePrepackedWeightsContainer(weights->packed);
    }
    if (weights->info != NULL) {
        api->ReleaseMemoryInfo(weights->info);
    }
    hearth_memfd_unmap(weights->mapped, weights->mapped_bytes);
    hearth_free(weights->block);
    *weights = (struct weights){0};
}
