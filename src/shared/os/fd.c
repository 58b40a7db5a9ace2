/* fd.c — descriptors: closing, flags, reading, writing, waiting. */

#include "fd.h"

#include "clock.h"
#include "os_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

void hearth_fd_open_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) { /* open() gives the smallest number, and that is this one */
            int got = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
            HEARTH_ASSERT(got < 0 || got == fd);
        }
    }
}

void hearth_fd_close(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd); /* Linux frees the number even when it reports EINTR or EIO: never repeat */
        errno = saved;
        *fd = -1;
    }
}

static int set_flag(int fd, int get, int set, int flag, bool is_on, struct hearth_error *err)
{
    int flags = fcntl(fd, get);
    if (flags >= 0) {
        flags = is_on ? flags | flag : flags & ~flag;
        if (fcntl(fd, set, flags) == 0) {
            return 0;
        }
    }
    return hearth_fail_errno(err, HEARTH_E_SYSTEM, "set flags of descriptor %d", fd);
}

int hearth_fd_set_cloexec(int fd, bool is_on, struct hearth_error *err)
{
    return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, is_on, err);
}

int hearth_fd_set_nonblocking(int fd, bool is_on, struct hearth_error *err)
{
    return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, is_on, err);
}

int hearth_os_io_error(void)
{
    switch (errno) {
    case EAGAIN: return HEARTH_E_NOT_READY;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN: return HEARTH_E_DISCONNECTED;
    default: return HEARTH_E_SYSTEM;
    }
}

int hearth_os_access_error(void)
{
    switch (errno) {
    case EACCES:
    case EPERM:
    case EROFS: return HEARTH_E_DENIED;
    case ENAMETOOLONG: return HEARTH_E_ARGUMENT;
    default: return HEARTH_E_SYSTEM;
    }
}

int hearth_fd_read(int fd, void *room, size_t room_bytes, size_t *ret_bytes)
{
    ssize_t n = -1;
    do {
        n = read(fd, room, room_bytes);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return hearth_os_io_error();
    }
    *ret_bytes = (size_t)n;
    return 0;
}

int hearth_fd_write(int fd, const void *data, size_t size, size_t *ret_bytes)
{
    ssize_t n = -1;
    do {
        n = write(fd, data, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return hearth_os_io_error();
    }
    *ret_bytes = (size_t)n;
    return 0;
}

bool hearth_fd_is_socket(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

int hearth_fd_write_nowait(int fd, const void *data, size_t size, size_t *ret_bytes)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    ssize_t n = -1;
    do {
        n = pwritev2(fd, &piece, 1, -1, RWF_NOWAIT); /* -1: at the file's own position */
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
        return hearth_fd_write(fd, data, size, ret_bytes);
    }
    if (n < 0) {
        return hearth_os_io_error();
    }
    *ret_bytes = (size_t)n;
    return 0;
}

int hearth_fd_reopen_pipe(int fd, int *ret_fd, struct hearth_error *err)
{
    struct stat st;
    char path[40];
    if (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode)) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "descriptor %d is not a pipe", fd);
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (own < 0) {
        return hearth_fail_errno(err, hearth_os_access_error(), "open the pipe of descriptor %d",
                                 fd);
    }
    *ret_fd = own;
    return 0;
}

int hearth_fd_write_all(int fd, struct hearth_slice data)
{
    while (data.size > 0) {
        size_t written = 0;
        int rc = hearth_fd_write(fd, data.data, data.size, &written);
        if (rc < 0) {
            return rc;
        }
        data = hearth_slice_of(data.data + written, data.size - written);
    }
    return 0;
}

struct timespec *hearth_os_time_left(uint64_t deadline_ns, struct timespec *room)
{
    if (deadline_ns == HEARTH_NEVER) {
        return NULL;
    }
    uint64_t now_ns = deadline_ns == 0 ? 0 : hearth_clock_ns();
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    room->tv_sec = (time_t)(left_ns / HEARTH_NS_PER_SEC);
    room->tv_nsec = (long)(left_ns % HEARTH_NS_PER_SEC);
    return room;
}

int hearth_fd_wait(int fd, unsigned events, uint64_t deadline_ns, unsigned *ret_events)
{
    struct pollfd poll = {.fd = fd};
    poll.events = (short)(((events & HEARTH_READY_IN) != 0 ? POLLIN : 0) |
                          ((events & HEARTH_READY_OUT) != 0 ? POLLOUT : 0) |
                          ((events & HEARTH_READY_URGENT) != 0 ? POLLPRI : 0));
    int n = -1;
    do {
        struct timespec left;
        n = ppoll(&poll, 1, hearth_os_time_left(deadline_ns, &left), NULL);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n == 0 ? HEARTH_E_EXPIRED : HEARTH_E_SYSTEM;
    }
    if (ret_events != NULL) {
        *ret_events =
            ((poll.revents & POLLIN) != 0 ? HEARTH_READY_IN : 0u) |
            ((poll.revents & POLLOUT) != 0 ? HEARTH_READY_OUT : 0u) |
            ((poll.revents & POLLPRI) != 0 ? HEARTH_READY_URGENT : 0u) |
            ((poll.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 ? HEARTH_READY_END : 0u);
    }
    return 0;
}
