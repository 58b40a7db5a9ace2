/* onnx_priv.h — what the files of the ONNX check share. */

#ifndef HEARTH_ONNX_PRIV_H
#define HEARTH_ONNX_PRIV_H

#include "proto.h"
#include "shown.h"

/* What a node calls and a function is called. */
struct onnx_name {
    struct hearth_slice domain;
    struct hearth_slice op_type;
    struct hearth_slice overload;
};

enum onnx_function_state { ONNX_FUNCTION_UNSEEN, ONNX_FUNCTION_OPEN, ONNX_FUNCTION_COUNTED };

struct onnx_function {
    struct onnx_name name;
    struct hearth_slice body;
    enum onnx_function_state state;
    uint32_t nodes; /* with those of the functions that it calls */
};

/* The whole check; the context of every visit below the model. */
struct onnx_check {
    const struct hearth_onnx_file *files;
    size_t file_count;
    int (*visit)(void *arg, const struct hearth_onnx_weight *weight); /* or NULL */
    void *visit_arg;
    struct hearth_onnx_facts facts;
    uint64_t type_bytes[32]; /* of weights, by element type */
    uint32_t graph_depth;    /* 1: the main graph, whose inputs and outputs are the model's */
    uint32_t graph_count;
    uint32_t call_depth;             /* functions inside functions */
    struct onnx_function *functions; /* room for HEARTH_ONNX_MAX_FUNCTIONS */
    uint32_t function_count;
};

/* Checks one TensorProto, wherever it stands, and says where its data lies. */
int onnx_check_tensor(struct proto_walk *walk, struct hearth_slice tensor, struct onnx_check *check,
                      struct hearth_onnx_weight *ret);

/* Reads one input or output into the next of @ports and counts it. */
int onnx_read_port(struct proto_walk *walk, const struct proto_field *field,
                   struct hearth_onnx_port *ports, uint32_t *count);

/* A node, an opset import and an attribute, of a graph or of a function. */
int onnx_check_node(struct proto_walk *walk, const struct proto_field *field,
                    struct onnx_check *check);
int onnx_check_opset(struct proto_walk *walk, const struct proto_field *field,
                     struct onnx_check *check);
int onnx_check_attribute(struct proto_walk *walk, const struct proto_field *field,
                         struct onnx_check *check);

/* Lists the functions of the file, which may stand behind their calls. */
int onnx_list_functions(struct proto_walk *walk, struct onnx_check *check);
struct onnx_function *onnx_find_function(struct onnx_check *check, const struct onnx_name *name);
bool onnx_has_functions_of(const struct onnx_check *check, struct hearth_slice domain);

/* Checks the body (once) and tells how many nodes a call becomes. */
int onnx_count_function(struct proto_walk *walk, struct onnx_function *function,
                        struct onnx_check *check, uint32_t *ret_nodes);

#endif
