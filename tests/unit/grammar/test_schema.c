/* What a JSON schema allows, and how it is refused. */

#include "grammar_kit.h"

static void refused(const char *text, int code, const char *says)
{
    struct hearth_grammar *grammar = NULL;
    struct hearth_error err = {0};
    assert_int_equal(hearth_grammar_schema(hearth_slice_of_string(text), &grammar, &err), code);
    assert_string_equal(err.text, says);
    assert_null(grammar);
}

static void members_come_in_order_and_optional_ones_may_be_left_out(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher = given_schema(
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},"
        "\"b\":{\"type\":\"boolean\"},\"c\":{\"type\":\"null\"}},\"required\":[\"b\"]}");
    assert_answer(matcher, "{\"a\":1,\"b\":true,\"c\":null}");
    assert_answer(matcher, "{\"a\": -12, \"b\": false}");
    assert_answer(matcher, "{\"b\":true}");
    assert_no_answer(matcher, "{\"a\":1}");
    assert_no_answer(matcher, "{}");
    assert_no_answer(matcher, "{\"b\":true,\"a\":1}");
    assert_no_answer(matcher, "{\"b\":true,}");
    assert_no_answer(matcher, "{,\"b\":true}");
    assert_no_answer(matcher, "{\"b\":  true}");
    assert_no_answer(matcher, "{\"b\":true,\"d\":1}");
    hearth_matcher_destroy(matcher);
}

static void other_members_never_bear_a_known_name(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher =
        given_schema("{\"properties\":{\"ab\":{\"type\":\"integer\"},\"\xC3\xA9\":{\"const\":1}},"
                     "\"additionalProperties\":{\"type\":\"string\"}}");
    assert_answer(
        matcher, "{\"ab\":1,\"\xC3\xA9\":1,\"a\":\"x\",\"abc\":\"\",\"\xC3\xA8\":\"y\",\"\":\"\"}");
    assert_answer(matcher, "{}");
    assert_no_answer(matcher, "{\"ab\":\"x\"}");
    assert_no_answer(matcher, "{\"\xC3\xA9\":\"x\"}");
    assert_no_answer(matcher, "{\"\\u0061b\":\"x\"}");
    assert_no_answer(matcher, "{\"a\":1}");
    hearth_matcher_destroy(matcher);
}

static void numbers_keep_to_their_limits(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher =
        given_schema("{\"type\":\"integer\",\"minimum\":-17,\"exclusiveMaximum\":205}");
    for (int value = -230; value <= 230; value++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", value);
        assert_int_equal(is_answer(matcher, text), value >= -17 && value < 205);
    }
    assert_no_answer(matcher, "007");
    assert_no_answer(matcher, "-0");
    hearth_matcher_destroy(matcher);
    matcher = given_schema("{\"type\":\"number\",\"exclusiveMinimum\":-2,\"maximum\":12}");
    static const struct {
        const char *text;
        bool is;
    } cases[] = {{"-1.999", true}, {"-2", false},    {"-2.0", false}, {"-0.5", true},
                 {"0", true},      {"0.25", true},   {"11.99", true}, {"12", true},
                 {"12.0", true},   {"12.01", false}, {"13", false},   {"-3", false},
                 {"9", true},      {"1.", false},    {".5", false}};
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        assert_int_equal(is_answer(matcher, cases[i].text), cases[i].is);
    }
    hearth_matcher_destroy(matcher);
}

static void strings_are_counted_in_characters(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher =
        given_schema("{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}");
    assert_answer(matcher, "\"ab\"");
    assert_answer(matcher, "\"\xE6\xBC\xA2\xF0\x9F\x98\x80x\"");
    assert_answer(matcher, "\"\\u00e9\\n\"");
    assert_no_answer(matcher, "\"a\"");
    assert_no_answer(matcher, "\"abcd\"");
    assert_no_answer(matcher, "\"\\ud800a\"");
    assert_no_answer(matcher, "\"a\nb\"");
    hearth_matcher_destroy(matcher);
}

static void patterns_hold_for_what_stands_in_the_quotes(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher =
        given_schema("{\"type\":\"string\",\"pattern\":\"^(\\\\d{3}-)+[a-f\\\"]?$\"}");
    assert_answer(matcher, "\"123-456-a\"");
    assert_answer(matcher, "\"123-\\\"\"");
    assert_no_answer(matcher, "\"123\"");
    assert_no_answer(matcher, "\"123-g\"");
    hearth_matcher_destroy(matcher);
    matcher = given_schema("{\"pattern\":\"x|^y\"}");
    assert_answer(matcher, "\"aaxbb\"");
    assert_answer(matcher, "\"yb\"");
    assert_no_answer(matcher, "\"ay\"");
    hearth_matcher_destroy(matcher);
    matcher = given_schema("{\"type\":\"string\",\"format\":\"date\"}");
    assert_answer(matcher, "\"2024-12-31\"");
    assert_no_answer(matcher, "\"2024-11-31\"");
    assert_no_answer(matcher, "\"0000-01-01\"");
    hearth_matcher_destroy(matcher);
}

static void arrays_have_a_prefix_and_a_length(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher = given_schema(
        "{\"prefixItems\":[{\"const\":1},{\"const\":2}],\"items\":{\"const\":3},\"minItems\":1,"
        "\"maxItems\":4}");
    assert_answer(matcher, "[1]");
    assert_answer(matcher, "[1,2]");
    assert_answer(matcher, "[1, 2, 3,3]");
    assert_no_answer(matcher, "[]");
    assert_no_answer(matcher, "[1,3]");
    assert_no_answer(matcher, "[1,2,3,3,3]");
    hearth_matcher_destroy(matcher);
    matcher = given_schema("{\"prefixItems\":[{\"const\":1},{\"const\":2}],\"items\":false,"
                           "\"minItems\":2}");
    assert_answer(matcher, "[1,2]");
    assert_no_answer(matcher, "[1]");
    assert_no_answer(matcher, "[1,2,3]");
    hearth_matcher_destroy(matcher);
}

static void schemas_combine(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher = given_schema(
        "{\"allOf\":[{\"$ref\":\"#/$defs/a\"},{\"properties\":{\"x\":{\"maximum\":9},"
        "\"y\":{\"enum\":[\"p\",null,1]}},\"required\":[\"x\"]}],\"$defs\":{\"a\":{\"type\":"
        "\"object\",\"properties\":{\"x\":{\"type\":\"integer\",\"minimum\":5}}}}}");
    assert_answer(matcher, "{\"x\":5}");
    assert_answer(matcher, "{\"x\":9,\"y\":\"p\"}");
    assert_answer(matcher, "{\"x\":9,\"y\":null}");
    assert_no_answer(matcher, "{\"x\":4}");
    assert_no_answer(matcher, "{\"x\":10}");
    assert_no_answer(matcher, "{\"y\":1}");
    hearth_matcher_destroy(matcher);
    matcher = given_schema("{\"type\":[\"integer\",\"null\",\"string\"],\"anyOf\":["
                           "{\"type\":\"integer\",\"maximum\":3,"
                           "\"minimum\":2},{\"type\":\"null\"},{\"const\":\"a\"}]}");
    assert_answer(matcher, "3");
    assert_answer(matcher, "null");
    assert_answer(matcher, "\"a\"");
    assert_no_answer(matcher, "4");
    assert_no_answer(matcher, "\"b\"");
    hearth_matcher_destroy(matcher);
}

static void the_last_of_many_schemas_holds_like_the_first(void **state HEARTH_UNUSED)
{
    char text[2048];
    size_t size = (size_t)snprintf(text, sizeof text, "{\"type\":\"integer\",\"allOf\":[");
    for (int i = 0; i < 24; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "{\"minimum\":%d},", i);
    }
    (void)snprintf(text + size, sizeof text - size,
                   "{\"oneOf\":[{\"maximum\":30},{\"minimum\":40,\"maximum\":50}]}]}");
    struct hearth_matcher *matcher = given_schema(text);
    for (int value = 0; value < 60; value++) {
        (void)snprintf(text, sizeof text, "%d", value);
        assert_int_equal(is_answer(matcher, text),
                         (value >= 23 && value <= 30) || (value >= 40 && value <= 50));
    }
    hearth_matcher_destroy(matcher);
}

static void schemas_refer_to_themselves(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher =
        given_schema("{\"$ref\":\"#/$defs/tree\",\"$defs\":{\"tree\":{\"type\":\"object\","
                     "\"properties\":{\"v\":"
                     "{\"type\":\"integer\"},\"kids\":{\"type\":\"array\","
                     "\"items\":{\"$ref\":\"#/$defs/tree\"}}},"
                     "\"required\":[\"v\",\"kids\"],\"additionalProperties\":false}}}");
    assert_answer(matcher, "{\"v\":1,\"kids\":[{\"v\":2,\"kids\":[]},{\"v\":3,\"kids\":[]}]}");
    assert_no_answer(matcher, "{\"v\":1,\"kids\":[{\"v\":2}]}");
    assert_true(takes(matcher, "{\"v\":1,\"kids\":[{\"v\":2"));
    assert_int_equal(hearth_matcher_distance(matcher), strlen(",\"kids\":[]}]}"));
    uint8_t room[64];
    assert_int_equal(hearth_matcher_closing(matcher, room, sizeof room), strlen(",\"kids\":[]}]}"));
    assert_memory_equal(room, ",\"kids\":[]}]}", strlen(",\"kids\":[]}]}"));
    hearth_matcher_destroy(matcher);
}

static void references_are_read_with_their_escapes(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher =
        given_schema("{\"$ref\":\"#/$defs/a~1b%20%7E0\",\"$defs\":{\"a/b ~\":{\"const\":7}}}");
    assert_answer(matcher, "7");
    assert_no_answer(matcher, "8");
    hearth_matcher_destroy(matcher);
}

static void any_value_is_any_json(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher = given_schema("true");
    assert_answer(matcher, "{\"a\":[1,-2.5e+10,{\"b\":null}],\"c\":\"\\ud7ff\"}");
    assert_answer(matcher, "[]");
    assert_no_answer(matcher, "[1,]");
    assert_no_answer(matcher, "nul");
    hearth_matcher_destroy(matcher);
}

static void forced_bytes_are_those_of_required_members(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher =
        given_schema("{\"properties\":{\"name\":{\"enum\":[\"alpha\",\"alps\"]}},"
                     "\"required\":[\"name\"]}");
    uint8_t room[64];
    assert_int_equal(hearth_matcher_forced(matcher, room, sizeof room), 8);
    assert_memory_equal(room, "{\"name\":", 8);
    assert_true(takes(matcher, "{\"name\":\""));
    assert_int_equal(hearth_matcher_forced(matcher, room, sizeof room), 3);
    assert_int_equal(hearth_matcher_forced(matcher, room, 2), 2);
    assert_memory_equal(room, "alp", 3);
    hearth_matcher_destroy(matcher);
}

static void what_is_not_known_is_refused_by_its_place(void **state HEARTH_UNUSED)
{
    refused("{\"properties\":{\"a\":{\"not\":{}}}}", HEARTH_E_UNSUPPORTED,
            "schema at \"/properties/a/not\": this keyword is not supported");
    refused("{\"items\":[{}]}", HEARTH_E_UNSUPPORTED,
            "schema at \"/items\": a list of items is not supported: write prefixItems");
    refused("{\"$ref\":\"#/$defs/x\"}", HEARTH_E_INPUT_INVALID,
            "schema at \"/$ref\": this reference leads nowhere");
    refused("{\"$ref\":\"#\"}", HEARTH_E_INPUT_INVALID, "schema at \"\": this refers to itself");
    refused("{\"$ref\":\"#/$defs/p\",\"$defs\":{\"p\":{\"anyOf\":[{\"const\":1},{\"$ref\":"
            "\"#/$defs/q\"}]},\"q\":{\"anyOf\":[{\"const\":2},{\"$ref\":\"#/$defs/p\"}]}}}",
            HEARTH_E_INPUT_INVALID, "schema at \"/$defs/p\": this refers to itself");
    refused("{\"format\":\"hostname\"}", HEARTH_E_UNSUPPORTED,
            "schema at \"/format\": this format is not supported");
    refused(
        "{\"type\":\"string\",\"pattern\":\"a(?=b)\"}", HEARTH_E_UNSUPPORTED,
        "schema at \"/pattern\": byte 3 of the pattern: of groups with (? only (?: is supported");
    refused("{\"enum\":[1],\"minimum\":0}", HEARTH_E_UNSUPPORTED,
            "schema at \"/minimum\": this keyword is not supported beside enum or const");
    refused("{\"type\":\"strin\"}", HEARTH_E_INPUT_INVALID,
            "schema at \"/type\": this is not the name of a type");
    refused("{\"type\":\"number\",\"minimum\":0.5}", HEARTH_E_UNSUPPORTED,
            "schema at \"/minimum\": limits of numbers with a fraction are not supported");
    refused("{\"a\":1", HEARTH_E_INPUT_INVALID,
            "the schema is not JSON: unexpected end of data at byte 6");
    refused("false", HEARTH_E_INPUT_INVALID, "no answer can follow the grammar to an end");
    refused("{\"type\":\"string\",\"type\":\"null\"}", HEARTH_E_INPUT_INVALID,
            "schema at \"/type\": this keyword is there twice");
}

static void a_value_that_cannot_be_is_never_begun(void **state HEARTH_UNUSED)
{
    struct hearth_matcher *matcher =
        given_schema("{\"properties\":{\"a\":false,\"b\":{\"type\":\"string\",\"minLength\":3,"
                     "\"maxLength\":2},\"c\":{\"const\":1}}}");
    assert_answer(matcher, "{}");
    assert_answer(matcher, "{\"c\":1}");
    assert_false(takes(matcher, "{\"a"));
    assert_false(takes(matcher, "{\"b"));
    hearth_matcher_destroy(matcher);
}

static void a_deep_schema_is_refused(void **state HEARTH_UNUSED)
{
    static char text[HEARTH_GRAMMAR_MAX_SOURCE_BYTES + 1];
    memset(text, '[', sizeof text - 1);
    refused(text, HEARTH_E_TOO_LARGE, "the schema nests more than 192 levels deep");
}

KIT_MAIN(cmocka_unit_test(members_come_in_order_and_optional_ones_may_be_left_out),
         cmocka_unit_test(other_members_never_bear_a_known_name),
         cmocka_unit_test(numbers_keep_to_their_limits),
         cmocka_unit_test(strings_are_counted_in_characters),
         cmocka_unit_test(patterns_hold_for_what_stands_in_the_quotes),
         cmocka_unit_test(arrays_have_a_prefix_and_a_length), cmocka_unit_test(schemas_combine),
         cmocka_unit_test(the_last_of_many_schemas_holds_like_the_first),
         cmocka_unit_test(schemas_refer_to_themselves),
         cmocka_unit_test(references_are_read_with_their_escapes),
         cmocka_unit_test(any_value_is_any_json),
         cmocka_unit_test(forced_bytes_are_those_of_required_members),
         cmocka_unit_test(what_is_not_known_is_refused_by_its_place),
         cmocka_unit_test(a_value_that_cannot_be_is_never_begun),
         cmocka_unit_test(a_deep_schema_is_refused))
