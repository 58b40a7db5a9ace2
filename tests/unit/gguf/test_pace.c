/* How many threads a graph may have, how many rows of a prompt a step, and whether guesses pay. */

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

/* ---- rows of a prompt ------------------------------------------------------------------------ */

#define MS 1000000u

static void measured_rows_fill_the_time_between_tokens_and_no_more(void **state)
{
    (void)state;
    struct gguf_tempo tempo = {.base_ns = 20 * MS, .row_ns = MS};
    /* 85 of 100 ms are aimed at: 20 go to the streams, 65 to rows of 1 ms */
    assert_int_equal(gguf_tempo_chunk(&tempo, 100 * MS, 512), 65);
    assert_int_equal(gguf_tempo_chunk(&tempo, 100 * MS, 40), 40);
    assert_int_equal(gguf_tempo_chunk(&tempo, 1000 * MS, 512), 512);
}

static void a_prompt_goes_on_even_if_the_streams_alone_are_too_slow(void **state)
{
    (void)state;
    struct gguf_tempo tempo = {.base_ns = 500 * MS, .row_ns = 10 * MS};
    assert_int_equal(gguf_tempo_chunk(&tempo, 100 * MS, 512), GGUF_LEAST_CHUNK);
    assert_int_equal(gguf_tempo_chunk(&tempo, 100 * MS, 3), 3);
}

static void before_anything_was_measured_a_small_chunk_is_tried(void **state)
{
    (void)state;
    struct gguf_tempo tempo = {0};
    assert_int_equal(gguf_tempo_chunk(&tempo, 100 * MS, 512), GGUF_FIRST_CHUNK);
}

static void a_row_costs_what_a_step_takes_beyond_its_streams(void **state)
{
    (void)state;
    struct gguf_tempo tempo = {0};
    gguf_tempo_measure(&tempo, 10 * MS, 4, 0);
    assert_int_equal(tempo.base_ns, 10 * MS);
    gguf_tempo_measure(&tempo, 110 * MS, 4, 50);
    assert_int_equal(tempo.row_ns, 2 * MS);
    struct gguf_tempo alone = {.base_ns = 10 * MS};
    gguf_tempo_measure(&alone, 512 * MS, 0, 512); /* nobody streams: all of it is the prompt's */
    assert_int_equal(alone.row_ns, MS);
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

static void a_few_rows_at_a_prompt_s_end_are_no_measurement(void **state)
{
    (void)state;
    struct gguf_tempo tempo = {.base_ns = 10 * MS, .row_ns = MS};
    gguf_tempo_measure(&tempo, 100 * MS, 1, GGUF_LEAST_CHUNK - 1);
    assert_int_equal(tempo.row_ns, MS);
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
         cmocka_unit_test(measured_rows_fill_the_time_between_tokens_and_no_more),
         cmocka_unit_test(a_prompt_goes_on_even_if_the_streams_alone_are_too_slow),
         cmocka_unit_test(before_anything_was_measured_a_small_chunk_is_tried),
         cmocka_unit_test(a_row_costs_what_a_step_takes_beyond_its_streams),
         cmocka_unit_test(slowness_is_believed_sooner_than_speed),
         cmocka_unit_test(a_few_rows_at_a_prompt_s_end_are_no_measurement),
         cmocka_unit_test(right_guesses_are_made_again_and_wrong_ones_rest),
         cmocka_unit_test(guesses_that_cost_more_than_they_save_rest_though_they_are_right),
         cmocka_unit_test(nothing_is_guessed_before_a_step_was_measured))
