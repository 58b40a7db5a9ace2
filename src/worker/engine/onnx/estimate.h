/* estimate.h — what a model needs, reckoned from the shapes of its weights before it is loaded.
 *
 * An encoder's run holds, at its fullest, a few tensors of tokens × width, and in attention a few
 * of heads × tokens². Both are taken from the file; the number of heads from the narrowest heads
 * that are usual. docs/internals/onnx.md compares it with what was measured. */

#ifndef HEARTH_ONNX_ESTIMATE_H
#define HEARTH_ONNX_ESTIMATE_H

#include "run_memory.h"
#include "weights.h"

/** Bytes of one run of @tokens; an upper bound, seldom over twice what is taken. */
uint64_t estimate_run(const struct weights_shape *shape, size_t tokens);

/** The shape of @plan's weights, the memory of all runs together (or option compute_mb), and the
 *  cap of the arena that they share. Errors as executor_estimate(). */
HEARTH_NODISCARD int estimate_budget(const struct hearth_engine_plan *plan, size_t max_tokens,
                                     struct weights_shape *ret_shape, uint64_t *ret_budget_bytes,
                                     uint64_t *ret_arena_bytes, struct hearth_error *err);

/** Adds to what was learned the lengths up to @max_tokens that no run was made of. */
void estimate_curve(const struct weights_shape *shape, size_t max_tokens,
                    struct run_memory *memory);

#endif
