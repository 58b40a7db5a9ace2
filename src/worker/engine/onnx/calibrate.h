/* calibrate.h — a few runs after loading: from which length wide pays, and what runs take.
 *
 * Pure but for the runs and the clock, which come from outside: tests hand in their own. */

#ifndef HEARTH_ONNX_CALIBRATE_H
#define HEARTH_ONNX_CALIBRATE_H

#include "choice.h"
#include "run_memory.h"

/* Time for runs that find the threshold; and at most, as foreseen, for the one of full length. */
#define CALIBRATE_NS         UINT64_C(150000000)
#define CALIBRATE_LONGEST_NS UINT64_C(400000000)
#define CALIBRATE_MAX_TOKENS 256u /* of the runs that find the threshold */

struct calibrate_runs {
    /** Makes one run of @tokens; 0, or why it failed. */
    int (*run)(void *arg, size_t tokens, bool is_wide, struct hearth_error *err);
    uint64_t (*now_ns)(void *arg);
    uint64_t (*memory_bytes)(void *arg); /* ever used by runs and before; 0 if unknown */
    void *arg;
};

struct calibration {
    size_t wide_from;           /* tokens; CHOICE_NEVER if wide did not pay at any length */
    bool is_worthless;          /* nor would it, were cores freer: no run takes long enough */
    uint64_t tokens_per_second; /* of one core, at the longest length that was timed */
    size_t longest;             /* tokens of the longest run that was timed */
    uint64_t took_ns;
};

/**
 * Makes runs of 4, 8, 16, … up to @max_tokens tokens on both sessions (if @has_wide), until wide
 * has won twice in a row or time is up, then one of @max_tokens if that is foreseen to be short and
 * @memory does not know it. What runs took beyond @start_bytes goes into @memory, how long they
 * took into
 * @choice. A run that fails ends it early and is not an error: the length may be more than there is
 * memory for.
 */
void calibrate(const struct calibrate_runs *runs, size_t max_tokens, bool has_wide,
               uint64_t start_bytes, struct run_memory *memory, struct choice *choice,
               struct calibration *ret);

#endif
