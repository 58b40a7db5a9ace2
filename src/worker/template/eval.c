/* eval.c — expressions → values. */

#include "node.h"

static struct value nothing(void)
{
    return jinja_undefined(hearth_slice_of("", 0));
}

/* ── Names ───────────────────────────────────────────────────────────────────────────────────── */

static struct value look_up(struct hearth_template_context *context, const struct node *node)
{
    for (const struct scope *scope = context->scope; scope != NULL; scope = scope->outer) {
        for (const struct variable *variable = scope->variables; variable != NULL;
             variable = variable->next) {
            if (!jinja_spend(context, 1)) {
                return nothing();
            }
            if (variable->hash == node->hash && hearth_slice_equal(variable->name, node->name)) {
                return variable->value;
            }
        }
    }
    const struct value *given =
        jinja_dict_get(context, context->variables, jinja_text(node->name, false));
    if (given != NULL) {
        return *given;
    }
    const struct function *function = jinja_find_function(node->name);
    if (function != NULL && (context->has_now || function->call != jinja_strftime_now)) {
        return (struct value){.kind = V_FUNCTION, .as.function = function};
    }
    return jinja_undefined(node->name);
}

/* ── Literals ────────────────────────────────────────────────────────────────────────────────── */

static struct value eval_list(struct hearth_template_context *context, const struct node *node,
                              enum value_kind kind)
{
    struct value list = jinja_new_list(context, kind);
    for (const struct node *part = node->a; part != NULL && jinja_ok(context); part = part->next) {
        jinja_append(context, list.as.list, jinja_eval(context, part));
    }
    return jinja_ok(context) ? list : nothing();
}

static struct value eval_dict(struct hearth_template_context *context, const struct node *node)
{
    struct value dict = jinja_new_dict(context, V_DICT);
    for (const struct node *pair = node->a; pair != NULL && jinja_ok(context); pair = pair->next) {
        struct value key = jinja_eval(context, pair->a);
        struct value value = jinja_eval(context, pair->b);
        if (jinja_ok(context)) {
            jinja_dict_set(context, dict.as.dict, key, value);
        }
    }
    return jinja_ok(context) ? dict : nothing();
}

static struct value eval_concat(struct hearth_template_context *context, const struct node *node)
{
    struct value parts = eval_list(context, node, V_LIST);
    return jinja_ok(context) ? jinja_join(context, parts, jinja_string("")) : parts;
}

/* ── Access and calls ────────────────────────────────────────────────────────────────────────── */

static struct value eval_or_none(struct hearth_template_context *context, const struct node *node)
{
    return node == NULL ? jinja_none() : jinja_eval(context, node);
}

static struct value eval_item(struct hearth_template_context *context, const struct node *node)
{
    struct value of = jinja_eval(context, node->a);
    if (node->b->kind == N_SLICE) {
        struct value start = eval_or_none(context, node->b->a);
        struct value stop = eval_or_none(context, node->b->b);
        struct value step = eval_or_none(context, node->b->c);
        return jinja_ok(context) ? jinja_slice(context, of, start, stop, step) : nothing();
    }
    struct value key = jinja_eval(context, node->b);
    return jinja_ok(context) ? jinja_item(context, of, key) : nothing();
}

void jinja_eval_arguments(struct hearth_template_context *context, const struct node *list,
                          struct arguments *ret)
{
    ret->count = 0;
    ret->positional = 0;
    for (; list != NULL && jinja_ok(context); list = list->next) {
        bool is_named = list->kind == N_KEYWORD;
        struct argument *argument = &ret->all[ret->count++];
        argument->name = is_named ? list->name : hearth_slice_of("", 0);
        argument->value = jinja_eval(context, is_named ? list->a : list);
        ret->positional += !is_named;
    }
}

static struct value eval_call(struct hearth_template_context *context, const struct node *node)
{
    struct arguments arguments;
    struct value callee = jinja_eval(context, node->a);
    jinja_eval_arguments(context, node->b, &arguments);
    context->line = node->line;
    return jinja_ok(context) ? jinja_call(context, callee, &arguments) : nothing();
}

static struct value eval_filter(struct hearth_template_context *context, const struct node *node)
{
    struct arguments arguments;
    struct value value = jinja_eval(context, node->a);
    jinja_eval_arguments(context, node->b, &arguments);
    context->line = node->line;
    return jinja_ok(context) ? jinja_filter(context, node->filter, value, &arguments) : nothing();
}

static struct value eval_test(struct hearth_template_context *context, const struct node *node)
{
    struct value value = jinja_eval(context, node->a);
    struct value with = eval_or_none(context, node->b);
    context->line = node->line;
    return jinja_ok(context) ? jinja_bool(node->test->call(context, value, with)) : nothing();
}

/* ── Operators ───────────────────────────────────────────────────────────────────────────────── */

static struct value eval_compare(struct hearth_template_context *context, const struct node *node)
{
    struct value left = jinja_eval(context, node->a);
    for (const struct node *operand = node->b; operand != NULL && jinja_ok(context);
         operand = operand->next) {
        struct value right = jinja_eval(context, operand->a);
        if (!jinja_ok(context) || !jinja_relate(context, operand->op, left, right)) {
            return jinja_bool(false);
        }
        left = right;
    }
    return jinja_bool(true);
}

static struct value eval_binary(struct hearth_template_context *context, const struct node *node)
{
    struct value left = jinja_eval(context, node->a);
    struct value right = jinja_eval(context, node->b);
    context->line = node->line;
    return jinja_ok(context) ? jinja_operate(context, node->op, left, right) : nothing();
}

/* `and` and `or` give one of their operands. */
static struct value eval_either(struct hearth_template_context *context, const struct node *node)
{
    struct value left = jinja_eval(context, node->a);
    bool is_decided = jinja_truth(left) == (node->kind == N_OR);
    return is_decided || !jinja_ok(context) ? left : jinja_eval(context, node->b);
}

static struct value eval_condition(struct hearth_template_context *context, const struct node *node)
{
    if (jinja_truth(jinja_eval(context, node->a))) {
        return jinja_eval(context, node->b);
    }
    return node->c != NULL && jinja_ok(context) ? jinja_eval(context, node->c) : nothing();
}

static struct value eval_kind(struct hearth_template_context *context, const struct node *node)
{
    switch (node->kind) {
    case N_CONSTANT: return node->constant;
    case N_NAME: return look_up(context, node);
    case N_LIST: return eval_list(context, node, V_LIST);
    case N_TUPLE: return eval_list(context, node, V_TUPLE);
    case N_DICT: return eval_dict(context, node);
    case N_ATTRIBUTE: return jinja_attribute(context, jinja_eval(context, node->a), node->constant);
    case N_ITEM: return eval_item(context, node);
    case N_CALL: return eval_call(context, node);
    case N_FILTER: return eval_filter(context, node);
    case N_TEST: return eval_test(context, node);
    case N_NOT: return jinja_bool(!jinja_truth(jinja_eval(context, node->a)));
    case N_AND:
    case N_OR: return eval_either(context, node);
    case N_UNARY: return jinja_unary(context, node->op, jinja_eval(context, node->a));
    case N_BINARY: return eval_binary(context, node);
    case N_COMPARE: return eval_compare(context, node);
    case N_CONCAT: return eval_concat(context, node);
    case N_CONDITION: return eval_condition(context, node);
    case N_PAIR:
    case N_SLICE:
    case N_KEYWORD:
    case N_OPERAND:
    case N_MEMBER:
    case N_TEXT:
    case N_OUTPUT:
    case N_IF:
    case N_BRANCH:
    case N_FOR:
    case N_SET:
    case N_SET_BLOCK:
    case N_MACRO:
    case N_PARAMETER:
    case N_CALL_BLOCK:
    case N_FILTER_BLOCK:
    case N_SCOPE:
    case N_GROUP:
    case N_BREAK:
    case N_CONTINUE: break;
    }
    HEARTH_UNREACHABLE();
}

struct value jinja_eval(struct hearth_template_context *context, const struct node *node)
{
    if (!jinja_enter(context)) {
        return nothing();
    }
    context->line = node->line;
    struct value value = eval_kind(context, node);
    jinja_leave(context);
    return jinja_ok(context) ? value : nothing();
}
