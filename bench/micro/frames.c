/* frames.c — queueing, sending, receiving and reassembling frames through a socket pair, beside a
 * plain send and recv of the same bytes: what our framing adds to the system calls. */

#include "hearth_bench.h"

#include "hearth_os.h"
#include "hearth_transport.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAYLOAD_BYTES 200u
#define MAX_BATCH     16u
#define BATCH_BYTES   (MAX_BATCH * (PAYLOAD_BYTES + HEARTH_FRAME_PREFIX_BYTES))

struct frames_bench {
    int fds[2];
    unsigned batch; /* frames sent in one go */
    uint8_t payload[PAYLOAD_BYTES];
    struct hearth_frame_queue queue;
    struct hearth_frame_reader reader;
    uint64_t wrong;
};

static void turn_frames(void *arg, uint64_t times)
{
    struct frames_bench *bench = arg;
    struct hearth_slice payload = hearth_slice_of(bench->payload, PAYLOAD_BYTES);
    for (uint64_t i = 0; i < times; i++) {
        unsigned got = 0;
        for (unsigned j = 0; j < bench->batch; j++) {
            bench->payload[0] = (uint8_t)j;
            bench->wrong += hearth_frame_queue_push(&bench->queue, payload) != 0;
        }
        bench->wrong += hearth_frame_queue_flush(&bench->queue, bench->fds[0]) != 0;
        bench->wrong += hearth_frame_reader_fill(&bench->reader, bench->fds[1]) != 0;
        struct hearth_slice frame;
        while (hearth_frame_reader_next(&bench->reader, &frame) == 0) {
            bench->wrong += frame.size != PAYLOAD_BYTES || frame.data[0] != (uint8_t)got++;
        }
        bench->wrong += got != bench->batch;
    }
}

static void turn_raw(void *arg, uint64_t times)
{
    struct frames_bench *bench = arg;
    uint8_t bytes[BATCH_BYTES] = {0};
    size_t size = bench->batch * (PAYLOAD_BYTES + HEARTH_FRAME_PREFIX_BYTES);
    for (uint64_t i = 0; i < times; i++) {
        bench->wrong += send(bench->fds[0], bytes, size, MSG_NOSIGNAL) != (ssize_t)size;
        bench->wrong += recv(bench->fds[1], bytes, sizeof bytes, 0) != (ssize_t)size;
    }
}

static int check_frames(void *state, struct hearth_error *err)
{
    struct frames_bench *bench = state;
    turn_frames(bench, 3);
    turn_raw(bench, 3);
    return bench->wrong == 0 ? 0
                             : hearth_fail(err, HEARTH_E_INTERNAL, "%lu frames came back wrong",
                                           (unsigned long)bench->wrong);
}

static void close_frames(void *state)
{
    struct frames_bench *bench = state;
    hearth_frame_queue_finish(&bench->queue);
    hearth_frame_reader_finish(&bench->reader);
    hearth_fd_close(&bench->fds[0]);
    hearth_fd_close(&bench->fds[1]);
    hearth_free(bench);
}

static int open_batch(unsigned batch, struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct frames_bench *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    int rc = hearth_socket_stream_pair(bench->fds, err);
    if (rc < 0) {
        hearth_free(bench);
        return rc;
    }
    bench->batch = batch;
    hearth_frame_queue_init(&bench->queue, 2 * BATCH_BYTES);
    hearth_frame_reader_init(&bench->reader, PAYLOAD_BYTES);
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "frames", .loop = turn_frames, .arg = bench},
                  {.name = "plain send and recv", .loop = turn_raw, .arg = bench}},
        .side_count = 2,
        .check = check_frames,
        .close = close_frames,
        .state = bench};
    return 0;
}

static int open_1(const struct hearth_harness_places *places HEARTH_UNUSED,
                  struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_batch(1, ret, err);
}

static int open_16(const struct hearth_harness_places *places HEARTH_UNUSED,
                   struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_batch(MAX_BATCH, ret, err);
}

const struct hearth_harness_case bench_frames[] = {
    {.id = "frames/socket/1",
     .help = "1 frame of 200 bytes queued, sent, received; beside plain send and recv",
     .open = open_1},
    {.id = "frames/socket/16", .help = "16 frames in one go; beside the same", .open = open_16},
    {0},
};
