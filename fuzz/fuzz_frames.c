/* fuzz_frames.c — a stream cut as the input says gives the same frames as the stream in one piece,
 * ends in the same error, and never holds more memory than what arrived accounts for. And what a
 * queue takes, while the input says when it is sent and read, arrives in order, whole, and alone.
 */

#include "frames.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FRAME 2000

int hearth_fuzz_frames(const uint8_t *data, size_t size);

/* What a stream must give, computed from the bytes alone. */
struct oracle {
    const uint8_t *at;
    size_t left;
};

static int oracle_next(struct oracle *oracle, struct hearth_slice *ret_payload)
{
    if (oracle->left < 4) {
        return HEARTH_E_NOT_READY;
    }
    uint64_t length = 0;
    for (int i = 3; i >= 0; i--) {
        length = length * 256 + oracle->at[i];
    }
    if (length == 0 || length > MAX_FRAME) {
        return length == 0 ? HEARTH_E_MALFORMED : HEARTH_E_TOO_LARGE;
    }
    if (length > oracle->left - 4) {
        return HEARTH_E_NOT_READY;
    }
    *ret_payload = hearth_slice_of(oracle->at + 4, length);
    oracle->at += 4 + length;
    oracle->left -= 4 + length;
    return 0;
}

/* Takes all frames there are; returns what ended it. */
static int take_all(struct hearth_frame_reader *reader, struct oracle *oracle)
{
    for (;;) {
        struct hearth_slice payload = {0};
        struct hearth_slice wanted = {0};
        int rc = hearth_frame_reader_next(reader, &payload);
        if (rc == HEARTH_E_NOT_READY) {
            return rc;
        }
        HEARTH_ASSERT(rc == oracle_next(oracle, &wanted));
        if (rc < 0) {
            return rc;
        }
        HEARTH_ASSERT(hearth_slice_equal(payload, wanted));
    }
}

/* The first byte seeds where the rest is cut. */
static void check_reader(const uint8_t *data, size_t size)
{
    uint32_t cuts = data[0] * 2654435761u + 1;
    struct oracle oracle = {data + 1, size - 1};
    struct hearth_frame_reader reader;
    hearth_frame_reader_init(&reader, MAX_FRAME);
    size_t fed = 1;
    int rc = HEARTH_E_NOT_READY;
    while (fed < size && rc == HEARTH_E_NOT_READY) {
        cuts = cuts * 1664525u + 1013904223u;
        size_t piece = 1 + (cuts >> 16) % (data[0] % 2 == 0 ? 7 : 700);
        piece = HEARTH_MIN(piece, size - fed);
        HEARTH_ASSERT(hearth_frame_reader_feed(&reader, hearth_slice_of(data + fed, piece)) == 0);
        fed += piece;
        HEARTH_ASSERT(reader.buf.room <= 2 * fed + HEARTH_FRAME_READ_BYTES);
        rc = take_all(&reader, &oracle);
    }
    if (rc == HEARTH_E_NOT_READY) {
        struct hearth_slice rest;
        HEARTH_ASSERT(oracle_next(&oracle, &rest) == HEARTH_E_NOT_READY);
        HEARTH_ASSERT(hearth_frame_reader_is_partial(&reader) == (oracle.left > 0));
    } else {
        HEARTH_ASSERT(hearth_frame_reader_feed(&reader, hearth_slice_of(data, 1)) == rc);
    }
    hearth_frame_reader_finish(&reader);
}

/* ── A queue and a reader with a socket between them ─────────────────────────────────────────── */

#define QUEUE_CAP      6000
#define MAX_OPERATIONS 96 /* system calls are slow: a longer input would only repeat itself */

struct line {
    struct hearth_frame_queue queue;
    struct hearth_frame_reader reader;
    int fds[2];
    uint16_t sizes[MAX_OPERATIONS]; /* of the frames; frame n is filled with bytes of n */
    uint32_t pushed;
    uint32_t taken;
};

enum operation { PUSH, BUILD, ABORT, FLUSH, FILL, BOUND, OPERATION_COUNT_ };

/* Frames of 0 to MAX_FRAME bytes. What the queue refuses must be what it says. */
static void push(struct line *line, size_t size, bool is_built_in_place)
{
    static uint8_t payload[MAX_FRAME];
    memset(payload, (uint8_t)line->pushed, size);
    size_t before = hearth_frame_queue_bytes(&line->queue);
    bool has_room = before + HEARTH_FRAME_PREFIX_BYTES + size <= QUEUE_CAP;
    int rc;
    if (!is_built_in_place) {
        rc = hearth_frame_queue_push(&line->queue, hearth_slice_of(payload, size));
    } else {
        struct hearth_buf *buf = hearth_frame_queue_begin(&line->queue);
        rc = buf == NULL ? HEARTH_E_QUEUE_FULL : hearth_buf_append(buf, payload, size);
        if (rc == 0) {
            rc = hearth_frame_queue_commit(&line->queue);
        }
    }
    bool is_in_line = rc == 0;
    HEARTH_ASSERT(is_in_line == (size > 0 && has_room));
    HEARTH_ASSERT(rc == 0 || rc == HEARTH_E_QUEUE_FULL || (rc == HEARTH_E_ARGUMENT && size == 0));
    HEARTH_ASSERT(hearth_frame_queue_bytes(&line->queue) ==
                  before + (is_in_line ? HEARTH_FRAME_PREFIX_BYTES + size : 0));
    if (is_in_line) {
        line->sizes[line->pushed] = (uint16_t)size;
        line->pushed++;
    }
}

static void build_and_abort(struct line *line, size_t size)
{
    static const uint8_t payload[MAX_FRAME];
    size_t before = hearth_frame_queue_bytes(&line->queue);
    struct hearth_buf *buf = hearth_frame_queue_begin(&line->queue);
    if (buf != NULL) {
        HEARTH_ASSERT(hearth_buf_append(buf, payload, size) == 0);
        hearth_frame_queue_abort(&line->queue);
    }
    HEARTH_ASSERT(hearth_frame_queue_bytes(&line->queue) == before);
}

/* Reads once and takes what is whole. Returns what the read gave. */
static int fill_and_take(struct line *line)
{
    int rc = hearth_frame_reader_fill(&line->reader, line->fds[1]);
    struct hearth_slice payload;
    while (hearth_frame_reader_next(&line->reader, &payload) == 0) {
        HEARTH_ASSERT(line->taken < line->pushed);
        HEARTH_ASSERT(payload.size == line->sizes[line->taken]);
        for (size_t i = 0; i < payload.size; i++) {
            HEARTH_ASSERT(payload.data[i] == (uint8_t)line->taken);
        }
        line->taken++;
    }
    return rc;
}

static void flush(struct line *line)
{
    int rc = hearth_frame_queue_flush(&line->queue, line->fds[0]);
    HEARTH_ASSERT(rc == 0 || rc == HEARTH_E_NOT_READY);
    HEARTH_ASSERT((rc == 0) == (hearth_frame_queue_bytes(&line->queue) == 0));
}

/* Two bytes an operation: which, and how many bytes (times 8). */
static void perform(struct line *line, const uint8_t *pair)
{
    size_t size = HEARTH_MIN((size_t)pair[1] * 8, (size_t)MAX_FRAME);
    switch ((enum operation)(pair[0] % OPERATION_COUNT_)) {
    case PUSH: push(line, size, false); return;
    case BUILD: push(line, size, true); return;
    case ABORT: build_and_abort(line, size); return;
    case FLUSH: flush(line); return;
    case FILL: (void)fill_and_take(line); return;
    case BOUND:
        HEARTH_ASSERT(hearth_frame_queue_is_crowded(&line->queue) ==
                      (hearth_frame_queue_bytes(&line->queue) > QUEUE_CAP / 2));
        return;
    case OPERATION_COUNT_: break;
    }
    HEARTH_UNREACHABLE();
}

static void check_queue(const uint8_t *data, size_t size)
{
    static struct line line;
    const int small = 1; /* the kernel makes it its least: partial sends happen */
    HEARTH_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, line.fds) ==
                  0);
    (void)setsockopt(line.fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    line.pushed = line.taken = 0;
    hearth_frame_queue_init(&line.queue, QUEUE_CAP);
    hearth_frame_reader_init(&line.reader, MAX_FRAME);
    size_t count = HEARTH_MIN(size / 2, (size_t)MAX_OPERATIONS);
    for (size_t i = 0; i < count; i++) {
        perform(&line, data + 2 * i);
    }
    int rc = 0;
    while (hearth_frame_queue_bytes(&line.queue) > 0) {
        flush(&line);
        (void)fill_and_take(&line);
    }
    while ((rc = fill_and_take(&line)) == 0) {
    }
    HEARTH_ASSERT(rc == HEARTH_E_NOT_READY && line.taken == line.pushed);
    close(line.fds[0]);
    HEARTH_ASSERT(fill_and_take(&line) == HEARTH_E_DISCONNECTED);
    HEARTH_ASSERT(!hearth_frame_reader_is_partial(&line.reader));
    close(line.fds[1]);
    hearth_frame_queue_finish(&line.queue);
    hearth_frame_reader_finish(&line.reader);
}

/* The first byte also says which: the reader alone is a hundred times as fast. */
int hearth_fuzz_frames(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] < 0x80) {
        check_reader(data, size);
    } else if (size > 0) {
        check_queue(data + 1, size - 1);
    }
    return 0;
}
