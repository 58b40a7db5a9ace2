/* estimate.c — see estimate.h, and executor_estimate(). */

#include "estimate.h"

#include "executor.h"

#define MIB ((uint64_t)1 << 20)
/* Code and heap of the library, as measured with an empty model: resident after its first run. */
#define LIBRARY_BYTES (28 * MIB)
/* Graph, plan and kernels of one session: what a second one of the same weights adds. */
#define SESSION_BYTES (4 * MIB)
/* Narrower heads than most models have, wider than the narrowest (32 to 64): their number makes the
 * matrices of attention. */
#define HEAD_WIDTH  48u
#define LEAST_BYTES (1 * MIB) /* of the shortest run */
/* Older libraries compute 16-bit floats as float32 and hold such weights so, in each session. */
#define WIDENED_TIMES 4u
/* Runs of a model that is not made for texts: no length is known. */
#define RAW_RUN_BYTES  (64 * MIB)
#define MAX_COMPUTE_MB ((uint64_t)1 << 20)

uint64_t estimate_run(const struct weights_shape *shape, size_t tokens)
{
    uint64_t length = tokens;
    uint64_t linear = (2 * shape->hidden + 2 * shape->widest) * sizeof(float);
    uint64_t square = 2 * ((shape->hidden + HEAD_WIDTH - 1) / HEAD_WIDTH) * sizeof(float);
    return LEAST_BYTES + length * linear + length * length * square;
}

/* Most of what lies in the model file itself is held twice: once as it is and once as the library
 * packs it; what lies beside it is packed, and then read from the page cache only as needed. */
static uint64_t weights_bytes(const struct weights_shape *shape)
{
    return LIBRARY_BYTES + 2 * SESSION_BYTES + 2 * shape->inline_bytes + shape->external_bytes +
           WIDENED_TIMES * shape->half_bytes;
}

int estimate_budget(const struct hearth_engine_plan *plan, size_t max_tokens,
                    struct weights_shape *ret_shape, uint64_t *ret_budget_bytes,
                    uint64_t *ret_arena_bytes, struct hearth_error *err)
{
    uint64_t compute_mb = 0;
    int rc = hearth_plan_number(plan, "compute_mb", 1, MAX_COMPUTE_MB, &compute_mb, err);
    if (rc == 0) {
        rc = weights_measure(plan, ret_shape, err);
    }
    if (rc < 0) {
        return rc;
    }
    uint64_t run_bytes = max_tokens > 0 ? estimate_run(ret_shape, max_tokens) : RAW_RUN_BYTES;
    *ret_budget_bytes = compute_mb > 0 ? compute_mb * MIB : plan->threads * run_bytes;
    /* Some is lost to gaps between runs of many lengths, and what is not lent of the weights lies
     * there too. Claims keep runs below the budget; this is the wall behind them. */
    *ret_arena_bytes = 2 * *ret_budget_bytes + 4 * MIB + 2 * ret_shape->inline_bytes +
                       2 * WIDENED_TIMES * ret_shape->half_bytes;
    return 0;
}

void estimate_curve(const struct weights_shape *shape, size_t max_tokens, struct run_memory *memory)
{
    size_t known = run_memory_longest(memory);
    for (size_t tokens = 64; tokens < max_tokens; tokens *= 4) {
        if (tokens > known) {
            run_memory_learn(memory, tokens, estimate_run(shape, tokens));
        }
    }
    run_memory_learn(memory, max_tokens, estimate_run(shape, max_tokens));
}

int executor_estimate(const struct hearth_engine_plan *plan, size_t max_tokens,
                      struct hearth_engine_need *ret, struct hearth_error *err)
{
    struct weights_shape shape;
    uint64_t budget_bytes = 0;
    uint64_t arena_bytes = 0;
    int rc = estimate_budget(plan, max_tokens, &shape, &budget_bytes, &arena_bytes, err);
    if (rc == 0) {
        ret->weights_bytes = weights_bytes(&shape);
        ret->mapped_bytes = shape.external_bytes;
        ret->compute_bytes = budget_bytes;
    }
    return rc;
}
