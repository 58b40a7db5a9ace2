/* Log-probabilities of a row, against sums in long double. */

#include "hearth_answer.h"

#include "kit.h"

#include <math.h>
#include <stdlib.h>

#define COUNT 3000u

static float row[COUNT];

static long double exact_log_sum(size_t count)
{
    long double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += expl((long double)row[i]);
    }
    return logl(sum);
}

static int by_logit(const void *a, const void *b)
{
    const struct hearth_likely *x = a;
    const struct hearth_likely *y = b;
    if (x->logprob > y->logprob || x->logprob < y->logprob) {
        return x->logprob > y->logprob ? -1 : 1;
    }
    return x->id < y->id ? -1 : 1;
}

static void equals_sorting(struct kit_random *random, void *context)
{
    static struct hearth_likely all[COUNT];
    struct hearth_likely room[HEARTH_LIKELY_MOST];
    (void)context;
    size_t count = 1 + (size_t)kit_random_below(random, COUNT);
    uint64_t kinds = 1 + kit_random_below(random, 1000); /* few: many are equal */
    for (size_t i = 0; i < count; i++) {
        row[i] = (float)kit_random_below(random, kinds) / 37.0f - 10.0f;
        all[i] = (struct hearth_likely){.id = (int32_t)i, .logprob = row[i]};
    }
    double log_sum = hearth_log_sum_exp(row, count);
    assert_true(fabsl((long double)log_sum - exact_log_sum(count)) < 2e-6L);
    qsort(all, count, sizeof *all, by_logit);
    size_t most = (size_t)kit_random_below(random, HEARTH_LIKELY_MOST + 1);
    size_t found = hearth_likeliest(row, count, log_sum, room, most);
    assert_int_equal(found, HEARTH_MIN(most, count));
    for (size_t i = 0; i < found; i++) {
        assert_int_equal(room[i].id, all[i].id);
        assert_true(fabs((double)room[i].logprob - ((double)all[i].logprob - log_sum)) < 1e-5);
    }
}

static void it_equals_sorting_the_whole_row(void **state)
{
    (void)state;
    kit_property(300, equals_sorting, NULL);
}

static void huge_logits_do_not_overflow_and_impossible_tokens_count_nothing(void **state)
{
    (void)state;
    row[0] = 3e4f;
    row[1] = 3e4f;
    row[2] = -INFINITY;
    row[3] = -3e38f;
    double log_sum = hearth_log_sum_exp(row, 4);
    assert_true(fabs(log_sum - (3e4 + log(2))) < 1e-9);
    struct hearth_likely room[HEARTH_LIKELY_MOST];
    assert_int_equal(hearth_likeliest(row, 4, log_sum, room, HEARTH_LIKELY_MOST), 4);
    assert_int_equal(room[3].id, 2);
    assert_true(isinf(room[3].logprob));
}

KIT_MAIN(cmocka_unit_test(it_equals_sorting_the_whole_row),
         cmocka_unit_test(huge_logits_do_not_overflow_and_impossible_tokens_count_nothing))
