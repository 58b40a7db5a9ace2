/* places.c — how many may wait, who goes before whom, and how long that takes.
 *
 * Positions come from the counters alone: the jobs of another flow that go before the job at
 * counter C are those that start before that flow's counter has grown to C. */

#include "sched_priv.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- positions ---------------------------------------------------------------------------- */

/* By how much a start of @turn raises its counter: as its first job will. */
static uint64_t step_of(const struct hearth_flow *flow, uint32_t work)
{
    uint64_t flows = HEARTH_MAX(1u, flow->user->flows[flow->lane]);
    uint64_t price = flows * HEARTH_SCHED_SCALE / HEARTH_MAX(1u, flow->user->weight);
    return HEARTH_MAX(1u, price) * HEARTH_MIN(work, HEARTH_SCHED_MAX_WORK);
}

/* A job that is asked about, and the counter that its flow will have when its turn comes. */
struct asked {
    const struct hearth_turn *turn;
    uint64_t key; /* of its turn, or what it will be */
    uint64_t order;
    uint64_t step;
    uint32_t behind; /* jobs of its own turn before it */
    uint64_t counter;
};

/* Both come to the same counter, @turn after @starts starts: did it come there first? */
static bool comes_first(const struct asked *asked, const struct hearth_turn *turn, uint64_t starts,
                        uint64_t step)
{
    if (starts == 0 || asked->behind == 0) {
        bool are_there = starts == 0 && asked->behind == 0;
        return are_there ? turn->node.order < asked->order : starts == 0;
    }
    if (step != asked->step) {
        return step > asked->step; /* its start before was at a lower counter, so earlier */
    }
    return turn->node.key != asked->key ? turn->node.key > asked->key
                                        : turn->node.order < asked->order;
}

/* Jobs of @turn that start before the one that is asked about. */
static uint64_t jobs_before(const struct asked *asked, const struct hearth_turn *turn)
{
    const struct hearth_job *first = HEARTH_CONTAINER(struct hearth_job, link, turn->jobs.next);
    uint64_t step = step_of(first->flow, first->work);
    if (turn->node.key > asked->counter) {
        return 0;
    }
    uint64_t way = asked->counter - turn->node.key;
    uint64_t starts = way / step;
    bool is_more = way % step != 0 || comes_first(asked, turn, starts, step);
    return HEARTH_MIN(turn->queued_count, starts + is_more);
}

/* Of a job that has @behind jobs of its own turn before it. */
static uint32_t position_of(const struct hearth_lane *lane, const struct hearth_flow *flow,
                            enum hearth_priority priority, uint32_t work, uint32_t behind)
{
    const struct hearth_class *class = &lane->classes[priority];
    const struct hearth_turn *own = &flow->turns[priority];
    uint64_t floor = class->first != NULL ? class->first->key : class->counter;
    bool waits = own->queued_count > 0;
    struct asked asked = {
        .turn = own,
        .key = waits ? own->node.key : HEARTH_MAX(own->counter, floor),
        .order = waits ? own->node.order : UINT64_MAX,
        .step = step_of(flow, work),
        .behind = behind,
    };
    uint64_t before = behind;
    asked.counter = asked.key + behind * asked.step;
    for (uint32_t p = (uint32_t)priority + 1; p < HEARTH_SCHED_PRIORITIES; p++) {
        before += lane->classes[p].queued_count;
    }
    HEARTH_LIST_EACH(struct hearth_turn, of_class, turn, &class->turns) {
        before += turn != own ? jobs_before(&asked, turn) : 0;
    }
    return (uint32_t)HEARTH_MIN(before, UINT32_MAX);
}

/* Until @jobs have ended, rounded up; 0: not known. */
static uint32_t wait_ms(const struct hearth_lane *lane, uint64_t jobs)
{
    if (lane->ended < HEARTH_SCHED_MEASURED) {
        return 0;
    }
    uint64_t ms = (jobs * lane->busy_ms + lane->ended - 1) / lane->ended;
    return (uint32_t)HEARTH_MAX(1u, HEARTH_MIN(ms, UINT32_MAX));
}

void hearth_sched_place(const struct hearth_sched *sched, const struct hearth_job *job,
                        struct hearth_sched_place *ret)
{
    HEARTH_ASSERT(job->state == HEARTH_JOB_QUEUED);
    const struct hearth_lane *lane = hearth_sched_lane(sched, job->flow->lane);
    const struct hearth_list *jobs = &job->flow->turns[job->priority].jobs;
    uint32_t behind = 0;
    *ret = (struct hearth_sched_place){0};
    if (job->generation != lane->generation) {
        return;
    }
    for (const struct hearth_list *at = jobs->next; at != &job->link; at = at->next) {
        behind++;
    }
    ret->position = position_of(lane, job->flow, job->priority, job->work, behind);
    ret->expected_wait_ms = wait_ms(lane, (uint64_t)ret->position + 1);
}

static void tell_turn(const struct hearth_lane *lane, const struct hearth_turn *turn,
                      void (*tell)(void *arg, struct hearth_job *job,
                                   const struct hearth_sched_place *place),
                      void *arg)
{
    uint32_t behind = 0;
    HEARTH_LIST_EACH(struct hearth_job, link, job, &turn->jobs) {
        struct hearth_sched_place place = {
            .position = position_of(lane, job->flow, job->priority, job->work, behind++)};
        place.expected_wait_ms = wait_ms(lane, (uint64_t)place.position + 1);
        tell(arg, job, &place);
    }
}

void hearth_sched_each_queued(const struct hearth_sched *sched, uint32_t lane_index,
                              void (*tell)(void *arg, struct hearth_job *job,
                                           const struct hearth_sched_place *place),
                              void *arg)
{
    const struct hearth_lane *lane = hearth_sched_lane(sched, lane_index);
    for (uint32_t p = HEARTH_SCHED_PRIORITIES; p-- > 0;) {
        HEARTH_LIST_EACH(struct hearth_turn, of_class, turn, &lane->classes[p].turns) {
            tell_turn(lane, turn, tell, arg);
        }
    }
}

/* ---- limits ------------------------------------------------------------------------------- */

/* A flow with nothing waiting is let in beyond the limit of its lane, so that it is not shut out.
 */
static uint32_t lane_limit(const struct hearth_sched *sched, const struct hearth_flow *flow)
{
    uint32_t limit = sched->limits.lane;
    for (uint32_t p = 0; p < HEARTH_SCHED_PRIORITIES; p++) {
        if (flow->turns[p].queued_count > 0) {
            return limit;
        }
    }
    return limit + limit / HEARTH_SCHED_RESERVE_PER;
}

static int refuse(struct hearth_error *err, const struct hearth_sched_place *place, uint64_t count,
                  const char *what, const char *limit_name, uint64_t limit)
{
    char wait[48] = "";
    if (place->expected_wait_ms != 0) {
        snprintf(wait, sizeof wait, " and wait about %" PRIu32 " ms", place->expected_wait_ms);
    }
    return hearth_fail(err, HEARTH_E_QUEUE_FULL,
                       "%" PRIu64 " %s (%s %" PRIu64 "); this one would be number %" PRIu64 "%s",
                       count, what, limit_name, limit, (uint64_t)place->position + 1, wait);
}

static int check_bytes(const struct hearth_sched *sched, const struct hearth_job *job,
                       const struct hearth_sched_place *place, struct hearth_error *err)
{
    uint64_t limit = sched->limits.bytes;
    if (job->bytes > limit - HEARTH_MIN(sched->queued_bytes, limit)) {
        return hearth_fail(err, HEARTH_E_QUEUE_FULL,
                           "%" PRIu64 " bytes of requests wait (limit %" PRIu64 "); this one has "
                           "%" PRIu64 " more and would be number %" PRIu64,
                           sched->queued_bytes, limit, job->bytes, (uint64_t)place->position + 1);
    }
    return 0;
}

/* Only what is full needs to know the place, which takes time. */
static bool is_full(const struct hearth_sched *sched, const struct hearth_job *job,
                    const struct hearth_flow *flow)
{
    const struct hearth_lane *lane = &sched->lanes[flow->lane];
    uint32_t of_class = sched->limits.classes[job->priority];
    uint32_t of_user = flow->user->queue_limit;
    uint64_t bytes = sched->limits.bytes - HEARTH_MIN(sched->queued_bytes, sched->limits.bytes);
    return lane->queued_count >= sched->limits.lane || job->bytes > bytes ||
           (of_class > 0 && lane->classes[job->priority].queued_count >= of_class) ||
           (of_user > 0 && flow->user->queued[flow->lane] >= of_user);
}

static int check_full(const struct hearth_sched *sched, const struct hearth_job *job,
                      const struct hearth_flow *flow, const struct hearth_sched_place *place,
                      struct hearth_error *err)
{
    const struct hearth_lane *lane = &sched->lanes[flow->lane];
    uint32_t in_class = lane->classes[job->priority].queued_count;
    uint32_t of_class = sched->limits.classes[job->priority];
    uint32_t of_user = flow->user->queue_limit;
    char name[48];
    if (of_class > 0 && in_class >= of_class) {
        snprintf(name, sizeof name, "queue_limit_%s", hearth_priority_name(job->priority));
        return refuse(err, place, in_class, "requests of this class wait for this model", name,
                      of_class);
    }
    if (of_user > 0 && flow->user->queued[flow->lane] >= of_user) {
        return refuse(err, place, flow->user->queued[flow->lane],
                      "requests of this user wait for this model", "its queue limit", of_user);
    }
    if (lane->queued_count >= lane_limit(sched, flow)) {
        return refuse(err, place, lane->queued_count, "requests wait for this model", "queue_limit",
                      sched->limits.lane);
    }
    return check_bytes(sched, job, place, err);
}

static void find_place(const struct hearth_lane *lane, const struct hearth_job *job,
                       const struct hearth_flow *flow, struct hearth_sched_place *ret)
{
    uint32_t behind = flow->turns[job->priority].queued_count;
    ret->position = position_of(lane, flow, job->priority, job->work, behind);
    ret->expected_wait_ms = wait_ms(lane, (uint64_t)ret->position + 1);
    ret->retry_after_ms = wait_ms(lane, 1);
}

/* Only refused when it would be too late even if things went HEARTH_SCHED_DOUBT times faster. */
static int check_deadline(const struct hearth_lane *lane, const struct hearth_job *job,
                          const struct hearth_flow *flow, uint64_t now_ms,
                          struct hearth_sched_place *place, struct hearth_error *err)
{
    uint64_t left_ms = job->deadline_ms - now_ms;
    uint64_t bearable_ms = left_ms > UINT32_MAX ? UINT64_MAX : left_ms * HEARTH_SCHED_DOUBT;
    if (lane->queued_count == 0 || wait_ms(lane, lane->queued_count + 1) <= bearable_ms) {
        return 0;
    }
    find_place(lane, job, flow, place);
    if (place->expected_wait_ms <= bearable_ms) {
        return 0;
    }
    return hearth_fail(err, HEARTH_E_EXPIRED,
                       "its deadline is in %" PRIu64 " ms, and %" PRIu32
                       " requests before it take about %" PRIu32 " ms",
                       left_ms, place->position, place->expected_wait_ms);
}

int places_check(const struct hearth_sched *sched, const struct hearth_job *job,
                 const struct hearth_flow *flow, uint64_t now_ms, struct hearth_sched_place *place,
                 struct hearth_error *err)
{
    const struct hearth_lane *lane = &sched->lanes[flow->lane];
    if (job->deadline_ms <= now_ms) {
        return hearth_fail(err, HEARTH_E_EXPIRED, "deadline passed %" PRIu64 " ms ago",
                           now_ms - job->deadline_ms);
    }
    if (is_full(sched, job, flow)) {
        find_place(lane, job, flow, place);
        int rc = check_full(sched, job, flow, place, err);
        if (rc < 0) {
            return rc;
        }
    }
    return check_deadline(lane, job, flow, now_ms, place, err);
}
