/* hearth_pool.h — worker processes as the broker sees them: one for each loaded model.
 *
 * The pool has workers started by the spawner, leads them through the two phases of loading
 * (hello → need → reserve → proceed → ready), moves requests and answers over their rings, watches
 * them, restarts the ones that die, and moves the models of the registry through their life.
 * It does not choose what runs (scheduler/) and knows no client (session/).
 *
 * Nothing that a worker says is believed: types, ids, counts and sizes are checked against what it
 * was given, and a worker that breaks a rule is killed.
 *
 * Words: a *ticket* is one request at a worker. Threads: the loop's. Nothing here blocks; callbacks
 * come from the loop only, never from inside a call of this face unless it says so.              */

#ifndef HEARTH_POOL_H
#define HEARTH_POOL_H

#include "hearth_base.h"
#include "hearth_budget.h"
#include "hearth_metrics.h"
#include "hearth_os.h"
#include "hearth_registry.h"
#include "hearth_wire.h"

struct hearth_config;
struct hearth_pool;

/** One request at a worker. Owned by the caller; the pool's from send until on_end. The caller sets
 *  the first block. */
struct hearth_ticket {
    uint64_t id;     /* not 0, never used before in this daemon */
    uint32_t inputs; /* or answers to one prompt */
    enum hearth_task task;
    bool is_stream;
    bool is_in_order;    /* of a stream: results by index */
    bool takes_memfds;   /* outputs may come as memfds */
    uint32_t dimensions; /* as asked for; 0: as the model has */
    enum hearth_vector_type vector_type;
    uint32_t text_bytes[HEARTH_MAX_BATCH]; /* entities: of each input */
    uint32_t scores_per_token;             /* log-probabilities; 0: none were asked for */
    bool has_tools;                        /* that it may call */
    struct hearth_slice choices;           /* u8 size, bytes; …: lent until on_end */
    uint32_t choice_count;

    uint32_t slot;
    uint64_t seen;                     /* inputs that were answered, one bit each */
    uint64_t ended;                    /* answers that said how they ended, likewise */
    uint8_t first_finish;              /* what the first of them said */
    uint8_t calls[HEARTH_MAX_ANSWERS]; /* of tools, begun by each answer */
    struct hearth_list link;
};

#define HEARTH_ADVICE_BYTES 128u

/** What becomes of a worker that has told what it needs. */
enum hearth_room { HEARTH_ROOM_TAKE, HEARTH_ROOM_AWAIT };

/** What the pool tells; all of them are called from the loop, and from hearth_pool_unload() and
 *  hearth_pool_kill() where they say so. */
struct hearth_pool_events {
    /** A piece of an answer. Slices live until return. */
    void (*on_chunk)(void *arg, struct hearth_ticket *ticket,
                     const struct hearth_wire_stream_chunk *chunk);
    /** The one end of a ticket; it is the caller's again. Slices live until return. @fds are the
     *  memfds that its tensors claim, checked; the callee takes (-1) or leaves them, to be closed.
     */
    void (*on_end)(void *arg, struct hearth_ticket *ticket,
                   const struct hearth_wire_inference_response *response, int *fds,
                   uint32_t fd_count);
    /** The state of @model has changed, or its worker has room again. After a change to FAILED,
     *  RESTARTING or ABSENT it has no tickets. */
    void (*on_change)(void *arg, struct hearth_model *model);
    /**
     * The worker of @model, which is LOADING or RESTARTING, has told that it needs @need, and the
     * budget has room or not. HEARTH_ROOM_TAKE: the pool reserves, and without room the load fails.
     * HEARTH_ROOM_AWAIT: the worker waits until hearth_pool_look_for_room(), or until it is
     * unloaded, which may be done in here. Never called while the model is DRAINING. @advice is
     * empty; what is put there is told behind the reason if there is no room.
     */
    enum hearth_room (*on_need)(void *arg, struct hearth_model *model,
                                const struct hearth_need *need, char advice[HEARTH_ADVICE_BYTES]);
    /** The spawner is gone: no worker can be started any more. */
    void (*on_spawner_lost)(void *arg);
};

/** What is known of the worker in one slot. */
struct hearth_worker_info {
    pid_t pid; /* 0: no worker now */
    uint32_t restarts;
    uint32_t capacity; /* inputs at a time; 0 unless ready */
    uint32_t context_tokens;
    uint32_t dimensions;
    uint32_t threads;
    uint64_t steps;    /* progress that it has told of since it serves */
    uint32_t still_ms; /* for so long it has work and was seen to make no step; 0: none of it */
    uint64_t progress_limit_ms; /* at which it is killed for that; 0: never */
    uint64_t need_bytes;
    const struct hearth_hold *hold;               /* in the budget; not held without a worker */
    uint32_t load_ms;                             /* of the last load; 0: there was none */
    uint32_t token_bytes;                         /* that a token takes of the cells */
    const char *containment;                      /* "" until its hello */
    const struct hearth_wire_worker_ready *ready; /* ports and facts; zero before it serves */
};

/** Makes a pool over what outlives it. @spawner_fd becomes the pool's. HEARTH_E_NO_MEMORY, SYSTEM.
 */
HEARTH_NODISCARD int hearth_pool_create(struct hearth_loop *loop,
                                        const struct hearth_config *config,
                                        struct hearth_registry *registry,
                                        struct hearth_budget *budget,
                                        struct hearth_metrics *metrics, int spawner_fd,
                                        const struct hearth_pool_events *events, void *arg,
                                        struct hearth_pool **ret, struct hearth_error *err);

/** Kills what still runs, without callbacks. NULL is fine. */
void hearth_pool_destroy(struct hearth_pool *pool);
HEARTH_DEFINE_CLEANUP(hearth_pool)

/**
 * Begins to load @model (absent or failed): it is LOADING on return; READY or FAILED is told by
 * on_change. HEARTH_E_MODEL_INVALID if its manifest is not usable; HEARTH_E_BUSY; the model is then
 * as before.
 */
HEARTH_NODISCARD int hearth_pool_load(struct hearth_pool *pool, struct hearth_model *model,
                                      struct hearth_error *err);

/**
 * The model with a worker of its own that was started with the same files (by their digests), task,
 * labels and load options as @model would be: @model may be its guest. NULL: there is none, or
 * @model has no files.
 */
struct hearth_model *hearth_pool_find_host(struct hearth_pool *pool,
                                           const struct hearth_model *model);

/** Ends the worker of @model: what runs is finished within @grace_ms, then it is killed. The model
 *  is DRAINING on return; ABSENT is told by on_change. The model must have a worker. */
void hearth_pool_unload(struct hearth_pool *pool, struct hearth_model *model, uint64_t grace_ms);

/** Asks on_need again for a worker for which room was awaited; nothing if none was. */
void hearth_pool_look_for_room(struct hearth_pool *pool, struct hearth_model *model);

/** Asks the worker of @slot to give back what it keeps for speed alone; nothing if none serves. */
void hearth_pool_shed(struct hearth_pool *pool, uint32_t slot);

/** Corrects what @slot holds in the budget by what its worker uses now; one small file is read. */
void hearth_pool_measure(struct hearth_pool *pool, uint32_t slot);

/** Kills the worker of @model, which is treated as a death of its own. */
void hearth_pool_kill(struct hearth_pool *pool, struct hearth_model *model, const char *why);

/**
 * Hands @request, a V2 inference_request whose request_id is ticket->id, to the READY worker of
 * @slot, with the memfds that its tensors claim. The bytes are copied, the descriptors stay the
 * caller's.
 * HEARTH_E_TOO_LARGE if it does not fit into a ring message; HEARTH_E_NO_MEMORY;
 * HEARTH_E_NOT_READY; HEARTH_E_BUSY if the worker has descriptors to take that it did not.
 */
HEARTH_NODISCARD int hearth_pool_send(struct hearth_pool *pool, uint32_t slot,
                                      struct hearth_ticket *ticket, struct hearth_slice request,
                                      const int *fds, uint32_t fd_count, struct hearth_error *err);

/** False while no worker serves @slot or earlier messages wait for room in its ring; on_change
 * tells when to go on. */
bool hearth_pool_has_room(const struct hearth_pool *pool, uint32_t slot);

/** Asks the worker to end a ticket soon; on_end comes as always. */
void hearth_pool_cancel(struct hearth_pool *pool, struct hearth_ticket *ticket);

/** Tells the worker of @slot how many threads may compute from now on; nothing if that is known. */
void hearth_pool_lease(struct hearth_pool *pool, uint32_t slot, uint32_t threads);

void hearth_pool_info(const struct hearth_pool *pool, uint32_t slot,
                      struct hearth_worker_info *ret);

#endif
