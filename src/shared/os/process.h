/* process.h — handles on processes and properties of this one. Forking is the spawner's. */

#ifndef HEARTH_PROCESS_H
#define HEARTH_PROCESS_H

#include "fd.h"

#include <sys/types.h>

/** How a process ended. */
struct hearth_exit {
    pid_t pid;
    bool is_killed; /* by a signal; @code is its number, otherwise the exit status */
    int code;
};

/**
 * Opens a descriptor for @pid: readable when it has ended, immune to pid reuse. HEARTH_E_SYSTEM.
 */
int hearth_process_open(pid_t pid, int *ret_pidfd, struct hearth_error *err);

/** Sends @signal_number. HEARTH_E_NO_REQUEST if the process is gone, HEARTH_E_SYSTEM. */
int hearth_process_signal(int pidfd, int signal_number, struct hearth_error *err);

/**
 * Collects the end of a child without waiting. HEARTH_E_NOT_READY while it runs, HEARTH_E_SYSTEM if
 * it is not our child.
 */
int hearth_process_reap(int pidfd, struct hearth_exit *ret_exit, struct hearth_error *err);

/** Collects any ended child (a subreaper has children that it did not start). NOT_READY: none. */
int hearth_process_reap_any(struct hearth_exit *ret_exit);

/** Sends @signal_number to this process when its parent thread dies. */
int hearth_process_set_death_signal(int signal_number, struct hearth_error *err);

/** Makes orphans below this process its children. */
int hearth_process_become_subreaper(struct hearth_error *err);

/** Says whether core dumps and ptrace by the same user are permitted. */
int hearth_process_set_dumpable(bool is_dumpable, struct hearth_error *err);

/** Raises the number of descriptors that may be open to what the system permits. */
int hearth_process_raise_fd_limit(struct hearth_error *err);

/** Sets the name of the calling thread (15 bytes are kept), which `ps` shows. */
void hearth_process_set_name(const char *name);

/**
 * Has the kernel refuse @pid, a process of the same user, more than @bytes of private writable
 * memory, promised or touched (RLIMIT_DATA); what it has stays. HEARTH_E_SYSTEM.
 */
int hearth_process_limit_memory(pid_t pid, uint64_t bytes, struct hearth_error *err);

/** Ignores SIGPIPE: for programs; never for the library. */
void hearth_process_ignore_sigpipe(void);

/** Unblocks all signals and restores default handlers: a child's first step after fork. */
void hearth_process_reset_signals(void);

#endif
