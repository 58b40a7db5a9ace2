/* connection.c — the socket of one client: frames in, frames out, and its end.
 *
 * A client that does not read is first not read from (its queue is crowded), then cut with a reason
 * when the queue is full. One that only stops sending (shutdown) gets the answers to what it asked.
 * A connection ends only from its own callbacks, the timer, or the server's end, never while one of
 * its frames is being handled.                                                                   */

#include "session_priv.h"

#include "hearth_log.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FRAMES_PER_WAKE 16u
#define NS_PER_WAKE     (HEARTH_NS_PER_MS / 2)
/* Small frames with small answers take microseconds: the clock is read after some of them. */
#define SMALL_FRAME_BYTES 1024u
#define FRAMES_PER_LOOK   4u

static bool is_deaf(const struct connection *connection)
{
    return connection->state == CONNECTION_CLOSING || connection->state == CONNECTION_GONE;
}

static void update_events(struct connection *connection)
{
    bool is_crowded = hearth_frame_queue_is_crowded(&connection->queue);
    bool wants_in = !is_deaf(connection) && !is_crowded && !connection->awaits_list &&
                    !connection->has_input_ended;
    bool wants_out = hearth_frame_queue_bytes(&connection->queue) > 0 &&
                     !connection->is_flush_due && !connection->is_held;
    hearth_loop_modify(connection->server->parts.loop, &connection->watch,
                       (wants_in ? HEARTH_READY_IN : 0u) | (wants_out ? HEARTH_READY_OUT : 0u));
}

/* ---- out ---------------------------------------------------------------------------------- */

void connection_close_after(struct connection *connection)
{
    struct hearth_loop *loop = connection->server->parts.loop;
    if (!is_deaf(connection)) {
        connection->state = CONNECTION_CLOSING;
        connection->close_at_ns =
            hearth_clock_deadline_ns(hearth_loop_now_ns(loop), CLOSE_GRACE_MS);
        timeouts_look(connection);
    }
    hearth_loop_defer(loop, &connection->more); /* it ends there, or when all is out */
}

static int encode(struct connection *connection, const struct hearth_message *message,
                  struct hearth_buf *buf)
{
    struct hearth_json_room *room = &connection->server->json_out;
    if (!connection->is_json) {
        return hearth_wire_encode(message, buf);
    }
    /* With less room than the largest frame, what does not fit is the queue's fault. */
    bool has_room = buf->cap - buf->size > HEARTH_MAX_FRAME_BYTES;
    int rc = hearth_json_encode(message, room, buf);
    hearth_json_room_reset(room, JSON_KEEP_BYTES);
    return rc == HEARTH_E_TOO_LARGE && !has_room ? HEARTH_E_QUEUE_FULL : rc;
}

/* The size of a message is known before it is written in V2, and only after it in V1. */
static int push(struct connection *connection, const struct hearth_message *message, int *fds,
                uint32_t fd_count)
{
    struct hearth_frame_queue *queue = &connection->queue;
    if (connection->is_json && message->type == HEARTH_MSG_inference_response &&
        hearth_wire_size(message) > HEARTH_MAX_JSON_ANSWER_BYTES) {
        return HEARTH_E_TOO_LARGE; /* text takes its time to write, and the loop serves others */
    }
    size_t limit = MAX_OUTBOUND_BYTES - (message->type == HEARTH_MSG_error ? 0 : LAST_WORDS_BYTES);
    size_t size = connection->is_json ? 0 : hearth_wire_size(message);
    if (size + HEARTH_FRAME_PREFIX_BYTES >
        limit - HEARTH_MIN(limit, hearth_frame_queue_bytes(queue))) {
        return HEARTH_E_QUEUE_FULL;
    }
    struct hearth_buf *buf = hearth_frame_queue_begin(queue);
    if (buf == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    int rc = encode(connection, message, buf);
    if (rc == 0 && hearth_frame_queue_bytes(queue) > limit) {
        rc = HEARTH_E_QUEUE_FULL;
    }
    if (rc < 0) {
        hearth_frame_queue_abort(queue);
        return rc;
    }
    rc = hearth_frame_queue_commit_fds(queue, fds, fd_count);
    for (uint32_t i = 0; rc == 0 && i < fd_count; i++) {
        fds[i] = -1; /* the queue's now */
    }
    return rc;
}

/* The request still gets its one end: it says why there is nothing in it. */
static int push_without_results(struct connection *connection, const struct hearth_message *message,
                                const char *why)
{
    struct hearth_message less = *message;
    less.as.inference_response.code = (uint16_t)-HEARTH_E_TOO_LARGE;
    less.as.inference_response.error = hearth_slice_of_string(why);
    less.as.inference_response.finish_reason = HEARTH_FINISH_FAILED;
    less.as.inference_response.results = (struct hearth_wire_list){0};
    less.as.inference_response.tensors = (struct hearth_wire_list){0};
    return push(connection, &less, NULL, 0);
}

static uint64_t memfd_bytes_of(const struct hearth_message *message)
{
    uint64_t each[HEARTH_MAX_TENSORS];
    uint64_t bytes = 0;
    uint32_t count = hearth_wire_memfds(message->as.inference_response.tensors, each);
    for (uint32_t i = 0; i < count; i++) {
        bytes += each[i];
    }
    return bytes;
}

/* An answer with memfds. Memory of answers that a client does not read is memory all the same. */
static int push_fds(struct connection *connection, const struct hearth_message *message, int *fds,
                    uint32_t fd_count)
{
    uint64_t bytes = memfd_bytes_of(message);
    if (bytes > MAX_CLIENT_MEMFD_BYTES) {
        return push_without_results(connection, message,
                                    "the outputs are more than 2 GiB; ask for fewer of them");
    }
    if (bytes > MAX_CLIENT_MEMFD_BYTES - connection->unsent_memfd_bytes) {
        return HEARTH_E_QUEUE_FULL;
    }
    int rc = push(connection, message, fds, fd_count);
    connection->unsent_memfd_bytes += rc == 0 ? bytes : 0;
    return rc;
}

static void forget_unread(struct connection *connection)
{
    connection->server->unread_fds -= connection->unread_fds;
    connection->unread_fds = 0;
    connection->unread_memfd_bytes = 0;
}

/* A socket takes some hundred answers, whatever is behind their descriptors, and the kernel lets a
 * user have only so many descriptors under way: then no worker could send one. Of much, no more
 * goes until the client has read all; whoever has read all may always have some. */
static bool must_read_first(struct connection *connection)
{
    if (hearth_frame_queue_fd_count(&connection->queue) == 0 || connection->unread_fds == 0) {
        return false;
    }
    if (hearth_socket_is_read(connection->fd)) {
        forget_unread(connection);
        return false;
    }
    return connection->unread_memfd_bytes > MAX_UNREAD_MEMFD_BYTES ||
           connection->unread_fds >= MAX_UNREAD_FDS ||
           connection->server->unread_fds >= MAX_ALL_UNREAD_FDS;
}

/* Sends what the socket takes, and counts what goes with it. */
static int send_counted(struct connection *connection)
{
    uint32_t before = hearth_frame_queue_fd_count(&connection->queue);
    int rc = hearth_frame_queue_flush(&connection->queue, connection->fd);
    uint32_t after = hearth_frame_queue_fd_count(&connection->queue);
    connection->unread_fds += before - after;
    connection->server->unread_fds += before - after;
    if (after == 0) {
        connection->unread_memfd_bytes += connection->unsent_memfd_bytes;
        connection->unsent_memfd_bytes = 0;
    }
    return rc;
}

static int send_some(struct connection *connection)
{
    struct hearth_loop *loop = connection->server->parts.loop;
    int rc = must_read_first(connection) ? HEARTH_E_BUSY : send_counted(connection);
    connection->is_held = rc == HEARTH_E_BUSY; /* too many under way, of this client or of all */
    if (connection->is_held) {
        hearth_loop_arm(loop, &connection->hold_timer,
                        hearth_clock_deadline_ns(hearth_loop_now_ns(loop), HOLD_LOOK_MS));
        return HEARTH_E_NOT_READY;
    }
    return rc;
}

static int flush(struct connection *connection)
{
    size_t before = hearth_frame_queue_bytes(&connection->queue);
    connection->is_flush_due = false;
    int rc = send_some(connection);
    size_t after = hearth_frame_queue_bytes(&connection->queue);
    if (after == 0) {
        connection->unread_since_ns = 0;
    } else if (after < before || connection->unread_since_ns == 0) {
        connection->unread_since_ns = hearth_loop_now_ns(connection->server->parts.loop);
    }
    return rc;
}

void connection_cut(struct connection *connection, int code, const char *text)
{
    struct hearth_message message = {
        .type = HEARTH_MSG_error,
        .as.error = {.code = (uint16_t)-code, .message = text_slice(text)}};
    hearth_log(HEARTH_LOG_WARN, "connection.cut", "pid", hearth_log_i(connection->peer.pid), "why",
               hearth_log_s(text), NULL);
    hearth_metrics_count(connection->server->parts.metrics, HEARTH_COUNTER_CONNECTIONS_CUT);
    (void)push(connection, &message, NULL,
               0); /* if even this finds no room, the end itself must do */
    connection_close_after(connection);
}

void connection_send(struct connection *connection, const struct hearth_message *message)
{
    connection_send_fds(connection, message, NULL, 0);
}

void connection_send_fds(struct connection *connection, const struct hearth_message *message,
                         int *fds, uint32_t fd_count)
{
    struct hearth_loop *loop = connection->server->parts.loop;
    if (is_deaf(connection)) {
        return;
    }
    int rc = fd_count > 0 ? push_fds(connection, message, fds, fd_count)
                          : push(connection, message, NULL, 0);
    if (rc == HEARTH_E_TOO_LARGE && message->type == HEARTH_MSG_inference_response) {
        rc = push_without_results(connection, message,
                                  "the answer is too large for this protocol version; ask for less "
                                  "at once, as a stream, or in V2");
    }
    if (rc < 0) {
        connection_cut(connection, rc,
                       rc == HEARTH_E_QUEUE_FULL ? "answers are not read fast enough"
                                                 : hearth_error_sentence(rc));
        return;
    }
    connection->active_ns = hearth_loop_now_ns(loop);
    /* At the end of this round, with what else is sent in it: one system call and one wake-up of
     * the client for all. Much is sent at once, so that a fast reader is not taken for a slow one.
     */
    connection->is_flush_due = true;
    hearth_loop_defer(loop, &connection->more);
    if (hearth_frame_queue_bytes(&connection->queue) >= HEARTH_FRAME_FLUSH_BYTES) {
        rc = flush(connection);
        if (rc < 0 && rc != HEARTH_E_NOT_READY) {
            connection_close_after(connection);
            return;
        }
        update_events(connection);
        timeouts_look(connection);
    }
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

void connection_refuse(struct connection *connection)
{
    char text[HEARTH_ERROR_TEXT_BYTES];
    snprintf(text, sizeof text, "%" PRIu64 " connections are open (max_connections)",
             connection->server->parts.config->max_connections);
    connection_error(connection, connection->refusal, 0,
                     connection->refusal == HEARTH_E_TOO_MANY_CONNECTIONS
                         ? text
                         : "only the user who runs hearthd, and root, may connect");
    connection_close_after(connection);
}

/* ---- in ----------------------------------------------------------------------------------- */

static void stream_broke(struct connection *connection, int code)
{
    if (connection->state == CONNECTION_REFUSED) {
        connection_refuse(connection);
        return;
    }
    if (code == HEARTH_E_INPUT_INVALID) {
        connection_error(connection, code, 0,
                         "descriptors were lost: more than 16 in one message, more than 32 that no "
                         "request claims, or more than the daemon may open");
    } else if (code == HEARTH_E_TOO_LARGE) {
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

/* No whole frame is left. A frame that has begun has its limit in time. */
static void reader_is_dry(struct connection *connection)
{
    bool is_partial = hearth_frame_reader_is_partial(&connection->reader);
    connection->is_reader_dry = true;
    if (is_partial && connection->has_input_ended) {
        connection_error(connection, HEARTH_E_MALFORMED, 0, "the input ended inside a frame");
        connection_close_after(connection);
    } else if (is_partial && connection->frame_begun_ns == 0) {
        connection->frame_begun_ns = hearth_loop_now_ns(connection->server->parts.loop);
    }
}

static void take_frame(struct connection *connection, struct hearth_slice frame)
{
    connection->frame_begun_ns = 0;
    connection->active_ns = hearth_loop_now_ns(connection->server->parts.loop);
    connection->has_asked = true;
    if (connection->state == CONNECTION_REFUSED) {
        connection->is_json = hearth_wire_is_json(frame);
        connection_refuse(connection);
        return;
    }
    message_take(connection, frame);
}

/* Handles frames that are here already, a bounded number; the rest in the next round. */
static void take_frames(struct connection *connection)
{
    uint64_t begin_ns = hearth_clock_ns();
    for (unsigned i = 0; i < FRAMES_PER_WAKE; i++) {
        struct hearth_slice frame;
        if (is_deaf(connection)) {
            return;
        }
        if (hearth_frame_queue_is_crowded(&connection->queue) || connection->awaits_list) {
            connection->frame_begun_ns = 0; /* it is we who do not read */
            connection->is_reader_dry = false;
            return;
        }
        int rc = hearth_frame_reader_next(&connection->reader, &frame);
        if (rc == HEARTH_E_NOT_READY) {
            reader_is_dry(connection);
            return;
        }
        if (rc < 0) {
            stream_broke(connection, rc);
            return;
        }
        size_t before = hearth_frame_queue_bytes(&connection->queue);
        take_frame(connection, frame);
        /* If some of it was sent already, it was much: the difference is as good as endless. */
        size_t answer_bytes = hearth_frame_queue_bytes(&connection->queue) - before;
        bool must_look = frame.size > SMALL_FRAME_BYTES || answer_bytes > SMALL_FRAME_BYTES ||
                         i % FRAMES_PER_LOOK == 0;
        if (must_look && hearth_clock_ns() - begin_ns > NS_PER_WAKE) {
            break;
        }
    }
    hearth_loop_defer(connection->server->parts.loop, &connection->more);
}

/* True when nothing more can come: all that was asked is answered, and all answers are out. */
static bool is_finished(const struct connection *connection)
{
    bool has_all = connection->has_input_ended && connection->is_reader_dry &&
                   connection->open_count == 0 && connection->waiter_count == 0;
    return (has_all || connection->state == CONNECTION_CLOSING) &&
           hearth_frame_queue_bytes(&connection->queue) == 0;
}

/* What every callback of the socket ends with. */
static void settle(struct connection *connection)
{
    int rc = connection->is_flush_due ? flush(connection) : 0;
    if ((rc < 0 && rc != HEARTH_E_NOT_READY) || is_finished(connection)) {
        connection_end(connection);
        return;
    }
    update_events(connection);
    timeouts_look(connection);
    if (connection->server->is_flushing) {
        server_check_drained(connection->server);
    }
}

static void on_hold(void *arg, uint64_t now_ns)
{
    struct connection *connection = HEARTH_CAST(struct connection, arg, CONNECTION_MAGIC);
    (void)now_ns;
    hearth_loop_defer(connection->server->parts.loop, &connection->more); /* frames may wait too */
}

/* Nobody will take the answers any more. Returns true when no request is left. */
static bool abandon_some(struct connection *connection)
{
    uint64_t begun_ns = hearth_clock_ns();
    loads_forget(connection);
    for (uint32_t i = 0; slice_has_room(i, begun_ns); i++) {
        struct request *request =
            HEARTH_LIST_FIRST(struct request, of_client, &connection->requests);
        if (request == NULL) {
            return true;
        }
        request_abandon(request);
    }
    return hearth_list_is_empty(&connection->requests);
}

static void on_more(void *arg)
{
    struct connection *connection = HEARTH_CAST(struct connection, arg, CONNECTION_MAGIC);
    int rc = connection->state == CONNECTION_GONE ? 0 : flush(connection);
    if (connection->state == CONNECTION_GONE || (rc < 0 && rc != HEARTH_E_NOT_READY)) {
        connection_end(connection);
        return;
    }
    if (connection->state == CONNECTION_CLOSING && !abandon_some(connection)) {
        hearth_loop_defer(connection->server->parts.loop, &connection->more);
    }
    take_frames(connection);
    settle(connection);
}

/* Reads once. False: the connection is over. END tells a peer that has closed its socket from one
 * that only sends nothing more. */
static bool read_some(struct connection *connection, bool is_end)
{
    if (connection->has_input_ended && !is_end) {
        return true;
    }
    uint32_t fd_count = hearth_frame_reader_fd_count(&connection->reader);
    int rc = hearth_frame_reader_fill(&connection->reader, connection->fd);
    connection->is_reader_dry = false;
    memfds_arrived(connection, fd_count);
    if (rc == HEARTH_E_DISCONNECTED && !is_end) {
        connection->has_input_ended = true;
        if (connection->state == CONNECTION_REFUSED) {
            connection_refuse(connection); /* its first words will not come */
        }
        return true;
    }
    /* Frames are to be taken first, or the next one says what broke the stream. */
    return rc == 0 || rc == HEARTH_E_NOT_READY || rc == HEARTH_E_QUEUE_FULL ||
           rc == HEARTH_E_INPUT_INVALID;
}

static void on_ready(void *arg, unsigned events)
{
    struct connection *connection = HEARTH_CAST(struct connection, arg, CONNECTION_MAGIC);
    bool was_crowded = hearth_frame_queue_is_crowded(&connection->queue);
    bool is_end = (events & HEARTH_READY_END) != 0;
    int rc = is_end || (events & HEARTH_READY_OUT) != 0 ? flush(connection) : 0;
    bool is_over =
        (rc < 0 && rc != HEARTH_E_NOT_READY) || (is_end && connection->state == CONNECTION_CLOSING);
    bool wants_in = (is_end || (events & HEARTH_READY_IN) != 0) && !is_deaf(connection);
    if (is_over || (wants_in && !read_some(connection, is_end))) {
        connection_end(connection);
        return;
    }
    if (wants_in || was_crowded) { /* frames may have waited for room */
        take_frames(connection);
    }
    settle(connection);
}

/* ---- life --------------------------------------------------------------------------------- */

/* Without a connection to keep: in V2, as nothing was heard of it. */
static void refuse_at_once(int fd, int code)
{
    struct hearth_frame_queue queue;
    struct hearth_message message = {
        .type = HEARTH_MSG_error,
        .as.error = {.code = (uint16_t)-code, .message = text_slice(hearth_error_sentence(code))}};
    hearth_frame_queue_init(&queue, LAST_WORDS_BYTES);
    struct hearth_buf *buf = hearth_frame_queue_begin(&queue);
    int rc = buf != NULL ? hearth_wire_encode(&message, buf) : HEARTH_E_NO_MEMORY;
    rc = rc == 0 ? hearth_frame_queue_commit(&queue) : rc;
    rc = rc == 0 ? hearth_frame_queue_flush(&queue, fd) : rc;
    if (rc < 0) { /* a new socket has room; if not, the connection ends without the reason */
        hearth_log(HEARTH_LOG_DEBUG, "connection.refused_mutely", "code", hearth_log_i(rc), NULL);
    }
    hearth_frame_queue_finish(&queue);
    hearth_socket_discard(&fd);
}

static void count_in(struct connection *connection, int by)
{
    struct hearth_server *server = connection->server;
    uint32_t *count = connection->refusal != 0 ? &server->refused_count : &server->connection_count;
    *count = (uint32_t)((int)*count + by);
}

void connection_open(struct hearth_server *server, int fd, int refusal)
{
    struct hearth_error err = {0};
    struct connection *connection = refusal == 0 || server->refused_count < MAX_REFUSED
                                        ? hearth_alloc(1, sizeof *connection)
                                        : NULL;
    if (connection == NULL) {
        refuse_at_once(fd, refusal != 0 ? refusal : HEARTH_E_NO_MEMORY);
        return;
    }
    connection->magic = CONNECTION_MAGIC;
    connection->server = server;
    connection->fd = fd;
    connection->refusal = refusal;
    connection->state = refusal != 0 ? CONNECTION_REFUSED : CONNECTION_NEW;
    hearth_list_init(&connection->requests);
    hearth_list_init(&connection->waiters);
    hearth_frame_reader_init(&connection->reader, FIRST_FRAME_BYTES);
    hearth_frame_reader_accept_fds(&connection->reader); /* else the kernel closes them here */
    hearth_frame_queue_init(&connection->queue, MAX_OUTBOUND_BYTES);
    hearth_frame_discard_fds_by(&connection->reader, &connection->queue, hearth_fd_discard);
    hearth_deferred_init(&connection->more, on_more, connection);
    hearth_timer_init(&connection->hold_timer, on_hold, connection);
    timeouts_init(connection);
    hearth_list_append(&server->connections, &connection->link);
    count_in(connection, 1);
    int rc = hearth_socket_peer(fd, &connection->peer, &err);
    rc = rc < 0 ? rc
                : hearth_loop_watch(server->parts.loop, &connection->watch, fd, HEARTH_READY_IN,
                                    on_ready, connection, &err);
    if (rc < 0) {
        hearth_log(HEARTH_LOG_WARN, "connection.failed", "error", hearth_log_err(&err), NULL);
        connection_destroy(connection);
        return;
    }
    timeouts_look(connection);
}

static void close_socket(struct connection *connection)
{
    struct hearth_loop *loop = connection->server->parts.loop;
    if (connection->state == CONNECTION_GONE) {
        return;
    }
    connection->state = CONNECTION_GONE;
    connection->awaits_list = false;
    count_in(connection, -1);
    hearth_loop_unwatch(loop, &connection->watch);
    hearth_loop_disarm(loop, &connection->timer);
    hearth_loop_disarm(loop, &connection->hold_timer);
    memfds_forget(connection);
    forget_unread(connection);
    hearth_frame_reader_finish(&connection->reader);
    hearth_frame_queue_finish(&connection->queue);
    hearth_socket_discard(&connection->fd);
}

void connection_end(struct connection *connection)
{
    close_socket(connection);
    if (abandon_some(connection)) {
        connection_destroy(connection);
    } else {
        hearth_loop_defer(connection->server->parts.loop, &connection->more);
    }
}

void connection_destroy(struct connection *connection)
{
    struct hearth_server *server = connection->server;
    close_socket(connection);
    while (!abandon_some(connection)) {
    }
    hearth_loop_undefer(server->parts.loop, &connection->more);
    hearth_list_remove(&connection->link);
    if (server->is_flushing) {
        server_check_drained(server);
    }
    flows_forget(connection);
    connection->magic = 0;
    hearth_free(connection);
}
