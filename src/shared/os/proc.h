/* proc.h — what /proc tells of a process: memory, threads, descriptors, CPU time. */

#ifndef HEARTH_PROC_H
#define HEARTH_PROC_H

#include "hearth_base.h"

#include <sys/types.h>

struct hearth_proc_usage {
    uint64_t rss_bytes;
    uint64_t rss_anon_bytes;
    uint64_t rss_shmem_bytes;
    uint64_t rss_file_bytes;
    uint64_t peak_rss_bytes;
    uint64_t cpu_ns; /* user and system, all threads, living and ended */
    unsigned threads;
};

/**
 * Reads the usage of @pid (0: this process). One small file; no allocation. HEARTH_E_NO_REQUEST
 * if there is no such process, HEARTH_E_SYSTEM.
 */
int hearth_proc_usage(pid_t pid, struct hearth_proc_usage *ret_usage, struct hearth_error *err);

/** Counts the open descriptors of @pid (0: this process, not counting the one used to look). */
int hearth_proc_count_fds(pid_t pid, unsigned *ret_count, struct hearth_error *err);

/**
 * Lists the open descriptors of this process in ascending order; HEARTH_E_TOO_LARGE if more than
 * @max.
 */
int hearth_proc_list_fds(int *ret_fds, size_t max, size_t *ret_count, struct hearth_error *err);

/** Counts the threads of this process. HEARTH_E_SYSTEM. */
int hearth_proc_count_threads(unsigned *ret_count, struct hearth_error *err);

/**
 * Opens /proc/loadavg for hearth_proc_runnable(), which a process that may open nothing any more
 * can still ask. Returns the descriptor, HEARTH_E_SYSTEM.
 */
int hearth_proc_open_runnable(struct hearth_error *err);

/** How many threads of the whole machine run or wait for a core at this moment, the caller among
 * them; 0 if it is not told. Some microseconds; no allocation. */
unsigned hearth_proc_runnable(int fd);

/** Total memory of the machine, and what is available without swapping; 0 if unknown. */
void hearth_proc_memory(uint64_t *ret_total_bytes, uint64_t *ret_available_bytes);

#endif
