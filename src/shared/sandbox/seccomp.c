/* seccomp.c — which system calls are left.
 *
 * A worker has an allow-list. What is not on it fails, and how it fails is chosen:
 *   EPERM   everything that nobody named (socket, execve, fork, writing opens …): a test can see
 *           it, and a library that only probes goes on;
 *   ENOSYS  newer calls that libc replaces by older ones (clone3, because its flags lie in memory
 *           that a filter cannot read);
 *   kill    calls with which only an attacker would have any business.
 *
 * The broker has a deny-list: it is trusted, needs a loop's usual calls and no others of weight. */

#include "sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ECHO 1u
#define ONNX 2u
#define GGUF 4u
#define ALL  (ECHO | ONNX | GGUF)

#define TENSORS (ECHO | ONNX) /* those whose requests may bring memfds */

struct call {
    int number;
    unsigned profiles;
    const char *why;
};

/* Calls that are allowed whatever their arguments. */
static const struct call allowed_calls[] = {
    /* memory */
    {SCMP_SYS(brk), ALL, "malloc"},
    {SCMP_SYS(munmap), ALL, "malloc, thread stacks"},
    {SCMP_SYS(mremap), ALL, "realloc"},
    {SCMP_SYS(madvise), ALL, "malloc, thread stacks"},
    {SCMP_SYS(mincore), ONNX, "how much of its arena a run touched"},
    {SCMP_SYS(mlock), GGUF, "option mlock"},
    {SCMP_SYS(munlock), GGUF, "option mlock"},
    {SCMP_SYS(get_mempolicy), GGUF, "asks how memory is spread over nodes"},
    /* threads and time */
    {SCMP_SYS(futex), ALL, "locks"},
    {SCMP_SYS(set_robust_list), ALL, "thread start"},
    {SCMP_SYS(get_robust_list), ALL, "thread start"},
    {SCMP_SYS(rseq), ALL, "thread start"},
    {SCMP_SYS(set_tid_address), ALL, "thread start"},
    {SCMP_SYS(gettid), ALL, "naming and ranking threads"},
    {SCMP_SYS(getpid), ALL, "abort"},
    {SCMP_SYS(sched_yield), ALL, "spinning locks of the libraries"},
    {SCMP_SYS(sched_getaffinity), ALL, "counting cores"},
    {SCMP_SYS(getcpu), ONNX | GGUF, "thread pools"},
    {SCMP_SYS(clock_gettime), ALL, "time, where the vdso does not serve it"},
    {SCMP_SYS(clock_getres), ALL, "time"},
    {SCMP_SYS(gettimeofday), ALL, "time"},
    {SCMP_SYS(time), ALL, "time"},
    {SCMP_SYS(nanosleep), ALL, "waiting"},
    {SCMP_SYS(clock_nanosleep), ALL, "waiting"},
    {SCMP_SYS(restart_syscall), ALL, "waiting goes on after a stop"},
    {SCMP_SYS(exit), ALL, "thread end"},
    {SCMP_SYS(exit_group), ALL, "process end"},
    /* signals to ourselves */
    {SCMP_SYS(rt_sigaction), ALL, "abort"},
    {SCMP_SYS(rt_sigprocmask), ALL, "thread start, abort"},
    {SCMP_SYS(rt_sigreturn), ALL, "signal handlers"},
    {SCMP_SYS(sigaltstack), ALL, "thread end"},
    /* descriptors that are open */
    {SCMP_SYS(read), ALL, "ring wake-up, files"},
    {SCMP_SYS(readv), ALL, "files"},
    {SCMP_SYS(pread64), ALL, "files"},
    {SCMP_SYS(write), ALL, "ring wake-up, standard error"},
    {SCMP_SYS(writev), ALL, "standard error"},
    {SCMP_SYS(close), ALL, ""},
    {SCMP_SYS(dup), ALL, "a FILE of its own on a model's descriptor"},
    {SCMP_SYS(lseek), ALL, "files"},
    {SCMP_SYS(fstat), ALL, "files"},
    {SCMP_SYS(newfstatat), ALL, "files; by path it tells existence and size, no content"},
    {SCMP_SYS(statx), ALL, "files, as above"},
    {SCMP_SYS(stat), ONNX, "finds the file of external weights; no content"},
    {SCMP_SYS(lstat), ONNX, "as above"},
    {SCMP_SYS(readlink), ONNX, "resolves the path of external weights"},
    {SCMP_SYS(getcwd), ONNX, "resolves the path of external weights"},
    {SCMP_SYS(getdents64), ONNX | GGUF, "lists /sys/devices/system/cpu"},
    {SCMP_SYS(fadvise64), ONNX | GGUF, "files"},
    {SCMP_SYS(poll), ALL, "waiting for descriptors"},
    {SCMP_SYS(ppoll), ALL, "waiting for descriptors"},
    {SCMP_SYS(epoll_create1), ALL, "loop"},
    {SCMP_SYS(epoll_ctl), ALL, "loop"},
    {SCMP_SYS(epoll_wait), ALL, "loop"},
    {SCMP_SYS(epoll_pwait), ALL, "loop"},
    {SCMP_SYS(epoll_pwait2), ALL, "loop"},
    {SCMP_SYS(eventfd2), ALL, "loop"},
    {SCMP_SYS(recvmsg), TENSORS, "memfds of inputs; no socket can be made"},
    {SCMP_SYS(sendmsg), TENSORS, "memfds of outputs"},
    {SCMP_SYS(memfd_create), TENSORS, "large outputs; nothing can be executed"},
    /* facts */
    {SCMP_SYS(getrandom), ALL, "hash seeds"},
    {SCMP_SYS(uname), ALL, "libraries"},
    {SCMP_SYS(sysinfo), ALL, "memory of the machine"},
    {SCMP_SYS(getrusage), ALL, "memory of this process"},
    {SCMP_SYS(getuid), ALL, ""},
    {SCMP_SYS(geteuid), ALL, ""},
    {SCMP_SYS(getgid), ALL, ""},
    {SCMP_SYS(getegid), ALL, ""},
};

/* libc and libraries fall back to older calls when these are missing. */
static const int newer_calls[] = {
    SCMP_SYS(clone3),      SCMP_SYS(openat2),    SCMP_SYS(faccessat2),
    SCMP_SYS(close_range), SCMP_SYS(membarrier),
};

/* No library has any business with these: the process ends. */
static const int deadly_calls[] = {
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(bpf),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(capset),
    SCMP_SYS(seccomp),
};

/* What sanitizers need beyond the profile of the worker. */
static const int sanitizer_calls[] = {
    SCMP_SYS(readlink), SCMP_SYS(getcwd), SCMP_SYS(mmap),   SCMP_SYS(mprotect),
    SCMP_SYS(prctl),    SCMP_SYS(fcntl),  SCMP_SYS(openat), SCMP_SYS(getdents64),
};

/* Allowed only if (argument & mask) == value. Several rows of one call are alternatives. */
struct condition {
    int number;
    unsigned profiles;
    unsigned argument;
    uint64_t mask;
    uint64_t value;
    const char *why;
};

#define WORD UINT64_C(0xffffffff) /* arguments that are an int: the upper half is noise */
#define NAMESPACES                                                                                 \
    (CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP)
#define OPEN_WRITES (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY) | O_PATH)

static const struct condition conditions[] = {
    {SCMP_SYS(mmap), ALL, 2, PROT_EXEC, 0, "no code after the door is closed"},
    {SCMP_SYS(mprotect), ALL, 2, PROT_EXEC, 0, "no code after the door is closed"},
    {SCMP_SYS(open), ALL, 1, OPEN_WRITES, O_RDONLY, "reading; landlock says what"},
    {SCMP_SYS(openat), ALL, 2, OPEN_WRITES, O_RDONLY, "reading; landlock says what"},
    {SCMP_SYS(clone), ALL, 0, CLONE_THREAD | NAMESPACES, CLONE_THREAD, "threads, not processes"},
    {SCMP_SYS(prctl), ALL, 0, WORD, PR_SET_NAME, "thread names"},
    {SCMP_SYS(prctl), ALL, 0, WORD, PR_GET_NAME, "thread names"},
    {SCMP_SYS(fcntl), ALL, 1, WORD, F_GETFD, ""},
    {SCMP_SYS(fcntl), ALL, 1, WORD, F_SETFD, ""},
    {SCMP_SYS(fcntl), ALL, 1, WORD, F_GETFL, ""},
    {SCMP_SYS(fcntl), ALL, 1, WORD, F_SETFL, ""},
    {SCMP_SYS(fcntl), TENSORS, 1, WORD, F_GET_SEALS, "memfds of inputs"},
    {SCMP_SYS(fcntl), TENSORS, 1, WORD, F_ADD_SEALS, "memfds of outputs"},
    {SCMP_SYS(prlimit64), ALL, 2, UINT64_MAX, 0, "reading limits, not setting them"},
    {SCMP_SYS(fcntl), ALL, 1, WORD, F_DUPFD_CLOEXEC, "a FILE of its own on a model's descriptor"},
};

static int failed(int rc, const char *what, struct hearth_error *err)
{
    return hearth_fail(err, HEARTH_E_CONTAINMENT, "seccomp: %s: %s", what, strerror(-rc));
}

static void release_filter(scmp_filter_ctx *filter)
{
    seccomp_release(*filter);
}
#define FILTER_AUTO __attribute__((cleanup(release_filter)))

static int add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = seccomp_rule_add(filter, action, calls[i], 0);
    }
    return rc;
}

static int allow_calls(scmp_filter_ctx filter, unsigned profile)
{
    int rc = 0;
    for (size_t i = 0; i < HEARTH_COUNT(allowed_calls) && rc == 0; i++) {
        if ((allowed_calls[i].profiles & profile) != 0) {
            rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i].number, 0);
        }
    }
    for (size_t i = 0; i < HEARTH_COUNT(conditions) && rc == 0; i++) {
        const struct condition *row = &conditions[i];
        if ((row->profiles & profile) == 0) {
            continue;
        }
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, row->number, 1,
                              SCMP_CMP(row->argument, SCMP_CMP_MASKED_EQ, row->mask, row->value));
    }
    if (rc == 0) { /* abort() raises in the own process only */
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                              SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    }
    if (rc == 0) { /* compute threads are niced, each by itself: no other process may be */
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setpriority), 2,
                              SCMP_A0_32(SCMP_CMP_EQ, PRIO_PROCESS), SCMP_A1_32(SCMP_CMP_EQ, 0));
    }
    return rc;
}

/* Strangers of another architecture end; the calls are found by binary search. */
static int load(scmp_filter_ctx filter, struct hearth_error *err)
{
    int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0) {
        rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    }
    if (rc == 0 && SANDBOX_IS_SANITIZED) { /* ThreadSanitizer's own thread is there already */
        rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    }
    if (rc != 0) {
        return failed(rc, "set up the filter", err);
    }
    rc = seccomp_load(filter);
    return rc != 0 ? failed(rc, "load the filter", err) : 0;
}

static unsigned bit_of(enum hearth_sandbox_profile profile)
{
    switch (profile) {
    case HEARTH_SANDBOX_WORKER_ECHO: return ECHO;
    case HEARTH_SANDBOX_WORKER_ONNX: return ONNX;
    case HEARTH_SANDBOX_WORKER_GGUF: return GGUF;
    }
    HEARTH_UNREACHABLE();
}

int sandbox_filter_worker(enum hearth_sandbox_profile profile, struct hearth_error *err)
{
    FILTER_AUTO scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) {
        return failed(-ENOMEM, "make the filter", err);
    }
    int rc = 0;
    if (SANDBOX_IS_SANITIZED) {
        rc = add_calls(filter, SCMP_ACT_ALLOW, sanitizer_calls, HEARTH_COUNT(sanitizer_calls));
    }
    if (rc == 0) {
        rc = allow_calls(filter, bit_of(profile));
    }
    if (rc == 0) {
        rc = add_calls(filter, SCMP_ACT_ERRNO(ENOSYS), newer_calls, HEARTH_COUNT(newer_calls));
    }
    if (rc == 0) {
        rc = add_calls(filter, SCMP_ACT_KILL_PROCESS, deadly_calls, HEARTH_COUNT(deadly_calls));
    }
    return rc != 0 ? failed(rc, "add a rule", err) : load(filter, err);
}

/* The broker starts nothing (the spawner does), and knows one kind of socket. */
static const int daemon_refused_calls[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
};

int sandbox_filter_daemon(struct hearth_error *err)
{
    FILTER_AUTO scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL) {
        return failed(-ENOMEM, "make the filter", err);
    }
    const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
    int rc =
        seccomp_rule_add(filter, refuse, SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_NE, AF_UNIX));
    if (rc == 0) {
        rc = add_calls(filter, refuse, daemon_refused_calls, HEARTH_COUNT(daemon_refused_calls));
    }
    if (rc == 0 && !SANDBOX_IS_SANITIZED) { /* a leak check forks and traces at exit */
        rc = seccomp_rule_add(filter, refuse, SCMP_SYS(clone), 1,
                              SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
        if (rc == 0) {
            rc = add_calls(filter, refuse, deadly_calls, HEARTH_COUNT(deadly_calls));
        }
        if (rc == 0) {
            rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
        }
    }
    return rc != 0 ? failed(rc, "add a rule", err) : load(filter, err);
}
