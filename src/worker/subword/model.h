/* model.h — the seam between the pipeline and a model: pieces of text in, tokens out.
 *
 * A *part* is one stretch of text that the pre-tokeniser cut out, already normalised, valid UTF-8
 * and never empty. Each model (wordpiece.h, bpe.h, unigram.h) offers two functions of this form:
 *
 *     int <model>_build(struct <model> *model, struct vocab *vocab, yyjson_val *object,
 *                       struct hearth_arena *arena, struct hearth_error *err);
 *
 * reads the object "model" of a tokenizer.json, whose keys are known to be unlike and whose "type"
 * was checked. It fills @vocab by vocab_build() or vocab_build_list() and may keep the pointer; all
 * memory comes from @arena. It refuses an unknown setting by name (HEARTH_E_UNSUPPORTED), one that
 * contradicts itself with HEARTH_E_MODEL_INVALID. The model is constant from then on.
 *
 *     int <model>_part(const struct <model> *model, struct hearth_slice part,
 *                      struct model_scratch *scratch, struct token_sink *sink);
 *
 * gives the tokens of one part, left to right, by token_put(). It takes time linear (BPE: n log n)
 * in the part, whatever it holds, and allocates nothing but by growing the bufs of @scratch.
 * Returns 0 or a negative error (HEARTH_E_NO_MEMORY, HEARTH_E_TOO_LARGE).
 *
 * Both structs have a member `uint32_t unknown_id`, NO_ID if the file names no unknown token. */

#ifndef HEARTH_SUBWORD_MODEL_H
#define HEARTH_SUBWORD_MODEL_H

#include "vocab.h"

#include "hearth_normal.h"

#include <yyjson.h>

/** Memory that a model uses as it likes; what is in it means nothing at the next part. It belongs
 * to one hearth_encoding, is kept between texts and wiped with it. */
struct model_scratch {
    struct hearth_buf bufs[4];
};

/** Where tokens go. The pipeline reads the members; a model only calls token_put(). */
struct token_sink;

/**
 * Emits one token: bytes @start to @end of the part (start <= end <= part.size; the bytes need not
 * be whole characters). 0 or HEARTH_E_NO_MEMORY.
 */
HEARTH_NODISCARD static inline int token_put(struct token_sink *sink, uint32_t id, size_t start,
                                             size_t end);

/** The tokens of one sequence so far; of too many, only those that truncation can keep. */
struct token_sink {
    uint32_t *ids;
    struct hearth_token_place *places; /* of the original text; used only if wants_places */
    size_t count;
    size_t room;
    size_t place_room;
    size_t ready;    /* up to here a token can be put without a look at the rest */
    size_t limit;    /* more than these are never kept */
    size_t total;    /* tokens put, kept or not */
    bool keeps_last; /* the last `limit` ones, not the first */
    bool wants_places;
    /* The part that is being encoded: */
    const struct view *view; /* of the normalised text, which knows where it came from */
    size_t part_start;       /* its first byte there */
};

/* tokens.c — makes room for one more, or drops what cannot be kept; notes where it came from. */
HEARTH_NODISCARD int token_sink_grow(struct token_sink *sink);
void token_sink_place(struct token_sink *sink, size_t start, size_t end);
void token_sink_start(struct token_sink *sink, size_t limit, bool keeps_last, bool wants_places);
void token_sink_wipe(struct token_sink *sink);
void token_sink_finish(struct token_sink *sink);

static inline int token_put(struct token_sink *sink, uint32_t id, size_t start, size_t end)
{
    sink->total++;
    if (sink->count >= sink->ready) {
        if (sink->count >= sink->limit && !sink->keeps_last) {
            return 0;
        }
        int rc = token_sink_grow(sink);
        if (rc < 0) {
            return rc;
        }
    }
    if (sink->wants_places) {
        token_sink_place(sink, start, end);
    }
    sink->ids[sink->count++] = id;
    return 0;
}

#endif
