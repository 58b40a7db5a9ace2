#include "kit.h"

#include "hearth_budget.h"

#include <pthread.h>
#include <string.h>

/* The predecessor's tests of arena and device ledger: the same numbers, on our arena and our
 * ledger. A device is a ledger with its size as limit. */

/* ── The ledger of a device ──────────────────────────────────────────────────────────────────── */

static struct hearth_need need_of(uint64_t bytes)
{
    struct hearth_need need = {.file = NULL};
    need.parts[HEARTH_MEMORY_WEIGHTS] = bytes;
    return need;
}

static void gpu_memory_reserve_tracks_allocation(void **state)
{
    struct hearth_budget device;
    struct hearth_hold hold = {.is_held = false};
    struct hearth_need need = need_of(256);
    (void)state;
    hearth_budget_init(&device, 1024);
    assert_int_equal(hearth_budget_reserve(&device, &hold, "a", &need, NULL), 0);
    assert_int_equal(hearth_budget_free_bytes(&device), 768);
    hearth_budget_release(&device, &hold);
}

static void gpu_memory_reserve_fails_when_exhausted(void **state)
{
    struct hearth_budget device;
    struct hearth_hold hold = {.is_held = false};
    struct hearth_need need = need_of(2048);
    struct hearth_error err = {0};
    (void)state;
    hearth_budget_init(&device, 1024);
    assert_int_equal(hearth_budget_reserve(&device, &hold, "a", &need, &err), HEARTH_E_NO_ROOM);
    assert_true(err.text[0] != '\0');
    assert_int_equal(hearth_budget_free_bytes(&device), 1024);
}

static void gpu_memory_release_frees_allocation(void **state)
{
    struct hearth_budget device;
    struct hearth_hold hold = {.is_held = false};
    struct hearth_need need = need_of(256);
    (void)state;
    hearth_budget_init(&device, 1024);
    assert_int_equal(hearth_budget_reserve(&device, &hold, "a", &need, NULL), 0);
    hearth_budget_release(&device, &hold);
    assert_int_equal(hearth_budget_free_bytes(&device), 1024);
}

/* ── The arena ───────────────────────────────────────────────────────────────────────────────── */

static void arena_alloc_sequential(void **state)
{
    struct hearth_arena arena;
    uint8_t *blocks[10];
    (void)state;
    hearth_arena_init(&arena, 1024);
    for (size_t i = 0; i < HEARTH_COUNT(blocks); i++) {
        blocks[i] = hearth_arena_alloc(&arena, 10, 1);
        assert_non_null(blocks[i]);
        memset(blocks[i], (int)i + 1, 10);
    }
    for (size_t i = 0; i < HEARTH_COUNT(blocks); i++) {
        for (size_t b = 0; b < 10; b++) {
            assert_int_equal(blocks[i][b], i + 1); /* nobody else wrote there */
        }
    }
    hearth_arena_finish(&arena);
}

static void arena_alloc_aligned(void **state)
{
    struct hearth_arena arena;
    (void)state;
    hearth_arena_init(&arena, 4096);
    for (size_t size = 1; size < 40; size++) {
        void *block = hearth_arena_alloc(&arena, size, 1);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 16, 0);
    }
    hearth_arena_finish(&arena);
}

static void arena_exhaustion(void **state)
{
    struct hearth_arena arena;
    (void)state;
    hearth_arena_init(&arena, 128);
    assert_non_null(hearth_arena_alloc(&arena, 100, 1));
    assert_null(hearth_arena_alloc(&arena, 100, 1));
    hearth_arena_finish(&arena);
}

static void arena_reset_allows_reuse(void **state)
{
    struct hearth_arena arena;
    (void)state;
    hearth_arena_init(&arena, 128);
    char *secret = hearth_arena_alloc(&arena, 100, 1);
    assert_non_null(secret);
    memcpy(secret, "secret", 7);
    hearth_arena_reset(&arena);
    char *again = hearth_arena_alloc(&arena, 100, 1);
    assert_non_null(again);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(again[i], 0);
    }
    hearth_arena_finish(&arena);
}

static void arena_slice_typed(void **state)
{
    struct hearth_arena arena;
    (void)state;
    hearth_arena_init(&arena, 1024);
    uint32_t *numbers = hearth_arena_alloc(&arena, 10, sizeof *numbers);
    assert_non_null(numbers);
    for (uint32_t i = 0; i < 10; i++) {
        numbers[i] = i * i;
    }
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(numbers[i], i * i);
    }
    hearth_arena_finish(&arena);
}

/* Ours belong to one thread each: nothing is shared, so nothing has to be locked. */
static void *fill_an_arena(void *ret_is_right)
{
    struct hearth_arena arena;
    bool is_right = true;
    hearth_arena_init(&arena, 1u << 20);
    for (int i = 0; i < 100; i++) {
        is_right = is_right && hearth_arena_alloc(&arena, 64, 1) != NULL;
    }
    hearth_arena_finish(&arena);
    *(bool *)ret_is_right = is_right;
    return NULL;
}

static void arenas_of_four_threads_do_not_meet(void **state)
{
    pthread_t threads[4];
    bool is_right[HEARTH_COUNT(threads)] = {false};
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, fill_an_arena, &is_right[i]), 0);
    }
    for (size_t i = 0; i < HEARTH_COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(is_right[i]);
    }
}

KIT_MAIN(cmocka_unit_test(gpu_memory_reserve_tracks_allocation),
         cmocka_unit_test(gpu_memory_reserve_fails_when_exhausted),
         cmocka_unit_test(gpu_memory_release_frees_allocation),
         cmocka_unit_test(arena_alloc_sequential), cmocka_unit_test(arena_alloc_aligned),
         cmocka_unit_test(arena_exhaustion), cmocka_unit_test(arena_reset_allows_reuse),
         cmocka_unit_test(arena_slice_typed), cmocka_unit_test(arenas_of_four_threads_do_not_meet))
