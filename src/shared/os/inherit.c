/* inherit.c — a listening socket that the service manager made. */

#include "notify.h"

#include "os_priv.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

bool hearth_os_number(const char *text, uint64_t *ret)
{
    uint64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number)) {
            return false;
        }
    }
    *ret = number;
    return at != text && *at == '\0';
}

/* How many descriptors were promised to this process. */
static int read_promise(uint64_t *ret_count, struct hearth_error *err)
{
    const char *who = getenv("LISTEN_PID");
    const char *many = getenv("LISTEN_FDS");
    uint64_t pid = 0;
    *ret_count = 0;
    if (who == NULL || many == NULL) {
        return 0;
    }
    if (!hearth_os_number(who, &pid)) {
        return hearth_fail(err, HEARTH_E_CONFIG, "LISTEN_PID: \"%.40s\" is not a number", who);
    }
    if (pid != (uint64_t)getpid()) {
        return 0; /* left over from a parent's start */
    }
    if (!hearth_os_number(many, ret_count)) {
        return hearth_fail(err, HEARTH_E_CONFIG, "LISTEN_FDS: \"%.40s\" is not a number", many);
    }
    return 0;
}

static void forget_promise(void)
{
    static const char *const names[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
                                        "LISTEN_PIDFDID"};
    for (size_t i = 0; i < HEARTH_COUNT(names); i++) {
        unsetenv(names[i]);
    }
}

static int property(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

static int check_socket(int fd, struct hearth_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return hearth_fail_errno(err, HEARTH_E_CONFIG, "LISTEN_FDS: descriptor %d", fd);
    }
    if (!S_ISSOCK(st.st_mode)) {
        return hearth_fail(err, HEARTH_E_CONFIG, "LISTEN_FDS: descriptor %d is not a socket", fd);
    }
    if (property(fd, SO_DOMAIN) != AF_UNIX) {
        return hearth_fail(
            err, HEARTH_E_CONFIG,
            "LISTEN_FDS: descriptor %d is no Unix socket (its family is %d): hearthd "
            "serves no network",
            fd, property(fd, SO_DOMAIN));
    }
    if (property(fd, SO_TYPE) != SOCK_STREAM) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "LISTEN_FDS: descriptor %d is no stream socket (its type is %d): use "
                           "ListenStream=",
                           fd, property(fd, SO_TYPE));
    }
    if (property(fd, SO_ACCEPTCONN) != 1) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "LISTEN_FDS: descriptor %d does not listen: use Accept=no", fd);
    }
    return 0;
}

/* For people to read; an abstract name gets its usual @. */
static void read_path(int fd, char path[HEARTH_SOCKET_PATH_BYTES])
{
    struct sockaddr_un address = {0};
    socklen_t size = sizeof address;
    path[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        size <= offsetof(struct sockaddr_un, sun_path)) {
        return;
    }
    size_t length = HEARTH_MIN((size_t)size - offsetof(struct sockaddr_un, sun_path),
                               (size_t)HEARTH_SOCKET_PATH_BYTES - 1);
    memcpy(path, address.sun_path, length);
    path[length] = '\0';
    path[0] = path[0] == '\0' ? '@' : path[0];
}

int hearth_listener_inherit(struct hearth_listener *ret_listener, struct hearth_error *err)
{
    uint64_t count = 0;
    int fd = FIRST_FD;
    *ret_listener = (struct hearth_listener){.fd = -1, .lock_fd = -1};
    int rc = read_promise(&count, err);
    forget_promise();
    if (rc < 0 || count == 0) {
        return rc;
    }
    if (count > 1) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "LISTEN_FDS: %" PRIu64 " sockets were handed over, hearthd takes one: "
                           "leave one ListenStream= line",
                           count);
    }
    rc = check_socket(fd, err);
    rc = rc < 0 ? rc : hearth_fd_set_cloexec(fd, true, err);
    rc = rc < 0 ? rc : hearth_fd_set_nonblocking(fd, true, err);
    if (rc == 0) {
        ret_listener->fd = fd;
        ret_listener->is_inherited = true;
        read_path(fd, ret_listener->path);
    }
    return rc;
}
