/* What llama.cpp's notation says, and what is refused of it. */

#include "grammar_kit.h"

static void refused(const char *text, int code, const char *says)
{
    struct hearth_grammar *grammar = NULL;
    struct hearth_error err = {0};
    assert_int_equal(hearth_grammar_gbnf(hearth_slice_of_string(text), &grammar, &err), code);
    assert_string_equal(err.text, says);
    assert_null(grammar);
}

static void an_answer_is_one_of_the_choices(void **state HEARTH_UNUSED)
{
    const struct hearth_slice texts[] = {
        hearth_slice_of_string("yes"), hearth_slice_of_string("no"),
        hearth_slice_of_string("yesterday"), hearth_slice_of_string("no")};
    struct hearth_grammar *grammar = NULL;
    assert_int_equal(hearth_grammar_choices(texts, HEARTH_COUNT(texts), &grammar, NULL), 0);
    struct hearth_matcher *matcher = begun(grammar);
    assert_answer(matcher, "yes");
    assert_answer(matcher, "no");
    assert_answer(matcher, "yesterday");
    assert_no_answer(matcher, "yeste");
    assert_no_answer(matcher, "yesno");
    assert_no_answer(matcher, "");
    assert_true(takes(matcher, "yest"));
    uint8_t room[16];
    assert_int_equal(hearth_matcher_forced(matcher, room, sizeof room), 5);
    assert_memory_equal(room, "erday", 5);
    assert_int_equal(hearth_matcher_distance(matcher), 5);
    hearth_matcher_destroy(matcher);
}

static void sequences_choices_and_repetitions_follow_the_notation(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher =
        given_gbnf("# a list\n"
                   "root ::= \"[\" (item (\", \" item){1,3})? \"]\" end*\n"
                   "item ::= [a-c]+ | \"x\" [^\\n\\]]? |\n  \"\\u00e9\" \"\\x41\" # two\n\n"
                   "end ::= \"!\"\n");
    assert_answer(matcher, "[]");
    assert_answer(matcher, "[abc, x]!!!");
    assert_answer(matcher, "[a, x\xE6\xBC\xA2, \xC3\xA9"
                           "A, c]");
    assert_no_answer(matcher, "[abc]");
    assert_no_answer(matcher, "[a, b, c, a, b]");
    assert_no_answer(matcher, "[x\n, a]");
    assert_no_answer(matcher, "[d, a]");
    hearth_matcher_destroy(matcher);
}

static void counts_are_kept_apart_at_every_depth(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher = given_gbnf("root ::= (\"a\" \"b\"{2,} \"c\"{0,2}){2}");
    assert_answer(matcher, "abbabb");
    assert_answer(matcher, "abbbbbbccabbc");
    assert_no_answer(matcher, "abab");
    assert_no_answer(matcher, "abbcccabb");
    assert_no_answer(matcher, "abb");
    assert_no_answer(matcher, "abbabbabb");
    hearth_matcher_destroy(matcher);
}

static void nested_rules_are_counted_on_the_stack(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher = given_gbnf("root ::= \"a\" root \"b\" | \"\"");
    assert_answer(matcher, "");
    assert_answer(matcher, "aaabbb");
    assert_no_answer(matcher, "aaabb");
    assert_no_answer(matcher, "aabbb");
    hearth_matcher_destroy(matcher);
}

static void what_repeats_itself_at_its_end_needs_no_depth(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher = given_gbnf("root ::= [a-z] root | \".\"");
    for (unsigned i = 0; i < 20 * HEARTH_GRAMMAR_MAX_DEPTH; i++) {
        assert_true(takes(matcher, "m"));
    }
    assert_answer(matcher, ".");
    hearth_matcher_destroy(matcher);
}

static void too_deep_is_not_begun_and_what_was_begun_can_end(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher = given_gbnf("root ::= \"(\" root \")\" | \"x\"");
    unsigned depth = 0;
    while (takes(matcher, "(")) {
        depth++;
    }
    assert_in_range(depth, HEARTH_GRAMMAR_MAX_DEPTH - 2, HEARTH_GRAMMAR_MAX_DEPTH);
    assert_int_equal(hearth_matcher_distance(matcher), depth + 1);
    uint8_t room[1024];
    assert_int_equal(hearth_matcher_closing(matcher, room, sizeof room), depth + 1);
    assert_int_equal(hearth_matcher_take(matcher, hearth_slice_of(room, depth + 1), NULL), 0);
    assert_true(hearth_matcher_must_end(matcher));
    hearth_matcher_destroy(matcher);
}

static void a_character_can_be_taken_byte_by_byte(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher = given_gbnf("root ::= [\\u0800-\\U0010ffff]");
    assert_true(takes(matcher, "\xF0"));
    assert_false(hearth_matcher_may_end(matcher));
    assert_false(takes(matcher, "\x8F")); /* overlong */
    assert_true(takes(matcher, "\x90\x80"));
    assert_true(takes(matcher, "\x80"));
    assert_true(hearth_matcher_must_end(matcher));
    hearth_matcher_destroy(matcher);
    matcher = given_gbnf("root ::= .");
    assert_no_answer(matcher, "\xED\xA0\x80"); /* a surrogate */
    assert_no_answer(matcher, "\xC0\x80");
    assert_answer(matcher, "\xED\x9F\xBF");
    hearth_matcher_destroy(matcher);
}

static void faults_are_told_with_their_line(void **state HEARTH_UNUSED)
{
    refused("root ::= \"a\"\nb ::= \"x", HEARTH_E_INPUT_INVALID, "line 2: the text ends too early");
    refused("a ::= \"b\"", HEARTH_E_INPUT_INVALID, "line 1: no rule \"root\"");
    refused("root ::= a\n\na ::= c", HEARTH_E_INPUT_INVALID, "line 3: no rule \"c\"");
    refused("root ::= [b-a]", HEARTH_E_INPUT_INVALID,
            "line 1: a range of characters runs backwards");
    refused("root ::= \"a\"{3,2}", HEARTH_E_INPUT_INVALID,
            "line 1: the counts of a repetition run backwards");
    refused("root ::= \"a\"{70000}", HEARTH_E_TOO_LARGE, "line 1: repeated more than 65536 times");
    refused("root ::= (\"a\"", HEARTH_E_INPUT_INVALID, "line 1: `)` is expected");
    refused("root ::= \"a\"\nroot ::= \"b\"", HEARTH_E_INPUT_INVALID,
            "line 2: rule \"root\" is written twice");
    refused("root ::= <think>", HEARTH_E_UNSUPPORTED,
            "line 1: tokens (`<…>`, `!<…>`) are not supported");
}

static void rules_that_begin_with_themselves_are_refused(void **state HEARTH_UNUSED)
{
    refused("root ::= \"b\" | root \"a\"", HEARTH_E_UNSUPPORTED,
            "line 1: rule \"root\" can begin with itself (left recursion)");
    refused("root ::= \"-\" a\na ::= \"b\"? c\nc ::= (\"c\"* a \"x\") | \"y\"",
            HEARTH_E_UNSUPPORTED, "line 2: rule \"a\" can begin with itself (left recursion)");
}

static void grammars_that_never_end_are_refused(void **state HEARTH_UNUSED)
{
    refused("root ::= \"a\" root", HEARTH_E_INPUT_INVALID,
            "no answer can follow the grammar to an end");
    /* A branch that never ends is no way to go. */
    struct hearth_matcher *matcher = given_gbnf("root ::= \"x\" | \"a\" b\nb ::= \"c\" b");
    assert_false(takes(matcher, "a"));
    assert_answer(matcher, "x");
    hearth_matcher_destroy(matcher);
}

static void a_million_parentheses_are_refused(void **state HEARTH_UNUSED)
{
    static char text[HEARTH_GRAMMAR_MAX_SOURCE_BYTES + 1];
    memset(text, '(', sizeof text - 1);
    memcpy(text, "root ::= ", 9);
    refused(text, HEARTH_E_TOO_LARGE, "line 1: groups nest more than 64 deep");
}

KIT_MAIN(cmocka_unit_test(an_answer_is_one_of_the_choices),
         cmocka_unit_test(sequences_choices_and_repetitions_follow_the_notation),
         cmocka_unit_test(counts_are_kept_apart_at_every_depth),
         cmocka_unit_test(nested_rules_are_counted_on_the_stack),
         cmocka_unit_test(what_repeats_itself_at_its_end_needs_no_depth),
         cmocka_unit_test(too_deep_is_not_begun_and_what_was_begun_can_end),
         cmocka_unit_test(a_character_can_be_taken_byte_by_byte),
         cmocka_unit_test(faults_are_told_with_their_line),
         cmocka_unit_test(rules_that_begin_with_themselves_are_refused),
         cmocka_unit_test(grammars_that_never_end_are_refused),
         cmocka_unit_test(a_million_parentheses_are_refused))
