/* timeouts.c — how long a client may take: to its handshake, for a frame, to read, between
 * requests.
 *
 * One timer a connection. It is armed for the nearest limit and only ever moved nearer; when it
 * comes and the limit has moved on, it is armed again. So a request touches no timer, and a client
 * that does nothing wakes the daemon once in idle_timeout_ms. */

#include "session_priv.h"

#include <inttypes.h>
#include <stdio.h>

struct limit {
    uint64_t at_ns;
    uint64_t after_ms;
    const char *what; /* has not happened */
    const char *key;  /* of the configuration */
};

static void consider(struct limit *nearest, uint64_t since_ns, uint64_t after_ms, const char *what,
                     const char *key)
{
    uint64_t at_ns = hearth_clock_deadline_ns(since_ns, after_ms);
    if (at_ns < nearest->at_ns) {
        *nearest = (struct limit){at_ns, after_ms, what, key};
    }
}

/* Without a session a client is given no longer than for a handshake, from its last frame on: a
 * monitor keeps its connection by asking, and one that was forgotten does not stay. */
static struct limit nearest_limit(const struct connection *connection)
{
    const struct hearth_config *config = connection->server->parts.config;
    bool is_new = connection->state == CONNECTION_NEW;
    bool is_idle = connection->state == CONNECTION_OPEN && connection->open_count == 0 &&
                   connection->waiter_count == 0;
    struct limit nearest = {.at_ns = HEARTH_NEVER};
    if (connection->state == CONNECTION_CLOSING || connection->state == CONNECTION_REFUSED) {
        nearest.at_ns = connection->close_at_ns;
        return nearest;
    }
    if (connection->frame_begun_ns != 0) {
        consider(&nearest, connection->frame_begun_ns, config->frame_timeout_ms,
                 "a frame that had begun was not whole", "frame_timeout_ms");
    }
    if (connection->unread_since_ns != 0) {
        consider(&nearest, connection->unread_since_ns, config->frame_timeout_ms,
                 "answers were not read", "frame_timeout_ms");
    }
    if (is_new) {
        consider(&nearest, connection->active_ns, config->handshake_timeout_ms,
                 connection->has_asked ? "there was neither a handshake nor another question"
                                       : "there was no handshake",
                 "handshake_timeout_ms");
    } else if (is_idle && config->idle_timeout_ms != 0) {
        consider(&nearest, connection->active_ns, config->idle_timeout_ms, "there was no request",
                 "idle_timeout_ms");
    }
    return nearest;
}

void timeouts_look(struct connection *connection)
{
    uint64_t at_ns = nearest_limit(connection).at_ns;
    if (connection->state == CONNECTION_GONE || at_ns == HEARTH_NEVER ||
        (connection->timer_at_ns != 0 && connection->timer_at_ns <= at_ns)) {
        return;
    }
    connection->timer_at_ns = at_ns;
    hearth_loop_arm(connection->server->parts.loop, &connection->timer, at_ns);
}

static void cut(struct connection *connection, const struct limit *limit)
{
    char text[HEARTH_ERROR_TEXT_BYTES];
    struct hearth_slice begun;
    if (!connection->has_asked) { /* what has come of its first frame tells its encoding */
        hearth_frame_reader_peek(&connection->reader, &begun);
        connection->is_json = hearth_wire_is_json(begun);
    }
    if (connection->state == CONNECTION_REFUSED) {
        connection_refuse(connection);
        return;
    }
    snprintf(text, sizeof text, "%s within %" PRIu64 " ms (%s)", limit->what, limit->after_ms,
             limit->key);
    connection_cut(connection, HEARTH_E_EXPIRED, text);
}

static void on_timer(void *arg, uint64_t now_ns)
{
    struct connection *connection = HEARTH_CAST(struct connection, arg, CONNECTION_MAGIC);
    struct limit limit = nearest_limit(connection);
    connection->timer_at_ns = 0;
    if (limit.at_ns > now_ns) {
        timeouts_look(connection);
    } else if (connection->state == CONNECTION_CLOSING) {
        connection_end(connection);
    } else {
        cut(connection, &limit);
    }
}

void timeouts_init(struct connection *connection)
{
    uint64_t now_ns = hearth_loop_now_ns(connection->server->parts.loop);
    connection->active_ns = now_ns;
    connection->close_at_ns = hearth_clock_deadline_ns(now_ns, REFUSAL_WAIT_MS);
    hearth_timer_init(&connection->timer, on_timer, connection);
}
