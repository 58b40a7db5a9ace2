/* test.c — what can be asked with `is`. */

#include "value.h"

#include <utf8proc.h>

#define TEST(name)                                                                                 \
    static bool name(struct hearth_template_context *context, struct value value, struct value with)

/* Most of them ask for the kind alone. */
#define KIND_TEST(name, claim)                                                                     \
    TEST(name)                                                                                     \
    {                                                                                              \
        (void)context;                                                                             \
        (void)with;                                                                                \
        return claim;                                                                              \
    }

KIND_TEST(is_defined, value.kind != V_UNDEFINED)
KIND_TEST(is_undefined, value.kind == V_UNDEFINED)
KIND_TEST(is_none, value.kind == V_NONE)
KIND_TEST(is_string, value.kind == V_TEXT)
KIND_TEST(is_number, jinja_is_number(value))
KIND_TEST(is_integer, value.kind == V_INT)
KIND_TEST(is_float, value.kind == V_FLOAT)
KIND_TEST(is_boolean, value.kind == V_BOOL)
KIND_TEST(is_true, value.kind == V_BOOL && value.as.is_true)
KIND_TEST(is_false, value.kind == V_BOOL && !value.as.is_true)
KIND_TEST(is_mapping, value.kind == V_DICT)
KIND_TEST(is_iterable, jinja_is_sequence(value) || value.kind == V_TEXT || value.kind == V_DICT ||
                           value.kind == V_UNDEFINED || value.kind == V_LOOP)
KIND_TEST(is_sequence, value.kind == V_LIST || value.kind == V_TUPLE || value.kind == V_RANGE ||
                           value.kind == V_TEXT || value.kind == V_DICT ||
                           value.kind == V_UNDEFINED)
KIND_TEST(is_callable, value.kind >= V_LOOP || value.kind == V_UNDEFINED)
KIND_TEST(is_filter, value.kind == V_TEXT && jinja_find_filter(jinja_bytes(value)) != NULL)
KIND_TEST(is_test, value.kind == V_TEXT && jinja_find_test(jinja_bytes(value)) != NULL)

#define RELATION_TEST(name, op)                                                                    \
    TEST(name)                                                                                     \
    {                                                                                              \
        return jinja_relate(context, op, value, with);                                             \
    }
RELATION_TEST(is_equal, OP_EQUAL)
RELATION_TEST(is_not_equal, OP_NOT_EQUAL)
RELATION_TEST(is_less, OP_LESS)
RELATION_TEST(is_less_equal, OP_LESS_EQUAL)
RELATION_TEST(is_greater, OP_GREATER)
RELATION_TEST(is_greater_equal, OP_GREATER_EQUAL)
RELATION_TEST(is_in, OP_IN)

static bool leaves(struct hearth_template_context *context, struct value value,
                   struct value divisor, int64_t wanted)
{
    struct value rest = jinja_operate(context, OP_MODULO, value, divisor);
    return jinja_ok(context) && jinja_equal(context, rest, jinja_int(wanted));
}

TEST(is_odd)
{
    (void)with;
    return leaves(context, value, jinja_int(2), 1);
}

TEST(is_even)
{
    (void)with;
    return leaves(context, value, jinja_int(2), 0);
}

TEST(is_divisible)
{
    return leaves(context, value, with, 0);
}

/* Only of values that exist once. */
TEST(is_same)
{
    if (value.kind == V_TEXT || value.kind == V_INT || value.kind == V_FLOAT) {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "sameas of %s", jinja_kind_name(value));
        return false;
    }
    return value.kind == with.kind && jinja_equal(context, value, with);
}

/* At least one character has a case, and all that do have the wanted one. */
static bool has_case(struct hearth_template_context *context, struct value value,
                     utf8proc_category_t wanted, utf8proc_category_t other)
{
    struct value text = jinja_to_text(context, value);
    bool is_found = false;
    size_t size = 0;
    (void)jinja_spend_bytes(context, text.as.text.size);
    for (size_t at = 0; at < text.as.text.size; at += size) {
        uint32_t c = jinja_character(jinja_bytes(text), at, &size);
        utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
        if (category == other || category == UTF8PROC_CATEGORY_LT) {
            return false;
        }
        is_found = is_found || category == wanted;
    }
    return is_found;
}

TEST(is_upper)
{
    (void)with;
    return has_case(context, value, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LL);
}

TEST(is_lower)
{
    (void)with;
    return has_case(context, value, UTF8PROC_CATEGORY_LL, UTF8PROC_CATEGORY_LU);
}

static const struct jinja_test TESTS[] = {
    {"defined", 0, is_defined},
    {"undefined", 0, is_undefined},
    {"none", 0, is_none},
    {"string", 0, is_string},
    {"number", 0, is_number},
    {"integer", 0, is_integer},
    {"float", 0, is_float},
    {"boolean", 0, is_boolean},
    {"true", 0, is_true},
    {"false", 0, is_false},
    {"mapping", 0, is_mapping},
    {"iterable", 0, is_iterable},
    {"sequence", 0, is_sequence},
    {"callable", 0, is_callable},
    {"filter", 0, is_filter},
    {"test", 0, is_test},
    {"odd", 0, is_odd},
    {"even", 0, is_even},
    {"divisibleby", 1, is_divisible},
    {"sameas", 1, is_same},
    {"upper", 0, is_upper},
    {"lower", 0, is_lower},
    {"equalto", 1, is_equal},
    {"eq", 1, is_equal},
    {"==", 1, is_equal},
    {"ne", 1, is_not_equal},
    {"!=", 1, is_not_equal},
    {"lt", 1, is_less},
    {"<", 1, is_less},
    {"lessthan", 1, is_less},
    {"le", 1, is_less_equal},
    {"<=", 1, is_less_equal},
    {"gt", 1, is_greater},
    {">", 1, is_greater},
    {"greaterthan", 1, is_greater},
    {"ge", 1, is_greater_equal},
    {">=", 1, is_greater_equal},
    {"in", 1, is_in},
};

const struct jinja_test *jinja_find_test(struct hearth_slice name)
{
    for (size_t i = 0; i < HEARTH_COUNT(TESTS); i++) {
        if (hearth_slice_equals_string(name, TESTS[i].name)) {
            return &TESTS[i];
        }
    }
    return NULL;
}
