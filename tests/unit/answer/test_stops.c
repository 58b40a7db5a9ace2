/* Stop strings in a stream, however it is cut. */

#include "hearth_answer.h"

#include "kit.h"

/* The first end of any stop string, and the longest that ends there; by looking everywhere. */
static size_t plain(const char *const *texts, size_t count, const char *bytes, size_t size,
                    size_t *ret_size)
{
    for (size_t end = 1; end <= size; end++) {
        *ret_size = 0;
        for (size_t i = 0; i < count; i++) {
            size_t length = strlen(texts[i]);
            if (length <= end && memcmp(bytes + end - length, texts[i], length) == 0) {
                *ret_size = HEARTH_MAX(*ret_size, length);
            }
        }
        if (*ret_size > 0) {
            return end;
        }
    }
    return 0;
}

static bool begins_a_stop(const char *const *texts, size_t count, const char *bytes, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (size < strlen(texts[i]) && memcmp(texts[i], bytes, size) == 0) {
            return true;
        }
    }
    return false;
}

static void begin(struct hearth_stops *stops, const char *const *texts, size_t count)
{
    hearth_stops_begin(stops);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(hearth_stops_add(stops, hearth_slice_of_string(texts[i])), 0);
    }
}

static void equals_plain(struct kit_random *random, void *context)
{
    (void)context;
    static char words[HEARTH_STOPS_MOST][8];
    const char *texts[HEARTH_STOPS_MOST];
    char bytes[48];
    struct hearth_stops stops;
    size_t count = 1 + (size_t)kit_random_below(random, HEARTH_STOPS_MOST);
    for (size_t i = 0; i < count; i++) {
        size_t size = 1 + (size_t)kit_random_below(random, 7);
        for (size_t j = 0; j < size; j++) {
            words[i][j] = (char)('a' + kit_random_below(random, 2));
        }
        words[i][size] = '\0';
        texts[i] = words[i];
    }
    size_t size = (size_t)kit_random_below(random, sizeof bytes + 1);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)('a' + kit_random_below(random, 3)); /* c is in no stop string */
    }
    size_t their_size = 0;
    size_t their_end = plain(texts, count, bytes, size, &their_size);
    size_t held = 0;
    begin(&stops, texts, count);
    for (size_t at = 0; at < size;) {
        size_t part = 1 + (size_t)kit_random_below(random, 9);
        part = HEARTH_MIN(part, size - at);
        size_t used = 0;
        size_t stop = 0;
        if (hearth_stops_feed(&stops, hearth_slice_of(bytes + at, part), &used, &stop)) {
            assert_int_equal(at + used, their_end);
            assert_int_equal(stop, their_size);
            assert_true(stop <= held + used); /* none of it was let go */
            return;
        }
        at += part;
        held = hearth_stops_held(&stops);
        assert_true(held <= at &&
                    (held == 0 || begins_a_stop(texts, count, bytes + at - held, held)));
        for (size_t more = held + 1; more <= at; more++) { /* and no more than need be */
            assert_false(begins_a_stop(texts, count, bytes + at - more, more));
        }
    }
    assert_int_equal(their_end, 0);
}

static void they_are_found_as_by_looking_everywhere(void **state)
{
    (void)state;
    kit_property(20000, equals_plain, NULL);
}

static void the_first_complete_one_wins_and_then_the_longer(void **state)
{
    (void)state;
    static const char *const texts[] = {"abcdef", "cd", "bcd"};
    struct hearth_stops stops;
    size_t used = 0;
    size_t size = 0;
    begin(&stops, texts, 3);
    assert_true(hearth_stops_feed(&stops, hearth_slice_of_string("abcdef"), &used, &size));
    assert_int_equal(used, 4);
    assert_int_equal(size, 3);
}

static void a_break_lets_nothing_straddle(void **state)
{
    (void)state;
    static const char *const texts[] = {"ab"};
    struct hearth_stops stops;
    size_t used = 0;
    size_t size = 0;
    begin(&stops, texts, 1);
    assert_false(hearth_stops_feed(&stops, hearth_slice_of_string("a"), &used, &size));
    assert_int_equal(hearth_stops_held(&stops), 1);
    hearth_stops_break(&stops);
    assert_int_equal(hearth_stops_held(&stops), 0);
    assert_false(hearth_stops_feed(&stops, hearth_slice_of_string("b"), &used, &size));
}

static void those_beyond_the_limits_are_refused(void **state)
{
    (void)state;
    static const uint8_t long_one[HEARTH_STOPS_MOST_BYTES + 1];
    struct hearth_stops stops;
    hearth_stops_begin(&stops);
    assert_int_equal(hearth_stops_add(&stops, hearth_slice_of("", 0)), HEARTH_E_TOO_LARGE);
    assert_int_equal(hearth_stops_add(&stops, hearth_slice_of(long_one, sizeof long_one)),
                     HEARTH_E_TOO_LARGE);
    for (unsigned i = 0; i < HEARTH_STOPS_MOST; i++) {
        assert_int_equal(hearth_stops_add(&stops, hearth_slice_of(long_one, sizeof long_one - 1)),
                         0);
    }
    assert_int_equal(hearth_stops_add(&stops, hearth_slice_of("a", 1)), HEARTH_E_TOO_LARGE);
}

KIT_MAIN(cmocka_unit_test(they_are_found_as_by_looking_everywhere),
         cmocka_unit_test(the_first_complete_one_wins_and_then_the_longer),
         cmocka_unit_test(a_break_lets_nothing_straddle),
         cmocka_unit_test(those_beyond_the_limits_are_refused))
