/* hearth_spawner.h — the small process that alone opens model files and executes workers.
 *
 * It is forked first thing in hearthd, has one thread and one socket (SEQPACKET, one message each
 * way, descriptors beside it):
 *
 *   → spawn_request with the HEARTH_RING_FD_COUNT descriptors of a ring's worker end
 *   ← spawn_reply   code 0 and pid, a pidfd beside it; or why not: HEARTH_E_DENIED (a path leaves
 *                   its folder, is a link, or is not permitted), HEARTH_E_MODEL_INVALID (missing,
 * no regular file, or not as long as the manifest says), HEARTH_E_NO_ENGINE (that worker program
 * was not built), HEARTH_E_MALFORMED, HEARTH_E_SYSTEM ← spawn_exit    a worker has ended; after its
 * reply, exactly once
 *
 * A request names a worker program by number and files by a configured root: nothing that it says
 * can reach another program or a path outside. When the socket closes, all workers are killed.
 *
 * Descriptors of a worker: HEARTH_WORKER_FD_PLAN is a sealed memfd with an encoded worker_plan,
 * then the ring's, then the model's files in the order of the plan. Its environment is fixed. */

#ifndef HEARTH_SPAWNER_H
#define HEARTH_SPAWNER_H

#include "hearth_base.h"

#include <sys/types.h>

/* Descriptor numbers in a worker. */
enum hearth_worker_fd {
    HEARTH_WORKER_FD_PLAN = 3,
    HEARTH_WORKER_FD_RING = 4,  /* and the next ones, in the order of enum hearth_ring_fd */
    HEARTH_WORKER_FD_FILES = 8, /* and the next ones */
};

#define HEARTH_SPAWNER_MAX_ROOTS 16
#define HEARTH_SPAWNER_MESSAGE_BYTES                                                               \
    (192u * 1024u) /* of one spawn_request: under the socket's cap */

/** What the spawner may do; copied by the fork. */
struct hearth_spawner_config {
    const char *const *roots; /* model folders; spawn_request names one by index */
    size_t root_count;
    const char *worker_folder; /* holds hearth-worker-echo, -onnx, -gguf */
};

struct hearth_spawner {
    int fd; /* close it to end the spawner and all workers */
    pid_t pid;
};

/**
 * Forks the spawner; the child never returns from here. Call it before any thread, loop or socket
 * exists: the child keeps only its socket and 0, 1, 2. HEARTH_E_SYSTEM, HEARTH_E_ARGUMENT.
 */
HEARTH_NODISCARD int hearth_spawner_fork(const struct hearth_spawner_config *config,
                                         struct hearth_spawner *ret, struct hearth_error *err);

#endif
