/* The scheduler against a naive one: an array that is searched from the front for every question.
 */

#include "kit.h"

#include "hearth_sched.h"
#include <string.h>

enum { JOBS = 40, LANES = 3, QUEUE_LIMIT = 6 };

enum naive_state { NAIVE_FREE, NAIVE_QUEUED, NAIVE_DOOMED, NAIVE_RUNNING };

struct naive_job {
    enum naive_state state;
    uint32_t lane;
    uint32_t inputs;
    unsigned priority;
    uint64_t deadline_ms;
    uint64_t order; /* of submission */
};

struct world {
    struct hearth_sched sched;
    struct hearth_job jobs[JOBS];
    struct naive_job naive[JOBS];
    uint32_t credit[LANES];
    uint64_t order;
    uint64_t now_ms;
};

static uint32_t naive_count(const struct world *w, uint32_t lane, enum naive_state state)
{
    uint32_t count = 0;
    for (size_t i = 0; i < JOBS; i++) {
        count += w->naive[i].state == state && w->naive[i].lane == lane;
    }
    return count;
}

/* Of @lowest and higher classes. */
static uint32_t naive_running_inputs(const struct world *w, uint32_t lane, unsigned lowest)
{
    uint32_t inputs = 0;
    for (size_t i = 0; i < JOBS; i++) {
        bool is_running = w->naive[i].state == NAIVE_RUNNING && w->naive[i].lane == lane &&
                          w->naive[i].priority >= lowest;
        inputs += is_running ? w->naive[i].inputs : 0;
    }
    return inputs;
}

/* Index of the job that shall go next, or JOBS. */
static size_t naive_head(const struct world *w, uint32_t lane)
{
    size_t best = JOBS;
    for (size_t i = 0; i < JOBS; i++) {
        const struct naive_job *at = &w->naive[i];
        if (at->state != NAIVE_QUEUED || at->lane != lane) {
            continue;
        }
        if (best == JOBS || at->priority > w->naive[best].priority ||
            (at->priority == w->naive[best].priority && at->order < w->naive[best].order)) {
            best = i;
        }
    }
    return best;
}

static bool naive_fits(const struct world *w, const struct naive_job *job)
{
    uint32_t running = naive_running_inputs(w, job->lane, job->priority);
    return running == 0 ? w->credit[job->lane] > 0 : running + job->inputs <= w->credit[job->lane];
}

static uint64_t naive_deadline(const struct world *w)
{
    uint64_t nearest = HEARTH_SCHED_NEVER;
    for (size_t i = 0; i < JOBS; i++) {
        if (w->naive[i].state != NAIVE_FREE) {
            nearest = HEARTH_MIN(nearest, w->naive[i].deadline_ms);
        }
    }
    return nearest;
}

static void submit(struct world *w, struct kit_random *random, size_t at)
{
    struct naive_job *naive = &w->naive[at];
    struct hearth_job *job = &w->jobs[at];
    if (naive->state != NAIVE_FREE) {
        return;
    }
    naive->lane = (uint32_t)kit_random_below(random, LANES);
    naive->priority = (unsigned)kit_random_below(random, HEARTH_SCHED_PRIORITIES);
    naive->inputs = (uint32_t)kit_random_between(random, 1, 6);
    naive->deadline_ms = kit_random_once_in(random, 4) ? HEARTH_SCHED_NEVER
                                                       : w->now_ms + kit_random_below(random, 50);
    naive->order = w->order++;
    job->priority = (enum hearth_priority)naive->priority;
    job->inputs = naive->inputs;
    job->deadline_ms = naive->deadline_ms;
    int want = naive->deadline_ms <= w->now_ms                            ? HEARTH_E_EXPIRED
               : naive_count(w, naive->lane, NAIVE_QUEUED) >= QUEUE_LIMIT ? HEARTH_E_QUEUE_FULL
                                                                          : 0;
    int rc = hearth_sched_submit(&w->sched, job, naive->lane, w->now_ms, NULL);
    assert_int_equal(rc, want);
    naive->state = rc == 0 ? NAIVE_QUEUED : NAIVE_FREE;
}

static void tick(struct world *w, uint32_t lane)
{
    size_t head = naive_head(w, lane);
    struct hearth_job *want = head < JOBS && naive_fits(w, &w->naive[head]) ? &w->jobs[head] : NULL;
    assert_ptr_equal(hearth_sched_next(&w->sched, lane), want);
    if (want != NULL) {
        w->naive[head].state = NAIVE_RUNNING;
    }
}

static void end(struct world *w, size_t at)
{
    struct naive_job *naive = &w->naive[at];
    assert_int_equal(hearth_sched_withdraw(&w->sched, &w->jobs[at]),
                     naive->state == NAIVE_QUEUED || naive->state == NAIVE_DOOMED);
    if (naive->state == NAIVE_RUNNING) {
        hearth_sched_finish(&w->sched, &w->jobs[at]);
    }
    naive->state = NAIVE_FREE;
}

static void lose_worker(struct world *w, uint32_t lane)
{
    struct hearth_job *job;
    w->credit[lane] = 0;
    hearth_sched_set_credit(&w->sched, lane, 0);
    while ((job = hearth_sched_first_running(&w->sched, lane)) != NULL) {
        hearth_sched_finish(&w->sched, job);
        w->naive[job - w->jobs].state = NAIVE_FREE;
    }
    assert_int_equal(naive_count(w, lane, NAIVE_RUNNING), 0);
}

static void doom(struct world *w, uint32_t lane)
{
    for (size_t i = 0; i < JOBS; i++) {
        bool waits = w->naive[i].state == NAIVE_QUEUED && w->naive[i].lane == lane;
        w->naive[i].state = waits ? NAIVE_DOOMED : w->naive[i].state;
    }
    hearth_sched_doom(&w->sched, lane);
}

static void expire(struct world *w)
{
    struct hearth_job *job;
    w->now_ms += 10;
    while ((job = hearth_sched_due(&w->sched, w->now_ms)) != NULL) {
        assert_true(w->naive[job - w->jobs].deadline_ms <= w->now_ms);
        end(w, (size_t)(job - w->jobs));
    }
}

static void compare(const struct world *w)
{
    uint32_t queued = 0;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        const struct hearth_lane *real = hearth_sched_lane(&w->sched, lane);
        assert_int_equal(real->queued_count, naive_count(w, lane, NAIVE_QUEUED));
        assert_int_equal(real->running_count, naive_count(w, lane, NAIVE_RUNNING));
        for (unsigned p = 0; p < HEARTH_SCHED_PRIORITIES; p++) {
            uint32_t higher = naive_running_inputs(w, lane, p + 1);
            assert_int_equal(real->running_inputs[p], naive_running_inputs(w, lane, p) - higher);
        }
        size_t head = naive_head(w, lane);
        assert_ptr_equal(hearth_sched_first_queued(&w->sched, lane),
                         head < JOBS ? &w->jobs[head] : NULL);
        assert_int_equal(real->doomed_count, naive_count(w, lane, NAIVE_DOOMED));
        assert_int_equal(hearth_sched_first_doomed(&w->sched, lane) != NULL,
                         real->doomed_count > 0);
        queued += real->queued_count + real->doomed_count;
    }
    assert_int_equal(w->sched.queued_count, queued);
    assert_int_equal(hearth_sched_next_deadline(&w->sched), naive_deadline(w));
}

static void agrees(struct kit_random *random, void *context)
{
    static struct world w;
    (void)context;
    memset(&w, 0, sizeof w);
    w.now_ms = 1000;
    hearth_sched_init(&w.sched, QUEUE_LIMIT, UINT64_MAX);
    for (int step = 0; step < 400; step++) {
        size_t at = kit_random_below(random, JOBS);
        uint32_t lane = (uint32_t)kit_random_below(random, LANES);
        uint64_t choice = kit_random_below(random, 17);
        if (choice < 6) {
            submit(&w, random, at);
        } else if (choice < 11) {
            tick(&w, lane);
        } else if (choice < 13) {
            end(&w, at);
        } else if (choice == 13) {
            lose_worker(&w, lane);
        } else if (choice == 14) {
            w.credit[lane] = (uint32_t)kit_random_between(random, 1, 8);
            hearth_sched_set_credit(&w.sched, lane, w.credit[lane]);
        } else if (choice == 15) {
            doom(&w, lane);
        } else {
            expire(&w);
        }
        compare(&w);
    }
}

static void random_sequences_agree_with_the_naive_scheduler(void **state)
{
    (void)state;
    kit_property(300, agrees, NULL);
}

KIT_MAIN(cmocka_unit_test(random_sequences_agree_with_the_naive_scheduler))
