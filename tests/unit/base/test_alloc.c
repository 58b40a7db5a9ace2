#include "kit.h"

static void block_is_zeroed_and_counted_until_freed(void **state)
{
    (void)state;
    int64_t live = hearth_alloc_live();
    uint64_t count = hearth_alloc_count();
    uint8_t *block = hearth_alloc(33, 3);
    assert_non_null(block);
    for (size_t i = 0; i < 99; i++) {
        assert_int_equal(block[i], 0);
    }
    assert_int_equal(hearth_alloc_live(), live + 1);
    assert_int_equal(hearth_alloc_count(), count + 1);
    hearth_free(block);
    assert_int_equal(hearth_alloc_live(), live);
}

static void overflowing_product_is_refused(void **state)
{
    (void)state;
    size_t half = SIZE_MAX / 2 + 1;
    assert_null(hearth_alloc(half, 2));
    char *block = hearth_alloc(1, 8);
    assert_non_null(block);
    assert_null(hearth_realloc(block, half, 2));
    block[7] = 'x'; /* still ours */
    hearth_free(block);
    assert_null(hearth_copy_string("", SIZE_MAX));
}

static void zero_bytes_still_give_a_block(void **state)
{
    (void)state;
    void *block = hearth_alloc(0, 0);
    assert_non_null(block);
    block = hearth_realloc(block, 0, 0);
    assert_non_null(block);
    hearth_free(block);
    hearth_free(NULL);
}

static void realloc_keeps_the_bytes(void **state)
{
    (void)state;
    char *text = hearth_copy_string("hearth and more", 6);
    assert_string_equal(text, "hearth");
    text = hearth_realloc(text, 4096, 1);
    assert_string_equal(text, "hearth");
    hearth_free(text);
}

static void exactly_the_nth_allocation_fails(void **state)
{
    (void)state;
    hearth_alloc_fail_at(3);
    void *first = hearth_alloc(1, 1);
    void *second = hearth_realloc(NULL, 1, 1);
    assert_false(hearth_alloc_has_failed());
    assert_null(hearth_alloc(1, 1));
    assert_true(hearth_alloc_has_failed());
    void *fourth = hearth_alloc(1, 1);
    assert_non_null(first);
    assert_non_null(second);
    assert_non_null(fourth);
    hearth_free(first);
    hearth_free(second);
    hearth_free(fourth);
    hearth_alloc_fail_at(0);
    assert_false(hearth_alloc_has_failed());
}

static void failure_loop_visits_each_allocation_once(void **state)
{
    (void)state;
    unsigned runs = 0;
    unsigned failures = 0;
    KIT_FOR_EACH_FAILURE(n) {
        void *a = hearth_alloc(1, 1);
        void *b = a != NULL ? hearth_alloc(1, 1) : NULL;
        failures += hearth_alloc_has_failed();
        runs++;
        hearth_free(a);
        hearth_free(b);
    }
    assert_int_equal(runs, 3);
    assert_int_equal(failures, 2);
}

static void wiped_bytes_are_zero(void **state)
{
    (void)state;
    char secret[] = "secret";
    hearth_wipe(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++) {
        assert_int_equal(secret[i], 0);
    }
    hearth_wipe(NULL, 0);
}

KIT_MAIN(cmocka_unit_test(block_is_zeroed_and_counted_until_freed),
         cmocka_unit_test(overflowing_product_is_refused),
         cmocka_unit_test(zero_bytes_still_give_a_block), cmocka_unit_test(realloc_keeps_the_bytes),
         cmocka_unit_test(exactly_the_nth_allocation_fails),
         cmocka_unit_test(failure_loop_visits_each_allocation_once),
         cmocka_unit_test(wiped_bytes_are_zero))
