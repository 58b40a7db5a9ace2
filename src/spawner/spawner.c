/* spawner.c — the spawner's life: one socket, one loop, a table of living workers.
 *
 * Words: a *slot* is the broker's number for a model's place; it is only echoed here. */

#include "hearth_spawner.h"

#include "spawner_priv.h"

#include "hearth_log.h"
#include "hearth_os.h"
#include "hearth_sandbox.h"
#include "hearth_transport.h"
#include "hearth_wire.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    pid_t pid; /* 0: this entry is free */
    uint32_t slot;
};

struct spawner {
    const struct hearth_spawner_config *config;
    int fd;
    struct hearth_loop *loop;
    struct hearth_watch watch;
    struct child children[HEARTH_MAX_MODELS * 2]; /* a dying worker and its successor may overlap */
    struct hearth_buf scratch;
    uint8_t room[HEARTH_SPAWNER_MESSAGE_BYTES];
};

/* ---- talking ------------------------------------------------------------------------------- */

/* The broker reads promptly or is gone; the socket blocks, so nothing is lost. */
static void tell(struct spawner *spawner, const struct hearth_message *message, int pidfd)
{
    struct hearth_error err = {0};
    hearth_buf_clear(&spawner->scratch);
    int rc = hearth_wire_encode(message, &spawner->scratch);
    if (rc == 0) {
        rc = hearth_socket_send_fds(spawner->fd, hearth_buf_slice(&spawner->scratch), &pidfd,
                                    pidfd >= 0 ? 1 : 0, &err);
    }
    if (rc != 0) {
        /* A daemon that has ended wants no news of its last workers: that is how a life ends. */
        if (rc != HEARTH_E_DISCONNECTED) {
            hearth_log(HEARTH_LOG_ERROR, "spawner.mute", "error", hearth_log_err(&err), NULL);
        }
        hearth_loop_stop(spawner->loop);
    }
}

static void tell_failure(struct spawner *spawner, uint32_t slot, int code,
                         const struct hearth_error *err)
{
    struct hearth_message reply = {.type = HEARTH_MSG_spawn_reply,
                                   .as.spawn_reply = {.slot = slot,
                                                      .code = (uint16_t)-code,
                                                      .error = hearth_slice_of_string(err->text)}};
    tell(spawner, &reply, -1);
}

static void tell_started(struct spawner *spawner, uint32_t slot, pid_t pid, int pidfd)
{
    struct hearth_message reply = {.type = HEARTH_MSG_spawn_reply,
                                   .as.spawn_reply = {.slot = slot, .pid = (uint32_t)pid}};
    tell(spawner, &reply, pidfd);
}

static void tell_exit(struct spawner *spawner, uint32_t slot, const struct hearth_exit *end)
{
    struct hearth_message message = {
        .type = HEARTH_MSG_spawn_exit,
        .as.spawn_exit = {.slot = slot,
                          .pid = (uint32_t)end->pid,
                          .exit_code = end->is_killed ? 0 : (uint32_t)end->code,
                          .signal = end->is_killed ? (uint32_t)end->code : 0}};
    tell(spawner, &message, -1);
}

/* ---- starting ------------------------------------------------------------------------------ */

static struct child *free_entry(struct spawner *spawner)
{
    for (size_t i = 0; i < HEARTH_COUNT(spawner->children); i++) {
        if (spawner->children[i].pid == 0) {
            return &spawner->children[i];
        }
    }
    return NULL;
}

static int start_worker(struct spawner *spawner, const struct hearth_wire_spawn_request *request,
                        const int *ring_fds, pid_t *ret_pid, struct hearth_error *err)
{
    if (request->root >= spawner->config->root_count) {
        return hearth_fail(err, HEARTH_E_DENIED, "there is no model root %" PRIu32, request->root);
    }
    struct start start;
    start_init(&start, request, ring_fds);
    int rc = start_open_files(&start, spawner->config->roots[request->root], err);
    if (rc == 0) {
        rc = start_write_plan(&start, &spawner->scratch, err);
    }
    if (rc == 0) {
        rc = start_run(&start, spawner->config->worker_folder, ret_pid, err);
    }
    start_finish(&start);
    return rc;
}

static void handle_request(struct spawner *spawner, const struct hearth_wire_spawn_request *request,
                           const int *ring_fds)
{
    struct hearth_error err = {0};
    struct child *entry = free_entry(spawner);
    HEARTH_AUTO(hearth_fd) int pidfd = -1;
    pid_t pid = 0;
    int rc = entry == NULL ? hearth_fail(&err, HEARTH_E_BUSY, "%zu workers run",
                                         HEARTH_COUNT(spawner->children))
                           : start_worker(spawner, request, ring_fds, &pid, &err);
    if (rc == 0) {
        rc = hearth_process_open(pid, &pidfd, &err);
    }
    if (rc != 0) { /* a child without an entry is collected in silence */
        if (pid > 0) {
            kill(pid, SIGKILL);
        }
        tell_failure(spawner, request->slot, rc, &err);
        return;
    }
    *entry = (struct child){.pid = pid, .slot = request->slot};
    tell_started(spawner, request->slot, pid, pidfd);
}

static void handle_message(struct spawner *spawner, struct hearth_slice bytes, const int *fds,
                           size_t fd_count)
{
    struct hearth_error err = {0};
    struct hearth_message message = {0};
    int rc = hearth_wire_decode(bytes, &message, &err);
    if (rc == 0 && message.type != HEARTH_MSG_spawn_request) {
        rc = hearth_fail(&err, HEARTH_E_MALFORMED, "message %d is not a spawn_request",
                         (int)message.type);
    }
    if (rc == 0 && fd_count != HEARTH_RING_FD_COUNT) {
        rc = hearth_fail(&err, HEARTH_E_MALFORMED, "%zu descriptors beside a spawn_request, not %d",
                         fd_count, (int)HEARTH_RING_FD_COUNT);
    }
    if (rc != 0) {
        bool has_slot = message.type == HEARTH_MSG_spawn_request;
        tell_failure(spawner, has_slot ? message.as.spawn_request.slot : 0, rc, &err);
        return;
    }
    handle_request(spawner, &message.as.spawn_request, fds);
}

static void on_socket(void *arg, unsigned events HEARTH_UNUSED)
{
    struct spawner *spawner = arg;
    struct hearth_error err = {0};
    int fds[HEARTH_RING_FD_COUNT];
    size_t fd_count = 0;
    size_t size = 0;
    int rc = hearth_socket_receive_fds(spawner->fd, spawner->room, sizeof spawner->room, &size, fds,
                                       HEARTH_COUNT(fds), &fd_count, &err);
    if (rc == HEARTH_E_MALFORMED) {
        tell_failure(spawner, 0, rc, &err);
        return;
    }
    if (rc != 0) {
        if (rc != HEARTH_E_DISCONNECTED) {
            hearth_log(HEARTH_LOG_ERROR, "spawner.deaf", "error", hearth_log_err(&err), NULL);
        }
        hearth_loop_stop(spawner->loop);
        return;
    }
    handle_message(spawner, hearth_slice_of(spawner->room, size), fds, fd_count);
    for (size_t i = 0; i < fd_count; i++) {
        hearth_fd_close(&fds[i]);
    }
}

/* ---- collecting ---------------------------------------------------------------------------- */

static void on_signal(void *arg, int signal_number HEARTH_UNUSED)
{
    struct spawner *spawner = arg;
    struct hearth_exit end;
    while (hearth_process_reap_any(&end) == 0) {
        for (size_t i = 0; i < HEARTH_COUNT(spawner->children); i++) {
            struct child *child = &spawner->children[i];
            if (child->pid == end.pid) {
                child->pid = 0;
                tell_exit(spawner, child->slot, &end);
            }
        }
    }
}

static void kill_all(struct spawner *spawner)
{
    for (size_t i = 0; i < HEARTH_COUNT(spawner->children); i++) {
        if (spawner->children[i].pid != 0) {
            kill(spawner->children[i].pid, SIGKILL);
        }
    }
    for (;;) { /* every child: also orphans that came to us as subreaper */
        pid_t ended = waitpid(-1, NULL, 0);
        if (ended < 0 && errno != EINTR) {
            return;
        }
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

static int set_up(struct spawner *spawner, struct hearth_error *err)
{
    const int signals[] = {SIGCHLD};
    int rc = hearth_sandbox_close_spawner_door(err);
    if (rc == 0) {
        rc = hearth_process_become_subreaper(err);
    }
    if (rc == 0) {
        rc = hearth_loop_create(&spawner->loop, err);
    }
    if (rc == 0) {
        rc = hearth_loop_watch_signals(spawner->loop, signals, HEARTH_COUNT(signals), on_signal,
                                       spawner, err);
    }
    if (rc == 0) {
        rc = hearth_loop_watch(spawner->loop, &spawner->watch, spawner->fd, HEARTH_READY_IN,
                               on_socket, spawner, err);
    }
    return rc;
}

/* A Ctrl-C for the daemon's terminal is not for its workers: the daemon drains and then closes the
 * socket. So the spawner leaves the foreground group and ignores what asks programs to end. */
static void leave_terminal(void)
{
    setpgid(0, 0);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    hearth_process_ignore_sigpipe();
}

static bool keep_only(int fd)
{
    return (fd <= 3 || syscall(SYS_close_range, 3, fd - 1, 0) == 0) &&
           syscall(SYS_close_range, fd + 1, ~0u, 0) == 0;
}

HEARTH_NORETURN static void live(const struct hearth_spawner_config *config, int fd)
{
    struct hearth_error err = {0};
    leave_terminal();
    hearth_process_set_name("hearth-spawner");
    hearth_log_set_process("spawner");
    struct spawner *spawner = hearth_alloc(1, sizeof *spawner);
    if (spawner == NULL || !keep_only(fd)) {
        _exit(1);
    }
    spawner->config = config;
    spawner->fd = fd;
    hearth_buf_init(&spawner->scratch, HEARTH_SPAWNER_MESSAGE_BYTES * 2);
    int rc = set_up(spawner, &err);
    if (rc == 0) {
        rc = hearth_loop_run(spawner->loop, &err);
    }
    if (rc != 0) {
        hearth_log(HEARTH_LOG_ERROR, "spawner.failed", "error", hearth_log_err(&err), NULL);
    }
    kill_all(spawner);
    _exit(rc == 0 ? 0 : 1);
}

int hearth_spawner_fork(const struct hearth_spawner_config *config, struct hearth_spawner *ret,
                        struct hearth_error *err)
{
    if (config->root_count > HEARTH_SPAWNER_MAX_ROOTS) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "%zu model roots, at most %d",
                           config->root_count, HEARTH_SPAWNER_MAX_ROOTS);
    }
    int ends[2] = {-1, -1};
    int rc = hearth_socket_pair(ends, err);
    if (rc != 0) {
        return rc;
    }
    HEARTH_AUTO(hearth_fd) int broker_fd = ends[0];
    HEARTH_AUTO(hearth_fd) int spawner_fd = ends[1];
    pid_t pid = fork();
    if (pid < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "fork the spawner");
    }
    if (pid == 0) {
        hearth_fd_close(&broker_fd);
        live(config, HEARTH_TAKE_FD(spawner_fd));
    }
    *ret = (struct hearth_spawner){.fd = HEARTH_TAKE_FD(broker_fd), .pid = pid};
    return 0;
}
