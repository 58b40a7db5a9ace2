/* notify.h — what a service manager hands over and wants to hear, as systemd defines it: a socket
 * that listens already (sd_listen_fds(3)), news of the service's state (sd_notify(3)), signs of
 * life (sd_watchdog_enabled(3)).
 *
 * Both protocols are a handful of environment variables and one datagram, so they are spoken here:
 * libsystemd would bring five more libraries, for compression and cryptography among them, into the
 * daemon.
 *
 * Each function that reads a variable removes it: nothing that is started later may take it for its
 * own. So call them early, from the only thread. */

#ifndef HEARTH_NOTIFY_H
#define HEARTH_NOTIFY_H

#include "socket.h"

/**
 * Takes over the listening socket that the environment (LISTEN_PID, LISTEN_FDS) promises to this
 * process. Then *@ret_listener is as hearth_listener_open() makes it, but has no lock and leaves
 * the file alone when it is closed: mode and path are the manager's.
 *
 * Returns 0 with @ret_listener->fd at -1 if none is promised. HEARTH_E_CONFIG, and says what it
 * got, unless it is exactly one socket, AF_UNIX, stream, and listening. HEARTH_E_SYSTEM.
 */
HEARTH_NODISCARD int hearth_listener_inherit(struct hearth_listener *ret_listener,
                                             struct hearth_error *err);

/** The way to a service manager. */
struct hearth_notify {
    int fd;               /* -1: none listens */
    uint64_t watchdog_ns; /* it wants a sign of life at least so often; 0: it does not */
};

/**
 * Connects to the manager's socket ($NOTIFY_SOCKET: a path, or @ and an abstract name), so that no
 * path has to be reached later. Without the variable there is nobody to tell, which is no error.
 * HEARTH_E_CONFIG if the variable is not such an address or nobody listens there; then @fd is -1.
 */
HEARTH_NODISCARD int hearth_notify_open(struct hearth_notify *ret_notify, struct hearth_error *err);
void hearth_notify_close(struct hearth_notify *notify);

/**
 * Sends assignments such as "READY=1\nSTATUS=…" in one message; never blocks. Returns 0, also if
 * there is nobody to tell; HEARTH_E_NOT_READY if the manager's queue is full; HEARTH_E_SYSTEM or
 * HEARTH_E_DISCONNECTED.
 */
int hearth_notify_send(const struct hearth_notify *notify, const char *state);

#endif
