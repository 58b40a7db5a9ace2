/* session.h — one ONNX model as the library holds it, and the calls that a run is made of.
 *
 * Two sessions of the same weights: the *narrow* one computes on the calling thread alone, the
 * *wide* one on all threads of the plan: the caller and a pool, whose threads are as nice as the
 * run threads and sleep when nothing was run for WIDE_SPIN_US. Both take memory from one arena with
 * a cap. Run() may be called from several threads at once. */

#ifndef HEARTH_ONNX_SESSION_H
#define HEARTH_ONNX_SESSION_H

#include "runtime.h"
#include "weights.h"

#include "hearth_engine.h"

/* How long a thread of the pool looks for work before it sleeps: it bridges the gaps inside a run
 * and between runs back to back. */
#define WIDE_SPIN_US "500"

struct session {
    OrtEnv *env;
    OrtSession *session;   /* the narrow one; also tells what goes in and comes out */
    OrtSession *wide;      /* or NULL */
    OrtMemoryInfo *memory; /* of tensors that we lend */
    struct weights weights;
    const void *arena; /* where it begins; all of it is promised at once and filled as needed */
    size_t arena_bytes;
    int pool_nice;
};

/**
 * Loads the model of @plan; runs take at most @arena_bytes together. HEARTH_E_MODEL_INVALID,
 * HEARTH_E_UNSUPPORTED (an operator or opset that the library does not know, by name),
 * HEARTH_E_NO_MEMORY. On failure nothing is left to end.
 */
HEARTH_NODISCARD int session_open(struct session *session, const struct hearth_engine_plan *plan,
                                  uint64_t arena_bytes, struct hearth_error *err);

/** Makes the wide session too. A failure leaves the narrow one as it is. */
HEARTH_NODISCARD int session_open_wide(struct session *session,
                                       const struct hearth_engine_plan *plan,
                                       struct hearth_error *err);

/** Ends the wide session and its threads, if there is one; no run may be under way. */
void session_close_wide(struct session *session);

/** Gives back memory that was only needed to load. */
void session_trim(const struct session *session);

/** Bytes of the arena that were ever used. Not for the hot path. */
uint64_t session_touched_bytes(const struct session *session);

/** Ends it; works on a zeroed one. No run may be under way. */
void session_close(struct session *session);

/** Options of runs, which carry the flag that ends a run from another thread. */
HEARTH_NODISCARD int session_make_run_options(OrtRunOptions **ret, struct hearth_error *err);
void session_free_run_options(OrtRunOptions *options);
int session_set_terminate(OrtRunOptions *options, bool must_end, struct hearth_error *err);

/** What goes in and comes out of a run; the caller's. */
struct run_ports {
    const char *const *input_names;
    const OrtValue *const *inputs;
    size_t input_count;
    const char *const *output_names;
    size_t output_count;
    OrtValue **outputs;
};

/** One run; blocks. HEARTH_E_NO_MEMORY if the arena is at its cap, else HEARTH_E_ENGINE_FAILED. */
HEARTH_NODISCARD int session_run(const struct session *session, bool is_wide,
                                 const OrtRunOptions *options, const struct run_ports *ports,
                                 struct hearth_error *err);

#endif
