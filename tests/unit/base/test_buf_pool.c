#include "kit.h"

#include <string.h>

#define FIRST_BYTES 1024u
#define KEEP_BYTES  4096u
#define LARGE_BYTES 40000u
#define CAP_BYTES   65536u

static void make(struct hearth_buf_pool *pool, uint32_t max_kept)
{
    const struct hearth_buf_pool_limits limits = {.max_kept = max_kept,
                                                  .first_bytes = FIRST_BYTES,
                                                  .keep_bytes = KEEP_BYTES,
                                                  .large_bytes = LARGE_BYTES,
                                                  .cap = CAP_BYTES};
    hearth_buf_pool_init(pool, &limits);
}

static struct hearth_buf acquire(struct hearth_buf_pool *pool, size_t bytes)
{
    struct hearth_buf buf = {0};
    assert_int_equal(hearth_buf_pool_acquire(pool, bytes, &buf), 0);
    assert_true(buf.room >= bytes && buf.room >= FIRST_BYTES && buf.size == 0);
    return buf;
}

static void a_released_buffer_is_the_next_one(void **state)
{
    (void)state;
    struct hearth_buf_pool pool;
    make(&pool, 4);
    struct hearth_buf buf = acquire(&pool, 10);
    const uint8_t *memory = buf.data;
    hearth_buf_pool_release(&pool, &buf);
    assert_null(buf.data);
    assert_int_equal(pool.kept, 1);
    buf = acquire(&pool, FIRST_BYTES);
    assert_ptr_equal(buf.data, memory);
    assert_int_equal(pool.kept, 0);
    hearth_buf_pool_release(&pool, &buf);
    hearth_buf_pool_finish(&pool);
}

/* What one client wrote, the next one that gets the memory must not see. */
static void nothing_that_was_written_is_left_for_the_next(void **state)
{
    (void)state;
    struct hearth_buf_pool pool;
    static const char secret[] = "the quick brown fox";
    static const size_t sizes[] = {sizeof secret, FIRST_BYTES, KEEP_BYTES, CAP_BYTES / 2};
    make(&pool, 4);
    for (size_t i = 0; i < HEARTH_COUNT(sizes); i++) {
        struct hearth_buf buf = acquire(&pool, sizes[i]);
        while (buf.size + sizeof secret <= sizes[i]) {
            assert_int_equal(hearth_buf_append(&buf, secret, sizeof secret), 0);
        }
        const uint8_t *memory = buf.data;
        hearth_buf_pool_release(&pool, &buf);
        buf = acquire(&pool, sizes[i]);
        assert_ptr_equal(buf.data, memory);
        assert_null(memmem(buf.data, sizes[i], "quick", 5));
        hearth_buf_pool_release(&pool, &buf);
    }
    hearth_buf_pool_finish(&pool);
}

static void no_more_buffers_are_kept_than_asked_and_large_ones_by_bytes(void **state)
{
    (void)state;
    struct hearth_buf_pool pool;
    struct hearth_buf all[4];
    struct hearth_buf large[3];
    make(&pool, 2);
    for (size_t i = 0; i < 4; i++) {
        all[i] = acquire(&pool, 1);
    }
    large[0] = acquire(&pool, 2 * KEEP_BYTES);
    large[1] = acquire(&pool, 4 * KEEP_BYTES);
    large[2] = acquire(&pool, 4 * KEEP_BYTES);
    for (size_t i = 0; i < 4; i++) {
        hearth_buf_pool_release(&pool, &all[i]);
    }
    assert_int_equal(pool.kept, 2);
    hearth_buf_pool_release(&pool, &large[0]);
    hearth_buf_pool_release(&pool, &large[1]);
    hearth_buf_pool_release(&pool, &large[2]); /* the third is more than 40,000 bytes */
    assert_int_equal(pool.kept, 2);
    assert_int_equal(pool.kept_large_bytes, 6 * KEEP_BYTES);
    struct hearth_buf buf = acquire(&pool, 3 * KEEP_BYTES);
    assert_int_equal(pool.kept_large_bytes, 2 * KEEP_BYTES);
    hearth_buf_finish(&buf); /* its owner may end it as well */
    hearth_buf_pool_finish(&pool);
}

static void steady_use_allocates_nothing(void **state)
{
    (void)state;
    struct hearth_buf_pool pool;
    make(&pool, 8);
    struct hearth_buf buf = acquire(&pool, KEEP_BYTES);
    hearth_buf_pool_release(&pool, &buf);
    uint64_t before = hearth_alloc_count();
    for (size_t i = 0; i < 1000; i++) {
        buf = acquire(&pool, i * 4 + 1);
        hearth_buf_pool_release(&pool, &buf);
    }
    assert_int_equal(hearth_alloc_count(), before);
    hearth_buf_pool_finish(&pool);
}

static void more_than_the_cap_is_refused(void **state)
{
    (void)state;
    struct hearth_buf_pool pool;
    struct hearth_buf buf = {0};
    make(&pool, 2);
    assert_int_equal(hearth_buf_pool_acquire(&pool, CAP_BYTES + 1, &buf), HEARTH_E_TOO_LARGE);
    assert_null(buf.data);
    hearth_buf_pool_finish(&pool);
}

static void out_of_memory_is_told_and_loses_nothing(void **state)
{
    (void)state;
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_buf_pool pool;
        struct hearth_buf buf = {0};
        make(&pool, 2);
        int rc = hearth_buf_pool_acquire(&pool, 100, &buf);
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        hearth_buf_pool_release(&pool, &buf);
        hearth_buf_pool_finish(&pool);
    }
}

KIT_MAIN(cmocka_unit_test(a_released_buffer_is_the_next_one),
         cmocka_unit_test(nothing_that_was_written_is_left_for_the_next),
         cmocka_unit_test(no_more_buffers_are_kept_than_asked_and_large_ones_by_bytes),
         cmocka_unit_test(steady_use_allocates_nothing),
         cmocka_unit_test(more_than_the_cap_is_refused),
         cmocka_unit_test(out_of_memory_is_told_and_loses_nothing))
