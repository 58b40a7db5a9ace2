/* A guess at what follows: the same as looking everywhere, longest first, then latest. */

#include "hearth_answer.h"

#include "kit.h"

#define MOST 8u

/* As the header says it, in the plainest way: for each length from the longest, each place from the
 * last. */
static size_t plain(const int32_t *tokens, size_t count, int32_t *room)
{
    for (size_t size = HEARTH_GUESS_MOST_TOKENS; size > 0; size--) {
        for (size_t at = count; size < count && at-- > 0;) {
            if (at + size < count &&
                memcmp(tokens + at, tokens + count - size, size * sizeof *tokens) == 0) {
                size_t found = HEARTH_MIN((size_t)MOST, count - at - size);
                memcpy(room, tokens + at + size, found * sizeof *tokens);
                return found;
            }
        }
    }
    return 0;
}

static void equals_plain(struct kit_random *random, void *context)
{
    (void)context;
    int32_t tokens[64];
    int32_t ours[MOST];
    int32_t theirs[MOST];
    size_t count = (size_t)kit_random_below(random, HEARTH_COUNT(tokens) + 1);
    int32_t kinds = 1 + (int32_t)kit_random_below(random, 9);
    for (size_t i = 0; i < count; i++) {
        tokens[i] = (int32_t)kit_random_below(random, (uint64_t)kinds);
    }
    size_t found = hearth_guess(tokens, count, ours, MOST);
    assert_int_equal(found, plain(tokens, count, theirs));
    assert_memory_equal(ours, theirs, found * sizeof *ours);
}

static void it_equals_a_plain_search(void **state)
{
    (void)state;
    kit_property(20000, equals_plain, NULL);
}

static void three_tokens_that_came_before_tell_the_eight_that_followed(void **state)
{
    (void)state;
    static const int32_t tokens[] = {9, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 1, 2, 3};
    int32_t room[MOST];
    assert_int_equal(hearth_guess(tokens, HEARTH_COUNT(tokens), room, MOST), 8);
    for (int32_t i = 0; i < 8; i++) {
        assert_int_equal(room[i], 10 + i);
    }
}

static void nothing_is_guessed_from_tokens_that_are_new(void **state)
{
    (void)state;
    static const int32_t tokens[] = {1, 2, 3, 4};
    int32_t room[MOST];
    assert_int_equal(hearth_guess(tokens, 4, room, MOST), 0);
    assert_int_equal(hearth_guess(tokens, 0, room, MOST), 0);
    assert_int_equal(hearth_guess(tokens, 1, room, MOST), 0);
}

static void what_lies_too_far_back_is_not_looked_at(void **state)
{
    (void)state;
    static int32_t tokens[HEARTH_GUESS_LOOK_BACK + 2];
    int32_t room[MOST];
    size_t count = HEARTH_COUNT(tokens);
    for (size_t i = 0; i < count; i++) {
        tokens[i] = (int32_t)i;
    }
    tokens[count - 1] = 0; /* came first of all: one place too far */
    assert_int_equal(hearth_guess(tokens, count, room, MOST), 0);
    tokens[count - 1] = 1;
    assert_int_equal(hearth_guess(tokens, count, room, MOST), MOST);
    assert_int_equal(room[0], 2);
}

KIT_MAIN(cmocka_unit_test(it_equals_a_plain_search),
         cmocka_unit_test(three_tokens_that_came_before_tell_the_eight_that_followed),
         cmocka_unit_test(nothing_is_guessed_from_tokens_that_are_new),
         cmocka_unit_test(what_lies_too_far_back_is_not_looked_at))
