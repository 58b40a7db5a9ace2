/* ports.c — asks the library what the model takes and gives. */

#include "ports.h"

#include <string.h>

static int read_tensor_shape(const OrtTensorTypeAndShapeInfo *tensor, struct port *ret,
                             struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    int rc = runtime_check(api->GetTensorElementType(tensor, &ret->type), HEARTH_E_MODEL_INVALID,
                           "read an element type", err);
    if (rc == 0) {
        rc = runtime_check(api->GetDimensionsCount(tensor, &ret->rank), HEARTH_E_MODEL_INVALID,
                           "read a rank", err);
    }
    if (rc == 0 && ret->rank > HEARTH_MAX_TENSOR_RANK) {
        rc = hearth_fail(err, HEARTH_E_UNSUPPORTED,
                         "\"%.64s\" has %zu dimensions, at most %u are taken", ret->name, ret->rank,
                         HEARTH_MAX_TENSOR_RANK);
    }
    return rc < 0 ? rc
                  : runtime_check(api->GetDimensions(tensor, ret->shape, ret->rank),
                                  HEARTH_E_MODEL_INVALID, "read a shape", err);
}

static int read_shape(OrtTypeInfo *info, struct port *ret, struct hearth_error *err)
{
    const OrtTensorTypeAndShapeInfo *tensor = NULL;
    int rc = runtime_check(runtime_api()->CastTypeInfoToTensorInfo(info, &tensor),
                           HEARTH_E_MODEL_INVALID, "read a shape", err);
    if (rc < 0 || tensor == NULL) {
        ret->type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
        return rc;
    }
    rc = read_tensor_shape(tensor, ret, err);
    for (size_t i = 0; rc == 0 && i < ret->rank; i++) {
        ret->shape[i] = HEARTH_MAX(PORT_ANY, ret->shape[i]);
    }
    ret->has_shape = true;
    return rc;
}

/* The library lends the name until it is freed by its own allocator. */
static int read_name(const struct session *session, bool is_input, size_t index, struct port *ret,
                     struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    OrtAllocator *allocator = NULL;
    char *name = NULL;
    int rc = runtime_check(api->GetAllocatorWithDefaultOptions(&allocator), HEARTH_E_INTERNAL,
                           "allocator", err);
    if (rc == 0) {
        rc = runtime_check(
            is_input ? api->SessionGetInputName(session->session, index, allocator, &name)
                     : api->SessionGetOutputName(session->session, index, allocator, &name),
            HEARTH_E_MODEL_INVALID, "read a name", err);
    }
    if (rc < 0) {
        return rc;
    }
    if (!hearth_slice_to_string(hearth_slice_of_string(name), ret->name, sizeof ret->name)) {
        rc = hearth_fail(err, HEARTH_E_UNSUPPORTED,
                         "the name of an input or output has %zu bytes, at most %u are taken",
                         strlen(name), HEARTH_MAX_LABEL_BYTES);
    }
    OrtStatus *ignored = api->AllocatorFree(allocator, name);
    (void)ignored;
    return rc;
}

static int read_port(const struct session *session, bool is_input, size_t index, struct port *ret,
                     struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    OrtTypeInfo *info = NULL;
    *ret = (struct port){0};
    int rc = read_name(session, is_input, index, ret, err);
    if (rc == 0) {
        rc = runtime_check(is_input ? api->SessionGetInputTypeInfo(session->session, index, &info)
                                    : api->SessionGetOutputTypeInfo(session->session, index, &info),
                           HEARTH_E_MODEL_INVALID, "read a type", err);
    }
    if (rc == 0) {
        rc = read_shape(info, ret, err);
    }
    if (info != NULL) {
        api->ReleaseTypeInfo(info);
    }
    return rc;
}

static int read_ports(const struct session *session, bool is_input, struct port *room,
                      size_t *ret_count, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    size_t count = 0;
    int rc = runtime_check(is_input ? api->SessionGetInputCount(session->session, &count)
                                    : api->SessionGetOutputCount(session->session, &count),
                           HEARTH_E_MODEL_INVALID, "count inputs and outputs", err);
    if (rc == 0 && (count == 0 || count > HEARTH_MAX_TENSORS)) {
        rc = hearth_fail(err, HEARTH_E_UNSUPPORTED, "the model has %zu %s, 1 to %u are taken",
                         count, is_input ? "inputs" : "outputs", HEARTH_MAX_TENSORS);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = read_port(session, is_input, i, &room[i], err);
    }
    *ret_count = rc == 0 ? count : 0;
    return rc;
}

/* To the library a scalar and a tensor of open rank are the same; the file tells them apart. */
static void note_open_ranks(struct ports *ports, const struct hearth_onnx_facts *facts)
{
    for (size_t i = 0; i < ports->input_count; i++) {
        for (uint32_t k = 0; k < facts->input_count; k++) {
            if (strcmp(ports->inputs[i].name, facts->inputs[k].name) == 0) {
                ports->inputs[i].has_shape = facts->inputs[k].has_shape;
            }
        }
    }
}

int ports_read(struct ports *ports, const struct session *session,
               const struct hearth_onnx_facts *facts, struct hearth_error *err)
{
    *ports = (struct ports){0};
    int rc = read_ports(session, true, ports->inputs, &ports->input_count, err);
    if (rc == 0) {
        rc = read_ports(session, false, ports->outputs, &ports->output_count, err);
    }
    if (rc == 0) {
        note_open_ranks(ports, facts);
    }
    return rc;
}

void ports_declared(struct ports *ports, const struct hearth_onnx_facts *facts)
{
    *ports = (struct ports){0};
    for (uint32_t i = 0; i < HEARTH_MIN(facts->output_count, HEARTH_MAX_TENSORS); i++) {
        const struct hearth_onnx_port *from = &facts->outputs[i];
        struct port *into = &ports->outputs[ports->output_count++];
        (void)hearth_slice_to_string(hearth_slice_of_string(from->name), into->name,
                                     sizeof into->name);
        into->type = (ONNXTensorElementDataType)from->type;
        into->has_shape = from->has_shape && from->rank <= HEARTH_MAX_TENSOR_RANK;
        into->rank = into->has_shape ? from->rank : 0;
        memcpy(into->shape, from->shape, into->rank * sizeof *into->shape);
    }
}

const struct port *ports_find(const struct port *ports, size_t count, struct hearth_slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (hearth_slice_equals_string(name, ports[i].name)) {
            return &ports[i];
        }
    }
    return NULL;
}

/* Our numbers are ONNX's own; the library's enumeration happens to be the same, where both know a
 * type, which the assertions below hold. */
_Static_assert(HEARTH_TENSOR_FLOAT32 == (int)ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, "float32");
_Static_assert(HEARTH_TENSOR_INT64 == (int)ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, "int64");
_Static_assert(HEARTH_TENSOR_BOOL == (int)ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, "bool");
_Static_assert(HEARTH_TENSOR_FLOAT16 == (int)ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, "float16");
_Static_assert(HEARTH_TENSOR_FLOAT64 == (int)ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, "float64");
_Static_assert(HEARTH_TENSOR_UINT64 == (int)ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64, "uint64");

uint32_t port_type(ONNXTensorElementDataType type)
{
    return hearth_wire_element_bytes((unsigned)type) != 0 ? (uint32_t)type : 0;
}

uint32_t ports_tell(const struct port *ports, size_t count, struct hearth_engine_port *room)
{
    uint32_t told = 0;
    for (size_t i = 0; i < count; i++) {
        if (port_type(ports[i].type) == 0) {
            continue;
        }
        struct hearth_engine_port *into = &room[told++];
        *into = (struct hearth_engine_port){
            .name = ports[i].name,
            .type = (enum hearth_tensor_type)port_type(ports[i].type),
            .rank = (uint32_t)ports[i].rank,
        };
        for (size_t d = 0; d < ports[i].rank; d++) {
            int64_t size = ports[i].shape[d];
            into->shape[d] = size >= 0 && size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
        }
    }
    return told;
}
