/* notify.c — news for a service manager. */

#include "notify.h"

#include "clock.h"
#include "os_priv.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int read_address(const char *text, struct sockaddr_un *ret, socklen_t *ret_bytes,
                        struct hearth_error *err)
{
    size_t length = strlen(text);
    bool is_abstract = text[0] == '@';
    if ((text[0] != '/' && !is_abstract) || length < 2 || length >= sizeof ret->sun_path) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "NOTIFY_SOCKET: \"%.80s\" is neither a path nor @ and a name of at most "
                           "%zu bytes",
                           text, sizeof ret->sun_path - 1);
    }
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, text, length);
    ret->sun_path[0] = is_abstract ? '\0' : '/';
    *ret_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !is_abstract);
    return 0;
}

static int connect_to(const char *text, int *ret_fd, struct hearth_error *err)
{
    struct sockaddr_un address;
    socklen_t bytes = 0;
    int rc = read_address(text, &address, &bytes, err);
    if (rc < 0) {
        return rc;
    }
    HEARTH_AUTO(hearth_fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "make a socket");
    }
    if (connect(fd, (const struct sockaddr *)&address, bytes) != 0) {
        return hearth_fail_errno(err, HEARTH_E_CONFIG, "NOTIFY_SOCKET: connect to %.80s", text);
    }
    *ret_fd = HEARTH_TAKE_FD(fd);
    return 0;
}

/* The watchdog is meant for another process if WATCHDOG_PID says so. */
static uint64_t watchdog_of_environment(void)
{
    uint64_t usec = 0;
    uint64_t pid = 0;
    const char *who = getenv("WATCHDOG_PID");
    const char *often = getenv("WATCHDOG_USEC");
    bool is_ours = who == NULL || (hearth_os_number(who, &pid) && pid == (uint64_t)getpid());
    bool is_sound =
        often != NULL && hearth_os_number(often, &usec) && usec <= UINT64_MAX / HEARTH_NS_PER_US;
    return is_ours && is_sound ? usec * HEARTH_NS_PER_US : 0;
}

int hearth_notify_open(struct hearth_notify *ret_notify, struct hearth_error *err)
{
    const char *address = getenv("NOTIFY_SOCKET");
    *ret_notify = (struct hearth_notify){.fd = -1};
    int rc = address != NULL && address[0] != '\0' ? connect_to(address, &ret_notify->fd, err) : 0;
    ret_notify->watchdog_ns = ret_notify->fd >= 0 ? watchdog_of_environment() : 0;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return rc;
}

void hearth_notify_close(struct hearth_notify *notify)
{
    hearth_fd_close(&notify->fd);
    notify->watchdog_ns = 0;
}

int hearth_notify_send(const struct hearth_notify *notify, const char *state)
{
    size_t sent = 0;
    return notify->fd >= 0 ? hearth_socket_send(notify->fd, state, strlen(state), &sent) : 0;
}
