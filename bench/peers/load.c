/* load.c — the client of the throughput benchmarks. */

#include "load.h"

#include "peers.h"

#include "hearth_os.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define IN_BYTES  LOAD_ANSWER_BYTES
#define OUT_BYTES (LOAD_MAX_DEPTH * PEERS_FRAME_BYTES)
#define BATCH     64

struct load_connection {
    int fd;
    uint64_t next_id;
    uint64_t open; /* bit id % 64: its answer is due */
    unsigned open_count;
    size_t in_size;
    size_t out_at;
    size_t out_size;
    bool watches_out;
    uint8_t in[IN_BYTES];
    uint8_t out[OUT_BYTES];
};

struct load {
    struct load_protocol protocol;
    int epoll_fd;
    size_t count;
    uint64_t total;
    uint64_t unsent;
    uint64_t unanswered;
    unsigned depth;
    struct load_connection *connections;
};

int load_create(const struct load_protocol *protocol, const int *fds, size_t count,
                struct load **ret, struct hearth_error *err)
{
    HEARTH_ASSERT(count <= LOAD_MAX_CONNECTIONS);
    struct load *load = hearth_alloc(1, sizeof *load);
    struct load_connection *connections = hearth_alloc(count, sizeof *connections);
    if (load == NULL || connections == NULL) {
        return hearth_fail_oom(err);
    }
    *load = (struct load){.protocol = *protocol,
                          .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                          .count = count,
                          .connections = connections};
    if (protocol->request_bytes == 0) {
        load->protocol.request_bytes = PEERS_FRAME_BYTES;
    }
    HEARTH_ASSERT(load->protocol.request_bytes <= OUT_BYTES);
    for (size_t i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        connections[i].fd = fds[i];
        int rc = hearth_fd_set_nonblocking(fds[i], true, err);
        if (rc < 0 || epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, fds[i], &event) != 0) {
            return hearth_fail_errno(err, HEARTH_E_SYSTEM, "watch a connection");
        }
    }
    *ret = load;
    return 0;
}

int load_connect(const struct load_protocol *protocol, const char *socket, size_t count,
                 struct load **ret, struct hearth_error *err)
{
    int fds[LOAD_MAX_CONNECTED];
    size_t made = 0;
    int rc = 0;
    HEARTH_ASSERT(count <= LOAD_MAX_CONNECTED);
    while (rc == 0 && made < count) {
        rc = peer_connect_v2(socket, &fds[made], err);
        made += rc == 0;
    }
    if (rc == 0) {
        return load_create(protocol, fds, count, ret, err);
    }
    while (made > 0) {
        hearth_fd_close(&fds[--made]);
    }
    return rc;
}

void load_destroy(struct load *load)
{
    if (load == NULL) {
        return;
    }
    for (size_t i = 0; i < load->count; i++) {
        hearth_fd_close(&load->connections[i].fd);
    }
    hearth_fd_close(&load->epoll_fd);
    hearth_free(load->connections);
    hearth_free(load);
}

/* ---- out ------------------------------------------------------------------------------------ */

static int watch_out(struct load *load, struct load_connection *connection, bool wants_out)
{
    struct epoll_event event = {.events = EPOLLIN | (wants_out ? (uint32_t)EPOLLOUT : 0u),
                                .data.ptr = connection};
    if (connection->watches_out == wants_out) {
        return 0;
    }
    connection->watches_out = wants_out;
    return epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

static int flush(struct load *load, struct load_connection *connection, struct hearth_error *err)
{
    while (connection->out_at < connection->out_size) {
        ssize_t n = send(connection->fd, connection->out + connection->out_at,
                         connection->out_size - connection->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            return watch_out(load, connection, true);
        }
        if (n < 0 && errno != EINTR) {
            return hearth_fail_errno(err, HEARTH_E_DISCONNECTED, "send");
        }
        connection->out_at += n > 0 ? (size_t)n : 0;
    }
    connection->out_at = 0;
    connection->out_size = 0;
    return watch_out(load, connection, false);
}

/* Puts as many requests in flight as there may be, in one send. */
static int fill(struct load *load, struct load_connection *connection, struct hearth_error *err)
{
    while (connection->open_count < load->depth && load->unsent > 0 &&
           connection->out_size + load->protocol.request_bytes <= OUT_BYTES) {
        uint64_t id = ++connection->next_id;
        connection->out_size +=
            load->protocol.make(load->protocol.arg, id, load->total - load->unsent,
                                connection->out + connection->out_size);
        connection->open |= UINT64_C(1) << (id % 64);
        connection->open_count++;
        load->unsent--;
    }
    return flush(load, connection, err);
}

/* ---- in ------------------------------------------------------------------------------------- */

static int take_answers(struct load *load, struct load_connection *connection,
                        struct hearth_error *err)
{
    size_t at = 0;
    for (;;) {
        uint64_t id = 0;
        long size = load->protocol.take(load->protocol.arg, connection->in + at,
                                        connection->in_size - at, &id);
        if (size == 0) {
            break;
        }
        id = id == 0 ? connection->next_id - connection->open_count + 1 : id;
        uint64_t bit = UINT64_C(1) << (id % 64);
        if (size < 0 || (connection->open & bit) == 0 || id > connection->next_id ||
            connection->next_id - id >= 64) {
            return hearth_fail(err, HEARTH_E_INTERNAL, "an answer is wrong or was not due");
        }
        connection->open &= ~bit;
        connection->open_count--;
        load->unanswered--;
        at += (size_t)size;
    }
    connection->in_size -= at;
    memmove(connection->in, connection->in + at, connection->in_size);
    return 0;
}

static int serve(struct load *load, const struct epoll_event *event, struct hearth_error *err)
{
    struct load_connection *connection = event->data.ptr;
    int rc = 0;
    if ((event->events & EPOLLOUT) != 0) {
        rc = flush(load, connection, err);
    }
    if (rc < 0 || (event->events & (EPOLLIN | EPOLLHUP)) == 0) {
        return rc;
    }
    ssize_t n = recv(connection->fd, connection->in + connection->in_size,
                     IN_BYTES - connection->in_size, MSG_DONTWAIT);
    if (n <= 0) {
        return hearth_fail(err, HEARTH_E_DISCONNECTED, "the server closed a connection");
    }
    connection->in_size += (size_t)n;
    rc = take_answers(load, connection, err);
    return rc < 0 ? rc : fill(load, connection, err);
}

int load_run(struct load *load, uint64_t total, unsigned depth, struct hearth_error *err)
{
    HEARTH_ASSERT(depth > 0 && depth <= LOAD_MAX_DEPTH);
    load->total = total;
    load->unsent = total;
    load->unanswered = total;
    load->depth = depth;
    int rc = 0;
    for (size_t i = 0; i < load->count && rc == 0; i++) {
        rc = fill(load, &load->connections[i], err);
    }
    while (rc == 0 && load->unanswered > 0) {
        struct epoll_event events[BATCH];
        int n = epoll_wait(load->epoll_fd, events, BATCH, 30000);
        if (n == 0) {
            return hearth_fail(err, HEARTH_E_EXPIRED, "no answer for 30 s, %lu are due",
                               (unsigned long)load->unanswered);
        }
        for (int i = 0; i < n && rc == 0; i++) {
            rc = serve(load, &events[i], err);
        }
    }
    return rc;
}
