/* weights.h — the weights of a model, held once and lent to every session of it.
 *
 * External weights stay in their file: one read-only mapping, whose pages are the page cache's.
 * Those in the model file itself are copied once, because their bytes there have no alignment.
 * Sessions made with the same lent weights also share the packed copies that the library makes of
 * matrices, which are about as large again. */

#ifndef HEARTH_ONNX_WEIGHTS_H
#define HEARTH_ONNX_WEIGHTS_H

#include "runtime.h"

#include "hearth_engine.h"

/* What the initializers of a file say about the memory of a model, without loading it. */
struct weights_shape {
    uint64_t inline_bytes;
    uint64_t external_bytes;
    uint64_t half_bytes; /* of both, in 16-bit floats */
    uint64_t widest;     /* the longest side of a matrix that is no table */
    uint64_t hidden;     /* the other side of it */
};

struct weights {
    OrtMemoryInfo *info;
    void *mapped; /* the weights file */
    size_t mapped_bytes;
    unsigned char *block;  /* of copies */
    unsigned char *copied; /* in it, aligned */
    OrtPrepackedWeightsContainer *packed;
    struct lent_weight *lent;
    size_t count;
};

/** Reads the initializers of the model of @plan. Errors as hearth_onnx_inspect(). */
HEARTH_NODISCARD int weights_measure(const struct hearth_engine_plan *plan,
                                     struct weights_shape *ret, struct hearth_error *err);

/** Maps and copies what is worth lending. On failure weights_close() is still due.
 *  HEARTH_E_NO_MEMORY, errors as hearth_onnx_inspect(). */
HEARTH_NODISCARD int weights_open(struct weights *weights, const struct hearth_engine_plan *plan,
                                  struct hearth_error *err);

/** Lends them to the session that @options will make. They must outlive it. */
HEARTH_NODISCARD int weights_lend(const struct weights *weights, OrtSessionOptions *options,
                                  struct hearth_error *err);

/** Lets go of the pages that were only read while sessions were made. */
void weights_drop_pages(const struct weights *weights);

/** Ends it, after every session; works on a zeroed one. */
void weights_close(struct weights *weights);

#endif
