/* test_pooling.c — the arithmetic behind embeddings and probabilities, against sums done by hand.
 */

#include "kit.h"

#include "pooling.h"

#include <math.h>
#include <string.h>

static const float rows[3 * 2] = {1, -4, 2, 0, 6, 1};

static void mean_is_the_average_of_each_column(void **state)
{
    (void)state;
    float out[2];
    pooling_fold(HEARTH_POOLING_MEAN, rows, 3, 2, out);
    assert_float_equal(out[0], 3.0f, 1e-6);
    assert_float_equal(out[1], -1.0f, 1e-6);
}

static void cls_and_last_take_one_row(void **state)
{
    (void)state;
    float out[2];
    pooling_fold(HEARTH_POOLING_CLS, rows, 3, 2, out);
    assert_float_equal(out[1], -4.0f, 0);
    pooling_fold(HEARTH_POOLING_LAST, rows, 3, 2, out);
    assert_float_equal(out[0], 6.0f, 0);
}

static void max_takes_the_largest_of_each_column(void **state)
{
    (void)state;
    float out[2];
    pooling_fold(HEARTH_POOLING_MAX, rows, 3, 2, out);
    assert_float_equal(out[0], 6.0f, 0);
    assert_float_equal(out[1], 1.0f, 0);
}

static void softmax_sums_to_one_and_survives_large_logits(void **state)
{
    (void)state;
    float logits[3] = {1000, 999, -1000};
    pooling_softmax(logits, 3);
    assert_float_equal(logits[0] + logits[1] + logits[2], 1.0f, 1e-6);
    assert_float_equal(logits[0] / logits[1], 2.7182818f, 1e-4); /* e^(1000 - 999) */
    assert_float_equal(logits[2], 0.0f, 0);
}

static void nan_and_infinity_are_found(void **state)
{
    (void)state;
    float values[3] = {1, 2, 3};
    assert_true(pooling_is_finite(values, 3));
    values[2] = INFINITY;
    assert_false(pooling_is_finite(values, 3));
    values[2] = NAN;
    assert_false(pooling_is_finite(values, 3));
}

static void sigmoid_takes_each_logit_alone_and_survives_large_ones(void **state)
{
    (void)state;
    float logits[4] = {0, 2, -800, 800};
    pooling_sigmoid(logits, 4);
    assert_float_equal(logits[0], 0.5f, 0);
    assert_float_equal(logits[1], 0.88079708f, 1e-7); /* 1 / (1 + e^-2) */
    assert_float_equal(logits[2], 0.0f, 0);
    assert_float_equal(logits[3], 1.0f, 0);
}

KIT_MAIN(cmocka_unit_test(mean_is_the_average_of_each_column),
         cmocka_unit_test(cls_and_last_take_one_row),
         cmocka_unit_test(max_takes_the_largest_of_each_column),
         cmocka_unit_test(softmax_sums_to_one_and_survives_large_logits),
         cmocka_unit_test(sigmoid_takes_each_logit_alone_and_survives_large_ones),
         cmocka_unit_test(nan_and_infinity_are_found))
