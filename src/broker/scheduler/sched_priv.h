/* sched_priv.h — what the files of this room call of each other. */

#ifndef HEARTH_SCHED_PRIV_H
#define HEARTH_SCHED_PRIV_H

#include "hearth_sched.h"

#define SCHED_MAGIC 0x53434844u

static inline struct hearth_lane *sched_lane_of(struct hearth_sched *sched,
                                                const struct hearth_flow *flow)
{
    return &sched->lanes[flow->lane];
}

/* fairness.c: turns of flows in their class */
void fairness_enter(struct hearth_sched *sched, struct hearth_job *job);
void fairness_leave(struct hearth_sched *sched, struct hearth_job *job);
void fairness_charge(struct hearth_sched *sched, struct hearth_job *job); /* as it starts */
void fairness_correct(struct hearth_sched *sched, struct hearth_job *job, uint32_t work);
struct hearth_job *fairness_first(const struct hearth_class *class); /* NULL: nothing waits */
void fairness_forget(struct hearth_class *class);                    /* its jobs leave all turns */

/* places.c: limits, positions and waits */
int places_check(const struct hearth_sched *sched, const struct hearth_job *job,
                 const struct hearth_flow *flow, uint64_t now_ms, struct hearth_sched_place *place,
                 struct hearth_error *err);

#endif
