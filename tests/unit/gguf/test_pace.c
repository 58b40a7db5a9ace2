/* How many threads a graph may have, how many rows of a prompt a step, and whether guesses pay. */

#include "pace.h"

#include "kit.h"

#include <math.h>

#define WALL            GGUF_PACE_NS
#define SEEN(wall, ran) ((struct gguf_seen){.wall_ns = (wall), .ran_ns = (ran)})

static const uint64_t all = WALL;
static const uint64_t half = WALL / 2;
static const uint64_t most = WALL / 100 * 90; /* neither short nor calm */

static void measure(struct gguf_pace *pace, uint64_t ran_ns, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        assert_true(gguf_pace_measure(pace, pace->allowed, &SEEN(WALL, ran_ns)));
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
    assert_true(gguf_pace_measure(&pace, 2, &SEEN(WALL, half)));
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
    assert_false(gguf_pace_measure(&pace, 4, &SEEN(WALL - 1, 0)));
    assert_int_equal(pace.allowed, 4);
}

static void three_quarters_of_the_time_are_enough(void **state)
{
    (void)state;
    assert_true(gguf_pace_is_short(&SEEN(1000, 749)));
    assert_false(gguf_pace_is_short(&SEEN(1000, 750)));
    assert_false(gguf_pace_is_short(&SEEN(UINT64_MAX, UINT64_MAX)));
}

static struct gguf_seen seen_with(uint64_t ran_ns, unsigned crowded, unsigned spare)
{
    return (struct gguf_seen){WALL, ran_ns, {.count = 12, .crowded = crowded, .spare = spare}};
}

static void what_no_neighbour_took_is_not_given_back(void **state)
{
    (void)state;
    struct gguf_pace pace;
    struct gguf_seen stolen = seen_with(half, 8, 0); /* by the host of a virtual machine */
    struct gguf_seen crowded = seen_with(half, 9, 0);
    gguf_pace_begin(&pace, 4);
    assert_true(gguf_pace_measure(&pace, 4, &stolen));
    assert_int_equal(pace.allowed, 4);
    assert_true(gguf_pace_measure(&pace, 4, &crowded));
    assert_int_equal(pace.allowed, 2);
}

static void one_comes_back_only_to_a_core_that_is_free(void **state)
{
    (void)state;
    struct gguf_pace pace;
    struct gguf_seen full = seen_with(all, 0, 5);
    struct gguf_seen spare = seen_with(half, 0, 6); /* whatever the host takes */
    gguf_pace_begin(&pace, 4);
    gguf_pace_shed(&pace, 4);
    for (unsigned i = 0; i < 2 * GGUF_CALM_PACES; i++) {
        assert_true(gguf_pace_measure(&pace, 2, &full));
    }
    assert_int_equal(pace.allowed, 2);
    for (unsigned i = 0; i < GGUF_CALM_PACES; i++) {
        assert_true(gguf_pace_measure(&pace, 2, &spare));
    }
    assert_int_equal(pace.allowed, 3);
}

/* ---- rows of a prompt ------------------------------------------------------------------------ */

#define MS 1000000u

/* The steps of a machine where the weights take 20 ms and a row 1 ms. */
static void steps(struct gguf_tempo *tempo, uint32_t streams, uint32_t prompt_rows, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        gguf_tempo_measure(tempo, (20 + streams + prompt_rows) * (uint64_t)MS, streams,
                           prompt_rows);
    }
}

static struct gguf_tempo tempo_of(double fixed_ms, double row_ms)
{
    return (struct gguf_tempo){.fixed_ns = fixed_ms * MS, .row_ns = row_ms * MS};
}

static void measured_rows_fill_the_time_between_tokens_and_no_more(void **state)
{
    (void)state;
    struct gguf_tempo tempo = tempo_of(20, 1);
    /* 90 of 100 ms are aimed at: 20 go by anyway, 4 to the streams, 66 to rows of 1 ms; 4 + 64 are
     * groups of 4 */
    assert_int_equal(gguf_tempo_chunk(&tempo, 100 * MS, 4, 512), 64);
    assert_int_equal(gguf_tempo_chunk(&tempo, 100 * MS, 1, 512), 67);
    assert_int_equal(gguf_tempo_chunk(&tempo, 100 * MS, 4, 40), 40);
    assert_int_equal(gguf_tempo_chunk(&tempo, 1000 * MS, 4, 512), 512);
}

static void one_lone_prompt_is_enough_to_begin_with(void **state)
{
    (void)state;
    struct gguf_tempo tempo = {0};
    gguf_tempo_measure(&tempo, 170 * MS, 0, 150);
    assert_in_range(gguf_tempo_chunk(&tempo, 100 * MS, 1, 512), 60, 80);
}

/* What the steps of a machine teach, whatever was believed before. */
static void fixed_time_and_time_of_a_row_are_told_apart(void **state)
{
    (void)state;
    struct gguf_tempo tempo = {0};
    gguf_tempo_measure(&tempo, 170 * MS, 0, 150);
    for (int i = 0; i < 100; i++) {
        steps(&tempo, 4, 0, 1);
        steps(&tempo, 4, 60, 1);
    }
    assert_float_equal(tempo.fixed_ns, 20.0 * MS, 0.5 * MS);
    assert_float_equal(tempo.row_ns, 1.0 * MS, 0.05 * MS);
}

static void steps_that_are_all_alike_do_not_make_rows_dear(void **state)
{
    (void)state;
    struct gguf_tempo tempo = tempo_of(20, 1);
    steps(&tempo, 2, 58, 1000);
    assert_float_equal(tempo.row_ns, 1.0 * MS, 0.01 * MS);
}

static void a_machine_that_slows_down_is_followed(void **state)
{
    (void)state;
    struct gguf_tempo tempo = tempo_of(20, 1);
    for (unsigned i = 0; i < 20; i++) { /* half as fast, with whatever is asked for */
        uint32_t rows = gguf_tempo_chunk(&tempo, 200 * MS, 4, 512);
        gguf_tempo_measure(&tempo, 2 * (24 + rows) * (uint64_t)MS, 4, rows);
    }
    uint32_t rows = gguf_tempo_chunk(&tempo, 200 * MS, 4, 512);
    assert_in_range(2 * (24 + rows), 168, 184); /* 90 of 100 are aimed at, in groups of 4 rows */
}

static void prompts_have_as_much_time_as_streams_that_are_too_slow(void **state)
{
    (void)state;
    struct gguf_tempo tempo = tempo_of(20, 1);
    assert_int_equal(gguf_tempo_chunk(&tempo, 100 * MS, 60, 512), 80); /* 80 ms go to streams */
    assert_int_equal(gguf_tempo_chunk(&tempo, 10 * MS, 4, 512), 24);
    assert_int_equal(gguf_tempo_chunk(&tempo, 100 * MS, 60, 3), 3);
}

static void a_prompt_goes_on_however_slow_its_rows_are(void **state)
{
    (void)state;
    struct gguf_tempo tempo = tempo_of(1, 500);
    assert_int_equal(gguf_tempo_chunk(&tempo, 100 * MS, 1, 512), GGUF_LEAST_CHUNK);
}

static void no_time_teaches_nonsense(void **state)
{
    (void)state;
    static const uint64_t times[] = {0, UINT64_MAX, 1, UINT64_MAX, 0, 0, UINT64_MAX};
    struct gguf_tempo tempo = {0};
    for (size_t i = 0; i < HEARTH_COUNT(times); i++) {
        gguf_tempo_measure(&tempo, times[i], 1, (uint32_t)i);
        assert_true(tempo.fixed_ns > 0 && tempo.row_ns > 0 && isfinite(tempo.row_ns));
        assert_in_range(gguf_tempo_chunk(&tempo, 100 * MS, 1, 512), GGUF_LEAST_CHUNK, 512);
    }
}

static void before_anything_was_measured_a_small_chunk_is_tried(void **state)
{
    (void)state;
    struct gguf_tempo tempo = {0};
    assert_int_equal(gguf_tempo_chunk(&tempo, 100 * MS, 4, 512), GGUF_FIRST_CHUNK);
}

static void slowness_is_believed_sooner_than_speed(void **state)
{
    (void)state;
    struct gguf_tempo tempo = {.base_ns = 16 * MS};
    gguf_tempo_measure(&tempo, 32 * MS, 1, 0);
    assert_int_equal(tempo.base_ns, 24 * MS);
    tempo.base_ns = 16 * MS;
    gguf_tempo_measure(&tempo, 8 * MS, 1, 0);
    assert_int_equal(tempo.base_ns, 15 * MS);
}

/* ---- guesses --------------------------------------------------------------------------------- */

static void right_guesses_are_made_again_and_wrong_ones_rest(void **state)
{
    (void)state;
    const struct gguf_tempo tempo = {.base_ns = 10 * MS, .guess_ns = 2 * MS};
    struct gguf_luck luck;
    gguf_luck_begin(&luck);
    gguf_luck_measure(&luck, &tempo, 7, 7);
    assert_int_equal(gguf_luck_rows(&luck, &tempo, 7), 7);
    for (int i = 0; i < 8; i++) {
        gguf_luck_measure(&luck, &tempo, 7, 0);
    }
    for (uint32_t i = 1; i < GGUF_LUCK_REST; i++) {
        assert_int_equal(gguf_luck_rows(&luck, &tempo, 7), 0);
    }
    assert_int_equal(gguf_luck_rows(&luck, &tempo, 7), GGUF_LUCK_PROBE); /* tried again */
}

static void guesses_that_cost_more_than_they_save_rest_though_they_are_right(void **state)
{
    (void)state;
    const struct gguf_tempo tempo = {.base_ns = 10 * MS, .guess_ns = 11 * MS};
    struct gguf_luck luck;
    gguf_luck_begin(&luck);
    gguf_luck_measure(&luck, &tempo, 7, 7);
    assert_int_equal(gguf_luck_rows(&luck, &tempo, 7), 0);
}

static void nothing_is_guessed_before_a_step_was_measured(void **state)
{
    (void)state;
    const struct gguf_tempo unknown = {0};
    struct gguf_luck luck;
    gguf_luck_begin(&luck);
    assert_int_equal(gguf_luck_rows(&luck, &unknown, 7), 0);
}

KIT_MAIN(cmocka_unit_test(all_threads_are_allowed_while_cores_are_free),
         cmocka_unit_test(each_short_measurement_halves_them_down_to_one),
         cmocka_unit_test(what_counts_is_the_threads_in_force),
         cmocka_unit_test(one_comes_back_after_a_calm_while),
         cmocka_unit_test(only_a_short_measurement_ends_a_calm_while),
         cmocka_unit_test(a_moment_is_no_measurement),
         cmocka_unit_test(three_quarters_of_the_time_are_enough),
         cmocka_unit_test(what_no_neighbour_took_is_not_given_back),
         cmocka_unit_test(one_comes_back_only_to_a_core_that_is_free),
         cmocka_unit_test(measured_rows_fill_the_time_between_tokens_and_no_more),
         cmocka_unit_test(prompts_have_as_much_time_as_streams_that_are_too_slow),
         cmocka_unit_test(a_prompt_goes_on_however_slow_its_rows_are),
         cmocka_unit_test(before_anything_was_measured_a_small_chunk_is_tried),
         cmocka_unit_test(one_lone_prompt_is_enough_to_begin_with),
         cmocka_unit_test(fixed_time_and_time_of_a_row_are_told_apart),
         cmocka_unit_test(no_time_teaches_nonsense),
         cmocka_unit_test(steps_that_are_all_alike_do_not_make_rows_dear),
         cmocka_unit_test(a_machine_that_slows_down_is_followed),
         cmocka_unit_test(slowness_is_believed_sooner_than_speed),
         cmocka_unit_test(right_guesses_are_made_again_and_wrong_ones_rest),
         cmocka_unit_test(guesses_that_cost_more_than_they_save_rest_though_they_are_right),
         cmocka_unit_test(nothing_is_guessed_before_a_step_was_measured))
