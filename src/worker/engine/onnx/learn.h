/* learn.h — what only a run shows: the shape of the output, and how many tokens the graph bears. */

#ifndef HEARTH_ONNX_LEARN_H
#define HEARTH_ONNX_LEARN_H

#include "run.h"

/**
 * Runs @model on one token and on as many as it may get, and sets its output_rank, width and, if
 * the graph bears fewer tokens than nobody asked for, max_tokens. HEARTH_E_MODEL_INVALID (the
 * output is not what the manifest promises), HEARTH_E_CONFIG (option max_tokens is more than the
 * graph bears), HEARTH_E_ENGINE_FAILED (it does not run at all).
 */
HEARTH_NODISCARD int learn_model(struct onnx_model *model, struct runner *runner,
                                 struct hearth_error *err);

#endif
