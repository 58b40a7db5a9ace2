/* fd_passing.c — messages that carry descriptors. */

#include "socket.h"

#include "os_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control_room {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(int) * HEARTH_MAX_PASSED_FDS)];
};

union received_room {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(int) * HEARTH_MAX_RECEIVED_FDS)];
};

/* Puts copies of @fds beside the data of @header; @room must live as long as that. */
static void attach_fds(struct msghdr *header, union control_room *room, const int *fds,
                       size_t fd_count)
{
    memset(room, 0, sizeof *room);
    header->msg_control = room->bytes;
    header->msg_controllen = CMSG_SPACE(sizeof *fds * fd_count);
    struct cmsghdr *rights = CMSG_FIRSTHDR(header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof *fds * fd_count);
    memcpy(CMSG_DATA(rights), fds, sizeof *fds * fd_count);
}

static ssize_t send_message(int fd, const struct msghdr *header, int flags)
{
    ssize_t n = -1;
    do {
        n = sendmsg(fd, header, flags | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* ETOOMANYREFS: too many descriptors of this user are under way, which passes. */
static int send_error(int when_too_many)
{
    return errno == ETOOMANYREFS ? when_too_many : hearth_os_io_error();
}

int hearth_socket_send_fds(int fd, struct hearth_slice message, const int *fds, size_t fd_count,
                           struct hearth_error *err)
{
    if (message.size == 0 || fd_count > HEARTH_MAX_PASSED_FDS) {
        return hearth_fail(err, HEARTH_E_ARGUMENT,
                           "a message of %zu bytes with %zu descriptors cannot be sent",
                           message.size, fd_count);
    }
    struct iovec part = {(void *)(uintptr_t)message.data, message.size};
    union control_room control;
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0) {
        attach_fds(&header, &control, fds, fd_count);
    }
    ssize_t n = send_message(fd, &header, 0);
    if (n < 0) {
        return hearth_fail_errno(err, send_error(HEARTH_E_NOT_READY),
                                 "send a message with descriptors");
    }
    HEARTH_ASSERT((size_t)n == message.size); /* a packet goes whole or not at all */
    return 0;
}

int hearth_socket_send_with_fds(int fd, const void *data, size_t size, const int *fds,
                                size_t fd_count, size_t *ret_bytes)
{
    HEARTH_ASSERT(size > 0 && fd_count <= HEARTH_MAX_PASSED_FDS);
    struct iovec part = {(void *)(uintptr_t)data, size};
    union control_room control;
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0) {
        attach_fds(&header, &control, fds, fd_count);
    }
    ssize_t n = send_message(fd, &header, MSG_DONTWAIT);
    if (n < 0) {
        return send_error(HEARTH_E_BUSY);
    }
    *ret_bytes = (size_t)n;
    return 0;
}

/* Moves the descriptors out of @header; returns how many there were, *@ret_fds gets the first @max.
 */
static size_t collect_fds(struct msghdr *header, int *ret_fds, size_t max)
{
    size_t count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int fd = -1;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (count < max) {
                ret_fds[count] = fd;
            } else {
                hearth_fd_close(&fd);
            }
            count++;
        }
    }
    return count;
}

static ssize_t receive_message(int fd, struct msghdr *header, int flags)
{
    ssize_t n = -1;
    do {
        n = recvmsg(fd, header, flags | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    return n;
}

int hearth_socket_receive_with_fds(int fd, void *room, size_t room_bytes, size_t *ret_bytes,
                                   int *ret_fds, size_t *ret_fd_count, bool *ret_are_lost)
{
    struct iovec part = {room, room_bytes};
    union received_room control;
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t n = receive_message(fd, &header, MSG_DONTWAIT);
    if (n < 0) {
        return hearth_os_io_error();
    }
    *ret_fd_count = collect_fds(&header, ret_fds, HEARTH_MAX_RECEIVED_FDS);
    *ret_bytes = (size_t)n;
    *ret_are_lost = (header.msg_flags & MSG_CTRUNC) != 0;
    return 0;
}

int hearth_socket_receive_fds(int fd, void *room, size_t room_bytes, size_t *ret_bytes,
                              int *ret_fds, size_t max_fds, size_t *ret_fd_count,
                              struct hearth_error *err)
{
    struct iovec part = {room, room_bytes};
    union control_room control;
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t n = receive_message(fd, &header, 0);
    if (n < 0) {
        return hearth_fail_errno(err, hearth_os_io_error(), "receive a message");
    }
    size_t count = collect_fds(&header, ret_fds, max_fds);
    const char *broken = count > max_fds                        ? "more descriptors than expected"
                         : (header.msg_flags & MSG_CTRUNC) != 0 ? "descriptors were cut off"
                         : (header.msg_flags & MSG_TRUNC) != 0  ? "more bytes than expected"
                                                                : NULL;
    if (broken != NULL || n == 0) {
        for (size_t i = 0; i < HEARTH_MIN(count, max_fds); i++) {
            hearth_fd_close(&ret_fds[i]);
        }
        return broken != NULL
                   ? hearth_fail(err, HEARTH_E_MALFORMED, "received a message with %s", broken)
                   : hearth_fail(err, HEARTH_E_DISCONNECTED, "the other side closed the socket");
    }
    *ret_bytes = (size_t)n;
    *ret_fd_count = count;
    return 0;
}
