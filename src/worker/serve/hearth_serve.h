/* hearth_serve.h — a worker's life: the start-up litany, the two-phase load, the serve loop.
 *
 * The main thread becomes the *link* thread: it reads the broker's ring, fills the inbox, expires
 * deadlines. *Run* threads (niced) call the engine and send what it produced. Nothing wakes up
 * while there is nothing to do.
 *
 * Steps in their order, each 0 or an error, after which only hearth_worker_end() may follow. */

#ifndef HEARTH_SERVE_H
#define HEARTH_SERVE_H

#include "hearth_engine.h"

struct hearth_worker;

/** 1. Reads the sealed plan and attaches the ring: the only input of this process. On failure
 *  *@ret_worker may be set all the same, so that the broker can be told. HEARTH_E_VERSION if the
 *  broker is of another build, HEARTH_E_MALFORMED, HEARTH_E_NO_MEMORY, HEARTH_E_SYSTEM. */
HEARTH_NODISCARD int hearth_worker_receive_plan(const struct hearth_engine_ops *ops,
                                                struct hearth_worker **ret_worker,
                                                struct hearth_error *err);

/** 2. Opens libraries and probes the CPU; no thread, no byte of the model. HEARTH_E_NO_ENGINE. */
HEARTH_NODISCARD int hearth_worker_preload(struct hearth_worker *worker, struct hearth_error *err);

/** 3. Raises all walls. HEARTH_E_CONTAINMENT. */
HEARTH_NODISCARD int hearth_worker_close_door(struct hearth_worker *worker,
                                              struct hearth_error *err);

/** 4. Says hello, checks the digest of every file, inspects, tells the need, waits for the broker's
 *  proceed, loads, and says ready. HEARTH_E_DIGEST_MISMATCH, HEARTH_E_SHUTTING_DOWN if told to stop
 *  meanwhile, and what the engine's inspect() and load() return. */
HEARTH_NODISCARD int hearth_worker_load(struct hearth_worker *worker, struct hearth_error *err);

/** 5. Serves until the broker says stop (what runs is finished) or is gone. */
HEARTH_NODISCARD int hearth_worker_serve(struct hearth_worker *worker, struct hearth_error *err);

/** 6. Tells the broker of a failed load (@rc < 0), gives everything back and returns the exit code:
 *  0 after an orderly stop, else 1. @worker may be NULL. */
int hearth_worker_end(struct hearth_worker *worker, int rc, const struct hearth_error *err);

/** The plan, for tests that probe the door from inside. */
const struct hearth_engine_plan *hearth_worker_plan(const struct hearth_worker *worker);

#endif
