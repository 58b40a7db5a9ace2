#include "kit.h"

static void bytes_come_back_in_order(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf buf;
    hearth_buf_init(&buf, 1000);
    assert_int_equal(hearth_buf_append(&buf, "abc", 3), 0);
    assert_int_equal(hearth_buf_append(&buf, NULL, 0), 0);
    assert_int_equal(hearth_buf_printf(&buf, "-%d-", 42), 0);
    assert_true(hearth_slice_equals_string(hearth_buf_slice(&buf), "abc-42-"));
    assert_int_equal(buf.data[buf.size], 0);
    hearth_buf_consume(&buf, 4);
    assert_true(hearth_slice_equals_string(hearth_buf_slice(&buf), "42-"));
    hearth_buf_consume(&buf, 3);
    assert_int_equal(buf.size, 0);
}

static void cap_refuses_and_leaves_the_bytes(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf buf;
    hearth_buf_init(&buf, 5);
    assert_int_equal(hearth_buf_append(&buf, "abcd", 4), 0);
    assert_int_equal(hearth_buf_append(&buf, "ef", 2), HEARTH_E_TOO_LARGE);
    assert_int_equal(hearth_buf_printf(&buf, "e"), HEARTH_E_TOO_LARGE); /* its terminator too */
    assert_int_equal(hearth_buf_reserve(&buf, SIZE_MAX), HEARTH_E_TOO_LARGE);
    assert_true(hearth_slice_equals_string(hearth_buf_slice(&buf), "abcd"));
    assert_int_equal(hearth_buf_append(&buf, "e", 1), 0);
}

static void wipe_overwrites_and_keeps_the_room(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf buf;
    hearth_buf_init(&buf, 100);
    assert_int_equal(hearth_buf_append(&buf, "secret", 6), 0);
    size_t room = buf.room;
    hearth_buf_wipe(&buf);
    assert_memory_equal(buf.data, "\0\0\0\0\0\0", 6);
    assert_int_equal(buf.size, 0);
    assert_int_equal(buf.room, room);
    hearth_buf_clear(&buf);
}

static void matches_a_flat_copy(struct kit_random *random, void *context)
{
    (void)context;
    static uint8_t flat[4096];
    size_t size = 0;
    struct hearth_buf buf;
    hearth_buf_init(&buf, sizeof flat);
    for (int step = 0; step < 60; step++) {
        if (kit_random_once_in(random, 3)) {
            size_t gone = kit_random_below(random, size + 1);
            memmove(flat, flat + gone, size - gone);
            size -= gone;
            hearth_buf_consume(&buf, gone);
        } else {
            uint8_t more[700];
            size_t count = kit_random_below(random, sizeof more);
            kit_random_bytes(random, more, count);
            int rc = hearth_buf_append(&buf, more, count);
            assert_int_equal(rc, count > sizeof flat - size ? HEARTH_E_TOO_LARGE : 0);
            if (rc == 0) {
                memcpy(flat + size, more, count);
                size += count;
            }
        }
        assert_true(hearth_slice_equal(hearth_buf_slice(&buf), hearth_slice_of(flat, size)));
        assert_true(buf.room <= buf.cap);
    }
    hearth_buf_finish(&buf);
}

static void any_sequence_equals_a_flat_copy(void **state)
{
    (void)state;
    kit_property(200, matches_a_flat_copy, NULL);
}

static void buf_survives_any_failed_allocation(void **state)
{
    (void)state;
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_buf buf;
        hearth_buf_init(&buf, 10000);
        size_t size = 0;
        for (int i = 0; i < 9; i++) {
            static const uint8_t thousand[1000];
            int rc = hearth_buf_append(&buf, thousand, sizeof thousand);
            size += rc == 0 ? sizeof thousand : 0;
            assert_true(rc == 0 || (rc == HEARTH_E_NO_MEMORY && hearth_alloc_has_failed()));
            assert_int_equal(buf.size, size);
        }
        hearth_buf_finish(&buf);
    }
}

KIT_MAIN(cmocka_unit_test(bytes_come_back_in_order),
         cmocka_unit_test(cap_refuses_and_leaves_the_bytes),
         cmocka_unit_test(wipe_overwrites_and_keeps_the_room),
         cmocka_unit_test(any_sequence_equals_a_flat_copy),
         cmocka_unit_test(buf_survives_any_failed_allocation))
