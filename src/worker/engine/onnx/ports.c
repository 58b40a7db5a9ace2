/* ports.c — reads what the model takes and gives. */

#include "ports.h"

#include <stdio.h>
#include <string.h>

static const char *const input_names[INPUT_KINDS] = {"input_ids", "attention_mask",
                                                     "token_type_ids"};

/* What one input or output looks like. */
struct shape {
    ONNXTensorElementDataType type;
    size_t rank;
    int64_t last; /* size of the last dimension, -1 if open */
};

static int read_shape(OrtTypeInfo *info, struct shape *ret, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    const OrtTensorTypeAndShapeInfo *tensor = NULL;
    int64_t sizes[8];
    int rc = runtime_check(api->CastTypeInfoToTensorInfo(info, &tensor), HEARTH_E_MODEL_INVALID,
                           "read a shape", err);
    if (rc == 0 && tensor == NULL) {
        rc = hearth_fail(err, HEARTH_E_UNSUPPORTED, "an input or output is not a tensor");
    }
    if (rc == 0) {
        rc = runtime_check(api->GetTensorElementType(tensor, &ret->type), HEARTH_E_MODEL_INVALID,
                           "read an element type", err);
    }
    if (rc == 0) {
        rc = runtime_check(api->GetDimensionsCount(tensor, &ret->rank), HEARTH_E_MODEL_INVALID,
                           "read a rank", err);
    }
    if (rc == 0 && (ret->rank == 0 || ret->rank > HEARTH_COUNT(sizes))) {
        rc = hearth_fail(err, HEARTH_E_UNSUPPORTED, "a tensor of rank %zu", ret->rank);
    }
    if (rc == 0) {
        rc = runtime_check(api->GetDimensions(tensor, sizes, ret->rank), HEARTH_E_MODEL_INVALID,
                           "read a shape", err);
    }
    if (rc == 0) {
        ret->last = sizes[ret->rank - 1];
    }
    return rc;
}

/* Copies name and shape of input or output @index. */
static int read_port(const struct session *session, bool is_input, size_t index, char *room,
                     size_t room_bytes, struct shape *ret, struct hearth_error *err)
{
    const OrtApi *api = runtime_api();
    OrtAllocator *allocator = NULL;
    char *name = NULL;
    OrtTypeInfo *info = NULL;
    int rc = runtime_check(api->GetAllocatorWithDefaultOptions(&allocator), HEARTH_E_INTERNAL,
                           "allocator", err);
    if (rc < 0) {
        return rc;
    }
    rc = runtime_check(is_input
                           ? api->SessionGetInputName(session->session, index, allocator, &name)
                           : api->SessionGetOutputName(session->session, index, allocator, &name),
                       HEARTH_E_MODEL_INVALID, "read a name", err);
    if (rc == 0 && snprintf(room, room_bytes, "%s", name) >= (int)room_bytes) {
        rc = hearth_fail(err, HEARTH_E_UNSUPPORTED, "an input or output name is too long");
    }
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
    if (name != NULL) {
        OrtStatus *ignored = api->AllocatorFree(allocator, name);
        (void)ignored;
    }
    return rc;
}

static int find_inputs(struct ports *ports, const struct session *session, struct hearth_error *err)
{
    size_t count = 0;
    int rc = runtime_check(runtime_api()->SessionGetInputCount(session->session, &count),
                           HEARTH_E_MODEL_INVALID, "count inputs", err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char name[256];
        struct shape shape;
        rc = read_port(session, true, i, name, sizeof name, &shape, err);
        if (rc < 0) {
            break;
        }
        size_t kind = 0;
        while (kind < INPUT_KINDS && strcmp(name, input_names[kind]) != 0) {
            kind++;
        }
        if (kind == INPUT_KINDS) {
            return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                               "the model asks for input \"%.64s\"; known are input_ids, "
                               "attention_mask and token_type_ids",
                               name);
        }
        if (shape.type != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 || shape.rank != 2) {
            return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                               "input %s must be int64 [batch, tokens], the model wants rank %zu",
                               input_names[kind], shape.rank);
        }
        ports->has_input[kind] = true;
    }
    if (rc == 0 && !ports->has_input[INPUT_IDS]) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "the model has no input \"input_ids\"");
    }
    for (size_t kind = 0; rc == 0 && kind < INPUT_KINDS; kind++) {
        if (ports->has_input[kind]) {
            ports->input_names[ports->input_count++] = input_names[kind];
        }
    }
    return rc;
}

/* How well an output suits the task: 0 not by name, higher is better. */
static int output_rank_by_name(enum hearth_task task, const char *name)
{
    if (task == HEARTH_TASK_CLASSIFY) {
        return strcmp(name, "logits") == 0 ? 2 : 0;
    }
    if (strcmp(name, "sentence_embedding") == 0) {
        return 2;
    }
    return strcmp(name, "last_hidden_state") == 0 ? 1 : 0;
}

static int take_output(struct ports *ports, const char *name, const struct shape *shape,
                       enum hearth_task task, struct hearth_error *err)
{
    bool is_rank_right = shape->rank == 2 || (shape->rank == 3 && task == HEARTH_TASK_EMBED);
    if (shape->type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || !is_rank_right) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "output \"%.64s\" must be float32 [batch, width]%s, it has rank %zu",
                           name, task == HEARTH_TASK_EMBED ? " or [batch, tokens, width]" : "",
                           shape->rank);
    }
    snprintf(ports->output_name, sizeof ports->output_name, "%s", name);
    ports->output_rank = shape->rank;
    ports->output_width = shape->last;
    return 0;
}

static int find_output(struct ports *ports, const struct session *session, enum hearth_task task,
                       struct hearth_error *err)
{
    size_t count = 0;
    int best = -1;
    char best_name[256] = "";
    struct shape best_shape = {0};
    int rc = runtime_check(runtime_api()->SessionGetOutputCount(session->session, &count),
                           HEARTH_E_MODEL_INVALID, "count outputs", err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char name[256];
        struct shape shape;
        rc = read_port(session, false, i, name, sizeof name, &shape, err);
        int suits = rc == 0 ? output_rank_by_name(task, name) : 0;
        if (rc == 0 && (suits > best)) {
            best = suits;
            memcpy(best_name, name, sizeof name);
            best_shape = shape;
        }
    }
    if (rc < 0) {
        return rc;
    }
    if (best < 0 || (best == 0 && count > 1)) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "%zu outputs and none is named %s", count,
                           task == HEARTH_TASK_CLASSIFY ? "logits" : "last_hidden_state");
    }
    return take_output(ports, best_name, &best_shape, task, err);
}

int ports_read(struct ports *ports, const struct session *session, enum hearth_task task,
               struct hearth_error *err)
{
    *ports = (struct ports){0};
    int rc = find_inputs(ports, session, err);
    return rc < 0 ? rc : find_output(ports, session, task, err);
}
