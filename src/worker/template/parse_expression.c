/* parse_expression.c — expressions, in the order of how strongly their operators bind. */

#include "node.h"

#include <stdio.h>

static struct node *parse_unary(struct parser *parser, bool with_filter);
static struct node *parse_or(struct parser *parser);

static struct node *constant(struct parser *parser, struct value value)
{
    struct node *node = jinja_node(parser, N_CONSTANT, NULL, NULL);
    if (node != NULL) {
        node->constant = value;
    }
    return node;
}

/* ── Primaries ───────────────────────────────────────────────────────────────────────────────── */

/* Neighbouring strings are one. */
static struct node *parse_string(struct parser *parser)
{
    struct hearth_slice text = parser->token.text;
    jinja_advance(parser);
    while (parser->token.kind == T_STRING) {
        struct hearth_slice more = parser->token.text;
        uint8_t *both = jinja_keep(&parser->lexer, text.size + more.size + 1, 1);
        if (both == NULL) {
            parser->rc = parser->lexer.rc;
            return NULL;
        }
        memcpy(both, text.data, text.size);
        memcpy(both + text.size, more.data, more.size);
        text = hearth_slice_of(both, text.size + more.size);
        jinja_advance(parser);
    }
    return constant(parser, jinja_text(text, false));
}

static struct node *parse_name(struct parser *parser)
{
    struct hearth_slice name = parser->token.text;
    static const struct {
        const char *name;
        enum value_kind kind;
        bool is_true;
    } words[] = {{"true", V_BOOL, true},   {"True", V_BOOL, true},  {"false", V_BOOL, false},
                 {"False", V_BOOL, false}, {"none", V_NONE, false}, {"None", V_NONE, false}};
    jinja_advance(parser);
    for (size_t i = 0; i < HEARTH_COUNT(words); i++) {
        if (hearth_slice_equals_string(name, words[i].name)) {
            return constant(parser,
                            words[i].kind == V_NONE ? jinja_none() : jinja_bool(words[i].is_true));
        }
    }
    static const char *const refused[] = {"self",   "super",  "varargs", "kwargs",
                                          "cycler", "joiner", "lipsum"};
    for (size_t i = 0; i < HEARTH_COUNT(refused); i++) {
        if (hearth_slice_equals_string(name, refused[i])) {
            jinja_parse_fail(parser, "the name \"%s\" is not supported", refused[i]);
        }
    }
    return jinja_name_node(parser, N_NAME, name);
}

static struct node *parse_list(struct parser *parser)
{
    struct node_list list = {0};
    jinja_expect_sign(parser, "[");
    while (parser->rc == 0 && !jinja_at_sign(parser, "]")) {
        jinja_list_add(&list, jinja_parse_expression(parser, true));
        if (!jinja_at_sign(parser, "]")) {
            jinja_expect_sign(parser, ",");
        }
    }
    jinja_expect_sign(parser, "]");
    return jinja_node(parser, N_LIST, list.first, NULL);
}

static struct node *parse_dict(struct parser *parser)
{
    struct node_list list = {0};
    jinja_expect_sign(parser, "{");
    while (parser->rc == 0 && !jinja_at_sign(parser, "}")) {
        struct node *key = jinja_parse_expression(parser, true);
        jinja_expect_sign(parser, ":");
        struct node *value = jinja_parse_expression(parser, true);
        jinja_list_add(&list, jinja_node(parser, N_PAIR, key, value));
        if (!jinja_at_sign(parser, "}")) {
            jinja_expect_sign(parser, ",");
        }
    }
    jinja_expect_sign(parser, "}");
    return jinja_node(parser, N_DICT, list.first, NULL);
}

static struct node *parse_primary(struct parser *parser)
{
    struct token token = parser->token;
    switch (token.kind) {
    case T_NAME: return parse_name(parser);
    case T_STRING: return parse_string(parser);
    case T_INT: jinja_advance(parser); return constant(parser, jinja_int(token.number));
    case T_FLOAT: jinja_advance(parser); return constant(parser, jinja_float(token.real));
    case T_SIGN:
        if (jinja_at_sign(parser, "[")) {
            return parse_list(parser);
        }
        if (jinja_at_sign(parser, "{")) {
            return parse_dict(parser);
        }
        if (jinja_skip_sign(parser, "(")) {
            struct node *node = jinja_parse_tuple(parser, true, true);
            jinja_expect_sign(parser, ")");
            return node;
        }
        break;
    case T_END:
    case T_TEXT:
    case T_BLOCK_BEGIN:
    case T_BLOCK_END:
    case T_OUTPUT_BEGIN:
    case T_OUTPUT_END: break;
    }
    jinja_parse_fail(parser, "an expression is expected");
    return NULL;
}

/* ── What follows a primary ──────────────────────────────────────────────────────────────────── */

static struct node *parse_argument(struct parser *parser, bool *has_names)
{
    if (jinja_at_sign(parser, "*") || jinja_at_sign(parser, "**")) {
        jinja_parse_fail(parser, "arguments from a list (*, **) are not supported");
        return NULL;
    }
    const struct token *ahead = jinja_look(parser);
    bool is_named = parser->token.kind == T_NAME && ahead->kind == T_SIGN &&
                    hearth_slice_equals_string(ahead->text, "=");
    if (!is_named) {
        if (*has_names) {
            jinja_parse_fail(parser, "an argument without a name follows one with a name");
        }
        return jinja_parse_expression(parser, true);
    }
    *has_names = true;
    struct hearth_slice name = jinja_expect_name(parser);
    jinja_advance(parser);
    struct node *node = jinja_name_node(parser, N_KEYWORD, name);
    struct node *value = jinja_parse_expression(parser, true);
    if (node != NULL) {
        node->a = value;
    }
    return jinja_adopt(parser, node, value);
}

static struct node *parse_arguments(struct parser *parser)
{
    struct node_list list = {0};
    bool has_names = false;
    jinja_expect_sign(parser, "(");
    while (parser->rc == 0 && !jinja_at_sign(parser, ")")) {
        jinja_list_add(&list, parse_argument(parser, &has_names));
        if (!jinja_at_sign(parser, ")")) {
            jinja_expect_sign(parser, ",");
        }
    }
    jinja_expect_sign(parser, ")");
    if (list.count > JINJA_MAX_ARGUMENTS) {
        jinja_parse_fail(parser, "a call with more than %u arguments", JINJA_MAX_ARGUMENTS);
    }
    return list.first;
}

static struct node *parse_call(struct parser *parser, struct node *callee)
{
    if (callee != NULL && callee->kind == N_ATTRIBUTE && !jinja_is_method(callee->name)) {
        jinja_parse_fail(parser, "the method \"%.*s\" is not supported",
                         HEARTH_SLICE_ARGS(callee->name));
    }
    struct node *arguments = parse_arguments(parser);
    return jinja_node(parser, N_CALL, callee, arguments);
}

static struct node *parse_attribute(struct parser *parser, struct node *of)
{
    if (parser->token.kind == T_INT) {
        struct node *key = constant(parser, jinja_int(parser->token.number));
        jinja_advance(parser);
        return jinja_node(parser, N_ITEM, of, key);
    }
    struct hearth_slice name = jinja_expect_name(parser);
    if (name.size > 1 && name.data[0] == '_' && name.data[1] == '_') {
        jinja_parse_fail(parser, "the attribute \"%.*s\" is not supported",
                         HEARTH_SLICE_ARGS(name));
    }
    struct node *node = jinja_name_node(parser, N_ATTRIBUTE, name);
    if (node != NULL) {
        node->a = of;
        node->constant = jinja_text(name, false);
    }
    return jinja_adopt(parser, node, of);
}

static struct node *parse_slice_part(struct parser *parser)
{
    if (jinja_at_sign(parser, ":") || jinja_at_sign(parser, "]")) {
        return NULL;
    }
    return jinja_parse_expression(parser, true);
}

static struct node *parse_subscript(struct parser *parser, struct node *of)
{
    struct node *key = parse_slice_part(parser);
    if (jinja_skip_sign(parser, ":")) {
        struct node *slice = jinja_node(parser, N_SLICE, key, parse_slice_part(parser));
        if (jinja_skip_sign(parser, ":") && slice != NULL) {
            slice->c = parse_slice_part(parser);
        }
        key = slice == NULL ? NULL : jinja_adopt(parser, slice, slice->c);
    } else if (key == NULL) {
        jinja_parse_fail(parser, "an index is expected");
    }
    jinja_expect_sign(parser, "]");
    return jinja_node(parser, N_ITEM, of, key);
}

static struct node *parse_postfix(struct parser *parser, struct node *node)
{
    while (parser->rc == 0) {
        if (jinja_skip_sign(parser, ".")) {
            node = parse_attribute(parser, node);
        } else if (jinja_skip_sign(parser, "[")) {
            node = parse_subscript(parser, node);
        } else if (jinja_at_sign(parser, "(")) {
            node = parse_call(parser, node);
        } else {
            break;
        }
    }
    return node;
}

/* ── Filters and tests ───────────────────────────────────────────────────────────────────────── */

struct node *jinja_parse_filters(struct parser *parser, struct node *value, bool is_first_named)
{
    while (parser->rc == 0 && (is_first_named || jinja_skip_sign(parser, "|"))) {
        is_first_named = false;
        struct hearth_slice name = jinja_expect_name(parser);
        const struct jinja_filter *filter = jinja_find_filter(name);
        if (filter == NULL) {
            jinja_parse_fail(parser, "the filter \"%.*s\" is not supported",
                             HEARTH_SLICE_ARGS(name));
        }
        struct node *arguments = jinja_at_sign(parser, "(") ? parse_arguments(parser) : NULL;
        value = jinja_node(parser, N_FILTER, value, arguments);
        if (value != NULL) {
            value->filter = filter;
            value->name = name;
        }
    }
    return value;
}

static bool begins_test_argument(const struct parser *parser)
{
    switch (parser->token.kind) {
    case T_NAME:
        return !jinja_at_name(parser, "else") && !jinja_at_name(parser, "or") &&
               !jinja_at_name(parser, "and");
    case T_STRING:
    case T_INT:
    case T_FLOAT: return true;
    case T_SIGN: return jinja_at_sign(parser, "[") || jinja_at_sign(parser, "{");
    case T_END:
    case T_TEXT:
    case T_BLOCK_BEGIN:
    case T_BLOCK_END:
    case T_OUTPUT_BEGIN:
    case T_OUTPUT_END: break;
    }
    return false;
}

static struct node *parse_test(struct parser *parser, struct node *value)
{
    bool is_negated = jinja_skip_name(parser, "not");
    struct hearth_slice name = jinja_expect_name(parser);
    const struct jinja_test *test = jinja_find_test(name);
    if (test == NULL) {
        jinja_parse_fail(parser, "the test \"%.*s\" is not supported", HEARTH_SLICE_ARGS(name));
    }
    struct node *arguments = NULL;
    if (jinja_at_sign(parser, "(")) {
        arguments = parse_arguments(parser);
    } else if (begins_test_argument(parser)) {
        if (jinja_at_name(parser, "is")) {
            jinja_parse_fail(parser, "tests cannot be chained with is");
        }
        arguments = parse_postfix(parser, parse_primary(parser));
    }
    bool is_named = arguments != NULL && (arguments->kind == N_KEYWORD || arguments->next != NULL);
    if (parser->rc == 0 && (is_named || (arguments != NULL) != (test->arguments > 0))) {
        jinja_parse_fail(parser, "the test \"%s\" takes %zu arguments", test->name,
                         test->arguments);
    }
    struct node *node = jinja_node(parser, N_TEST, value, arguments);
    if (node != NULL) {
        node->test = test;
    }
    return is_negated ? jinja_node(parser, N_NOT, node, NULL) : node;
}

static struct node *parse_filters_and_tests(struct parser *parser, struct node *node)
{
    while (parser->rc == 0) {
        if (jinja_at_sign(parser, "|")) {
            node = jinja_parse_filters(parser, node, false);
        } else if (jinja_skip_name(parser, "is")) {
            node = parse_test(parser, node);
        } else if (jinja_at_sign(parser, "(")) {
            node = parse_call(parser, node);
        } else {
            break;
        }
    }
    return node;
}

/* ── Operators ───────────────────────────────────────────────────────────────────────────────── */

static struct node *operation(struct parser *parser, enum node_kind kind, enum operation op,
                              struct node *a, struct node *b)
{
    struct node *node = jinja_node(parser, kind, a, b);
    if (node != NULL) {
        node->op = op;
    }
    return node;
}

static struct node *parse_unary(struct parser *parser, bool with_filter)
{
    if (!jinja_dive(parser)) {
        return NULL;
    }
    struct node *node = NULL;
    if (jinja_skip_sign(parser, "-")) {
        node = operation(parser, N_UNARY, OP_NEGATE, parse_unary(parser, false), NULL);
    } else if (jinja_skip_sign(parser, "+")) {
        node = operation(parser, N_UNARY, OP_PLUS, parse_unary(parser, false), NULL);
    } else {
        node = parse_primary(parser);
    }
    node = parse_postfix(parser, node);
    node = with_filter ? parse_filters_and_tests(parser, node) : node;
    jinja_rise(parser);
    return node;
}

static struct node *parse_power(struct parser *parser)
{
    struct node *left = parse_unary(parser, true);
    while (jinja_skip_sign(parser, "**")) {
        left = operation(parser, N_BINARY, OP_POWER, left, parse_unary(parser, true));
    }
    return left;
}

static bool skip_operator(struct parser *parser, const char *const *signs,
                          const enum operation *ops, size_t count, enum operation *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (jinja_skip_sign(parser, signs[i])) {
            *ret = ops[i];
            return true;
        }
    }
    return false;
}

static struct node *parse_product(struct parser *parser)
{
    static const char *const signs[] = {"*", "/", "//", "%"};
    static const enum operation ops[] = {OP_MULTIPLY, OP_DIVIDE, OP_FLOOR_DIVIDE, OP_MODULO};
    struct node *left = parse_power(parser);
    enum operation op;
    while (skip_operator(parser, signs, ops, HEARTH_COUNT(signs), &op)) {
        left = operation(parser, N_BINARY, op, left, parse_power(parser));
    }
    return left;
}

static struct node *parse_concat(struct parser *parser)
{
    struct node_list parts = {0};
    jinja_list_add(&parts, parse_product(parser));
    while (jinja_skip_sign(parser, "~")) {
        jinja_list_add(&parts, parse_product(parser));
    }
    return parts.count > 1 ? jinja_node(parser, N_CONCAT, parts.first, NULL) : parts.first;
}

static struct node *parse_sum(struct parser *parser)
{
    static const char *const signs[] = {"+", "-"};
    static const enum operation ops[] = {OP_ADD, OP_SUBTRACT};
    struct node *left = parse_concat(parser);
    enum operation op;
    while (skip_operator(parser, signs, ops, HEARTH_COUNT(signs), &op)) {
        left = operation(parser, N_BINARY, op, left, parse_concat(parser));
    }
    return left;
}

static bool is_not_in(struct parser *parser)
{
    if (!jinja_at_name(parser, "not")) {
        return false;
    }
    const struct token *ahead = jinja_look(parser);
    return ahead->kind == T_NAME && hearth_slice_equals_string(ahead->text, "in");
}

static bool skip_comparison(struct parser *parser, enum operation *ret)
{
    static const char *const signs[] = {"==", "!=", "<", "<=", ">", ">="};
    static const enum operation ops[] = {OP_EQUAL,      OP_NOT_EQUAL, OP_LESS,
                                         OP_LESS_EQUAL, OP_GREATER,   OP_GREATER_EQUAL};
    if (jinja_skip_name(parser, "in")) {
        *ret = OP_IN;
        return true;
    }
    if (is_not_in(parser)) {
        jinja_advance(parser);
        jinja_advance(parser);
        *ret = OP_NOT_IN;
        return true;
    }
    return skip_operator(parser, signs, ops, HEARTH_COUNT(signs), ret);
}

static struct node *parse_comparison(struct parser *parser)
{
    struct node *left = parse_sum(parser);
    struct node_list operands = {0};
    enum operation op;
    while (skip_comparison(parser, &op)) {
        jinja_list_add(&operands, operation(parser, N_OPERAND, op, parse_sum(parser), NULL));
    }
    return operands.count > 0 ? jinja_node(parser, N_COMPARE, left, operands.first) : left;
}

static struct node *parse_not(struct parser *parser)
{
    if (!jinja_at_name(parser, "not")) {
        return parse_comparison(parser);
    }
    if (!jinja_dive(parser)) {
        return NULL;
    }
    jinja_advance(parser);
    struct node *node = jinja_node(parser, N_NOT, parse_not(parser), NULL);
    jinja_rise(parser);
    return node;
}

static struct node *parse_and(struct parser *parser)
{
    struct node *left = parse_not(parser);
    while (jinja_skip_name(parser, "and")) {
        left = jinja_node(parser, N_AND, left, parse_not(parser));
    }
    return left;
}

static struct node *parse_or(struct parser *parser)
{
    struct node *left = parse_and(parser);
    while (jinja_skip_name(parser, "or")) {
        left = jinja_node(parser, N_OR, left, parse_and(parser));
    }
    return left;
}

struct node *jinja_parse_expression(struct parser *parser, bool with_condition)
{
    if (!jinja_dive(parser)) {
        return NULL;
    }
    struct node *then = parse_or(parser);
    while (with_condition && jinja_skip_name(parser, "if")) {
        struct node *condition = parse_or(parser);
        struct node *otherwise =
            jinja_skip_name(parser, "else") ? jinja_parse_expression(parser, true) : NULL;
        then = jinja_node(parser, N_CONDITION, condition, then);
        if (then != NULL) {
            then->c = otherwise;
            (void)jinja_adopt(parser, then, otherwise);
        }
    }
    jinja_rise(parser);
    return then;
}

/* ── Tuples and targets ──────────────────────────────────────────────────────────────────────── */

static bool is_tuple_end(const struct parser *parser)
{
    return parser->token.kind == T_OUTPUT_END || parser->token.kind == T_BLOCK_END ||
           parser->token.kind == T_END || jinja_at_sign(parser, ")") || jinja_at_name(parser, "in");
}

struct node *jinja_parse_tuple(struct parser *parser, bool with_condition, bool is_in_parentheses)
{
    struct node_list list = {0};
    bool is_tuple = false;
    while (parser->rc == 0 && !is_tuple_end(parser)) {
        jinja_list_add(&list, jinja_parse_expression(parser, with_condition));
        if (!jinja_skip_sign(parser, ",")) {
            break;
        }
        is_tuple = true;
    }
    if (!is_tuple && list.count > 0) {
        return list.first;
    }
    if (!is_tuple && !is_in_parentheses) {
        jinja_parse_fail(parser, "an expression is expected");
    }
    return jinja_node(parser, N_TUPLE, list.first, NULL);
}

static struct node *parse_target_part(struct parser *parser, bool with_member)
{
    if (jinja_skip_sign(parser, "(")) {
        struct node *node = NULL;
        if (jinja_dive(parser)) {
            node = jinja_parse_target(parser, false);
            jinja_rise(parser);
        }
        jinja_expect_sign(parser, ")");
        return node;
    }
    struct hearth_slice name = jinja_expect_name(parser);
    static const char *const words[] = {"true", "True", "false", "False", "none", "None", "loop"};
    for (size_t i = 0; i < HEARTH_COUNT(words); i++) {
        if (hearth_slice_equals_string(name, words[i])) {
            jinja_parse_fail(parser, "\"%s\" cannot be set", words[i]);
        }
    }
    if (!with_member || !jinja_skip_sign(parser, ".")) {
        return jinja_name_node(parser, N_NAME, name);
    }
    struct node *node = jinja_name_node(parser, N_MEMBER, name);
    struct hearth_slice attribute = jinja_expect_name(parser);
    if (node != NULL) {
        node->constant = jinja_text(attribute, false);
    }
    return node;
}

struct node *jinja_parse_target(struct parser *parser, bool with_member)
{
    struct node_list list = {0};
    bool is_tuple = false;
    while (parser->rc == 0 &&
           (list.count == 0 || !(is_tuple_end(parser) || jinja_at_sign(parser, "=")))) {
        jinja_list_add(&list, parse_target_part(parser, with_member));
        if (!jinja_skip_sign(parser, ",")) {
            break;
        }
        is_tuple = true;
    }
    return is_tuple ? jinja_node(parser, N_TUPLE, list.first, NULL) : list.first;
}
