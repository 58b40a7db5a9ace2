/* connect.c — the connection: its beginning, its loss, its end, and when there is another. */

#include "client_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t client_deadline_ns(uint32_t timeout_ms)
{
    return timeout_ms == 0 ? HEARTH_NEVER : hearth_clock_deadline_ns(hearth_clock_ns(), timeout_ms);
}

bool client_is_in_use(const struct hearth_client *client)
{
    return client->shared.open.count > 0 || client->question != NULL;
}

/* ── Loss and end ────────────────────────────────────────────────────────────────────────────── */

void client_connection_lose(struct hearth_client *client, int code, const char *format, ...)
{
    if (client->loss.code < 0) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(client->loss.text, sizeof client->loss.text, format, args);
    va_end(args);
    client->loss.code = code;
}

void client_connection_end(struct hearth_client *client)
{
    struct client_shared *shared = &client->shared;
    struct hearth_error loss = client->loss;
    struct hearth_list ended;
    client->was_lost_in_use = shared->state == HEARTH_CLIENT_CONNECTED && client_is_in_use(client);
    pthread_mutex_lock(&shared->lock);
    shared->state = HEARTH_CLIENT_CLOSED;
    shared->is_deaf = false;
    hearth_fd_close(&shared->fd);
    hearth_frame_queue_finish(&shared->hello);
    hearth_frame_queue_finish(&shared->queue);
    client_open_take_all(&shared->open, &ended);
    pthread_mutex_unlock(&shared->lock);
    hearth_frame_reader_finish(&client->reader);
    client->loss.code = 0;
    client->reason.code = 0;
    if (client->question != NULL) {
        client_question_end(client, &loss);
    }
    while (!hearth_list_is_empty(&ended)) {
        struct client_request *request = HEARTH_LIST_FIRST(struct client_request, link, &ended);
        hearth_list_remove(&request->link);
        client_request_tell(request, &loss); /* may submit: this connection is no more */
    }
}

/* ── Beginning ───────────────────────────────────────────────────────────────────────────────── */

static int queue_handshake(struct hearth_client *client, struct hearth_error *err)
{
    struct hearth_message message = {.type = HEARTH_MSG_handshake};
    message.as.handshake = (struct hearth_wire_handshake){
        .version_min = HEARTH_PROTOCOL_VERSION,
        .version_max = HEARTH_PROTOCOL_VERSION,
        .client = hearth_slice_of_string(client->program),
        .token = hearth_slice_of_string(client->token),
    };
    int rc = hearth_wire_check_fields(&message, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_buf *frame = hearth_frame_queue_begin(&client->shared.hello);
    if (frame == NULL) {
        return hearth_fail_oom(err);
    }
    if (hearth_wire_encode(&message, frame) < 0) { /* the fields are right: only memory can fail */
        hearth_frame_queue_abort(&client->shared.hello);
        return hearth_fail_oom(err);
    }
    return hearth_frame_queue_commit(&client->shared.hello);
}

static int start(struct hearth_client *client, uint64_t deadline_ns, struct hearth_error *err)
{
    struct client_shared *shared = &client->shared;
    HEARTH_AUTO(hearth_fd) int fd = -1;
    int rc = hearth_socket_connect(client->path, deadline_ns, &fd, err);
    if (rc < 0) {
        return rc;
    }
    hearth_frame_reader_init(&client->reader, HEARTH_MAX_FRAME_BYTES);
    hearth_frame_reader_accept_fds(&client->reader);
    client->handshake_deadline_ns = client_deadline_ns(client->timeout_ms);
    client->last_use_ns = hearth_clock_ns();
    client->idle_timeout_ms = 0;
    pthread_mutex_lock(&shared->lock);
    rc = client->has_no_session ? 0 : queue_handshake(client, err);
    if (rc == 0) {
        shared->fd = HEARTH_TAKE_FD(fd);
        shared->state = client->has_no_session ? HEARTH_CLIENT_CONNECTED : HEARTH_CLIENT_CONNECTING;
        client_flush(client); /* should it fail, dispatch finds out why */
    }
    pthread_mutex_unlock(&shared->lock);
    return rc;
}

void client_connection_take(struct hearth_client *client, const struct hearth_message *message)
{
    const struct hearth_wire_handshake_ack *ack = &message->as.handshake_ack;
    if (message->type == HEARTH_MSG_error) {
        struct hearth_error err = {0};
        client_answer_code(message->as.error.code, message->as.error.message, &err);
        client_connection_lose(client, err.code < 0 ? err.code : HEARTH_E_DISCONNECTED, "%s",
                               err.code < 0 ? err.text : "the daemon reported an error of code 0");
    } else if (message->type != HEARTH_MSG_handshake_ack) {
        client_connection_lose(client, HEARTH_E_DISCONNECTED,
                               "the daemon answered the handshake with message %d",
                               (int)message->type);
    } else if (ack->version != HEARTH_PROTOCOL_VERSION) {
        client_connection_lose(client, HEARTH_E_VERSION,
                               "the daemon chose protocol %u, this side has %u",
                               (unsigned)ack->version, HEARTH_PROTOCOL_VERSION);
    } else if (!hearth_slice_to_string(ack->server, client->server, sizeof client->server)) {
        client_connection_lose(client, HEARTH_E_DISCONNECTED, "the daemon's name holds a NUL");
    } else {
        client->idle_timeout_ms = ack->idle_timeout_ms;
        client->was_lost_in_use = false;
        pthread_mutex_lock(&client->shared.lock);
        client->shared.state = HEARTH_CLIENT_CONNECTED;
        client_flush(client);
        pthread_mutex_unlock(&client->shared.lock);
    }
}

/* ── Another ─────────────────────────────────────────────────────────────────────────────────── */

/* The daemon may close the connection in the very moment in which a request is sent; that one would
 * be lost for no fault of its caller. So the last second (of a short limit: half) is not used. */
static bool is_about_to_be_closed(const struct hearth_client *client)
{
    uint32_t margin_ms = HEARTH_MIN(HEARTH_CLIENT_IDLE_MS, client->idle_timeout_ms / 2);
    uint64_t idle_ns = hearth_clock_ns() - client->last_use_ns;
    return client->idle_timeout_ms > 0 &&
           idle_ns / HEARTH_NS_PER_MS >= client->idle_timeout_ms - margin_ms;
}

/* Finds out, before anything is sent, whether the daemon has closed a connection on which nothing
 * is open. */
static void look_at_idle(struct hearth_client *client)
{
    if (client->shared.state == HEARTH_CLIENT_CLOSED) {
        return;
    }
    client_read(client);
    if (client->loss.code == 0 && client_is_deaf(client)) {
        client_connection_lose(client, HEARTH_E_DISCONNECTED, "the daemon closed the connection");
    }
    if (client->loss.code == 0 && is_about_to_be_closed(client)) {
        client_connection_lose(client, HEARTH_E_DISCONNECTED, "the connection was idle for long");
    }
    if (client->loss.code < 0) {
        client_connection_end(client);
    }
}

int client_connection_ensure(struct hearth_client *client, uint64_t deadline_ns,
                             struct hearth_error *err)
{
    if (!client->is_dispatching && !client_is_in_use(client)) {
        look_at_idle(client);
    }
    if (client->loss.code < 0) { /* dispatch has to tell the others of it first */
        return hearth_fail(err, HEARTH_E_DISCONNECTED, "%s", client->loss.text);
    }
    if (client->shared.state != HEARTH_CLIENT_CLOSED) {
        return 0;
    }
    if (client->was_lost_in_use && !client->reconnects) {
        return hearth_fail(err, HEARTH_E_DISCONNECTED, "the connection to the daemon has ended");
    }
    int rc = start(client, deadline_ns, err);
    return rc == HEARTH_E_EXPIRED
               ? hearth_fail(err, HEARTH_E_TOO_MANY_CONNECTIONS,
                             "%s: too many wait for the daemon to accept them", client->path)
               : rc;
}

/* ── The face ────────────────────────────────────────────────────────────────────────────────── */

static int copy_text(const char *text, char **ret)
{
    if (text != NULL) {
        *ret = hearth_copy_string(text, strlen(text));
    }
    return text != NULL && *ret == NULL ? HEARTH_E_NO_MEMORY : 0;
}

static int take_params(struct hearth_client *client, const struct hearth_connect_params *params,
                       struct hearth_error *err)
{
    client->timeout_ms = params->timeout_ms;
    client->reconnects = params->reconnect != 0;
    client->has_no_session = params->without_session != 0;
    if (copy_text(params->program, &client->program) < 0 ||
        copy_text(params->token, &client->token) < 0) {
        return hearth_fail_oom(err);
    }
    if (params->socket_path == NULL) {
        return hearth_default_socket(client->path, sizeof client->path, err);
    }
    int length = snprintf(client->path, sizeof client->path, "%s", params->socket_path);
    bool fits = length > 0 && (size_t)length < sizeof client->path;
    return fits ? 0
                : hearth_fail(err, HEARTH_E_ARGUMENT,
                              "path of the socket: %d bytes, 1 to %zu wanted", length,
                              sizeof client->path - 1);
}

static int create(const struct hearth_connect_params *given, struct hearth_client **ret,
                  struct hearth_error *err)
{
    struct hearth_connect_params params;
    int rc = client_connect_params(given, &params, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_client *client = hearth_alloc(1, sizeof *client);
    if (client == NULL) {
        return hearth_fail_oom(err);
    }
    client->magic = HEARTH_CLIENT_MAGIC;
    client->next_deadline_ns = HEARTH_NEVER;
    client->shared.fd = -1;
    hearth_frame_reader_init(&client->reader, HEARTH_MAX_FRAME_BYTES);
    hearth_buf_init(&client->prometheus, HEARTH_MAX_PROMETHEUS_BYTES + 1);
    hearth_frame_queue_init(&client->shared.hello, HEARTH_CLIENT_HELLO_BYTES);
    hearth_frame_queue_init(&client->shared.queue,
                            HEARTH_CLIENT_QUEUE_BYTES + HEARTH_CLIENT_CANCEL_BYTES);
    client_open_init(&client->shared.open);
    pthread_mutex_init(&client->shared.lock, NULL); /* cannot fail on glibc */
    rc = take_params(client, &params, err);
    if (rc < 0) {
        hearth_disconnect(client);
        return rc;
    }
    *ret = client;
    return 0;
}

/* From the first byte to the open session. */
static int establish(struct hearth_client *client, struct hearth_error *err)
{
    uint64_t deadline_ns = client_deadline_ns(client->timeout_ms);
    bool is_closed = client->shared.state == HEARTH_CLIENT_CLOSED;
    int rc = is_closed ? start(client, deadline_ns, err) : 0;
    while (rc == 0 && client->shared.state == HEARTH_CLIENT_CONNECTING) {
        rc = client_progress(client, HEARTH_NEVER, err); /* the handshake has a deadline */
    }
    if (rc == 0 && client->shared.state == HEARTH_CLIENT_CLOSED) {
        return hearth_fail(err, HEARTH_E_DISCONNECTED, "the daemon closed the connection");
    }
    return rc;
}

static int open_client(const struct hearth_connect_params *params, bool is_blocking,
                       struct hearth_client **ret, struct hearth_error *err)
{
    struct hearth_client *client = NULL;
    int rc = create(params, &client, err);
    if (rc < 0) {
        return rc;
    }
    rc = is_blocking ? establish(client, err) : client_connection_ensure(client, 0, err);
    if (rc < 0) {
        hearth_disconnect(client);
        return rc;
    }
    *ret = client;
    return 0;
}

int hearth_connect(const hearth_connect_params *params, hearth_client **ret_client,
                   hearth_error *err)
{
    return open_client(params, true, ret_client, err);
}

int hearth_connect_start(const hearth_connect_params *params, hearth_client **ret_client,
                         hearth_error *err)
{
    return open_client(params, false, ret_client, err);
}

int hearth_reconnect(hearth_client *client, hearth_error *err)
{
    int rc = client_check_outside(client, "hearth_reconnect()", err);
    if (rc < 0) {
        return rc;
    }
    client_connection_lose(client, HEARTH_E_DISCONNECTED, "the program connected again");
    client->is_dispatching = true;
    client_connection_end(client);
    client->is_dispatching = false;
    client->was_lost_in_use = false;
    return establish(client, err); /* if no callback has begun it */
}

static void forget_requests(struct hearth_client *client)
{
    struct hearth_list forgotten;
    client_open_take_all(&client->shared.open, &forgotten);
    HEARTH_LIST_EACH(struct client_request, link, request, &forgotten) {
        hearth_result_free(request->result);
        hearth_free(request);
    }
}

void hearth_disconnect(hearth_client *client)
{
    if (client == NULL) {
        return;
    }
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    HEARTH_ASSERT(!client->is_dispatching); /* a callback that ends its own client */
    forget_requests(client);
    hearth_fd_close(&client->shared.fd);
    hearth_frame_reader_finish(&client->reader);
    hearth_buf_finish(&client->prometheus);
    hearth_frame_queue_finish(&client->shared.hello);
    hearth_frame_queue_finish(&client->shared.queue);
    pthread_mutex_destroy(&client->shared.lock);
    if (client->token != NULL) {
        hearth_wipe(client->token, strlen(client->token));
    }
    hearth_free(client->token);
    hearth_free(client->program);
    client->magic = 0;
    hearth_free(client);
}

enum hearth_client_state hearth_client_state(const hearth_client *client)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    return client->shared.state;
}

const char *hearth_client_server(const hearth_client *client)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    return client->server;
}

const char *hearth_client_socket(const hearth_client *client)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    return client->path;
}
