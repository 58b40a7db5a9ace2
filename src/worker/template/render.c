/* render.c — statements → output. */

#include "node.h"

/* ── Scopes ──────────────────────────────────────────────────────────────────────────────────── */

/* A new innermost scope; NULL after an error. Blocks and loops have one, branches have none. */
static struct scope *open_scope(struct hearth_template_context *context, struct scope *outer)
{
    struct scope *scope = jinja_alloc(context, 1, sizeof *scope);
    if (scope != NULL) {
        scope->outer = outer;
        context->scope = scope;
    }
    return scope;
}

void jinja_assign(struct hearth_template_context *context, struct hearth_slice name, uint32_t hash,
                  struct value value)
{
    for (struct variable *variable = context->scope->variables; variable != NULL;
         variable = variable->next) {
        if (!jinja_spend(context, 1)) {
            return;
        }
        if (variable->hash == hash && hearth_slice_equal(variable->name, name)) {
            variable->value = value;
            return;
        }
    }
    struct variable *variable = jinja_alloc(context, 1, sizeof *variable);
    if (variable != NULL) {
        *variable = (struct variable){name, hash, value, context->scope->variables};
        context->scope->variables = variable;
    }
}

static void assign_target(struct hearth_template_context *context, const struct node *target,
                          struct value value);

static void unpack(struct hearth_template_context *context, const struct node *target,
                   struct value value)
{
    const struct list *parts = jinja_elements(context, value);
    size_t wanted = 0;
    for (const struct node *name = target->a; name != NULL; name = name->next) {
        wanted++;
    }
    if (parts == NULL || parts->count != wanted) {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "%zu names for %zu values", wanted,
                         parts == NULL ? 0 : parts->count);
        return;
    }
    const struct node *name = target->a;
    for (size_t i = 0; i < wanted && jinja_ok(context); i++, name = name->next) {
        assign_target(context, name, parts->items[i]);
    }
}

/* Only namespaces can be changed. */
static void assign_member(struct hearth_template_context *context, const struct node *target,
                          struct value value)
{
    struct node name = *target;
    name.kind = N_NAME;
    struct value space = jinja_eval(context, &name);
    if (jinja_ok(context) && space.kind != V_NAMESPACE) {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED,
                         "\"%.*s\" is %s, only a namespace can be set",
                         HEARTH_SLICE_ARGS(target->name), jinja_kind_name(space));
    }
    if (jinja_ok(context)) {
        jinja_dict_set(context, space.as.dict, target->constant, value);
    }
}

static void assign_target(struct hearth_template_context *context, const struct node *target,
                          struct value value)
{
    if (target->kind == N_TUPLE) {
        unpack(context, target, value);
    } else if (target->kind == N_MEMBER) {
        assign_member(context, target, value);
    } else {
        jinja_assign(context, target->name, target->hash, value);
    }
}

/* ── Text that is collected ──────────────────────────────────────────────────────────────────── */

/* What @body writes, in a scope of its own inside @outer. */
static struct value collect(struct hearth_template_context *context, const struct node *body,
                            struct scope *outer)
{
    struct scope *before = context->scope;
    struct maker maker = jinja_text_begin(context);
    if (open_scope(context, outer) != NULL) {
        (void)jinja_render_list(context, body);
    }
    context->scope = before;
    return jinja_text_end(&maker);
}

/* Filters of a block: those that stand first are deepest. */
static struct value apply_filters(struct hearth_template_context *context,
                                  const struct node *filters, struct value value)
{
    struct arguments arguments;
    if (filters == NULL || !jinja_enter(context)) {
        return value;
    }
    value = apply_filters(context, filters->a, value);
    jinja_eval_arguments(context, filters->b, &arguments);
    value = jinja_ok(context) ? jinja_filter(context, filters->filter, value, &arguments) : value;
    jinja_leave(context);
    return value;
}

/* ── Loops ───────────────────────────────────────────────────────────────────────────────────── */

static const struct hearth_slice LOOP = {(const uint8_t *)"loop", 4};

/* The elements that the filter of a loop lets through. */
static const struct list *filtered(struct hearth_template_context *context, const struct node *node,
                                   const struct list *all)
{
    struct value kept = jinja_new_list(context, V_LIST);
    struct scope *outer = context->scope;
    for (size_t i = 0; all != NULL && i < all->count && jinja_spend(context, 1); i++) {
        if (open_scope(context, outer) != NULL) {
            assign_target(context, node->a, all->items[i]);
        }
        struct value is_wanted = jinja_ok(context) ? jinja_eval(context, node->c) : jinja_none();
        if (jinja_truth(is_wanted)) {
            jinja_append(context, kept.as.list, all->items[i]);
        }
    }
    context->scope = outer;
    return jinja_ok(context) ? kept.as.list : NULL;
}

static void render_otherwise(struct hearth_template_context *context, const struct node *node,
                             struct scope *outer)
{
    if (node->e != NULL && open_scope(context, outer) != NULL) {
        (void)jinja_render_list(context, node->e);
    }
    context->scope = outer;
}

/* Each round has a scope of its own: what it sets, the next does not see. */
static enum flow render_for(struct hearth_template_context *context, const struct node *node)
{
    struct scope *outer = context->scope;
    const struct list *items = jinja_elements(context, jinja_eval(context, node->b));
    items = node->c != NULL ? filtered(context, node, items) : items;
    struct loop *loop = items == NULL ? NULL : jinja_alloc(context, 1, sizeof *loop);
    if (loop == NULL) {
        return FLOW_ON;
    }
    if (items->count == 0) {
        render_otherwise(context, node, outer);
        return FLOW_ON;
    }
    *loop = (struct loop){.items = items};
    enum flow flow = FLOW_ON;
    for (; loop->index < items->count && flow != FLOW_BREAK && jinja_ok(context); loop->index++) {
        if (open_scope(context, outer) == NULL) {
            break;
        }
        jinja_assign(context, LOOP, jinja_hash_bytes(LOOP),
                     (struct value){.kind = V_LOOP, .as.loop = loop});
        assign_target(context, node->a, items->items[loop->index]);
        flow = jinja_ok(context) ? jinja_render_list(context, node->d) : FLOW_ON;
    }
    context->scope = outer;
    return FLOW_ON;
}

/* ── Macros ──────────────────────────────────────────────────────────────────────────────────── */

static void define_macro(struct hearth_template_context *context, const struct node *node,
                         struct value *ret)
{
    struct macro *macro = jinja_alloc(context, 1, sizeof *macro);
    *ret = jinja_none();
    if (macro != NULL) {
        *macro = (struct macro){node, context->scope};
        *ret = (struct value){.kind = V_MACRO, .as.macro = macro};
    }
}

static bool takes(const struct node *macro, struct hearth_slice name, size_t positional)
{
    size_t place = 0;
    for (const struct node *parameter = macro->a; parameter != NULL;
         parameter = parameter->next, place++) {
        if (hearth_slice_equal(parameter->name, name)) {
            return place >= positional;
        }
    }
    return macro->wants_caller && hearth_slice_equals_string(name, "caller");
}

static bool check_call(struct hearth_template_context *context, const struct node *macro,
                       const struct arguments *arguments)
{
    size_t places = 0;
    for (const struct node *parameter = macro->a; parameter != NULL; parameter = parameter->next) {
        places++;
    }
    bool is_right = arguments->positional <= places;
    for (size_t i = arguments->positional; i < arguments->count && is_right; i++) {
        is_right = takes(macro, arguments->all[i].name, arguments->positional);
    }
    if (!is_right) {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "the macro \"%.*s\" takes no such argument",
                         HEARTH_SLICE_ARGS(macro->name));
    }
    return is_right;
}

/* Defaults are evaluated inside, where parameters before them can be seen. */
static void bind_parameters(struct hearth_template_context *context, const struct node *macro,
                            const struct arguments *arguments)
{
    size_t place = 0;
    for (const struct node *parameter = macro->a; parameter != NULL && jinja_ok(context);
         parameter = parameter->next, place++) {
        struct value value = jinja_undefined(parameter->name);
        bool is_given = place < arguments->positional;
        if (is_given) {
            value = arguments->all[place].value;
        }
        for (size_t i = arguments->positional; i < arguments->count && !is_given; i++) {
            is_given = hearth_slice_equal(arguments->all[i].name, parameter->name);
            value = is_given ? arguments->all[i].value : value;
        }
        if (!is_given && parameter->a != NULL) {
            value = jinja_eval(context, parameter->a);
        }
        jinja_assign(context, parameter->name, parameter->hash, value);
    }
    struct hearth_slice caller = hearth_slice_of_string("caller");
    struct value called = jinja_undefined(caller);
    for (size_t i = arguments->positional; i < arguments->count; i++) {
        called =
            hearth_slice_equal(arguments->all[i].name, caller) ? arguments->all[i].value : called;
    }
    if (macro->wants_caller && jinja_ok(context)) {
        jinja_assign(context, caller, jinja_hash_bytes(caller), called);
    }
}

struct value jinja_call_macro(struct hearth_template_context *context, const struct macro *macro,
                              const struct arguments *arguments)
{
    struct scope *before = context->scope;
    if (!check_call(context, macro->node, arguments) || !jinja_enter(context)) {
        return jinja_none();
    }
    struct maker maker = jinja_text_begin(context);
    if (open_scope(context, macro->scope) != NULL) {
        bind_parameters(context, macro->node, arguments);
        if (jinja_ok(context)) {
            (void)jinja_render_list(context, macro->node->d);
        }
    }
    context->scope = before;
    jinja_leave(context);
    return jinja_text_end(&maker);
}

static void render_call_block(struct hearth_template_context *context, const struct node *node)
{
    struct arguments arguments;
    struct value caller;
    define_macro(context, node->b, &caller);
    struct value callee = jinja_eval(context, node->a->a);
    jinja_eval_arguments(context, node->a->b, &arguments);
    if (jinja_ok(context) && arguments.count == JINJA_MAX_ARGUMENTS) {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "a call block with too many arguments");
    }
    if (jinja_ok(context)) {
        arguments.all[arguments.count++] =
            (struct argument){hearth_slice_of_string("caller"), caller};
        jinja_emit_value(context, jinja_call(context, callee, &arguments));
    }
}

/* ── Statements ──────────────────────────────────────────────────────────────────────────────── */

static enum flow render_if(struct hearth_template_context *context, const struct node *node)
{
    for (const struct node *branch = node->a; branch != NULL && jinja_ok(context);
         branch = branch->next) {
        if (branch->a == NULL || jinja_truth(jinja_eval(context, branch->a))) {
            return jinja_ok(context) ? jinja_render_list(context, branch->b) : FLOW_ON;
        }
    }
    return FLOW_ON;
}

/* All values are of the scope around it. */
static enum flow render_scope(struct hearth_template_context *context, const struct node *node)
{
    struct scope *outer = context->scope;
    struct scope *inner = open_scope(context, outer);
    enum flow flow = FLOW_ON;
    for (const struct node *set = node->a; set != NULL && jinja_ok(context); set = set->next) {
        context->scope = outer;
        struct value value = jinja_eval(context, set->b);
        context->scope = inner;
        if (jinja_ok(context)) {
            assign_target(context, set->a, value);
        }
    }
    if (jinja_ok(context)) {
        context->scope = inner;
        flow = jinja_render_list(context, node->d);
    }
    context->scope = outer;
    return flow;
}

static void render_set(struct hearth_template_context *context, const struct node *node)
{
    struct value value =
        node->kind == N_SET
            ? jinja_eval(context, node->b)
            : apply_filters(context, node->b, collect(context, node->d, context->scope));
    if (jinja_ok(context)) {
        assign_target(context, node->a, value);
    }
}

static void render_macro(struct hearth_template_context *context, const struct node *node)
{
    struct value macro;
    define_macro(context, node, &macro);
    if (jinja_ok(context)) {
        jinja_assign(context, node->name, node->hash, macro);
    }
}

static enum flow render_node(struct hearth_template_context *context, const struct node *node)
{
    switch (node->kind) {
    case N_TEXT: jinja_emit_text(context, node->constant); return FLOW_ON;
    case N_OUTPUT: jinja_emit_value(context, jinja_eval(context, node->a)); return FLOW_ON;
    case N_IF: return render_if(context, node);
    case N_FOR: return render_for(context, node);
    case N_SET:
    case N_SET_BLOCK: render_set(context, node); return FLOW_ON;
    case N_MACRO: render_macro(context, node); return FLOW_ON;
    case N_CALL_BLOCK: render_call_block(context, node); return FLOW_ON;
    case N_FILTER_BLOCK: {
        struct value text = collect(context, node->d, context->scope);
        jinja_emit_value(context, apply_filters(context, node->a, text));
        return FLOW_ON;
    }
    case N_SCOPE:
    case N_GROUP: return render_scope(context, node);
    case N_BREAK: return FLOW_BREAK;
    case N_CONTINUE: return FLOW_CONTINUE;
    case N_CONSTANT:
    case N_NAME:
    case N_LIST:
    case N_TUPLE:
    case N_DICT:
    case N_PAIR:
    case N_ATTRIBUTE:
    case N_ITEM:
    case N_SLICE:
    case N_CALL:
    case N_KEYWORD:
    case N_FILTER:
    case N_TEST:
    case N_NOT:
    case N_AND:
    case N_OR:
    case N_UNARY:
    case N_BINARY:
    case N_COMPARE:
    case N_OPERAND:
    case N_CONCAT:
    case N_CONDITION:
    case N_MEMBER:
    case N_BRANCH:
    case N_PARAMETER: break;
    }
    HEARTH_UNREACHABLE();
}

enum flow jinja_render_list(struct hearth_template_context *context, const struct node *list)
{
    enum flow flow = FLOW_ON;
    for (; list != NULL && flow == FLOW_ON && jinja_enter(context); list = list->next) {
        context->line = list->line;
        flow = render_node(context, list);
        jinja_leave(context);
        if (!jinja_ok(context)) {
            break;
        }
    }
    return flow;
}

int hearth_template_render(const struct hearth_template *template,
                           struct hearth_template_context *context, struct hearth_error *err)
{
    hearth_buf_wipe(&context->out);
    hearth_buf_clear(&context->marks);
    context->scope = NULL;
    if (jinja_ok(context) && open_scope(context, NULL) != NULL) {
        (void)jinja_render_list(context, template->body);
    }
    if (jinja_ok(context)) {
        return 0;
    }
    hearth_buf_wipe(&context->out);
    hearth_buf_clear(&context->marks);
    return hearth_fail(err, context->rc, "%s", context->error.text);
}
