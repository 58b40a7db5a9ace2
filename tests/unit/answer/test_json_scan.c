/* Where a JSON object ends or breaks: as a parser of the whole text sees it. */

#include "hearth_answer.h"

#include "kit.h"

#include <stdio.h>

#include <yyjson.h>

/* Feeds byte by byte. */
static enum hearth_json_scan_end scan(const char *text, size_t size, size_t *ret_used)
{
    struct hearth_json_scan machine;
    size_t used = 0;
    hearth_json_scan_begin(&machine);
    for (*ret_used = 0; *ret_used < size; *ret_used += used) {
        enum hearth_json_scan_end end =
            hearth_json_scan_feed(&machine, hearth_slice_of(text + *ret_used, 1), &used);
        if (end != HEARTH_JSON_SCAN_MORE) {
            *ret_used += used;
            return end;
        }
    }
    return HEARTH_JSON_SCAN_MORE;
}

static void objects_end_where_they_end(void **state)
{
    (void)state;
    static const char *const objects[] = {
        "{}",
        "{ }",
        "{\"a\":1}",
        "{\"a\" : -0.5e+10 , \"b\":[1,2,[],{}],\"c\":\"\\\"}\\u00e9\"}",
        "{\"a\":{\"b\":{\"c\":[true,false,null]}}}",
        "{\"\":\"\xc3\xa9\"}",
        "{\"a\":[[[0]]],\"b\":10E2}"};
    for (size_t i = 0; i < HEARTH_COUNT(objects); i++) {
        char text[128];
        size_t used = 0;
        size_t size = strlen(objects[i]);
        (void)snprintf(text, sizeof text, "%s}x", objects[i]);
        assert_int_equal(scan(text, size + 2, &used), HEARTH_JSON_SCAN_DONE);
        assert_int_equal(used, size);
    }
}

static void what_breaks_an_object_is_found_at_its_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {{"x", 0},           {" {}", 0},          {"[1]", 0},
                 {"{,", 1},          {"{a", 1},           {"{\"a\"}", 4},
                 {"{\"a\":}", 5},    {"{\"a\":01}", 6},   {"{\"a\":1,}", 7},
                 {"{\"a\":1]", 6},   {"{\"a\":[1}", 7},   {"{\"a\":-}", 6},
                 {"{\"a\":1.}", 7},  {"{\"a\":1e}", 7},   {"{\"a\":tru}", 8},
                 {"{\"a\":\"\n", 6}, {"{\"a\":\"\\x", 7}, {"{\"a\":\"\\u12g", 10},
                 {"{\"a\":[1,]", 8}, {"{\"a\":1e+-", 8}};
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        size_t used = 0;
        assert_int_equal(scan(cases[i].text, strlen(cases[i].text), &used), HEARTH_JSON_SCAN_BAD);
        assert_int_equal(used, cases[i].at);
    }
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    char text[2 * HEARTH_JSON_SCAN_DEPTH + 8] = "{\"a\":";
    size_t used = 0;
    memset(text + 5, '[', HEARTH_JSON_SCAN_DEPTH);
    assert_int_equal(scan(text, 5 + HEARTH_JSON_SCAN_DEPTH - 1, &used), HEARTH_JSON_SCAN_MORE);
    assert_int_equal(scan(text, 5 + HEARTH_JSON_SCAN_DEPTH, &used), HEARTH_JSON_SCAN_BAD);
    assert_int_equal(used, 5 + HEARTH_JSON_SCAN_DEPTH - 1);
}

/* Random bytes of an alphabet that makes JSON likely: both see the same as an object. */
static void agrees(struct kit_random *random, void *context)
{
    static const char alphabet[] = "{}[]\"\":,,01-.eE truefalsn\\u\"{}";
    static const char *const starts[] = {"{", "{\"a\":", "{\"a\":[1,",
                                         "{\"a\":{\"b\":", "{\"a\":-1."};
    char text[24];
    (void)context;
    size_t size = (size_t)snprintf(text, sizeof text, "%s",
                                   starts[kit_random_below(random, HEARTH_COUNT(starts))]);
    while (size < sizeof text && kit_random_below(random, 12) > 0) {
        text[size++] = alphabet[kit_random_below(random, sizeof alphabet - 1)];
    }
    size_t used = 0;
    enum hearth_json_scan_end end = scan(text, size, &used);
    yyjson_doc *doc = yyjson_read(text, used, 0);
    assert_int_equal(doc != NULL, end == HEARTH_JSON_SCAN_DONE);
    yyjson_doc_free(doc);
    if (end != HEARTH_JSON_SCAN_DONE) { /* and no other part at its beginning is one */
        for (size_t part = 1; part <= size; part++) {
            doc = yyjson_read(text, part, 0);
            assert_null(doc);
        }
    }
}

static void it_agrees_with_a_parser_of_the_whole(void **state)
{
    (void)state;
    kit_property(20000, agrees, NULL);
}

KIT_MAIN(cmocka_unit_test(objects_end_where_they_end),
         cmocka_unit_test(what_breaks_an_object_is_found_at_its_byte),
         cmocka_unit_test(depth_has_a_limit),
         cmocka_unit_test(it_agrees_with_a_parser_of_the_whole))
