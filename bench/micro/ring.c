/* ring.c — a message through the ring to another thread and back, beside the same through a socket
 * pair with blocking reads: what the ring saves or costs. Both sides sleep whenever they wait. */

#include "hearth_bench.h"

#include "hearth_os.h"
#include "hearth_transport.h"

#include <string.h>
#include <unistd.h>

#define MESSAGE_BYTES 200u
#define ROOM_BYTES    4096u

struct ring_bench {
    struct hearth_ring *near;
    struct hearth_ring *far;
    struct hearth_buf near_message;
    struct hearth_buf far_message;
    int pair[2];
    pthread_t ring_thread;
    pthread_t pair_thread;
    uint64_t wrong;
};

/* Takes the next message, sleeping for it; false at the end. */
static bool receive(struct hearth_ring *ring, struct hearth_buf *message)
{
    int rc = hearth_ring_receive(ring, message);
    while (rc == HEARTH_E_NOT_READY) {
        if (hearth_ring_prepare_sleep(ring)) {
            int fd = hearth_ring_wake_fd(ring);
            if (hearth_fd_wait(fd, HEARTH_READY_IN, HEARTH_NEVER, NULL) != 0 ||
                !hearth_ring_cancel_sleep(ring)) {
                return false;
            }
        }
        rc = hearth_ring_receive(ring, message);
    }
    return rc == 0;
}

static void echo_ring(void *arg)
{
    struct ring_bench *bench = arg;
    while (receive(bench->far, &bench->far_message)) {
        struct hearth_slice part = hearth_buf_slice(&bench->far_message);
        if (hearth_ring_send(bench->far, &part, 1) < 0) {
            break;
        }
    }
}

static void echo_pair(void *arg)
{
    struct ring_bench *bench = arg;
    uint8_t bytes[MESSAGE_BYTES];
    while (read(bench->pair[1], bytes, sizeof bytes) == MESSAGE_BYTES &&
           write(bench->pair[1], bytes, sizeof bytes) == MESSAGE_BYTES) {
    }
}

static void turn_ring(void *arg, uint64_t times)
{
    struct ring_bench *bench = arg;
    uint8_t bytes[MESSAGE_BYTES] = {0};
    for (uint64_t i = 0; i < times; i++) {
        bytes[0] = (uint8_t)i;
        struct hearth_slice part = {bytes, sizeof bytes};
        bench->wrong += hearth_ring_send(bench->near, &part, 1) != 0;
        bench->wrong += !receive(bench->near, &bench->near_message) ||
                        bench->near_message.size != MESSAGE_BYTES ||
                        bench->near_message.data[0] != (uint8_t)i;
    }
}

static void turn_pair(void *arg, uint64_t times)
{
    struct ring_bench *bench = arg;
    uint8_t bytes[MESSAGE_BYTES] = {0};
    for (uint64_t i = 0; i < times; i++) {
        bytes[0] = (uint8_t)i;
        bench->wrong += write(bench->pair[0], bytes, sizeof bytes) != MESSAGE_BYTES;
        bench->wrong += read(bench->pair[0], bytes, sizeof bytes) != MESSAGE_BYTES;
        bench->wrong += bytes[0] != (uint8_t)i;
    }
}

static int check_ring(void *state, struct hearth_error *err)
{
    struct ring_bench *bench = state;
    turn_ring(bench, 100);
    turn_pair(bench, 100);
    return bench->wrong == 0 ? 0
                             : hearth_fail(err, HEARTH_E_INTERNAL, "%lu messages came back wrong",
                                           (unsigned long)bench->wrong);
}

static void close_ring(void *state)
{
    struct ring_bench *bench = state;
    hearth_ring_destroy(bench->near); /* closes its end of the wake pair: the echo ends */
    hearth_fd_close(&bench->pair[0]);
    hearth_thread_join(bench->ring_thread);
    hearth_thread_join(bench->pair_thread);
    hearth_ring_destroy(bench->far);
    hearth_fd_close(&bench->pair[1]);
    hearth_buf_finish(&bench->near_message);
    hearth_buf_finish(&bench->far_message);
    hearth_free(bench);
}

/* The worker's end takes its descriptors over, and the broker's still holds them: so copies. */
static int make_ends(struct ring_bench *bench, struct hearth_error *err)
{
    int lent[HEARTH_RING_FD_COUNT];
    int fds[HEARTH_RING_FD_COUNT];
    int rc = hearth_ring_create(HEARTH_RING_DATA_BYTES, ROOM_BYTES, &bench->near, err);
    if (rc < 0) {
        return rc;
    }
    hearth_ring_fds(bench->near, lent);
    for (int i = 0; i < HEARTH_RING_FD_COUNT; i++) {
        fds[i] = dup(lent[i]);
    }
    hearth_ring_forget_fds(bench->near);
    return hearth_ring_attach(fds, ROOM_BYTES, &bench->far, err);
}

static int open_ring(const struct hearth_harness_places *places HEARTH_UNUSED,
                     struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct ring_bench *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    hearth_buf_init(&bench->near_message, ROOM_BYTES);
    hearth_buf_init(&bench->far_message, ROOM_BYTES);
    int rc = make_ends(bench, err);
    rc = rc < 0 ? rc : hearth_socket_stream_pair(bench->pair, err);
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        rc = hearth_fd_set_nonblocking(bench->pair[i], false, err);
    }
    rc = rc < 0 ? rc : hearth_thread_start(&bench->ring_thread, "ring", 0, echo_ring, bench, err);
    rc = rc < 0 ? rc : hearth_thread_start(&bench->pair_thread, "pair", 0, echo_pair, bench, err);
    if (rc < 0) {
        return rc; /* the program ends: nothing is given back here */
    }
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "ring", .loop = turn_ring, .arg = bench},
                  {.name = "socket pair", .loop = turn_pair, .arg = bench}},
        .side_count = 2,
        .check = check_ring,
        .close = close_ring,
        .state = bench};
    return 0;
}

const struct hearth_harness_case bench_ring[] = {
    {.id = "ring/ping-pong/200",
     .help = "200 bytes to another thread and back, through the ring; beside a socket pair",
     .open = open_ring},
    {0},
};
