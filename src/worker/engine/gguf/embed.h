/* embed.h — vectors of texts from a GGUF model: its own context and its own loop, beside the steps
 * of a generator.
 *
 * Words: a *text* is one item with its tokens; a *call* is one llama_encode() or llama_decode()
 * over as many whole texts as fit into it. Texts never share attention; no token of one is kept for
 * the next call. */

#ifndef HEARTH_GGUF_EMBED_H
#define HEARTH_GGUF_EMBED_H

#include "gguf_engine.h"

#define GGUF_EMBED_TEXTS  64u  /* of one call */
#define GGUF_EMBED_TOKENS 512u /* of one call, or as many as the longest text may have */
#define GGUF_EMBED_CONTEXT                                                                         \
    1024u /* of a text, if the manifest does not say; scores take its square */

struct gguf_embedder;

/* What the manifest and the file say about vectors. HEARTH_E_CONFIG, HEARTH_E_UNSUPPORTED. */
struct gguf_embed_options {
    uint64_t text_tokens; /* most of one text */
    uint32_t call_tokens;
    enum llama_pooling_type pooling;
    bool is_normalised;
    bool is_encoder;
};
int gguf_embed_options(const struct hearth_engine_plan *plan, const struct hearth_gguf_facts *facts,
                       struct gguf_embed_options *ret, struct hearth_error *err);

/* Makes the context and all room of @engine, whose model is loaded, and tells what it is. */
int gguf_embed_create(struct hearth_engine *engine, const struct hearth_engine_plan *plan,
                      const struct hearth_gguf_facts *facts, struct hearth_engine_facts *ret_facts,
                      struct hearth_error *err);
void gguf_embed_destroy(struct gguf_embedder *embedder);

/* As gguf_work(), for an engine that has an embedder. */
void gguf_embed_work(struct hearth_engine *engine, struct hearth_inbox *inbox);

#endif
