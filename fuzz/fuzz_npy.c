/* An .npy. What is accepted lies within the file and is read again from the head that we write. */

#include "npy.h"

#include <string.h>

int hearth_fuzz_npy(const uint8_t *data, size_t size);

static void check_promises(const hearth_tensor *tensor, const uint8_t *data, size_t size)
{
    const uint8_t *numbers = tensor->data;
    size_t bytes = hearth_tensor_element_bytes(tensor->type);
    HEARTH_ASSERT(bytes > 0 && tensor->rank <= HEARTH_TENSOR_MAX_RANK && tensor->fd == -1);
    for (uint32_t i = 0; i < tensor->rank; i++) {
        bytes *= tensor->shape[i]; /* the reader has seen that it does not overflow */
    }
    HEARTH_ASSERT(bytes == tensor->bytes && bytes <= size);
    HEARTH_ASSERT(numbers + bytes == data + size);
}

static void check_round_trip(const hearth_tensor *tensor)
{
    char head[CLI_NPY_HEAD_BYTES];
    uint64_t shape[HEARTH_TENSOR_MAX_RANK];
    hearth_tensor again = {0};
    struct hearth_buf file;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        shape[i] = tensor->shape[i];
    }
    size_t size = cli_npy_head(tensor->type, shape, tensor->rank, head);
    hearth_buf_init(&file, 1u << 24);
    HEARTH_ASSERT(hearth_buf_append(&file, head, size) == 0);
    HEARTH_ASSERT(tensor->bytes == 0 || hearth_buf_append(&file, tensor->data, tensor->bytes) == 0);
    HEARTH_ASSERT(cli_npy_read(hearth_buf_slice(&file), &again, NULL) == 0);
    HEARTH_ASSERT(again.type == tensor->type && again.rank == tensor->rank);
    HEARTH_ASSERT(memcmp(again.shape, tensor->shape, sizeof again.shape) == 0);
    HEARTH_ASSERT(again.bytes == tensor->bytes);
    hearth_buf_finish(&file);
}

int hearth_fuzz_npy(const uint8_t *data, size_t size)
{
    hearth_tensor tensor = {0};
    struct hearth_error err = {0};
    if (cli_npy_read(hearth_slice_of(data, size), &tensor, &err) == 0) {
        check_promises(&tensor, data, size);
        check_round_trip(&tensor);
    } else {
        HEARTH_ASSERT(err.text[0] != '\0');
    }
    return 0;
}
