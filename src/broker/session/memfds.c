/* memfds.c — descriptors that clients send beside their requests, from arrival to the worker.
 *
 * Each is in one place: with the reader of its connection until a request claims it, with the
 * request while that waits, then nowhere here. All that are held count against the daemon's limit,
 * the bytes that they promise against the client's and the daemon's. Nothing is ever mapped here.
 */

#include "session_priv.h"

#include <inttypes.h>

static uint32_t count_open(const int *fds, uint32_t count)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < count; i++) {
        open += fds[i] >= 0;
    }
    return open;
}

void memfds_arrived(struct connection *connection, uint32_t count_before)
{
    struct hearth_server *server = connection->server;
    uint32_t arrived = hearth_frame_reader_fd_count(&connection->reader) - count_before;
    if (arrived == 0) {
        return;
    }
    uint32_t held = server->held_fds + hearth_fd_discards(); /* these are not gone yet */
    uint32_t room =
        connection->state == CONNECTION_REFUSED ? 0 : MAX_HELD_FDS - HEARTH_MIN(held, MAX_HELD_FDS);
    if (arrived > room) { /* their requests are told; nobody else is made to pay */
        hearth_frame_reader_drop_fds(&connection->reader, arrived - room);
        arrived = room;
    }
    server->held_fds += arrived;
    connection->unclaimed_fds += arrived;
}

void memfds_forget(struct connection *connection)
{
    connection->server->held_fds -= connection->unclaimed_fds;
    connection->unclaimed_fds = 0;
}

void memfds_release(struct hearth_server *server, struct connection *client, struct memfds *memfds)
{
    server->held_fds -= count_open(memfds->fds, memfds->count);
    server->memfd_bytes -= memfds->bytes;
    if (client != NULL) {
        client->memfd_bytes -= memfds->bytes;
    }
    for (uint32_t i = 0; i < memfds->count; i++) {
        hearth_fd_discard(&memfds->fds[i]);
    }
    *memfds = (struct memfds){0};
}

/* Moves what @count tensors claim out of the reader. If there are fewer, those that wait belong to
 * nobody: they go, so that the next request does not get them. */
static int take(struct connection *connection, uint32_t count, struct memfds *ret,
                struct hearth_error *err)
{
    uint32_t found = hearth_frame_reader_fd_count(&connection->reader);
    ret->count = HEARTH_MIN(count, found);
    HEARTH_ASSERT(hearth_frame_reader_take_fds(&connection->reader, ret->fds, ret->count));
    connection->unclaimed_fds -= count_open(ret->fds, ret->count);
    if (found < count) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tensors: %u memfds are claimed, %u came beside the request", count,
                           found);
    }
    return 0;
}

static int reserve_bytes(struct connection *connection, uint64_t bytes, struct memfds *memfds,
                         struct hearth_error *err)
{
    struct hearth_server *server = connection->server;
    uint64_t of_client = MAX_CLIENT_MEMFD_BYTES - connection->memfd_bytes;
    uint64_t of_all = MAX_MEMFD_BYTES - server->memfd_bytes;
    if (bytes > MAX_CLIENT_MEMFD_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE,
                           "tensors: %" PRIu64
                           " bytes in memfds, the limit of a request is %" PRIu64,
                           bytes, (uint64_t)MAX_CLIENT_MEMFD_BYTES);
    }
    if (bytes > of_client || bytes > of_all) {
        return hearth_fail(err, HEARTH_E_QUEUE_FULL,
                           "tensors: %" PRIu64 " bytes in memfds, %" PRIu64
                           " are free until waiting requests have run",
                           bytes, HEARTH_MIN(of_client, of_all));
    }
    memfds->bytes = bytes;
    connection->memfd_bytes += bytes;
    server->memfd_bytes += bytes;
    return 0;
}

/* Each is what its tensor says; @tensors are those of a request that was not checked yet. */
static int check(struct hearth_wire_list tensors, const struct memfds *memfds,
                 struct hearth_error *err)
{
    struct hearth_wire_tensor tensor;
    uint32_t used = 0;
    for (uint32_t i = 0;
         used < memfds->count && hearth_wire_next(&tensors, HEARTH_RECORD_tensor, &tensor); i++) {
        int fd = tensor.memfd_bytes != 0 ? memfds->fds[used++] : -1;
        if (tensor.memfd_bytes == 0) {
            continue;
        }
        if (fd < 0) {
            return hearth_fail(
                err, HEARTH_E_QUEUE_FULL,
                "the memfd of tensors[%u]: %u descriptors of clients are held, which "
                "is the limit",
                i, MAX_HELD_FDS);
        }
        int rc = hearth_memfd_check_data(fd, tensor.memfd_bytes, err);
        if (rc < 0) {
            return hearth_because(err, rc, "the memfd of tensors[%u]", i);
        }
    }
    return 0;
}

int memfds_claim(struct connection *connection, struct hearth_wire_list tensors, struct memfds *ret,
                 struct hearth_error *err)
{
    uint64_t each[HEARTH_MAX_TENSORS];
    uint64_t bytes = 0;
    uint32_t count = hearth_wire_memfds(tensors, each);
    if (count == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        bytes += each[i]; /* 16 of at most 2^30 */
    }
    int rc = take(connection, count, ret, err);
    rc = rc < 0 ? rc : reserve_bytes(connection, bytes, ret, err);
    return rc < 0 ? rc : check(tensors, ret, err);
}

/* ---- answers -------------------------------------------------------------------------------- */

int memfds_move_out(struct hearth_wire_list *tensors,
                    struct hearth_wire_tensor room[HEARTH_MAX_TENSORS], int *fds,
                    struct memfds *ret, struct hearth_error *err)
{
    struct hearth_wire_list cursor = *tensors;
    uint32_t count = 0;
    uint32_t taken = 0;
    for (; count < HEARTH_MAX_TENSORS &&
           hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &room[count]);
         count++) {
        struct hearth_wire_tensor *tensor = &room[count];
        int *fd = &ret->fds[ret->count];
        *fd = -1;
        if (tensor->memfd_bytes != 0) {
            *fd = HEARTH_TAKE_FD(fds[taken]);
            taken++;
            ret->count++;
        } else if (tensor->data.size >= MOVED_OUT_BYTES) {
            int rc = hearth_memfd_of_data("hearth-output", tensor->data, fd, err);
            if (rc < 0) {
                return rc;
            }
            ret->count++;
            tensor->memfd_bytes = tensor->data.size;
            tensor->data = hearth_slice_of(NULL, 0);
        }
    }
    *tensors = (struct hearth_wire_list){.count = count, .items = room};
    return 0;
}
