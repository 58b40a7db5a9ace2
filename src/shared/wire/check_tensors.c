/* check_tensors.c — do tensors hold together: names, types, shapes, and as much data as they say?
 *
 * Pure: descriptors are only counted here; whether one is the memfd that it should be is seen where
 * descriptors are. */

#include "wire_priv.h"

#include <inttypes.h>

size_t hearth_wire_element_bytes(unsigned type)
{
    static const uint8_t bytes[] = {
        [HEARTH_TENSOR_FLOAT32] = 4, [HEARTH_TENSOR_UINT8] = 1,  [HEARTH_TENSOR_INT8] = 1,
        [HEARTH_TENSOR_UINT16] = 2,  [HEARTH_TENSOR_INT16] = 2,  [HEARTH_TENSOR_INT32] = 4,
        [HEARTH_TENSOR_INT64] = 8,   [HEARTH_TENSOR_BOOL] = 1,   [HEARTH_TENSOR_FLOAT16] = 2,
        [HEARTH_TENSOR_FLOAT64] = 8, [HEARTH_TENSOR_UINT32] = 4, [HEARTH_TENSOR_UINT64] = 8,
    };
    return type < HEARTH_COUNT(bytes) ? bytes[type] : 0;
}

/* False if one tensor may not have as much. A dimension of 0 makes it empty, whatever the others,
 * which still must not be absurd: somebody might multiply them. */
static bool bytes_of(const struct hearth_wire_tensor *tensor, uint64_t *ret)
{
    uint32_t shape[HEARTH_MAX_TENSOR_RANK];
    uint32_t rank = HEARTH_MIN(tensor->shape.count, HEARTH_MAX_TENSOR_RANK);
    uint64_t bytes = hearth_wire_element_bytes(tensor->type);
    bool is_empty = false;
    bool is_small = true;
    hearth_wire_copy_u32s(tensor->shape, shape, rank);
    for (uint32_t i = 0; i < rank && is_small; i++) {
        is_empty = is_empty || shape[i] == 0;
        bytes *= HEARTH_MAX(1u, shape[i]); /* below 2^30 × 2^32 */
        is_small = bytes <= HEARTH_MAX_MEMFD_BYTES;
    }
    *ret = is_empty ? 0 : bytes;
    return is_small;
}

static int check_data(const struct hearth_wire_tensor *tensor, unsigned index,
                      struct hearth_error *err)
{
    uint64_t bytes = 0;
    if (!bytes_of(tensor, &bytes)) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE,
                           "tensors[%u].shape: more than %" PRIu64 " bytes, the limit of a tensor",
                           index, (uint64_t)HEARTH_MAX_MEMFD_BYTES);
    }
    if (tensor->memfd_bytes != 0 && tensor->data.size != 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tensors[%u]: has both data and memfd_bytes, one of them is wanted",
                           index);
    }
    if (tensor->memfd_bytes != 0 && tensor->memfd_bytes != bytes) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tensors[%u].memfd_bytes: %" PRIu64 ", type and shape make %" PRIu64,
                           index, tensor->memfd_bytes, bytes);
    }
    if (tensor->memfd_bytes == 0 && tensor->data.size != bytes) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tensors[%u].data: %zu bytes, type and shape make %" PRIu64, index,
                           tensor->data.size, bytes);
    }
    return 0;
}

/* Lists are short: 16 at the most. */
static bool is_named_twice(struct hearth_wire_list all, const struct hearth_wire_tensor *tensor,
                           unsigned index)
{
    struct hearth_wire_tensor other;
    for (unsigned i = 0; i < index && hearth_wire_next(&all, HEARTH_RECORD_tensor, &other); i++) {
        if (hearth_slice_equal(other.name, tensor->name)) {
            return true;
        }
    }
    return false;
}

int hearth_wire_check_tensors(struct hearth_wire_list tensors, struct hearth_error *err)
{
    struct hearth_wire_list cursor = tensors;
    struct hearth_wire_tensor tensor;
    for (unsigned i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &tensor); i++) {
        if (tensor.name.size == 0) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "tensors[%u].name: is empty", i);
        }
        if (is_named_twice(tensors, &tensor, i)) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "tensors[%u].name: is that of another tensor", i);
        }
        if (hearth_wire_element_bytes(tensor.type) == 0) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "tensors[%u].type: %u is no element type", i, (unsigned)tensor.type);
        }
        int rc = check_data(&tensor, i, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static bool is_wanted_twice(struct hearth_wire_list all, struct hearth_slice name, unsigned index)
{
    struct hearth_wire_name other;
    for (unsigned i = 0; i < index && hearth_wire_next(&all, HEARTH_RECORD_name, &other); i++) {
        if (hearth_slice_equal(other.name, name)) {
            return true;
        }
    }
    return false;
}

int hearth_wire_check_outputs(struct hearth_wire_list outputs, struct hearth_error *err)
{
    struct hearth_wire_list cursor = outputs;
    struct hearth_wire_name output;
    for (unsigned i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_name, &output); i++) {
        if (output.name.size == 0) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "outputs[%u]: is empty", i);
        }
        if (is_wanted_twice(outputs, output.name, i)) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "outputs[%u]: is asked for twice", i);
        }
    }
    return 0;
}

uint32_t hearth_wire_memfds(struct hearth_wire_list tensors, uint64_t ret_bytes[HEARTH_MAX_TENSORS])
{
    struct hearth_wire_tensor tensor;
    uint32_t count = 0;
    while (count < HEARTH_MAX_TENSORS &&
           hearth_wire_next(&tensors, HEARTH_RECORD_tensor, &tensor)) {
        if (tensor.memfd_bytes != 0) {
            ret_bytes[count++] = tensor.memfd_bytes;
        }
    }
    return count;
}
