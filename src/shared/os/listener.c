/* listener.c — the daemon's socket: who may have the path, and what is left of a dead daemon.
 *
 * The lock decides: whoever holds flock on "<path>.lock" may replace the socket. The lock file
 * stays behind on purpose; removing it would let two daemons lock two different files of one name.
 */

#include "socket.h"

#include "os_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 256

static int check_folder_is_safe(const char *folder, const struct stat *st, struct hearth_error *err)
{
    if (!S_ISDIR(st->st_mode)) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "%s is not a folder", folder);
    }
    if (st->st_uid != geteuid() && st->st_uid != 0) {
        return hearth_fail(err, HEARTH_E_DENIED,
                           "folder %s belongs to user %u, who could replace the socket", folder,
                           (unsigned)st->st_uid);
    }
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st->st_mode & S_ISVTX) == 0) {
        return hearth_fail(err, HEARTH_E_DENIED,
                           "other users may write to folder %s: chmod go-w it or choose another",
                           folder);
    }
    return 0;
}

/* Makes the parent folder if it is missing and checks that nobody else may swap what is in it. */
static int prepare_folder(const char *path, struct hearth_error *err)
{
    char folder[HEARTH_SOCKET_PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL) {
        snprintf(folder, sizeof folder, ".");
    } else {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    if (mkdir(folder, 0700) != 0 && errno != EEXIST && errno != EISDIR) {
        int code = hearth_os_access_error();
        struct stat
            there; /* a read-only file system refuses before it sees that the folder is there */
        if (stat(folder, &there) != 0) {
            return hearth_fail_errno(err, code, "make folder %s for the socket", folder);
        }
    }
    struct stat st;
    if (stat(folder, &st) != 0) {
        return hearth_fail_errno(err, hearth_os_access_error(), "look at folder %s", folder);
    }
    return check_folder_is_safe(folder, &st, err);
}

static int take_lock(const char *path, int *ret_fd, struct hearth_error *err)
{
    char lock_path[HEARTH_SOCKET_PATH_BYTES + sizeof ".lock"];
    snprintf(lock_path, sizeof lock_path, "%s.lock", path);
    HEARTH_AUTO(hearth_fd)
    int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) {
        return hearth_fail_errno(err, hearth_os_access_error(), "create %s", lock_path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            return hearth_fail(err, HEARTH_E_IN_USE, "another daemon holds %s", lock_path);
        }
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "lock %s", lock_path);
    }
    *ret_fd = HEARTH_TAKE_FD(fd);
    return 0;
}

/* Removes a socket on which nobody listens; called with the lock held. */
static int remove_stale_socket(const struct sockaddr_un *address, struct hearth_error *err)
{
    const char *path = address->sun_path;
    struct stat st;
    if (lstat(path, &st) != 0) {
        return errno == ENOENT
                   ? 0
                   : hearth_fail_errno(err, hearth_os_access_error(), "look at %s", path);
    }
    if (!S_ISSOCK(st.st_mode)) {
        return hearth_fail(err, HEARTH_E_ARGUMENT,
                           "%s exists and is not a socket: move it away or choose another path",
                           path);
    }
    HEARTH_AUTO(hearth_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "make a socket");
    }
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN) {
        return hearth_fail(err, HEARTH_E_IN_USE, "another program listens on %s", path);
    }
    if (errno != ECONNREFUSED && errno != ENOENT) {
        return hearth_fail_errno(err, hearth_os_access_error(), "see who listens on %s", path);
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return hearth_fail_errno(err, hearth_os_access_error(), "remove the old socket %s", path);
    }
    return 0;
}

static int bind_and_listen(const struct sockaddr_un *address, int *ret_fd, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "make a socket");
    }
    /* Before bind, so that the file never exists with a wider mode. */
    if (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        return hearth_fail_errno(err, hearth_os_access_error(), "bind %s", address->sun_path);
    }
    if (listen(fd, BACKLOG) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "listen on %s", address->sun_path);
    }
    *ret_fd = HEARTH_TAKE_FD(fd);
    return 0;
}

int hearth_listener_open(const char *path, struct hearth_listener *ret_listener,
                         struct hearth_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _Static_assert(sizeof address.sun_path == HEARTH_SOCKET_PATH_BYTES, "path of a Unix socket");
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path) {
        return hearth_fail(err, HEARTH_E_ARGUMENT,
                           "socket path is %zu bytes long, must be 1 to %zu: choose another",
                           length, sizeof address.sun_path - 1);
    }
    memcpy(address.sun_path, path, length);
    int rc = prepare_folder(path, err);
    HEARTH_AUTO(hearth_fd) int lock_fd = -1;
    if (rc == 0) {
        rc = take_lock(path, &lock_fd, err);
    }
    if (rc == 0) {
        rc = remove_stale_socket(&address, err);
    }
    int fd = -1;
    if (rc == 0) {
        rc = bind_and_listen(&address, &fd, err);
    }
    if (rc < 0) {
        return rc;
    }
    *ret_listener = (struct hearth_listener){.fd = fd, .lock_fd = HEARTH_TAKE_FD(lock_fd)};
    memcpy(ret_listener->path, path, length + 1);
    return 0;
}

void hearth_listener_close(struct hearth_listener *listener)
{
    if (listener->fd >= 0 && !listener->is_inherited) {
        unlink(listener->path); /* ours as long as we hold the lock */
    }
    hearth_fd_close(&listener->fd);
    hearth_fd_close(&listener->lock_fd);
}
