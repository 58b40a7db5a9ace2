/* requests.c — open requests: their memory, their answers and their one end.
 *
 * queued → running → ended, or queued → ended. The request is ended in exactly one place,
 * finish_request(), which also unlinks it; every other function gets there. A request whose client
 * has gone while a worker has it stays, without a client, until the worker lets go of it. A warm-up
 * is a request like any other but for the message that ends it and for what is counted.          */

#include "session_priv.h"

#include "hearth_log.h"
#include <string.h>

/* ---- memory ------------------------------------------------------------------------------- */

struct request *request_new(struct hearth_server *server)
{
    struct request *request = hearth_slab_take(&server->request_slab);
    if (request != NULL) {
        request->magic = REQUEST_MAGIC;
        request->server = server;
        hearth_list_init(&request->of_client);
        hearth_list_init(&request->of_ticket);
        hearth_list_init(&request->of_noticed);
    }
    return request;
}

void request_recycle(struct request *request)
{
    struct hearth_server *server = request->server;
    HEARTH_ASSERT(request->job.state == HEARTH_JOB_IDLE);
    hearth_buf_pool_release(&server->request_bytes, &request->bytes);
    hearth_buf_pool_release(&server->request_bytes, &request->choices);
    memfds_release(server, request->client, &request->memfds);
    call_end(request);
    hearth_list_remove(&request->of_ticket);
    hearth_slab_give(&server->request_slab, request);
}

/* ---- finding ------------------------------------------------------------------------------ */

struct request *request_find_open(const struct connection *connection, uint64_t client_id)
{
    HEARTH_LIST_EACH(struct request, of_client, request, &connection->requests) {
        if (request->client_id == client_id && client_id != 0) {
            return request;
        }
    }
    return NULL;
}

static struct hearth_list *bucket_of(struct hearth_server *server, uint64_t ticket)
{
    return &server->tickets[ticket % TICKET_BUCKETS];
}

void request_number(struct request *request)
{
    request->ticket.id = ++request->server->last_ticket_id;
    hearth_list_append(bucket_of(request->server, request->ticket.id), &request->of_ticket);
}

static struct request *find_ticket(struct hearth_server *server, uint64_t ticket)
{
    HEARTH_LIST_EACH(struct request, of_ticket, request, bucket_of(server, ticket)) {
        if (request->ticket.id == ticket) {
            return request;
        }
    }
    return NULL;
}

bool request_is_visible(const struct request *request, const struct hearth_peer *peer)
{
    return request->client != NULL && (peer->uid == 0 || request->client->peer.uid == peer->uid);
}

/* ---- answers ------------------------------------------------------------------------------ */

static uint32_t us_between(uint64_t from_ns, uint64_t to_ns)
{
    uint64_t us = to_ns > from_ns ? (to_ns - from_ns) / HEARTH_NS_PER_US : 0;
    return (uint32_t)HEARTH_MIN(us, UINT32_MAX);
}

void request_tell_warmup(struct connection *connection,
                         const struct hearth_wire_warmup_response *told)
{
    struct hearth_message message = {.type = HEARTH_MSG_warmup_response,
                                     .as.warmup_response = *told};
    connection_send(connection, &message);
}

/* JSON takes half a megabyte; a client that takes memfds gets the rest there. */
static void tell_in_memfds(struct connection *client, struct hearth_message *message, int *fds)
{
    struct hearth_wire_list *tensors = &message->as.inference_response.tensors;
    struct hearth_wire_tensor room[HEARTH_MAX_TENSORS];
    struct memfds moved = {0};
    struct hearth_error err = {0};
    if (memfds_move_out(tensors, room, fds, &moved, &err) < 0) {
        hearth_log(HEARTH_LOG_WARN, "answer.not_moved", "error", hearth_log_err(&err), NULL);
    }
    connection_send_fds(client, message, moved.fds, moved.count);
    for (uint32_t i = 0; i < moved.count; i++) {
        hearth_fd_discard(&moved.fds[i]);
    }
}

static void tell_warmup(const struct request *request,
                        const struct hearth_wire_inference_response *response)
{
    struct hearth_wire_warmup_response told = {
        .request_id = request->client_id,
        .model_id = hearth_slice_of_string(request->model_id),
        .success = response->code == 0,
        .code = response->code,
        .error = response->error,
        .elapsed_ms = response->total_us / 1000,
    };
    request_tell_warmup(request->client, &told);
}

static void tell_end(const struct request *request,
                     const struct hearth_wire_inference_response *response, int *fds,
                     uint32_t fd_count)
{
    struct hearth_message message = {.type = HEARTH_MSG_inference_response,
                                     .as.inference_response = *response};
    message.as.inference_response.request_id = request->client_id;
    message.as.inference_response.evicted_of_others = 0; /* who else is there is not its business */
    if (request->is_warmup) {
        tell_warmup(request, response);
    } else if (request->client->is_json && request->ticket.takes_memfds &&
               response->tensors.count > 0 &&
               hearth_wire_size(&message) > HEARTH_MAX_JSON_ANSWER_BYTES) {
        tell_in_memfds(request->client, &message, fds);
    } else {
        connection_send_fds(request->client, &message, fds, fd_count);
    }
}

/* The one end: the job has left the scheduler. */
static void finish_request(struct request *request,
                           const struct hearth_wire_inference_response *response, int *fds,
                           uint32_t fd_count)
{
    struct hearth_server *server = request->server;
    struct connection *client = request->client;
    struct hearth_wire_inference_response told = *response;
    uint64_t now_ns = hearth_clock_ns();
    uint64_t started_ns = request->started_ns != 0 ? request->started_ns : now_ns;
    uint64_t first_ns = request->first_ns != 0 ? request->first_ns : now_ns;
    told.queue_us = us_between(request->admitted_ns, started_ns);
    told.first_us = us_between(request->admitted_ns, first_ns);
    told.total_us = us_between(request->admitted_ns, now_ns);
    told.generation = request->generation;
    told.worst_gap_us = request->worst_gap_us;
    measure_end(request, &told);
    idle_on_end(server, request->slot);
    if (!request->wants_times) {
        told.tokenize_us = told.prefill_us = told.decode_us = told.worst_gap_us = 0;
    }
    if (client != NULL) {
        hearth_list_remove(&request->of_client);
        client->open_count--;
        tell_end(request, &told, fds, fd_count);
    }
    if (request->is_golden) {
        swaps_take_answer(server, request->ticket.id, &told);
    }
    uint32_t slot = request->slot;
    struct hearth_flow *flow = request->job.flow;
    request_recycle(request);
    flows_let_go(flow);
    drains_look(server, slot);
    server_check_drained(server);
}

/* A piece of a generator's answer is work that its client has got. */
static void charge_chunk(struct request *request, const struct hearth_wire_stream_chunk *chunk)
{
    struct hearth_wire_list results = chunk->results;
    struct hearth_wire_result result;
    if (request->prompt_work == 0) {
        return;
    }
    request->served = HEARTH_MAX(request->served, request->prompt_work);
    while (hearth_wire_next(&results, HEARTH_RECORD_result, &result)) {
        request->served += result.tokens;
    }
    hearth_sched_serve(&request->server->sched, &request->job, request->served);
}

void request_chunk(struct request *request, const struct hearth_wire_stream_chunk *chunk)
{
    measure_chunk(request);
    charge_chunk(request, chunk);
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

/* What it cost its client: tokens that were computed, where a model generates, else inputs. */
static uint32_t work_of(const struct request *request,
                        const struct hearth_wire_inference_response *response)
{
    if (request->prompt_work == 0) {
        return response->code == 0 ? request->job.inputs : request->served;
    }
    uint32_t prompt =
        response->prompt_tokens - HEARTH_MIN(response->prompt_tokens, response->cached_tokens);
    return HEARTH_MAX(request->served, prompt + response->tokens_generated);
}

void request_end(struct request *request, const struct hearth_wire_inference_response *response,
                 int *fds, uint32_t fd_count)
{
    struct hearth_server *server = request->server;
    struct hearth_wire_inference_response told = *response;
    uint32_t slot = request->slot;
    hearth_sched_finish(&server->sched, &request->job, work_of(request, &told),
                        server_now_ms(server));
    explain(request, &told);
    finish_request(request, &told, fds, fd_count);
    lanes_ended(server, slot);
}

void request_fail(struct request *request, int code, const char *text)
{
    struct hearth_server *server = request->server;
    struct hearth_wire_inference_response response = failure(code, text);
    if (!hearth_sched_withdraw(&server->sched, &request->job)) {
        hearth_sched_finish(&server->sched, &request->job, request->served, server_now_ms(server));
    }
    finish_request(request, &response, NULL, 0);
}

/* ---- another lane ------------------------------------------------------------------------- */

void request_move(struct request *request, uint32_t lane)
{
    struct hearth_server *server = request->server;
    struct hearth_error err = {0};
    bool was_queued = hearth_sched_withdraw(&server->sched, &request->job);
    HEARTH_ASSERT(was_queued);
    request->slot = lane;
    hearth_list_remove(&request->of_noticed);
    int rc = flows_submit(request, lane, &err);
    if (rc < 0) {
        struct hearth_wire_inference_response response = failure(rc, err.text);
        finish_request(request, &response, NULL, 0);
    }
}

void requests_on_move(void *arg)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    uint64_t begun_ns = hearth_clock_ns();
    struct hearth_job *job;
    uint32_t moved = 0;
    while ((job = hearth_sched_first_queued(&server->sched, server->moving_from)) != NULL) {
        if (!slice_has_room(moved++, begun_ns)) {
            hearth_loop_defer(server->parts.loop, &server->move_more);
            break;
        }
        request_move(request_of_job(job), server->moving_to);
    }
    lane_dispatch(server, server->moving_to);
    lanes_arm_deadline(server);
}

/* ---- cancel ------------------------------------------------------------------------------- */

static void cancel_running(struct request *request)
{
    if (!request->is_cancelled) {
        request->is_cancelled = true;
        request->cancelled_ns = hearth_clock_ns();
        hearth_pool_cancel(request->server->pool, &request->ticket);
    }
}

/* A request of this connection by its own number, or one of the same user's by its ticket. */
static struct request *find_asked(struct connection *connection,
                                  const struct hearth_wire_cancel_request *asked)
{
    if (asked->ticket == 0) {
        return request_find_open(connection, asked->request_id);
    }
    struct request *request = find_ticket(connection->server, asked->ticket);
    return request != NULL && request_is_visible(request, &connection->peer) ? request : NULL;
}

void request_cancel(struct connection *connection, const struct hearth_wire_cancel_request *asked)
{
    if (asked->ticket != 0 && asked->request_id != 0) {
        connection_error(connection, HEARTH_E_INPUT_INVALID, asked->request_id,
                         "cancel_request has both a request_id and a ticket; give one");
        return;
    }
    struct request *request = find_asked(connection, asked);
    struct hearth_message message = {.type = HEARTH_MSG_cancel_response,
                                     .as.cancel_response = {.request_id = asked->request_id,
                                                            .cancelled = request != NULL,
                                                            .ticket = asked->ticket}};
    connection_send(connection, &message);
    if (request == NULL) {
        return;
    }
    if (request->job.state == HEARTH_JOB_QUEUED) {
        request_fail(request, HEARTH_E_CANCELLED,
                     asked->ticket == 0 ? "cancelled by the client"
                                        : "cancelled through its ticket by the same user or root");
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
        finish_request(request, &response, NULL, 0);
    } else {
        cancel_running(request);
    }
}
