/* frames.h — frames over a non-blocking stream socket.
 *
 * A frame is a length (u32, little-endian, of the payload) and the payload, 1 byte at least. Every
 * object here belongs to one thread at a time.                                                   */

#ifndef HEARTH_FRAMES_H
#define HEARTH_FRAMES_H

#include "hearth_base.h"

/* Descriptors beside frames. A message with tensors that say memfd_bytes > 0 claims one descriptor
 * for each of these, in the order of its tensors, at most HEARTH_FRAME_FDS. They travel by
 * SCM_RIGHTS on the same socket, all in one sendmsg(), with the first byte of the frame. (A
 * receiver takes them with any byte of the frame or one before it.) Who receives keeps them in the
 * order in which they came, and a whole frame takes as many as it claims from the front. So a frame
 * whose claims cannot be known, because it could not be read, leaves the stream without a meaning
 * if descriptors wait. The same holds in V1.
 *
 * To send: hearth_frame_queue_begin(), encode, hearth_frame_queue_commit_fds(); flush, send_all and
 * exchange do the rest. To receive: hearth_frame_reader_accept_fds(), then after each frame
 * hearth_frame_reader_take_fds() with what it claims. */
#define HEARTH_FRAME_FDS     16                     /* most that one frame claims */
#define HEARTH_FRAME_MAX_FDS (2 * HEARTH_FRAME_FDS) /* received: of a whole frame and one begun */

#define HEARTH_FRAME_PREFIX_BYTES 4
#define HEARTH_FRAME_READ_BYTES   (64 * 1024)  /* most that one fill reads */
#define HEARTH_FRAME_FLUSH_BYTES  (256 * 1024) /* most that one flush sends */
#define HEARTH_FRAME_KEEP_BYTES   (256 * 1024) /* an empty buffer larger than this is given back */

/* ── Inbound ─────────────────────────────────────────────────────────────────────────────────── */

/**
 * Puts frames together from a stream. Memory follows the bytes that really arrived (at most twice
 * that and HEARTH_FRAME_READ_BYTES), not what a prefix promises. Consumed bytes are wiped.
 * Fields are private.
 */
struct hearth_frame_queue;
struct hearth_frame_reader {
    struct hearth_buf buf;
    size_t start;           /* first byte not yet taken */
    size_t max_frame_bytes; /* of a payload */
    int broken;             /* the error that ended this stream, or 0 */
    bool accepts_fds;
    void (*discard)(int *fd); /* closes one; hearth_fd_close() */
    uint32_t fd_count;        /* descriptors that no frame has taken yet */
    int fds[HEARTH_FRAME_MAX_FDS];
};

/** Prepares a reader that accepts payloads up to @max_frame_bytes; allocates nothing yet. */
void hearth_frame_reader_init(struct hearth_frame_reader *reader, size_t max_frame_bytes);

/** Wipes, gives the memory back and closes the descriptors that nobody took. */
void hearth_frame_reader_finish(struct hearth_frame_reader *reader);

/** Changes the limit from the next frame on: smaller before a handshake than after it. */
void hearth_frame_reader_set_max(struct hearth_frame_reader *reader, size_t max_frame_bytes);

/**
 * Makes one read of at most HEARTH_FRAME_READ_BYTES from @fd. Slices lent before become invalid.
 * Returns 0 if bytes arrived; HEARTH_E_NOT_READY; HEARTH_E_DISCONNECTED at the end of the stream;
 * HEARTH_E_NO_MEMORY; HEARTH_E_SYSTEM; HEARTH_E_QUEUE_FULL if whole frames have to be taken first;
 * HEARTH_E_INPUT_INVALID if more descriptors came than may wait or some were lost on the way, which
 * breaks the stream; or what broke it before.
 */
HEARTH_NODISCARD int hearth_frame_reader_fill(struct hearth_frame_reader *reader, int fd);

/** As fill, from memory: for tests and other sources. Appends all of @bytes or nothing. */
HEARTH_NODISCARD int hearth_frame_reader_feed(struct hearth_frame_reader *reader,
                                              struct hearth_slice bytes);

/**
 * Takes the next whole frame. *@ret_payload points into the reader and is valid until the next
 * fill, feed or finish; taking further frames does not move it.
 * Returns 0; HEARTH_E_NOT_READY when more bytes are needed; HEARTH_E_TOO_LARGE when a prefix is
 * over the limit; HEARTH_E_MALFORMED when it is 0. After those two the stream cannot be
 * resynchronised and every call returns the same.
 */
HEARTH_NODISCARD int hearth_frame_reader_next(struct hearth_frame_reader *reader,
                                              struct hearth_slice *ret_payload);

/** True when a frame has begun that is not complete: a disconnect now is in mid-frame. */
bool hearth_frame_reader_is_partial(const struct hearth_frame_reader *reader);

/** Lends what has come so far of the payload that is next, maybe nothing. */
void hearth_frame_reader_peek(const struct hearth_frame_reader *reader,
                              struct hearth_slice *ret_begun);

/** Receives descriptors from now on (close-on-exec); without this the kernel drops them. */
void hearth_frame_reader_accept_fds(struct hearth_frame_reader *reader);

/** Lets reader and queue close descriptors by @discard, for a thread that must not wait for it. */
void hearth_frame_discard_fds_by(struct hearth_frame_reader *reader,
                                 struct hearth_frame_queue *queue, void (*discard)(int *fd));

/** Descriptors that wait to be taken. */
uint32_t hearth_frame_reader_fd_count(const struct hearth_frame_reader *reader);

/**
 * Takes the first @count ≤ HEARTH_FRAME_FDS descriptors, which become the caller's. One that
 * hearth_frame_reader_drop_fds() closed is -1. If there are fewer, takes nothing and returns false.
 */
HEARTH_NODISCARD bool hearth_frame_reader_take_fds(struct hearth_frame_reader *reader, int *ret_fds,
                                                   uint32_t count);

/** Closes the last @count descriptors that came; their places stay, so that others keep theirs. */
void hearth_frame_reader_drop_fds(struct hearth_frame_reader *reader, uint32_t count);

/* ── Outbound ────────────────────────────────────────────────────────────────────────────────── */

/** Frames that wait to be sent, at most @cap bytes. Sent bytes are wiped. Fields are private. */
struct hearth_frame_queue {
    struct hearth_buf buf;
    size_t cap;
    size_t start;       /* first byte not yet sent */
    size_t frame_start; /* prefix of the frame being built */
    bool is_building;
    uint64_t sent;               /* bytes since the beginning */
    struct hearth_frame_fd *fds; /* that wait, first to leave first; NULL until there is one */
    void (*discard)(int *fd);
    uint32_t fd_count;
};

#define HEARTH_FRAME_QUEUE_FDS 64 /* that may wait in one queue */

/** Prepares a queue of at most @cap_bytes (prefixes included); allocates nothing yet. */
void hearth_frame_queue_init(struct hearth_frame_queue *queue, size_t cap_bytes);
void hearth_frame_queue_finish(struct hearth_frame_queue *queue);

/**
 * Queues one frame whose payload is @payload. HEARTH_E_QUEUE_FULL if it does not fit now (nothing
 * was queued; the reader of the other side is slow), HEARTH_E_NO_MEMORY, HEARTH_E_ARGUMENT if
 * empty.
 */
HEARTH_NODISCARD int hearth_frame_queue_push(struct hearth_frame_queue *queue,
                                             struct hearth_slice payload);

/**
 * Begins a frame in place: append the payload to the returned buf (append only: what lies before
 * belongs to other frames), then commit or abort. One at a time. Returns NULL if the queue is full
 * or there is no memory. HEARTH_E_TOO_LARGE from the buf means that the queue is full: abort.
 * Commit returns HEARTH_E_QUEUE_FULL if the frame does not fit, HEARTH_E_ARGUMENT if it is empty;
 * the frame is then forgotten.
 */
struct hearth_buf *hearth_frame_queue_begin(struct hearth_frame_queue *queue);
HEARTH_NODISCARD int hearth_frame_queue_commit(struct hearth_frame_queue *queue);
void hearth_frame_queue_abort(struct hearth_frame_queue *queue);

/**
 * As commit; @count ≤ HEARTH_FRAME_FDS descriptors leave with the first byte of the frame. On
 * success they are the queue's, which closes them once they are sent; on failure they stay the
 * caller's and the frame is forgotten. HEARTH_E_QUEUE_FULL also if too many descriptors wait.
 */
HEARTH_NODISCARD int hearth_frame_queue_commit_fds(struct hearth_frame_queue *queue, const int *fds,
                                                   uint32_t count);

/**
 * Sends what @fd takes, at most HEARTH_FRAME_FLUSH_BYTES. Returns 0 when the queue is empty;
 * HEARTH_E_NOT_READY when the rest has to wait for HEARTH_READY_OUT; HEARTH_E_DISCONNECTED;
 * HEARTH_E_SYSTEM.
 */
HEARTH_NODISCARD int hearth_frame_queue_flush(struct hearth_frame_queue *queue, int fd);

/** Bytes not yet sent. Stop producing for a slow client above half of the cap. */
size_t hearth_frame_queue_bytes(const struct hearth_frame_queue *queue);
bool hearth_frame_queue_is_crowded(const struct hearth_frame_queue *queue);

/** Descriptors not yet sent. */
uint32_t hearth_frame_queue_fd_count(const struct hearth_frame_queue *queue);

/* ── For callers that wait: the client library and tests ─────────────────────────────────────── */

/**
 * Sends all of @queue, waiting until @deadline_ns. HEARTH_E_EXPIRED (the rest stays queued),
 * HEARTH_E_DISCONNECTED, HEARTH_E_SYSTEM. Reads nothing: see hearth_frame_exchange().
 */
HEARTH_NODISCARD int hearth_frame_send_all(struct hearth_frame_queue *queue, int fd,
                                           uint64_t deadline_ns);

/** Takes the next frame, waiting for it until @deadline_ns. Errors as next, fill, and EXPIRED. */
HEARTH_NODISCARD int hearth_frame_receive(struct hearth_frame_reader *reader, int fd,
                                          uint64_t deadline_ns, struct hearth_slice *ret_payload);

/**
 * As receive, and sends what @queue holds meanwhile, so that two sides that both have much to send
 * do not wait for each other.
 */
HEARTH_NODISCARD int hearth_frame_exchange(struct hearth_frame_reader *reader,
                                           struct hearth_frame_queue *queue, int fd,
                                           uint64_t deadline_ns, struct hearth_slice *ret_payload);

#endif
