/* run_memory.h — what a run takes in memory, and which runs may be under way together.
 *
 * Lengths are learned as points (tokens, bytes). Between two points a straight line is taken: what
 * an encoder takes is the largest of several curves that bend upwards, so the line lies above it.
 *
 * Claims wait in order of arrival, so that short runs cannot starve a long one. Thread-safe. */

#ifndef HEARTH_ONNX_RUN_MEMORY_H
#define HEARTH_ONNX_RUN_MEMORY_H

#include "hearth_base.h"

#include <pthread.h>
#include <stdatomic.h>

#define RUN_MEMORY_POINTS 16

struct run_memory {
    pthread_mutex_t lock;
    pthread_cond_t has_room;
    uint64_t budget_bytes; /* for all runs together */
    uint64_t used_bytes;
    struct hearth_list waiting; /* of claims, in order of arrival */
    size_t point_count;
    struct {
        size_t tokens;
        uint64_t bytes;
    } points[RUN_MEMORY_POINTS]; /* ascending */
};

/* What one run holds. Its owner keeps it at its place from claim to release. */
struct run_claim {
    struct hearth_list link;
    uint64_t bytes;
};

void run_memory_init(struct run_memory *memory, uint64_t budget_bytes);
void run_memory_finish(struct run_memory *memory);

/** Notes that a run of @tokens took @bytes; longer ones than noted so far only, before the first
 *  claim. Less than a shorter run took counts as that. */
void run_memory_learn(struct run_memory *memory, size_t tokens, uint64_t bytes);

/** Bytes that a run of @tokens takes at most, as far as known; 0 if nothing was learned. Beyond the
 *  last point it grows with the square. */
uint64_t run_memory_need(const struct run_memory *memory, size_t tokens);

/** The longest length that was learned; 0: none. */
size_t run_memory_longest(const struct run_memory *memory);

/**
 * Claims the memory of a run of @tokens; blocks until it is there or *@must_end (then
 * HEARTH_E_CANCELLED; who sets it calls run_memory_wake()). HEARTH_E_TOO_LARGE at once if it can
 * never be; need and have are in the text. After a failure nothing is claimed,
 * and releasing it does nothing.
 */
HEARTH_NODISCARD int run_memory_claim(struct run_memory *memory, struct run_claim *claim,
                                      size_t tokens, const atomic_bool *must_end,
                                      struct hearth_error *err);
void run_memory_release(struct run_memory *memory, struct run_claim *claim);

/** Makes claims that wait look at their *must_end. */
void run_memory_wake(struct run_memory *memory);

#endif
