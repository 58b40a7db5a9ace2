/* session.h — one ONNX model as a session whose inputs and outputs are known.
 *
 * The session is shared by all run threads: Run() may be called from several at once. Each run uses
 * one thread (no pool, so nothing spins), which serves many texts faster than padded batches do. */

#ifndef HEARTH_ONNX_SESSION_H
#define HEARTH_ONNX_SESSION_H

#include "runtime.h"

#include "hearth_engine.h"

/* What an encoder may ask for, in the order in which a run passes them. */
enum session_input { INPUT_IDS, INPUT_MASK, INPUT_TYPES, INPUT_KINDS };

struct session {
    OrtEnv *env;
    OrtSession *session;
    OrtMemoryInfo *memory; /* of tensors that we lend */
    bool has_input[INPUT_KINDS];
    const char *input_names[INPUT_KINDS]; /* those it has, in order; constants */
    size_t input_count;
    char output_name[256];
    size_t output_rank;   /* 2: [batch, width]; 3: [batch, tokens, width] */
    int64_t output_width; /* labels or dimensions; -1 if the file leaves it open */
};

/**
 * Loads the model of @plan and finds its inputs (input_ids and attention_mask; token_type_ids if it
 * has one; int64, [batch, tokens]) and its output: "logits" for classification,
 * "sentence_embedding" or "last_hidden_state" for embedding, else the only one.
 * HEARTH_E_MODEL_INVALID, HEARTH_E_UNSUPPORTED. On failure nothing is left to end.
 */
int session_open(struct session *session, const struct hearth_engine_plan *plan,
                 struct hearth_error *err);

/** Ends it; works on a zeroed one. No run may be under way. */
void session_close(struct session *session);

#endif
