/* tensor.h — the tensors of a request as an engine needs them. That types, shapes and sizes hold
 * together was checked when the job was made (hearth_wire_check_tensors()). */

#ifndef HEARTH_ENGINE_TENSOR_H
#define HEARTH_ENGINE_TENSOR_H

#include "item.h"

/** Bytes of a tensor (0 if a dimension is 0); false for an unknown type, or when the dimensions
 * that are not 0 make more than HEARTH_MAX_MEMFD_BYTES. */
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

/** Finds all tensors of @job's request, their data inline or mapped. Returns their number, or
 *  HEARTH_E_INPUT_INVALID if a memfd did not come with it. */
HEARTH_NODISCARD int hearth_tensors_of(const struct hearth_job *job,
                                       struct hearth_tensor ret[HEARTH_MAX_TENSORS],
                                       struct hearth_error *err);

/** Whether @request wants output @name: it names it, or names none. */
bool hearth_tensor_is_wanted(const struct hearth_wire_inference_request *request, const char *name);

#endif
