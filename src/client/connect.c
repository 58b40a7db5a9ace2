/* connect.c — one connection: opening it, sending and receiving whole messages, ending it. */

#include "client_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t client_deadline_ns(uint32_t timeout_ms)
{
    return timeout_ms == 0 ? HEARTH_NEVER : hearth_clock_deadline_ns(hearth_clock_ns(), timeout_ms);
}

int client_broken(struct hearth_client *client, struct hearth_error *err, const char *format, ...)
{
    char what[HEARTH_ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    client->is_broken = true;
    return hearth_fail(err, HEARTH_E_DISCONNECTED, "%s", what);
}

int client_answer_code(uint16_t code, struct hearth_slice text, struct hearth_error *err)
{
    if (code == 0) {
        return 0;
    }
    if (text.size == 0) {
        return hearth_fail(err, -(int)code, "%s", hearth_error_sentence(-(int)code));
    }
    return hearth_fail(err, -(int)code, "%.*s", HEARTH_SLICE_ARGS(text));
}

/* ── Messages ────────────────────────────────────────────────────────────────────────────────── */

/* What the transport reports, as the caller of the library should see it. */
static int transport_failed(struct hearth_client *client, int rc, struct hearth_error *err)
{
    if (rc == HEARTH_E_EXPIRED) {
        return hearth_fail(err, rc, "no answer from the daemon in time");
    }
    if (rc == HEARTH_E_NO_MEMORY) {
        client->is_broken = true; /* a frame may be half sent or half taken */
        return hearth_fail_oom(err);
    }
    if (rc == HEARTH_E_TOO_LARGE || rc == HEARTH_E_MALFORMED) {
        return client_broken(client, err, "the daemon sent bytes that are no frame");
    }
    return client_broken(client, err, "the daemon closed the connection");
}

static int queue_message(struct hearth_frame_queue *queue, const struct hearth_message *message,
                         struct hearth_error *err)
{
    int rc = hearth_wire_check_fields(message, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_buf *frame = hearth_frame_queue_begin(queue);
    if (frame == NULL) {
        return hearth_fail_oom(err);
    }
    rc = hearth_wire_encode(message, frame);
    if (rc == 0) {
        rc = hearth_frame_queue_commit(queue);
    } else {
        hearth_frame_queue_abort(queue);
    }
    if (rc < 0) {
        return rc == HEARTH_E_NO_MEMORY
                   ? hearth_fail_oom(err)
                   : hearth_fail(err, rc, "the request has %zu bytes, the limit is %u",
                                 hearth_wire_size(message), HEARTH_MAX_RING_MESSAGE_BYTES);
    }
    return 0;
}

int client_send(struct hearth_client *client, const struct hearth_message *message,
                uint64_t deadline_ns, struct hearth_error *err)
{
    pthread_mutex_lock(&client->shared.lock);
    bool is_cut = client->shared.is_cut;
    pthread_mutex_unlock(&client->shared.lock);
    if (client->is_broken || is_cut) {
        return client_broken(client, err, "the connection to the daemon has ended");
    }
    int rc = queue_message(&client->queue, message, err);
    if (rc < 0) {
        return rc;
    }
    rc = hearth_frame_send_all(&client->queue, client->fd, deadline_ns);
    if (rc == HEARTH_E_EXPIRED) {
        client->is_broken = true; /* half a frame lies in the stream */
    }
    return rc < 0 ? transport_failed(client, rc, err) : 0;
}

int client_receive(struct hearth_client *client, uint64_t deadline_ns, struct hearth_message *ret,
                   struct hearth_error *err)
{
    do {
        struct hearth_slice payload;
        int rc = hearth_frame_receive(&client->reader, client->fd, deadline_ns, &payload);
        if (rc < 0) {
            return transport_failed(client, rc, err);
        }
        struct hearth_error detail;
        if (hearth_wire_decode(payload, ret, &detail) < 0) {
            return client_broken(client, err, "the daemon sent a wrong message: %.180s",
                                 detail.text);
        }
    } while (ret->type == HEARTH_MSG_cancel_response);
    if (ret->type == HEARTH_MSG_error) {
        const struct hearth_wire_error *error = &ret->as.error;
        int rc = client_answer_code(error->code, error->message, err);
        return rc < 0 ? rc
                      : client_broken(client, err, "the daemon reported an error without code");
    }
    return 0;
}

/* ── Connection ──────────────────────────────────────────────────────────────────────────────── */

static int handshake(struct hearth_client *client, const struct hearth_connect_params *params,
                     uint64_t deadline_ns, struct hearth_error *err)
{
    struct hearth_message message = {.type = HEARTH_MSG_handshake};
    message.as.handshake = (struct hearth_wire_handshake){
        .version_min = HEARTH_PROTOCOL_VERSION,
        .version_max = HEARTH_PROTOCOL_VERSION,
        .client = hearth_slice_of_string(params->program),
        .token = hearth_slice_of_string(params->token),
    };
    int rc = client_send(client, &message, deadline_ns, err);
    rc = rc < 0 ? rc : client_receive(client, deadline_ns, &message, err);
    if (rc < 0) {
        return rc;
    }
    if (message.type != HEARTH_MSG_handshake_ack) {
        return client_broken(client, err, "the daemon answered the handshake with message %d",
                             (int)message.type);
    }
    const struct hearth_wire_handshake_ack *ack = &message.as.handshake_ack;
    if (ack->version != HEARTH_PROTOCOL_VERSION) {
        return hearth_fail(err, HEARTH_E_VERSION, "the daemon chose protocol %u, this side has %u",
                           (unsigned)ack->version, HEARTH_PROTOCOL_VERSION);
    }
    if (!hearth_slice_to_string(ack->server, client->server, sizeof client->server)) {
        return client_broken(client, err, "the daemon's name holds a NUL");
    }
    return 0;
}

static int open_connection(struct hearth_client *client, const struct hearth_connect_params *params,
                           struct hearth_error *err)
{
    uint64_t deadline_ns = client_deadline_ns(params->timeout_ms);
    int rc;
    if (params->socket_path == NULL) {
        rc = hearth_default_socket(client->path, sizeof client->path, err);
    } else {
        int length = snprintf(client->path, sizeof client->path, "%s", params->socket_path);
        bool fits = length > 0 && (size_t)length < sizeof client->path;
        rc = fits ? 0
                  : hearth_fail(err, HEARTH_E_ARGUMENT,
                                "path of the socket: %d bytes, 1 to %zu wanted", length,
                                sizeof client->path - 1);
    }
    rc = rc < 0 ? rc : hearth_socket_connect(client->path, deadline_ns, &client->fd, err);
    return rc < 0 ? rc : handshake(client, params, deadline_ns, err);
}

int hearth_connect(const hearth_connect_params *params, hearth_client **ret_client,
                   hearth_error *err)
{
    struct hearth_connect_params known;
    int rc = client_connect_params(params, &known, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_client *client = hearth_alloc(1, sizeof *client);
    if (client == NULL) {
        return hearth_fail_oom(err);
    }
    client->magic = HEARTH_CLIENT_MAGIC;
    client->fd = -1;
    client->timeout_ms = known.timeout_ms;
    hearth_frame_reader_init(&client->reader, HEARTH_MAX_FRAME_BYTES);
    hearth_frame_queue_init(&client->queue, HEARTH_CLIENT_QUEUE_BYTES);
    pthread_mutex_init(&client->shared.lock, NULL); /* cannot fail on glibc */
    rc = open_connection(client, &known, err);
    if (rc < 0) {
        hearth_disconnect(client);
        return rc;
    }
    *ret_client = client;
    return 0;
}

void hearth_disconnect(hearth_client *client)
{
    if (client == NULL) {
        return;
    }
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    hearth_fd_close(&client->fd);
    hearth_frame_reader_finish(&client->reader);
    hearth_frame_queue_finish(&client->queue);
    pthread_mutex_destroy(&client->shared.lock);
    client->magic = 0;
    hearth_free(client);
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
