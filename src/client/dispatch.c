/* dispatch.c — bytes out, bytes in, deadlines, and waiting for them. Nothing here but
 * client_progress() waits. */

#include "client_priv.h"

#include <fcntl.h>
#include <poll.h>

/* ── Out ─────────────────────────────────────────────────────────────────────────────────────── */

/* The queue closes what it has sent, and a connection that is lost what it has not; the request may
 * go over another one. So it is given descriptors of its own. */
static int duplicate(const struct client_fds *fds, struct client_fds *ret, struct hearth_error *err)
{
    ret->count = 0;
    for (uint32_t i = 0; fds != NULL && i < fds->count; i++) {
        int fd = fcntl(fds->numbers[i], F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            int rc = hearth_fail_errno(err, HEARTH_E_SYSTEM, "a descriptor cannot be duplicated");
            client_fds_close(ret);
            return rc;
        }
        ret->numbers[ret->count++] = fd;
    }
    return 0;
}

static int encode(struct hearth_frame_queue *queue, const struct hearth_message *message,
                  struct client_fds *fds, struct hearth_error *err)
{
    struct hearth_buf *frame = hearth_frame_queue_begin(queue);
    if (frame == NULL) {
        return hearth_fail_oom(err); /* there is room */
    }
    int rc = hearth_wire_encode(message, frame);
    if (rc < 0) {
        hearth_frame_queue_abort(queue);
    } else {
        rc = hearth_frame_queue_commit_fds(queue, fds->numbers, fds->count);
    }
    fds->count = rc == 0 ? 0 : fds->count; /* they are the queue's */
    return rc == HEARTH_E_NO_MEMORY ? hearth_fail_oom(err)
           : rc < 0                 ? hearth_fail(err, rc, "the message could not be queued")
                                    : 0;
}

int client_queue(struct hearth_client *client, const struct hearth_message *message,
                 const struct client_fds *fds, size_t cap, struct hearth_error *err)
{
    struct hearth_frame_queue *queue = &client->shared.queue;
    int rc = hearth_wire_check_fields(message, err);
    if (rc < 0) {
        return rc;
    }
    size_t size = hearth_wire_size(message) + HEARTH_FRAME_PREFIX_BYTES;
    if (size > HEARTH_CLIENT_QUEUE_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "the request has %zu bytes, the limit is %u",
                           size, HEARTH_MAX_RING_MESSAGE_BYTES);
    }
    if (size > cap || hearth_frame_queue_bytes(queue) > cap - size) {
        return hearth_fail(err, HEARTH_E_QUEUE_FULL, "%zu bytes wait to be sent to the daemon",
                           hearth_frame_queue_bytes(queue));
    }
    struct client_fds own;
    rc = duplicate(fds, &own, err);
    rc = rc < 0 ? rc : encode(queue, message, &own, err);
    client_fds_close(&own);
    return rc;
}

static struct hearth_frame_queue *leaving(struct hearth_client *client)
{
    return client->shared.state == HEARTH_CLIENT_CONNECTING ? &client->shared.hello
                                                            : &client->shared.queue;
}

int client_flush(struct hearth_client *client)
{
    struct client_shared *shared = &client->shared;
    if (shared->is_deaf || shared->fd < 0) {
        return HEARTH_E_DISCONNECTED;
    }
    int rc = hearth_frame_queue_flush(leaving(client), shared->fd);
    if (rc == 0 || rc == HEARTH_E_NOT_READY) {
        return rc;
    }
    shared->is_deaf = true;
    return HEARTH_E_DISCONNECTED;
}

bool client_is_deaf(struct hearth_client *client)
{
    pthread_mutex_lock(&client->shared.lock);
    bool is_deaf = client->shared.is_deaf;
    pthread_mutex_unlock(&client->shared.lock);
    return is_deaf;
}

/* ── In ──────────────────────────────────────────────────────────────────────────────────────── */

/* An error is of a request, of the question under way, or of the connection, which then ends. */
static void take_error(struct hearth_client *client, const struct hearth_wire_error *error)
{
    struct hearth_error err = {0};
    client_answer_code(error->code, error->message, &err);
    if (err.code == 0) {
        client_connection_lose(client, HEARTH_E_DISCONNECTED,
                               "the daemon reported an error of code 0");
        return;
    }
    struct client_request *request = client_open_find(&client->shared.open, error->request_id);
    if (request != NULL) {
        client_request_end(client, request, &err);
    } else if (client->question != NULL &&
               (error->request_id == 0 || error->request_id == client->question->id)) {
        client_question_end(client, &err);
    } else if (error->request_id == 0) {
        client->reason = err;
    }
}

/* Descriptors belong to the response although nobody may wait for it any more. */
static void take_response(struct hearth_client *client,
                          const struct hearth_wire_inference_response *response)
{
    struct client_fds fds;
    if (client_fds_take(client, response->tensors, &fds) < 0) {
        client_connection_lose(client, HEARTH_E_DISCONNECTED,
                               "the daemon sent tensors without their memory");
        return;
    }
    client_take_response(client, response, &fds);
    client_fds_close(&fds);
}

static void take_message(struct hearth_client *client, struct hearth_slice payload)
{
    struct hearth_message message;
    struct hearth_error err;
    if (hearth_wire_decode(payload, &message, &err) < 0) {
        client_connection_lose(client, HEARTH_E_DISCONNECTED,
                               "the daemon sent a wrong message: %.180s", err.text);
    } else if (client->shared.state == HEARTH_CLIENT_CONNECTING) {
        client_connection_take(client, &message);
    } else if (message.type == HEARTH_MSG_stream_chunk) {
        client_take_chunk(client, &message.as.stream_chunk);
    } else if (message.type == HEARTH_MSG_inference_response) {
        take_response(client, &message.as.inference_response);
    } else if (message.type == HEARTH_MSG_error) {
        take_error(client, &message.as.error);
    } else {
        client_question_take(client, &message); /* or a late answer: to nobody any more */
    }
}

static void take_frames(struct hearth_client *client)
{
    struct hearth_slice payload;
    int rc = 0;
    while (client->loss.code == 0 &&
           (rc = hearth_frame_reader_next(&client->reader, &payload)) == 0) {
        take_message(client, payload);
    }
    if (rc < 0 && rc != HEARTH_E_NOT_READY) {
        client_connection_lose(client, HEARTH_E_DISCONNECTED,
                               "the daemon sent bytes that are no frame");
    }
}

static void lose_for(struct hearth_client *client, int rc)
{
    if (rc == HEARTH_E_NO_MEMORY) {
        client_connection_lose(client, rc, "%s", hearth_error_sentence(rc));
    } else if (client->reason.code < 0) {
        client_connection_lose(client, HEARTH_E_DISCONNECTED,
                               "the daemon closed the connection: %.200s", client->reason.text);
    } else {
        client_connection_lose(client, HEARTH_E_DISCONNECTED, "the daemon closed the connection");
    }
}

void client_read(struct hearth_client *client)
{
    bool was_in_use = client_is_in_use(client);
    for (int i = 0; i < HEARTH_CLIENT_FILLS && client->loss.code == 0; i++) {
        int rc = hearth_frame_reader_fill(&client->reader, client->shared.fd);
        if (rc == HEARTH_E_NOT_READY) {
            if (client_is_deaf(client)) {
                lose_for(client, HEARTH_E_DISCONNECTED); /* it has said all that it will */
            }
            return;
        }
        if (rc < 0) {
            lose_for(client, rc);
            return;
        }
        client->last_use_ns = hearth_clock_ns();
        take_frames(client);
        if (was_in_use && !client_is_in_use(client)) {
            return; /* all has come: what else there may be has time */
        }
    }
}

/* ── Time ────────────────────────────────────────────────────────────────────────────────────── */

static void expire(struct hearth_client *client)
{
    static const char text[] = "no answer from the daemon in time";
    uint64_t now_ns = hearth_clock_ns();
    if (client->shared.state == HEARTH_CLIENT_CONNECTING &&
        now_ns >= client->handshake_deadline_ns) {
        client_connection_lose(client, HEARTH_E_EXPIRED, text);
    }
    if (now_ns < client->next_deadline_ns) {
        return;
    }
    client->next_deadline_ns = HEARTH_NEVER;
    HEARTH_LIST_EACH(struct client_request, link, request, &client->shared.open.all) {
        if (now_ns < request->deadline_ns) {
            client->next_deadline_ns = HEARTH_MIN(client->next_deadline_ns, request->deadline_ns);
            continue;
        }
        struct hearth_error err;
        hearth_cancel_request(client, request->id, NULL); /* nobody waits for it any more */
        hearth_fail(&err, HEARTH_E_EXPIRED, text);
        client_request_end(client, request, &err);
    }
}

static uint64_t next_deadline_ns(const struct hearth_client *client)
{
    bool is_connecting = client->shared.state == HEARTH_CLIENT_CONNECTING;
    uint64_t next_ns = client->shared.open.count > 0 ? client->next_deadline_ns : HEARTH_NEVER;
    return is_connecting ? HEARTH_MIN(next_ns, client->handshake_deadline_ns) : next_ns;
}

int client_check_outside(struct hearth_client *client, const char *function,
                         struct hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    return client->is_dispatching
               ? hearth_fail(err, HEARTH_E_BUSY, "%s in a callback of this client", function)
               : 0;
}

/* ── Dispatch ────────────────────────────────────────────────────────────────────────────────── */

static int end_if_lost(struct hearth_client *client, struct hearth_error *err)
{
    if (client->loss.code == 0) {
        return 0;
    }
    bool is_news = client_is_in_use(client) || client->shared.state == HEARTH_CLIENT_CONNECTING;
    int rc = is_news ? hearth_fail(err, client->loss.code, "%s", client->loss.text) : 0;
    client_connection_end(client);
    return rc;
}

int hearth_dispatch(hearth_client *client, hearth_error *err)
{
    int rc = client_check_outside(client, "hearth_dispatch()", err);
    if (rc < 0) {
        return rc;
    }
    client->is_dispatching = true;
    if (client->shared.state != HEARTH_CLIENT_CLOSED) {
        pthread_mutex_lock(&client->shared.lock);
        client->shared.owner = pthread_self();
        client_flush(client); /* a failure is told when all that came is read */
        pthread_mutex_unlock(&client->shared.lock);
        client_read(client);
    }
    expire(client);
    rc = end_if_lost(client, err);
    client->is_dispatching = false;
    return rc;
}

int client_progress(struct hearth_client *client, uint64_t deadline_ns, struct hearth_error *err)
{
    if (client->shared.fd >= 0 && client->loss.code == 0 && !client_is_deaf(client)) {
        unsigned events = HEARTH_READY_IN;
        if ((hearth_client_wanted_events(client) & POLLOUT) != 0) {
            events |= HEARTH_READY_OUT;
        }
        int rc = hearth_fd_wait(client->shared.fd, events,
                                HEARTH_MIN(deadline_ns, next_deadline_ns(client)), NULL);
        if (rc < 0 && rc != HEARTH_E_EXPIRED) {
            client_connection_lose(client, HEARTH_E_SYSTEM, "cannot wait for the daemon");
        }
    }
    return hearth_dispatch(client, err);
}

int hearth_wait(hearth_client *client, uint32_t timeout_ms, hearth_error *err)
{
    int rc = client_check_outside(client, "hearth_wait()", err);
    uint64_t deadline_ns = client_deadline_ns(timeout_ms);
    while (rc == 0 && client->shared.open.count > 0) {
        rc = client_progress(client, deadline_ns, err);
        if (rc == 0 && client->shared.open.count > 0 && hearth_clock_ns() >= deadline_ns) {
            rc = hearth_fail(err, HEARTH_E_EXPIRED, "%zu requests are still open",
                             client->shared.open.count);
        }
    }
    return rc;
}

/* ── What to wait for ────────────────────────────────────────────────────────────────────────── */

size_t hearth_client_open_requests(const hearth_client *client)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    return client->shared.open.count;
}

int hearth_client_fd(const hearth_client *client)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    return client->shared.fd;
}

int hearth_client_wanted_events(hearth_client *client)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    pthread_mutex_lock(&client->shared.lock);
    bool has_more = hearth_frame_queue_bytes(leaving(client)) > 0;
    pthread_mutex_unlock(&client->shared.lock);
    return has_more ? POLLIN | POLLOUT : POLLIN;
}

int hearth_client_timeout_ms(hearth_client *client)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    uint64_t until_ns = next_deadline_ns(client);
    if (client->loss.code < 0 || client_is_deaf(client)) {
        return 0;
    }
    if (until_ns == HEARTH_NEVER) {
        return -1;
    }
    uint64_t now_ns = hearth_clock_ns();
    uint64_t left_ms =
        until_ns <= now_ns ? 0 : (until_ns - now_ns + HEARTH_NS_PER_MS - 1) / HEARTH_NS_PER_MS;
    return left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}
