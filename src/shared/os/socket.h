/* socket.h — Unix sockets: the daemon's listener, connections, and descriptors sent along. */

#ifndef HEARTH_SOCKET_H
#define HEARTH_SOCKET_H

#include "fd.h"

#include <sys/types.h>

#define HEARTH_SOCKET_PATH_BYTES 108 /* of sockaddr_un, terminator included */
#define HEARTH_MAX_PASSED_FDS    16  /* descriptors in one message of ours */
#define HEARTH_MAX_RECEIVED_FDS  253 /* most that the kernel lets anybody send in one */

/**
 * Writes where programs look for the daemon and the daemon listens if nobody says otherwise:
 * $HEARTH_SOCKET, else $XDG_RUNTIME_DIR/hearth/hearthd.sock, else for root
 * /run/hearth/hearthd.sock, else /tmp/hearth-<uid>/hearthd.sock. HEARTH_E_ARGUMENT if it does not
 * fit @room_bytes or the name of a socket.
 */
HEARTH_NODISCARD int hearth_socket_default_path(char *room, size_t room_bytes,
                                                struct hearth_error *err);

/** A bound, listening stream socket and the lock that says that it is ours. */
struct hearth_listener {
    int fd;            /* non-blocking; watch it for IN, then hearth_socket_accept() */
    int lock_fd;       /* holds flock on "<path>.lock" for as long as the daemon lives */
    bool is_inherited; /* path, lock and mode are somebody else's: see hearth_listener_inherit() */
    char path[HEARTH_SOCKET_PATH_BYTES];
};

/**
 * Binds and listens at @path with mode 0600. The parent folder is made (0700, one level) if it is
 * missing. A socket that a dead daemon left behind is removed; that is decided by the lock and by a
 * connection attempt, so a living daemon is never pushed aside.
 *
 * Blocks only for local file operations. *@ret_listener is owned by the caller.
 *
 * HEARTH_E_IN_USE: another daemon holds the lock or answers. HEARTH_E_ARGUMENT: the path is empty,
 * too long, or names something that is not a socket. HEARTH_E_DENIED: the folder is read-only, not
 * permitted, or such that another user could replace the socket. HEARTH_E_SYSTEM.
 */
int hearth_listener_open(const char *path, struct hearth_listener *ret_listener,
                         struct hearth_error *err);

/**
 * Removes the socket file unless it was inherited, then closes both descriptors. Fine on one that
 * was never opened (fds -1).
 */
void hearth_listener_close(struct hearth_listener *listener);

/**
 * Accepts one connection (non-blocking descriptor). HEARTH_E_NOT_READY when none waits;
 * HEARTH_E_TOO_MANY_CONNECTIONS when the process has no descriptor left; HEARTH_E_SYSTEM.
 */
int hearth_socket_accept(int listen_fd, int *ret_fd, struct hearth_error *err);

/**
 * Connects to the daemon at @path; waits at most until @deadline_ns if its queue is full, not at
 * all if that has passed. The descriptor is non-blocking. HEARTH_E_NO_DAEMON when nothing listens
 * there, HEARTH_E_ARGUMENT for a path that is too long, HEARTH_E_DENIED, HEARTH_E_EXPIRED,
 * HEARTH_E_SYSTEM.
 */
int hearth_socket_connect(const char *path, uint64_t deadline_ns, int *ret_fd,
                          struct hearth_error *err);

/** Who is at the other end, as the kernel recorded it when the connection was made. */
struct hearth_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
};
int hearth_socket_peer(int fd, struct hearth_peer *ret_peer, struct hearth_error *err);

/** Makes a connected pair that keeps message borders (SEQPACKET), blocking, close-on-exec. */
int hearth_socket_pair(int ret_fds[2], struct hearth_error *err);

/** Makes a connected pair of non-blocking streams, close-on-exec. */
int hearth_socket_stream_pair(int ret_fds[2], struct hearth_error *err);

/** True if the other side has taken all that was sent to it (or nobody can tell). */
bool hearth_socket_is_read(int fd);

/** As hearth_fd_read()/hearth_fd_write() for stream sockets; never waits, never raises SIGPIPE. */
int hearth_socket_receive(int fd, void *room, size_t room_bytes, size_t *ret_bytes);
int hearth_socket_send(int fd, const void *data, size_t size, size_t *ret_bytes);

/**
 * Sends one message (1 byte at least) with copies of @fd_count ≤ HEARTH_MAX_PASSED_FDS descriptors,
 * which stay the caller's. For SEQPACKET pairs: all or nothing. HEARTH_E_NOT_READY (also while too
 * many descriptors of this user are under way), HEARTH_E_DISCONNECTED, HEARTH_E_ARGUMENT,
 * HEARTH_E_SYSTEM.
 */
int hearth_socket_send_fds(int fd, struct hearth_slice message, const int *fds, size_t fd_count,
                           struct hearth_error *err);

/**
 * Receives one message into @room and its descriptors (close-on-exec, now the caller's) into
 * @ret_fds. Blocks if @fd does.
 *
 * HEARTH_E_DISCONNECTED at the end; HEARTH_E_MALFORMED if the message or its control data was cut
 * or carries more than @max_fds descriptors (all that arrived are closed); HEARTH_E_NOT_READY,
 * HEARTH_E_SYSTEM.
 */
int hearth_socket_receive_fds(int fd, void *room, size_t room_bytes, size_t *ret_bytes,
                              int *ret_fds, size_t max_fds, size_t *ret_fd_count,
                              struct hearth_error *err);

/**
 * As hearth_socket_send() on a stream, with copies of @fd_count ≤ HEARTH_MAX_PASSED_FDS descriptors
 * beside the first byte. If anything was sent, they were. HEARTH_E_BUSY while too many descriptors
 * of this user are under way (waiting for room would not help).
 */
int hearth_socket_send_with_fds(int fd, const void *data, size_t size, const int *fds,
                                size_t fd_count, size_t *ret_bytes);

/**
 * As hearth_socket_receive() on a stream on which descriptors may come (close-on-exec, now the
 * caller's): @ret_fds holds HEARTH_MAX_RECEIVED_FDS, because the kernel would close those for which
 * there is no room here and now, however long that takes. *@ret_are_lost: more came than this
 * process may have open; those are gone, nobody knows how many.
 */
int hearth_socket_receive_with_fds(int fd, void *room, size_t room_bytes, size_t *ret_bytes,
                                   int *ret_fds, size_t *ret_fd_count, bool *ret_are_lost);

#endif
