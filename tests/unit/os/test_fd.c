#include "hearth_os.h"

#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_is_idempotent_and_keeps_errno(void **state)
{
    (void)state;
    int fd = dup(1);
    int number = fd;
    errno = 77;
    hearth_fd_close(&fd);
    assert_int_equal(fd, -1);
    hearth_fd_close(&fd);
    assert_int_equal(errno, 77);
    assert_int_equal(fcntl(number, F_GETFD), -1);
}

static int opened_in_scope(bool is_kept, int *ret_number)
{
    HEARTH_AUTO(hearth_fd) int fd = dup(1);
    *ret_number = fd;
    return is_kept ? HEARTH_TAKE_FD(fd) : -1;
}

static void scope_closes_unless_taken(void **state)
{
    (void)state;
    int number = -1;
    assert_int_equal(opened_in_scope(false, &number), -1);
    assert_int_equal(fcntl(number, F_GETFD), -1);
    int kept = opened_in_scope(true, &number);
    assert_int_equal(kept, number);
    assert_int_not_equal(fcntl(kept, F_GETFD), -1);
    hearth_fd_close(&kept);
}

static void flags_are_set_and_cleared(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(hearth_fd_set_cloexec(fds[0], true, NULL), 0);
    assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    assert_int_equal(hearth_fd_set_cloexec(fds[0], false, NULL), 0);
    assert_int_equal(fcntl(fds[0], F_GETFD), 0);
    assert_int_equal(hearth_fd_set_nonblocking(fds[0], true, NULL), 0);
    assert_true((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
    struct hearth_error err;
    assert_int_equal(hearth_fd_set_nonblocking(-1, true, &err), HEARTH_E_SYSTEM);
    assert_int_equal(err.sys_errno, EBADF);
    close(fds[0]);
    close(fds[1]);
}

static void read_tells_nothing_there_from_the_end(void **state)
{
    (void)state;
    int fds[2];
    char room[8];
    size_t got = 99;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    assert_int_equal(hearth_fd_read(fds[0], room, sizeof room, &got), HEARTH_E_NOT_READY);
    assert_int_equal(hearth_fd_write_all(fds[1], hearth_slice_of_string("abc")), 0);
    assert_int_equal(hearth_fd_read(fds[0], room, sizeof room, &got), 0);
    assert_int_equal(got, 3);
    close(fds[1]);
    assert_int_equal(hearth_fd_read(fds[0], room, sizeof room, &got), 0);
    assert_int_equal(got, 0);
    close(fds[0]);
    assert_int_equal(hearth_fd_read(-1, room, sizeof room, &got), HEARTH_E_SYSTEM);
}

static void wait_reports_readiness_end_and_time(void **state)
{
    (void)state;
    int fds[2];
    unsigned events = 0;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    assert_int_equal(hearth_fd_wait(fds[0], HEARTH_READY_IN, 0, &events), HEARTH_E_EXPIRED);
    assert_int_equal(hearth_fd_wait(fds[1], HEARTH_READY_OUT, HEARTH_NEVER, &events), 0);
    assert_int_equal(events, HEARTH_READY_OUT);
    uint64_t deadline_ns = hearth_clock_ns() + 5 * HEARTH_NS_PER_MS;
    assert_int_equal(hearth_fd_wait(fds[0], HEARTH_READY_IN, deadline_ns, &events),
                     HEARTH_E_EXPIRED);
    assert_true(hearth_clock_ns() >= deadline_ns);
    close(fds[1]);
    assert_int_equal(hearth_fd_wait(fds[0], HEARTH_READY_IN, HEARTH_NEVER, &events), 0);
    assert_int_equal(events, HEARTH_READY_END);
    close(fds[0]);
}

static void do_nothing(int number)
{
    (void)number;
}

static void signal_does_not_end_a_wait(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    struct sigaction action = {.sa_handler = do_nothing}; /* no SA_RESTART */
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    struct itimerval every = {{0, 1000}, {0, 1000}};
    assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
    uint64_t deadline_ns = hearth_clock_ns() + 20 * HEARTH_NS_PER_MS;
    int rc = hearth_fd_wait(fds[0], HEARTH_READY_IN, deadline_ns, NULL);
    uint64_t ended_ns = hearth_clock_ns();
    struct itimerval never = {{0, 0}, {0, 0}};
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(rc, HEARTH_E_EXPIRED);
    assert_true(ended_ns >= deadline_ns);
    close(fds[0]);
    close(fds[1]);
}

/* In a child, which has no other use for its descriptors. */
static void missing_standard_descriptors_are_filled_and_refuse(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char byte = 'x';
        close(0);
        close(1);
        hearth_fd_open_standard();
        int next = dup(2);
        bool is_right = next > 2 && read(0, &byte, 1) < 0 && errno == EBADF &&
                        write(1, &byte, 1) < 0 && errno == EBADF;
        _exit(is_right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_full_pipe_is_not_waited_for(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0); /* blocking: a plain write would never return */
    struct iovec one = {.iov_base = "x", .iov_len = 1};
    if (pwritev2(fds[1], &one, 1, -1, RWF_NOWAIT) < 0 && errno == EOPNOTSUPP) {
        print_message("skipped: this kernel cannot write to a pipe without waiting\n");
        skip();
    }
    static const char junk[4096];
    size_t put = 0;
    int rc = 0;
    for (int i = 0; i < 100 && rc == 0; i++) {
        rc = hearth_fd_write_nowait(fds[1], junk, sizeof junk, &put);
    }
    assert_int_equal(rc, HEARTH_E_NOT_READY);
    hearth_fd_close(&fds[0]);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(hearth_fd_write_nowait(fds[1], junk, 1, &put), HEARTH_E_DISCONNECTED);
    hearth_fd_close(&fds[1]);
    int file = memfd_create("file", MFD_CLOEXEC); /* what knows no such write is written plainly */
    assert_int_equal(hearth_fd_write_nowait(file, "ab", 2, &put), 0);
    assert_int_equal(hearth_fd_write_nowait(file, "cd", 2, &put), 0);
    char text[5] = "";
    assert_int_equal(pread(file, text, 4, 0), 4);
    assert_string_equal(text, "abcd");
    hearth_fd_close(&file);
}

static void a_pipe_is_opened_again_with_a_flag_of_its_own(void **state)
{
    (void)state;
    int fds[2];
    int own = -1;
    struct hearth_error err;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(hearth_fd_reopen_pipe(fds[1], &own, &err), 0);
    assert_true((fcntl(own, F_GETFL) & O_NONBLOCK) != 0 && (fcntl(own, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(fds[1], F_GETFL) & O_NONBLOCK) == 0);
    assert_int_equal(write(own, "y", 1), 1);
    char byte = 0;
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    hearth_fd_close(&own);
    int file = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_int_equal(hearth_fd_reopen_pipe(file, &own, &err), HEARTH_E_UNSUPPORTED);
    assert_false(hearth_fd_is_socket(file));
    hearth_fd_close(&file);
    hearth_fd_close(&fds[0]);
    hearth_fd_close(&fds[1]);
}

KIT_MAIN(cmocka_unit_test(missing_standard_descriptors_are_filled_and_refuse),
         cmocka_unit_test(close_is_idempotent_and_keeps_errno),
         cmocka_unit_test(scope_closes_unless_taken), cmocka_unit_test(flags_are_set_and_cleared),
         cmocka_unit_test(read_tells_nothing_there_from_the_end),
         cmocka_unit_test(wait_reports_readiness_end_and_time),
         cmocka_unit_test(signal_does_not_end_a_wait),
         cmocka_unit_test(a_full_pipe_is_not_waited_for),
         cmocka_unit_test(a_pipe_is_opened_again_with_a_flag_of_its_own))
