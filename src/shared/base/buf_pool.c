/* buf_pool.c — a stack of free memory: what was used last is the warmest. */

#include "buf_pool.h"

#include "alloc.h"
#include "err.h"

/* At the start of memory that is free. */
struct hearth_buf_pool_free {
    struct hearth_buf_pool_free *next;
    size_t room;
};

void hearth_buf_pool_init(struct hearth_buf_pool *pool, uint32_t max_kept, size_t first_bytes,
                          size_t keep_bytes, size_t cap)
{
    HEARTH_ASSERT(first_bytes >= sizeof(struct hearth_buf_pool_free) && first_bytes <= keep_bytes);
    *pool = (struct hearth_buf_pool){
        .first_bytes = first_bytes, .keep_bytes = keep_bytes, .cap = cap, .max_kept = max_kept};
    hearth_buf_init(&pool->large, cap);
}

void hearth_buf_pool_finish(struct hearth_buf_pool *pool)
{
    while (pool->free != NULL) {
        struct hearth_buf_pool_free *first = pool->free;
        pool->free = first->next;
        hearth_free(first);
    }
    pool->kept = 0;
    hearth_buf_finish(&pool->large);
}

static void take_free(struct hearth_buf_pool *pool, struct hearth_buf *ret)
{
    struct hearth_buf_pool_free *first = pool->free;
    pool->free = first->next;
    pool->kept--;
    *ret = (struct hearth_buf){.data = (uint8_t *)first, .room = first->room, .cap = pool->cap};
}

int hearth_buf_pool_acquire(struct hearth_buf_pool *pool, size_t bytes, struct hearth_buf *ret)
{
    HEARTH_ASSERT(ret->data == NULL);
    if (bytes > pool->keep_bytes && bytes <= pool->large.room) {
        *ret = pool->large;
        hearth_buf_init(&pool->large, pool->cap);
    } else if (bytes <= pool->keep_bytes && pool->free != NULL) {
        take_free(pool, ret);
    } else {
        hearth_buf_init(ret, pool->cap);
    }
    int rc = hearth_buf_reserve(ret, HEARTH_MAX(bytes, HEARTH_MIN(pool->first_bytes, pool->cap)));
    if (rc < 0) {
        hearth_buf_pool_release(pool, ret);
    }
    return rc;
}

void hearth_buf_pool_release(struct hearth_buf_pool *pool, struct hearth_buf *buf)
{
    hearth_buf_wipe(buf);
    if (buf->room > pool->keep_bytes && pool->large.room < buf->room) {
        struct hearth_buf smaller = pool->large;
        pool->large = *buf;
        *buf = smaller;
    } else if (buf->room >= pool->first_bytes && buf->room <= pool->keep_bytes &&
               pool->kept < pool->max_kept) {
        struct hearth_buf_pool_free *first = (void *)buf->data;
        *first = (struct hearth_buf_pool_free){pool->free, buf->room};
        pool->free = first;
        pool->kept++;
        buf->data = NULL;
    }
    hearth_buf_finish(buf);
}
