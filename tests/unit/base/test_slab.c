#include "kit.h"

#include <string.h>

struct thing {
    uint64_t number;
    char text[56];
};

static bool is_zero(const void *memory, size_t size)
{
    const uint8_t *bytes = memory;
    size_t at = 0;
    while (at < size && bytes[at] == 0) {
        at++;
    }
    return at == size;
}

static void what_was_given_back_is_reused_and_wiped(void **state)
{
    (void)state;
    struct hearth_slab slab;
    hearth_slab_init(&slab, sizeof(struct thing), 4);
    struct thing *first = hearth_slab_take(&slab);
    assert_true(is_zero(first, sizeof *first));
    memset(first, 0xa5, sizeof *first);
    hearth_slab_give(&slab, first);
    struct thing *second = hearth_slab_take(&slab);
    assert_ptr_equal(second, first);
    assert_true(is_zero(second, sizeof *second));
    hearth_slab_give(&slab, second);
    hearth_slab_give(&slab, NULL);
    hearth_slab_finish(&slab);
}

static void no_more_are_kept_than_asked(void **state)
{
    (void)state;
    struct hearth_slab slab;
    void *all[5];
    hearth_slab_init(&slab, 1, 3);
    for (size_t i = 0; i < 5; i++) {
        assert_non_null(all[i] = hearth_slab_take(&slab));
    }
    assert_int_equal(slab.out, 5);
    for (size_t i = 0; i < 5; i++) {
        hearth_slab_give(&slab, all[i]);
    }
    assert_int_equal(slab.kept, 3);
    assert_int_equal(slab.out, 0);
    hearth_slab_finish(&slab);
}

static void steady_use_allocates_nothing(void **state)
{
    (void)state;
    struct hearth_slab slab;
    hearth_slab_init(&slab, sizeof(struct thing), 8);
    hearth_slab_give(&slab, hearth_slab_take(&slab));
    uint64_t before = hearth_alloc_count();
    for (int i = 0; i < 1000; i++) {
        struct thing *thing = hearth_slab_take(&slab);
        thing->number = 7;
        hearth_slab_give(&slab, thing);
    }
    assert_int_equal(hearth_alloc_count(), before);
    hearth_slab_finish(&slab);
}

/* Arenas are lent the same way: reset when they come back, their block kept. */
static void an_arena_that_comes_back_is_reset_and_reused(void **state)
{
    (void)state;
    struct hearth_arena arenas[2];
    struct hearth_arena *free_ones[2] = {&arenas[0], &arenas[1]};
    for (size_t i = 0; i < 2; i++) {
        hearth_arena_init(&arenas[i], 1024);
        assert_non_null(hearth_arena_alloc(&arenas[i], 1000, 1));
        assert_null(hearth_arena_alloc(&arenas[i], 100, 1)); /* the cap is kept */
        hearth_arena_reset(free_ones[i]);
    }
    uint64_t before = hearth_alloc_count();
    for (size_t i = 0; i < 100; i++) {
        struct hearth_arena *arena = free_ones[i % 2];
        uint8_t *bytes = hearth_arena_alloc(arena, 1000, 1);
        assert_true(is_zero(bytes, 1000));
        memset(bytes, 0xff, 1000);
        hearth_arena_reset(arena);
        assert_int_equal(arena->used_bytes, 0);
    }
    assert_int_equal(hearth_alloc_count(), before);
    hearth_arena_finish(&arenas[0]);
    hearth_arena_finish(&arenas[1]);
}

static void out_of_memory_is_told_and_changes_nothing(void **state)
{
    (void)state;
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_slab slab;
        hearth_slab_init(&slab, 64, 2);
        void *one = hearth_slab_take(&slab);
        void *two = hearth_slab_take(&slab);
        assert_int_equal(slab.out, (one != NULL) + (two != NULL));
        assert_true(hearth_alloc_has_failed() == (one == NULL || two == NULL));
        hearth_slab_give(&slab, one);
        hearth_slab_give(&slab, two);
        hearth_slab_finish(&slab);
    }
}

KIT_MAIN(cmocka_unit_test(what_was_given_back_is_reused_and_wiped),
         cmocka_unit_test(no_more_are_kept_than_asked),
         cmocka_unit_test(steady_use_allocates_nothing),
         cmocka_unit_test(an_arena_that_comes_back_is_reset_and_reused),
         cmocka_unit_test(out_of_memory_is_told_and_changes_nothing))
