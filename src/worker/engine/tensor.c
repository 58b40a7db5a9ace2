/* tensor.c — reads the tensors of a request. */

#include "tensor.h"

#include <inttypes.h>
#include <stdio.h>

bool hearth_tensor_bytes(uint32_t type, const uint32_t *shape, uint32_t rank, uint64_t *ret)
{
    uint64_t bytes = hearth_wire_element_bytes(type);
    bool is_empty = false;
    bool is_small = bytes != 0;
    for (uint32_t i = 0; i < rank; i++) {
        is_empty = is_empty || shape[i] == 0;
        is_small = is_small && !__builtin_mul_overflow(bytes, HEARTH_MAX(1u, shape[i]), &bytes);
    }
    *ret = is_empty ? 0 : bytes;
    return is_small && bytes <= HEARTH_MAX_MEMFD_BYTES;
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

int hearth_tensors_of(const struct hearth_job *job, struct hearth_tensor ret[HEARTH_MAX_TENSORS],
                      struct hearth_error *err)
{
    struct hearth_wire_list cursor = hearth_job_request(job)->tensors;
    struct hearth_wire_tensor from;
    uint32_t count = 0;
    while (count < HEARTH_MAX_TENSORS && hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &from)) {
        struct hearth_tensor *tensor = &ret[count];
        *tensor = (struct hearth_tensor){
            .name = from.name,
            .type = (enum hearth_tensor_type)from.type,
            .rank = HEARTH_MIN(from.shape.count, HEARTH_MAX_TENSOR_RANK),
            .data = from.memfd_bytes != 0 ? hearth_job_memfd(job, count) : from.data,
        };
        hearth_wire_copy_u32s(from.shape, tensor->shape, tensor->rank);
        uint64_t bytes = 0;
        if (!hearth_tensor_bytes(from.type, tensor->shape, tensor->rank, &bytes) ||
            tensor->data.size != bytes) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "tensors[%" PRIu32 "]: %zu bytes came, type and shape make %" PRIu64,
                               count, tensor->data.size, bytes);
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
