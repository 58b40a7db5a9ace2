/* frames_blocking.c — the same for callers that wait. */

#include "frames.h"

#include "hearth_os.h"

int hearth_frame_send_all(struct hearth_frame_queue *queue, int fd, uint64_t deadline_ns)
{
    for (;;) {
        int rc = hearth_frame_queue_flush(queue, fd);
        if (rc == HEARTH_E_NOT_READY) {
            rc = hearth_fd_wait(fd, HEARTH_READY_OUT, deadline_ns, NULL);
            if (rc == 0) {
                continue;
            }
        }
        return rc;
    }
}

int hearth_frame_receive(struct hearth_frame_reader *reader, int fd, uint64_t deadline_ns,
                         struct hearth_slice *ret_payload)
{
    return hearth_frame_exchange(reader, NULL, fd, deadline_ns, ret_payload);
}

/* Sends what it can; returns the events to wait for. A peer that no longer reads may have said why
 * before it closed, so that error is left to be found by reading. */
static unsigned flush_some(struct hearth_frame_queue *queue, int fd)
{
    if (queue != NULL && hearth_frame_queue_bytes(queue) > 0 &&
        hearth_frame_queue_flush(queue, fd) == HEARTH_E_NOT_READY) {
        return HEARTH_READY_IN | HEARTH_READY_OUT;
    }
    return HEARTH_READY_IN;
}

int hearth_frame_exchange(struct hearth_frame_reader *reader, struct hearth_frame_queue *queue,
                          int fd, uint64_t deadline_ns, struct hearth_slice *ret_payload)
{
    for (;;) {
        int rc = hearth_frame_reader_next(reader, ret_payload);
        if (rc != HEARTH_E_NOT_READY) {
            return rc;
        }
        unsigned events = flush_some(queue, fd);
        rc = hearth_frame_reader_fill(reader, fd);
        if (rc == HEARTH_E_NOT_READY) {
            rc = hearth_fd_wait(fd, events, deadline_ns, NULL);
        }
        if (rc < 0) {
            return rc;
        }
    }
}
