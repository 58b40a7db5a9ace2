/* ports.h — the inputs and outputs of a loaded model, and which of them a task uses. */

#ifndef HEARTH_ONNX_PORTS_H
#define HEARTH_ONNX_PORTS_H

#include "session.h"

#include "hearth_engine.h"

/* What an encoder may ask for, in the order in which a run passes them. */
enum port_input { INPUT_IDS, INPUT_MASK, INPUT_TYPES, INPUT_KINDS };

struct ports {
    bool has_input[INPUT_KINDS];
    const char *input_names[INPUT_KINDS]; /* those it has, in order; constants */
    size_t input_count;
    char output_name[256];
    size_t output_rank;   /* 2: [batch, width]; 3: [batch, tokens, width] */
    int64_t output_width; /* labels or dimensions; -1 if the file leaves it open */
};

/**
 * Finds the inputs (input_ids and attention_mask; token_type_ids if it has one; int64, [batch,
 * tokens]) and the output: "logits" for classification, "sentence_embedding" or "last_hidden_state"
 * for embedding, else the only one. HEARTH_E_MODEL_INVALID, HEARTH_E_UNSUPPORTED.
 */
int ports_read(struct ports *ports, const struct session *session, enum hearth_task task,
               struct hearth_error *err);

#endif
