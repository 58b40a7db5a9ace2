/* test_vector.c — halves against Python's struct, bytes against numpy (make_vector_tables.py). */

#include "kit.h"

#include "vector.h"

#include <math.h>
#include <string.h>

#include "vector_tables.inc"

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void a_half_is_the_one_that_struct_packs(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(halves); i++) {
        uint16_t half = hearth_half_of(float_of(halves[i][0]));
        if (half != halves[i][1]) {
            fail_msg("float 0x%08x became 0x%04x, wanted 0x%04x", halves[i][0], half, halves[i][1]);
        }
    }
}

static void every_half_comes_back_and_ties_between_neighbours_go_to_even(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 0x7c00; half++) {
        float low = hearth_half_value((uint16_t)half);
        float high = half == 0x7bff ? 65536.0f : hearth_half_value((uint16_t)(half + 1));
        float middle = (low + high) / 2; /* exact: a float has room for it */
        assert_int_equal(hearth_half_of(low), half);
        assert_int_equal(hearth_half_of(-low), half | 0x8000);
        assert_int_equal(hearth_half_of(middle), half + (half & 1u));
        assert_int_equal(hearth_half_of(nextafterf(middle, 0)), half);
        assert_int_equal(hearth_half_of(nextafterf(middle, INFINITY)), half + 1);
    }
}

static void what_is_no_number_stays_none(void **state)
{
    (void)state;
    assert_true(isnan(hearth_half_value(hearth_half_of(NAN))));
    assert_true(isnan(hearth_half_value(hearth_half_of(float_of(0x7f800001)))));
    assert_true(hearth_half_value(hearth_half_of(-INFINITY)) == -INFINITY);
}

static void bytes_and_scale_are_those_of_numpy_in_place_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(spread); i++) {
        float values[24];
        uint8_t bytes[24];
        memcpy(values, spread[i], sizeof values);
        float scale = hearth_vector_to_int8(values, 24, bytes);
        assert_memory_equal(&scale, &spread[i][24], sizeof scale);
        assert_memory_equal(bytes, steps[i], sizeof bytes);
        (void)hearth_vector_to_int8(values, 24, (uint8_t *)values);
        assert_memory_equal(values, steps[i], sizeof bytes);
    }
}

static void zeros_have_no_scale(void **state)
{
    (void)state;
    const float zeros[3] = {0, -0.0f, 0};
    const float smallest[2] = {0x1p-149f, -0x1p-149f};
    uint8_t bytes[3] = {9, 9, 9};
    assert_float_equal(hearth_vector_to_int8(zeros, 3, bytes), 0.0f, 0);
    assert_memory_equal(bytes, "\0\0\0", 3);
    assert_float_equal(hearth_vector_to_int8(smallest, 2, bytes), 0.0f, 0);
    assert_memory_equal(bytes, "\0\0", 2);
}

static struct hearth_vector_form form_of(uint32_t dimensions, uint8_t normalize, uint8_t type)
{
    const struct hearth_wire_inference_request request = {
        .dimensions = dimensions, .normalize = normalize, .vector_type = type};
    struct hearth_vector_form form;
    assert_int_equal(hearth_vector_form(&request, 4, true, &form, NULL), 0);
    return form;
}

static void a_cut_vector_is_brought_to_length_one_again(void **state)
{
    (void)state;
    float vector[4] = {3, 4, 100, 100};
    struct hearth_item_result result = {0};
    struct hearth_vector_form form = form_of(2, 0, HEARTH_VECTOR_FLOAT32);
    assert_int_equal(hearth_vector_finish(&form, vector, &result, NULL), 0);
    assert_int_equal(result.dimensions, 2);
    assert_float_equal(result.vector[0], 0.6f, 1e-7);
    assert_float_equal(result.vector[1], 0.8f, 1e-7);
}

static void a_request_overrides_whether_it_is_normalised(void **state)
{
    (void)state;
    assert_true(form_of(0, 0, 0).is_normalised);
    assert_true(form_of(0, 1, 0).is_normalised);
    assert_false(form_of(0, 2, 0).is_normalised);
    float vector[4] = {3, 4, 0, 0};
    struct hearth_item_result result = {0};
    struct hearth_vector_form form = form_of(0, 2, HEARTH_VECTOR_INT8);
    assert_int_equal(hearth_vector_finish(&form, vector, &result, NULL), 0);
    assert_float_equal(result.scale, 4.0f / 127.0f, 1e-9);
    assert_int_equal(result.packed_bytes, 4);
    assert_memory_equal(result.packed, "\x5f\x7f\0\0", 4); /* 3 * 127 / 4 = 95.25 */
    assert_null(result.vector);
}

static void more_dimensions_than_there_are_are_refused_with_both_numbers(void **state)
{
    (void)state;
    const struct hearth_wire_inference_request request = {.dimensions = 5};
    struct hearth_vector_form form;
    struct hearth_error err = {0};
    assert_int_equal(hearth_vector_form(&request, 4, true, &form, &err), HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "5 asked for, the model has 4");
}

static void a_value_that_float16_cannot_hold_is_refused(void **state)
{
    (void)state;
    float vector[4] = {1, 65519, 65519, 65519};
    struct hearth_item_result result = {0};
    struct hearth_error err = {0};
    struct hearth_vector_form form = form_of(0, 2, HEARTH_VECTOR_FLOAT16);
    assert_int_equal(hearth_vector_finish(&form, vector, &result, &err), 0);
    assert_memory_equal(result.packed, "\x00\x3c\xff\x7b\xff\x7b\xff\x7b", 8);
    float larger[4] = {1, 2, -65520, 3};
    assert_int_equal(hearth_vector_finish(&form, larger, &result, &err), HEARTH_E_UNSUPPORTED);
    KIT_ASSERT_ERROR(err, HEARTH_E_UNSUPPORTED, "ask for float32");
}

KIT_MAIN(cmocka_unit_test(a_half_is_the_one_that_struct_packs),
         cmocka_unit_test(every_half_comes_back_and_ties_between_neighbours_go_to_even),
         cmocka_unit_test(what_is_no_number_stays_none),
         cmocka_unit_test(bytes_and_scale_are_those_of_numpy_in_place_too),
         cmocka_unit_test(zeros_have_no_scale),
         cmocka_unit_test(a_cut_vector_is_brought_to_length_one_again),
         cmocka_unit_test(a_request_overrides_whether_it_is_normalised),
         cmocka_unit_test(more_dimensions_than_there_are_are_refused_with_both_numbers),
         cmocka_unit_test(a_value_that_float16_cannot_hold_is_refused))
