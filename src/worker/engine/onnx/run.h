/* run.h — one run thread's way through one item: tokens, tensors, a run, an answer.
 *
 * A *runner* belongs to one thread. */

#ifndef HEARTH_ONNX_RUN_H
#define HEARTH_ONNX_RUN_H

#include "encoder.h"
#include "entities.h"
#include "executor.h"

#include "hearth_tokenizer.h"

/* What every run of the model needs to know; not written after load. */
struct onnx_model {
    const struct hearth_engine_plan *plan;
    struct executor *executor;
    struct ports ports;
    struct head head;
    /* of a text model */
    struct encoder encoder;
    struct hearth_tokenizer *tokenizer; /* NULL: raw tensors */
    size_t max_tokens;  /* of one text, special ones included; longer ones are cut */
    size_t output_rank; /* as the first run showed, 0 before it */
    size_t width;       /* labels, or floats of an embedding; likewise */
};

/* What a run of a text model gave: a row of @width values, or one for each of @rows tokens. */
struct onnx_output {
    size_t rank;
    size_t rows; /* tokens of the text, without padding; 1 if the rank is below 3 */
    size_t width;
    float *values; /* may be written; lives until the next run */
};

struct runner {
    struct run_seat *seat; /* lent */
    /* Scratch that keeps its memory between items; wiped after each. */
    struct hearth_encoding encoding;
    struct hearth_buf numbers; /* inputs that the encoding does not hold as the model wants them */
    struct hearth_buf floats;  /* an output that came as halves */
    float *answer;             /* HEARTH_MAX_VECTOR floats */
    struct entities entities;  /* its list only for models of entities */
};

/** Makes a runner that runs in @seat. HEARTH_E_NO_MEMORY. On failure runner_finish() is still due.
 */
HEARTH_NODISCARD int runner_init(struct runner *runner, const struct onnx_model *model,
                                 struct run_seat *seat, struct hearth_error *err);

void runner_finish(struct runner *runner);

/** Answers @item and ends it, with a result or an error. Blocks for the length of the run. */
void runner_answer(struct runner *runner, const struct onnx_model *model, struct hearth_item *item);

/**
 * Runs a text model once on @tokens made-up tokens (1 to its max_tokens) and tells what came. For
 * learning the shape of its output and how long runs take, before the first item.
 */
HEARTH_NODISCARD int runner_probe(struct runner *runner, const struct onnx_model *model,
                                  size_t tokens, struct onnx_output *ret, struct hearth_error *err);

#endif
