/* scheduler.c — lanes of four queues, credit and deadlines.
 *
 * All jobs with a deadline stand in one list in its order; new deadlines are mostly the latest, so
 * an insertion looks from the end.                                                               */

#include "hearth_sched.h"

#include <inttypes.h>

#define SCHED_MAGIC 0x53434844u

void hearth_sched_init(struct hearth_sched *sched, uint32_t queue_limit, uint64_t queue_limit_bytes)
{
    *sched = (struct hearth_sched){
        .magic = SCHED_MAGIC,
        .queue_limit = queue_limit,
        .queue_limit_bytes = queue_limit_bytes,
    };
    hearth_list_init(&sched->due);
    for (uint32_t i = 0; i < HEARTH_SCHED_LANES; i++) {
        struct hearth_lane *lane = &sched->lanes[i];
        hearth_list_init(&lane->running);
        hearth_list_init(&lane->doomed);
        for (uint32_t p = 0; p < HEARTH_SCHED_PRIORITIES; p++) {
            hearth_list_init(&lane->queued[p]);
        }
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

static void insert_by_deadline(struct hearth_sched *sched, struct hearth_job *job)
{
    hearth_list_init(&job->due);
    if (job->deadline_ms == HEARTH_SCHED_NEVER) {
        return;
    }
    struct hearth_list *before = &sched->due;
    while (before->prev != &sched->due &&
           HEARTH_CONTAINER(struct hearth_job, due, before->prev)->deadline_ms > job->deadline_ms) {
        before = before->prev;
    }
    hearth_list_insert_before(before, &job->due);
}

static int check_room(const struct hearth_sched *sched, const struct hearth_lane *lane,
                      const struct hearth_job *job, struct hearth_error *err)
{
    if (lane->queued_count >= sched->queue_limit) {
        return hearth_fail(err, HEARTH_E_QUEUE_FULL,
                           "%" PRIu32 " requests wait for this model (queue_limit %" PRIu32
                           "); this one would be number %" PRIu32,
                           lane->queued_count, sched->queue_limit, lane->queued_count + 1);
    }
    if (job->bytes >
        sched->queue_limit_bytes - HEARTH_MIN(sched->queued_bytes, sched->queue_limit_bytes)) {
        return hearth_fail(err, HEARTH_E_QUEUE_FULL,
                           "%" PRIu64 " bytes of requests wait (limit %" PRIu64 "); this one has "
                           "%" PRIu64 " more and would be number %" PRIu32,
                           sched->queued_bytes, sched->queue_limit_bytes, job->bytes,
                           lane->queued_count + 1);
    }
    return 0;
}

int hearth_sched_submit(struct hearth_sched *sched, struct hearth_job *job, uint32_t lane_index,
                        uint64_t now_ms, struct hearth_error *err)
{
    struct hearth_lane *lane = lane_at(sched, lane_index);
    HEARTH_ASSERT(job->state == HEARTH_JOB_IDLE && job->inputs > 0);
    HEARTH_ASSERT((unsigned)job->priority < HEARTH_SCHED_PRIORITIES);
    if (job->deadline_ms <= now_ms) {
        return hearth_fail(err, HEARTH_E_EXPIRED, "deadline passed %" PRIu64 " ms ago",
                           now_ms - job->deadline_ms);
    }
    int rc = check_room(sched, lane, job, err);
    if (rc < 0) {
        return rc;
    }
    job->state = HEARTH_JOB_QUEUED;
    job->lane = lane_index;
    job->generation = lane->generation;
    hearth_list_append(&lane->queued[job->priority], &job->link);
    insert_by_deadline(sched, job);
    lane->queued_count++;
    sched->queued_count++;
    sched->queued_bytes += job->bytes;
    return 0;
}

void hearth_sched_set_credit(struct hearth_sched *sched, uint32_t lane, uint32_t inputs)
{
    lane_at(sched, lane)->credit = inputs;
}

static struct hearth_job *first_queued(const struct hearth_lane *lane)
{
    for (uint32_t p = HEARTH_SCHED_PRIORITIES; p-- > 0;) {
        if (!hearth_list_is_empty(&lane->queued[p])) {
            return HEARTH_CONTAINER(struct hearth_job, link, lane->queued[p].next);
        }
    }
    return NULL;
}

/* What runs of the class of @job and of higher ones takes its credit; lower ones stand back. */
static bool has_credit(const struct hearth_lane *lane, const struct hearth_job *job)
{
    uint32_t inputs = 0;
    for (size_t p = (size_t)job->priority; p < HEARTH_SCHED_PRIORITIES; p++) {
        inputs += lane->running_inputs[p];
    }
    if (inputs == 0) {
        return lane->credit > 0;
    }
    return inputs <= lane->credit && job->inputs <= lane->credit - inputs;
}

static bool is_doomed(const struct hearth_lane *lane, const struct hearth_job *job)
{
    return job->generation != lane->generation;
}

static void leave_queue(struct hearth_sched *sched, struct hearth_job *job)
{
    struct hearth_lane *lane = &sched->lanes[job->lane];
    hearth_list_remove(&job->link);
    if (is_doomed(lane, job)) {
        lane->doomed_count--;
    } else {
        lane->queued_count--;
    }
    sched->queued_count--;
    sched->queued_bytes -= job->bytes;
}

struct hearth_job *hearth_sched_next(struct hearth_sched *sched, uint32_t lane_index)
{
    struct hearth_lane *lane = lane_at(sched, lane_index);
    struct hearth_job *job = first_queued(lane);
    if (job == NULL || !has_credit(lane, job)) {
        return NULL;
    }
    leave_queue(sched, job);
    job->state = HEARTH_JOB_RUNNING;
    hearth_list_append(&lane->running, &job->link);
    lane->running_count++;
    lane->running_inputs[job->priority] += job->inputs;
    sched->running_count++;
    return job;
}

void hearth_sched_finish(struct hearth_sched *sched, struct hearth_job *job)
{
    HEARTH_ASSERT(job->state == HEARTH_JOB_RUNNING);
    struct hearth_lane *lane = lane_at(sched, job->lane);
    hearth_list_remove(&job->link);
    hearth_list_remove(&job->due);
    lane->running_count--;
    lane->running_inputs[job->priority] -= job->inputs;
    sched->running_count--;
    job->state = HEARTH_JOB_IDLE;
}

bool hearth_sched_withdraw(struct hearth_sched *sched, struct hearth_job *job)
{
    HEARTH_CHECK(sched, SCHED_MAGIC);
    if (job->state != HEARTH_JOB_QUEUED) {
        return false;
    }
    leave_queue(sched, job);
    hearth_list_remove(&job->due);
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
        splice(&lane->doomed, &lane->queued[p]);
    }
    lane->doomed_count += lane->queued_count;
    lane->queued_count = 0;
    lane->generation++;
}

struct hearth_job *hearth_sched_first_doomed(const struct hearth_sched *sched, uint32_t lane)
{
    const struct hearth_list *doomed = &peek_lane(sched, lane)->doomed;
    return HEARTH_LIST_FIRST(struct hearth_job, link, doomed);
}

struct hearth_job *hearth_sched_due(const struct hearth_sched *sched, uint64_t now_ms)
{
    HEARTH_CHECK(sched, SCHED_MAGIC);
    struct hearth_job *job = HEARTH_LIST_FIRST(struct hearth_job, due, &sched->due);
    return job != NULL && job->deadline_ms <= now_ms ? job : NULL;
}

void hearth_sched_set_deadline(struct hearth_sched *sched, struct hearth_job *job,
                               uint64_t deadline_ms)
{
    HEARTH_CHECK(sched, SCHED_MAGIC);
    HEARTH_ASSERT(job->state != HEARTH_JOB_IDLE);
    hearth_list_remove(&job->due);
    job->deadline_ms = deadline_ms;
    insert_by_deadline(sched, job);
}

uint64_t hearth_sched_next_deadline(const struct hearth_sched *sched)
{
    HEARTH_CHECK(sched, SCHED_MAGIC);
    const struct hearth_job *job = HEARTH_LIST_FIRST(struct hearth_job, due, &sched->due);
    return job != NULL ? job->deadline_ms : HEARTH_SCHED_NEVER;
}

struct hearth_job *hearth_sched_first_queued(const struct hearth_sched *sched, uint32_t lane)
{
    return first_queued(peek_lane(sched, lane));
}

struct hearth_job *hearth_sched_first_running(const struct hearth_sched *sched, uint32_t lane)
{
    const struct hearth_list *running = &peek_lane(sched, lane)->running;
    return HEARTH_LIST_FIRST(struct hearth_job, link, running);
}

uint32_t hearth_sched_position(const struct hearth_sched *sched, const struct hearth_job *job)
{
    HEARTH_ASSERT(job->state == HEARTH_JOB_QUEUED);
    const struct hearth_lane *lane = peek_lane(sched, job->lane);
    uint32_t before = 0;
    if (is_doomed(lane, job)) {
        return 0;
    }
    for (uint32_t p = (uint32_t)job->priority; p < HEARTH_SCHED_PRIORITIES; p++) {
        for (const struct hearth_list *at = lane->queued[p].next; at != &lane->queued[p];
             at = at->next) {
            if (at == &job->link) {
                break;
            }
            before++;
        }
    }
    return before;
}
