/* inputs.h — the tokens of a text as the tensors that a model asks for. */

#ifndef HEARTH_ONNX_INPUTS_H
#define HEARTH_ONNX_INPUTS_H

#include "run.h"

/** Tokens that a run of what the encoding holds computes: its own, or those it is padded to. */
size_t inputs_length(const struct runner *runner, const struct onnx_model *model);

/**
 * Makes model->encoder.input_count tensors; what is made is the caller's to release, also after a
 * failure. They lend the runner's scratch.
 */
HEARTH_NODISCARD int inputs_make(struct runner *runner, const struct onnx_model *model,
                                 OrtValue *inputs[INPUT_KINDS], struct hearth_error *err);

#endif
