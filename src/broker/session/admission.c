/* admission.c — what must hold before a request is open: its shape, its model, its place. */

#include "session_priv.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_MAX_TOKENS 256u
#define GUESSED_TOKENS     64u /* of an answer */
#define BYTES_OF_TOKEN     4u

/* ---- refusing ----------------------------------------------------------------------------- */

/* On the request, unless its id is that of one that is open: that one gets its own end. */
void request_refuse(struct connection *connection,
                    const struct hearth_wire_inference_request *asked, int code, const char *text)
{
    static const struct hearth_sched_place nowhere;
    struct hearth_server *server = connection->server;
    bool has_place = code == HEARTH_E_QUEUE_FULL || code == HEARTH_E_EXPIRED;
    const struct hearth_sched_place *place = has_place ? &server->refused : &nowhere;
    uint64_t client_id = asked->request_id;
    if (client_id == 0 || request_find_open(connection, client_id) != NULL) {
        connection_error(connection, code, 0, text);
        return;
    }
    struct hearth_message message = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = client_id,
                                  .code = (uint16_t)-code,
                                  .error = text_slice(text),
                                  .finish_reason = HEARTH_FINISH_FAILED,
                                  .queue_position = place->position,
                                  .expected_wait_ms = place->expected_wait_ms,
                                  .retry_after_ms = place->retry_after_ms}};
    measure_refusal(server, asked->model_id, code);
    connection_send(connection, &message);
}

/* ---- checks ------------------------------------------------------------------------------- */

static bool does_task(const struct hearth_model *model, enum hearth_task task)
{
    bool is_generator = task == HEARTH_TASK_CHAT || task == HEARTH_TASK_CHOICE;
    return model->manifest->task == (is_generator ? HEARTH_TASK_GENERATE : task);
}

/* Requests for a model that is about to serve may wait for it, and so may those of one whose
 * successor a swap is loading. */
static int check_model_state(const struct hearth_model *model, struct hearth_error *err)
{
    switch (model->is_held ? HEARTH_MODEL_LOADING : hearth_model_told_state(model)) {
    case HEARTH_MODEL_LOADING:
    case HEARTH_MODEL_READY:
    case HEARTH_MODEL_RESTARTING: return 0;
    case HEARTH_MODEL_ABSENT:
        return hearth_fail(err, HEARTH_E_NOT_READY,
                           "\"%.64s\" is not loaded; load it with `hearth models load %.64s`",
                           model->id, model->id);
    case HEARTH_MODEL_DRAINING:
        return hearth_fail(err, HEARTH_E_NOT_READY, "\"%.64s\" is being unloaded", model->id);
    case HEARTH_MODEL_FAILED:
        return hearth_fail(err, HEARTH_E_NOT_READY, "\"%.64s\" could not be loaded: %.150s",
                           model->id, model->failure.text);
    }
    return hearth_fail(err, HEARTH_E_INTERNAL, "unknown state of a model");
}

static int check_target(struct hearth_server *server,
                        const struct hearth_wire_inference_request *asked,
                        struct hearth_model **ret, uint32_t *ret_generation,
                        struct hearth_error *err)
{
    if (server->is_draining) {
        return hearth_fail(err, HEARTH_E_SHUTTING_DOWN, "the daemon is shutting down");
    }
    struct hearth_model *model =
        hearth_registry_resolve(server->parts.registry, asked->model_id, ret_generation);
    if (model == NULL) {
        return hearth_registry_explain(server->parts.registry, asked->model_id, err);
    }
    int rc = check_model_state(model, err);
    if (rc < 0) {
        return rc;
    }
    if (!does_task(model, (enum hearth_task)asked->task)) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "\"%.64s\" does %s, not %s", model->id,
                           hearth_task_name(model->manifest->task),
                           hearth_task_name((enum hearth_task)asked->task));
    }
    *ret = model;
    return 0;
}

/* What its worker would refuse, if that is known already. */
static int check_dimensions(struct hearth_server *server, const struct hearth_model *model,
                            const struct hearth_wire_inference_request *asked,
                            struct hearth_error *err)
{
    struct hearth_worker_info info;
    hearth_pool_info(server->pool, hearth_model_lane(model), &info);
    if (info.dimensions != 0 && asked->dimensions > info.dimensions) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "dimensions: %u, \"%.64s\" has %u",
                           asked->dimensions, model->id, info.dimensions);
    }
    return 0;
}

/* The numbers of this connection alone. */
int request_check_id(const struct connection *connection, uint64_t client_id, bool is_warmup,
                     struct hearth_error *err)
{
    if (client_id == 0 && !is_warmup) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "request_id must not be 0");
    }
    if (request_find_open(connection, client_id) != NULL) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "request_id %" PRIu64 " is open already",
                           client_id);
    }
    return 0;
}

/* ---- opening ------------------------------------------------------------------------------ */

/* What the worker will get. A V2 frame is taken as it came: it was checked, and what a newer client
 * may have put behind the fields that we know is skipped by the worker too. What a generator gets
 * is written anew, for the daemon decides with whom it shares prefixes. */
static int fill_bytes(struct request *request, const struct connection *connection,
                      const struct hearth_wire_inference_request *asked)
{
    struct hearth_message message = {.type = HEARTH_MSG_inference_request,
                                     .as.inference_request = *asked};
    bool is_generation = hearth_wire_is_generation(asked);
    bool is_taken = connection->frame.size > 0 && !request->is_warmup && !is_generation &&
                    connection->frame.size <= HEARTH_MAX_RING_MESSAGE_BYTES;
    if (is_generation) {
        struct hearth_wire_inference_request *given = &message.as.inference_request;
        given->max_tokens = asked->max_tokens != 0 ? asked->max_tokens : DEFAULT_MAX_TOKENS;
        given->cache_domain = domain_of(request->server, &connection->peer, asked->cache_domain);
    }
    size_t expected = HEARTH_MIN(connection->frame.size, (size_t)HEARTH_MAX_RING_MESSAGE_BYTES);
    int rc = hearth_buf_pool_acquire(&request->server->request_bytes, expected, &request->bytes);
    if (rc < 0) {
        return rc;
    }
    rc = is_taken
             ? hearth_buf_append(&request->bytes, connection->frame.data, connection->frame.size)
             : hearth_wire_encode(&message, &request->bytes);
    if (rc == 0) {
        hearth_wire_patch(request->bytes.data, HEARTH_MSG_inference_request,
                          offsetof(struct hearth_wire_inference_request, request_id),
                          request->ticket.id);
    }
    return rc;
}

/* An answer is one of these, and the request's own bytes go to the worker. */
static int keep_choices(struct request *request, struct hearth_wire_list choices)
{
    struct hearth_wire_choice choice;
    int rc = choices.count == 0
                 ? 0
                 : hearth_buf_pool_acquire(&request->server->request_bytes, 0, &request->choices);
    request->ticket.choice_count = choices.count;
    while (rc == 0 && hearth_wire_next(&choices, HEARTH_RECORD_choice, &choice)) {
        uint8_t size = (uint8_t)choice.text.size; /* at most HEARTH_MAX_LABEL_BYTES */
        rc = hearth_buf_append(&request->choices, &size, sizeof size);
        rc = rc < 0 ? rc : hearth_buf_append(&request->choices, choice.text.data, size);
    }
    request->ticket.choices = hearth_buf_slice(&request->choices);
    return rc;
}

/* What the pool needs to know of it: what an answer must be. */
static void fill_ticket(struct hearth_ticket *ticket,
                        const struct hearth_wire_inference_request *asked)
{
    struct hearth_wire_list texts = asked->texts;
    struct hearth_wire_text text;
    bool is_text = asked->task == HEARTH_TASK_GENERATE || asked->task == HEARTH_TASK_CHAT;
    bool wants_scores = (asked->flags & HEARTH_FLAG_LOGPROBS) != 0;
    ticket->task = (enum hearth_task)asked->task;
    ticket->is_stream = (asked->flags & HEARTH_FLAG_STREAM) != 0;
    /* Texts are written side by side, whatever the order in which they end. */
    ticket->is_in_order =
        ticket->is_stream && !is_text && (asked->flags & HEARTH_FLAG_IN_ORDER) != 0;
    ticket->takes_memfds = (asked->flags & HEARTH_FLAG_MEMFDS) != 0;
    ticket->inputs = is_text ? hearth_wire_answers(asked)
                             : HEARTH_MAX(1u, asked->texts.count); /* a chat or tensors are one */
    ticket->scores_per_token = is_text && wants_scores ? 1 + asked->top_logprobs : 0;
    ticket->has_tools = asked->tools.size > 0 && asked->tool_choice != HEARTH_TOOLS_NONE;
    ticket->dimensions = asked->dimensions;
    ticket->vector_type = (enum hearth_vector_type)asked->vector_type;
    for (uint32_t i = 0; ticket->task == HEARTH_TASK_ENTITIES &&
                         hearth_wire_next(&texts, HEARTH_RECORD_text, &text);
         i++) {
        ticket->text_bytes[i] = (uint32_t)text.text.size;
    }
}

/* What it is charged when it starts; what it really cost is known at its end. A token has some four
 * bytes, and most answers end before their limit. */
static void estimate_work(struct request *request,
                          const struct hearth_wire_inference_request *asked)
{
    if (!hearth_wire_is_generation(asked)) {
        request->job.work = request->ticket.inputs;
        return;
    }
    uint32_t answer = asked->max_tokens != 0 ? asked->max_tokens : DEFAULT_MAX_TOKENS;
    request->prompt_work = 1 + (uint32_t)request->bytes.size / BYTES_OF_TOKEN;
    request->job.work =
        request->prompt_work + request->ticket.inputs * HEARTH_MIN(answer, GUESSED_TOKENS);
}

/* Fills a fresh record. */
static int fill(struct request *request, struct connection *connection,
                const struct hearth_model *model, const struct hearth_wire_inference_request *asked,
                struct hearth_error *err)
{
    struct hearth_server *server = connection->server;
    uint64_t timeout_ms =
        asked->timeout_ms != 0 ? asked->timeout_ms : server->parts.config->request_timeout_ms;
    request->slot = hearth_model_lane(model);
    request->asked_slot = model->slot;
    memcpy(request->model_id, model->id, sizeof request->model_id);
    request->wants_times = (asked->flags & HEARTH_FLAG_TIMING) != 0;
    request->client_id = asked->request_id;
    request->admitted_ns = hearth_loop_now_ns(server->parts.loop);
    request_number(request);
    fill_ticket(&request->ticket, asked);
    request->job.inputs = request->ticket.inputs;
    request->job.priority = (enum hearth_priority)asked->priority;
    request->job.deadline_ms = request->admitted_ns / HEARTH_NS_PER_MS + timeout_ms;
    int rc = fill_bytes(request, connection, asked);
    rc = rc < 0 ? rc : keep_choices(request, asked->choices);
    request->job.bytes = request->bytes.size;
    estimate_work(request, asked);
    if (rc == HEARTH_E_TOO_LARGE) {
        struct hearth_message message = {.type = HEARTH_MSG_inference_request,
                                         .as.inference_request = *asked};
        return hearth_fail(err, rc, "the request has %zu bytes, the limit is %u%s",
                           hearth_wire_size(&message), HEARTH_MAX_RING_MESSAGE_BYTES,
                           asked->tensors.count > 0 ? "; large tensors can be sent as memfds" : "");
    }
    return rc < 0 ? hearth_fail(err, rc, "the request: %s", hearth_error_sentence(rc)) : 0;
}

static int admit(struct connection *connection, struct request *request,
                 const struct hearth_wire_inference_request *asked, struct hearth_error *err)
{
    struct hearth_server *server = connection->server;
    struct hearth_model *model = NULL;
    int rc = check_target(server, asked, &model, &request->generation, err);
    rc = rc < 0 ? rc : check_dimensions(server, model, asked, err);
    rc = rc < 0 ? rc : fill(request, connection, model, asked, err);
    rc = rc < 0 ? rc : call_admit(request, asked, err);
    if (rc < 0) {
        return rc;
    }
    request->client = connection;
    rc = flows_submit(request, request->slot, err);
    if (rc < 0) {
        return hearth_because(err, rc, "\"%.64s\"", model->id);
    }
    hearth_list_append(&connection->requests, &request->of_client);
    connection->open_count++;
    return 0;
}

int request_open(struct connection *connection, const struct hearth_wire_inference_request *asked,
                 struct memfds *memfds, bool is_warmup, struct hearth_error *err)
{
    struct hearth_server *server = connection->server;
    if (connection->open_count >= MAX_OPEN_REQUESTS) {
        return hearth_fail(err, HEARTH_E_QUEUE_FULL, "%u requests of this connection are open",
                           MAX_OPEN_REQUESTS);
    }
    int rc = is_warmup ? 0 : hearth_wire_check_request(asked, err); /* that one is our own */
    if (rc < 0) {
        return rc;
    }
    struct request *request = request_new(server);
    if (request == NULL) {
        return hearth_fail_oom(err);
    }
    request->is_warmup = is_warmup;
    rc = admit(connection, request, asked, err);
    if (rc < 0) {
        request_recycle(request);
        return rc;
    }
    request->memfds = *memfds;
    *memfds = (struct memfds){0};
    uint32_t slot = request->slot;
    bool is_large = request->bytes.size > LARGE_BYTES;
    measure_admission(request, asked);
    if ((asked->flags & HEARTH_FLAG_NOTICES) != 0) {
        notices_begin(request);
    }
    if (is_large) {
        lane_dispatch_soon(server, slot);
    } else {
        lane_dispatch(server, slot);
    }
    notices_look(server, request);
    lanes_arm_deadline(server);
    return 0;
}

int request_open_own(struct hearth_server *server, const struct hearth_model *model,
                     const struct hearth_wire_inference_request *asked, uint64_t *ret_ticket,
                     struct hearth_error *err)
{
    struct request *request = request_new(server);
    if (request == NULL) {
        return hearth_fail_oom(err);
    }
    struct hearth_message message = {.type = HEARTH_MSG_inference_request,
                                     .as.inference_request = *asked};
    request->is_golden = true;
    request->slot = hearth_model_lane(model);
    request->asked_slot = model->slot;
    memcpy(request->model_id, model->id, sizeof request->model_id);
    request->admitted_ns = hearth_loop_now_ns(server->parts.loop);
    request_number(request);
    fill_ticket(&request->ticket, asked);
    request->job.inputs = 1;
    request->job.priority = (enum hearth_priority)asked->priority;
    request->job.deadline_ms =
        request->admitted_ns / HEARTH_NS_PER_MS + server->parts.config->request_timeout_ms;
    message.as.inference_request.request_id = request->ticket.id;
    int rc = hearth_buf_pool_acquire(&server->request_bytes, hearth_wire_size(&message),
                                     &request->bytes);
    rc = rc < 0 ? rc : hearth_wire_encode(&message, &request->bytes);
    request->job.bytes = request->bytes.size;
    rc = rc < 0 ? hearth_fail(err, rc, "a golden input: %s", hearth_error_sentence(rc))
                : flows_submit(request, request->slot, err);
    if (rc < 0) {
        request_recycle(request);
        return rc;
    }
    *ret_ticket = request->ticket.id;
    lane_dispatch(server, request->slot);
    lanes_arm_deadline(server);
    return 0;
}

void request_admit(struct connection *connection, const struct hearth_wire_inference_request *asked)
{
    struct memfds memfds = {0};
    struct hearth_error err = {0};
    struct hearth_error id_err = {0};
    connection->server->refused = (struct hearth_sched_place){0};
    int rc = memfds_claim(connection, asked->tensors, &memfds, &err);
    if (request_check_id(connection, asked->request_id, false, &id_err) < 0) {
        connection_error(connection, id_err.code, 0, id_err.text);
    } else if (rc < 0 || request_open(connection, asked, &memfds, false, &err) < 0) {
        request_refuse(connection, asked, err.code, err.text);
    }
    memfds_release(connection->server, connection, &memfds);
}
