/* onnx_function.c — operators that the file itself defines (model-local functions).
 *
 * A library puts the body of a function in the place of each call, so a small file can grow without
 * end: functions that call themselves, or thirty that call each other twice. Here each body is
 * walked once and its nodes are counted as they will be, calls included. */

#include "onnx_priv.h"

#include <inttypes.h>

enum { /* fields */
       MODEL_FUNCTION = 25,
       FUNCTION_NAME = 1,
       FUNCTION_NODE = 7,
       FUNCTION_OPSET = 9,
       FUNCTION_DOMAIN = 10,
       FUNCTION_ATTRIBUTE = 11,
       FUNCTION_OVERLOAD = 13
};

static int visit_name(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    struct onnx_function *function = context;
    switch (field->number) {
    case FUNCTION_NAME:
        function->name.op_type = field->bytes;
        return proto_want_bytes(walk, field, "name of a function");
    case FUNCTION_DOMAIN:
        function->name.domain = field->bytes;
        return proto_want_bytes(walk, field, "domain of a function");
    case FUNCTION_OVERLOAD:
        function->name.overload = field->bytes;
        return proto_want_bytes(walk, field, "overload of a function");
    default: return 0;
    }
}

static int visit_function_names(struct proto_walk *walk, const struct proto_field *field,
                                void *context)
{
    struct onnx_check *check = context;
    if (field->number != MODEL_FUNCTION) {
        return 0;
    }
    if (check->function_count == HEARTH_ONNX_MAX_FUNCTIONS) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID, "more than %u functions",
                           HEARTH_ONNX_MAX_FUNCTIONS);
    }
    struct onnx_function function = {.body = field->bytes};
    int rc = proto_want_bytes(walk, field, "a function");
    rc = rc < 0 ? rc : proto_message(walk, field->bytes, "a function", visit_name, &function);
    if (rc == 0 && onnx_find_function(check, &function.name) != NULL) {
        rc = hearth_fail(walk->err, HEARTH_E_MODEL_INVALID, "function \"%s\" stands twice",
                         shown_text(function.name.op_type).text);
    }
    check->functions[check->function_count++] = function;
    return rc;
}

int onnx_list_functions(struct proto_walk *walk, struct onnx_check *check)
{
    return proto_message(walk, walk->file, "the model", visit_function_names, check);
}

struct onnx_function *onnx_find_function(struct onnx_check *check, const struct onnx_name *name)
{
    for (uint32_t i = 0; i < check->function_count; i++) {
        const struct onnx_name *found = &check->functions[i].name;
        if (hearth_slice_equal(found->op_type, name->op_type) &&
            hearth_slice_equal(found->domain, name->domain) &&
            hearth_slice_equal(found->overload, name->overload)) {
            return &check->functions[i];
        }
    }
    return NULL;
}

bool onnx_has_functions_of(const struct onnx_check *check, struct hearth_slice domain)
{
    for (uint32_t i = 0; i < check->function_count; i++) {
        if (hearth_slice_equal(check->functions[i].name.domain, domain)) {
            return true;
        }
    }
    return false;
}

static int visit_body(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    switch (field->number) {
    case FUNCTION_NODE: return onnx_check_node(walk, field, context);
    case FUNCTION_OPSET: return onnx_check_opset(walk, field, context);
    case FUNCTION_ATTRIBUTE: return onnx_check_attribute(walk, field, context);
    default: return 0;
    }
}

/* Walks the body with a count and a depth of its own. */
static int walk_body(struct proto_walk *walk, struct onnx_function *function,
                     struct onnx_check *check)
{
    uint32_t nodes_before = check->facts.node_count;
    uint32_t depth_before = walk->depth;
    check->facts.node_count = 0;
    walk->depth = 1;
    check->call_depth++;
    function->state = ONNX_FUNCTION_OPEN;
    int rc = proto_message(walk, function->body, "a function", visit_body, check);
    function->state = ONNX_FUNCTION_COUNTED;
    function->nodes = check->facts.node_count;
    check->call_depth--;
    walk->depth = depth_before;
    check->facts.node_count = nodes_before;
    return rc;
}

int onnx_count_function(struct proto_walk *walk, struct onnx_function *function,
                        struct onnx_check *check, uint32_t *ret_nodes)
{
    int rc = 0;
    if (function->state == ONNX_FUNCTION_OPEN) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID, "function \"%s\" calls itself",
                           shown_text(function->name.op_type).text);
    }
    if (check->call_depth == HEARTH_ONNX_MAX_CALLS) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                           "function \"%s\": more than %u functions inside functions",
                           shown_text(function->name.op_type).text, HEARTH_ONNX_MAX_CALLS);
    }
    if (function->state == ONNX_FUNCTION_UNSEEN) {
        rc = walk_body(walk, function, check);
    }
    *ret_nodes = function->nodes;
    return rc;
}
