/* buf_pool.h — memory of buffers that is handed from one use to the next: wiped between two, kept
 * up to a number, so that steady work allocates nothing. */

#ifndef HEARTH_BUF_POOL_H
#define HEARTH_BUF_POOL_H

#include "buf.h"

struct hearth_buf_pool_free;

struct hearth_buf_pool_limits {
    uint32_t max_kept;
    size_t first_bytes; /* of a new buffer */
    size_t keep_bytes;
    size_t large_bytes;
    size_t cap; /* of each buffer */
};

/**
 * Keeps at most @max_kept free buffers of at most @keep_bytes each, and beside them larger ones of
 * @large_bytes together: fresh memory costs more than the copy into it, and one large use is often
 * followed by another. One thread at a time. Fields are private but for reading.
 */
struct hearth_buf_pool {
    struct hearth_buf_pool_free *free; /* linked through the memory that is free */
    struct hearth_buf_pool_free *free_large;
    struct hearth_buf_pool_limits limits;
    uint32_t kept;
    size_t kept_large_bytes;
};

/** Prepares an empty pool; allocates nothing yet. */
void hearth_buf_pool_init(struct hearth_buf_pool *pool,
                          const struct hearth_buf_pool_limits *limits);

/** Frees what is kept. Buffers that are out stay their owners' and are ended as any buf. */
void hearth_buf_pool_finish(struct hearth_buf_pool *pool);

/** Fills @ret, which holds nothing, with an empty buf that has room for @bytes. What its memory
 *  holds is not defined, but nothing that anybody wrote into it. Errors of hearth_buf_reserve(). */
HEARTH_NODISCARD int hearth_buf_pool_acquire(struct hearth_buf_pool *pool, size_t bytes,
                                             struct hearth_buf *ret);

/** Wipes the used bytes of @buf and takes its memory; @buf is empty then. An empty one is fine. */
void hearth_buf_pool_release(struct hearth_buf_pool *pool, struct hearth_buf *buf);

#endif
