#include "kit.h"

#include <pthread.h>
#include <string.h>

#include <stdalign.h>

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct hearth_arena arena;
    hearth_arena_init(&arena, 1 << 20);
    uint8_t *before = NULL;
    for (size_t size = 1; size < 3000; size = size * 3 / 2 + 1) {
        uint8_t *memory = hearth_arena_alloc(&arena, size, 1);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(memory[i], 0);
        }
        memset(memory, 0xAA, size);
        assert_true(before == NULL || before[0] == 0xAA);
        before = memory;
    }
    hearth_arena_finish(&arena);
}

static void cap_is_an_ordinary_refusal(void **state)
{
    (void)state;
    struct hearth_arena arena;
    hearth_arena_init(&arena, 64);
    assert_non_null(hearth_arena_alloc(&arena, 48, 1));
    assert_null(hearth_arena_alloc(&arena, 17, 1));
    assert_non_null(hearth_arena_alloc(&arena, 16, 1));
    assert_null(hearth_arena_alloc(&arena, 1, 1));
    assert_null(hearth_arena_alloc(&arena, SIZE_MAX, 2));
    assert_null(hearth_arena_alloc(&arena, SIZE_MAX, 1));
    hearth_arena_finish(&arena);
}

static void reset_wipes_and_reuses_without_allocating(void **state)
{
    (void)state;
    struct hearth_arena arena;
    hearth_arena_init(&arena, 1 << 20);
    char *secret = hearth_arena_copy(&arena, hearth_slice_of_string("secret"));
    assert_string_equal(secret, "secret");
    hearth_arena_reset(&arena);
    uint64_t count = hearth_alloc_count();
    char *again = hearth_arena_alloc(&arena, 7, 1);
    assert_ptr_equal(again, secret);
    assert_memory_equal(again, "\0\0\0\0\0\0\0", 7);
    assert_int_equal(hearth_alloc_count(), count);
    hearth_arena_finish(&arena);
}

static void large_requests_get_their_own_block(void **state)
{
    (void)state;
    struct hearth_arena arena;
    hearth_arena_init(&arena, 1 << 20);
    uint8_t *small = hearth_arena_alloc(&arena, 10, 1);
    uint8_t *large = hearth_arena_alloc(&arena, 100000, 1);
    assert_non_null(small);
    assert_non_null(large);
    large[99999] = 1;
    hearth_arena_finish(&arena);
}

static void arena_survives_any_failed_allocation(void **state)
{
    (void)state;
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_arena arena;
        hearth_arena_init(&arena, 1 << 20);
        for (int i = 0; i < 4; i++) {
            uint8_t *memory = hearth_arena_alloc(&arena, 20000, 1);
            if (memory != NULL) {
                memory[19999] = 1;
            } else {
                assert_true(hearth_alloc_has_failed());
            }
        }
        hearth_arena_reset(&arena);
        hearth_arena_finish(&arena);
    }
}

/* Arenas are not shared: each thread has its own, and what they hand out is apart. */
#define THREADS      4u
#define BLOCKS       100u
#define THREAD_BYTES 64u

struct taker {
    pthread_t thread;
    struct hearth_arena arena;
    uint8_t mark;
    uint8_t *blocks[BLOCKS];
};

static void *take_blocks(void *arg)
{
    struct taker *taker = arg;
    for (size_t i = 0; i < BLOCKS; i++) {
        taker->blocks[i] = hearth_arena_alloc(&taker->arena, THREAD_BYTES, 1);
        if (taker->blocks[i] == NULL) {
            return taker;
        }
        memset(taker->blocks[i], taker->mark + (int)i, THREAD_BYTES);
    }
    return NULL;
}

static void four_threads_take_a_hundred_blocks_each_and_none_overlap(void **state)
{
    (void)state;
    static struct taker takers[THREADS];
    for (size_t t = 0; t < THREADS; t++) {
        takers[t].mark = (uint8_t)(t * 50);
        hearth_arena_init(&takers[t].arena, 1u << 20);
        assert_int_equal(pthread_create(&takers[t].thread, NULL, take_blocks, &takers[t]), 0);
    }
    for (size_t t = 0; t < THREADS; t++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(takers[t].thread, &failed), 0);
        assert_null(failed);
    }
    for (size_t t = 0; t < THREADS; t++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            for (size_t k = 0; k < THREAD_BYTES; k++) {
                assert_int_equal(takers[t].blocks[i][k], (uint8_t)(takers[t].mark + i));
            }
        }
        hearth_arena_finish(&takers[t].arena);
    }
}

static void a_slice_of_numbers_reads_as_it_was_written(void **state)
{
    (void)state;
    struct hearth_arena arena;
    hearth_arena_init(&arena, 4096);
    assert_non_null(hearth_arena_alloc(&arena, 1, 1)); /* so that alignment is not by chance */
    uint32_t *numbers = hearth_arena_alloc(&arena, 10, sizeof *numbers);
    assert_int_equal((uintptr_t)numbers % _Alignof(uint32_t), 0);
    for (uint32_t i = 0; i < 10; i++) {
        numbers[i] = i * i;
    }
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(numbers[i], i * i);
    }
    assert_null(hearth_arena_alloc(&arena, SIZE_MAX / 2, sizeof *numbers)); /* no wrap-around */
    hearth_arena_finish(&arena);
}

KIT_MAIN(cmocka_unit_test(four_threads_take_a_hundred_blocks_each_and_none_overlap),
         cmocka_unit_test(a_slice_of_numbers_reads_as_it_was_written),
         cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
         cmocka_unit_test(cap_is_an_ordinary_refusal),
         cmocka_unit_test(reset_wipes_and_reuses_without_allocating),
         cmocka_unit_test(large_requests_get_their_own_block),
         cmocka_unit_test(arena_survives_any_failed_allocation))
