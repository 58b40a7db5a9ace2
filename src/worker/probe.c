/* probe.c — the attempts of probe.h. Each is harmless if it succeeds, save that the test then
 * fails. */

#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct hearth_engine_plan *probed_plan;

static int opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
    }
    return fd < 0 ? errno : 0;
}

static int makes_socket(int family)
{
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd >= 0) {
        close(fd);
    }
    return fd < 0 ? errno : 0;
}

static int executes(void)
{
    char *const arguments[] = {(char[]){"true"}, NULL};
    execve("/bin/true", arguments, NULL);
    return errno; /* success does not return: the line is missing, and the test sees that */
}

static int forks(long (*how)(void))
{
    long pid = how();
    if (pid == 0) {
        _exit(0);
    }
    if (pid > 0) {
        waitpid((pid_t)pid, NULL, 0);
    }
    return pid < 0 ? errno : 0;
}

static long by_fork(void)
{
    return fork();
}

static long by_clone3(void)
{
    uint64_t arguments[11] = {0};
    return syscall(SYS_clone3, arguments, sizeof arguments);
}

static int maps_code(void)
{
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) {
        munmap(page, 4096);
    }
    return page == MAP_FAILED ? errno : 0;
}

static int signals_parent(void)
{
    return kill(getppid(), 0) != 0 ? errno : 0;
}

static int renices_parent(void)
{
    return setpriority(PRIO_PROCESS, (id_t)getppid(), 0) != 0 ? errno : 0;
}

static int binds_parent(void)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    return sched_getaffinity(0, sizeof cores, &cores) == 0 &&
                   sched_setaffinity(getppid(), sizeof cores, &cores) != 0
               ? errno
               : 0;
}

static void report(const char *thread, const char *attempt, int error)
{
    dprintf(STDERR_FILENO, "probe %s %s %s\n", thread, attempt,
            error == 0 ? "ok" : strerrorname_np(error));
}

static void attempt_all(const char *thread)
{
    char path[HEARTH_MAX_PATH_BYTES + 300];
    report(thread, "open-outside", opens("/etc/passwd", O_RDONLY));
    report(thread, "open-self", opens("/proc/self/mem", O_RDONLY));
    snprintf(path, sizeof path, "%s/outside.txt", probed_plan->folder);
    report(thread, "open-neighbour", opens(path, O_RDONLY));
    report(thread, "create", opens("/tmp/hearth-probe", O_WRONLY | O_CREAT));
    if (probed_plan->file_count > 0) {
        snprintf(path, sizeof path, "%s/%s", probed_plan->folder, probed_plan->files[0].path);
        report(thread, "write-model", opens(path, O_RDWR));
        report(thread, "read-model", opens(path, O_RDONLY)); /* the one that is permitted */
    }
    report(thread, "socket-inet", makes_socket(AF_INET));
    report(thread, "socket-inet6", makes_socket(AF_INET6));
    report(thread, "socket-unix", makes_socket(AF_UNIX));
    report(thread, "execve", executes());
    report(thread, "fork", forks(by_fork));
    report(thread, "clone3", forks(by_clone3));
    report(thread, "map-code", maps_code());
    report(thread, "kill-parent", signals_parent());
    report(thread, "renice-parent", renices_parent());
    report(thread, "bind-parent", binds_parent());
}

static void *attempt_in_thread(void *arg)
{
    attempt_all("run");
    return arg;
}

void probe_door(const struct hearth_engine_plan *plan)
{
    probed_plan = plan;
    attempt_all("link");
    pthread_t thread;
    if (pthread_create(&thread, NULL, attempt_in_thread, NULL) == 0) {
        pthread_join(thread, NULL);
    }
    dprintf(STDERR_FILENO, "probe end\n");
}
