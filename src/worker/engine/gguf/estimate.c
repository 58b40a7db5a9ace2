/* estimate.c — see estimate.h. */

#include "estimate.h"

#define PROCESS_BYTES (11u << 20) /* with any model: program, heap, room of requests */
#define WIDEST_ROWS   12u /* 4-byte values of an inner row that live at once: gate, up, product */
#define HIDDEN_ROWS   16u
#define MASK_BYTES    4u /* of a cell to a row: what was measured with the pool nearly full */
#define CACHE_IS_F16  1u

/* What one token of a chunk needs while it passes through a block, apart from attention. */
static uint64_t bytes_per_row(const struct hearth_gguf_facts *facts)
{
    return (uint64_t)facts->embedding_length * HIDDEN_ROWS +
           (uint64_t)facts->feed_forward_length * WIDEST_ROWS;
}

void gguf_estimate(const struct hearth_gguf_facts *facts, const struct gguf_shape *shape,
                   struct hearth_engine_need *ret)
{
    uint64_t vocabulary = facts->vocabulary_size;
    uint64_t scores = shape->visible_tokens * (facts->head_count * 8 + 4); /* and their softmax */
    uint64_t token_bytes = hearth_gguf_kv_bytes_per_token(facts, shape->cache_type);
    *ret = (struct hearth_engine_need){
        /* Mapped pages stay beside the copies that are packed for the CPU's instructions. */
        .weights_bytes = facts->tensor_bytes * (shape->is_mapped ? 2 : 1),
        .mapped_bytes = shape->is_mapped ? facts->tensor_bytes : 0,
        .prefix_bytes = shape->saved_bytes,
        .token_bytes = shape->cells > 0 ? token_bytes : 0,
        .cache_bytes = token_bytes * shape->cells +
                       hearth_gguf_kv_bytes_per_token(facts, CACHE_IS_F16) * shape->exact_cells,
        .compute_bytes = shape->chunk_tokens * (bytes_per_row(facts) + shape->cells * MASK_BYTES) +
                         shape->exact_tokens * (bytes_per_row(facts) + scores) +
                         vocabulary * shape->outputs * 8 + PROCESS_BYTES,
        .tokenizer_bytes = facts->vocabulary_bytes * 4 + vocabulary * 256,
    };
}
