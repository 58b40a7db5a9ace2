/* node.c — making nodes, and what both parsers need. */

#include "node.h"

#include <stdarg.h>
#include <stdio.h>

void jinja_parse_fail(struct parser *parser, const char *format, ...)
{
    char text[HEARTH_ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (parser->rc == 0) {
        parser->rc =
            hearth_fail(parser->err, HEARTH_E_UNSUPPORTED, "line %u: %s", parser->token.line, text);
    }
    parser->token.kind = T_END;
    parser->has_ahead = false;
}

/* ── Tokens ──────────────────────────────────────────────────────────────────────────────────── */

static struct token take(struct parser *parser)
{
    struct token token = jinja_lex(&parser->lexer);
    if (parser->lexer.rc < 0 && parser->rc == 0) {
        parser->rc = parser->lexer.rc;
    }
    return token;
}

void jinja_advance(struct parser *parser)
{
    if (parser->rc < 0) {
        parser->token.kind = T_END;
        return;
    }
    parser->token = parser->has_ahead ? parser->ahead : take(parser);
    parser->has_ahead = false;
}

const struct token *jinja_look(struct parser *parser)
{
    if (!parser->has_ahead) {
        parser->ahead = take(parser);
        parser->has_ahead = true;
    }
    return &parser->ahead;
}

bool jinja_at_name(const struct parser *parser, const char *name)
{
    return parser->token.kind == T_NAME && hearth_slice_equals_string(parser->token.text, name);
}

bool jinja_at_sign(const struct parser *parser, const char *sign)
{
    return parser->token.kind == T_SIGN && hearth_slice_equals_string(parser->token.text, sign);
}

bool jinja_skip_name(struct parser *parser, const char *name)
{
    bool is_there = jinja_at_name(parser, name);
    if (is_there) {
        jinja_advance(parser);
    }
    return is_there;
}

bool jinja_skip_sign(struct parser *parser, const char *sign)
{
    bool is_there = jinja_at_sign(parser, sign);
    if (is_there) {
        jinja_advance(parser);
    }
    return is_there;
}

void jinja_expect_sign(struct parser *parser, const char *sign)
{
    if (!jinja_skip_sign(parser, sign)) {
        jinja_parse_fail(parser, "\"%s\" is expected", sign);
    }
}

struct hearth_slice jinja_expect_name(struct parser *parser)
{
    struct hearth_slice name = parser->token.text;
    if (parser->token.kind != T_NAME) {
        jinja_parse_fail(parser, "a name is expected");
        return hearth_slice_of("", 0);
    }
    jinja_advance(parser);
    return name;
}

bool jinja_dive(struct parser *parser)
{
    if (parser->depth >= parser->template->limits.depth) {
        jinja_parse_fail(parser, "nested deeper than the limit (depth %u)",
                         parser->template->limits.depth);
    }
    if (parser->rc < 0) {
        return false;
    }
    parser->depth++;
    return true;
}

void jinja_rise(struct parser *parser)
{
    parser->depth--;
}

/* ── Nodes ───────────────────────────────────────────────────────────────────────────────────── */

struct node *jinja_adopt(struct parser *parser, struct node *node, struct node *child)
{
    for (; node != NULL && child != NULL; child = child->next) {
        node->height = HEARTH_MAX(node->height, child->height + 1);
    }
    if (node != NULL && node->height > parser->template->limits.depth) {
        jinja_parse_fail(parser, "nested deeper than the limit (depth %u)",
                         parser->template->limits.depth);
    }
    return node;
}

struct node *jinja_node(struct parser *parser, enum node_kind kind, struct node *a, struct node *b)
{
    struct hearth_template *template = parser->template;
    if (template->node_count >= template->limits.nodes && parser->rc == 0) {
        parser->rc = hearth_fail(parser->err, HEARTH_E_TOO_LARGE,
                                 "line %u: the template has more nodes than the limit (nodes %zu)",
                                 parser->token.line, template->limits.nodes);
    }
    if (parser->rc < 0) {
        parser->token.kind = T_END;
        return NULL;
    }
    struct node *node = hearth_arena_alloc(&template->arena, 1, sizeof *node);
    if (node == NULL) {
        parser->rc = hearth_fail_oom(parser->err);
        return NULL;
    }
    node->kind = kind;
    node->line = parser->token.line;
    node->a = a;
    node->b = b;
    node->height = 1;
    node->earlier = template->newest;
    template->newest = node;
    template->node_count++;
    return jinja_adopt(parser, jinja_adopt(parser, node, a), b);
}

struct node *jinja_name_node(struct parser *parser, enum node_kind kind, struct hearth_slice name)
{
    struct node *node = jinja_node(parser, kind, NULL, NULL);
    if (node != NULL) {
        node->name = name;
        node->hash = jinja_hash_bytes(name);
    }
    return node;
}

void jinja_list_add(struct node_list *list, struct node *node)
{
    if (node == NULL) {
        return;
    }
    if (list->last == NULL) {
        list->first = node;
    } else {
        list->last->next = node;
    }
    list->last = node;
    list->count++;
}
