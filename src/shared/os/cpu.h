/* cpu.h — how many cores this process may really use. */

#ifndef HEARTH_CPU_H
#define HEARTH_CPU_H

#include "hearth_base.h"

/** Why hearth_cpu_available() is what it is. */
struct hearth_cpu_count {
    unsigned online;    /* of the machine */
    unsigned affinity;  /* in the mask of the calling thread */
    unsigned quota;     /* granted by cgroup CPU quotas, rounded up; 0: none is set */
    unsigned available; /* the smallest of them, at least 1 */
};

/** Counts. Reads /proc and /sys: at start-up, not in the hot path. Never fails. */
void hearth_cpu_count(struct hearth_cpu_count *ret_count);

/**
 * Reads the tightest CPU quota on the way from this process's cgroup up to the root, in cgroup v2
 * (cpu.max) or v1 (cpu.cfs_quota_us), rounded up to whole cores; 0 if there is none. @root stands
 * before /proc/self/cgroup and /sys/fs/cgroup: "" outside tests.
 */
unsigned hearth_cpu_quota(const char *root);

#endif
