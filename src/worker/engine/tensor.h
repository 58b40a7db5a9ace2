/* tensor.h — the tensors of a request as an engine needs them: checked, data found. */

#ifndef HEARTH_ENGINE_TENSOR_H
#define HEARTH_ENGINE_TENSOR_H

#include "item.h"

/** Bytes of one element, 0 for a number that is no type of ours. */
size_t hearth_tensor_element_bytes(uint32_t type);

/** Bytes of a whole tensor (0 if a dimension is 0); false for an unknown type or when it passes
 *  HEARTH_MAX_MEMFD_BYTES. */
bool hearth_tensor_bytes(uint32_t type, const uint32_t *shape, uint32_t rank, uint64_t *ret);

/** Writes a shape as "[2, any, 3]" (UINT32_MAX: any; a scalar is "[]"). Cut if @room is short. */
void hearth_tensor_shape_text(const uint32_t *shape, uint32_t rank, char *room, size_t room_bytes);

/** One input. @data is lent by the job and may stand at any address. */
struct hearth_tensor {
    struct hearth_slice name;
    enum hearth_tensor_type type;
    uint32_t shape[HEARTH_MAX_TENSOR_RANK];
    uint32_t rank;
    struct hearth_slice data; /* exactly the bytes that type and shape promise */
};

/**
 * Reads all tensors of @job's request: types known, sizes as promised, names there and different.
 * Returns their number (1 to HEARTH_MAX_TENSORS) or HEARTH_E_INPUT_INVALID, which names the tensor.
 */
HEARTH_NODISCARD int hearth_tensors_of(const struct hearth_job *job,
                                       struct hearth_tensor ret[HEARTH_MAX_TENSORS],
                                       struct hearth_error *err);

/** Whether @request wants output @name: it names it, or names none. */
bool hearth_tensor_is_wanted(const struct hearth_wire_inference_request *request, const char *name);

#endif
