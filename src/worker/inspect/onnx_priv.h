/* onnx_priv.h — what the files of the ONNX check share. */

#ifndef HEARTH_ONNX_PRIV_H
#define HEARTH_ONNX_PRIV_H

#include "proto.h"
#include "shown.h"

/* The whole check; the context of every visit below the model. */
struct onnx_check {
    const struct hearth_onnx_file *files;
    size_t file_count;
    struct hearth_onnx_facts facts;
    uint32_t graph_depth; /* 1: the main graph, whose inputs and outputs are the model's */
    uint32_t graph_count;
    uint32_t function_count;
};

/* Checks one TensorProto, wherever it stands. */
int onnx_check_tensor(struct proto_walk *walk, struct hearth_slice tensor,
                      struct onnx_check *check);

#endif
