/* frames_fds.c — descriptors beside frames: in, a short queue in the order of arrival; out, each
 * bound to the byte with which it leaves. */

#include "frames_priv.h"

#include "hearth_os.h"

#include <string.h>

_Static_assert(HEARTH_FRAME_FDS <= HEARTH_MAX_PASSED_FDS, "what a frame claims leaves in one go");

/* ── Inbound ─────────────────────────────────────────────────────────────────────────────────── */

void hearth_frame_reader_accept_fds(struct hearth_frame_reader *reader)
{
    reader->accepts_fds = true;
}

void hearth_frame_discard_fds_by(struct hearth_frame_reader *reader,
                                 struct hearth_frame_queue *queue, void (*discard)(int *fd))
{
    reader->discard = discard;
    queue->discard = discard;
}

uint32_t hearth_frame_reader_fd_count(const struct hearth_frame_reader *reader)
{
    return reader->fd_count;
}

bool hearth_frame_reader_take_fds(struct hearth_frame_reader *reader, int *ret_fds, uint32_t count)
{
    if (count > reader->fd_count) {
        return false;
    }
    memcpy(ret_fds, reader->fds, count * sizeof *ret_fds);
    reader->fd_count -= count;
    memmove(reader->fds, reader->fds + count, reader->fd_count * sizeof *ret_fds);
    return true;
}

void hearth_frame_reader_drop_fds(struct hearth_frame_reader *reader, uint32_t count)
{
    HEARTH_ASSERT(count <= reader->fd_count);
    for (uint32_t i = reader->fd_count - count; i < reader->fd_count; i++) {
        reader->discard(&reader->fds[i]);
    }
}

static int keep_fds(struct hearth_frame_reader *reader, int *fds, size_t count, bool are_lost)
{
    bool fit = count <= HEARTH_FRAME_FDS && count <= HEARTH_FRAME_MAX_FDS - reader->fd_count;
    if (fit && !are_lost) {
        memcpy(reader->fds + reader->fd_count, fds, count * sizeof *fds);
        reader->fd_count += (uint32_t)count;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        reader->discard(&fds[i]);
    }
    reader->broken = HEARTH_E_INPUT_INVALID;
    return reader->broken;
}

int frame_reader_receive(struct hearth_frame_reader *reader, int fd, size_t wanted,
                         size_t *ret_bytes)
{
    uint8_t *room = reader->buf.data + reader->buf.size;
    if (!reader->accepts_fds) {
        return hearth_socket_receive(fd, room, wanted, ret_bytes);
    }
    int fds[HEARTH_MAX_RECEIVED_FDS];
    size_t count = 0;
    bool are_lost = false;
    int rc = hearth_socket_receive_with_fds(fd, room, wanted, ret_bytes, fds, &count, &are_lost);
    return rc < 0 ? rc : keep_fds(reader, fds, count, are_lost);
}

/* ── Outbound ────────────────────────────────────────────────────────────────────────────────── */

int hearth_frame_queue_commit_fds(struct hearth_frame_queue *queue, const int *fds, uint32_t count)
{
    HEARTH_ASSERT(count <= HEARTH_FRAME_FDS);
    if (count > HEARTH_FRAME_QUEUE_FDS - queue->fd_count) {
        hearth_frame_queue_abort(queue);
        return HEARTH_E_QUEUE_FULL;
    }
    if (count > 0 && queue->fds == NULL) {
        queue->fds = hearth_alloc(HEARTH_FRAME_QUEUE_FDS, sizeof *queue->fds);
        if (queue->fds == NULL) {
            hearth_frame_queue_abort(queue);
            return HEARTH_E_NO_MEMORY;
        }
    }
    uint64_t at = queue->sent + (queue->frame_start - queue->start);
    int rc = hearth_frame_queue_commit(queue);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        queue->fds[queue->fd_count++] = (struct hearth_frame_fd){.at = at, .fd = fds[i]};
    }
    return rc;
}

uint32_t hearth_frame_queue_fd_count(const struct hearth_frame_queue *queue)
{
    return queue->fd_count;
}

static void forget_first_fds(struct hearth_frame_queue *queue, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        queue->discard(&queue->fds[i].fd);
    }
    queue->fd_count -= count;
    memmove(queue->fds, queue->fds + count, queue->fd_count * sizeof *queue->fds);
}

/* How many leave with the next byte; *@size is cut so that it ends before the next that does not.
 */
static uint32_t due_fds(const struct hearth_frame_queue *queue, int *fds, size_t *size)
{
    uint32_t count = 0;
    while (count < queue->fd_count && queue->fds[count].at == queue->sent) {
        fds[count] = queue->fds[count].fd;
        count++;
    }
    if (count < queue->fd_count) {
        *size = (size_t)HEARTH_MIN((uint64_t)*size, queue->fds[count].at - queue->sent);
    }
    return count;
}

int frame_queue_send(struct hearth_frame_queue *queue, int fd, size_t size, size_t *ret_bytes)
{
    const uint8_t *bytes = queue->buf.data + queue->start;
    if (queue->fd_count == 0) {
        return hearth_socket_send(fd, bytes, size, ret_bytes);
    }
    int fds[HEARTH_FRAME_FDS];
    uint32_t count = due_fds(queue, fds, &size);
    int rc = hearth_socket_send_with_fds(fd, bytes, size, fds, count, ret_bytes);
    if (rc == 0 && count > 0) {
        forget_first_fds(queue, count);
    }
    return rc;
}

void frame_queue_close_fds(struct hearth_frame_queue *queue)
{
    if (queue->fds != NULL) {
        forget_first_fds(queue, queue->fd_count);
        hearth_free(queue->fds);
        queue->fds = NULL;
    }
}
