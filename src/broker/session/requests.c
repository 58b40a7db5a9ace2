/* requests.c — one inference request from its frame to its one terminal message.
 *
 * queued → running → ended, or queued → ended. The request is ended in exactly one place,
 * finish_request(), which also unlinks it; every other function gets there. A request whose client
 * has gone while a worker has it stays, without a client, until the worker lets go of it. */

#include "session_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_MAX_TOKENS 256u

/* ---- memory ------------------------------------------------------------------------------- */

static struct request *request_new(struct hearth_server *server)
{
    struct request *request = HEARTH_LIST_FIRST(struct request, of_client, &server->free_requests);
    if (request != NULL) {
        hearth_list_remove(&request->of_client);
        server->free_count--;
        return request;
    }
    request = hearth_alloc(1, sizeof *request);
    if (request != NULL) {
        request->magic = REQUEST_MAGIC;
        request->server = server;
        hearth_list_init(&request->of_client);
        hearth_buf_init(&request->bytes, HEARTH_MAX_RING_MESSAGE_BYTES);
    }
    return request;
}

static void drop_bytes(struct request *request)
{
    hearth_buf_wipe(&request->bytes);
    if (request->bytes.room > REQUEST_KEEP_BYTES) {
        hearth_buf_finish(&request->bytes);
    }
}

static void request_recycle(struct request *request)
{
    struct hearth_server *server = request->server;
    struct hearth_buf bytes;
    HEARTH_ASSERT(request->job.state == HEARTH_JOB_IDLE);
    drop_bytes(request);
    if (server->free_count >= REQUESTS_KEPT) {
        hearth_buf_finish(&request->bytes);
        hearth_free(request);
        return;
    }
    bytes = request->bytes;
    *request = (struct request){.magic = REQUEST_MAGIC, .server = server, .bytes = bytes};
    hearth_list_append(&server->free_requests, &request->of_client);
    server->free_count++;
}

void requests_free_all(struct hearth_server *server)
{
    HEARTH_LIST_EACH(struct request, of_client, request, &server->free_requests) {
        hearth_list_remove(&request->of_client);
        hearth_buf_finish(&request->bytes);
        hearth_free(request);
    }
}

/* ---- admission ---------------------------------------------------------------------------- */

static struct request *find_open(const struct connection *connection, uint64_t client_id)
{
    HEARTH_LIST_EACH(struct request, of_client, request, &connection->requests) {
        if (request->client_id == client_id) {
            return request;
        }
    }
    return NULL;
}

/* On the request, unless its id is that of one that is open: that one gets its own end. */
void request_refuse(struct connection *connection, uint64_t client_id, int code, const char *text)
{
    struct hearth_metrics *metrics = connection->server->parts.metrics;
    if (client_id == 0 || find_open(connection, client_id) != NULL) {
        connection_error(connection, code, 0, text);
        return;
    }
    struct hearth_message message = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = client_id,
                                  .code = (uint16_t)-code,
                                  .error = text_slice(text),
                                  .finish_reason = HEARTH_FINISH_FAILED}};
    hearth_metrics_count(metrics, HEARTH_COUNTER_REQUESTS_TOTAL);
    hearth_metrics_count(metrics, HEARTH_COUNTER_REQUESTS_FAILED);
    connection_send(connection, &message);
}

static bool does_task(const struct hearth_model *model, enum hearth_task task)
{
    return model->manifest->task == (task == HEARTH_TASK_CHAT ? HEARTH_TASK_GENERATE : task);
}

/* Requests for a model that is about to serve may wait for it. */
static int check_model_state(const struct hearth_model *model, struct hearth_error *err)
{
    switch (model->state) {
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
                        struct hearth_model **ret, struct hearth_error *err)
{
    if (server->is_draining) {
        return hearth_fail(err, HEARTH_E_SHUTTING_DOWN, "the daemon is shutting down");
    }
    struct hearth_model *model = hearth_registry_find(server->parts.registry, asked->model_id);
    if (model == NULL) {
        return hearth_fail(err, HEARTH_E_NO_MODEL,
                           "model \"%.*s\" is in none of the model folders of this daemon",
                           HEARTH_SLICE_ARGS(asked->model_id));
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

/* Fills a fresh record; its bytes are what the worker will get. */
static int fill(struct request *request, struct connection *connection,
                const struct hearth_model *model, const struct hearth_wire_inference_request *asked,
                struct hearth_error *err)
{
    struct hearth_server *server = connection->server;
    struct hearth_message message = {.type = HEARTH_MSG_inference_request,
                                     .as.inference_request = *asked};
    uint64_t timeout_ms =
        asked->timeout_ms != 0 ? asked->timeout_ms : server->parts.config->request_timeout_ms;
    request->slot = model->slot;
    request->client_id = asked->request_id;
    request->admitted_ns = hearth_loop_now_ns(server->parts.loop);
    request->ticket.id = ++server->last_ticket_id;
    request->ticket.task = (enum hearth_task)asked->task;
    request->ticket.is_stream = (asked->flags & HEARTH_FLAG_STREAM) != 0;
    request->ticket.inputs = asked->task == HEARTH_TASK_CHAT ? 1 : asked->texts.count;
    request->job.inputs = request->ticket.inputs;
    request->job.priority = (enum hearth_priority)asked->priority;
    request->job.deadline_ms = request->admitted_ns / HEARTH_NS_PER_MS + timeout_ms;
    message.as.inference_request.request_id = request->ticket.id;
    if (asked->max_tokens == 0) {
        message.as.inference_request.max_tokens = DEFAULT_MAX_TOKENS;
    }
    int rc = hearth_wire_encode(&message, &request->bytes);
    request->job.bytes = request->bytes.size;
    return rc < 0 ? hearth_fail(err, rc, "request of %zu bytes: %s", hearth_wire_size(&message),
                                hearth_error_sentence(rc))
                  : 0;
}

static int admit(struct connection *connection, struct request *request,
                 const struct hearth_wire_inference_request *asked, struct hearth_error *err)
{
    struct hearth_server *server = connection->server;
    struct hearth_model *model = NULL;
    int rc = check_target(server, asked, &model, err);
    rc = rc < 0 ? rc : fill(request, connection, model, asked, err);
    if (rc < 0) {
        return rc;
    }
    rc =
        hearth_sched_submit(&server->sched, &request->job, model->slot, server_now_ms(server), err);
    if (rc < 0) {
        return hearth_because(err, rc, "\"%.64s\"", model->id);
    }
    request->client = connection;
    hearth_list_append(&connection->requests, &request->of_client);
    connection->open_count++;
    return 0;
}

void request_admit(struct connection *connection, const struct hearth_wire_inference_request *asked)
{
    struct hearth_server *server = connection->server;
    struct hearth_error err = {0};
    char text[64];
    if (asked->request_id == 0) {
        connection_error(connection, HEARTH_E_INPUT_INVALID, 0, "request_id must not be 0");
        return;
    }
    if (find_open(connection, asked->request_id) != NULL) {
        snprintf(text, sizeof text, "request_id %" PRIu64 " is open already", asked->request_id);
        connection_error(connection, HEARTH_E_INPUT_INVALID, 0, text);
        return;
    }
    if (connection->open_count >= MAX_OPEN_REQUESTS) {
        request_refuse(connection, asked->request_id, HEARTH_E_QUEUE_FULL,
                       "1024 requests of this connection are open");
        return;
    }
    int rc = hearth_wire_check_request(asked, &err);
    if (rc < 0) {
        request_refuse(connection, asked->request_id, rc, err.text);
        return;
    }
    struct request *request = request_new(server);
    rc = request == NULL ? hearth_fail_oom(&err) : admit(connection, request, asked, &err);
    if (rc < 0) {
        if (request != NULL) {
            request_recycle(request);
        }
        request_refuse(connection, asked->request_id, rc, err.text);
        return;
    }
    uint32_t slot = request->slot;
    hearth_metrics_count(server->parts.metrics, HEARTH_COUNTER_REQUESTS_TOTAL);
    lane_dispatch(server, slot);
    lanes_arm_deadline(server);
}

/* ---- answers ------------------------------------------------------------------------------ */

static uint32_t us_between(uint64_t from_ns, uint64_t to_ns)
{
    uint64_t us = to_ns > from_ns ? (to_ns - from_ns) / HEARTH_NS_PER_US : 0;
    return (uint32_t)HEARTH_MIN(us, UINT32_MAX);
}

static void count(const struct request *request,
                  const struct hearth_wire_inference_response *response)
{
    struct hearth_server *server = request->server;
    struct hearth_metrics *metrics = server->parts.metrics;
    int code = -(int)response->code;
    hearth_metrics_count(metrics, code == 0                    ? HEARTH_COUNTER_REQUESTS_SUCCEEDED
                                  : code == HEARTH_E_CANCELLED ? HEARTH_COUNTER_REQUESTS_CANCELLED
                                                               : HEARTH_COUNTER_REQUESTS_FAILED);
    hearth_metrics_add(metrics, HEARTH_COUNTER_TOKENS_INPUT_TOTAL, response->prompt_tokens);
    hearth_metrics_add(metrics, HEARTH_COUNTER_TOKENS_OUTPUT_TOTAL, response->tokens_generated);
    server->records[request->slot].ended++;
    server->records[request->slot].total_ns += hearth_clock_ns() - request->admitted_ns;
}

/* The one end: the job has left the scheduler. */
static void finish_request(struct request *request,
                           const struct hearth_wire_inference_response *response)
{
    struct hearth_server *server = request->server;
    struct connection *client = request->client;
    uint64_t now_ns = hearth_clock_ns();
    count(request, response);
    if (client != NULL) {
        struct hearth_message message = {.type = HEARTH_MSG_inference_response,
                                         .as.inference_response = *response};
        struct hearth_wire_inference_response *out = &message.as.inference_response;
        uint64_t started_ns = request->started_ns != 0 ? request->started_ns : now_ns;
        uint64_t first_ns = request->first_ns != 0 ? request->first_ns : now_ns;
        out->request_id = request->client_id;
        out->queue_us = us_between(request->admitted_ns, started_ns);
        out->first_us = us_between(request->admitted_ns, first_ns);
        out->total_us = us_between(request->admitted_ns, now_ns);
        hearth_list_remove(&request->of_client);
        client->open_count--;
        connection_send(client, &message);
    }
    request_recycle(request);
    server_check_drained(server);
}

void request_chunk(struct request *request, const struct hearth_wire_stream_chunk *chunk)
{
    if (request->first_ns == 0) {
        request->first_ns = hearth_clock_ns();
    }
    if (request->client == NULL) {
        return;
    }
    struct hearth_message message = {.type = HEARTH_MSG_stream_chunk, .as.stream_chunk = *chunk};
    message.as.stream_chunk.request_id = request->client_id;
    connection_send(request->client, &message);
}

static struct hearth_wire_inference_response failure(int code, const char *text)
{
    return (struct hearth_wire_inference_response){
        .code = (uint16_t)-code,
        .error = text_slice(text),
        .finish_reason = code == HEARTH_E_EXPIRED     ? HEARTH_FINISH_TIMEOUT
                         : code == HEARTH_E_CANCELLED ? HEARTH_FINISH_CANCELLED
                                                      : HEARTH_FINISH_FAILED};
}

/* The worker says how the run ended; here is why, if it was the broker who ended it. */
static void explain(const struct request *request, struct hearth_wire_inference_response *response)
{
    if (request->is_overdue && -(int)response->code == HEARTH_E_CANCELLED) {
        response->code = (uint16_t)-HEARTH_E_EXPIRED;
        response->error = hearth_slice_of_string("the request took longer than it was given");
        response->finish_reason = HEARTH_FINISH_TIMEOUT;
    } else if (request->server->is_draining && -(int)response->code == HEARTH_E_WORKER_LOST) {
        response->code = (uint16_t)-HEARTH_E_SHUTTING_DOWN;
        response->error = hearth_slice_of_string("the daemon is shutting down");
    }
}

void request_end(struct request *request, const struct hearth_wire_inference_response *response)
{
    struct hearth_server *server = request->server;
    struct hearth_wire_inference_response told = *response;
    uint32_t slot = request->slot;
    hearth_sched_finish(&server->sched, &request->job);
    explain(request, &told);
    finish_request(request, &told);
    lanes_ended(server, slot);
}

void request_fail(struct request *request, int code, const char *text)
{
    struct hearth_server *server = request->server;
    struct hearth_wire_inference_response response = failure(code, text);
    if (!hearth_sched_withdraw(&server->sched, &request->job)) {
        hearth_sched_finish(&server->sched, &request->job);
    }
    finish_request(request, &response);
}

/* ---- cancel ------------------------------------------------------------------------------- */

static void cancel_running(struct request *request)
{
    if (!request->is_cancelled) {
        request->is_cancelled = true;
        hearth_pool_cancel(request->server->pool, &request->ticket);
    }
}

void request_cancel(struct connection *connection, const struct hearth_wire_cancel_request *asked)
{
    struct request *request = find_open(connection, asked->request_id);
    struct hearth_message message = {
        .type = HEARTH_MSG_cancel_response,
        .as.cancel_response = {.request_id = asked->request_id, .cancelled = request != NULL}};
    connection_send(connection, &message);
    if (request == NULL) {
        return;
    }
    if (request->job.state == HEARTH_JOB_QUEUED) {
        request_fail(request, HEARTH_E_CANCELLED, "cancelled by the client");
        lanes_arm_deadline(connection->server);
    } else {
        cancel_running(request);
    }
}

void request_abandon(struct request *request)
{
    struct hearth_wire_inference_response response =
        failure(HEARTH_E_CANCELLED, "the client has gone");
    hearth_list_remove(&request->of_client);
    request->client->open_count--;
    request->client = NULL;
    if (hearth_sched_withdraw(&request->server->sched, &request->job)) {
        finish_request(request, &response);
    } else {
        cancel_running(request);
    }
}
