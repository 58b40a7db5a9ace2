/* encoder.h — how a text model is fed and read: which of its inputs get what, which output answers.
 *
 * Inputs: input_ids, attention_mask, token_type_ids, position_ids (from 0), int64 or int32, [batch,
 * tokens]. A batch that the graph fixes must be 1; a length that it fixes is what every text is
 * padded to, with a mask of zeros behind its tokens. */

#ifndef HEARTH_ONNX_ENCODER_H
#define HEARTH_ONNX_ENCODER_H

#include "head.h"
#include "ports.h"

enum encoder_input { INPUT_IDS, INPUT_MASK, INPUT_TYPES, INPUT_POSITIONS, INPUT_KINDS };

struct encoder {
    enum encoder_input kinds[INPUT_KINDS]; /* of each input, in the order of names */
    const char *input_names[INPUT_KINDS];
    bool is_int32[INPUT_KINDS];
    size_t input_count;
    size_t fixed_tokens; /* 0: any length */
    const char *output_name;
    bool is_half;
    size_t output_rank;   /* 1: [batch]; 2: [batch, width]; 3: [batch, tokens, width]; 0: open */
    int64_t output_width; /* labels or dimensions, or PORT_ANY */
};

/** Chooses the output, and before it the inputs; names are lent by @ports. HEARTH_E_UNSUPPORTED
 * names what does not fit. */
HEARTH_NODISCARD int encoder_choose(struct encoder *encoder, const struct ports *ports,
                                    const struct head *head, struct hearth_error *err);
HEARTH_NODISCARD int encoder_choose_output(struct encoder *encoder, const struct ports *ports,
                                           const struct head *head, struct hearth_error *err);

/** Whether @task can use an output of @rank. */
bool encoder_is_rank_right(enum hearth_task task, size_t rank);

#endif
