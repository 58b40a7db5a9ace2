/* frames.c — reassembling and queueing frames; nothing here waits. */

#include "frames_priv.h"

#include "hearth_os.h"

#include <string.h>

/* Gives the bytes before @start back: wiped, and the memory too if it is large and unused. */
static void compact(struct hearth_buf *buf, size_t *start)
{
    if (buf->size == 0) {
        return;
    }
    size_t rest = buf->size - *start;
    if (rest > 0 && *start > 0) {
        memmove(buf->data, buf->data + *start, rest);
    }
    hearth_wipe(buf->data + rest, buf->size - rest);
    buf->size = rest;
    *start = 0;
    if (rest == 0 && buf->room > HEARTH_FRAME_KEEP_BYTES) {
        hearth_buf_finish(buf);
    }
}

/* ── Inbound ─────────────────────────────────────────────────────────────────────────────────── */

void hearth_frame_reader_init(struct hearth_frame_reader *reader, size_t max_frame_bytes)
{
    *reader = (struct hearth_frame_reader){.max_frame_bytes = max_frame_bytes,
                                           .discard = hearth_fd_close};
    hearth_buf_init(&reader->buf, 0);
    hearth_frame_reader_set_max(reader, max_frame_bytes);
}

void hearth_frame_reader_finish(struct hearth_frame_reader *reader)
{
    hearth_buf_wipe(&reader->buf);
    hearth_buf_finish(&reader->buf);
    reader->start = 0;
    hearth_frame_reader_drop_fds(reader, reader->fd_count);
    reader->fd_count = 0;
}

void hearth_frame_reader_set_max(struct hearth_frame_reader *reader, size_t max_frame_bytes)
{
    HEARTH_ASSERT(max_frame_bytes > 0 && max_frame_bytes <= UINT32_MAX);
    reader->max_frame_bytes = max_frame_bytes;
    size_t cap = HEARTH_FRAME_PREFIX_BYTES + max_frame_bytes + HEARTH_FRAME_READ_BYTES;
    reader->buf.cap = HEARTH_MAX(cap, reader->buf.room);
}

static uint32_t read_prefix(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/* True if something can be taken: a whole frame, or one that is refused. */
static bool has_frame(const struct hearth_frame_reader *reader)
{
    size_t available = reader->buf.size - reader->start;
    if (available < HEARTH_FRAME_PREFIX_BYTES) {
        return false;
    }
    size_t length = read_prefix(reader->buf.data + reader->start);
    return length <= available - HEARTH_FRAME_PREFIX_BYTES || length > reader->max_frame_bytes;
}

int hearth_frame_reader_fill(struct hearth_frame_reader *reader, int fd)
{
    if (reader->broken != 0) {
        return reader->broken;
    }
    compact(&reader->buf, &reader->start);
    if (reader->fd_count > HEARTH_FRAME_MAX_FDS - HEARTH_FRAME_FDS && has_frame(reader)) {
        return HEARTH_E_QUEUE_FULL;
    }
    size_t wanted = HEARTH_MIN(reader->buf.cap - reader->buf.size, (size_t)HEARTH_FRAME_READ_BYTES);
    if (wanted == 0) {
        return HEARTH_E_QUEUE_FULL;
    }
    int rc = hearth_buf_reserve(&reader->buf, wanted);
    if (rc < 0) {
        return rc;
    }
    size_t got = 0;
    rc = frame_reader_receive(reader, fd, wanted, &got);
    if (rc < 0) {
        return rc;
    }
    if (got == 0) {
        return HEARTH_E_DISCONNECTED;
    }
    reader->buf.size += got;
    return 0;
}

int hearth_frame_reader_feed(struct hearth_frame_reader *reader, struct hearth_slice bytes)
{
    if (reader->broken != 0) {
        return reader->broken;
    }
    compact(&reader->buf, &reader->start);
    int rc = hearth_buf_append(&reader->buf, bytes.data, bytes.size);
    return rc == HEARTH_E_TOO_LARGE ? HEARTH_E_QUEUE_FULL : rc;
}

static void write_prefix(uint8_t *bytes, size_t length)
{
    bytes[0] = (uint8_t)length;
    bytes[1] = (uint8_t)(length >> 8);
    bytes[2] = (uint8_t)(length >> 16);
    bytes[3] = (uint8_t)(length >> 24);
}

int hearth_frame_reader_next(struct hearth_frame_reader *reader, struct hearth_slice *ret_payload)
{
    if (reader->broken != 0) {
        return reader->broken;
    }
    size_t available = reader->buf.size - reader->start;
    if (available < HEARTH_FRAME_PREFIX_BYTES) {
        return HEARTH_E_NOT_READY;
    }
    const uint8_t *frame = reader->buf.data + reader->start;
    size_t length = read_prefix(frame);
    if (length == 0 || length > reader->max_frame_bytes) {
        reader->broken = length == 0 ? HEARTH_E_MALFORMED : HEARTH_E_TOO_LARGE;
        return reader->broken;
    }
    if (available - HEARTH_FRAME_PREFIX_BYTES < length) {
        return HEARTH_E_NOT_READY;
    }
    reader->start += HEARTH_FRAME_PREFIX_BYTES + length;
    *ret_payload = hearth_slice_of(frame + HEARTH_FRAME_PREFIX_BYTES, length);
    return 0;
}

bool hearth_frame_reader_is_partial(const struct hearth_frame_reader *reader)
{
    return reader->buf.size > reader->start;
}

void hearth_frame_reader_peek(const struct hearth_frame_reader *reader,
                              struct hearth_slice *ret_begun)
{
    size_t available = reader->buf.size - reader->start;
    size_t prefix = HEARTH_MIN(available, (size_t)HEARTH_FRAME_PREFIX_BYTES);
    *ret_begun = hearth_slice_of(reader->buf.data + reader->start + prefix, available - prefix);
}

/* ── Outbound ────────────────────────────────────────────────────────────────────────────────── */

void hearth_frame_queue_init(struct hearth_frame_queue *queue, size_t cap_bytes)
{
    HEARTH_ASSERT(cap_bytes > HEARTH_FRAME_PREFIX_BYTES && cap_bytes <= SIZE_MAX / 2);
    *queue = (struct hearth_frame_queue){.cap = cap_bytes, .discard = hearth_fd_close};
    /* Sent bytes are moved out of the way only when they are the larger half, so that a slow reader
     * does not cost a move of everything for each frame: the room is up to twice the cap. */
    hearth_buf_init(&queue->buf, 2 * cap_bytes);
}

void hearth_frame_queue_finish(struct hearth_frame_queue *queue)
{
    hearth_buf_wipe(&queue->buf);
    hearth_buf_finish(&queue->buf);
    queue->start = 0;
    queue->is_building = false;
    frame_queue_close_fds(queue);
}

struct hearth_buf *hearth_frame_queue_begin(struct hearth_frame_queue *queue)
{
    static const uint8_t no_length_yet[HEARTH_FRAME_PREFIX_BYTES] = {0};
    HEARTH_ASSERT(!queue->is_building);
    if (queue->start > 0 && queue->start >= hearth_frame_queue_bytes(queue)) {
        compact(&queue->buf, &queue->start);
    }
    queue->frame_start = queue->buf.size;
    if (hearth_frame_queue_bytes(queue) + sizeof no_length_yet >= queue->cap ||
        hearth_buf_append(&queue->buf, no_length_yet, sizeof no_length_yet) < 0) {
        return NULL;
    }
    queue->is_building = true;
    return &queue->buf;
}

int hearth_frame_queue_commit(struct hearth_frame_queue *queue)
{
    HEARTH_ASSERT(queue->is_building && queue->buf.size >= queue->frame_start);
    size_t length = queue->buf.size - queue->frame_start - HEARTH_FRAME_PREFIX_BYTES;
    int rc = length == 0 ? HEARTH_E_ARGUMENT
             : hearth_frame_queue_bytes(queue) > queue->cap || length > UINT32_MAX
                 ? HEARTH_E_QUEUE_FULL
                 : 0;
    if (rc < 0) {
        hearth_frame_queue_abort(queue);
        return rc;
    }
    write_prefix(queue->buf.data + queue->frame_start, length);
    queue->is_building = false;
    return 0;
}

void hearth_frame_queue_abort(struct hearth_frame_queue *queue)
{
    HEARTH_ASSERT(queue->is_building && queue->buf.size >= queue->frame_start);
    hearth_wipe(queue->buf.data + queue->frame_start, queue->buf.size - queue->frame_start);
    queue->buf.size = queue->frame_start;
    queue->is_building = false;
}

int hearth_frame_queue_push(struct hearth_frame_queue *queue, struct hearth_slice payload)
{
    if (payload.size == 0) {
        return HEARTH_E_ARGUMENT;
    }
    size_t waiting = hearth_frame_queue_bytes(queue) + HEARTH_FRAME_PREFIX_BYTES;
    if (waiting > queue->cap || payload.size > queue->cap - waiting) {
        return HEARTH_E_QUEUE_FULL;
    }
    struct hearth_buf *buf = hearth_frame_queue_begin(queue);
    if (buf == NULL) {
        return HEARTH_E_NO_MEMORY; /* there was room */
    }
    int rc = hearth_buf_append(buf, payload.data, payload.size);
    if (rc < 0) {
        hearth_frame_queue_abort(queue);
        return rc;
    }
    return hearth_frame_queue_commit(queue);
}

int hearth_frame_queue_flush(struct hearth_frame_queue *queue, int fd)
{
    HEARTH_ASSERT(!queue->is_building);
    for (size_t left = HEARTH_FRAME_FLUSH_BYTES; hearth_frame_queue_bytes(queue) > 0;) {
        size_t sent = 0;
        size_t size = HEARTH_MIN(hearth_frame_queue_bytes(queue), left);
        int rc = size == 0 ? HEARTH_E_NOT_READY : frame_queue_send(queue, fd, size, &sent);
        if (rc < 0) {
            return rc;
        }
        hearth_wipe(queue->buf.data + queue->start, sent);
        queue->start += sent;
        queue->sent += sent;
        left -= sent;
    }
    compact(&queue->buf, &queue->start);
    return 0;
}

size_t hearth_frame_queue_bytes(const struct hearth_frame_queue *queue)
{
    return queue->buf.size - queue->start;
}

bool hearth_frame_queue_is_crowded(const struct hearth_frame_queue *queue)
{
    return hearth_frame_queue_bytes(queue) > queue->cap / 2 ||
           queue->fd_count > HEARTH_FRAME_QUEUE_FDS / 2;
}
