/* raw.c — named tensors in, named tensors out. */

#include "raw.h"

#include "output.h"
#include "tensor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COPY_ALIGNMENT 16u /* of what is copied because it was not aligned for its type */

int raw_check_ports(const struct ports *ports, struct hearth_error *err)
{
    const struct {
        const struct port *ports;
        size_t count;
        const char *what;
    } sides[] = {{ports->inputs, ports->input_count, "input"},
                 {ports->outputs, ports->output_count, "output"}};
    for (size_t side = 0; side < HEARTH_COUNT(sides); side++) {
        for (size_t i = 0; i < sides[side].count; i++) {
            const struct port *port = &sides[side].ports[i];
            if (port_type(port->type) == 0) {
                return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                                   "%s \"%.64s\" is no tensor of numbers or bool (its element type "
                                   "is %d)",
                                   sides[side].what, port->name, (int)port->type);
            }
        }
    }
    return 0;
}

/* ---- inputs --------------------------------------------------------------------------------- */

/* "float32 [any, 3]" */
static void describe(uint32_t type, const uint32_t *shape, size_t rank, char *room, size_t bytes)
{
    int used = snprintf(room, bytes, "%s ", hearth_tensor_type_name((int)type));
    hearth_tensor_shape_text(shape, (uint32_t)rank, room + used, bytes - (size_t)used);
}

static bool fits(const struct port *port, const struct hearth_tensor *tensor)
{
    bool is_right = (uint32_t)tensor->type == port_type(port->type) &&
                    (!port->has_shape || tensor->rank == port->rank);
    for (size_t i = 0; is_right && port->has_shape && i < port->rank; i++) {
        is_right = port->shape[i] == PORT_ANY || port->shape[i] == (int64_t)tensor->shape[i];
    }
    return is_right;
}

/* A byte that is neither 0 nor 1 is no bool: what a kernel makes of it is undefined. */
static bool is_sound_bool(const struct hearth_tensor *tensor)
{
    uint8_t all = 0;
    for (size_t i = 0; tensor->type == HEARTH_TENSOR_BOOL && i < tensor->data.size; i++) {
        all |= tensor->data.data[i];
    }
    return all <= 1;
}

static int check_input(const struct port *port, const struct hearth_tensor *tensor,
                       struct hearth_error *err)
{
    if (fits(port, tensor)) {
        return is_sound_bool(tensor)
                   ? 0
                   : hearth_fail(err, HEARTH_E_INPUT_INVALID,
                                 "input \"%.64s\": a bool is a byte of 0 or 1", port->name);
    }
    char given[128];
    char wanted[128] = "of any shape";
    struct hearth_engine_port told;
    describe((uint32_t)tensor->type, tensor->shape, tensor->rank, given, sizeof given);
    (void)ports_tell(port, 1, &told);
    if (port->has_shape) {
        describe((uint32_t)told.type, told.shape, told.rank, wanted, sizeof wanted);
    } else {
        snprintf(wanted, sizeof wanted, "%s of any shape", hearth_tensor_type_name(told.type));
    }
    return hearth_fail(err, HEARTH_E_INPUT_INVALID, "input \"%.48s\": %s given, %s wanted",
                       port->name, given, wanted);
}

/* Lists names for an error; short, because the error is. */
static void list_names(const struct port *ports, size_t count, char *room, size_t room_bytes)
{
    size_t used = 0;
    room[0] = '\0';
    for (size_t i = 0; i < count && used < room_bytes; i++) {
        int more =
            snprintf(room + used, room_bytes - used, "%s%s", i > 0 ? ", " : "", ports[i].name);
        used += (size_t)HEARTH_MAX(0, more);
    }
}

static const struct hearth_tensor *find_tensor(const struct hearth_tensor *tensors, int count,
                                               const char *name)
{
    for (int i = 0; i < count; i++) {
        if (hearth_slice_equals_string(tensors[i].name, name)) {
            return &tensors[i];
        }
    }
    return NULL;
}

/* Every input is given, nothing else is, and each is as the model wants it. */
static int check_inputs(const struct ports *ports, const struct hearth_tensor *tensors, int count,
                        struct hearth_error *err)
{
    char names[96];
    list_names(ports->inputs, ports->input_count, names, sizeof names);
    for (int i = 0; i < count; i++) {
        if (ports_find(ports->inputs, ports->input_count, tensors[i].name) == NULL) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "tensors[%d]: the model has no input of that name; it takes %s", i,
                               names);
        }
    }
    for (size_t i = 0; i < ports->input_count; i++) {
        const struct port *port = &ports->inputs[i];
        const struct hearth_tensor *tensor = find_tensor(tensors, count, port->name);
        int rc = tensor != NULL ? check_input(port, tensor, err)
                                : hearth_fail(err, HEARTH_E_INPUT_INVALID,
                                              "input \"%.64s\" is missing; the model takes %s",
                                              port->name, names);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static bool must_copy(const struct hearth_tensor *tensor)
{
    return (uintptr_t)tensor->data.data % hearth_wire_element_bytes(tensor->type) != 0;
}

/* Room for all copies at once, so that it does not move while they are lent. */
static int reserve_copies(struct hearth_buf *room, const struct hearth_tensor *tensors, int count,
                          struct hearth_error *err)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++) {
        bytes += must_copy(&tensors[i]) ? tensors[i].data.size + COPY_ALIGNMENT : 0;
    }
    hearth_buf_clear(room);
    return hearth_buf_reserve(room, bytes) < 0 ? hearth_fail_oom(err) : 0;
}

static void *aligned_data(struct hearth_buf *copies, const struct hearth_tensor *tensor)
{
    static uint64_t nothing; /* an address for tensors without elements */
    if (tensor->data.size == 0) {
        return &nothing;
    }
    if (!must_copy(tensor)) {
        return (void *)(uintptr_t)tensor->data.data; /* the library only reads its inputs */
    }
    copies->size += (COPY_ALIGNMENT - copies->size % COPY_ALIGNMENT) % COPY_ALIGNMENT;
    void *copy = copies->data + copies->size;
    memcpy(copy, tensor->data.data, tensor->data.size);
    copies->size += tensor->data.size;
    return copy;
}

static int make_input(const struct session *session, struct hearth_buf *copies,
                      const struct hearth_tensor *tensor, OrtValue **ret, struct hearth_error *err)
{
    int64_t shape[HEARTH_MAX_TENSOR_RANK];
    for (uint32_t i = 0; i < tensor->rank; i++) {
        shape[i] = (int64_t)tensor->shape[i];
    }
    return runtime_check(runtime_api()->CreateTensorWithDataAsOrtValue(
                             session->memory, aligned_data(copies, tensor), tensor->data.size,
                             shape, tensor->rank, (ONNXTensorElementDataType)tensor->type, ret),
                         HEARTH_E_NO_MEMORY, "make a tensor", err);
}

/* Cost of a run for its memory and for the choice of threads: batch × length, taken as the product
 * of the first two dimensions where it is largest. */
static size_t tokens_of(const struct hearth_tensor *tensors, int count)
{
    uint64_t most = 1;
    for (int i = 0; i < count; i++) {
        uint64_t tokens = 1;
        for (uint32_t d = 0; d < HEARTH_MIN(2u, tensors[i].rank); d++) {
            tokens *= tensors[i].shape[d];
        }
        most = HEARTH_MAX(most, tokens);
    }
    return (size_t)most;
}

/* ---- outputs -------------------------------------------------------------------------------- */

/* The names to ask for: those of the request in its order, or all. */
static int choose_outputs(const struct ports *ports,
                          const struct hearth_wire_inference_request *request,
                          const char *ret_names[HEARTH_MAX_TENSORS], uint32_t *ret_count,
                          struct hearth_error *err)
{
    struct hearth_wire_list cursor = request->outputs;
    struct hearth_wire_name wanted;
    uint32_t count = 0;
    while (count < HEARTH_MAX_TENSORS && hearth_wire_next(&cursor, HEARTH_RECORD_name, &wanted)) {
        const struct port *port = ports_find(ports->outputs, ports->output_count, wanted.name);
        if (port == NULL) {
            char names[96];
            list_names(ports->outputs, ports->output_count, names, sizeof names);
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "outputs[%u]: the model has no output of that name; it gives %s",
                               count, names);
        }
        ret_names[count++] = port->name;
    }
    for (size_t i = 0; request->outputs.count == 0 && i < ports->output_count; i++) {
        ret_names[count++] = ports->outputs[i].name;
    }
    *ret_count = count;
    return 0;
}

static int read_output(OrtValue *value, const char *name, struct hearth_engine_tensor *ret,
                       struct hearth_error *err)
{
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    int64_t shape[HEARTH_MAX_TENSOR_RANK] = {0};
    size_t rank = 0;
    uint64_t bytes = 0;
    void *data = NULL;
    int rc = output_shape(value, &type, &rank, shape, err);
    if (rc < 0) {
        return hearth_because(err, rc, "output \"%.64s\"", name);
    }
    *ret = (struct hearth_engine_tensor){
        .name = name, .type = (enum hearth_tensor_type)port_type(type), .rank = (uint32_t)rank};
    bool is_small = true;
    for (size_t i = 0; i < rank; i++) {
        is_small = is_small && shape[i] >= 0 && shape[i] < UINT32_MAX;
        ret->shape[i] = (uint32_t)shape[i];
    }
    if (!is_small || !hearth_tensor_bytes(ret->type, ret->shape, ret->rank, &bytes)) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE,
                           "output \"%.64s\" has more than %" PRIu64
                           " bytes; ask for other outputs "
                           "or send less at once",
                           name, (uint64_t)HEARTH_MAX_MEMFD_BYTES);
    }
    rc = runtime_check(runtime_api()->GetTensorMutableData(value, &data), HEARTH_E_ENGINE_FAILED,
                       "read the output", err);
    ret->data = hearth_slice_of(data, (size_t)bytes);
    return rc;
}

/* ---- the run -------------------------------------------------------------------------------- */

static int run_on(struct runner *runner, const struct onnx_model *model,
                  const struct hearth_tensor *tensors, int count,
                  const char *const names[HEARTH_MAX_TENSORS], struct raw_answer *ret,
                  struct hearth_error *err)
{
    const char *input_names[HEARTH_MAX_TENSORS];
    OrtValue *inputs[HEARTH_MAX_TENSORS] = {NULL};
    int rc = reserve_copies(&runner->numbers, tensors, count, err);
    for (int i = 0; rc == 0 && i < count; i++) {
        input_names[i] =
            ports_find(model->ports.inputs, model->ports.input_count, tensors[i].name)->name;
        rc = make_input(executor_session(model->executor), &runner->numbers, &tensors[i],
                        &inputs[i], err);
    }
    if (rc == 0) {
        rc = executor_run(model->executor, runner->seat, input_names,
                          (const OrtValue *const *)inputs, (size_t)count, names, ret->count,
                          ret->values, tokens_of(tensors, count), err);
    }
    for (int i = 0; i < count; i++) {
        if (inputs[i] != NULL) {
            runtime_api()->ReleaseValue(inputs[i]);
        }
    }
    return rc;
}

int raw_run(struct runner *runner, const struct onnx_model *model, const struct hearth_item *item,
            struct raw_answer *ret, struct hearth_error *err)
{
    const char *names[HEARTH_MAX_TENSORS];
    struct hearth_tensor tensors[HEARTH_MAX_TENSORS];
    *ret = (struct raw_answer){.count = 0};
    int count = hearth_tensors_of(item->job, tensors, err);
    int rc = count < 0 ? count : check_inputs(&model->ports, tensors, count, err);
    if (rc == 0) {
        rc = choose_outputs(&model->ports, hearth_job_request(item->job), names, &ret->count, err);
    }
    if (rc == 0) {
        rc = run_on(runner, model, tensors, count, names, ret, err);
    }
    for (uint32_t i = 0; rc == 0 && i < ret->count; i++) {
        rc = read_output(ret->values[i], names[i], &ret->tensors[i], err);
    }
    return rc;
}

void raw_release(struct raw_answer *answer)
{
    for (uint32_t i = 0; i < answer->count; i++) {
        if (answer->values[i] != NULL) {
            runtime_api()->ReleaseValue(answer->values[i]);
        }
    }
}
