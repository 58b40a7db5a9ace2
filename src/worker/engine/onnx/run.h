/* run.h — one run thread's way through one text: tokens, tensors, Run(), answer.
 *
 * A *runner* belongs to one thread. */

#ifndef HEARTH_ONNX_RUN_H
#define HEARTH_ONNX_RUN_H

#include "executor.h"
#include "pooling.h"
#include "ports.h"

#include "hearth_tokenizer.h"

/* What every run of the model needs to know; not written after load. */
struct onnx_model {
    struct executor *executor;
    struct ports ports;
    struct hearth_tokenizer *tokenizer;
    enum hearth_task task;
    size_t max_tokens; /* of one text, special ones included; longer texts are cut */
    size_t width;      /* labels, or floats of an embedding */
    enum pooling pooling;
    bool must_normalise;
};

struct runner {
    struct run_seat *seat;           /* lent */
    struct hearth_encoding encoding; /* scratch that keeps its memory between texts */
    float *answer;                   /* HEARTH_MAX_VECTOR floats */
};

/** Makes a runner that runs in @seat. HEARTH_E_NO_MEMORY. On failure runner_finish() is still due.
 */
int runner_init(struct runner *runner, struct run_seat *seat, struct hearth_error *err);

void runner_finish(struct runner *runner);

/** Answers @item and ends it, with a result or an error. Blocks for the length of the run. */
void runner_answer(struct runner *runner, const struct onnx_model *model, struct hearth_item *item);

/**
 * Runs the model once on the tokens that encoding holds; the answer is model->width floats in
 * runner->answer. While model->width is 0 (after loading, before the width is known) it returns the
 * width that the model answered with instead of 0.
 */
int runner_run(struct runner *runner, const struct onnx_model *model, struct hearth_error *err);

#endif
