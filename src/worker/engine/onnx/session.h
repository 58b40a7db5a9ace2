/* session.h — one ONNX model as the library holds it, and the calls that a run is made of.
 *
 * Run() may be called from several threads at once. */

#ifndef HEARTH_ONNX_SESSION_H
#define HEARTH_ONNX_SESSION_H

#include "runtime.h"

#include "hearth_engine.h"

struct session {
    OrtEnv *env;
    OrtSession *session;
    OrtMemoryInfo *memory; /* of tensors that we lend */
};

/** Loads the model of @plan. HEARTH_E_MODEL_INVALID, HEARTH_E_UNSUPPORTED. On failure nothing is
 *  left to end. */
HEARTH_NODISCARD int session_open(struct session *session, const struct hearth_engine_plan *plan,
                                  struct hearth_error *err);

/** Ends it; works on a zeroed one. No run may be under way. */
void session_close(struct session *session);

/** Options of runs, which carry the flag that ends a run from another thread. */
HEARTH_NODISCARD int session_make_run_options(OrtRunOptions **ret, struct hearth_error *err);
void session_free_run_options(OrtRunOptions *options);
int session_set_terminate(OrtRunOptions *options, bool must_end, struct hearth_error *err);

/** One run; blocks. HEARTH_E_ENGINE_FAILED. */
HEARTH_NODISCARD int session_run(const struct session *session, const OrtRunOptions *options,
                                 const char *const *input_names, const OrtValue *const *inputs,
                                 size_t input_count, const char *const *output_names,
                                 size_t output_count, OrtValue **outputs, struct hearth_error *err);

#endif
