/* tensor.c — reads the tensors of a request. */

#include "tensor.h"

#include <inttypes.h>
#include <stdio.h>

size_t hearth_tensor_element_bytes(uint32_t type)
{
    static const uint8_t bytes[] = {
        [HEARTH_TENSOR_FLOAT32] = 4, [HEARTH_TENSOR_UINT8] = 1,  [HEARTH_TENSOR_INT8] = 1,
        [HEARTH_TENSOR_UINT16] = 2,  [HEARTH_TENSOR_INT16] = 2,  [HEARTH_TENSOR_INT32] = 4,
        [HEARTH_TENSOR_INT64] = 8,   [HEARTH_TENSOR_BOOL] = 1,   [HEARTH_TENSOR_FLOAT16] = 2,
        [HEARTH_TENSOR_FLOAT64] = 8, [HEARTH_TENSOR_UINT32] = 4, [HEARTH_TENSOR_UINT64] = 8,
    };
    return type < HEARTH_COUNT(bytes) ? bytes[type] : 0;
}

bool hearth_tensor_bytes(uint32_t type, const uint32_t *shape, uint32_t rank, uint64_t *ret)
{
    uint64_t bytes = hearth_tensor_element_bytes(type);
    bool is_known = bytes != 0;
    bool is_empty = false;
    bool is_small = true;
    for (uint32_t i = 0; i < rank; i++) {
        is_empty = is_empty || shape[i] == 0;
        is_small = is_small && !__builtin_mul_overflow(bytes, HEARTH_MAX(1u, shape[i]), &bytes);
    }
    *ret = is_empty ? 0 : bytes;
    return is_known && (is_empty || (is_small && bytes <= HEARTH_MAX_MEMFD_BYTES));
}

void hearth_tensor_shape_text(const uint32_t *shape, uint32_t rank, char *room, size_t room_bytes)
{
    size_t used = 0;
    for (uint32_t i = 0; i < rank && used < room_bytes; i++) {
        const char *before = i == 0 ? "[" : ", ";
        int more = shape[i] == UINT32_MAX
                       ? snprintf(room + used, room_bytes - used, "%sany", before)
                       : snprintf(room + used, room_bytes - used, "%s%" PRIu32, before, shape[i]);
        used += (size_t)HEARTH_MAX(0, more);
    }
    if (used < room_bytes) {
        snprintf(room + used, room_bytes - used, rank == 0 ? "[]" : "]");
    }
}

static int read_tensor(const struct hearth_job *job, uint32_t index,
                       const struct hearth_wire_tensor *from, struct hearth_tensor *ret,
                       struct hearth_error *err)
{
    *ret = (struct hearth_tensor){
        .name = from->name,
        .type = (enum hearth_tensor_type)from->type,
        .rank = HEARTH_MIN(from->shape.count, HEARTH_MAX_TENSOR_RANK),
        .data = from->memfd_bytes != 0 ? hearth_job_memfd(job, index) : from->data,
    };
    if (from->name.size == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "tensors[%" PRIu32 "].name: is empty",
                           index);
    }
    if (hearth_tensor_element_bytes(from->type) == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tensors[%" PRIu32 "].type: %u is no type that is taken", index,
                           (unsigned)from->type);
    }
    hearth_wire_copy_u32s(from->shape, ret->shape, ret->rank);
    uint64_t bytes = 0;
    bool is_small = hearth_tensor_bytes(from->type, ret->shape, ret->rank, &bytes);
    if (!is_small || ret->data.size != bytes) {
        char shape[96];
        hearth_tensor_shape_text(ret->shape, ret->rank, shape, sizeof shape);
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tensors[%" PRIu32 "].data: %zu bytes, %s %s has %s%" PRIu64, index,
                           ret->data.size, hearth_tensor_type_name(ret->type), shape,
                           is_small ? "" : "more than ",
                           is_small ? bytes : (uint64_t)HEARTH_MAX_MEMFD_BYTES);
    }
    return 0;
}

static bool is_named_before(const struct hearth_tensor *tensors, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (hearth_slice_equal(tensors[i].name, tensors[index].name)) {
            return true;
        }
    }
    return false;
}

int hearth_tensors_of(const struct hearth_job *job, struct hearth_tensor ret[HEARTH_MAX_TENSORS],
                      struct hearth_error *err)
{
    struct hearth_wire_list cursor = hearth_job_request(job)->tensors;
    struct hearth_wire_tensor from;
    uint32_t count = 0;
    while (count < HEARTH_MAX_TENSORS && hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &from)) {
        int rc = read_tensor(job, count, &from, &ret[count], err);
        if (rc < 0) {
            return rc;
        }
        if (is_named_before(ret, count)) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "tensors[%" PRIu32 "].name: given before", count);
        }
        count++;
    }
    return (int)count;
}

bool hearth_tensor_is_wanted(const struct hearth_wire_inference_request *request, const char *name)
{
    struct hearth_wire_list cursor = request->outputs;
    struct hearth_wire_name wanted;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_name, &wanted)) {
        if (hearth_slice_equals_string(wanted.name, name)) {
            return true;
        }
    }
    return request->outputs.count == 0;
}
