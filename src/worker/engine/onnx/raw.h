/* raw.h — a run on named tensors as they are, without a text. */

#ifndef HEARTH_ONNX_RAW_H
#define HEARTH_ONNX_RAW_H

#include "run.h"

/** Outputs of a run, as the library holds them and as the sink is told. */
struct raw_answer {
    OrtValue *values[HEARTH_MAX_TENSORS];
    struct hearth_engine_tensor tensors[HEARTH_MAX_TENSORS];
    uint32_t count;
};

/** Whether every input and output of a model can travel; HEARTH_E_UNSUPPORTED names one. */
HEARTH_NODISCARD int raw_check_ports(const struct ports *ports, struct hearth_error *err);

/**
 * Runs the model on the tensors of @item's request; @ret holds the outputs that it asks for, in its
 * order, or all. Data is lent to the library where it is aligned, mapped memfds always.
 * raw_release() is due, also after a failure: HEARTH_E_INPUT_INVALID names the input or output,
 * what was given and what is wanted; HEARTH_E_TOO_LARGE, HEARTH_E_ENGINE_FAILED.
 */
HEARTH_NODISCARD int raw_run(struct runner *runner, const struct onnx_model *model,
                             const struct hearth_item *item, struct raw_answer *ret,
                             struct hearth_error *err);

void raw_release(struct raw_answer *answer);

#endif
