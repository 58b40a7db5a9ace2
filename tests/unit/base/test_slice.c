#include "kit.h"

static void equal_compares_bytes_and_length(void **state)
{
    (void)state;
    assert_true(hearth_slice_equal(hearth_slice_of(NULL, 0), hearth_slice_of("", 0)));
    assert_true(hearth_slice_equals_string(hearth_slice_of("abcd", 3), "abc"));
    assert_false(hearth_slice_equals_string(hearth_slice_of("abcd", 4), "abc"));
    assert_false(hearth_slice_equal(hearth_slice_of("a\0b", 3), hearth_slice_of("a\0c", 3)));
    assert_int_equal(hearth_slice_of_string(NULL).size, 0);
}

static void string_needs_room_for_its_terminator(void **state)
{
    (void)state;
    char room[4];
    assert_true(hearth_slice_to_string(hearth_slice_of("abc", 3), room, sizeof room));
    assert_string_equal(room, "abc");
    assert_false(hearth_slice_to_string(hearth_slice_of("abcd", 4), room, sizeof room));
    assert_string_equal(room, "");
}

static void string_refuses_a_nul_inside(void **state)
{
    (void)state;
    char room[8];
    assert_false(hearth_slice_to_string(hearth_slice_of("a\0b", 3), room, sizeof room));
    assert_string_equal(room, "");
    assert_true(hearth_slice_to_string(hearth_slice_of(NULL, 0), room, sizeof room));
}

KIT_MAIN(cmocka_unit_test(equal_compares_bytes_and_length),
         cmocka_unit_test(string_needs_room_for_its_terminator),
         cmocka_unit_test(string_refuses_a_nul_inside))
