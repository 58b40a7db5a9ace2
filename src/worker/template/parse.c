/* parse.c — statements. */

#include "node.h"

#include <stdio.h>

static struct node *parse_statement(struct parser *parser);

/* `safe` changes nothing where nothing is escaped, but what it gives mixes with other texts in ways
 * of its own; so it may only stand last in an output. */
static struct node *without_safe(struct node *node)
{
    return node != NULL && node->kind == N_FILTER &&
                   hearth_slice_equals_string(node->name, "safe") && node->b == NULL
               ? node->a
               : node;
}

static struct node *parse_output(struct parser *parser)
{
    jinja_advance(parser);
    struct node *value = without_safe(jinja_parse_tuple(parser, true, false));
    if (parser->token.kind != T_OUTPUT_END) {
        jinja_parse_fail(parser, "the end of the output is expected");
    }
    struct node *node = jinja_node(parser, N_OUTPUT, value, NULL);
    jinja_advance(parser);
    return node;
}

static bool is_end(struct parser *parser, const char *const *ends)
{
    for (; *ends != NULL; ends++) {
        if (jinja_at_name(parser, *ends)) {
            return true;
        }
    }
    return false;
}

/* Up to a tag that begins with one of @ends (a list that ends with NULL); stands at that name. */
static struct node *parse_body(struct parser *parser, const char *const *ends)
{
    struct node_list list = {0};
    if (!jinja_dive(parser)) {
        return NULL;
    }
    while (parser->rc == 0) {
        struct node *node = NULL;
        if (parser->token.kind == T_TEXT) {
            node = jinja_node(parser, N_TEXT, NULL, NULL);
            if (node != NULL) {
                node->constant = jinja_text(parser->token.text, false);
            }
            jinja_advance(parser);
        } else if (parser->token.kind == T_OUTPUT_BEGIN) {
            node = parse_output(parser);
        } else if (parser->token.kind == T_BLOCK_BEGIN) {
            jinja_advance(parser);
            if (is_end(parser, ends)) {
                break;
            }
            node = parse_statement(parser);
        } else {
            break;
        }
        jinja_list_add(&list, node);
    }
    if (parser->token.kind == T_END && ends[0] != NULL) {
        jinja_parse_fail(parser, "the template ends where \"%s\" is expected", ends[0]);
    }
    jinja_rise(parser);
    return list.first;
}

static void end_block(struct parser *parser)
{
    if (parser->token.kind != T_BLOCK_END) {
        jinja_parse_fail(parser, "the end of the block is expected");
    }
    jinja_advance(parser);
}

/* A body behind the rest of its tag. */
static struct node *parse_block(struct parser *parser, const char *const *ends)
{
    (void)jinja_skip_sign(parser, ":");
    end_block(parser);
    return parse_body(parser, ends);
}

/* A body that has one end, which is passed over. */
static struct node *parse_whole(struct parser *parser, const char *end)
{
    const char *const ends[] = {end, NULL};
    struct node *body = parse_block(parser, ends);
    jinja_advance(parser);
    end_block(parser);
    return body;
}

static struct node *with_body(struct parser *parser, struct node *node, struct node *body)
{
    if (node != NULL) {
        node->d = body;
    }
    return jinja_adopt(parser, node, body);
}

/* ── if, for ─────────────────────────────────────────────────────────────────────────────────── */

static struct node *parse_if(struct parser *parser)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    struct node_list branches = {0};
    do {
        struct node *condition = jinja_parse_tuple(parser, false, false);
        struct node *body = parse_block(parser, ends);
        jinja_list_add(&branches, jinja_node(parser, N_BRANCH, condition, body));
    } while (jinja_skip_name(parser, "elif"));
    if (jinja_skip_name(parser, "else")) {
        struct node *body = parse_block(parser, ends + 2);
        jinja_list_add(&branches, jinja_node(parser, N_BRANCH, NULL, body));
    }
    if (!jinja_skip_name(parser, "endif")) {
        jinja_parse_fail(parser, "\"endif\" is expected");
    }
    end_block(parser);
    return jinja_node(parser, N_IF, branches.first, NULL);
}

static struct node *parse_for(struct parser *parser)
{
    static const char *const ends[] = {"endfor", "else", NULL};
    struct node *target = jinja_parse_target(parser, false);
    if (!jinja_skip_name(parser, "in")) {
        jinja_parse_fail(parser, "\"in\" is expected");
    }
    struct node *over = jinja_parse_tuple(parser, false, false);
    struct node *node = jinja_node(parser, N_FOR, target, over);
    struct node *filter =
        jinja_skip_name(parser, "if") ? jinja_parse_expression(parser, true) : NULL;
    if (jinja_at_name(parser, "recursive")) {
        jinja_parse_fail(parser, "recursive loops are not supported");
    }
    parser->loops++;
    struct node *body = parse_block(parser, ends);
    parser->loops--;
    struct node *otherwise = NULL;
    if (jinja_skip_name(parser, "else")) {
        const char *const end[] = {"endfor", NULL};
        otherwise = parse_block(parser, end);
    }
    if (!jinja_skip_name(parser, "endfor")) {
        jinja_parse_fail(parser, "\"endfor\" is expected");
    }
    end_block(parser);
    if (node != NULL) {
        node->c = filter;
        node->e = otherwise;
        (void)jinja_adopt(parser, jinja_adopt(parser, node, filter), otherwise);
    }
    return with_body(parser, node, body);
}

static struct node *parse_jump(struct parser *parser, enum node_kind kind)
{
    if (parser->loops == 0) {
        jinja_parse_fail(parser, "break and continue belong into a loop");
    }
    end_block(parser);
    return jinja_node(parser, kind, NULL, NULL);
}

/* ── set, with, macro, call, filter ──────────────────────────────────────────────────────────── */

static struct node *parse_set(struct parser *parser)
{
    struct node *target = jinja_parse_target(parser, true);
    if (jinja_skip_sign(parser, "=")) {
        struct node *value = jinja_parse_tuple(parser, true, false);
        struct node *node = jinja_node(parser, N_SET, target, value);
        end_block(parser);
        return node;
    }
    struct node *filters =
        jinja_at_sign(parser, "|") ? jinja_parse_filters(parser, NULL, false) : NULL;
    struct node *node = jinja_node(parser, N_SET_BLOCK, target, filters);
    return with_body(parser, node, parse_whole(parser, "endset"));
}

static struct node *parse_with(struct parser *parser)
{
    struct node_list sets = {0};
    while (parser->rc == 0 && parser->token.kind != T_BLOCK_END) {
        struct node *target = jinja_name_node(parser, N_NAME, jinja_expect_name(parser));
        jinja_expect_sign(parser, "=");
        struct node *value = jinja_parse_expression(parser, true);
        jinja_list_add(&sets, jinja_node(parser, N_SET, target, value));
        if (parser->token.kind != T_BLOCK_END) {
            jinja_expect_sign(parser, ",");
        }
    }
    struct node *node = jinja_node(parser, N_SCOPE, sets.first, NULL);
    return with_body(parser, node, parse_whole(parser, "endwith"));
}

static struct node *parse_parameters(struct parser *parser)
{
    struct node_list list = {0};
    bool has_defaults = false;
    jinja_expect_sign(parser, "(");
    while (parser->rc == 0 && !jinja_at_sign(parser, ")")) {
        struct node *node = jinja_name_node(parser, N_PARAMETER, jinja_expect_name(parser));
        bool has_default = jinja_skip_sign(parser, "=");
        if (has_defaults && !has_default) {
            jinja_parse_fail(parser, "a parameter without a default follows one with a default");
        }
        has_defaults = has_default;
        if (has_default && node != NULL) {
            node->a = jinja_parse_expression(parser, true);
            (void)jinja_adopt(parser, node, node->a);
        }
        jinja_list_add(&list, node);
        if (!jinja_at_sign(parser, ")")) {
            jinja_expect_sign(parser, ",");
        }
    }
    jinja_expect_sign(parser, ")");
    if (list.count > JINJA_MAX_ARGUMENTS) {
        jinja_parse_fail(parser, "a macro with more than %u parameters", JINJA_MAX_ARGUMENTS);
    }
    return list.first;
}

/* Loops around a macro are not its own; neither does it break out of them. */
static struct node *parse_macro_body(struct parser *parser, struct node *macro, const char *end)
{
    unsigned loops = parser->loops;
    struct node *before = parser->template->newest;
    parser->loops = 0;
    struct node *body = parse_whole(parser, end);
    parser->loops = loops;
    for (struct node *node = parser->template->newest; node != before && macro != NULL;
         node = node->earlier) {
        macro->wants_caller =
            macro->wants_caller ||
            (node->kind == N_NAME && hearth_slice_equals_string(node->name, "caller"));
    }
    return with_body(parser, macro, body);
}

static struct node *parse_macro(struct parser *parser)
{
    struct node *macro = jinja_name_node(parser, N_MACRO, jinja_expect_name(parser));
    struct node *parameters = parse_parameters(parser);
    if (macro != NULL) {
        macro->a = parameters;
        (void)jinja_adopt(parser, macro, parameters);
    }
    return parse_macro_body(parser, macro, "endmacro");
}

static struct node *parse_call_block(struct parser *parser)
{
    struct node *parameters = jinja_at_sign(parser, "(") ? parse_parameters(parser) : NULL;
    struct node *call = jinja_parse_expression(parser, true);
    if (parser->rc == 0 && call->kind != N_CALL) {
        jinja_parse_fail(parser, "a call is expected");
    }
    struct node *macro = jinja_name_node(parser, N_MACRO, hearth_slice_of_string("caller"));
    if (macro != NULL) {
        macro->a = parameters;
    }
    macro = parse_macro_body(parser, jinja_adopt(parser, macro, parameters), "endcall");
    return jinja_node(parser, N_CALL_BLOCK, call, macro);
}

static struct node *parse_filter_block(struct parser *parser)
{
    struct node *node =
        jinja_node(parser, N_FILTER_BLOCK, jinja_parse_filters(parser, NULL, true), NULL);
    return with_body(parser, node, parse_whole(parser, "endfilter"));
}

static struct node *parse_generation(struct parser *parser)
{
    return with_body(parser, jinja_node(parser, N_GROUP, NULL, NULL),
                     parse_whole(parser, "endgeneration"));
}

static struct node *parse_break(struct parser *parser)
{
    return parse_jump(parser, N_BREAK);
}

static struct node *parse_continue(struct parser *parser)
{
    return parse_jump(parser, N_CONTINUE);
}

static struct node *parse_statement(struct parser *parser)
{
    static const struct {
        const char *name;
        struct node *(*parse)(struct parser *parser);
    } statements[] = {
        {"if", parse_if},
        {"for", parse_for},
        {"set", parse_set},
        {"with", parse_with},
        {"macro", parse_macro},
        {"call", parse_call_block},
        {"filter", parse_filter_block},
        {"generation", parse_generation},
        {"break", parse_break},
        {"continue", parse_continue},
    };
    struct hearth_slice name = jinja_expect_name(parser);
    for (size_t i = 0; i < HEARTH_COUNT(statements); i++) {
        if (hearth_slice_equals_string(name, statements[i].name)) {
            return statements[i].parse(parser);
        }
    }
    jinja_parse_fail(parser, "the statement \"%.*s\" is not supported", HEARTH_SLICE_ARGS(name));
    return NULL;
}

int jinja_parse(struct hearth_template *template, struct hearth_slice source,
                struct hearth_error *err)
{
    static const char *const none[] = {NULL};
    struct parser parser = {.template = template, .err = err};
    int rc = jinja_lex_begin(&parser.lexer, template, source, err);
    if (rc < 0) {
        return rc;
    }
    jinja_advance(&parser);
    template->body = parse_body(&parser, none);
    if (parser.rc == 0 && parser.lexer.rc == 0 && parser.token.kind != T_END) {
        jinja_parse_fail(&parser, "the template goes on where its end is expected");
    }
    return parser.rc < 0 ? parser.rc : parser.lexer.rc;
}
