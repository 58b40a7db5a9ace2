/* warmup.c — a warm-up is a small request that the daemon makes itself, so that the first one of a
 * client finds the model warm. It waits behind everything else that waits for the model. */

#include "session_priv.h"

#include <string.h>

#define INVENTED_BYTES (1u << 20) /* most of one input that is made up: a picture fits */

/* One warm-up while it is made; the request points into it. */
struct warm_up {
    struct hearth_wire_inference_request run;
    struct hearth_wire_text text;
    struct hearth_wire_tensor tensors[HEARTH_MAX_TENSORS];
    uint32_t shapes[HEARTH_MAX_TENSORS][HEARTH_MAX_TENSOR_RANK];
};

static uint8_t zeros[INVENTED_BYTES]; /* not const: so it takes no room in the program file */

/* Zeros of the shape that @port says, 1 where any size fits. */
static bool invent_tensor(const struct hearth_wire_port *port, uint32_t *shape,
                          struct hearth_wire_tensor *ret)
{
    uint32_t rank = HEARTH_MIN(port->shape.count, HEARTH_MAX_TENSOR_RANK);
    uint64_t bytes = hearth_wire_element_bytes(port->type);
    hearth_wire_copy_u32s(port->shape, shape, rank);
    for (uint32_t i = 0; i < rank; i++) {
        shape[i] = shape[i] == UINT32_MAX ? 1 : shape[i];
        bytes *= shape[i]; /* at most 1 MiB × 2^32 */
        if (bytes > INVENTED_BYTES) {
            return false;
        }
    }
    *ret = (struct hearth_wire_tensor){.name = port->name,
                                       .type = port->type,
                                       .shape = {shape, rank},
                                       .data = hearth_slice_of(zeros, (size_t)bytes)};
    return true;
}

static int invent_tensors(struct warm_up *made, struct hearth_wire_list inputs,
                          struct hearth_error *err)
{
    static const struct hearth_wire_port any = {.name = {(const uint8_t *)"x", 1},
                                                .type = HEARTH_TENSOR_FLOAT32};
    struct hearth_wire_port port = any;
    uint32_t count = 0;
    bool is_made = inputs.count > 0 || invent_tensor(&any, made->shapes[0], &made->tensors[0]);
    while (is_made && hearth_wire_next(&inputs, HEARTH_RECORD_port, &port)) {
        is_made = invent_tensor(&port, made->shapes[count], &made->tensors[count]);
        count++;
    }
    if (!is_made) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "input \"%.*s\" is too large to be made up; send a request instead",
                           HEARTH_SLICE_ARGS(port.name));
    }
    made->run.tensors =
        (struct hearth_wire_list){.count = HEARTH_MAX(1u, count), .items = made->tensors};
    return 0;
}

static int make(struct hearth_server *server, const struct hearth_wire_warmup_request *asked,
                struct warm_up *made, struct hearth_error *err)
{
    const struct hearth_model *model =
        hearth_registry_resolve(server->parts.registry, asked->model_id, NULL);
    struct hearth_wire_inference_request *run = &made->run;
    struct hearth_worker_info info = {0};
    *made = (struct warm_up){.text.text = hearth_slice_of_string("warm up")};
    hearth_wire_default_request(run);
    run->request_id = asked->request_id;
    run->model_id = asked->model_id;
    run->task = (uint8_t)(model != NULL && model->manifest != NULL ? model->manifest->task
                                                                   : HEARTH_TASK_GENERATE);
    run->priority = HEARTH_LOW;
    run->max_tokens = HEARTH_MAX(asked->tokens, 1u);
    run->temperature = 0;
    if (run->task == HEARTH_TASK_TENSORS) {
        hearth_pool_info(server->pool, hearth_model_lane(model), &info);
        return invent_tensors(made, info.ready->inputs, err);
    }
    run->texts = (struct hearth_wire_list){.count = 1, .items = &made->text};
    if (run->task == HEARTH_TASK_RERANK) {
        run->query = made->text.text;
    }
    return 0;
}

static void refuse(struct connection *connection, const struct hearth_wire_warmup_request *asked,
                   int code, const char *text)
{
    struct hearth_wire_warmup_response told = {.request_id = asked->request_id,
                                               .model_id = asked->model_id,
                                               .code = (uint16_t)-code,
                                               .error = text_slice(text)};
    request_tell_warmup(connection, &told);
}

void request_warm_up(struct connection *connection, const struct hearth_wire_warmup_request *asked)
{
    struct warm_up made;
    struct memfds none = {0};
    struct hearth_error err = {0};
    int rc = request_check_id(connection, asked->request_id, true, &err);
    rc = rc < 0 ? rc : make(connection->server, asked, &made, &err);
    rc = rc < 0 ? rc : request_open(connection, &made.run, &none, true, &err);
    if (rc < 0) {
        refuse(connection, asked, rc, err.text);
    }
}
