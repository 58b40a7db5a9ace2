/* start.c — fork, fixed descriptors, fixed environment, execute.
 *
 * Between fork and execve only calls that are safe there; the child reports an errno through a pipe
 * that execve closes, so the parent knows whether the program runs. */

#include "spawner_priv.h"

#include "hearth_os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers above all that a worker gets, so that moving one descriptor never hits another. */
#define PARKED_FD 64

static const struct {
    const char *program;
    const char *option;
} workers[] = {
    [HEARTH_ENGINE_ECHO] = {"hearth-worker-echo", NULL},
    [HEARTH_ENGINE_ONNX] = {"hearth-worker-onnx", "HEARTH_ONNX"},
    [HEARTH_ENGINE_GGUF] = {"hearth-worker-gguf", "HEARTH_GGUF"},
};

/* The environment is part of the containment: nothing of the caller's gets in. */
static char *const environment[] = {
    (char[]){"LC_ALL=C.UTF-8"},
    (char[]){"HOME=/nonexistent"},
    (char[]){"TZ=UTC"},
    (char[]){"ORT_DISABLE_TELEMETRY=1"}, /* ONNX Runtime >= 1.29 would open sockets */
    (char[]){"GGML_NO_BACKTRACE=1"},     /* ggml would start a debugger on abort */
    NULL,
};

static int find_program(uint8_t engine, const char *folder, char *room, size_t room_bytes,
                        struct hearth_error *err)
{
    HEARTH_ASSERT(engine < HEARTH_COUNT(workers)); /* the decoder has checked its range */
    int size = snprintf(room, room_bytes, "%s/%s", folder, workers[engine].program);
    if (size < 0 || size >= (int)room_bytes) {
        return hearth_fail(err, HEARTH_E_CONFIG, "the path of the worker programs is too long");
    }
    if (access(room, X_OK) == 0) {
        return 0;
    }
    if (errno != ENOENT || workers[engine].option == NULL) {
        return hearth_fail_errno(err, HEARTH_E_NO_ENGINE, "execute %.160s", room);
    }
    return hearth_fail(err, HEARTH_E_NO_ENGINE,
                       "there is no %s beside hearthd: this build has the CMake option %s off",
                       workers[engine].program, workers[engine].option);
}

/* ---- in the child: no allocation, no lock, no error record ----------------------------------- */

static int park(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, PARKED_FD);
}

/* Moves @count descriptors to @first and the next numbers; dup2 also clears close-on-exec. */
static bool place(const int *fds, size_t count, int first)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] < 0 || dup2(fds[i], first + (int)i) < 0) {
            return false;
        }
    }
    return true;
}

static bool place_all(const struct start *start)
{
    int plan_fd = park(start->plan_fd);
    int ring_fds[HEARTH_RING_FD_COUNT];
    int file_fds[HEARTH_MAX_MODEL_FILES];
    for (size_t i = 0; i < HEARTH_RING_FD_COUNT; i++) {
        ring_fds[i] = park(start->ring_fds[i]);
    }
    for (size_t i = 0; i < start->file_count; i++) {
        file_fds[i] = park(start->file_fds[i]);
    }
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    return null_fd >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 && dup2(null_fd, STDOUT_FILENO) >= 0 &&
           place(&plan_fd, 1, HEARTH_WORKER_FD_PLAN) &&
           place(ring_fds, HEARTH_RING_FD_COUNT, HEARTH_WORKER_FD_RING) &&
           place(file_fds, start->file_count, HEARTH_WORKER_FD_FILES);
}

/* Between the last ring descriptor and the files, and above the files, nothing stays but what is
 * close-on-exec anyway; closing here as well costs nothing and trusts nobody. */
static bool close_rest(const struct start *start, int report_fd)
{
    unsigned ring_end = HEARTH_WORKER_FD_RING + HEARTH_RING_FD_COUNT;
    unsigned files_end = HEARTH_WORKER_FD_FILES + start->file_count;
    if (ring_end < HEARTH_WORKER_FD_FILES &&
        syscall(SYS_close_range, ring_end, HEARTH_WORKER_FD_FILES - 1u, 0) != 0) {
        return false;
    }
    unsigned report = (unsigned)report_fd;
    return syscall(SYS_close_range, files_end, report - 1, 0) == 0 &&
           syscall(SYS_close_range, report + 1, ~0u, 0) == 0;
}

HEARTH_NORETURN static void become_worker(const struct start *start, const char *program,
                                          int report_fd, pid_t parent)
{
    int report = park(report_fd);
    hearth_process_reset_signals();
    if (report >= 0 && hearth_process_set_death_signal(SIGKILL, NULL) == 0 && getppid() == parent &&
        place_all(start) && close_rest(start, report)) {
        char *const arguments[] = {(char *)(uintptr_t)program, NULL};
        execve(program, arguments, environment);
    }
    int reason = errno;
    if (write(report, &reason, sizeof reason) < 0) {
        _exit(126); /* nobody is left to tell */
    }
    _exit(127);
}

/* ---- in the spawner -------------------------------------------------------------------------- */

/* Waits for execve (end of file) or for the child's errno. */
static int wait_for_exec(int report_fd, const char *program, struct hearth_error *err)
{
    int reason = 0;
    size_t size = 0;
    int rc = hearth_fd_read(report_fd, &reason, sizeof reason, &size);
    if (rc != 0 || size == 0) {
        return rc != 0 ? hearth_fail_errno(err, rc, "wait for the worker to start") : 0;
    }
    errno = reason;
    return hearth_fail_errno(err, HEARTH_E_SYSTEM, "execute %.160s", program);
}

int start_run(const struct start *start, const char *worker_folder, pid_t *ret_pid,
              struct hearth_error *err)
{
    char program[HEARTH_MAX_PATH_BYTES];
    int rc = find_program(start->request->engine, worker_folder, program, sizeof program, err);
    if (rc != 0) {
        return rc;
    }
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "make a pipe");
    }
    HEARTH_AUTO(hearth_fd) int read_fd = ends[0];
    HEARTH_AUTO(hearth_fd) int write_fd = ends[1];
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "fork a worker");
    }
    if (pid == 0) {
        become_worker(start, program, write_fd, parent);
    }
    hearth_fd_close(&write_fd);
    *ret_pid = pid;
    return wait_for_exec(read_fd, program, err);
}
