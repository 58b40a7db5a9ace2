/* process.c — pidfds, waiting for children, and prctl. */

#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID_IS_PIDFD ((idtype_t)3) /* P_PIDFD, which older glibc does not name */

int hearth_process_open(pid_t pid, int *ret_pidfd, struct hearth_error *err)
{
    long fd = syscall(SYS_pidfd_open, pid, 0); /* always close-on-exec */
    if (fd < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "open process %d", (int)pid);
    }
    *ret_pidfd = (int)fd;
    return 0;
}

int hearth_process_signal(int pidfd, int signal_number, struct hearth_error *err)
{
    if (syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0) != 0) {
        int code = errno == ESRCH ? HEARTH_E_NO_REQUEST : HEARTH_E_SYSTEM;
        return hearth_fail_errno(err, code, "send signal %d", signal_number);
    }
    return 0;
}

static int reap(idtype_t type, id_t id, struct hearth_exit *ret_exit)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int rc = -1;
    do {
        rc = waitid(type, id, &info, WEXITED | WNOHANG);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        return HEARTH_E_SYSTEM;
    }
    if (info.si_pid == 0) {
        return HEARTH_E_NOT_READY;
    }
    *ret_exit = (struct hearth_exit){
        .pid = info.si_pid,
        .is_killed = info.si_code != CLD_EXITED,
        .code = info.si_status,
    };
    return 0;
}

int hearth_process_reap(int pidfd, struct hearth_exit *ret_exit, struct hearth_error *err)
{
    int rc = reap(ID_IS_PIDFD, (id_t)pidfd, ret_exit);
    if (rc == HEARTH_E_SYSTEM) {
        return hearth_fail_errno(err, rc, "collect a child");
    }
    return rc == 0 ? 0 : hearth_fail(err, rc, "the child still runs");
}

int hearth_process_reap_any(struct hearth_exit *ret_exit)
{
    int rc = reap(P_ALL, 0, ret_exit);
    return rc == HEARTH_E_SYSTEM && errno == ECHILD ? HEARTH_E_NOT_READY : rc;
}

int hearth_process_set_death_signal(int signal_number, struct hearth_error *err)
{
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)signal_number, 0ul, 0ul, 0ul) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "set the parent-death signal");
    }
    return 0;
}

int hearth_process_become_subreaper(struct hearth_error *err)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1ul, 0ul, 0ul, 0ul) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "become subreaper");
    }
    return 0;
}

int hearth_process_set_dumpable(bool is_dumpable, struct hearth_error *err)
{
    if (prctl(PR_SET_DUMPABLE, is_dumpable ? 1ul : 0ul, 0ul, 0ul, 0ul) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "change whether core dumps are permitted");
    }
    return 0;
}

int hearth_process_raise_fd_limit(struct hearth_error *err)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "read the limit of open descriptors");
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "raise the limit of open descriptors");
    }
    return 0;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true /* its shadow memory alone would be beyond any limit */
#else
#define IS_SANITIZED false
#endif

int hearth_process_limit_memory(pid_t pid, uint64_t bytes, struct hearth_error *err)
{
    if (IS_SANITIZED) {
        return 0;
    }
    struct rlimit limit = {.rlim_cur = (rlim_t)bytes, .rlim_max = (rlim_t)bytes};
    if (prlimit(pid, RLIMIT_DATA, &limit, NULL) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "limit the memory of process %d", (int)pid);
    }
    return 0;
}

void hearth_process_set_name(const char *name)
{
    prctl(PR_SET_NAME, name, 0ul, 0ul, 0ul); /* fails only for a bad address; the kernel cuts */
}

void hearth_process_ignore_sigpipe(void)
{
    HEARTH_ASSERT(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

void hearth_process_reset_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL); /* KILL, STOP and the C library's own refuse: as it should be */
    }
    sigset_t none;
    sigemptyset(&none);
    HEARTH_ASSERT(pthread_sigmask(SIG_SETMASK, &none, NULL) == 0);
}
