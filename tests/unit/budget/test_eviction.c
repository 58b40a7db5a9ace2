#include "kit.h"

#include "hearth_budget.h"

/* Four models of 10, 20, 30 and 40 bytes in a budget of 110: 10 are free. */
struct world {
    struct hearth_budget budget;
    struct hearth_hold holds[4];
    struct hearth_evictable list[4];
    struct hearth_eviction_plan plan;
};

static struct hearth_need of(uint64_t bytes)
{
    return (struct hearth_need){.parts = {[HEARTH_MEMORY_COMPUTE] = bytes}};
}

static int setup(void **state)
{
    static struct world world;
    static const char *const names[] = {"ten", "twenty", "thirty", "forty"};
    world = (struct world){0};
    hearth_budget_init(&world.budget, 110);
    for (uint32_t i = 0; i < 4; i++) {
        struct hearth_need need = of(10 * (i + 1));
        if (hearth_budget_reserve(&world.budget, &world.holds[i], names[i], &need, NULL) < 0) {
            return -1;
        }
        world.list[i] = (struct hearth_evictable){
            .hold = &world.holds[i], .idle_ms = 10000, .reload_ms = 1000, .worth = 1};
    }
    *state = &world;
    return 0;
}

static void plan(struct world *w, uint64_t bytes)
{
    struct hearth_need need = of(bytes);
    hearth_eviction_plan(&w->budget, w->list, 4, &need, &w->plan);
}

static void expect(const struct world *w, uint32_t count, uint32_t first, uint32_t second)
{
    assert_true(w->plan.is_enough);
    assert_int_equal(w->plan.count, count);
    assert_true(count < 1 || w->plan.order[0] == first);
    assert_true(count < 2 || w->plan.order[1] == second);
}

static void who_fits_needs_nobody_to_leave(void **state)
{
    struct world *w = *state;
    plan(w, 10);
    expect(w, 0, 0, 0);
    assert_int_equal(w->plan.freed_bytes, 0);
}

static void the_longest_idle_leaves_first(void **state)
{
    struct world *w = *state;
    w->list[2].idle_ms = 50000;
    plan(w, 11);
    expect(w, 1, 2, 0);
    assert_int_equal(w->plan.freed_bytes, 30);
}

static void who_is_dear_to_load_stays_for_longer(void **state)
{
    struct world *w = *state;
    w->list[3].idle_ms = 90000;
    w->list[3].reload_ms = 10000; /* 9 times its load; the others 10 times */
    w->list[2].idle_ms = 10010;
    plan(w, 11);
    expect(w, 1, 2, 0);
    w->list[3].idle_ms = 100200; /* 10.02 times */
    plan(w, 11);
    expect(w, 1, 3, 0);
}

static void a_lower_class_leaves_before_a_longer_idle_one(void **state)
{
    struct world *w = *state;
    w->list[3].idle_ms = UINT64_MAX;
    w->list[1].worth = 0;
    w->list[1].idle_ms = 0;
    plan(w, 11);
    expect(w, 1, 1, 0);
    plan(w, 31);
    expect(w, 1, 3, 0); /* then the lower class need not leave: the other frees enough alone */
    plan(w, 61);
    expect(w, 2, 1, 3);
}

static void neither_a_busy_nor_a_pinned_model_leaves(void **state)
{
    struct world *w = *state;
    w->list[3].open_requests = 1;
    w->list[2].is_pinned = true;
    plan(w, 40);
    expect(w, 2, 0, 1);
    plan(w, 41);
    assert_false(w->plan.is_enough);
    assert_int_equal(w->plan.count, 0);
    assert_int_equal(w->plan.freed_bytes, 0);
    assert_int_equal(w->plan.missing_bytes, 1);
    assert_int_equal(w->plan.busy, 1);
    assert_int_equal(w->plan.pinned, 1);
}

static void what_is_larger_than_all_memory_evicts_nobody(void **state)
{
    struct world *w = *state;
    plan(w, 111);
    assert_false(w->plan.is_enough);
    assert_int_equal(w->plan.count, 0);
    assert_int_equal(w->plan.missing_bytes, 1);
    plan(w, 110);
    expect(w, 4, 0, 1);
    plan(w, UINT64_MAX);
    assert_false(w->plan.is_enough);
}

static void nobody_leaves_without_need(void **state)
{
    struct world *w = *state;
    w->list[0].idle_ms = 40000; /* ten first, then forty: which is enough without ten */
    w->list[3].idle_ms = 30000;
    plan(w, 50);
    expect(w, 1, 3, 0);
    plan(w, 51);
    expect(w, 2, 0, 3);
}

static void a_file_is_free_when_the_last_that_maps_it_has_left(void **state)
{
    struct world *w = *state;
    struct hearth_need half = {.parts = {[HEARTH_MEMORY_WEIGHTS] = 40}, .file = "f"};
    half.file_bytes = 40;
    for (uint32_t i = 0; i < 4; i++) {
        hearth_budget_release(&w->budget, &w->holds[i]);
    }
    assert_int_equal(hearth_budget_reserve(&w->budget, &w->holds[0], "a", &half, NULL), 0);
    assert_int_equal(hearth_budget_reserve(&w->budget, &w->holds[1], "b", &half, NULL), 0);
    struct hearth_need rest = of(60);
    assert_int_equal(hearth_budget_reserve(&w->budget, &w->holds[2], "c", &rest, NULL), 0);
    w->list[2].is_pinned = true;
    w->plan.count = 0;
    struct hearth_need need = of(50);
    hearth_eviction_plan(&w->budget, w->list, 3, &need, &w->plan);
    expect(w, 2, 0, 1); /* either alone gives nothing back */
    assert_int_equal(w->plan.freed_bytes, 40);

    /* One that maps the same file fits without anybody leaving. */
    struct hearth_need same = half;
    same.parts[HEARTH_MEMORY_CELLS] = 10;
    hearth_eviction_plan(&w->budget, w->list, 3, &same, &w->plan);
    expect(w, 0, 0, 0);
    /* And if they have to leave for its rest, the file is its own to pay for. */
    w->list[2].is_pinned = false;
    w->list[2].worth = 3;
    same.parts[HEARTH_MEMORY_CELLS] = 11;
    hearth_eviction_plan(&w->budget, w->list, 3, &same, &w->plan);
    expect(w, 1, 2, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

KIT_MAIN(TEST(who_fits_needs_nobody_to_leave), TEST(the_longest_idle_leaves_first),
         TEST(who_is_dear_to_load_stays_for_longer),
         TEST(a_lower_class_leaves_before_a_longer_idle_one),
         TEST(neither_a_busy_nor_a_pinned_model_leaves),
         TEST(what_is_larger_than_all_memory_evicts_nobody), TEST(nobody_leaves_without_need),
         TEST(a_file_is_free_when_the_last_that_maps_it_has_left))
