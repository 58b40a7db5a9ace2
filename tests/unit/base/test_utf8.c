#include "kit.h"

#define TEXT(literal) hearth_slice_of(literal, sizeof(literal) - 1)

static void every_code_point_comes_back(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (c >= 0xD800 && c <= 0xDFFF) {
            continue;
        }
        uint8_t room[4];
        unsigned length = hearth_utf8_write(c, room);
        uint32_t back = UINT32_MAX;
        struct hearth_slice text = hearth_slice_of(room, length);
        if (hearth_utf8_read(text, 0, &back) != length || back != c ||
            !hearth_utf8_is_valid(text)) {
            fail_msg("U+%04X", c);
        }
    }
}

static void malformed_sequences_are_refused(void **state)
{
    (void)state;
    static const struct hearth_slice bad[] = {
        {(const uint8_t *)"\x80", 1},             /* continuation alone */
        {(const uint8_t *)"\xC0\x80", 2},         /* overlong NUL */
        {(const uint8_t *)"\xC1\xBF", 2},         /* overlong */
        {(const uint8_t *)"\xE0\x9F\xBF", 3},     /* overlong */
        {(const uint8_t *)"\xED\xA0\x80", 3},     /* surrogate */
        {(const uint8_t *)"\xF0\x8F\xBF\xBF", 4}, /* overlong */
        {(const uint8_t *)"\xF4\x90\x80\x80", 4}, /* above U+10FFFF */
        {(const uint8_t *)"\xF5\x80\x80\x80", 4},
        {(const uint8_t *)"\xFF", 1},
        {(const uint8_t *)"\xE2\x82", 2}, /* cut */
        {(const uint8_t *)"\xE2\x28\xA1", 3},
    };
    for (size_t i = 0; i < HEARTH_COUNT(bad); i++) {
        uint32_t c;
        assert_false(hearth_utf8_is_valid(bad[i]));
        assert_int_equal(hearth_utf8_valid_bytes(bad[i]), 0);
        assert_int_equal(hearth_utf8_read(bad[i], 0, &c), 0);
    }
}

static void first_bad_byte_is_named(void **state)
{
    (void)state;
    assert_int_equal(hearth_utf8_valid_bytes(TEXT("a\xC3\xA9"
                                                  "b\xFF"
                                                  "c")),
                     4);
    assert_int_equal(hearth_utf8_valid_bytes(TEXT("a\0b")), 3);
    assert_int_equal(hearth_utf8_valid_bytes(TEXT("")), 0);
}

/* What a text is does not depend on where it stands in a long one: sixteen bytes are looked at at
 * once there, and one by one in a short text. */
static void two_bytes_are_judged_alike_at_any_place(void **state)
{
    enum { LONG = 100 };
    uint8_t text[LONG];
    (void)state;
    for (unsigned pair = 0; pair < 0x10000; pair++) {
        uint8_t shortest[4] = {(uint8_t)(pair >> 8), (uint8_t)pair, 0x80, 0x80};
        for (size_t size = 2; size <= 4; size++) { /* with up to two continuations behind */
            size_t at = 20 + pair % 30;
            memset(text, 'a', sizeof text);
            memcpy(text + at, shortest, size);
            assert_int_equal(hearth_utf8_is_valid(hearth_slice_of(text, LONG)),
                             hearth_utf8_is_valid(hearth_slice_of(shortest, size)));
            memset(text, 'a', sizeof text);
            memcpy(text + LONG - size, shortest, size);
            assert_int_equal(hearth_utf8_is_valid(hearth_slice_of(text, LONG)),
                             hearth_utf8_is_valid(hearth_slice_of(shortest, size)));
        }
    }
}

/* A long text against its characters one by one. */
static void a_damaged_text_is_refused_where_it_is_damaged(struct kit_random *random, void *context)
{
    (void)context;
    uint8_t text[400];
    size_t size = 0;
    while (size < 300) {
        size += kit_random_utf8(random, text + size, 64);
    }
    assert_int_equal(hearth_utf8_valid_bytes(hearth_slice_of(text, size)), size);
    text[kit_random_below(random, size)] = (uint8_t)kit_random_below(random, 256);
    size_t at = 0;
    uint32_t code_point;
    unsigned length = 1;
    while (at < size &&
           (length = hearth_utf8_read(hearth_slice_of(text, size), at, &code_point)) > 0) {
        at += length;
    }
    assert_int_equal(hearth_utf8_valid_bytes(hearth_slice_of(text, size)), at);
}

static void long_texts_are_judged_as_their_characters(void **state)
{
    (void)state;
    kit_property(5000, a_damaged_text_is_refused_where_it_is_damaged, NULL);
}

static void only_a_character_that_may_still_end_waits(void **state)
{
    (void)state;
    assert_int_equal(hearth_utf8_complete_bytes(TEXT("ab\xE2\x82")), 2);
    assert_int_equal(hearth_utf8_complete_bytes(TEXT("ab\xF0\x9F\x98")), 2);
    assert_int_equal(hearth_utf8_complete_bytes(TEXT("ab\xC3\xA9")), 4);
    assert_int_equal(hearth_utf8_complete_bytes(TEXT("ab\xED\xA0")), 4); /* never becomes valid */
    assert_int_equal(hearth_utf8_complete_bytes(TEXT("ab\x80\x80")), 4);
    assert_int_equal(hearth_utf8_complete_bytes(TEXT("\x80\x80\x80\x80")), 4);
}

static void cutting_anywhere_loses_nothing(struct kit_random *random, void *context)
{
    (void)context;
    uint8_t text[64];
    size_t size = kit_random_utf8(random, text, sizeof text);
    for (size_t cut = 0; cut <= size; cut++) {
        size_t whole = hearth_utf8_complete_bytes(hearth_slice_of(text, cut));
        assert_true(whole <= cut && cut - whole < 4);
        assert_true(hearth_utf8_is_valid(hearth_slice_of(text, whole)));
        assert_true(hearth_utf8_is_valid(hearth_slice_of(text + whole, size - whole)));
    }
}

static void any_cut_of_a_stream_gives_whole_characters(void **state)
{
    (void)state;
    kit_property(500, cutting_anywhere_loses_nothing, NULL);
}

KIT_MAIN(cmocka_unit_test(every_code_point_comes_back),
         cmocka_unit_test(malformed_sequences_are_refused),
         cmocka_unit_test(first_bad_byte_is_named),
         cmocka_unit_test(two_bytes_are_judged_alike_at_any_place),
         cmocka_unit_test(long_texts_are_judged_as_their_characters),
         cmocka_unit_test(only_a_character_that_may_still_end_waits),
         cmocka_unit_test(any_cut_of_a_stream_gives_whole_characters))
