/* How many threads a graph may have when cores are short, and when they are free again. */

#include "pace.h"

#include "kit.h"

#define WALL GGUF_PACE_NS

static const uint64_t all = WALL;
static const uint64_t half = WALL / 2;
static const uint64_t most = WALL / 100 * 90; /* neither short nor calm */

static void measure(struct gguf_pace *pace, uint64_t ran_ns, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        assert_true(gguf_pace_measure(pace, pace->allowed, WALL, ran_ns));
    }
}

static void all_threads_are_allowed_while_cores_are_free(void **state)
{
    (void)state;
    struct gguf_pace pace;
    gguf_pace_begin(&pace, 4);
    measure(&pace, all, 10 * GGUF_CALM_PACES);
    assert_int_equal(pace.allowed, 4);
}

static void each_short_measurement_halves_them_down_to_one(void **state)
{
    (void)state;
    static const unsigned expected[] = {4, 2, 1, 1};
    struct gguf_pace pace;
    gguf_pace_begin(&pace, 9);
    for (size_t i = 0; i < HEARTH_COUNT(expected); i++) {
        measure(&pace, half, 1);
        assert_int_equal(pace.allowed, expected[i]);
    }
}

static void what_counts_is_the_threads_in_force(void **state)
{
    (void)state;
    struct gguf_pace pace;
    gguf_pace_begin(&pace, 8); /* the broker lent two only, and even they were too many */
    assert_true(gguf_pace_measure(&pace, 2, WALL, half));
    assert_int_equal(pace.allowed, 1);
}

static void one_comes_back_after_a_calm_while(void **state)
{
    (void)state;
    struct gguf_pace pace;
    gguf_pace_begin(&pace, 4);
    measure(&pace, half, 2);
    measure(&pace, all, GGUF_CALM_PACES - 1);
    assert_int_equal(pace.allowed, 1);
    measure(&pace, all, 1);
    assert_int_equal(pace.allowed, 2);
    measure(&pace, all, 10 * GGUF_CALM_PACES);
    assert_int_equal(pace.allowed, 4);
}

static void only_a_short_measurement_ends_a_calm_while(void **state)
{
    (void)state;
    struct gguf_pace pace;
    gguf_pace_begin(&pace, 4);
    measure(&pace, half, 2);
    measure(&pace, all, GGUF_CALM_PACES - 1);
    measure(&pace, half, 1);
    measure(&pace, all, GGUF_CALM_PACES - 1);
    measure(&pace, most, 1); /* counts for neither */
    assert_int_equal(pace.allowed, 1);
    measure(&pace, all, 1);
    assert_int_equal(pace.allowed, 2);
}

static void a_moment_is_no_measurement(void **state)
{
    (void)state;
    struct gguf_pace pace;
    gguf_pace_begin(&pace, 4);
    assert_false(gguf_pace_measure(&pace, 4, WALL - 1, 0));
    assert_int_equal(pace.allowed, 4);
}

static void three_quarters_of_the_time_are_enough(void **state)
{
    (void)state;
    assert_true(gguf_pace_is_short(1000, 749));
    assert_false(gguf_pace_is_short(1000, 750));
    assert_false(gguf_pace_is_short(UINT64_MAX, UINT64_MAX));
}

KIT_MAIN(cmocka_unit_test(all_threads_are_allowed_while_cores_are_free),
         cmocka_unit_test(each_short_measurement_halves_them_down_to_one),
         cmocka_unit_test(what_counts_is_the_threads_in_force),
         cmocka_unit_test(one_comes_back_after_a_calm_while),
         cmocka_unit_test(only_a_short_measurement_ends_a_calm_while),
         cmocka_unit_test(a_moment_is_no_measurement),
         cmocka_unit_test(three_quarters_of_the_time_are_enough))
