/* hearth_sandbox.h — taking rights away, for good. Every process closes its own door with it.
 *
 * Words: a *wall* is one mechanism; the *door* is all walls of a process. Walls of a worker:
 *
 *   fds           nothing is open but what the plan names (and 0, 1, 2)              required
 *   rlimits       no core, few descriptors, memory as the plan says                  required
 *   no_new_privs  no program gains rights                                            required
 *   caps          no capability is left, also as root                                required
 *   landlock:N    only the plan's files can be opened, read-only (ABI N)             required, N >=
 * 1 seccomp       only the system calls of the profile; see seccomp.c for the tables required netns
 * a network namespace with nothing in it                             if strict landlock >= 6 no
 * abstract sockets, no signals to the outside                     if strict
 *
 * A wall that is required and cannot be raised is HEARTH_E_CONTAINMENT, and the process must end.
 */

#ifndef HEARTH_SANDBOX_H
#define HEARTH_SANDBOX_H

#include "hearth_base.h"

enum hearth_sandbox_profile {
    HEARTH_SANDBOX_WORKER_ECHO,
    HEARTH_SANDBOX_WORKER_ONNX,
    HEARTH_SANDBOX_WORKER_GGUF,
};

struct hearth_sandbox_plan {
    enum hearth_sandbox_profile profile;
    const int *fds; /* all that may stay open beside 0, 1, 2 */
    size_t fd_count;
    const int *file_fds; /* of them: regular files that may be opened again by path, read-only */
    size_t file_count;
    uint64_t memory_limit_bytes; /* of writable private memory; 0 = none */
    bool is_strict;              /* optional walls are required too */
};

#define HEARTH_SANDBOX_TEXT_BYTES 128

/**
 * Raises all walls around the calling process. It must have exactly one thread: landlock and
 * seccomp bind that thread and what it starts. *@ret_containment lists the walls raised, separated
 * by commas, e.g. "fds,rlimits,no_new_privs,caps,netns,landlock:7,seccomp"; in a build with
 * sanitizers it ends in ",asan-profile", which leaves out what those cannot live with (memory
 * limit, thread check, /proc, and the calls that seccomp.c names).
 *
 * After this, forbidden calls fail (see seccomp.c) or end the process; nothing can be taken back.
 * HEARTH_E_CONTAINMENT: the process must not go on.
 */
HEARTH_NODISCARD int hearth_sandbox_close_door(const struct hearth_sandbox_plan *plan,
                                               char ret_containment[HEARTH_SANDBOX_TEXT_BYTES],
                                               struct hearth_error *err);

/**
 * The broker's door: no_new_privs, no core dump, non-dumpable, and a seccomp filter that refuses
 * sockets other than AF_UNIX, execve, ptrace and the calls that no daemon needs (EPERM). Call it
 * after the spawner was forked, before any thread. HEARTH_E_CONTAINMENT.
 */
HEARTH_NODISCARD int hearth_sandbox_close_daemon_door(struct hearth_error *err);

/** The spawner's: no_new_privs, no core dump, non-dumpable. It must still fork and execute. */
HEARTH_NODISCARD int hearth_sandbox_close_spawner_door(struct hearth_error *err);

#endif
