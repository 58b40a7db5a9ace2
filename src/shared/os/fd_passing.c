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
        memset(&control, 0, sizeof control);
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(sizeof *fds * fd_count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof *fds * fd_count);
        memcpy(CMSG_DATA(rights), fds, sizeof *fds * fd_count);
    }
    ssize_t n = -1;
    do {
        n = sendmsg(fd, &header, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return hearth_fail_errno(err, hearth_os_io_error(), "send a message with descriptors");
    }
    HEARTH_ASSERT((size_t)n == message.size); /* a packet goes whole or not at all */
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
    ssize_t n = -1;
    do {
        n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
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
