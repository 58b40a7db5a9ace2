/* estimate.h — what a GGUF model will need in memory, before it is loaded. Pure. */

#ifndef HEARTH_GGUF_ESTIMATE_H
#define HEARTH_GGUF_ESTIMATE_H

#include "hearth_engine.h"
#include "hearth_inspect.h"

/** What the contexts will be made for. */
struct gguf_shape {
    uint64_t cells;          /* of the pool that all sequences share; 0: there is none */
    uint64_t exact_cells;    /* of the second context beside it, all its sequences together */
    uint64_t visible_tokens; /* to a row without flash attention */
    uint32_t cache_type;     /* of the pool: 1 for F16, 8 for Q8_0; the second has F16 */
    uint32_t chunk_tokens;   /* n_ubatch with flash attention; 0: no such context */
    uint32_t exact_tokens;   /* n_ubatch without it; 0: no such context */
    uint64_t saved_bytes;    /* of prefixes that are kept beside the cells */
    uint32_t outputs;        /* rows with logits in one call; 0: vectors and no logits */
    bool is_mapped;
};

/** Fills @ret. */
void gguf_estimate(const struct hearth_gguf_facts *facts, const struct gguf_shape *shape,
                   struct hearth_engine_need *ret);

#endif
