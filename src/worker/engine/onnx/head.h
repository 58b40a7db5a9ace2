/* head.h — what becomes of a model's output: the options of its manifest and the pooling
 * configuration that it brought along, read together and checked against each other.
 *
 * Options: pooling = mean | cls | max | lasttoken; normalize = true | false; dimensions (checked
 * only); activation = softmax | sigmoid | none; aggregation = simple | none; output (which output
 * of the graph); max_tokens. One that the task does not use is refused. */

#ifndef HEARTH_ONNX_HEAD_H
#define HEARTH_ONNX_HEAD_H

#include "pooling.h"
#include "told.h"

enum activation { ACTIVATION_SOFTMAX, ACTIVATION_SIGMOID, ACTIVATION_NONE };
enum aggregation { AGGREGATION_SIMPLE, AGGREGATION_NONE };

#define HEAD_MAX_TOKENS     8192u
#define HEAD_DEFAULT_TOKENS 512u /* if neither manifest nor tokenizer nor graph set a limit */

struct head {
    enum hearth_task task;
    enum hearth_pooling pooling;
    bool is_pooling_told; /* by option or configuration; else the graph may pool itself */
    bool must_normalise;
    enum activation activation;
    bool is_activation_told;
    enum aggregation aggregation;
    uint64_t max_tokens; /* 0: not told */
    uint64_t dimensions; /* promised by option or configuration; 0: by none */
    const char *output;  /* name of the output to use, lent by the plan; NULL: by task */
};

/**
 * Reads the options of @plan and @config, the bytes of its file of role config (may be empty): keys
 * pooling_mode_…, pooling_mode and word_embedding_dimension as sentence-transformers writes them;
 * others are somebody else's. HEARTH_E_CONFIG (an option), HEARTH_E_MODEL_INVALID (no JSON, or
 * option and configuration contradict each other), HEARTH_E_UNSUPPORTED (a way of pooling that is
 * not offered, or several at once).
 */
HEARTH_NODISCARD int head_read(struct head *head, const struct hearth_engine_plan *plan,
                               struct hearth_slice config, struct hearth_error *err);

/**
 * Checks that an output of @width values suits: as many as labels, or as dimensions promised; one
 * for a reranker, or two if its activation says softmax. HEARTH_E_MODEL_INVALID names both numbers.
 */
HEARTH_NODISCARD int head_check_width(const struct head *head, size_t label_count, size_t width,
                                      struct hearth_error *err);

/** Tells pooling, normalize, activation or aggregation: what the task uses. */
void head_tell(const struct head *head, bool is_pooled_here, struct told *told);

#endif
