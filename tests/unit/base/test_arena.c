#include "kit.h"

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

KIT_MAIN(cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
         cmocka_unit_test(cap_is_an_ordinary_refusal),
         cmocka_unit_test(reset_wipes_and_reuses_without_allocating),
         cmocka_unit_test(large_requests_get_their_own_block),
         cmocka_unit_test(arena_survives_any_failed_allocation))
