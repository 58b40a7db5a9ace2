/* onnx.c — walks a ModelProto: versions, graphs, nodes and functions. */

#include "onnx_priv.h"

#include <inttypes.h>

enum { /* fields */
       MODEL_IR_VERSION = 1,
       MODEL_GRAPH = 7,
       MODEL_OPSET = 8,
       MODEL_TRAINING = 20,
       MODEL_FUNCTION = 25,
       OPSET_DOMAIN = 1,
       OPSET_VERSION = 2,
       GRAPH_NODE = 1,
       GRAPH_INITIALIZER = 5,
       GRAPH_INPUT = 11,
       GRAPH_OUTPUT = 12,
       GRAPH_SPARSE = 15,
       VALUE_NAME = 1,
       NODE_OP_TYPE = 4,
       NODE_ATTRIBUTE = 5,
       NODE_DOMAIN = 7,
       ATTRIBUTE_TENSOR = 5,
       ATTRIBUTE_GRAPH = 6,
       ATTRIBUTE_TENSORS = 10,
       ATTRIBUTE_GRAPHS = 11,
       ATTRIBUTE_SPARSE = 22,
       ATTRIBUTE_SPARSES = 23,
       SPARSE_VALUES = 1,
       SPARSE_INDICES = 2,
       FUNCTION_NODE = 7,
       FUNCTION_OPSET = 9
};

/* Operators of other domains come from shared libraries, which a worker can not and may not load.
 */
static int check_domain(struct proto_walk *walk, struct hearth_slice domain, const char *what)
{
    static const char *const known[] = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"};
    for (size_t i = 0; i < HEARTH_COUNT(known); i++) {
        if (hearth_slice_equals_string(domain, known[i])) {
            return 0;
        }
    }
    return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED, "%s of the custom domain \"%s\"", what,
                       shown_text(domain).text);
}

struct opset {
    struct hearth_slice domain;
    uint64_t version;
};

static int visit_opset(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    struct opset *opset = context;
    if (field->number == OPSET_DOMAIN) {
        opset->domain = field->bytes;
        return proto_want_bytes(walk, field, "domain of an opset");
    }
    if (field->number == OPSET_VERSION) {
        opset->version = field->value;
        return proto_want_varint(walk, field, "version of an opset");
    }
    return 0;
}

static int check_opset(struct proto_walk *walk, const struct proto_field *field,
                       struct onnx_check *check)
{
    struct opset opset = {0};
    int rc = proto_want_bytes(walk, field, "an opset");
    rc = rc < 0 ? rc : proto_message(walk, field->bytes, "an opset", visit_opset, &opset);
    rc = rc < 0 ? rc : check_domain(walk, opset.domain, "an opset");
    if (rc < 0) {
        return rc;
    }
    bool is_default = opset.domain.size == 0 || hearth_slice_equals_string(opset.domain, "ai.onnx");
    if (!is_default) {
        return 0;
    }
    if (opset.version < HEARTH_ONNX_MIN_OPSET || opset.version > HEARTH_ONNX_MAX_OPSET) {
        return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED, "opset %" PRIu64 "; %u to %u are read",
                           opset.version, HEARTH_ONNX_MIN_OPSET, HEARTH_ONNX_MAX_OPSET);
    }
    check->facts.opset = HEARTH_MAX(check->facts.opset, (uint32_t)opset.version);
    return 0;
}

static int visit_sparse(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    if (field->number != SPARSE_VALUES && field->number != SPARSE_INDICES) {
        return 0;
    }
    int rc = proto_want_bytes(walk, field, "a sparse tensor");
    return rc < 0 ? rc : onnx_check_tensor(walk, field->bytes, context);
}

static int visit_graph(struct proto_walk *walk, const struct proto_field *field, void *context);

/* A graph inside an attribute (If, Loop, Scan): its inputs are not the model's. */
static int check_subgraph(struct proto_walk *walk, struct hearth_slice graph,
                          struct onnx_check *check)
{
    check->graph_depth++;
    int rc = proto_message(walk, graph, "a graph", visit_graph, check);
    check->graph_depth--;
    return rc;
}

static int visit_attribute(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    int rc = 0;
    switch (field->number) {
    case ATTRIBUTE_TENSOR:
    case ATTRIBUTE_TENSORS:
        rc = proto_want_bytes(walk, field, "a tensor");
        return rc < 0 ? rc : onnx_check_tensor(walk, field->bytes, context);
    case ATTRIBUTE_GRAPH:
    case ATTRIBUTE_GRAPHS:
        rc = proto_want_bytes(walk, field, "a graph");
        return rc < 0 ? rc : check_subgraph(walk, field->bytes, context);
    case ATTRIBUTE_SPARSE:
    case ATTRIBUTE_SPARSES:
        rc = proto_want_bytes(walk, field, "a sparse tensor");
        return rc < 0 ? rc
                      : proto_message(walk, field->bytes, "a sparse tensor", visit_sparse, context);
    default: return 0;
    }
}

struct node {
    struct onnx_check *check;
    struct hearth_slice domain;
    struct hearth_slice op_type;
};

static int visit_node(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    struct node *node = context;
    int rc = 0;
    switch (field->number) {
    case NODE_OP_TYPE:
        node->op_type = field->bytes;
        return proto_want_bytes(walk, field, "op_type of a node");
    case NODE_DOMAIN:
        node->domain = field->bytes;
        return proto_want_bytes(walk, field, "domain of a node");
    case NODE_ATTRIBUTE:
        rc = proto_want_bytes(walk, field, "an attribute");
        return rc < 0 ? rc
                      : proto_message(walk, field->bytes, "an attribute", visit_attribute,
                                      node->check);
    default: return 0;
    }
}

static int check_node(struct proto_walk *walk, const struct proto_field *field,
                      struct onnx_check *check)
{
    struct node node = {.check = check};
    int rc = proto_want_bytes(walk, field, "a node");
    rc = rc < 0 ? rc : proto_message(walk, field->bytes, "a node", visit_node, &node);
    if (rc < 0) {
        return rc;
    }
    if (++check->facts.node_count > HEARTH_ONNX_MAX_NODES) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID, "more than %u nodes",
                           HEARTH_ONNX_MAX_NODES);
    }
    if (node.op_type.size == 0 || node.op_type.size > HEARTH_ONNX_MAX_NAME_BYTES) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                           "node %" PRIu32 ": its operator has a name of %zu bytes",
                           check->facts.node_count, node.op_type.size);
    }
    char what[96];
    struct shown shown = shown_text(node.op_type);
    (void)hearth_slice_to_string(hearth_slice_of_string(shown.text), what, sizeof what);
    return check_domain(walk, node.domain, what);
}

static int visit_value(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    if (field->number != VALUE_NAME) {
        return 0;
    }
    *(struct hearth_slice *)context = field->bytes;
    return proto_want_bytes(walk, field, "name of an input or output");
}

static int add_port(struct proto_walk *walk, const struct proto_field *field,
                    char names[][HEARTH_ONNX_PORT_NAME_BYTES], uint32_t *count)
{
    struct hearth_slice name = {NULL, 0};
    int rc = proto_want_bytes(walk, field, "an input or output");
    rc = rc < 0 ? rc : proto_message(walk, field->bytes, "an input or output", visit_value, &name);
    if (rc < 0) {
        return rc;
    }
    if (*count >= HEARTH_ONNX_MAX_PORTS || name.size == 0 ||
        !hearth_slice_to_string(name, names[*count], HEARTH_ONNX_PORT_NAME_BYTES)) {
        return hearth_fail(
            walk->err, HEARTH_E_UNSUPPORTED,
            "input or output %" PRIu32 " \"%s\": at most %u are taken, with names of "
            "1 to %u bytes",
            *count, shown_text(name).text, HEARTH_ONNX_MAX_PORTS, HEARTH_ONNX_PORT_NAME_BYTES - 1);
    }
    (*count)++;
    return 0;
}

static int check_initializer(struct proto_walk *walk, const struct proto_field *field,
                             struct onnx_check *check)
{
    if (++check->facts.initializer_count > HEARTH_ONNX_MAX_INITIALIZERS) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID, "more than %u initializers",
                           HEARTH_ONNX_MAX_INITIALIZERS);
    }
    int rc = proto_want_bytes(walk, field, "an initializer");
    if (rc < 0) {
        return rc;
    }
    return field->number == GRAPH_SPARSE
               ? proto_message(walk, field->bytes, "a sparse tensor", visit_sparse, check)
               : onnx_check_tensor(walk, field->bytes, check);
}

static int visit_graph(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    struct onnx_check *check = context;
    bool is_main = check->graph_depth == 1;
    switch (field->number) {
    case GRAPH_NODE: return check_node(walk, field, check);
    case GRAPH_INITIALIZER:
    case GRAPH_SPARSE: return check_initializer(walk, field, check);
    case GRAPH_INPUT:
        return is_main ? add_port(walk, field, check->facts.inputs, &check->facts.input_count) : 0;
    case GRAPH_OUTPUT:
        return is_main ? add_port(walk, field, check->facts.outputs, &check->facts.output_count)
                       : 0;
    default: return 0;
    }
}

static int visit_function(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    switch (field->number) {
    case FUNCTION_NODE: return check_node(walk, field, context);
    case FUNCTION_OPSET: return check_opset(walk, field, context);
    default: return 0;
    }
}

static int check_function(struct proto_walk *walk, const struct proto_field *field,
                          struct onnx_check *check)
{
    if (++check->function_count > HEARTH_ONNX_MAX_FUNCTIONS) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID, "more than %u functions",
                           HEARTH_ONNX_MAX_FUNCTIONS);
    }
    int rc = proto_want_bytes(walk, field, "a function");
    return rc < 0 ? rc : proto_message(walk, field->bytes, "a function", visit_function, check);
}

static int visit_model(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    struct onnx_check *check = context;
    int rc = 0;
    switch (field->number) {
    case MODEL_IR_VERSION:
        if (field->wire != PROTO_VARINT || field->value < HEARTH_ONNX_MIN_IR_VERSION ||
            field->value > HEARTH_ONNX_MAX_IR_VERSION) {
            return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED,
                               "ONNX IR version %" PRIu64 "; %u to %u are read", field->value,
                               HEARTH_ONNX_MIN_IR_VERSION, HEARTH_ONNX_MAX_IR_VERSION);
        }
        check->facts.ir_version = (uint32_t)field->value;
        return 0;
    case MODEL_OPSET: return check_opset(walk, field, check);
    case MODEL_GRAPH:
        rc = proto_want_bytes(walk, field, "the graph");
        if (rc == 0 && ++check->graph_count > 1) { /* readers would merge the two */
            rc = hearth_fail(walk->err, HEARTH_E_MODEL_INVALID, "the graph stands twice");
        }
        return rc < 0 ? rc : check_subgraph(walk, field->bytes, check);
    case MODEL_FUNCTION: return check_function(walk, field, check);
    case MODEL_TRAINING:
        return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED, "the file holds training information");
    default: return 0;
    }
}

int hearth_onnx_inspect(struct hearth_slice model, const struct hearth_onnx_file *files,
                        size_t file_count, struct hearth_onnx_facts *ret, struct hearth_error *err)
{
    if (model.size == 0 || model.size > HEARTH_ONNX_MAX_MODEL_BYTES) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "an ONNX file of %zu bytes; 1 to %u",
                           model.size, HEARTH_ONNX_MAX_MODEL_BYTES);
    }
    struct onnx_check check = {.files = files, .file_count = file_count};
    struct proto_walk walk = {.file = model, .err = err};
    int rc = proto_message(&walk, model, "the model", visit_model, &check);
    if (rc < 0) {
        return rc;
    }
    const struct hearth_onnx_facts *facts = &check.facts;
    if (facts->ir_version == 0 || facts->opset == 0 || check.graph_count == 0 ||
        facts->node_count == 0 || facts->input_count == 0 || facts->output_count == 0) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "no whole ONNX model in %zu bytes: IR version %" PRIu32
                           ", opset %" PRIu32 ", %" PRIu32 " graphs, %" PRIu32 " nodes, %" PRIu32
                           " inputs, %" PRIu32 " outputs",
                           model.size, facts->ir_version, facts->opset, check.graph_count,
                           facts->node_count, facts->input_count, facts->output_count);
    }
    *ret = *facts;
    return 0;
}
