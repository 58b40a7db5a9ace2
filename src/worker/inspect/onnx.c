/* onnx.c — walks a ModelProto: versions, graphs, nodes and functions. */

#include "onnx_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { /* fields */
       MODEL_IR_VERSION = 1,
       MODEL_PRODUCER = 2,
       MODEL_PRODUCER_VERSION = 3,
       MODEL_GRAPH = 7,
       MODEL_OPSET = 8,
       MODEL_TRAINING = 20,
       OPSET_DOMAIN = 1,
       OPSET_VERSION = 2,
       GRAPH_NODE = 1,
       GRAPH_INITIALIZER = 5,
       GRAPH_INPUT = 11,
       GRAPH_OUTPUT = 12,
       GRAPH_SPARSE = 15,
       NODE_OP_TYPE = 4,
       NODE_ATTRIBUTE = 5,
       NODE_DOMAIN = 7,
       NODE_OVERLOAD = 8,
       ATTRIBUTE_TENSOR = 5,
       ATTRIBUTE_GRAPH = 6,
       ATTRIBUTE_TENSORS = 10,
       ATTRIBUTE_GRAPHS = 11,
       ATTRIBUTE_SPARSE = 22,
       ATTRIBUTE_SPARSES = 23
};

static bool is_one_of(struct hearth_slice domain, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (hearth_slice_equals_string(domain, names[i])) {
            return true;
        }
    }
    return false;
}

/* Operators of other domains come from shared libraries, which a worker can not and may not load.
 */
static bool has_operators(struct hearth_slice domain)
{
    static const char *const names[] = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft",
                                        "com.microsoft.nchwc"};
    return is_one_of(domain, names, HEARTH_COUNT(names));
}

/* A file that ONNX Runtime has written imports all that it knows, whether used or not. */
static bool is_importable(const struct onnx_check *check, struct hearth_slice domain)
{
    static const char *const unused[] = {"ai.onnx.training",         "ai.onnx.preview",
                                         "ai.onnx.preview.training", "com.microsoft.experimental",
                                         "com.ms.internal.nhwc",     "org.pytorch.aten"};
    return has_operators(domain) || is_one_of(domain, unused, HEARTH_COUNT(unused)) ||
           onnx_has_functions_of(check, domain);
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

static int check_version(struct proto_walk *walk, const struct opset *opset, uint64_t least,
                         uint64_t most)
{
    if (opset->version >= least && opset->version <= most) {
        return 0;
    }
    return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED,
                       "opset %" PRIu64 " of domain \"%s\"; %" PRIu64 " to %" PRIu64 " are read",
                       opset->version, shown_text(opset->domain).text, least, most);
}

int onnx_check_opset(struct proto_walk *walk, const struct proto_field *field,
                     struct onnx_check *check)
{
    struct opset opset = {0};
    int rc = proto_want_bytes(walk, field, "an opset");
    rc = rc < 0 ? rc : proto_message(walk, field->bytes, "an opset", visit_opset, &opset);
    if (rc < 0) {
        return rc;
    }
    if (!is_importable(check, opset.domain)) {
        return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED, "an opset of the custom domain \"%s\"",
                           shown_text(opset.domain).text);
    }
    if (hearth_slice_equals_string(opset.domain, "ai.onnx.ml")) {
        return check_version(walk, &opset, 1, HEARTH_ONNX_MAX_ML_OPSET);
    }
    if (hearth_slice_equals_string(opset.domain, "com.microsoft")) {
        return check_version(walk, &opset, 1, 1);
    }
    if (opset.domain.size > 0 && !hearth_slice_equals_string(opset.domain, "ai.onnx")) {
        return 0;
    }
    rc = check_version(walk, &opset, HEARTH_ONNX_MIN_OPSET, HEARTH_ONNX_MAX_OPSET);
    check->facts.opset = HEARTH_MAX(check->facts.opset, (uint32_t)opset.version);
    return rc;
}

static int refuse_sparse(struct proto_walk *walk)
{
    return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED,
                       "a sparse tensor; export the model with dense weights");
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

/* A tensor that is not one of the graph's weights. */
static int check_constant(struct proto_walk *walk, struct hearth_slice tensor,
                          struct onnx_check *check)
{
    struct hearth_onnx_weight unused;
    return onnx_check_tensor(walk, tensor, check, &unused);
}

static int visit_attribute(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    int rc = 0;
    switch (field->number) {
    case ATTRIBUTE_TENSOR:
    case ATTRIBUTE_TENSORS:
        rc = proto_want_bytes(walk, field, "a tensor");
        return rc < 0 ? rc : check_constant(walk, field->bytes, context);
    case ATTRIBUTE_GRAPH:
    case ATTRIBUTE_GRAPHS:
        rc = proto_want_bytes(walk, field, "a graph");
        ((struct onnx_check *)context)->facts.subgraph_count++;
        return rc < 0 ? rc : check_subgraph(walk, field->bytes, context);
    case ATTRIBUTE_SPARSE:
    case ATTRIBUTE_SPARSES: return refuse_sparse(walk);
    default: return 0;
    }
}

int onnx_check_attribute(struct proto_walk *walk, const struct proto_field *field,
                         struct onnx_check *check)
{
    int rc = proto_want_bytes(walk, field, "an attribute");
    return rc < 0 ? rc : proto_message(walk, field->bytes, "an attribute", visit_attribute, check);
}

struct node {
    struct onnx_check *check;
    struct onnx_name name;
};

static int visit_node(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    struct node *node = context;
    switch (field->number) {
    case NODE_OP_TYPE:
        node->name.op_type = field->bytes;
        return proto_want_bytes(walk, field, "op_type of a node");
    case NODE_DOMAIN:
        node->name.domain = field->bytes;
        return proto_want_bytes(walk, field, "domain of a node");
    case NODE_OVERLOAD:
        node->name.overload = field->bytes;
        return proto_want_bytes(walk, field, "overload of a node");
    case NODE_ATTRIBUTE: return onnx_check_attribute(walk, field, node->check);
    default: return 0;
    }
}

/* A call of a function counts as what it becomes. */
static int count_node(struct proto_walk *walk, const struct onnx_name *name,
                      struct onnx_check *check)
{
    uint32_t nodes = 1;
    struct onnx_function *function = onnx_find_function(check, name);
    if (function == NULL && !has_operators(name->domain)) {
        return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED,
                           "operator %s of the custom domain \"%s\"",
                           shown_text(name->op_type).text, shown_text(name->domain).text);
    }
    int rc = function == NULL ? 0 : onnx_count_function(walk, function, check, &nodes);
    if (rc < 0) {
        return rc;
    }
    check->facts.node_count += nodes; /* both are at most HEARTH_ONNX_MAX_NODES */
    if (check->facts.node_count > HEARTH_ONNX_MAX_NODES) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID, "more than %u nodes",
                           HEARTH_ONNX_MAX_NODES);
    }
    return 0;
}

int onnx_check_node(struct proto_walk *walk, const struct proto_field *field,
                    struct onnx_check *check)
{
    struct node node = {.check = check};
    int rc = proto_want_bytes(walk, field, "a node");
    rc = rc < 0 ? rc : proto_message(walk, field->bytes, "a node", visit_node, &node);
    if (rc < 0) {
        return rc;
    }
    size_t size = node.name.op_type.size;
    if (size == 0 || size > HEARTH_ONNX_MAX_NAME_BYTES) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                           "node %" PRIu32 ": its operator has a name of %zu bytes",
                           check->facts.node_count, size);
    }
    return count_node(walk, &node.name, check);
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
    struct hearth_onnx_weight weight;
    rc = onnx_check_tensor(walk, field->bytes, check, &weight);
    bool is_visited = check->visit != NULL && check->graph_depth == 1 &&
                      (weight.inline_data != NULL || weight.file != NULL);
    return rc == 0 && is_visited ? check->visit(check->visit_arg, &weight) : rc;
}

static int visit_graph(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    struct onnx_check *check = context;
    bool is_main = check->graph_depth == 1;
    switch (field->number) {
    case GRAPH_NODE: return onnx_check_node(walk, field, check);
    case GRAPH_INITIALIZER: return check_initializer(walk, field, check);
    case GRAPH_SPARSE: return refuse_sparse(walk);
    case GRAPH_INPUT:
        return is_main ? onnx_read_port(walk, field, check->facts.inputs, &check->facts.input_count)
                       : 0;
    case GRAPH_OUTPUT:
        return is_main
                   ? onnx_read_port(walk, field, check->facts.outputs, &check->facts.output_count)
                   : 0;
    default: return 0;
    }
}

/* "pytorch 2.9.0": two fields, in this order in every file that was seen. */
static int add_producer(struct proto_walk *walk, const struct proto_field *field,
                        struct onnx_check *check)
{
    int rc = proto_want_bytes(walk, field, "the producer");
    if (rc < 0) {
        return rc;
    }
    char *room = check->facts.producer;
    size_t used = strlen(room);
    snprintf(room + used, sizeof check->facts.producer - used, "%s%s", used > 0 ? " " : "",
             shown_text(field->bytes).text);
    return 0;
}

/* The element type with the most bytes. */
static uint32_t main_type(const struct onnx_check *check)
{
    uint32_t best = 0;
    for (uint32_t type = 1; type < HEARTH_COUNT(check->type_bytes); type++) {
        best = check->type_bytes[type] > check->type_bytes[best] ? type : best;
    }
    return best;
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
    case MODEL_PRODUCER:
    case MODEL_PRODUCER_VERSION: return add_producer(walk, field, check);
    case MODEL_OPSET: return onnx_check_opset(walk, field, check);
    case MODEL_GRAPH:
        rc = proto_want_bytes(walk, field, "the graph");
        if (rc == 0 && ++check->graph_count > 1) { /* readers would merge the two */
            rc = hearth_fail(walk->err, HEARTH_E_MODEL_INVALID, "the graph stands twice");
        }
        return rc < 0 ? rc : check_subgraph(walk, field->bytes, check);
    case MODEL_TRAINING:
        return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED, "the file holds training information");
    default: return 0;
    }
}

/* Functions that are never called are checked too: a library looks at them all the same. */
static int check_functions(struct proto_walk *walk, struct onnx_check *check)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < check->function_count; i++) {
        uint32_t nodes = 0;
        rc = onnx_count_function(walk, &check->functions[i], check, &nodes);
    }
    return rc;
}

static int walk_model(struct proto_walk *walk, struct onnx_check *check)
{
    int rc = onnx_list_functions(walk, check);
    if (rc == 0) {
        rc = proto_message(walk, walk->file, "the model", visit_model, check);
    }
    if (rc == 0) {
        rc = check_functions(walk, check);
    }
    check->facts.weights_type = main_type(check);
    const struct hearth_onnx_facts *facts = &check->facts;
    if (rc == 0 &&
        (facts->ir_version == 0 || facts->opset == 0 || check->graph_count == 0 ||
         facts->node_count == 0 || facts->input_count == 0 || facts->output_count == 0)) {
        rc = hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                         "no whole ONNX model in %zu bytes: IR version %" PRIu32 ", opset %" PRIu32
                         ", %" PRIu32 " graphs, %" PRIu32 " nodes, %" PRIu32 " inputs, %" PRIu32
                         " outputs",
                         walk->file.size, facts->ir_version, facts->opset, check->graph_count,
                         facts->node_count, facts->input_count, facts->output_count);
    }
    return rc;
}

static int check_model(struct onnx_check *check, struct hearth_slice model,
                       struct hearth_error *err)
{
    if (model.size == 0 || model.size > HEARTH_ONNX_MAX_MODEL_BYTES) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "an ONNX file of %zu bytes; 1 to %u",
                           model.size, HEARTH_ONNX_MAX_MODEL_BYTES);
    }
    struct proto_walk walk = {.file = model, .err = err};
    check->functions = hearth_alloc(HEARTH_ONNX_MAX_FUNCTIONS, sizeof *check->functions);
    if (check->functions == NULL) {
        return hearth_fail_oom(err);
    }
    int rc = walk_model(&walk, check);
    hearth_free(check->functions);
    return rc;
}

int hearth_onnx_inspect(struct hearth_slice model, const struct hearth_onnx_file *files,
                        size_t file_count, struct hearth_onnx_facts *ret, struct hearth_error *err)
{
    struct onnx_check check = {.files = files, .file_count = file_count};
    int rc = check_model(&check, model, err);
    if (rc == 0) {
        *ret = check.facts;
    }
    return rc;
}

int hearth_onnx_each_weight(struct hearth_slice model, const struct hearth_onnx_file *files,
                            size_t file_count,
                            int (*visit)(void *arg, const struct hearth_onnx_weight *weight),
                            void *arg, struct hearth_error *err)
{
    struct onnx_check check = {
        .files = files, .file_count = file_count, .visit = visit, .visit_arg = arg};
    return check_model(&check, model, err);
}
