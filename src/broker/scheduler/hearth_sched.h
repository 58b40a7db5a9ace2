/* hearth_sched.h — decides which queued job goes next to which model.
 *
 * Not here: memory arithmetic (budget/), process life (pool/), who the caller is (session/). It
 * sees no descriptor and no clock: every entry point that needs the time is handed `now_ms`.
 *
 * Words: a *job* is one request; a *lane* is the queue of one model; *credit* is how many inputs
 * the worker of a lane takes at a time, for each class alone: what runs of lower classes does not
 * count, because the worker lets them stand back for a higher one. So it may be given as many
 * inputs as it has credit, for each of the HEARTH_SCHED_PRIORITIES classes. A job keeps its inputs'
 * credit from hearth_sched_next() to hearth_sched_finish().
 *
 * Order: higher priority first; inside a priority first come, first served. The job that is next
 * waits until all its inputs fit into the credit, and those behind it wait with it, so a large
 * batch is never overtaken for ever; a job larger than the whole credit runs alone in its class.
 *
 * Threads: one at a time. Nothing here blocks or allocates.                                      */

#ifndef HEARTH_SCHED_H
#define HEARTH_SCHED_H

#include "hearth_base.h"
#include "hearth_wire.h"

#define HEARTH_SCHED_LANES      HEARTH_MAX_MODELS
#define HEARTH_SCHED_PRIORITIES 4u
#define HEARTH_SCHED_NEVER      UINT64_MAX

enum hearth_job_state { HEARTH_JOB_IDLE, HEARTH_JOB_QUEUED, HEARTH_JOB_RUNNING };

/** One request as the scheduler sees it: owned by the caller, zeroed before first use. The caller
 *  sets the first block before hearth_sched_submit(); the rest is the scheduler's. */
struct hearth_job {
    uint64_t deadline_ms; /* absolute; HEARTH_SCHED_NEVER = none */
    uint64_t bytes;       /* memory that it keeps while it waits */
    uint32_t inputs;      /* at least 1 */
    enum hearth_priority priority;

    enum hearth_job_state state;
    uint32_t lane;
    uint32_t generation;     /* of its lane when it was submitted */
    struct hearth_list link; /* in its lane: queue of its priority, doomed or running */
    struct hearth_list due;  /* in the order of deadlines */
};

struct hearth_lane {
    struct hearth_list queued[HEARTH_SCHED_PRIORITIES];
    struct hearth_list doomed;
    struct hearth_list running;
    uint32_t generation; /* a queued job of an earlier one is doomed */
    uint32_t doomed_count;
    uint32_t queued_count; /* without the doomed */
    uint32_t running_count;
    uint32_t running_inputs[HEARTH_SCHED_PRIORITIES];
    uint32_t credit; /* 0 while there is no worker */
};

struct hearth_sched {
    uint32_t magic;
    uint32_t queue_limit;       /* jobs that may wait in one lane */
    uint64_t queue_limit_bytes; /* memory of all that wait */
    uint64_t queued_bytes;
    uint32_t queued_count; /* with the doomed */
    uint32_t running_count;
    struct hearth_list due;
    struct hearth_lane lanes[HEARTH_SCHED_LANES];
};

/** Prepares empty lanes without credit. */
void hearth_sched_init(struct hearth_sched *sched, uint32_t queue_limit,
                       uint64_t queue_limit_bytes);

/**
 * Appends @job to @lane. The job is the scheduler's until it is finished or withdrawn.
 *
 * HEARTH_E_EXPIRED if its deadline is not after @now_ms; HEARTH_E_QUEUE_FULL says what is full and
 * which place the job would have had. The job is then untouched.
 */
HEARTH_NODISCARD int hearth_sched_submit(struct hearth_sched *sched, struct hearth_job *job,
                                         uint32_t lane, uint64_t now_ms, struct hearth_error *err);

/** Sets how many inputs the worker of @lane takes at a time; 0 stops the lane. */
void hearth_sched_set_credit(struct hearth_sched *sched, uint32_t lane, uint32_t inputs);

/** Moves the next job of @lane to running and returns it; NULL if none may go now. */
struct hearth_job *hearth_sched_next(struct hearth_sched *sched, uint32_t lane);

/** Ends a running job and gives its credit back. */
void hearth_sched_finish(struct hearth_sched *sched, struct hearth_job *job);

/** Takes a queued job out; returns false, and does nothing, if it is not queued. */
bool hearth_sched_withdraw(struct hearth_sched *sched, struct hearth_job *job);

/**
 * Sets all that waits in @lane aside, in the same short time however many there are: none of it
 * will go. These jobs are still queued; the caller withdraws them one by one, when it likes.
 */
void hearth_sched_doom(struct hearth_sched *sched, uint32_t lane);

/** The next doomed job of @lane, or NULL. */
struct hearth_job *hearth_sched_first_doomed(const struct hearth_sched *sched, uint32_t lane);

/** Returns a job, queued or running, whose deadline is not after @now_ms, or NULL. It stays where
 * it is: the caller withdraws or finishes it, or moves its deadline. */
struct hearth_job *hearth_sched_due(const struct hearth_sched *sched, uint64_t now_ms);

/** Gives a submitted job another deadline. */
void hearth_sched_set_deadline(struct hearth_sched *sched, struct hearth_job *job,
                               uint64_t deadline_ms);

/** The nearest deadline of all jobs, or HEARTH_SCHED_NEVER. */
uint64_t hearth_sched_next_deadline(const struct hearth_sched *sched);

/** The first job of @lane in that state, in the order in which they would go or went; or NULL. */
struct hearth_job *hearth_sched_first_queued(const struct hearth_sched *sched, uint32_t lane);
struct hearth_job *hearth_sched_first_running(const struct hearth_sched *sched, uint32_t lane);

/** How many queued jobs go before @job, which must be queued; 0 if it is doomed. */
uint32_t hearth_sched_position(const struct hearth_sched *sched, const struct hearth_job *job);

static inline const struct hearth_lane *hearth_sched_lane(const struct hearth_sched *sched,
                                                          uint32_t lane)
{
    return &sched->lanes[lane];
}

#endif
