/* output.c — from the library's value to checked floats. */

#include "output.h"

#include "inputs.h"
#include "vector.h"

#include <string.h>

int output_shape(const OrtValue *value, ONNXTensorElementDataType *ret_type, size_t *ret_rank,
                 int64_t ret_shape[HEARTH_MAX_TENSOR_RANK], struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    OrtTensorTypeAndShapeInfo *info = NULL;
    int is_tensor = 0;
    int rc = runtime_check(api->IsTensor(value, &is_tensor), HEARTH_E_ENGINE_FAILED,
                           "read the output", err);
    if (rc == 0 && is_tensor == 0) {
        rc = hearth_fail(err, HEARTH_E_UNSUPPORTED, "the model answered with no tensor");
    }
    if (rc == 0) {
        rc = runtime_check(api->GetTensorTypeAndShape(value, &info), HEARTH_E_ENGINE_FAILED,
                           "read the output", err);
    }
    if (rc == 0) {
        rc = runtime_check(api->GetTensorElementType(info, ret_type), HEARTH_E_ENGINE_FAILED,
                           "read the output", err);
    }
    if (rc == 0) {
        rc = runtime_check(api->GetDimensionsCount(info, ret_rank), HEARTH_E_ENGINE_FAILED,
                           "read the output", err);
    }
    if (rc == 0 && *ret_rank > HEARTH_MAX_TENSOR_RANK) {
        rc = hearth_fail(err, HEARTH_E_UNSUPPORTED,
                         "the model answered with %zu dimensions, at most %u are taken", *ret_rank,
                         HEARTH_MAX_TENSOR_RANK);
    }
    if (rc == 0) {
        rc = runtime_check(api->GetDimensions(info, ret_shape, *ret_rank), HEARTH_E_ENGINE_FAILED,
                           "read the output", err);
    }
    if (info != NULL) {
        api->ReleaseTensorTypeAndShapeInfo(info);
    }
    return rc;
}

/* Halves become floats in the runner's scratch. */
static int widen(struct runner *runner, const uint16_t *halves, size_t count, float **ret,
                 struct hearth_error *err)
{
    hearth_buf_clear(&runner->floats);
    if (hearth_buf_reserve(&runner->floats, count * sizeof(float)) < 0) {
        return hearth_fail_oom(err);
    }
    float *floats = (float *)(void *)runner->floats.data;
    for (size_t i = 0; i < count; i++) {
        floats[i] = hearth_half_value(halves[i]);
    }
    runner->floats.size = count * sizeof(float);
    *ret = floats;
    return 0;
}

static bool is_shape_right(const struct onnx_model *model, size_t rank, const int64_t *shape,
                           size_t length)
{
    int64_t width = rank == 1 ? 1 : shape[rank - 1];
    return (model->output_rank == 0 ? encoder_is_rank_right(model->head.task, rank)
                                    : rank == model->output_rank) &&
           shape[0] == 1 && width > 0 && width <= HEARTH_MAX_VECTOR &&
           (rank < 3 || shape[1] == (int64_t)length) &&
           (model->width == 0 || (size_t)width == model->width);
}

int output_read(struct runner *runner, const struct onnx_model *model, OrtValue *value,
                struct onnx_output *ret, struct hearth_error *err)
{
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    int64_t shape[HEARTH_MAX_TENSOR_RANK] = {0};
    size_t rank = 0;
    void *data = NULL;
    size_t length = inputs_length(runner, model);
    int rc = output_shape(value, &type, &rank, shape, err);
    if (rc < 0) {
        return rc;
    }
    bool is_float = type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT ||
                    type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    if (rank == 0 || !is_float || !is_shape_right(model, rank, shape, length)) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "the model answered %zu tokens with rank %zu, first %lld, last %lld",
                           length, rank, (long long)shape[0],
                           rank > 0 ? (long long)shape[rank - 1] : 0);
    }
    rc = runtime_check(runtime_api()->GetTensorMutableData(value, &data), HEARTH_E_ENGINE_FAILED,
                       "read the output", err);
    ret->rank = rank;
    ret->width = rank == 1 ? 1 : (size_t)shape[rank - 1];
    ret->rows = rank == 3 ? runner->encoding.count : 1;
    ret->values = data;
    if (rc == 0 && type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16) {
        rc = widen(runner, data, ret->rows * ret->width, &ret->values, err);
    }
    return rc;
}
