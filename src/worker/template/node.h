/* node.h — private to this room: a parsed template and how it becomes one.
 *
 * One struct for all nodes keeps the parser short; which children a kind uses stands beside it.
 * Lists of nodes are linked by @next. A node knows its height, which is limited: whoever walks a
 * template recurses no deeper. */

#ifndef HEARTH_JINJA_NODE_H
#define HEARTH_JINJA_NODE_H

#include "value.h"

enum node_kind {
    /* Expressions. */
    N_CONSTANT,
    N_NAME,
    N_LIST,      /* a: elements */
    N_TUPLE,     /* a: elements */
    N_DICT,      /* a: pairs */
    N_PAIR,      /* a: key, b: value */
    N_ATTRIBUTE, /* a . name (a constant) */
    N_ITEM,      /* a [ b ] */
    N_SLICE,     /* as b of an item: a start, b stop, c step; each may be NULL */
    N_CALL,      /* a ( b: arguments ) */
    N_KEYWORD,   /* an argument: name = a */
    N_FILTER,    /* a | filter(b: arguments); a is NULL in a block: what the block collected */
    N_TEST,      /* a is test(b: argument) */
    N_NOT,       /* a */
    N_AND,       /* a, b */
    N_OR,        /* a, b */
    N_UNARY,     /* op a */
    N_BINARY,    /* a op b */
    N_COMPARE,   /* a, b: operands */
    N_OPERAND,   /* op a */
    N_CONCAT,    /* a: parts */
    N_CONDITION, /* b if a else c; c may be NULL */
    N_MEMBER,    /* as a target: name . attribute (a constant) */
    /* Statements. */
    N_TEXT,
    N_OUTPUT,       /* a */
    N_IF,           /* a: branches */
    N_BRANCH,       /* a: condition or NULL, b: body */
    N_FOR,          /* a: target, b: over, c: filter or NULL, d: body, e: otherwise */
    N_SET,          /* a: target, b: value */
    N_SET_BLOCK,    /* a: target, b: filters or NULL, d: body */
    N_MACRO,        /* a: parameters, d: body */
    N_PARAMETER,    /* name, a: default or NULL */
    N_CALL_BLOCK,   /* a: call, b: macro */
    N_FILTER_BLOCK, /* a: filters, d: body */
    N_SCOPE,        /* a: sets, d: body */
    N_GROUP,        /* d: body */
    N_BREAK,
    N_CONTINUE,
};

struct node {
    enum node_kind kind;
    enum operation op;
    uint32_t line;
    uint32_t height;
    uint32_t hash;     /* of the name */
    bool wants_caller; /* a macro whose body names `caller` */
    struct hearth_slice name;
    struct value constant;
    const struct jinja_filter *filter;
    const struct jinja_test *test;
    struct node *a;
    struct node *b;
    struct node *c;
    struct node *d;
    struct node *e;
    struct node *next;
    struct node *earlier; /* of all nodes of the template */
};

struct hearth_template {
    struct hearth_arena arena;
    struct hearth_template_limits limits;
    struct node *body;
    struct node *newest;
    size_t node_count;
};

/* ── Tokens (lex.c) ──────────────────────────────────────────────────────────────────────────── */

enum token_kind {
    T_END,
    T_TEXT,
    T_BLOCK_BEGIN,
    T_BLOCK_END,
    T_OUTPUT_BEGIN,
    T_OUTPUT_END,
    T_NAME,
    T_STRING,
    T_INT,
    T_FLOAT,
    T_SIGN, /* an operator or bracket, @text */
};

struct token {
    enum token_kind kind;
    uint32_t line;
    struct hearth_slice text; /* of a string: with its escapes replaced */
    int64_t number;
    double real;
};

#define JINJA_MAX_BRACKETS 128u

struct lexer {
    struct hearth_template *template;
    struct hearth_slice source; /* with \n alone between lines */
    size_t at;
    uint32_t line;
    enum token_kind inside; /* T_BLOCK_END or T_OUTPUT_END: what ends the tag; T_END: in text */
    char brackets[JINJA_MAX_BRACKETS];
    size_t bracket_count;
    struct hearth_error *err;
    int rc;
};

int jinja_lex_begin(struct lexer *lexer, struct hearth_template *template,
                    struct hearth_slice source, struct hearth_error *err);
/* The next token; T_END after an error too, see rc. */
struct token jinja_lex(struct lexer *lexer);
struct token jinja_lex_fail(struct lexer *lexer, const char *what);
struct token jinja_lex_string(struct lexer *lexer);
struct token jinja_lex_number(struct lexer *lexer);
void *jinja_keep(struct lexer *lexer, size_t count, size_t size);

/* ── Parsing (parse.c, parse_expression.c, node.c) ───────────────────────────────────────────── */

struct parser {
    struct hearth_template *template;
    struct lexer lexer;
    struct token token; /* looked at */
    struct token ahead;
    bool has_ahead;
    unsigned depth;
    unsigned loops; /* that are open */
    struct hearth_error *err;
    int rc;
};

void jinja_parse_fail(struct parser *parser, const char *format, ...) HEARTH_PRINTF(2, 3);
void jinja_advance(struct parser *parser);
const struct token *jinja_look(struct parser *parser);
bool jinja_at_name(const struct parser *parser, const char *name);
bool jinja_at_sign(const struct parser *parser, const char *sign);
bool jinja_skip_name(struct parser *parser, const char *name);
bool jinja_skip_sign(struct parser *parser, const char *sign);
void jinja_expect_sign(struct parser *parser, const char *sign);
struct hearth_slice jinja_expect_name(struct parser *parser);
/* False, with the error noted, at the limit of depth. Each that was true needs a rise. */
bool jinja_dive(struct parser *parser);
void jinja_rise(struct parser *parser);

/* NULL after an error; children that are NULL are fine. */
struct node *jinja_node(struct parser *parser, enum node_kind kind, struct node *a, struct node *b);
struct node *jinja_name_node(struct parser *parser, enum node_kind kind, struct hearth_slice name);
/* Gives @node a child that came later, for its height. */
struct node *jinja_adopt(struct parser *parser, struct node *node, struct node *child);
struct node_list {
    struct node *first;
    struct node *last;
    size_t count;
};
void jinja_list_add(struct node_list *list, struct node *node);

struct node *jinja_parse_expression(struct parser *parser, bool with_condition);
struct node *jinja_parse_tuple(struct parser *parser, bool with_condition, bool is_in_parentheses);
struct node *jinja_parse_target(struct parser *parser, bool with_member);
struct node *jinja_parse_filters(struct parser *parser, struct node *value, bool is_first_named);
int jinja_parse(struct hearth_template *template, struct hearth_slice source,
                struct hearth_error *err);

/* ── Walking (eval.c, render.c) ──────────────────────────────────────────────────────────────── */

struct value jinja_eval(struct hearth_template_context *context, const struct node *node);
void jinja_eval_arguments(struct hearth_template_context *context, const struct node *list,
                          struct arguments *ret);
enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };
enum flow jinja_render_list(struct hearth_template_context *context, const struct node *list);
void jinja_assign(struct hearth_template_context *context, struct hearth_slice name, uint32_t hash,
                  struct value value);

#endif
