/* tensors.h — models that take no text: named inputs and outputs as they are. Included by hearth.h.
 *
 *     hearth_tensor input = {.name = "x", .type = HEARTH_TENSOR_FLOAT32, .rank = 2,
 *                            .shape = {1, 4}, .data = floats, .bytes = sizeof floats};
 *     if (hearth_run(client, &input, 1, &params, &result, &err) == 0) {
 *         const hearth_tensor *output = hearth_result_tensor(result, 0);   (… output->data …)
 *         hearth_result_free(result);
 *     }
 *
 * Which inputs and outputs a model has, hearth_describe() tells. */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_TENSORS_H
#define HEARTH_TENSORS_H

#ifdef __cplusplus
extern "C" {
#endif

#define HEARTH_TENSOR_MAX_RANK 8

/**
 * One input or output. Elements are little-endian, those of the last dimension lie side by side.
 * As many bytes as type and shape make: an input has them at @data; or, if @data is NULL and @bytes
 * is not 0, in the memfd @fd from its first byte on. That memfd has exactly @bytes and the seals
 * F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE; nobody copies it on the way, and it stays the
 * caller's. An output always has them at @data. Never grows.
 */
typedef struct hearth_tensor {
    const char *name;
    enum hearth_tensor_type type;
    uint32_t rank; /* 0: a single number */
    uint32_t shape[HEARTH_TENSOR_MAX_RANK];
    const void *data;
    size_t bytes; /* 1 GiB at the most; of all that is not in memfds together 3 MiB */
    int fd;
} hearth_tensor;

/** Returns the bytes of one element, 0 for what is no type. Any thread. */
HEARTH_API size_t hearth_tensor_element_bytes(enum hearth_tensor_type type);

/**
 * Runs a model once on 1 to 16 inputs. params->outputs says which outputs are wanted; all if
 * output_count is 0. Of the other params those apply that are for every task; on_item is not
 * called.
 *
 * Large inputs travel as memfds without the caller's doing: hearth_run() copies them into one, so a
 * program that fills a memfd of its own saves that copy. Blocks, owns and fails as hearth_infer();
 * HEARTH_E_INPUT_INVALID also for a memfd that is not as it should be, or a name, type or shape
 * that the model does not have. HEARTH_E_TOO_LARGE says what may be at the most.
 */
HEARTH_API int hearth_run(hearth_client *client, const hearth_tensor *inputs, size_t count,
                          const hearth_request_params *params, hearth_result **ret_result,
                          hearth_error *err);

/** The same, submitted: see hearth_submit(). Inputs may be changed or closed when it returns. */
HEARTH_API int hearth_submit_tensors(hearth_client *client, const hearth_tensor *inputs,
                                     size_t count, const hearth_request_params *params,
                                     uint64_t *ret_request, hearth_error *err);

/** Returns how many outputs there are, in the order in which they were asked for or the model has
 *  them. */
HEARTH_API size_t hearth_result_tensor_count(const hearth_result *result);

/** Lends one output; data and all live in the result. NULL if there is none. */
HEARTH_API const hearth_tensor *hearth_result_tensor(const hearth_result *result, size_t index);
HEARTH_API const hearth_tensor *hearth_result_tensor_named(const hearth_result *result,
                                                           const char *name);

#ifdef __cplusplus
}
#endif

#endif
