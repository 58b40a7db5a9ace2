/* executor.h — how a run is made: which session computes it, who may end it, what memory it gets.
 *
 * What goes in and what comes out is the caller's (run.c); the executor is handed named tensors.
 *
 * Words: a *seat* is one run thread's place: one run at a time. A *narrow* run computes on the
 * calling thread alone, so that many go side by side; a *wide* run uses all threads for one item
 * and is only made while nothing else waits or runs and all threads are leased. A *cheap* run is so
 * short that the link thread makes it itself.
 *
 * Threads: estimate, open, calibrate and close when no other thread is there; executor_begin(),
 * executor_run() and executor_end() from the thread that has the seat; executor_interrupt() from
 * any.
 *
 * Options of a model: compute_mb (memory of all runs together, instead of the estimate), calibrate
 * = true | false (false: narrow or wide is learned from the first requests alone), wide = auto |
 * always | never. */

#ifndef HEARTH_ONNX_EXECUTOR_H
#define HEARTH_ONNX_EXECUTOR_H

#include "calibrate.h"
#include "session.h"

#include "hearth_engine.h"

struct executor;
struct run_seat;

/** What the model of @plan will need when texts have up to @max_tokens tokens (0: it is not made
 *  for texts): weights, and the memory of runs. Errors as hearth_onnx_inspect(), HEARTH_E_CONFIG.
 */
HEARTH_NODISCARD int executor_estimate(const struct hearth_engine_plan *plan, size_t max_tokens,
                                       struct hearth_engine_need *ret, struct hearth_error *err);

/** Loads the model of @plan and makes a seat for each of its threads; @max_tokens as for the
 *  estimate, by which runs are held. HEARTH_E_MODEL_INVALID, HEARTH_E_UNSUPPORTED,
 *  HEARTH_E_NO_MEMORY, HEARTH_E_CONFIG. */
HEARTH_NODISCARD int executor_open(const struct hearth_engine_plan *plan, size_t max_tokens,
                                   struct executor **ret, struct hearth_error *err);

/** Ends it; no run may be under way. NULL is fine. */
void executor_close(struct executor *executor);

/** The loaded model, to read its inputs and outputs and to make tensors. */
const struct session *executor_session(const struct executor *executor);

/** Seat @index: one for each of the plan's threads and, after them, one for the link thread. Lives
 * as long as the executor. */
struct run_seat *executor_seat(struct executor *executor, unsigned index);

/** True if a run of @tokens tokens surely takes less time than waking a thread for it: as far as
 *  runs were measured. */
bool executor_is_cheap(const struct executor *executor, size_t tokens);

/** Makes one run of @tokens tokens through executor_run(), in seat 0. */
typedef int executor_run_fn(void *arg, size_t tokens, struct hearth_error *err);

/**
 * After the first run that worked: finds out from which length wide runs pay and what runs take in
 * memory, by runs of up to @max_tokens tokens, and ends the wide session if it never pays. With
 * @run == NULL (raw tensors) nothing is run, as with option calibrate = false: then that is learned
 * from the first requests. Gives back memory that only loading needed. *@ret says what was found;
 * its longest is 0 if nothing was run.
 */
void executor_calibrate(struct executor *executor, size_t max_tokens, executor_run_fn *run,
                        void *arg, struct calibration *ret);

/** True if the wide session is there. */
bool executor_has_wide(const struct executor *executor);

/** Says which inbox the items come from: a run is wide only while nothing else waits in it. Until
 *  then runs are narrow. From any thread, as often as one likes. */
void executor_attach(struct executor *executor, const struct hearth_inbox *inbox);

/**
 * Says that @item is answered in @seat from now on, so that an interrupt of its job ends its run.
 * Returns why the item must end instead (HEARTH_E_CANCELLED, HEARTH_E_EXPIRED), or 0. Either way
 * executor_end() is due before the item is finished or failed.
 */
HEARTH_NODISCARD int executor_begin(struct run_seat *seat, const struct hearth_item *item,
                                    struct hearth_error *err);
void executor_end(struct run_seat *seat);

/**
 * Runs the model once; blocks for the length of the run, and before it until there is memory for
 * it. @tokens is the length of the input, by which cost and memory are estimated (of raw tensors:
 * batch × length). @outputs come in as NULL and are the caller's to release, also after a failure.
 *
 * HEARTH_E_TOO_LARGE if a run of this length can never fit into the memory of this worker (need and
 * have are in the text); HEARTH_E_NO_MEMORY if the library found that it does not fit;
 * HEARTH_E_ENGINE_FAILED if it fails, HEARTH_E_CANCELLED if it was interrupted: ask
 * hearth_item_must_end() then.
 */
HEARTH_NODISCARD int executor_run(struct executor *executor, struct run_seat *seat,
                                  const char *const *input_names, const OrtValue *const *inputs,
                                  size_t input_count, const char *const *output_names,
                                  size_t output_count, OrtValue **outputs, size_t tokens,
                                  struct hearth_error *err);

/** Ends the runs of @job soon; those of others are not touched. */
void executor_interrupt(struct executor *executor, const struct hearth_job *job);

#endif
