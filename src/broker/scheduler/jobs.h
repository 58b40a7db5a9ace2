/* jobs.h — jobs, flows, users and lanes as the scheduler keeps them; hearth_sched.h tells what they
 * are. What the caller may set says so, all else is the scheduler's. */

#ifndef HEARTH_SCHED_JOBS_H
#define HEARTH_SCHED_JOBS_H

#include "hearth_base.h"
#include "hearth_wire.h"
#include "turns.h"
#include "wheel.h"

#define HEARTH_SCHED_LANES      HEARTH_MAX_MODELS
#define HEARTH_SCHED_PRIORITIES 4u
#define HEARTH_SCHED_NEVER      HEARTH_WHEEL_NEVER

enum hearth_job_state { HEARTH_JOB_IDLE, HEARTH_JOB_QUEUED, HEARTH_JOB_RUNNING };

/** Who owns flows. The caller's, zeroed; it sets the first block, and may change it at any time. */
struct hearth_sched_user {
    uint32_t weight;      /* at least 1 */
    uint32_t queue_limit; /* its jobs that may wait in one lane; 0: no limit of its own */

    uint32_t flows[HEARTH_SCHED_LANES];  /* that have jobs in the lane, waiting or running */
    uint32_t queued[HEARTH_SCHED_LANES]; /* jobs that wait there */
};

/** The jobs of one class of one flow. */
struct hearth_turn {
    struct hearth_turn_node node; /* while any of them wait: in the class */
    struct hearth_list of_class;
    struct hearth_list jobs; /* that wait, in the order in which they came */
    uint64_t counter;
    uint32_t queued_count;
};

/** What one connection asks of one lane. The caller's, prepared by hearth_sched_flow_init(); it
 *  stays where it is as long as `job_count` is not 0. */
struct hearth_flow {
    struct hearth_sched_user *user;
    uint32_t lane;
    uint32_t job_count;    /* that refer to it, the doomed included */
    uint32_t active_count; /* of them, without the doomed */
    uint32_t running_count;
    uint32_t running_inputs[HEARTH_SCHED_PRIORITIES]; /* by rank */
    struct hearth_turn turns[HEARTH_SCHED_PRIORITIES];
};

/** One request as the scheduler sees it: owned by the caller, zeroed before first use. The caller
 *  sets the first block before hearth_sched_submit(); the rest is the scheduler's. */
struct hearth_job {
    uint64_t deadline_ms; /* absolute; HEARTH_SCHED_NEVER = none */
    uint64_t bytes;       /* memory that it keeps while it waits */
    uint32_t inputs;      /* at least 1 */
    uint32_t work;        /* charged when it starts: as well as the caller knows; at least 1 */
    enum hearth_priority priority;

    enum hearth_job_state state;
    enum hearth_priority rank; /* while it runs: the class whose credit it takes */
    uint32_t generation;       /* of its lane when it was submitted */
    uint32_t charged;          /* work */
    struct hearth_flow *flow;
    uint64_t submitted_ms;
    uint64_t price;              /* of a unit of work, when it started */
    struct hearth_list link;     /* in its turn, or running */
    struct hearth_list of_class; /* by arrival; or doomed */
    struct hearth_wheel_node due;
};

struct hearth_class {
    struct hearth_turn_node *first; /* of the turns that wait */
    struct hearth_list turns;       /* the same, in no order */
    struct hearth_list arrivals;    /* jobs that wait, the first come first */
    uint64_t counter;               /* of the flow that started last, never falling */
    uint32_t queued_count;
};

struct hearth_lane {
    struct hearth_class classes[HEARTH_SCHED_PRIORITIES];
    struct hearth_list doomed;
    struct hearth_list running;
    uint32_t generation; /* a queued job of an earlier one is doomed */
    uint32_t doomed_count;
    uint32_t queued_count; /* without the doomed */
    uint32_t running_count;
    uint32_t running_inputs[HEARTH_SCHED_PRIORITIES]; /* by rank */
    uint32_t credit;                                  /* 0 while there is no worker */
    uint32_t flow_credit;                             /* of it, for one flow; 0: all of it */
    uint32_t starts;    /* since one was for an aged job, at most HEARTH_SCHED_AGED_TURN */
    uint64_t marked_ms; /* since then something has waited all the time; NEVER: not known */
    uint64_t busy_ms;   /* of times in which something waited, and the jobs that ended in them: */
    uint64_t ended;
};

/** How many jobs may wait. The caller may change them at any time. */
struct hearth_sched_limits {
    uint32_t lane; /* in one lane; an eighth more for flows that have nothing waiting there */
    uint32_t
        classes[HEARTH_SCHED_PRIORITIES]; /* of one class in one lane; 0: no limit of its own */
    uint64_t bytes;                       /* memory of all that wait */
};

/** Where a job stands or would stand. */
struct hearth_sched_place {
    uint32_t position;         /* jobs that would go before it, should nothing new come */
    uint32_t expected_wait_ms; /* at the rate of late; 0: not known */
    uint32_t retry_after_ms;   /* of a refusal: until a place gets free; 0: not known */
};

struct hearth_sched {
    uint32_t magic;
    struct hearth_sched_limits limits;
    uint64_t queued_bytes;
    uint32_t queued_count; /* with the doomed */
    uint32_t running_count;
    uint64_t orders; /* given to turns */
    struct hearth_wheel due;
    struct hearth_lane lanes[HEARTH_SCHED_LANES];
};

#endif
