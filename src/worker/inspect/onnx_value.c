/* onnx_value.c — one input or output of the graph: its name, element type and shape. */

#include "onnx_priv.h"

#include <inttypes.h>

enum { /* fields of ValueInfoProto, TypeProto, its Tensor, TensorShapeProto and its Dimension */
       VALUE_NAME = 1,
       VALUE_TYPE = 2,
       TYPE_TENSOR = 1,
       TENSOR_ELEMENT = 1,
       TENSOR_SHAPE = 2,
       SHAPE_DIMENSION = 1,
       DIMENSION_VALUE = 1
};

static int visit_dimension(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    int64_t *size = context;
    if (field->number != DIMENSION_VALUE) {
        return 0; /* a name: open */
    }
    int rc = proto_want_varint(walk, field, "dim_value");
    if (rc == 0) { /* negative ones are how some exporters say "open" */
        *size = field->value <= INT64_MAX ? (int64_t)field->value : HEARTH_ONNX_OPEN;
    }
    return rc;
}

static int visit_shape(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    struct hearth_onnx_port *port = context;
    if (field->number != SHAPE_DIMENSION) {
        return 0;
    }
    if (port->rank == HEARTH_ONNX_MAX_DIMENSIONS) {
        return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED, "\"%s\" has more than %u dimensions",
                           shown_text(hearth_slice_of_string(port->name)).text,
                           HEARTH_ONNX_MAX_DIMENSIONS);
    }
    port->shape[port->rank] = HEARTH_ONNX_OPEN;
    int rc = proto_want_bytes(walk, field, "a dimension");
    rc = rc < 0 ? rc
                : proto_message(walk, field->bytes, "a dimension", visit_dimension,
                                &port->shape[port->rank]);
    port->rank++;
    return rc;
}

static int visit_tensor_type(struct proto_walk *walk, const struct proto_field *field,
                             void *context)
{
    struct hearth_onnx_port *port = context;
    if (field->number == TENSOR_ELEMENT) {
        port->type = (uint32_t)HEARTH_MIN(field->value, UINT32_MAX);
        return proto_want_varint(walk, field, "elem_type");
    }
    if (field->number != TENSOR_SHAPE) {
        return 0;
    }
    port->has_shape = true;
    int rc = proto_want_bytes(walk, field, "a shape");
    return rc < 0 ? rc : proto_message(walk, field->bytes, "a shape", visit_shape, port);
}

static int visit_type(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    if (field->number != TYPE_TENSOR) {
        return 0; /* a sequence, a map: its type stays 0 */
    }
    int rc = proto_want_bytes(walk, field, "a tensor type");
    return rc < 0 ? rc
                  : proto_message(walk, field->bytes, "a tensor type", visit_tensor_type, context);
}

/* Names travel to clients and stand in errors and tables. */
static bool is_sound_name(struct hearth_slice name)
{
    bool is_shown = hearth_utf8_is_valid(name);
    for (size_t i = 0; is_shown && i < name.size; i++) {
        is_shown = name.data[i] >= 0x20 && name.data[i] != 0x7f;
    }
    return is_shown;
}

static int visit_value(struct proto_walk *walk, const struct proto_field *field, void *context)
{
    struct hearth_onnx_port *port = context;
    if (field->number != VALUE_NAME && field->number != VALUE_TYPE) {
        return 0;
    }
    int rc = proto_want_bytes(walk, field, "an input or output");
    if (rc < 0) {
        return rc;
    }
    if (field->number == VALUE_TYPE) {
        return proto_message(walk, field->bytes, "a type", visit_type, port);
    }
    if (field->bytes.size == 0 || !is_sound_name(field->bytes) ||
        !hearth_slice_to_string(field->bytes, port->name, sizeof port->name)) {
        return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED,
                           "input or output \"%s\": names have 1 to %zu bytes of UTF-8, no control "
                           "characters",
                           shown_text(field->bytes).text, sizeof port->name - 1);
    }
    return 0;
}

int onnx_read_port(struct proto_walk *walk, const struct proto_field *field,
                   struct hearth_onnx_port *ports, uint32_t *count)
{
    if (*count == HEARTH_ONNX_MAX_PORTS) {
        return hearth_fail(walk->err, HEARTH_E_UNSUPPORTED, "more than %u inputs or outputs",
                           HEARTH_ONNX_MAX_PORTS);
    }
    struct hearth_onnx_port *port = &ports[*count];
    *port = (struct hearth_onnx_port){0};
    int rc = proto_want_bytes(walk, field, "an input or output");
    rc = rc < 0 ? rc : proto_message(walk, field->bytes, "an input or output", visit_value, port);
    if (rc == 0 && port->name[0] == '\0') {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                           "input or output %" PRIu32 " has no name", *count);
    }
    (*count)++;
    return rc;
}
