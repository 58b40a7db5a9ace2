/* test_sandbox.c — each profile in a child of its own, which reports what happened by its exit. */

#include "kit.h"

#include "hearth_os.h"
#include "hearth_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs @body in a child; returns its wait status. The body returns 0 or a line number. */
static int in_child(int (*body)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(body() & 0xff);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void expect_ok(int status)
{
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("child ended with status 0x%x (exit code: line & 255)", (unsigned)status);
    }
}

#define CLAIM(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "# %s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #claim,        \
                    errno);                                                                        \
            return __LINE__ % 255 + 1;                                                             \
        }                                                                                          \
    } while (0)
#define FAILS_WITH(call, number)                                                                   \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long result_ = (long)(call);                                                               \
        CLAIM(result_ < 0 && errno == (number));                                                   \
    } while (0)

static enum hearth_sandbox_profile profile;

/* Closes the door with one file open, as a model's would be. */
static int close_door(int *ret_fd, char *containment)
{
    struct hearth_error err = {0};
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const struct hearth_sandbox_plan plan = {
        .profile = profile, .fds = &fd, .fd_count = 1, .file_fds = &fd, .file_count = 1};
    int rc = hearth_sandbox_close_door(&plan, containment, &err);
    if (rc != 0) {
        fprintf(stderr, "# close_door: %s\n", err.text);
    }
    *ret_fd = fd;
    return rc;
}

static void *start_routine(void *arg)
{
    return arg;
}

static int body_forbidden_calls_fail(void)
{
    char containment[HEARTH_SANDBOX_TEXT_BYTES];
    char byte;
    int fd = -1;
    CLAIM(close_door(&fd, containment) == 0);
    CLAIM(strstr(containment, "no_new_privs") != NULL && strstr(containment, "seccomp") != NULL);
    CLAIM(strstr(containment, "landlock:") != NULL);
    CLAIM(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) < 0); /* not even asking is needed any more */
    CLAIM(read(fd, &byte, 1) == 1);
    FAILS_WITH(open("/etc/passwd", O_RDONLY | O_CLOEXEC), EACCES);
    FAILS_WITH(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), EACCES);
    FAILS_WITH(open("/dev/null", O_WRONLY | O_CLOEXEC), EPERM);
    FAILS_WITH(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", NULL, 0), ENOSYS);
    FAILS_WITH(socket(AF_INET, SOCK_STREAM, 0), EPERM);
    FAILS_WITH(socket(AF_UNIX, SOCK_STREAM, 0), EPERM);
    FAILS_WITH(syscall(SYS_execve, "/bin/true", NULL, NULL), EPERM);
    FAILS_WITH(fork(), EPERM);
    FAILS_WITH(syscall(SYS_clone3, NULL, 0), ENOSYS);
    FAILS_WITH(kill(getppid(), 0), EPERM);
    CLAIM(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
          MAP_FAILED);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CLAIM(page != MAP_FAILED);
    FAILS_WITH(mprotect(page, 4096, PROT_READ | PROT_EXEC), EPERM);
    pthread_t thread; /* and what must still work */
    CLAIM(pthread_create(&thread, NULL, start_routine, NULL) == 0);
    CLAIM(pthread_join(thread, NULL) == 0);
    return 0;
}

static void forbidden_calls_fail_in_every_profile(void **state)
{
    (void)state;
    for (profile = HEARTH_SANDBOX_WORKER_ECHO; profile <= HEARTH_SANDBOX_WORKER_GGUF; profile++) {
        expect_ok(in_child(body_forbidden_calls_fail));
    }
    profile = HEARTH_SANDBOX_WORKER_ECHO;
}

static int body_memfds_are_made_sealed_and_sent(void)
{
    char containment[HEARTH_SANDBOX_TEXT_BYTES];
    int fds[2] = {-1, -1};
    int model = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CLAIM(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    const int open_fds[] = {model, fds[0], fds[1]};
    const struct hearth_sandbox_plan plan = {
        .profile = profile, .fds = open_fds, .fd_count = 3, .file_fds = &model, .file_count = 1};
    CLAIM(hearth_sandbox_close_door(&plan, containment, NULL) == 0);
    int made = -1;
    if (profile == HEARTH_SANDBOX_WORKER_GGUF) { /* has no tensors to give or take */
        FAILS_WITH(syscall(SYS_memfd_create, "x", 0), EPERM);
        FAILS_WITH(syscall(SYS_recvmsg, fds[0], NULL, 0), EPERM);
        FAILS_WITH(syscall(SYS_sendmsg, fds[0], NULL, 0), EPERM);
        FAILS_WITH(fcntl(fds[0], F_GET_SEALS), EPERM);
        return 0;
    }
    struct hearth_slice text = hearth_slice_of_string("output");
    CLAIM(hearth_memfd_of_data("test", text, &made, NULL) == 0);
    CLAIM(hearth_socket_send_fds(fds[0], text, &made, 1, NULL) == 0);
    char room[16];
    size_t size = 0;
    size_t count = 0;
    int got = -1;
    struct hearth_slice mapped = {0};
    CLAIM(hearth_socket_receive_fds(fds[1], room, sizeof room, &size, &got, 1, &count, NULL) == 0);
    CLAIM(hearth_memfd_check_data(got, text.size, NULL) == 0);
    CLAIM(hearth_memfd_map_data(got, text.size, &mapped, NULL) == 0);
    CLAIM(hearth_slice_equal(mapped, text));
    FAILS_WITH(fcntl(got, F_SETPIPE_SZ, 4096), EPERM);
    FAILS_WITH(fcntl(got, F_NOTIFY, DN_ACCESS), EPERM);
    return 0;
}

static void memfds_are_for_the_profiles_with_tensors(void **state)
{
    (void)state;
    for (profile = HEARTH_SANDBOX_WORKER_ECHO; profile <= HEARTH_SANDBOX_WORKER_GGUF; profile++) {
        expect_ok(in_child(body_memfds_are_made_sealed_and_sent));
    }
    profile = HEARTH_SANDBOX_WORKER_ECHO;
}

static int body_ptrace(void)
{
    char containment[HEARTH_SANDBOX_TEXT_BYTES];
    int fd = -1;
    CLAIM(close_door(&fd, containment) == 0);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    return 0;
}

static void a_call_that_only_an_attacker_makes_kills(void **state)
{
    (void)state;
    int status = in_child(body_ptrace);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int body_abort(void)
{
    char containment[HEARTH_SANDBOX_TEXT_BYTES];
    int fd = -1;
    CLAIM(close_door(&fd, containment) == 0);
    abort();
}

static void abort_still_ends_by_sigabrt_without_a_core(void **state)
{
    (void)state;
    int status = in_child(body_abort);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_false(WCOREDUMP(status));
}

/* The parent reads what the kernel says about a child behind the door. */
static void the_kernel_shows_filter_and_no_new_privs(void **state)
{
    (void)state;
    int ready[2];
    int hold[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(hold), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char containment[HEARTH_SANDBOX_TEXT_BYTES];
        int fd = -1;
        dup2(ready[1], 2); /* 0, 1, 2 stay open: the way out, and what holds the child */
        dup2(hold[0], 0);
        bool is_closed = close_door(&fd, containment) == 0;
        _exit(write(2, is_closed ? "y" : "n", 1) == 1 && read(0, containment, 1) >= 0 ? 0 : 1);
    }
    close(ready[1]);
    char byte = 0;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    char path[64];
    char status[8192];
    size_t size = 0;
    struct hearth_error err = {0};
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    assert_int_equal(hearth_file_read_text(path, status, sizeof status, &size, &err), 0);
    assert_non_null(strstr(status, "\nSeccomp:\t2\n"));
    assert_non_null(strstr(status, "\nNoNewPrivs:\t1\n"));
    assert_non_null(strstr(status, "\nCapEff:\t0000000000000000\n"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ready[0]);
    close(hold[0]);
    close(hold[1]);
}

static void *sleep_long(void *arg)
{
    sleep(60);
    return arg;
}

static int body_second_thread(void)
{
    pthread_t thread;
    char containment[HEARTH_SANDBOX_TEXT_BYTES];
    int fd = -1;
    CLAIM(pthread_create(&thread, NULL, sleep_long, NULL) == 0);
    CLAIM(close_door(&fd, containment) == HEARTH_E_CONTAINMENT);
    return 0;
}

static void a_second_thread_keeps_the_door_from_closing(void **state)
{
    (void)state;
    expect_ok(in_child(body_second_thread));
}

static int body_stray_descriptor(void)
{
    char containment[HEARTH_SANDBOX_TEXT_BYTES];
    int fd = -1;
    int stray = open("/etc/passwd", O_RDONLY); /* NOLINT: without close-on-exec on purpose */
    int far = fcntl(stray, F_DUPFD, 500);
    char byte;
    CLAIM(stray >= 0 && far >= 500);
    CLAIM(close_door(&fd, containment) == 0);
    FAILS_WITH(read(stray, &byte, 1), EBADF);
    FAILS_WITH(read(far, &byte, 1), EBADF);
    return 0;
}

static void descriptors_outside_the_plan_are_closed(void **state)
{
    (void)state;
    expect_ok(in_child(body_stray_descriptor));
}

static int body_missing_descriptor(void)
{
    struct hearth_error err = {0};
    char containment[HEARTH_SANDBOX_TEXT_BYTES];
    int fds[] = {77}; /* not open */
    const struct hearth_sandbox_plan plan = {.fds = fds, .fd_count = 1};
    CLAIM(hearth_sandbox_close_door(&plan, containment, &err) == HEARTH_E_CONTAINMENT);
    return 0;
}

static void a_descriptor_that_the_plan_names_must_be_open(void **state)
{
    (void)state;
    expect_ok(in_child(body_missing_descriptor));
}

static int body_memory_limit(void)
{
    struct hearth_error err = {0};
    char containment[HEARTH_SANDBOX_TEXT_BYTES];
    const struct hearth_sandbox_plan plan = {.memory_limit_bytes = 64u << 20};
    CLAIM(hearth_sandbox_close_door(&plan, containment, &err) == 0);
    CLAIM(malloc(16u << 20) != NULL);
    CLAIM(malloc(128u << 20) == NULL);
    return 0;
}

static void memory_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    expect_ok(in_child(body_memory_limit));
}

static int body_daemon(void)
{
    struct hearth_error err = {0};
    struct rlimit core;
    CLAIM(hearth_sandbox_close_daemon_door(&err) == 0);
    FAILS_WITH(socket(AF_INET, SOCK_STREAM, 0), EPERM);
    FAILS_WITH(socket(AF_INET6, SOCK_DGRAM, 0), EPERM);
    FAILS_WITH(socket(AF_NETLINK, SOCK_RAW, 0), EPERM);
    FAILS_WITH(syscall(SYS_execve, "/bin/true", NULL, NULL), EPERM);
    FAILS_WITH(fork(), EPERM);
    CLAIM(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    CLAIM(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    CLAIM(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0);
    CLAIM(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
    return 0;
}

static void the_daemon_knows_unix_sockets_only_and_starts_nothing(void **state)
{
    (void)state;
    expect_ok(in_child(body_daemon));
}

KIT_MAIN(cmocka_unit_test(forbidden_calls_fail_in_every_profile),
         cmocka_unit_test(memfds_are_for_the_profiles_with_tensors),
         cmocka_unit_test(a_call_that_only_an_attacker_makes_kills),
         cmocka_unit_test(abort_still_ends_by_sigabrt_without_a_core),
         cmocka_unit_test(the_kernel_shows_filter_and_no_new_privs),
         cmocka_unit_test(a_second_thread_keeps_the_door_from_closing),
         cmocka_unit_test(descriptors_outside_the_plan_are_closed),
         cmocka_unit_test(a_descriptor_that_the_plan_names_must_be_open),
         cmocka_unit_test(memory_beyond_the_limit_is_refused),
         cmocka_unit_test(the_daemon_knows_unix_sockets_only_and_starts_nothing))
