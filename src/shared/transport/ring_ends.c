/* ring_ends.c — making the two ends: memory, seals, descriptors. */

#include "ring_priv.h"

#include "hearth_os.h"

#define NO_TRUNCATION (HEARTH_SEAL_SHRINK | HEARTH_SEAL_GROW)

/* Both pieces of memory of one end while it is made; unmapped unless taken. */
struct mappings {
    void *mine;
    void *theirs;
    size_t size_bytes;
};

static void mappings_cleanup(struct mappings *maps)
{
    hearth_memfd_unmap(maps->mine, maps->size_bytes);
    hearth_memfd_unmap(maps->theirs, maps->size_bytes);
}

/* Maps ours to write and theirs to read, then lets nobody else write ours. */
static int map_both(struct mappings *maps, int my_fd, int their_fd, size_t size_bytes,
                    struct hearth_error *err)
{
    maps->size_bytes = size_bytes;
    int rc = hearth_memfd_map(my_fd, size_bytes, true, &maps->mine, err);
    if (rc == 0) {
        rc = hearth_memfd_seal(my_fd, HEARTH_SEAL_FUTURE_WRITE | HEARTH_SEAL_SEAL, err);
    }
    if (rc == 0) {
        rc = hearth_memfd_map(their_fd, size_bytes, false, &maps->theirs, err);
    }
    return rc;
}

static int check_sizes(size_t data_bytes, size_t max_message_bytes, int code,
                       struct hearth_error *err)
{
    if (data_bytes < RING_MIN_DATA || data_bytes > RING_MAX_DATA ||
        (data_bytes & (data_bytes - 1)) != 0 || max_message_bytes == 0 ||
        max_message_bytes > data_bytes - RING_ALIGN) {
        return hearth_fail(err, code, "a ring of %zu bytes cannot carry messages of %zu bytes",
                           data_bytes, max_message_bytes);
    }
    return 0;
}

static struct hearth_ring *make_end(struct mappings *maps, size_t data_bytes,
                                    size_t max_message_bytes)
{
    struct hearth_ring *ring = hearth_alloc(1, sizeof *ring);
    if (ring != NULL) {
        hearth_ring_bind(ring, HEARTH_TAKE(maps->mine), HEARTH_TAKE(maps->theirs), data_bytes,
                         max_message_bytes);
    }
    return ring;
}

/* Makes one sealed piece of memory. */
static int make_memory(const char *name, size_t size_bytes, int *ret_fd, struct hearth_error *err)
{
    int rc = hearth_memfd_create(name, size_bytes, ret_fd, err);
    return rc < 0 ? rc : hearth_memfd_seal(*ret_fd, NO_TRUNCATION, err);
}

/* One end's two sockets while they are made. */
struct sockets {
    int wake_fd;
    int channel_fd;
};

static void sockets_cleanup(struct sockets *sockets)
{
    hearth_fd_close(&sockets->wake_fd);
    hearth_fd_close(&sockets->channel_fd);
}

static int make_sockets(struct sockets *mine, struct sockets *workers, struct hearth_error *err)
{
    int wake_fds[2];
    int channel_fds[2];
    int rc = hearth_socket_stream_pair(wake_fds, err);
    if (rc < 0) {
        return rc;
    }
    mine->wake_fd = wake_fds[0];
    workers->wake_fd = wake_fds[1];
    rc = hearth_socket_pair(channel_fds, err);
    if (rc < 0) {
        return rc;
    }
    mine->channel_fd = channel_fds[0];
    workers->channel_fd = channel_fds[1];
    rc = hearth_fd_set_nonblocking(mine->channel_fd, true, err);
    return rc < 0 ? rc : hearth_fd_set_nonblocking(workers->channel_fd, true, err);
}

int hearth_ring_create(size_t data_bytes, size_t max_message_bytes, struct hearth_ring **ret_ring,
                       struct hearth_error *err)
{
    int rc = check_sizes(data_bytes, max_message_bytes, HEARTH_E_ARGUMENT, err);
    if (rc < 0) {
        return rc;
    }
    size_t size_bytes = RING_HEADER_BYTES + data_bytes;
    HEARTH_AUTO(hearth_fd) int broker_fd = -1;
    HEARTH_AUTO(hearth_fd) int worker_fd = -1;
    HEARTH_AUTO(mappings) struct mappings maps = {0};
    rc = make_memory("hearth-ring-broker", size_bytes, &broker_fd, err);
    if (rc == 0) {
        rc = make_memory("hearth-ring-worker", size_bytes, &worker_fd, err);
    }
    if (rc == 0) {
        rc = map_both(&maps, broker_fd, worker_fd, size_bytes, err);
    }
    HEARTH_AUTO(sockets) struct sockets mine = {-1, -1};
    HEARTH_AUTO(sockets) struct sockets workers = {-1, -1};
    rc = rc < 0 ? rc : make_sockets(&mine, &workers, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_ring *ring = make_end(&maps, data_bytes, max_message_bytes);
    if (ring == NULL) {
        return hearth_fail_oom(err);
    }
    ring->is_broker = true;
    ring->wake_fd = HEARTH_TAKE_FD(mine.wake_fd);
    ring->channel_fd = HEARTH_TAKE_FD(mine.channel_fd);
    ring->worker_fds[HEARTH_RING_FD_BROKER_MEMORY] = HEARTH_TAKE_FD(broker_fd);
    ring->worker_fds[HEARTH_RING_FD_WORKER_MEMORY] = HEARTH_TAKE_FD(worker_fd);
    ring->worker_fds[HEARTH_RING_FD_WAKE] = HEARTH_TAKE_FD(workers.wake_fd);
    ring->worker_fds[HEARTH_RING_FD_CHANNEL] = HEARTH_TAKE_FD(workers.channel_fd);
    *ret_ring = ring;
    return 0;
}

/* Both pieces must have one size and be safe against truncation; the broker's also against us. */
static int check_memory(const int *fds, size_t *ret_size_bytes, struct hearth_error *err)
{
    static const unsigned wanted[] = {
        [HEARTH_RING_FD_BROKER_MEMORY] = NO_TRUNCATION | HEARTH_SEAL_FUTURE_WRITE,
        [HEARTH_RING_FD_WORKER_MEMORY] = NO_TRUNCATION,
    };
    size_t sizes[HEARTH_COUNT(wanted)] = {0};
    for (size_t i = 0; i < HEARTH_COUNT(wanted); i++) {
        unsigned seals = 0;
        int rc = hearth_memfd_seals(fds[i], &seals, err);
        if (rc == 0) {
            rc = hearth_memfd_size(fds[i], &sizes[i], err);
        }
        if (rc < 0) {
            return hearth_because(err, HEARTH_E_MALFORMED, "memory %zu of the ring", i);
        }
        if ((seals & wanted[i]) != wanted[i]) {
            return hearth_fail(err, HEARTH_E_MALFORMED, "memory %zu of the ring is not sealed", i);
        }
    }
    if (sizes[0] != sizes[1] || sizes[0] <= RING_HEADER_BYTES) {
        return hearth_fail(err, HEARTH_E_MALFORMED, "the ring's memory has %zu and %zu bytes",
                           sizes[0], sizes[1]);
    }
    *ret_size_bytes = sizes[0];
    return 0;
}

int hearth_ring_attach(const int fds[HEARTH_RING_FD_COUNT], size_t max_message_bytes,
                       struct hearth_ring **ret_ring, struct hearth_error *err)
{
    size_t size_bytes = 0;
    int rc = check_memory(fds, &size_bytes, err);
    if (rc < 0) {
        return rc;
    }
    size_t data_bytes = size_bytes - RING_HEADER_BYTES;
    rc = check_sizes(data_bytes, max_message_bytes, HEARTH_E_MALFORMED, err);
    HEARTH_AUTO(mappings) struct mappings maps = {0};
    if (rc == 0) {
        rc = map_both(&maps, fds[HEARTH_RING_FD_WORKER_MEMORY], fds[HEARTH_RING_FD_BROKER_MEMORY],
                      size_bytes, err);
    }
    if (rc < 0) {
        return rc;
    }
    struct hearth_ring *ring = make_end(&maps, data_bytes, max_message_bytes);
    if (ring == NULL) {
        return hearth_fail_oom(err);
    }
    for (int i = 0; i < HEARTH_RING_FD_WAKE; i++) {
        int fd = fds[i];
        hearth_fd_close(&fd);
    }
    ring->wake_fd = fds[HEARTH_RING_FD_WAKE];
    ring->channel_fd = fds[HEARTH_RING_FD_CHANNEL];
    *ret_ring = ring;
    return 0;
}

void hearth_ring_fds(const struct hearth_ring *ring, int ret_fds[HEARTH_RING_FD_COUNT])
{
    for (int i = 0; i < HEARTH_RING_FD_COUNT; i++) {
        ret_fds[i] = ring->worker_fds[i];
    }
}

void hearth_ring_forget_fds(struct hearth_ring *ring)
{
    for (int i = 0; i < HEARTH_RING_FD_COUNT; i++) {
        hearth_fd_close(&ring->worker_fds[i]);
    }
}

void hearth_ring_destroy(struct hearth_ring *ring)
{
    if (ring == NULL) {
        return;
    }
    /* Only what was ever written: the rest of the memory was never made resident. */
    hearth_wipe(ring->out, (size_t)HEARTH_MIN(ring->produced, (uint64_t)ring->data_bytes));
    size_t size_bytes = RING_HEADER_BYTES + ring->data_bytes;
    hearth_memfd_unmap(ring->mine, size_bytes);
    hearth_memfd_unmap((void *)(uintptr_t)ring->theirs, size_bytes);
    hearth_socket_discard(&ring->wake_fd); /* a worker may have filled both with anything */
    hearth_socket_discard(&ring->channel_fd);
    hearth_ring_forget_fds(ring);
    ring->magic = 0;
    hearth_free(ring);
}
