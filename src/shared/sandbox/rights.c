/* rights.c — descriptors, threads, limits, privileges, capabilities and the network namespace. */

#include "sandbox_priv.h"

#include "hearth_os.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_OWN_FD 3
/* Of a worker: its own, the model's, those a library opens for a while, and memfds until they are
 * mapped or sent. */
#define MAX_OPEN_FDS 256
/* The limit itself is higher: it is also how many descriptors of this user, those of other
 * processes among them, may be under way when a worker sends one. */
#define FDS_LIMIT      8192
#define MAX_CAPABILITY 63

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Closes the numbers from @first to @last, both included; an empty range is fine. */
static int close_between(unsigned first, unsigned last, struct hearth_error *err)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0) {
        return 0;
    }
    return hearth_fail_errno(err, HEARTH_E_CONTAINMENT, "close descriptors %u to %u", first, last);
}

/* After closing, looks: the list must be 0, 1, 2 (as far as open) and the plan's. */
static int check_fds(const int *wanted, size_t count, struct hearth_error *err)
{
    int open_fds[MAX_OPEN_FDS + 8];
    size_t open_count = 0;
    int rc = hearth_proc_list_fds(open_fds, HEARTH_COUNT(open_fds), &open_count, err);
    if (rc != 0) {
        return hearth_because(err, HEARTH_E_CONTAINMENT, "list the open descriptors");
    }
    size_t own = 0;
    while (own < open_count && open_fds[own] < FIRST_OWN_FD) {
        own++;
    }
    if (open_count - own != count || memcmp(open_fds + own, wanted, count * sizeof *wanted) != 0) {
        return hearth_fail(err, HEARTH_E_CONTAINMENT,
                           "%zu descriptors are open, the plan names %zu", open_count - own, count);
    }
    return 0;
}

int sandbox_close_fds(const struct hearth_sandbox_plan *plan, struct hearth_error *err)
{
    int wanted[MAX_OPEN_FDS];
    if (plan->fd_count > MAX_OPEN_FDS) {
        return hearth_fail(err, HEARTH_E_CONTAINMENT, "a plan of %zu descriptors, at most %d",
                           plan->fd_count, MAX_OPEN_FDS);
    }
    memcpy(wanted, plan->fds, plan->fd_count * sizeof *wanted);
    qsort(wanted, plan->fd_count, sizeof *wanted, compare_fds);
    unsigned first = FIRST_OWN_FD;
    for (size_t i = 0; i < plan->fd_count; i++) {
        int rc = wanted[i] > (int)first ? close_between(first, (unsigned)wanted[i] - 1, err) : 0;
        if (rc != 0) {
            return rc;
        }
        first = (unsigned)wanted[i] + 1;
    }
    int rc = close_between(first, ~0u, err);
    return rc != 0 ? rc : check_fds(wanted, plan->fd_count, err);
}

int sandbox_require_one_thread(struct hearth_error *err)
{
    unsigned threads = 0;
    int rc = hearth_proc_count_threads(&threads, err);
    if (rc != 0) {
        return hearth_because(err, HEARTH_E_CONTAINMENT, "count threads");
    }
    if (threads != 1 && !SANDBOX_IS_SANITIZED) { /* ThreadSanitizer starts one of its own */
        return hearth_fail(err, HEARTH_E_CONTAINMENT, "%u threads run before the door is closed",
                           threads);
    }
    return 0;
}

static int set_limit(__rlimit_resource_t what, const char *name, uint64_t value,
                     struct hearth_error *err)
{
    struct rlimit now;
    if (getrlimit(what, &now) != 0) {
        return hearth_fail_errno(err, HEARTH_E_CONTAINMENT, "read limit %s", name);
    }
    rlim_t wanted = HEARTH_MIN((rlim_t)value, now.rlim_max);
    struct rlimit limit = {.rlim_cur = wanted, .rlim_max = wanted};
    if (setrlimit(what, &limit) != 0) {
        return hearth_fail_errno(err, HEARTH_E_CONTAINMENT, "set limit %s", name);
    }
    return 0;
}

/* RLIMIT_DATA and not RLIMIT_AS: mapped model files and reserved address space cost no memory.
 * No RLIMIT_FSIZE: nothing but standard error can be written, and it may be a long log file.
 * No RLIMIT_NPROC: it counts the user's other processes; seccomp refuses fork. */
int sandbox_limit_resources(uint64_t memory_limit_bytes, struct hearth_error *err)
{
    struct rlimit fds = {0};
    int rc = getrlimit(RLIMIT_NOFILE, &fds) == 0
                 ? set_limit(RLIMIT_NOFILE, "nofile", HEARTH_MIN(fds.rlim_max, FDS_LIMIT), err)
                 : hearth_fail_errno(err, HEARTH_E_CONTAINMENT, "get limit nofile");
    if (rc == 0 && memory_limit_bytes > 0 && !SANDBOX_IS_SANITIZED) {
        rc = set_limit(RLIMIT_DATA, "data", memory_limit_bytes, err);
    }
    return rc;
}

int sandbox_forbid_core(struct hearth_error *err)
{
    int rc = set_limit(RLIMIT_CORE, "core", 0, err);
    if (rc == 0 && hearth_process_set_dumpable(false, err) != 0) {
        rc = hearth_because(err, HEARTH_E_CONTAINMENT, "forbid dumps");
    }
    return rc;
}

int sandbox_set_no_new_privs(struct hearth_error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return hearth_fail_errno(err, HEARTH_E_CONTAINMENT, "set no_new_privs");
    }
    return 0;
}

/* Also a user namespace leaves capabilities: all of them, inside it. */
int sandbox_drop_capabilities(struct hearth_error *err)
{
    for (int cap = 0; cap <= MAX_CAPABILITY; cap++) {
        /* Without CAP_SETPCAP the bounding set stays; it counts for execve only, which is gone. */
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) {
            break;
        }
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capset, &header, none) != 0) {
        return hearth_fail_errno(err, HEARTH_E_CONTAINMENT, "drop capabilities");
    }
    return 0;
}

/* A new user namespace gives a plain user the right to leave the network; where it is refused (in a
 * chroot, by the distribution) root can leave without. */
int sandbox_leave_network(struct hearth_error *err)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 || unshare(CLONE_NEWNET) == 0) {
        return 0;
    }
    return hearth_fail_errno(err, HEARTH_E_CONTAINMENT, "unshare");
}
