/* scheduler.c — lanes, credit, ageing and the ends of jobs. */

#include "hearth_sched.h"

#include "sched_priv.h"
#include <inttypes.h>

void hearth_sched_init(struct hearth_sched *sched, const struct hearth_sched_limits *limits)
{
    *sched = (struct hearth_sched){.magic = SCHED_MAGIC, .limits = *limits};
    sched_wheel_init(&sched->due);
    for (uint32_t i = 0; i < HEARTH_SCHED_LANES; i++) {
        struct hearth_lane *lane = &sched->lanes[i];
        lane->marked_ms = HEARTH_SCHED_NEVER;
        hearth_list_init(&lane->running);
        hearth_list_init(&lane->doomed);
        for (uint32_t p = 0; p < HEARTH_SCHED_PRIORITIES; p++) {
            hearth_list_init(&lane->classes[p].turns);
            hearth_list_init(&lane->classes[p].arrivals);
        }
    }
}

void hearth_sched_flow_init(struct hearth_flow *flow, struct hearth_sched_user *user, uint32_t lane)
{
    HEARTH_ASSERT(lane < HEARTH_SCHED_LANES);
    *flow = (struct hearth_flow){.user = user, .lane = lane};
    for (uint32_t p = 0; p < HEARTH_SCHED_PRIORITIES; p++) {
        hearth_list_init(&flow->turns[p].of_class);
        hearth_list_init(&flow->turns[p].jobs);
    }
}

static struct hearth_lane *lane_at(struct hearth_sched *sched, uint32_t lane)
{
    HEARTH_CHECK(sched, SCHED_MAGIC);
    HEARTH_ASSERT(lane < HEARTH_SCHED_LANES);
    return &sched->lanes[lane];
}

static const struct hearth_lane *peek_lane(const struct hearth_sched *sched, uint32_t lane)
{
    HEARTH_CHECK(sched, SCHED_MAGIC);
    HEARTH_ASSERT(lane < HEARTH_SCHED_LANES);
    return &sched->lanes[lane];
}

/* ---- waiting ------------------------------------------------------------------------------ */

static void activate(struct hearth_flow *flow)
{
    flow->job_count++;
    if (flow->active_count++ == 0) {
        flow->user->flows[flow->lane]++;
    }
}

static void deactivate(struct hearth_flow *flow)
{
    flow->job_count--;
    if (--flow->active_count == 0) {
        flow->user->flows[flow->lane]--;
    }
}

int hearth_sched_submit(struct hearth_sched *sched, struct hearth_job *job,
                        struct hearth_flow *flow, uint64_t now_ms,
                        struct hearth_sched_place *ret_place, struct hearth_error *err)
{
    struct hearth_lane *lane = lane_at(sched, flow->lane);
    struct hearth_sched_place place = {0};
    HEARTH_ASSERT(job->state == HEARTH_JOB_IDLE && job->inputs > 0 && job->work > 0);
    HEARTH_ASSERT((unsigned)job->priority < HEARTH_SCHED_PRIORITIES);
    int rc = places_check(sched, job, flow, now_ms, &place, err);
    if (rc < 0) {
        *(ret_place != NULL ? ret_place : &place) = place;
        return rc;
    }
    job->state = HEARTH_JOB_QUEUED;
    job->flow = flow;
    job->generation = lane->generation;
    job->submitted_ms = now_ms;
    activate(flow);
    fairness_enter(sched, job);
    sched_wheel_insert(&sched->due, &job->due, job->deadline_ms, now_ms);
    if (lane->queued_count++ == 0) {
        lane->marked_ms = now_ms;
    }
    flow->user->queued[flow->lane]++;
    sched->queued_count++;
    sched->queued_bytes += job->bytes;
    return 0;
}

static bool is_doomed(const struct hearth_lane *lane, const struct hearth_job *job)
{
    return job->generation != lane->generation;
}

static void leave_queue(struct hearth_sched *sched, struct hearth_job *job)
{
    struct hearth_lane *lane = sched_lane_of(sched, job->flow);
    if (is_doomed(lane, job)) {
        hearth_list_remove(&job->link);
        hearth_list_remove(&job->of_class);
        lane->doomed_count--;
    } else {
        fairness_leave(sched, job);
        lane->queued_count--;
        job->flow->user->queued[job->flow->lane]--;
    }
    sched->queued_count--;
    sched->queued_bytes -= job->bytes;
}

bool hearth_sched_withdraw(struct hearth_sched *sched, struct hearth_job *job)
{
    HEARTH_CHECK(sched, SCHED_MAGIC);
    if (job->state != HEARTH_JOB_QUEUED) {
        return false;
    }
    bool was_doomed = is_doomed(sched_lane_of(sched, job->flow), job);
    leave_queue(sched, job);
    sched_wheel_remove(&sched->due, &job->due);
    if (was_doomed) {
        job->flow->job_count--;
    } else {
        deactivate(job->flow);
    }
    job->state = HEARTH_JOB_IDLE;
    return true;
}

/* Moves all elements of @from behind those of @to. */
static void splice(struct hearth_list *to, struct hearth_list *from)
{
    if (hearth_list_is_empty(from)) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    hearth_list_init(from);
}

void hearth_sched_doom(struct hearth_sched *sched, uint32_t lane_index)
{
    struct hearth_lane *lane = lane_at(sched, lane_index);
    if (lane->queued_count == 0) {
        return; /* so that a generation is never used up by nothing */
    }
    for (uint32_t p = HEARTH_SCHED_PRIORITIES; p-- > 0;) {
        splice(&lane->doomed, &lane->classes[p].arrivals);
        fairness_forget(&lane->classes[p]);
    }
    lane->doomed_count += lane->queued_count;
    lane->queued_count = 0;
    lane->generation++;
}

struct hearth_job *hearth_sched_first_doomed(const struct hearth_sched *sched, uint32_t lane)
{
    const struct hearth_list *doomed = &peek_lane(sched, lane)->doomed;
    return HEARTH_LIST_FIRST(struct hearth_job, of_class, doomed);
}

/* ---- going -------------------------------------------------------------------------------- */

void hearth_sched_set_credit(struct hearth_sched *sched, uint32_t lane_index, uint32_t inputs)
{
    struct hearth_lane *lane = lane_at(sched, lane_index);
    if (lane->credit == 0) {
        lane->marked_ms = HEARTH_SCHED_NEVER; /* what waited, waited for the worker */
    }
    lane->credit = inputs;
}

void hearth_sched_set_flow_credit(struct hearth_sched *sched, uint32_t lane, uint32_t inputs)
{
    lane_at(sched, lane)->flow_credit = inputs;
}

/* When the job of @class that has waited longest came; NEVER if none waits. */
static uint64_t first_arrival_ms(const struct hearth_class *class)
{
    const struct hearth_job *job = HEARTH_LIST_FIRST(struct hearth_job, of_class, &class->arrivals);
    return job != NULL ? job->submitted_ms : HEARTH_SCHED_NEVER;
}

/* The class below @highest whose turn it is by age, or @highest. Of equal ages the higher one. */
static uint32_t aged_class(const struct hearth_lane *lane, uint32_t highest, uint64_t now_ms)
{
    uint64_t oldest_ms = HEARTH_SCHED_NEVER;
    uint32_t found = highest;
    if (lane->starts + 1 < HEARTH_SCHED_AGED_TURN) {
        return highest;
    }
    for (uint32_t p = highest; p-- > 0;) {
        uint64_t came_ms = first_arrival_ms(&lane->classes[p]);
        if (came_ms < oldest_ms && now_ms >= came_ms && now_ms - came_ms >= HEARTH_SCHED_AGED_MS) {
            oldest_ms = came_ms;
            found = p;
        }
    }
    return found;
}

static uint32_t inputs_from(const uint32_t running_inputs[HEARTH_SCHED_PRIORITIES], uint32_t rank)
{
    uint32_t inputs = 0;
    for (uint32_t p = rank; p < HEARTH_SCHED_PRIORITIES; p++) {
        inputs += running_inputs[p];
    }
    return inputs;
}

/* Two jobs of a flow may always be there, so that the second of two batches fills the gaps that the
 * end of the first leaves. */
static bool has_flow_credit(const struct hearth_lane *lane, uint32_t rank,
                            const struct hearth_job *job)
{
    const struct hearth_flow *flow = job->flow;
    return lane->flow_credit == 0 || flow->running_count < 2 ||
           inputs_from(flow->running_inputs, rank) + job->inputs <= lane->flow_credit;
}

/* What runs of @rank and of higher ones takes its credit; lower ones stand back. */
static bool has_credit(const struct hearth_lane *lane, uint32_t rank, const struct hearth_job *job)
{
    uint32_t inputs = inputs_from(lane->running_inputs, rank);
    if (!has_flow_credit(lane, rank, job)) {
        return false;
    }
    if (inputs == 0) {
        return lane->credit > 0;
    }
    return inputs <= lane->credit && job->inputs <= lane->credit - inputs;
}

static void start(struct hearth_sched *sched, struct hearth_lane *lane, struct hearth_job *job,
                  uint32_t rank)
{
    bool is_aged = (uint32_t)job->priority != rank;
    leave_queue(sched, job);
    fairness_charge(sched, job);
    job->state = HEARTH_JOB_RUNNING;
    job->rank = (enum hearth_priority)rank;
    hearth_list_append(&lane->running, &job->link);
    lane->starts = is_aged ? 0 : HEARTH_MIN(lane->starts + 1, HEARTH_SCHED_AGED_TURN);
    lane->running_count++;
    lane->running_inputs[rank] += job->inputs;
    job->flow->running_count++;
    job->flow->running_inputs[rank] += job->inputs;
    sched->running_count++;
}

struct hearth_job *hearth_sched_next(struct hearth_sched *sched, uint32_t lane_index,
                                     uint64_t now_ms)
{
    struct hearth_lane *lane = lane_at(sched, lane_index);
    if (lane->queued_count == 0) {
        return NULL;
    }
    uint32_t highest = HEARTH_SCHED_PRIORITIES - 1;
    while (lane->classes[highest].queued_count == 0) {
        highest--;
    }
    uint32_t class = aged_class(lane, highest, now_ms);
    struct hearth_job *job = fairness_first(&lane->classes[class]);
    HEARTH_ASSERT(job != NULL);
    if (!has_credit(lane, highest, job)) {
        return NULL;
    }
    start(sched, lane, job, highest);
    return job;
}

void hearth_sched_serve(struct hearth_sched *sched, struct hearth_job *job, uint32_t work)
{
    HEARTH_CHECK(sched, SCHED_MAGIC);
    HEARTH_ASSERT(job->state == HEARTH_JOB_RUNNING);
    if (work > job->charged) {
        fairness_correct(sched, job, work);
    }
}

/* How fast a lane is, is seen while something waits: a lane without a queue is as fast as it is
 * asked. Both numbers are halved together, so that the last minutes count. */
static void measure(struct hearth_lane *lane, uint64_t now_ms)
{
    if (lane->queued_count > 0 && lane->marked_ms <= now_ms) {
        lane->busy_ms += now_ms - lane->marked_ms;
        lane->ended++;
    }
    if (lane->ended >= 4096 ||
        (lane->busy_ms >= 30000 && lane->ended >= 2 * HEARTH_SCHED_MEASURED)) {
        lane->busy_ms /= 2;
        lane->ended /= 2;
    }
    lane->marked_ms = now_ms;
}

void hearth_sched_finish(struct hearth_sched *sched, struct hearth_job *job, uint32_t work,
                         uint64_t now_ms)
{
    HEARTH_ASSERT(job->state == HEARTH_JOB_RUNNING);
    struct hearth_lane *lane = lane_at(sched, job->flow->lane);
    fairness_correct(sched, job, work);
    hearth_list_remove(&job->link);
    sched_wheel_remove(&sched->due, &job->due);
    measure(lane, now_ms);
    lane->running_count--;
    lane->running_inputs[job->rank] -= job->inputs;
    job->flow->running_count--;
    job->flow->running_inputs[job->rank] -= job->inputs;
    sched->running_count--;
    deactivate(job->flow);
    job->state = HEARTH_JOB_IDLE;
}

struct hearth_job *hearth_sched_first_running(const struct hearth_sched *sched, uint32_t lane)
{
    const struct hearth_list *running = &peek_lane(sched, lane)->running;
    return HEARTH_LIST_FIRST(struct hearth_job, link, running);
}

struct hearth_job *hearth_sched_first_queued(const struct hearth_sched *sched, uint32_t lane_index)
{
    const struct hearth_lane *lane = peek_lane(sched, lane_index);
    for (uint32_t p = HEARTH_SCHED_PRIORITIES; p-- > 0;) {
        const struct hearth_list *arrivals = &lane->classes[p].arrivals;
        if (!hearth_list_is_empty(arrivals)) {
            return HEARTH_LIST_FIRST(struct hearth_job, of_class, arrivals);
        }
    }
    return NULL;
}

/* ---- deadlines ---------------------------------------------------------------------------- */

struct hearth_job *hearth_sched_due(struct hearth_sched *sched, uint64_t now_ms)
{
    HEARTH_CHECK(sched, SCHED_MAGIC);
    struct hearth_wheel_node *node = sched_wheel_due(&sched->due, now_ms);
    return node != NULL ? HEARTH_CONTAINER(struct hearth_job, due, node) : NULL;
}

void hearth_sched_set_deadline(struct hearth_sched *sched, struct hearth_job *job,
                               uint64_t deadline_ms)
{
    HEARTH_CHECK(sched, SCHED_MAGIC);
    HEARTH_ASSERT(job->state != HEARTH_JOB_IDLE);
    sched_wheel_remove(&sched->due, &job->due);
    job->deadline_ms = deadline_ms;
    sched_wheel_insert(&sched->due, &job->due, deadline_ms, 0);
}

uint64_t hearth_sched_next_deadline(const struct hearth_sched *sched)
{
    HEARTH_CHECK(sched, SCHED_MAGIC);
    return sched_wheel_next_ms(&sched->due);
}
