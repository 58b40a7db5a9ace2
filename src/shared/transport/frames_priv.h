/* frames_priv.h — the descriptors beside frames, as frames.c needs them. */

#ifndef HEARTH_FRAMES_PRIV_H
#define HEARTH_FRAMES_PRIV_H

#include "frames.h"

/* A descriptor that waits to be sent, beside the byte at @at of all that is ever sent. */
struct hearth_frame_fd {
    uint64_t at;
    int fd;
};

/* Receives at most @wanted bytes behind the buffer's end, and the descriptors beside them. */
int frame_reader_receive(struct hearth_frame_reader *reader, int fd, size_t wanted,
                         size_t *ret_bytes);

/* Sends at most @size bytes from the front, with the descriptors whose turn it is. */
int frame_queue_send(struct hearth_frame_queue *queue, int fd, size_t size, size_t *ret_bytes);

void frame_queue_close_fds(struct hearth_frame_queue *queue);

#endif
