/* ports.h — the inputs and outputs of a loaded model, as the library reports them. */

#ifndef HEARTH_ONNX_PORTS_H
#define HEARTH_ONNX_PORTS_H

#include "session.h"

#include "hearth_engine.h"
#include "hearth_inspect.h"

#define PORT_ANY INT64_C(-1) /* a dimension that the graph leaves open */

struct port {
    char name[HEARTH_MAX_LABEL_BYTES + 1];
    ONNXTensorElementDataType type; /* UNDEFINED: no tensor, such as a sequence or a map */
    bool has_shape;                 /* false: any rank fits */
    size_t rank;
    int64_t shape[HEARTH_MAX_TENSOR_RANK]; /* or PORT_ANY */
};

struct ports {
    struct port inputs[HEARTH_MAX_TENSORS];
    size_t input_count;
    struct port outputs[HEARTH_MAX_TENSORS];
    size_t output_count;
};

/**
 * Reads all of them. @facts is what the file itself says. HEARTH_E_MODEL_INVALID,
 * HEARTH_E_UNSUPPORTED (too many, or a rank or name over the limits, by name).
 */
HEARTH_NODISCARD int ports_read(struct ports *ports, const struct session *session,
                                const struct hearth_onnx_facts *facts, struct hearth_error *err);

/** Takes the outputs as the file declares them, which may say less than the library infers. */
void ports_declared(struct ports *ports, const struct hearth_onnx_facts *facts);

/** The input or output of that name, or NULL. */
const struct port *ports_find(const struct port *ports, size_t count, struct hearth_slice name);

/** Our number for an element type; 0 if tensors of it do not travel. */
uint32_t port_type(ONNXTensorElementDataType type);

/** Lists the ports that can travel into @room (HEARTH_MAX_TENSORS); names are lent. */
uint32_t ports_tell(const struct port *ports, size_t count, struct hearth_engine_port *room);

#endif
