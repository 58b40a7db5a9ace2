/* proc.c — reading /proc. */

#include "proc.h"

#include "clock.h"
#include "file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STATUS_BYTES 8192
#define PATH_BYTES   64

/* Finds "Key:   123 kB" at the start of a line and returns the number, times 1024 if it has a unit.
 */
static uint64_t field_of(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ':') {
            char *end = NULL;
            uint64_t value = strtoull(line + length + 1, &end, 10);
            return strncmp(end, " kB", 3) == 0 ? value * 1024 : value;
        }
    }
    return 0;
}

static void path_of(pid_t pid, const char *what, char room[PATH_BYTES])
{
    if (pid == 0) {
        snprintf(room, PATH_BYTES, "/proc/self/%s", what);
    } else {
        snprintf(room, PATH_BYTES, "/proc/%d/%s", (int)pid, what);
    }
}

/* The kernel gives every process a CPU clock; /proc/PID/stat would count in hundredths of seconds.
 */
static uint64_t cpu_ns_of(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        return 0;
    }
    return (uint64_t)used.tv_sec * HEARTH_NS_PER_SEC + (uint64_t)used.tv_nsec;
}

int hearth_proc_usage(pid_t pid, struct hearth_proc_usage *ret_usage, struct hearth_error *err)
{
    char path[PATH_BYTES];
    char text[STATUS_BYTES];
    size_t size = 0;
    path_of(pid, "status", path);
    int rc = hearth_file_read_text(path, text, sizeof text, &size, err);
    if (rc < 0) {
        bool is_gone = errno == ENOENT || errno == ESRCH;
        return is_gone ? hearth_fail(err, HEARTH_E_NO_REQUEST, "no process %d", (int)pid) : rc;
    }
    *ret_usage = (struct hearth_proc_usage){
        .rss_bytes = field_of(text, "VmRSS"),
        .rss_anon_bytes = field_of(text, "RssAnon"),
        .rss_shmem_bytes = field_of(text, "RssShmem"),
        .rss_file_bytes = field_of(text, "RssFile"),
        .peak_rss_bytes = field_of(text, "VmHWM"),
        .cpu_ns = cpu_ns_of(pid),
        .threads = (unsigned)field_of(text, "Threads"),
    };
    return 0;
}

/* Opens a folder of numbers; NULL with @err filled. */
static DIR *open_numbers(pid_t pid, const char *what, struct hearth_error *err)
{
    char path[PATH_BYTES];
    path_of(pid, what, path);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        hearth_fail_errno(err, errno == ENOENT ? HEARTH_E_NO_REQUEST : HEARTH_E_SYSTEM, "list %s",
                          path);
    }
    return folder;
}

/* Reads the next number, -1 at the end. */
static long next_number(DIR *folder)
{
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            return strtol(entry->d_name, NULL, 10);
        }
    }
    return -1;
}

static unsigned count_numbers(DIR *folder)
{
    unsigned count = 0;
    while (next_number(folder) >= 0) {
        count++;
    }
    closedir(folder);
    return count;
}

int hearth_proc_count_fds(pid_t pid, unsigned *ret_count, struct hearth_error *err)
{
    DIR *folder = open_numbers(pid, "fd", err);
    if (folder == NULL) {
        return errno == ENOENT ? HEARTH_E_NO_REQUEST : HEARTH_E_SYSTEM;
    }
    unsigned count = count_numbers(folder);
    *ret_count = pid == 0 || pid == getpid() ? count - 1 : count;
    return 0;
}

int hearth_proc_list_fds(int *ret_fds, size_t max, size_t *ret_count, struct hearth_error *err)
{
    DIR *folder = open_numbers(0, "fd", err);
    if (folder == NULL) {
        return HEARTH_E_SYSTEM;
    }
    size_t count = 0;
    int rc = 0;
    for (long number = next_number(folder); number >= 0; number = next_number(folder)) {
        if (number == dirfd(folder)) {
            continue;
        }
        if (count == max) {
            rc = hearth_fail(err, HEARTH_E_TOO_LARGE, "more than %zu descriptors are open", max);
            break;
        }
        size_t at = count++; /* procfs lists in order; this keeps the promise if it ever does not */
        for (; at > 0 && ret_fds[at - 1] > (int)number; at--) {
            ret_fds[at] = ret_fds[at - 1];
        }
        ret_fds[at] = (int)number;
    }
    closedir(folder);
    if (rc == 0) {
        *ret_count = count;
    }
    return rc;
}

int hearth_proc_count_threads(unsigned *ret_count, struct hearth_error *err)
{
    DIR *folder = open_numbers(0, "task", err);
    if (folder == NULL) {
        return HEARTH_E_SYSTEM;
    }
    *ret_count = count_numbers(folder);
    return 0;
}

int hearth_proc_open_runnable(struct hearth_error *err)
{
    int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fd : hearth_fail_errno(err, HEARTH_E_SYSTEM, "open /proc/loadavg");
}

/* "0.52 0.58 0.59 3/602 7301": the number before the slash. */
unsigned hearth_proc_runnable(int fd)
{
    char text[128];
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    text[HEARTH_MAX(size, 0)] = '\0';
    char *slash = strchr(text, '/');
    char *space = slash;
    while (space != NULL && space > text && *space != ' ') {
        space--;
    }
    return slash == NULL ? 0 : (unsigned)strtoul(space, NULL, 10);
}

void hearth_proc_memory(uint64_t *ret_total_bytes, uint64_t *ret_available_bytes)
{
    char text[STATUS_BYTES];
    size_t size = 0;
    if (hearth_file_read_text("/proc/meminfo", text, sizeof text, &size, NULL) < 0) {
        text[0] = '\0';
    }
    *ret_total_bytes = field_of(text, "MemTotal");
    *ret_available_bytes = field_of(text, "MemAvailable");
}
