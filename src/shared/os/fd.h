/* fd.h — file descriptors: closing, flags, and read/write that are not disturbed by signals. */

#ifndef HEARTH_FD_H
#define HEARTH_FD_H

#include "hearth_base.h"

/* HEARTH_AUTO(hearth_fd) int fd = -1; closes it at the end of the scope.
 * HEARTH_TAKE_FD(fd) gives the number away and leaves -1 behind. */
#define HEARTH_TAKE_FD(fd)                                                                         \
    __extension__({                                                                                \
        int taken_ = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        taken_;                                                                                    \
    })

/**
 * Opens descriptors 0, 1 and 2 if the program was started without them, so that no socket gets such
 * a number and then what is printed. What stands in for them refuses to be used. For the first line
 * of main().
 */
void hearth_fd_open_standard(void);

/** Closes *@fd and sets it to -1; does nothing if it is negative. errno is kept. */
void hearth_fd_close(int *fd);

static inline void hearth_fd_cleanup(int *fd)
{
    hearth_fd_close(fd);
}

/** Sets or clears close-on-exec. HEARTH_E_SYSTEM. */
int hearth_fd_set_cloexec(int fd, bool is_on, struct hearth_error *err);

/** Sets or clears O_NONBLOCK: a property of the open file, shared with everybody who holds it. */
int hearth_fd_set_nonblocking(int fd, bool is_on, struct hearth_error *err);

/**
 * Reads at most @room_bytes and sets *@ret_bytes, which is 0 only at the end of the file. One read.
 * Returns 0; HEARTH_E_NOT_READY if a non-blocking descriptor has nothing; HEARTH_E_DISCONNECTED if
 * the peer reset the connection; HEARTH_E_SYSTEM (errno is kept).
 */
int hearth_fd_read(int fd, void *room, size_t room_bytes, size_t *ret_bytes);

/**
 * Writes at most @size bytes and sets *@ret_bytes. Errors as hearth_fd_read(); a peer that is gone
 * is HEARTH_E_DISCONNECTED where the process ignores SIGPIPE. For sockets use hearth_socket_send(),
 * which never raises SIGPIPE.
 */
int hearth_fd_write(int fd, const void *data, size_t size, size_t *ret_bytes);

bool hearth_fd_is_socket(int fd);

/**
 * As hearth_fd_write(), but returns HEARTH_E_NOT_READY where that would wait for room in a pipe,
 * if the kernel can say so (from 6.5 on); an older one may wait.
 */
int hearth_fd_write_nowait(int fd, const void *data, size_t size, size_t *ret_bytes);

/**
 * Opens the pipe behind @fd once more for writing, non-blocking and close-on-exec: the flags of @fd
 * are shared with whoever started us, those of *@ret_fd with nobody. HEARTH_E_UNSUPPORTED if @fd is
 * no pipe; HEARTH_E_DENIED, HEARTH_E_SYSTEM.
 */
int hearth_fd_reopen_pipe(int fd, int *ret_fd, struct hearth_error *err);

/** Writes all of @data to a blocking descriptor. HEARTH_E_DISCONNECTED, HEARTH_E_SYSTEM. */
int hearth_fd_write_all(int fd, struct hearth_slice data);

/* What to wait for, and what was found. */
enum hearth_ready {
    HEARTH_READY_IN = 1,     /* there is something to read, or the end */
    HEARTH_READY_OUT = 2,    /* there is room to write */
    HEARTH_READY_URGENT = 8, /* something exceptional, as of hearth_pressure_open() */
    HEARTH_READY_END = 4,    /* hung up or failed: reported always, asked for or not */
};

/**
 * Blocks until @fd is ready for one of @events (enum hearth_ready, ORed) or @deadline_ns is
 * reached. Signals do not end the wait. Sets *@ret_events (may be NULL). HEARTH_E_EXPIRED,
 * HEARTH_E_SYSTEM.
 */
int hearth_fd_wait(int fd, unsigned events, uint64_t deadline_ns, unsigned *ret_events);

#endif
