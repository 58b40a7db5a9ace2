/* output.h — what the library gave for a text, checked and as floats. */

#ifndef HEARTH_ONNX_OUTPUT_H
#define HEARTH_ONNX_OUTPUT_H

#include "run.h"

/**
 * Reads @value, the output of a run of what the encoding holds; the file's promise is not trusted.
 * HEARTH_E_MODEL_INVALID if rank or shape are not those of the text and of earlier runs.
 */
HEARTH_NODISCARD int output_read(struct runner *runner, const struct onnx_model *model,
                                 OrtValue *value, struct onnx_output *ret,
                                 struct hearth_error *err);

/** The type and shape of a tensor; HEARTH_E_UNSUPPORTED if it is none, or has too many dimensions.
 */
HEARTH_NODISCARD int output_shape(const OrtValue *value, ONNXTensorElementDataType *ret_type,
                                  size_t *ret_rank, int64_t ret_shape[HEARTH_MAX_TENSOR_RANK],
                                  struct hearth_error *err);

#endif
