/* connection.c — the socket of one client: frames in, frames out, and its end.
 *
 * A client that does not read is first not read from (its queue is crowded), then cut with a reason
 * when the queue is full. A connection is destroyed only from its own callbacks, the timer, or the
 * server's end, never while one of its frames is being handled.                                  */

#include "session_priv.h"

#include "hearth_log.h"
#include <string.h>

#define FRAMES_PER_WAKE 16u
#define NS_PER_WAKE     (HEARTH_NS_PER_MS / 2)

static void update_events(struct connection *connection)
{
    bool is_crowded = hearth_frame_queue_is_crowded(&connection->queue);
    bool wants_in = connection->state != CONNECTION_CLOSING && !is_crowded;
    bool wants_out = hearth_frame_queue_bytes(&connection->queue) > 0;
    hearth_loop_modify(connection->server->parts.loop, &connection->watch,
                       (wants_in ? HEARTH_READY_IN : 0u) | (wants_out ? HEARTH_READY_OUT : 0u));
}

/* ---- out ---------------------------------------------------------------------------------- */

void connection_close_after(struct connection *connection)
{
    struct hearth_loop *loop = connection->server->parts.loop;
    if (connection->state != CONNECTION_CLOSING) {
        connection->state = CONNECTION_CLOSING;
        hearth_loop_arm(loop, &connection->close_timer,
                        hearth_clock_deadline_ns(hearth_loop_now_ns(loop), CLOSE_GRACE_MS));
    }
    hearth_loop_defer(loop, &connection->more); /* it is destroyed there, or when all is out */
}

static int push(struct connection *connection, const struct hearth_message *message)
{
    struct hearth_frame_queue *queue = &connection->queue;
    size_t limit = MAX_OUTBOUND_BYTES - (message->type == HEARTH_MSG_error ? 0 : LAST_WORDS_BYTES);
    size_t size = hearth_wire_size(message);
    if (size + HEARTH_FRAME_PREFIX_BYTES >
        limit - HEARTH_MIN(limit, hearth_frame_queue_bytes(queue))) {
        return HEARTH_E_QUEUE_FULL;
    }
    struct hearth_buf *buf = hearth_frame_queue_begin(queue);
    if (buf == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    int rc = hearth_wire_encode(message, buf);
    if (rc < 0) {
        hearth_frame_queue_abort(queue);
        return rc;
    }
    return hearth_frame_queue_commit(queue);
}

static void cut(struct connection *connection, int code)
{
    const char *text = code == HEARTH_E_QUEUE_FULL ? "answers are not read fast enough"
                                                   : hearth_error_sentence(code);
    struct hearth_message message = {
        .type = HEARTH_MSG_error,
        .as.error = {.code = (uint16_t)-code, .message = text_slice(text)}};
    hearth_log(HEARTH_LOG_WARN, "connection.cut", "pid", hearth_log_i(connection->peer.pid), "why",
               hearth_log_s(text), NULL);
    (void)push(connection, &message); /* if even this finds no room, the end itself must do */
    connection_close_after(connection);
}

void connection_send(struct connection *connection, const struct hearth_message *message)
{
    if (connection->state == CONNECTION_CLOSING) {
        return;
    }
    int rc = push(connection, message);
    if (rc < 0) {
        cut(connection, rc);
        return;
    }
    bool was_crowded = hearth_frame_queue_is_crowded(&connection->queue);
    rc = hearth_frame_queue_flush(&connection->queue, connection->fd);
    if (rc < 0 && rc != HEARTH_E_NOT_READY) {
        connection_close_after(connection);
        return;
    }
    if (was_crowded && !hearth_frame_queue_is_crowded(&connection->queue)) {
        /* Frames may have waited in the reader, of which no descriptor tells. */
        hearth_loop_defer(connection->server->parts.loop, &connection->more);
    }
    update_events(connection);
}

void connection_error(struct connection *connection, int code, uint64_t request_id,
                      const char *text)
{
    struct hearth_message message = {.type = HEARTH_MSG_error,
                                     .as.error = {.code = (uint16_t)-code,
                                                  .request_id = request_id,
                                                  .message = text_slice(text)}};
    connection_send(connection, &message);
}

/* ---- in ----------------------------------------------------------------------------------- */

static void stream_broke(struct connection *connection, int code)
{
    if (code == HEARTH_E_TOO_LARGE) {
        connection_error(connection, code, 0,
                         connection->state == CONNECTION_NEW
                             ? "frame over 4096 bytes before the handshake"
                             : "frame over 16777216 bytes");
    } else {
        connection_error(connection, code, 0, "frame of 0 bytes");
    }
    hearth_metrics_count(connection->server->parts.metrics, HEARTH_COUNTER_FRAMES_MALFORMED);
    connection_close_after(connection);
}

/* Handles frames that are here already, a bounded number; the rest in the next round. */
static void take_frames(struct connection *connection)
{
    uint64_t begin_ns = hearth_clock_ns();
    for (unsigned i = 0; i < FRAMES_PER_WAKE; i++) {
        struct hearth_slice frame;
        if (connection->state == CONNECTION_CLOSING ||
            hearth_frame_queue_is_crowded(&connection->queue)) {
            return;
        }
        int rc = hearth_frame_reader_next(&connection->reader, &frame);
        if (rc == HEARTH_E_NOT_READY) {
            return;
        }
        if (rc < 0) {
            stream_broke(connection, rc);
            return;
        }
        message_take(connection, frame);
        if (hearth_clock_ns() - begin_ns > NS_PER_WAKE) {
            break;
        }
    }
    hearth_loop_defer(connection->server->parts.loop, &connection->more);
}

/* True if the connection goes on. */
static bool flush(struct connection *connection)
{
    int rc = hearth_frame_queue_flush(&connection->queue, connection->fd);
    bool is_empty = rc == 0;
    if ((rc < 0 && rc != HEARTH_E_NOT_READY) ||
        (is_empty && connection->state == CONNECTION_CLOSING)) {
        connection_destroy(connection);
        return false;
    }
    return true;
}

/* Nobody will take the answers any more. */
static void abandon_all(struct connection *connection)
{
    HEARTH_LIST_EACH(struct request, of_client, request, &connection->requests) {
        request_abandon(request);
    }
    loads_forget(connection);
}

static void on_more(void *arg)
{
    struct connection *connection = HEARTH_CAST(struct connection, arg, CONNECTION_MAGIC);
    if (!flush(connection)) {
        return;
    }
    if (connection->state == CONNECTION_CLOSING) {
        abandon_all(connection); /* here, not where it was cut: a request may be in hand there */
    }
    take_frames(connection);
    update_events(connection);
}

static void on_ready(void *arg, unsigned events)
{
    struct connection *connection = HEARTH_CAST(struct connection, arg, CONNECTION_MAGIC);
    bool was_crowded = hearth_frame_queue_is_crowded(&connection->queue);
    if ((events & (HEARTH_READY_OUT | HEARTH_READY_END)) != 0 && !flush(connection)) {
        return;
    }
    if ((events & (HEARTH_READY_IN | HEARTH_READY_END)) != 0 &&
        connection->state != CONNECTION_CLOSING) {
        int rc = hearth_frame_reader_fill(&connection->reader, connection->fd);
        if (rc < 0 && rc != HEARTH_E_NOT_READY) {
            connection_destroy(connection);
            return;
        }
        take_frames(connection);
    } else if ((events & HEARTH_READY_END) != 0) {
        connection_destroy(connection);
        return;
    } else if (was_crowded) {
        take_frames(connection); /* frames may have waited for room */
    }
    update_events(connection);
}

/* ---- life --------------------------------------------------------------------------------- */

static void on_close_timer(void *arg, uint64_t now_ns)
{
    (void)now_ns;
    connection_destroy(HEARTH_CAST(struct connection, arg, CONNECTION_MAGIC));
}

void connection_refuse(int fd, int code, const char *text)
{
    struct hearth_frame_queue queue;
    struct hearth_message message = {
        .type = HEARTH_MSG_error,
        .as.error = {.code = (uint16_t)-code, .message = text_slice(text)}};
    hearth_frame_queue_init(&queue, LAST_WORDS_BYTES);
    struct hearth_buf *buf = hearth_frame_queue_begin(&queue);
    int rc = buf != NULL ? hearth_wire_encode(&message, buf) : HEARTH_E_NO_MEMORY;
    rc = rc == 0 ? hearth_frame_queue_commit(&queue) : rc;
    rc = rc == 0 ? hearth_frame_queue_flush(&queue, fd) : rc;
    if (rc < 0) { /* a new socket has room; if not, the connection ends without the reason */
        hearth_log(HEARTH_LOG_DEBUG, "connection.refused_mutely", "code", hearth_log_i(rc), NULL);
    }
    hearth_frame_queue_finish(&queue);
    hearth_fd_close(&fd);
}

void connection_open(struct hearth_server *server, int fd)
{
    struct hearth_error err = {0};
    struct connection *connection = hearth_alloc(1, sizeof *connection);
    if (connection == NULL) {
        connection_refuse(fd, HEARTH_E_NO_MEMORY, hearth_error_sentence(HEARTH_E_NO_MEMORY));
        return;
    }
    connection->magic = CONNECTION_MAGIC;
    connection->server = server;
    connection->fd = fd;
    hearth_list_init(&connection->requests);
    hearth_list_init(&connection->waiters);
    hearth_frame_reader_init(&connection->reader, FIRST_FRAME_BYTES);
    hearth_frame_queue_init(&connection->queue, MAX_OUTBOUND_BYTES);
    hearth_timer_init(&connection->close_timer, on_close_timer, connection);
    hearth_deferred_init(&connection->more, on_more, connection);
    hearth_list_append(&server->connections, &connection->link);
    server->connection_count++;
    int rc = hearth_socket_peer(fd, &connection->peer, &err);
    rc = rc < 0 ? rc
                : hearth_loop_watch(server->parts.loop, &connection->watch, fd, HEARTH_READY_IN,
                                    on_ready, connection, &err);
    if (rc < 0) {
        hearth_log(HEARTH_LOG_WARN, "connection.failed", "error", hearth_log_err(&err), NULL);
        connection_destroy(connection);
    }
}

void connection_destroy(struct connection *connection)
{
    struct hearth_server *server = connection->server;
    abandon_all(connection);
    hearth_loop_unwatch(server->parts.loop, &connection->watch);
    hearth_loop_disarm(server->parts.loop, &connection->close_timer);
    hearth_loop_undefer(server->parts.loop, &connection->more);
    hearth_frame_reader_finish(&connection->reader);
    hearth_frame_queue_finish(&connection->queue);
    hearth_fd_close(&connection->fd);
    hearth_list_remove(&connection->link);
    server->connection_count--;
    connection->magic = 0;
    hearth_free(connection);
}
