/* hearth_sched.h — decides which queued job goes next to which model.
 *
 * Not here: memory arithmetic (budget/), process life (pool/), who the caller is (session/). It
 * sees no descriptor and no clock: every entry point that needs the time is handed `now_ms`.
 *
 * Words: a *job* is one request; a *lane* is the queue of one model; a *flow* is what one
 * connection asks of one lane; a *user* owns flows. *Work* is what a job costs: inputs, or tokens
 * where a model generates. *Credit* is how many inputs the worker of a lane takes at a time, for
 * each class alone: what runs of lower classes does not count, because the worker lets them stand
 * back for a higher one. A job keeps its inputs' credit from hearth_sched_next() to
 * hearth_sched_finish().
 *
 * Order, of the jobs that wait in a lane:
 *  1. The highest class goes first.
 *  2. Ageing: but if a job of a lower class has waited HEARTH_SCHED_AGED_MS or longer, one start of
 *     HEARTH_SCHED_AGED_TURN is for a lower class: for that whose first-come job has waited
 * longest. What goes so has, while it runs, the rank of the highest class that waits, so that
 * nothing stands in its way at the worker either. So each class has at least that share of the
 * starts.
 *  3. Inside a class the flow with the smallest counter goes first; equal ones in the order in
 * which they came to it. The counter of a flow grows by work * (flows of its user that have jobs in
 *     the lane) / weight of the user: so users share by weight, and the flows of a user evenly.
 *     A flow that had nothing waiting in the class is lifted to the smallest counter of those that
 *     wait, or if none does to that of the last start: being idle earns nothing.
 *  4. Inside a flow and class first come, first served.
 * The job that is next waits until all its inputs fit into the credit of its rank, and those behind
 * it wait with it, so a large batch is never overtaken for ever; a job larger than the whole credit
 * runs alone among its class and higher ones.
 *
 * Rule 3 is start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996) with counters that are
 * lifted and charged while work is served as in the Virtual Token Counter (Sheng et al., "Fairness
 * in Serving Large Language Models", OSDI 2024): `work` is charged at the start,
 * hearth_sched_serve() charges what goes beyond it, and hearth_sched_finish() corrects it to what
 * was really served.
 *
 * Threads: one at a time. Nothing here blocks or allocates.                                      */

#ifndef HEARTH_SCHED_H
#define HEARTH_SCHED_H

#include "jobs.h"

#define HEARTH_SCHED_AGED_MS     2000u      /* so long in a lower class is long enough */
#define HEARTH_SCHED_AGED_TURN   4u         /* one start of so many may be for a lower class */
#define HEARTH_SCHED_SCALE       65536u     /* of counters: one unit of work of weight 1 */
#define HEARTH_SCHED_MAX_WORK    (1u << 23) /* that one job is charged */
#define HEARTH_SCHED_MEASURED    16u        /* ends until a lane knows its rate */
#define HEARTH_SCHED_DOUBT       2u /* a wait may be so many times shorter than it is expected */
#define HEARTH_SCHED_RESERVE_PER 8u /* of the lane's limit: for flows that have nothing waiting */

/** Prepares empty lanes without credit. */
void hearth_sched_init(struct hearth_sched *sched, const struct hearth_sched_limits *limits);

/** Prepares @flow of @user in @lane. */
void hearth_sched_flow_init(struct hearth_flow *flow, struct hearth_sched_user *user,
                            uint32_t lane);

/**
 * Appends @job to @flow. The job is the scheduler's until it is finished or withdrawn.
 *
 * HEARTH_E_EXPIRED if its deadline is not after @now_ms, or if the jobs before it would take longer
 * than HEARTH_SCHED_DOUBT times what is left; HEARTH_E_QUEUE_FULL says what is full. The job is
 * then untouched, and *@ret_place (unless NULL) is the place that it would have had.
 */
HEARTH_NODISCARD int hearth_sched_submit(struct hearth_sched *sched, struct hearth_job *job,
                                         struct hearth_flow *flow, uint64_t now_ms,
                                         struct hearth_sched_place *ret_place,
                                         struct hearth_error *err);

/** Sets how many inputs the worker of @lane takes at a time; 0 stops the lane. */
void hearth_sched_set_credit(struct hearth_sched *sched, uint32_t lane, uint32_t inputs);

/**
 * Sets how much of the credit of @lane the jobs of one flow may have that are more than two; 0: all
 * of it. It keeps decisions late where a worker takes more than it computes at a time: who floods
 * the lane does not fill the worker's own queue, in which nobody overtakes him any more. What is
 * next waits for this as it waits for credit.
 */
void hearth_sched_set_flow_credit(struct hearth_sched *sched, uint32_t lane, uint32_t inputs);

/** Moves the next job of @lane to running and returns it; NULL if none may go now. */
struct hearth_job *hearth_sched_next(struct hearth_sched *sched, uint32_t lane, uint64_t now_ms);

/** Charges a running job what it was served so far, if that is more than it was charged. */
void hearth_sched_serve(struct hearth_sched *sched, struct hearth_job *job, uint32_t work);

/** Ends a running job, which was served @work in all, and gives its credit back. */
void hearth_sched_finish(struct hearth_sched *sched, struct hearth_job *job, uint32_t work,
                         uint64_t now_ms);

/** Takes a queued job out; returns false, and does nothing, if it is not queued. */
bool hearth_sched_withdraw(struct hearth_sched *sched, struct hearth_job *job);

/**
 * Sets all that waits in @lane aside, in time that grows with the flows and not with the jobs: none
 * of it will go. These jobs are still queued; the caller withdraws them one by one, when it likes.
 */
void hearth_sched_doom(struct hearth_sched *sched, uint32_t lane);

/** The next doomed job of @lane, or NULL. */
struct hearth_job *hearth_sched_first_doomed(const struct hearth_sched *sched, uint32_t lane);

/** Returns a job, queued or running, whose deadline is not after @now_ms, or NULL. It stays where
 * it is: the caller withdraws or finishes it, or moves its deadline. */
struct hearth_job *hearth_sched_due(struct hearth_sched *sched, uint64_t now_ms);

/** Gives a submitted job another deadline. */
void hearth_sched_set_deadline(struct hearth_sched *sched, struct hearth_job *job,
                               uint64_t deadline_ms);

/** When to ask hearth_sched_due() next: not after the nearest deadline of all jobs, and a few times
 * before a distant one. HEARTH_SCHED_NEVER: nothing has a deadline. */
uint64_t hearth_sched_next_deadline(const struct hearth_sched *sched);

/** The job of @lane that started first of those that run, or NULL. */
struct hearth_job *hearth_sched_first_running(const struct hearth_sched *sched, uint32_t lane);

/** A job that waits in @lane, or NULL; of the highest class that which came first. */
struct hearth_job *hearth_sched_first_queued(const struct hearth_sched *sched, uint32_t lane);

/** Where @job, which must be queued, stands, if all jobs cost what the first of their flow does and
 * nothing ages; of a doomed one nothing. Takes time with the jobs of its flow and the flows. */
void hearth_sched_place(const struct hearth_sched *sched, const struct hearth_job *job,
                        struct hearth_sched_place *ret);

/** Tells the same of all that wait in @lane, by class and flow; quicker than asking one by one. */
void hearth_sched_each_queued(const struct hearth_sched *sched, uint32_t lane,
                              void (*tell)(void *arg, struct hearth_job *job,
                                           const struct hearth_sched_place *place),
                              void *arg);

static inline const struct hearth_lane *hearth_sched_lane(const struct hearth_sched *sched,
                                                          uint32_t lane)
{
    return &sched->lanes[lane];
}

#endif
