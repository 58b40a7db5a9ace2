/* inbox.h — the other side of hearth_engine.h: who fills the inbox and takes the results.
 *
 * serve/ and the tests of engines include it; an engine does not.
 *
 * Words: a *sink* is where results go; a job is *open* until its last item has ended. An item that
 * fails ends its job: what waits of it fails with HEARTH_E_CANCELLED, what runs is interrupted.
 *
 * All functions may be called from any thread; none of them waits for an engine. */

#ifndef HEARTH_INBOX_H
#define HEARTH_INBOX_H

#include "hearth_engine.h"

/**
 * Takes results. The functions are called on the thread that produced them, without any lock held;
 * calls for different items of one job may come at once. What they are given is lent for the call.
 * None may block for long, and none may call back into the inbox except hearth_job_*().
 */
struct hearth_sink {
    void (*piece)(void *arg, struct hearth_job *job, uint32_t index, struct hearth_slice text,
                  uint32_t tokens);
    /** The id of a token that the next piece stands for; only if the request's flags ask for ids.
     *  May be NULL. */
    void (*token)(void *arg, struct hearth_job *job, uint32_t index, uint32_t id);
    /** As hearth_item_logprob() and hearth_item_tool_call(). May be NULL. */
    void (*logprob)(void *arg, struct hearth_job *job, uint32_t index,
                    const struct hearth_wire_token_score *score);
    void (*tool_call)(void *arg, struct hearth_job *job, uint32_t index,
                      const struct hearth_wire_tool_call *part);
    void (*finish)(void *arg, struct hearth_job *job, uint32_t index,
                   const struct hearth_item_result *result);
    void (*fail)(void *arg, struct hearth_job *job, uint32_t index, int code,
                 const struct hearth_error *err);
    /** The last item has ended; exactly once a job, after everything else. The job is gone then. */
    void (*end)(void *arg, struct hearth_job *job);
    /** Items of @job are with the engine and must end soon: call the engine's interrupt(). May be
     *  NULL. */
    void (*interrupt)(void *arg, const struct hearth_job *job);
    void *arg;
};

/** @is_longest_first: order inside a priority, see hearth_engine_facts. Every eighth take is by
 *  arrival all the same, so that a short item never starves. HEARTH_E_NO_MEMORY. */
HEARTH_NODISCARD int hearth_inbox_create(const struct hearth_sink *sink, bool is_longest_first,
                                         struct hearth_inbox **ret_inbox, struct hearth_error *err);

/** Frees it. No job may be open and no work() may run. NULL is fine. */
void hearth_inbox_destroy(struct hearth_inbox *inbox);
HEARTH_DEFINE_CLEANUP(hearth_inbox)

/**
 * Copies @frame (a V2 inference_request), checks it with hearth_wire_check_request() and queues its
 * items. @deadline_ns is absolute monotonic time or UINT64_MAX. @user comes back from
 * hearth_job_user(). Steady state allocates nothing for requests up to HEARTH_JOB_KEEP_BYTES.
 *
 * HEARTH_E_MALFORMED, HEARTH_E_INPUT_INVALID, HEARTH_E_TOO_LARGE (from wire), HEARTH_E_BUSY if the
 * request id is open already, HEARTH_E_SHUTTING_DOWN after close, HEARTH_E_NO_MEMORY. Then no
 * function of the sink is called for it.
 */
HEARTH_NODISCARD int hearth_inbox_push(struct hearth_inbox *inbox, struct hearth_slice frame,
                                       uint64_t deadline_ns, void *user, struct hearth_error *err);

/**
 * As push; but if the engine is idle (nothing waits or is held) and the request has one item, that
 * is held by the caller at once, who answers it: *@ret_item. Otherwise it waits as any other and
 * *@ret_item is NULL.
 */
HEARTH_NODISCARD int hearth_inbox_push_or_take(struct hearth_inbox *inbox,
                                               struct hearth_slice frame, uint64_t deadline_ns,
                                               void *user, struct hearth_item **ret_item,
                                               struct hearth_error *err);

/**
 * As push, with the memfds of the request's tensors: @count descriptors in the order of those that
 * say memfd_bytes. They stay the caller's; each is checked (seals, size) and mapped read-only until
 * the job has ended. HEARTH_E_INPUT_INVALID also if one is not what its tensor says or they are not
 * as many as claimed: so a request that claims any must come this way. HEARTH_E_SYSTEM.
 */
HEARTH_NODISCARD int hearth_inbox_push_memfds(struct hearth_inbox *inbox, struct hearth_slice frame,
                                              uint64_t deadline_ns, void *user, const int *fds,
                                              uint32_t count, struct hearth_error *err);

/** Ends the job with this request id by HEARTH_E_CANCELLED; false if it is not open. */
bool hearth_inbox_cancel(struct hearth_inbox *inbox, uint64_t request_id);

/** Ends every job whose deadline is not after @now_ns by HEARTH_E_EXPIRED. Returns the next
 *  deadline, or UINT64_MAX if there is none. */
uint64_t hearth_inbox_expire(struct hearth_inbox *inbox, uint64_t now_ns);

/** Lets takers hold at most @width items at a time from now on; 0 = as many as they like. */
void hearth_inbox_set_width(struct hearth_inbox *inbox, unsigned width);

/** Ends waiting items with HEARTH_E_SHUTTING_DOWN, refuses new ones and wakes all takers. */
void hearth_inbox_close(struct hearth_inbox *inbox);

/** Where progress is told from now on: @where outlives the inbox. Before any work() runs. */
void hearth_inbox_tell_progress(struct hearth_inbox *inbox, _Atomic uint64_t *where);

/** Has one take that waits, or the next that would, return NULL although the inbox is open: so that
 *  an idle engine looks at something else. */
void hearth_inbox_nudge(struct hearth_inbox *inbox);

struct hearth_inbox_counts {
    uint32_t open_jobs;
    uint32_t waiting_items;
    uint32_t held_items; /* with the engine */
    uint64_t progress;   /* calls of hearth_inbox_progress() */
};
void hearth_inbox_counts(const struct hearth_inbox *inbox, struct hearth_inbox_counts *ret);

#define HEARTH_JOB_KEEP_BYTES (256u * 1024u) /* of a finished job's memory, kept for the next */

/** What hearth_inbox_push() was given. */
void *hearth_job_user(const struct hearth_job *job);

/** When the job was pushed and when its first item was taken (0: none yet), in ns. */
void hearth_job_times(const struct hearth_job *job, uint64_t *ret_pushed_ns,
                      uint64_t *ret_taken_ns);

#endif
