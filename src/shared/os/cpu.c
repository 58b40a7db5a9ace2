/* cpu.c — cores that this process may really use: the affinity mask and the cgroup quota.
 *
 * The quota of every group on the way up counts, so the tightest wins. A container may show a path
 * in /proc/self/cgroup that does not exist below its own /sys/fs/cgroup; walking up then ends at
 * the mount's root, which is the container's group. */

#include "cpu.h"

#include "file.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP_LIST_BYTES 8192 /* of /proc/self/cgroup: one line a hierarchy */
#define GROUP_PATH_BYTES 1024
#define NO_QUOTA         0u

/* Reads a number from the start of a small file; false if there is none. */
static bool read_number(const char *folder, const char *name, int64_t *ret_number)
{
    char path[GROUP_PATH_BYTES * 2];
    char text[64];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    size_t size = 0;
    if (n < 0 || (size_t)n >= sizeof path ||
        hearth_file_read_text(path, text, sizeof text, &size, NULL) < 0) {
        return false;
    }
    char *end = text;
    *ret_number = strtoll(text, &end, 10);
    return end != text;
}

static unsigned cores_of(int64_t quota_us, int64_t period_us)
{
    if (quota_us <= 0 || period_us <= 0) {
        return NO_QUOTA;
    }
    int64_t cores = quota_us / period_us + (quota_us % period_us != 0);
    return cores > UINT16_MAX ? NO_QUOTA : (unsigned)cores;
}

/* "max 100000" or "150000 100000" */
static unsigned quota_of_v2(const char *folder)
{
    char path[GROUP_PATH_BYTES * 2];
    char text[64];
    int n = snprintf(path, sizeof path, "%s/cpu.max", folder);
    size_t size = 0;
    if (n < 0 || (size_t)n >= sizeof path ||
        hearth_file_read_text(path, text, sizeof text, &size, NULL) < 0) {
        return NO_QUOTA;
    }
    char *period = text;
    int64_t quota_us = strtoll(text, &period, 10);
    return period != text ? cores_of(quota_us, strtoll(period, NULL, 10)) : NO_QUOTA;
}

static unsigned quota_of_v1(const char *folder)
{
    int64_t quota_us = 0; /* -1: none */
    int64_t period_us = 0;
    if (!read_number(folder, "cpu.cfs_quota_us", &quota_us) ||
        !read_number(folder, "cpu.cfs_period_us", &period_us)) {
        return NO_QUOTA;
    }
    return cores_of(quota_us, period_us);
}

static unsigned tighter(unsigned a, unsigned b)
{
    return a == NO_QUOTA ? b : b == NO_QUOTA ? a : HEARTH_MIN(a, b);
}

/* The tightest quota of @group below @mount and of all its ancestors. */
static unsigned quota_upwards(const char *mount, const char *group,
                              unsigned (*quota_of)(const char *folder))
{
    char folder[GROUP_PATH_BYTES];
    size_t mount_length = strlen(mount);
    int n = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (n < 0 || (size_t)n >= sizeof folder || strstr(group, "/..") != NULL) {
        snprintf(folder, sizeof folder, "%s", mount); /* the group lies outside what we can see */
    }
    unsigned quota = NO_QUOTA;
    for (;;) {
        quota = tighter(quota, quota_of(folder));
        char *slash = strrchr(folder, '/');
        if (slash == NULL || (size_t)(slash - folder) < mount_length) {
            return quota;
        }
        *slash = '\0';
    }
}

/* True if "cpu" is one of the comma-separated @controllers. */
static bool names_cpu(const char *controllers)
{
    for (const char *at = controllers; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == '\0')) {
            return true;
        }
    }
    return false;
}

/* One line: "0::/group" (v2) or "4:cpu,cpuacct:/group" (v1). */
static unsigned quota_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (group == NULL) {
        return NO_QUOTA;
    }
    *controllers++ = '\0';
    *group++ = '\0';
    char mount[GROUP_PATH_BYTES / 2];
    if (controllers[0] == '\0') {
        int n = snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        return n > 0 && (size_t)n < sizeof mount ? quota_upwards(mount, group, quota_of_v2)
                                                 : NO_QUOTA;
    }
    if (!names_cpu(controllers)) {
        return NO_QUOTA;
    }
    int n = snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, controllers);
    unsigned quota =
        n > 0 && (size_t)n < sizeof mount ? quota_upwards(mount, group, quota_of_v1) : NO_QUOTA;
    n = snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/cpu",
                 root); /* usually a link to the same */
    return n > 0 && (size_t)n < sizeof mount
               ? tighter(quota, quota_upwards(mount, group, quota_of_v1))
               : quota;
}

unsigned hearth_cpu_quota(const char *root)
{
    char path[GROUP_PATH_BYTES];
    static const char suffix[] = "/proc/self/cgroup";
    HEARTH_ASSERT(strlen(root) + sizeof suffix <= sizeof path);
    snprintf(path, sizeof path, "%s%s", root, suffix);
    HEARTH_AUTO(hearth_block) char *text = hearth_alloc(GROUP_LIST_BYTES, 1);
    size_t size = 0;
    if (text == NULL || hearth_file_read_text(path, text, GROUP_LIST_BYTES, &size, NULL) < 0) {
        return NO_QUOTA;
    }
    unsigned quota = NO_QUOTA;
    for (char *line = text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end++ = '\0';
        }
        quota = tighter(quota, quota_of_line(root, line));
        line = end;
    }
    return quota;
}

/* Counts the mask; machines with more than 1024 cores need a larger set than the usual one. */
static unsigned count_affinity(void)
{
    for (size_t cores = CPU_SETSIZE; cores <= 65536; cores *= 4) {
        cpu_set_t *set = CPU_ALLOC(cores);
        if (set == NULL) {
            return 0;
        }
        size_t bytes = CPU_ALLOC_SIZE(cores);
        int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0) {
            return (unsigned)count;
        }
    }
    return 0;
}

void hearth_cpu_count(struct hearth_cpu_count *ret_count)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    struct hearth_cpu_count count = {
        .online = online > 0 ? (unsigned)online : 1,
        .affinity = count_affinity(),
        .quota = hearth_cpu_quota(""),
    };
    count.affinity = count.affinity > 0 ? count.affinity : count.online;
    count.available = tighter(HEARTH_MIN(count.online, count.affinity), count.quota);
    *ret_count = count;
}
