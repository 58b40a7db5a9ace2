/* socket.c — Unix stream and sequenced-packet sockets. */

#include "socket.h"

#include "clock.h"
#include "os_priv.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

int hearth_socket_accept(int listen_fd, int *ret_fd, struct hearth_error *err)
{
    int fd = -1;
    do {
        fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd >= 0) {
        *ret_fd = fd;
        return 0;
    }
    if (errno == EAGAIN) {
        return hearth_fail(err, HEARTH_E_NOT_READY, "no connection waits");
    }
    int code = errno == EMFILE || errno == ENFILE ? HEARTH_E_TOO_MANY_CONNECTIONS : HEARTH_E_SYSTEM;
    return hearth_fail_errno(err, code, "accept a connection");
}

static int connect_error(const char *path, struct hearth_error *err)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
    case EPROTOTYPE: return hearth_fail_errno(err, HEARTH_E_NO_DAEMON, "connect to %s", path);
    case EAGAIN:
        return hearth_fail(err, HEARTH_E_EXPIRED,
                           "connect to %s: the daemon did not accept in time", path);
    default: return hearth_fail_errno(err, hearth_os_access_error(), "connect to %s", path);
    }
}

/* Bounds how long connect() may wait for room in the daemon's queue: not at all if time is over. */
static int set_patience(int fd, uint64_t deadline_ns, struct hearth_error *err)
{
    struct timespec room;
    const struct timespec *left = hearth_os_time_left(deadline_ns, &room);
    struct timeval wait = {0, 0}; /* zero means no bound */
    if (left != NULL) {
        if (left->tv_sec == 0 && left->tv_nsec == 0) {
            return hearth_fd_set_nonblocking(fd, true, err);
        }
        wait = (struct timeval){left->tv_sec, left->tv_nsec / 1000 + 1};
        if (wait.tv_usec >= 1000000) {
            wait = (struct timeval){left->tv_sec + 1, 0};
        }
    }
    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0
               ? 0
               : hearth_fail_errno(err, HEARTH_E_SYSTEM, "bound the time of a connection");
}

int hearth_socket_connect(const char *path, uint64_t deadline_ns, int *ret_fd,
                          struct hearth_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path) {
        return hearth_fail(err, HEARTH_E_ARGUMENT,
                           "socket path is %zu bytes long, must be 1 to %zu", length,
                           sizeof address.sun_path - 1);
    }
    memcpy(address.sun_path, path, length);
    HEARTH_AUTO(hearth_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "make a socket");
    }
    int rc = -1;
    do {
        rc = set_patience(fd, deadline_ns, err);
        if (rc < 0) {
            return rc;
        }
        rc = connect(fd, (const struct sockaddr *)&address, sizeof address);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        return connect_error(path, err);
    }
    rc = hearth_fd_set_nonblocking(fd, true, err);
    if (rc == 0) {
        *ret_fd = HEARTH_TAKE_FD(fd);
    }
    return rc;
}

int hearth_socket_peer(int fd, struct hearth_peer *ret_peer, struct hearth_error *err)
{
    struct ucred who;
    socklen_t size = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || size != sizeof who) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "ask who is at the other end");
    }
    *ret_peer = (struct hearth_peer){who.uid, who.gid, who.pid};
    return 0;
}

int hearth_socket_pair(int ret_fds[2], struct hearth_error *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "make a socket pair");
    }
    return 0;
}

int hearth_socket_stream_pair(int ret_fds[2], struct hearth_error *err)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "make a socket pair");
    }
    return 0;
}

bool hearth_socket_is_read(int fd)
{
    int unread = 0;
    return ioctl(fd, SIOCOUTQ, &unread) != 0 || unread == 0;
}

int hearth_socket_receive(int fd, void *room, size_t room_bytes, size_t *ret_bytes)
{
    ssize_t n = -1;
    do {
        n = recv(fd, room, room_bytes, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return hearth_os_io_error();
    }
    *ret_bytes = (size_t)n;
    return 0;
}

int hearth_socket_send(int fd, const void *data, size_t size, size_t *ret_bytes)
{
    ssize_t n = -1;
    do {
        n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return hearth_os_io_error();
    }
    *ret_bytes = (size_t)n;
    return 0;
}
