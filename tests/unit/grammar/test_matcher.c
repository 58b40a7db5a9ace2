/* Masks, copies, shared grammars and the cache. */

#include "grammar_kit.h"

#include <stdlib.h>

#define TOKENS 600u

/* Tokens of one byte each, and longer ones of what JSON and texts are made of. */
struct world {
    struct hearth_slice tokens[TOKENS];
    char room[TOKENS][24];
    struct hearth_vocabulary *vocabulary;
    uint64_t bits[(TOKENS + 63) / 64];
};

static void build_world(struct world *world, struct kit_random *random)
{
    static const char *const parts[] = {"{",    "}",   "\"",    ":",    ",",  " ",   "a",
                                        "true", "nu",  "ll",    "[",    "]",  "1",   "-",
                                        ".",    "e+1", "\\",    "u00",  "x",  "b\"", "\xC3",
                                        "\xA9", "\n",  "\"a\"", "\": ", "ab", "00",  "\xF0\x9F"};
    for (unsigned id = 0; id < TOKENS; id++) {
        size_t size = 1;
        world->room[id][0] = (char)id;
        if (id >= 256) {
            world->room[id][0] = '\0';
            for (unsigned i = 0; i <= id % 4; i++) {
                const char *part = parts[kit_random_below(random, HEARTH_COUNT(parts))];
                size = strlen(world->room[id]);
                (void)snprintf(world->room[id] + size, sizeof world->room[id] - size, "%s", part);
            }
            size = strlen(world->room[id]);
        }
        world->tokens[id] = hearth_slice_of(world->room[id], id == 300 ? 0 : size);
    }
    assert_int_equal(hearth_vocabulary_create(world->tokens, TOKENS, &world->vocabulary, NULL), 0);
}

static void assert_mask_is_what_fits(struct world *world, struct hearth_matcher *matcher)
{
    assert_int_equal(hearth_matcher_mask(matcher, world->vocabulary, world->bits, NULL), 0);
    for (unsigned id = 0; id < TOKENS; id++) {
        bool is_allowed = (world->bits[id / 64] >> (id % 64) & 1) != 0;
        bool fits = world->tokens[id].size > 0 && hearth_matcher_fits(matcher, world->tokens[id]);
        if (is_allowed != fits) {
            fail_msg("token %u: mask %d, alone %d", id, is_allowed, fits);
        }
    }
}

/* A random answer, by tokens that the mask allows; closed when it grows long. */
static void walk(struct world *world, struct hearth_matcher *matcher, struct kit_random *random)
{
    for (unsigned step = 0; step < 60 && !hearth_matcher_must_end(matcher); step++) {
        assert_mask_is_what_fits(world, matcher);
        unsigned id = (unsigned)kit_random_below(random, TOKENS);
        unsigned tried = 0;
        while (tried < TOKENS && (world->bits[id / 64] >> (id % 64) & 1) == 0) {
            id = (id + 1) % TOKENS;
            tried++;
        }
        assert_true(tried < TOKENS); /* every byte is a token, so something always fits */
        assert_int_equal(hearth_matcher_take(matcher, world->tokens[id], NULL), 0);
    }
    static uint8_t room[4096];
    size_t size = hearth_matcher_distance(matcher);
    assert_in_range(size, 0, sizeof room);
    assert_int_equal(hearth_matcher_closing(matcher, room, sizeof room), size);
    assert_int_equal(hearth_matcher_take(matcher, hearth_slice_of(room, size), NULL), 0);
    assert_true(hearth_matcher_may_end(matcher));
    assert_int_equal(hearth_matcher_distance(matcher), 0);
}

static void walks_of(struct kit_random *random, void *context HEARTH_UNUSED)
{
    static const char *const schemas[] = {
        "true",
        "{\"properties\":{\"a\":{\"type\":\"string\",\"maxLength\":9},"
        "\"ab\":{\"type\":\"number\"}}}",
        "{\"type\":\"array\",\"items\":{\"type\":[\"integer\",\"null\"],\"minimum\":-30},"
        "\"minItems\":7}",
        "{\"type\":\"string\",\"pattern\":\"(a+|ab|b.*){2,5}\"}",
    };
    static struct world world;
    build_world(&world, random);
    for (size_t i = 0; i < HEARTH_COUNT(schemas); i++) {
        struct hearth_matcher *matcher = given_schema(schemas[i]);
        walk(&world, matcher, random);
        hearth_matcher_destroy(matcher);
    }
    struct hearth_matcher *matcher = given_gbnf(
        "root ::= (\"a\" root \"b\" | [^\"]{0,4} root2)\nroot2 ::= \"[\" root \"]\" | \"1\"");
    walk(&world, matcher, random);
    hearth_matcher_destroy(matcher);
    hearth_vocabulary_destroy(world.vocabulary);
}

static void a_mask_has_the_tokens_that_fit_alone(void **state HEARTH_UNUSED)
{
    kit_property(12, walks_of, NULL);
}

/* All texts of up to four signs: large subtrees, of text alone or, behind a dot, not. */
static void subtrees_taken_whole_are_what_fits(void **state HEARTH_UNUSED)
{
    static const char *const signs[2][7] = {{"a", "b", " ", "1", ",", "x", "."},
                                            {"a", "b", " ", "1", "\"", "\xC3\xA9", "."}};
    static const char *const schemas[] = {
        "{\"type\":\"string\"}",
        "{\"type\":\"string\",\"maxLength\":1}",
        "{\"type\":\"string\",\"maxLength\":3}",
        "{\"type\":\"string\",\"maxLength\":900}",
        "{\"type\":\"string\",\"pattern\":\"ab\"}",
        "{\"type\":\"string\",\"pattern\":\"(ab|ba[a-z]*)+1\"}",
        "{\"type\":\"string\",\"pattern\":\"^[ab1]{1,4}$\"}",
        "{\"type\":\"string\",\"pattern\":\"^([ab]{2}[^b]*)*$\"}",
        "{\"properties\":{\"a\":true,\"b1\":true},\"additionalProperties\":true}",
    };
    static const char *const begun[] = {"\"", "\"a", "\"a1", "\"ab1", "{\"", "{\"a"};
    static char room[7 * 7 * 7 * 7 * 2][9];
    static struct hearth_slice tokens[HEARTH_COUNT(room)];
    static uint64_t bits[HEARTH_COUNT(room) / 64 + 1];
    size_t count = 0;
    for (unsigned length = 1, all = 7; length <= 4; length++, all *= 7) {
        for (unsigned number = 0; number < all; number++, count++) {
            size_t size = 0;
            for (unsigned i = 0, rest = number; i < length; i++, rest /= 7) {
                size += (size_t)snprintf(room[count] + size, sizeof room[count] - size, "%s",
                                         signs[number % 7 == 6][rest % 7]);
            }
            tokens[count] = hearth_slice_of(room[count], size);
        }
    }
    struct hearth_vocabulary *vocabulary = NULL;
    assert_int_equal(hearth_vocabulary_create(tokens, count, &vocabulary, NULL), 0);
    unsigned places = 0;
    for (size_t i = 0; i < HEARTH_COUNT(schemas) * HEARTH_COUNT(begun); i++) {
        struct hearth_matcher *matcher = given_schema(schemas[i / HEARTH_COUNT(begun)]);
        struct hearth_slice first = hearth_slice_of_string(begun[i % HEARTH_COUNT(begun)]);
        if (hearth_matcher_take(matcher, first, NULL) == 0) {
            places++;
            assert_int_equal(hearth_matcher_mask(matcher, vocabulary, bits, NULL), 0);
            for (size_t id = 0; id < count; id++) {
                assert_int_equal(bits[id / 64] >> (id % 64) & 1,
                                 hearth_matcher_fits(matcher, tokens[id]));
            }
        }
        hearth_matcher_destroy(matcher);
    }
    assert_true(places > 20);
    hearth_vocabulary_destroy(vocabulary);
}

static void a_full_machine_is_renewed_without_a_trace(void **state HEARTH_UNUSED)
{
    /* Each length is a place of its own, many times more than there is room for. */
    struct hearth_matcher *matcher =
        given_schema("{\"type\":\"string\",\"minLength\":30000,\"maxLength\":30001}");
    static char text[30003];
    memset(text, 'x', sizeof text);
    text[0] = '"';
    struct hearth_slice half = hearth_slice_of(text, 15001);
    assert_int_equal(hearth_matcher_take(matcher, half, NULL), 0);
    assert_int_equal(hearth_matcher_distance(matcher), 15001);
    struct hearth_matcher *copy = NULL;
    assert_int_equal(hearth_matcher_create(&copy, NULL), 0);
    assert_int_equal(hearth_matcher_copy(copy, matcher, NULL), 0);
    assert_int_equal(hearth_matcher_take(matcher, hearth_slice_of(text + 1, 15001), NULL), 0);
    assert_true(hearth_matcher_fits(matcher, hearth_slice_of_string("\"")));
    assert_false(hearth_matcher_fits(matcher, hearth_slice_of_string("x")));
    assert_false(hearth_matcher_fits(copy, hearth_slice_of_string("\"")));
    assert_true(hearth_matcher_fits(copy, hearth_slice_of(text + 1, 15001)));
    hearth_matcher_destroy(copy);
    hearth_matcher_destroy(matcher);
}

static void bytes_are_taken_all_or_none(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher = given_gbnf("root ::= \"abc\" | \"abd\"");
    struct hearth_error err = {0};
    assert_int_equal(hearth_matcher_take(matcher, hearth_slice_of_string("abx"), &err),
                     HEARTH_E_INPUT_INVALID);
    assert_true(takes(matcher, "ab"));
    assert_true(hearth_matcher_fits(matcher, hearth_slice_of_string("d")));
    assert_true(takes(matcher, "c"));
    assert_true(hearth_matcher_must_end(matcher));
    assert_false(takes(matcher, "c"));
    assert_true(hearth_matcher_fits(matcher, hearth_slice_of(NULL, 0)));
    hearth_matcher_destroy(matcher);
}

static void too_many_readings_are_an_error(void **state HEARTH_UNUSED)
{
    /* Where the middle lies is open at each byte: another stack for each. */
    struct hearth_matcher *matcher = given_gbnf("root ::= a | b\n"
                                                "a ::= \"x\" a \"x\" | \"x\" b \"x\" | \"\"\n"
                                                "b ::= \"x\" a \"xx\" | \"x\" b \"xxx\" | \"\"\n");
    struct hearth_error err = {0};
    int rc = 0;
    for (unsigned i = 0; i < 400 && rc == 0; i++) {
        rc = hearth_matcher_take(matcher, hearth_slice_of_string("x"), &err);
    }
    assert_int_equal(rc, HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE, "in more than 512 ways");
    hearth_matcher_destroy(matcher);
}

static void a_matcher_serves_one_grammar_after_another(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher = given_gbnf("root ::= \"a\"+");
    assert_true(takes(matcher, "aa"));
    struct hearth_grammar *other = NULL;
    assert_int_equal(hearth_grammar_gbnf(hearth_slice_of_string("root ::= \"b\""), &other, NULL),
                     0);
    assert_int_equal(hearth_matcher_begin(matcher, other, NULL), 0);
    hearth_grammar_destroy(other);
    assert_false(takes(matcher, "a"));
    assert_true(takes(matcher, "b"));
    assert_int_equal(hearth_matcher_begin(matcher, other, NULL), 0);
    assert_answer(matcher, "b");
    hearth_matcher_destroy(matcher);
}

static void matching_allocates_nothing(void **state HEARTH_UNUSED)
{
    static struct world world;
    struct kit_random random = {0};
    build_world(&world, &random);
    struct hearth_matcher *matcher = given_schema("{\"type\":\"array\",\"items\":true}");
    uint64_t before = hearth_alloc_count();
    uint8_t room[64];
    assert_true(takes(matcher, "[{\"a\": [1, "));
    assert_int_equal(hearth_matcher_mask(matcher, world.vocabulary, world.bits, NULL), 0);
    (void)hearth_matcher_forced(matcher, room, sizeof room);
    (void)hearth_matcher_closing(matcher, room, sizeof room);
    assert_int_equal(hearth_alloc_count(), before);
    hearth_matcher_destroy(matcher);
    hearth_vocabulary_destroy(world.vocabulary);
}

static void compiling_survives_any_failed_allocation(void **state HEARTH_UNUSED)
{
    static const char *const schema =
        "{\"properties\":{\"a\":{\"enum\":[1,\"x\"]},\"b\":{\"type\":\"string\",\"maxLength\":3},"
        "\"c\":{\"items\":{\"$ref\":\"#\"}}},\"additionalProperties\":true}";
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_grammar *grammar = NULL;
        int rc = hearth_grammar_schema(hearth_slice_of_string(schema), &grammar, NULL);
        if (hearth_alloc_has_failed()) {
            assert_int_equal(rc, HEARTH_E_NO_MEMORY);
        } else {
            assert_int_equal(rc, 0);
        }
        hearth_grammar_destroy(grammar);
    }
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_grammar *grammar = NULL;
        struct hearth_matcher *matcher = NULL;
        struct hearth_vocabulary *vocabulary = NULL;
        const struct hearth_slice text = hearth_slice_of_string("root ::= [a-z]{2,3} \"b\"");
        int rc = hearth_grammar_gbnf(text, &grammar, NULL);
        rc = rc < 0 ? rc : hearth_matcher_create(&matcher, NULL);
        rc = rc < 0 ? rc : hearth_vocabulary_create(&text, 1, &vocabulary, NULL);
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        hearth_matcher_destroy(matcher);
        hearth_vocabulary_destroy(vocabulary);
        hearth_grammar_destroy(grammar);
    }
}

static void the_cache_compiles_once_and_stays_within_its_bytes(void **state HEARTH_UNUSED)
{
    struct hearth_grammar_cache *cache = NULL;
    struct hearth_grammar *first = NULL;
    struct hearth_grammar *again = NULL;
    assert_int_equal(hearth_grammar_cache_create(24 << 10, &cache, NULL), 0);
    const struct hearth_slice text = hearth_slice_of_string("root ::= \"a\"");
    assert_int_equal(hearth_grammar_cache_get(cache, HEARTH_GRAMMAR_KIND_GBNF, text, &first, NULL),
                     0);
    assert_int_equal(hearth_grammar_cache_get(cache, HEARTH_GRAMMAR_KIND_GBNF, text, &again, NULL),
                     0);
    assert_ptr_equal(first, again);
    struct hearth_error err = {0};
    struct hearth_grammar *none = NULL;
    assert_int_equal(hearth_grammar_cache_get(cache, HEARTH_GRAMMAR_KIND_SCHEMA, text, &none, &err),
                     HEARTH_E_INPUT_INVALID); /* the kind is a part of the key */
    for (unsigned i = 0; i < 400; i++) {
        char other[64];
        struct hearth_grammar *grammar = NULL;
        (void)snprintf(other, sizeof other, "root ::= \"b%u\"", i);
        assert_int_equal(hearth_grammar_cache_get(cache, HEARTH_GRAMMAR_KIND_GBNF,
                                                  hearth_slice_of_string(other), &grammar, NULL),
                         0);
        hearth_grammar_destroy(grammar);
    }
    hearth_grammar_destroy(again);
    assert_int_equal(hearth_grammar_cache_get(cache, HEARTH_GRAMMAR_KIND_GBNF, text, &again, NULL),
                     0);
    assert_ptr_not_equal(first, again); /* it had left; its owner still has it */
    uint64_t hits = 0;
    uint64_t misses = 0;
    hearth_grammar_cache_counts(cache, &hits, &misses);
    assert_int_equal(hits, 1);
    assert_int_equal(misses, 403);
    hearth_grammar_cache_destroy(cache);
    struct hearth_matcher *matcher = begun(first);
    assert_answer(matcher, "a");
    hearth_matcher_destroy(matcher);
    hearth_grammar_destroy(again);
}

KIT_MAIN(cmocka_unit_test(a_mask_has_the_tokens_that_fit_alone),
         cmocka_unit_test(subtrees_taken_whole_are_what_fits),
         cmocka_unit_test(a_full_machine_is_renewed_without_a_trace),
         cmocka_unit_test(bytes_are_taken_all_or_none),
         cmocka_unit_test(too_many_readings_are_an_error),
         cmocka_unit_test(a_matcher_serves_one_grammar_after_another),
         cmocka_unit_test(matching_allocates_nothing),
         cmocka_unit_test(compiling_survives_any_failed_allocation),
         cmocka_unit_test(the_cache_compiles_once_and_stays_within_its_bytes))
