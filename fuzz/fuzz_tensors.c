/* fuzz_tensors.c — any bytes as a message with tensors: what is accepted keeps its promises.
 *
 * Sizes are worked out here a second time, in a wider type and from the text of the protocol. */

#include "hearth_wire.h"

#include <string.h>

int hearth_fuzz_tensors(const uint8_t *data, size_t size);

static unsigned bytes_of_type(unsigned type)
{
    switch (type) {
    case HEARTH_TENSOR_UINT8:
    case HEARTH_TENSOR_INT8:
    case HEARTH_TENSOR_BOOL: return 1;
    case HEARTH_TENSOR_UINT16:
    case HEARTH_TENSOR_INT16:
    case HEARTH_TENSOR_FLOAT16: return 2;
    case HEARTH_TENSOR_FLOAT32:
    case HEARTH_TENSOR_INT32:
    case HEARTH_TENSOR_UINT32: return 4;
    case HEARTH_TENSOR_FLOAT64:
    case HEARTH_TENSOR_INT64:
    case HEARTH_TENSOR_UINT64: return 8;
    }
    return 0;
}

/* In a long double, which cannot overflow with eight dimensions and loses no bit below 2^64. */
static long double bytes_of(const struct hearth_wire_tensor *tensor)
{
    uint32_t shape[HEARTH_MAX_TENSOR_RANK];
    long double bytes = bytes_of_type(tensor->type);
    HEARTH_ASSERT(tensor->shape.count <= HEARTH_MAX_TENSOR_RANK);
    hearth_wire_copy_u32s(tensor->shape, shape, tensor->shape.count);
    for (uint32_t i = 0; i < tensor->shape.count; i++) {
        bytes *= shape[i];
    }
    return bytes;
}

/* Returns the memfds that @tensors want, having checked each of them. */
static uint32_t check_tensors(struct hearth_wire_list tensors)
{
    uint64_t sizes[HEARTH_MAX_TENSORS];
    uint64_t wanted[HEARTH_MAX_TENSORS];
    struct hearth_slice names[HEARTH_MAX_TENSORS];
    struct hearth_wire_list cursor = tensors;
    struct hearth_wire_tensor tensor;
    uint32_t seen = 0;
    uint32_t memfds = 0;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &tensor)) {
        HEARTH_ASSERT(seen < HEARTH_MAX_TENSORS && tensor.name.size > 0);
        HEARTH_ASSERT(hearth_wire_element_bytes(tensor.type) == bytes_of_type(tensor.type));
        HEARTH_ASSERT(bytes_of_type(tensor.type) != 0);
        HEARTH_ASSERT(tensor.data.size <= HEARTH_MAX_TENSOR_BYTES);
        HEARTH_ASSERT(tensor.memfd_bytes <= HEARTH_MAX_MEMFD_BYTES);
        HEARTH_ASSERT(tensor.memfd_bytes == 0 || tensor.data.size == 0);
        long double held = (long double)tensor.memfd_bytes + (long double)tensor.data.size;
        HEARTH_ASSERT(bytes_of(&tensor) == held);
        for (uint32_t i = 0; i < seen; i++) {
            HEARTH_ASSERT(!hearth_slice_equal(names[i], tensor.name));
        }
        names[seen++] = tensor.name;
        if (tensor.memfd_bytes != 0) {
            wanted[memfds++] = tensor.memfd_bytes;
        }
    }
    HEARTH_ASSERT(seen == tensors.count);
    HEARTH_ASSERT(hearth_wire_memfds(tensors, sizes) == memfds);
    HEARTH_ASSERT(memfds == 0 || memcmp(sizes, wanted, memfds * sizeof *sizes) == 0);
    return memfds;
}

static void check_request(const struct hearth_wire_inference_request *request)
{
    struct hearth_error err = {0};
    int rc = hearth_wire_check_request(request, &err);
    HEARTH_ASSERT(rc == err.code && (rc == 0 || err.text[0] != '\0'));
    if (rc < 0) {
        return;
    }
    bool is_tensors = request->task == HEARTH_TASK_TENSORS;
    HEARTH_ASSERT(is_tensors ? request->tensors.count > 0 : request->tensors.count == 0);
    HEARTH_ASSERT(is_tensors ? request->texts.count == 0 : request->outputs.count == 0);
    (void)check_tensors(request->tensors);
}

int hearth_fuzz_tensors(const uint8_t *data, size_t size)
{
    struct hearth_message message;
    if (hearth_wire_decode(hearth_slice_of(data, size), &message, NULL) < 0) {
        return 0;
    }
    if (message.type == HEARTH_MSG_inference_request) {
        check_request(&message.as.inference_request);
    } else if (message.type == HEARTH_MSG_inference_response) {
        struct hearth_wire_list tensors = message.as.inference_response.tensors;
        struct hearth_error err = {0};
        int rc = hearth_wire_check_tensors(tensors, &err);
        HEARTH_ASSERT(rc == err.code && (rc == 0 || err.text[0] != '\0'));
        if (rc == 0) {
            (void)check_tensors(tensors);
        }
    }
    return 0;
}
