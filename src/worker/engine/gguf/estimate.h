/* estimate.h — what a GGUF model will need in memory, before it is loaded. Pure. */

#ifndef HEARTH_GGUF_ESTIMATE_H
#define HEARTH_GGUF_ESTIMATE_H

#include "hearth_engine.h"
#include "hearth_inspect.h"

/** What the context will be made for. */
struct gguf_shape {
    uint64_t context_tokens;  /* of one sequence, as the library rounds it */
    uint32_t sequences;       /* with a stretch of cache of their own; 0: no cache at all */
    uint32_t exact_sequences; /* of a second context beside the first; 0: there is none */
    uint32_t cache_type;      /* number of the format: 1 for F16, 8 for Q8_0 */
    uint32_t chunk_tokens;    /* n_ubatch */
    uint32_t outputs;         /* rows with logits in one call; 0: vectors and no logits */
    bool is_mapped;
};

/** Fills @ret. */
void gguf_estimate(const struct hearth_gguf_facts *facts, const struct gguf_shape *shape,
                   struct hearth_engine_need *ret);

#endif
