/* relay.c — the floor: what two hops over Unix sockets cost when nobody looks at the bytes. */

#include "peers.h"

#include "hearth_os.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Reads a request, gets its answer from the next process (or makes it), writes the answer. */
static void serve(int client_fd, int next_fd, size_t request_bytes, size_t answer_bytes)
{
    uint8_t request[PEERS_FRAME_BYTES];
    uint8_t answer[PEERS_FRAME_BYTES] = {0};
    while (peer_read(client_fd, request, request_bytes, NULL) == 0) {
        if (next_fd >= 0 && (peer_write(next_fd, request, request_bytes, NULL) < 0 ||
                             peer_read(next_fd, answer, answer_bytes, NULL) < 0)) {
            break;
        }
        if (peer_write(client_fd, answer, answer_bytes, NULL) < 0) {
            break;
        }
    }
}

static pid_t start(int client_fd, int next_fd, int unused_fd, size_t request_bytes,
                   size_t answer_bytes)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(unused_fd);
        serve(client_fd, next_fd, request_bytes, answer_bytes);
        _exit(0);
    }
    return pid;
}

int peer_start_relay(size_t request_bytes, size_t answer_bytes, struct peer ret_processes[2],
                     int *ret_fd, struct hearth_error *err)
{
    int outer[2] = {-1, -1};
    int inner[2] = {-1, -1};
    HEARTH_ASSERT(request_bytes <= PEERS_FRAME_BYTES && answer_bytes <= PEERS_FRAME_BYTES);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, outer) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, inner) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "make a socket pair");
    }
    ret_processes[0] =
        (struct peer){.pid = start(outer[1], inner[0], outer[0], request_bytes, answer_bytes)};
    ret_processes[1] =
        (struct peer){.pid = start(inner[1], -1, outer[0], request_bytes, answer_bytes)};
    hearth_fd_close(&outer[1]);
    hearth_fd_close(&inner[0]);
    hearth_fd_close(&inner[1]);
    *ret_fd = outer[0];
    return ret_processes[0].pid > 0 && ret_processes[1].pid > 0
               ? 0
               : hearth_fail(err, HEARTH_E_SYSTEM, "start the relay");
}
