/* buf_pool.c — stacks of free memory: what was used last is the warmest. */

#include "buf_pool.h"

#include "alloc.h"
#include "err.h"

/* At the start of memory that is free. */
struct hearth_buf_pool_free {
    struct hearth_buf_pool_free *next;
    size_t room;
};

void hearth_buf_pool_init(struct hearth_buf_pool *pool, const struct hearth_buf_pool_limits *limits)
{
    HEARTH_ASSERT(limits->first_bytes >= sizeof(struct hearth_buf_pool_free) &&
                  limits->first_bytes <= limits->keep_bytes && limits->keep_bytes <= limits->cap);
    *pool = (struct hearth_buf_pool){.limits = *limits};
}

static void free_all(struct hearth_buf_pool_free **stack)
{
    while (*stack != NULL) {
        struct hearth_buf_pool_free *first = *stack;
        *stack = first->next;
        hearth_free(first);
    }
}

void hearth_buf_pool_finish(struct hearth_buf_pool *pool)
{
    free_all(&pool->free);
    free_all(&pool->free_large);
    pool->kept = 0;
    pool->kept_large_bytes = 0;
}

/* The first on @stack with room for @bytes becomes @ret; false if there is none. */
static bool take_free(const struct hearth_buf_pool *pool, struct hearth_buf_pool_free **stack,
                      size_t bytes, struct hearth_buf *ret)
{
    while (*stack != NULL && (*stack)->room < bytes) {
        stack = &(*stack)->next;
    }
    struct hearth_buf_pool_free *found = *stack;
    if (found == NULL) {
        return false;
    }
    *stack = found->next;
    *ret = (struct hearth_buf){.data = (void *)found, .room = found->room, .cap = pool->limits.cap};
    return true;
}

int hearth_buf_pool_acquire(struct hearth_buf_pool *pool, size_t bytes, struct hearth_buf *ret)
{
    HEARTH_ASSERT(ret->data == NULL);
    if (bytes > pool->limits.keep_bytes && take_free(pool, &pool->free_large, bytes, ret)) {
        pool->kept_large_bytes -= ret->room;
    } else if (bytes <= pool->limits.keep_bytes && take_free(pool, &pool->free, 0, ret)) {
        pool->kept--;
    } else {
        hearth_buf_init(ret, pool->limits.cap);
    }
    int rc = hearth_buf_reserve(ret, HEARTH_MAX(bytes, pool->limits.first_bytes));
    if (rc < 0) {
        hearth_buf_pool_release(pool, ret);
    }
    return rc;
}

static void keep(struct hearth_buf_pool_free **stack, struct hearth_buf *buf)
{
    struct hearth_buf_pool_free *first = (void *)buf->data;
    *first = (struct hearth_buf_pool_free){*stack, buf->room};
    *stack = first;
    buf->data = NULL;
}

void hearth_buf_pool_release(struct hearth_buf_pool *pool, struct hearth_buf *buf)
{
    const struct hearth_buf_pool_limits *limits = &pool->limits;
    hearth_buf_wipe(buf);
    if (buf->room > limits->keep_bytes) {
        if (buf->room <= limits->large_bytes - pool->kept_large_bytes) {
            pool->kept_large_bytes += buf->room;
            keep(&pool->free_large, buf);
        }
    } else if (buf->room >= limits->first_bytes && pool->kept < limits->max_kept) {
        pool->kept++;
        keep(&pool->free, buf);
    }
    hearth_buf_finish(buf);
}
