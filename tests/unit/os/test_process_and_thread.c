#include "hearth_os.h"

#include "kit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Starts a child that waits for its end, or exits with @code if that is not negative. */
static pid_t start_child(int code)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (code >= 0) {
            _exit(code);
        }
        for (;;) {
            pause();
        }
    }
    return pid;
}

static void exit_and_kill_are_told_apart(void **state)
{
    (void)state;
    struct hearth_exit end;
    struct hearth_error err;
    for (int round = 0; round < 2; round++) {
        pid_t pid = start_child(round == 0 ? 42 : -1);
        HEARTH_AUTO(hearth_fd) int pidfd = -1;
        assert_int_equal(hearth_process_open(pid, &pidfd, &err), 0);
        if (round == 1) {
            assert_int_equal(hearth_process_reap(pidfd, &end, &err), HEARTH_E_NOT_READY);
            assert_int_equal(hearth_process_signal(pidfd, SIGKILL, &err), 0);
        }
        assert_int_equal(hearth_fd_wait(pidfd, HEARTH_READY_IN, HEARTH_NEVER, NULL), 0);
        assert_int_equal(hearth_process_reap(pidfd, &end, &err), 0);
        assert_int_equal(end.pid, pid);
        assert_int_equal(end.is_killed, round == 1);
        assert_int_equal(end.code, round == 0 ? 42 : SIGKILL);
        assert_int_equal(hearth_process_signal(pidfd, SIGKILL, &err), HEARTH_E_NO_REQUEST);
        assert_int_equal(hearth_process_reap(pidfd, &end, &err), HEARTH_E_SYSTEM);
    }
    assert_int_equal(hearth_process_reap_any(&end), HEARTH_E_NOT_READY);
}

static void any_child_can_be_collected(void **state)
{
    (void)state;
    struct hearth_exit end = {0};
    HEARTH_AUTO(hearth_fd) int pidfd = -1;
    pid_t pid = start_child(7);
    assert_int_equal(hearth_process_open(pid, &pidfd, NULL), 0);
    assert_int_equal(hearth_fd_wait(pidfd, HEARTH_READY_IN, HEARTH_NEVER, NULL), 0);
    assert_int_equal(hearth_process_reap_any(&end), 0);
    assert_int_equal(end.pid, pid);
    assert_int_equal(end.code, 7);
}

static void process_that_is_not_there_cannot_be_opened(void **state)
{
    (void)state;
    struct hearth_error err;
    struct hearth_proc_usage usage;
    unsigned count = 0;
    int pidfd = -1;
    pid_t pid = 0x3fffffff; /* above the kernel's largest */
    assert_int_equal(hearth_process_open(pid, &pidfd, &err), HEARTH_E_SYSTEM);
    assert_int_equal(hearth_proc_usage(pid, &usage, &err), HEARTH_E_NO_REQUEST);
    assert_int_equal(hearth_proc_count_fds(pid, &count, &err), HEARTH_E_NO_REQUEST);
}

static void properties_are_set(void **state)
{
    (void)state;
    int value = -1;
    int before = prctl(PR_GET_DUMPABLE);
    assert_int_equal(hearth_process_set_dumpable(false, NULL), 0);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    assert_int_equal(hearth_process_set_dumpable(true, NULL), 0);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
    assert_int_equal(hearth_process_set_dumpable(before == 1, NULL), 0);
    assert_int_equal(hearth_process_become_subreaper(NULL), 0);
    assert_int_equal(prctl(PR_GET_CHILD_SUBREAPER, &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(hearth_process_set_death_signal(SIGTERM, NULL), 0);
    assert_int_equal(prctl(PR_GET_PDEATHSIG, &value), 0);
    assert_int_equal(value, SIGTERM);
    assert_int_equal(hearth_process_set_death_signal(0, NULL), 0);
}

static void usage_follows_memory_cpu_and_descriptors(void **state)
{
    (void)state;
    struct hearth_proc_usage before;
    struct hearth_proc_usage after;
    unsigned fds_before = 0;
    unsigned fds_after = 0;
    size_t size = 32u << 20;
    assert_int_equal(hearth_proc_usage(0, &before, NULL), 0);
    assert_int_equal(hearth_proc_count_fds(0, &fds_before, NULL), 0);
    char *memory = malloc(size);
    assert_non_null(memory);
    uint64_t until_ns = hearth_clock_ns() + 20 * HEARTH_NS_PER_MS;
    while (hearth_clock_ns() < until_ns) {
        memset(memory, (int)(until_ns & 0x7f) + 1, size);
    }
    HEARTH_AUTO(hearth_fd) int fd = dup(1);
    assert_int_equal(hearth_proc_usage(getpid(), &after, NULL), 0);
    assert_int_equal(hearth_proc_count_fds(getpid(), &fds_after, NULL), 0);
    assert_true(memory[size - 1] != 0);
    free(memory);
    assert_true(after.rss_anon_bytes >= before.rss_anon_bytes + size / 2);
    assert_true(after.rss_bytes >= after.rss_anon_bytes);
    assert_true(after.peak_rss_bytes >= after.rss_bytes);
    assert_true(after.cpu_ns > before.cpu_ns);
    assert_true(after.threads >= 1);
    assert_int_equal(fds_after, fds_before + 1);
}

static void descriptors_are_listed_in_order(void **state)
{
    (void)state;
    int fds[512];
    size_t count = 0;
    unsigned counted = 0;
    struct hearth_error err;
    HEARTH_AUTO(hearth_fd) int high = dup2(1, 500);
    assert_int_equal(high, 500);
    assert_int_equal(hearth_proc_list_fds(fds, HEARTH_COUNT(fds), &count, NULL), 0);
    assert_int_equal(hearth_proc_count_fds(0, &counted, NULL), 0);
    assert_int_equal(count, counted);
    for (size_t i = 1; i < count; i++) {
        assert_true(fds[i - 1] < fds[i]);
    }
    assert_int_equal(fds[count - 1], 500);
    assert_int_equal(hearth_proc_list_fds(fds, count - 1, &count, &err), HEARTH_E_TOO_LARGE);
}

struct report {
    int wake_fd;
    char name[16];
    int nice;
    sigset_t mask;
};

static void fill_report(void *arg)
{
    struct report *report = arg;
    prctl(PR_GET_NAME, report->name);
    report->nice = getpriority(PRIO_PROCESS, 0);
    pthread_sigmask(SIG_BLOCK, NULL, &report->mask);
    hearth_fd_wait(report->wake_fd, HEARTH_READY_IN, HEARTH_NEVER, NULL);
}

static void thread_has_name_priority_and_no_signals(void **state)
{
    (void)state;
    struct report report = {0};
    pthread_t thread;
    unsigned before = 0;
    unsigned during = 0;
    assert_int_equal(hearth_event_create(&report.wake_fd, NULL), 0);
    int own_nice = getpriority(PRIO_PROCESS, 0);
    assert_int_equal(hearth_proc_count_threads(&before, NULL), 0);
    assert_int_equal(
        hearth_thread_start(&thread, "a-name-longer-than-15", 11, fill_report, &report, NULL), 0);
    assert_int_equal(hearth_proc_count_threads(&during, NULL), 0);
    hearth_event_signal(report.wake_fd);
    hearth_thread_join(thread);
    hearth_fd_close(&report.wake_fd);
    assert_true(during > before); /* a thread checker may add one of its own */
    assert_string_equal(report.name, "a-name-longer-t");
    assert_int_equal(report.nice, 11);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), own_nice); /* of that thread only */
    assert_true(sigismember(&report.mask, SIGTERM));
    sigset_t own;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &own), 0);
    assert_false(sigismember(&own, SIGTERM));
}

static void machine_is_described(void **state)
{
    (void)state;
    uint64_t total = 0;
    uint64_t available = 0;
    hearth_proc_memory(&total, &available);
    assert_true(available > 0 && available <= total);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert_true(page >= 4096 && (page & (page - 1)) == 0);
}

static void the_fd_limit_is_raised_to_what_is_permitted(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(hearth_process_raise_fd_limit(NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, limit.rlim_max);
    assert_true(limit.rlim_max >= 64);
}

static void runnable_threads_are_counted_with_the_one_that_asks(void **state)
{
    (void)state;
    int fd = hearth_proc_open_runnable(NULL);
    assert_true(fd >= 0);
    assert_true(hearth_proc_runnable(fd) >= 1);
    assert_true(hearth_proc_runnable(fd) >= 1); /* from the same descriptor again */
    hearth_fd_close(&fd);
}

static void what_does_not_tell_runnable_threads_is_0(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "0.00 0.01 0.05", "/", "x/7", "0.00 /3"};
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        int fd = memfd_create("loadavg", MFD_CLOEXEC);
        assert_int_equal(write(fd, wrong[i], strlen(wrong[i])), strlen(wrong[i]));
        assert_int_equal(hearth_proc_runnable(fd), 0);
        close(fd);
    }
    assert_int_equal(hearth_proc_runnable(-1), 0);
    int fd = memfd_create("loadavg", MFD_CLOEXEC);
    assert_int_equal(write(fd, "0.52 0.58 0.59 13/602 7301\n", 27), 27);
    assert_int_equal(hearth_proc_runnable(fd), 13);
    close(fd);
}

KIT_MAIN(cmocka_unit_test(runnable_threads_are_counted_with_the_one_that_asks),
         cmocka_unit_test(what_does_not_tell_runnable_threads_is_0),
         cmocka_unit_test(exit_and_kill_are_told_apart),
         cmocka_unit_test(any_child_can_be_collected),
         cmocka_unit_test(process_that_is_not_there_cannot_be_opened),
         cmocka_unit_test(properties_are_set),
         cmocka_unit_test(usage_follows_memory_cpu_and_descriptors),
         cmocka_unit_test(descriptors_are_listed_in_order),
         cmocka_unit_test(thread_has_name_priority_and_no_signals),
         cmocka_unit_test(machine_is_described),
         cmocka_unit_test(the_fd_limit_is_raised_to_what_is_permitted))
