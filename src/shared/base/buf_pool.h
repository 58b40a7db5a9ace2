/* buf_pool.h — memory of buffers that is handed from one use to the next: wiped between two, kept
 * up to a number, so that steady work allocates nothing. */

#ifndef HEARTH_BUF_POOL_H
#define HEARTH_BUF_POOL_H

#include "buf.h"

/**
 * Keeps at most @max_kept free buffers of at most @keep_bytes each, and beside them one that is
 * larger: fresh memory costs more than the copy into it, and one large use is often followed by
 * another. One thread at a time. Fields are private but for reading.
 */
struct hearth_buf_pool {
    struct hearth_buf_pool_free *free; /* linked through the memory that is free */
    struct hearth_buf large;
    size_t first_bytes; /* of a new buffer */
    size_t keep_bytes;
    size_t cap; /* of all its buffers */
    uint32_t max_kept;
    uint32_t kept;
};

/** Prepares an empty pool of buffers that may grow to @cap bytes; allocates nothing yet. */
void hearth_buf_pool_init(struct hearth_buf_pool *pool, uint32_t max_kept, size_t first_bytes,
                          size_t keep_bytes, size_t cap);

/** Frees what is kept. Buffers that are out stay their owners' and are ended as any buf. */
void hearth_buf_pool_finish(struct hearth_buf_pool *pool);

/** Fills @ret, which holds nothing, with an empty buf that has room for @bytes. What its memory
 *  holds is not defined, but nothing that anybody wrote into it. Errors of hearth_buf_reserve(). */
HEARTH_NODISCARD int hearth_buf_pool_acquire(struct hearth_buf_pool *pool, size_t bytes,
                                             struct hearth_buf *ret);

/** Wipes the used bytes of @buf and takes its memory; @buf is empty then. An empty one is fine. */
void hearth_buf_pool_release(struct hearth_buf_pool *pool, struct hearth_buf *buf);

#endif
