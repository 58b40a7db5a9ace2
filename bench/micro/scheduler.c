/* scheduler.c — what a request costs in the scheduler while 10,000 wait: 64 connections of 8 users,
 * all classes, deadlines and ageing. Beside it a bare heap of priorities and numbers, which is what
 * deciding by priority alone would cost.
 *
 * A job that has left comes again at once, of the same class and connection, so that what waits
 * stays what it is and each job that goes has waited long. */

#include "hearth_bench.h"

#include "hearth_sched.h"

#include <inttypes.h>
#include <string.h>

#define JOBS    10000u
#define FLOWS   64u
#define USERS   8u
#define RUNNING 16u /* at the worker */

struct bare_job {
    uint32_t class;
    uint64_t number;
};

struct sched_bench {
    struct hearth_sched sched;
    struct hearth_sched_user users[USERS];
    struct hearth_flow flows[FLOWS];
    struct hearth_job jobs[JOBS + RUNNING];
    uint64_t numbers[JOBS + RUNNING]; /* of submission */
    struct hearth_job *running[RUNNING];
    uint32_t running_at;
    uint64_t now_ms;
    uint64_t ticks;
    uint64_t next_number;
    uint64_t random;
    uint64_t wrong;
    struct bare_job heap[JOBS + 1]; /* from 1 on */
    uint64_t sum;
};

/* xorshift64: Marsaglia, "Xorshift RNGs", 2003. */
static uint64_t draw(struct sched_bench *bench)
{
    bench->random ^= bench->random << 13;
    bench->random ^= bench->random >> 7;
    bench->random ^= bench->random << 17;
    return bench->random;
}

static void submit(struct sched_bench *bench, struct hearth_job *job, struct hearth_flow *flow)
{
    job->deadline_ms = bench->now_ms + 60000 + draw(bench) % 300000;
    bench->numbers[job - bench->jobs] = ++bench->next_number;
    bench->wrong += hearth_sched_submit(&bench->sched, job, flow, bench->now_ms, NULL, NULL) != 0;
}

/* A millisecond every 64 requests: some 64,000 a second. */
static void tick(struct sched_bench *bench)
{
    bench->now_ms += ++bench->ticks % 64 == 0;
}

/* ---- ours --------------------------------------------------------------------------------- */

/* One goes to the worker, the one that has been there longest ends and comes again. */
static void push_pop(void *arg, uint64_t times)
{
    struct sched_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        struct hearth_job **place = &bench->running[bench->running_at++ % RUNNING];
        struct hearth_job *ended = *place;
        struct hearth_flow *flow = ended->flow;
        hearth_sched_finish(&bench->sched, ended, ended->work, bench->now_ms);
        submit(bench, ended, flow);
        *place = hearth_sched_next(&bench->sched, 0, bench->now_ms);
        if (*place == NULL) {
            bench->wrong++;
            *place = bench->jobs; /* is not counted as right any more; nothing else matters */
            return;
        }
        tick(bench);
    }
}

static void cancel(void *arg, uint64_t times)
{
    struct sched_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        struct hearth_job *job = &bench->jobs[draw(bench) % (JOBS + RUNNING)];
        if (hearth_sched_withdraw(&bench->sched, job)) {
            submit(bench, job, job->flow);
        }
        tick(bench);
    }
}

/* ---- the bare heap ------------------------------------------------------------------------ */

static bool goes_before(const struct bare_job *a, const struct bare_job *b)
{
    return a->class > b->class || (a->class == b->class && a->number < b->number);
}

static void bare_push(struct bare_job *heap, uint32_t count, struct bare_job job)
{
    uint32_t at = count + 1;
    for (; at > 1 && goes_before(&job, &heap[at / 2]); at /= 2) {
        heap[at] = heap[at / 2];
    }
    heap[at] = job;
}

static struct bare_job bare_pop(struct bare_job *heap, uint32_t count)
{
    struct bare_job first = heap[1];
    struct bare_job last = heap[count];
    uint32_t at = 1;
    for (uint32_t child = 2; child < count; child = 2 * at) {
        child += child + 1 < count && goes_before(&heap[child + 1], &heap[child]);
        if (!goes_before(&heap[child], &last)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return first;
}

static void bare_push_pop(void *arg, uint64_t times)
{
    struct sched_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        struct bare_job job = bare_pop(bench->heap, JOBS);
        bench->sum += job.number;
        job.number = ++bench->next_number;
        bare_push(bench->heap, JOBS - 1, job);
    }
}

/* ---- cases -------------------------------------------------------------------------------- */

static void fill(struct sched_bench *bench)
{
    const struct hearth_sched_limits limits = {.lane = JOBS + RUNNING, .bytes = UINT64_MAX};
    bench->now_ms = 1000;
    bench->random = 88172645463325252u;
    hearth_sched_init(&bench->sched, &limits);
    hearth_sched_set_credit(&bench->sched, 0, RUNNING);
    for (uint32_t i = 0; i < USERS; i++) {
        bench->users[i].weight = 100 + 25 * i;
    }
    for (uint32_t i = 0; i < FLOWS; i++) {
        hearth_sched_flow_init(&bench->flows[i], &bench->users[i % USERS], 0);
    }
    for (uint32_t i = 0; i < JOBS + RUNNING; i++) {
        struct hearth_job *job = &bench->jobs[i];
        job->priority = (enum hearth_priority)(draw(bench) % HEARTH_SCHED_PRIORITIES);
        job->inputs = 1;
        job->work = 1 + (uint32_t)(draw(bench) % 100);
        job->bytes = 200;
        submit(bench, job, &bench->flows[draw(bench) % FLOWS]);
        tick(bench);
    }
    for (uint32_t i = 0; i < RUNNING; i++) {
        bench->running[i] = hearth_sched_next(&bench->sched, 0, bench->now_ms);
        bench->wrong += bench->running[i] == NULL;
    }
    for (uint32_t i = 0; i < JOBS; i++) {
        struct bare_job job = {.class = (uint32_t)bench->jobs[i].priority, .number = i};
        bare_push(bench->heap, i, job);
    }
}

/* As many wait as before, each flow and class in its order. */
static int check(void *state, struct hearth_error *err)
{
    struct sched_bench *bench = state;
    push_pop(bench, 20000);
    cancel(bench, 20000);
    bare_push_pop(bench, 20000);
    bench->wrong += bench->sched.queued_count != JOBS;
    for (uint32_t i = 0; i < FLOWS; i++) {
        for (uint32_t p = 0; p < HEARTH_SCHED_PRIORITIES; p++) {
            uint64_t before = 0;
            HEARTH_LIST_EACH(struct hearth_job, link, job, &bench->flows[i].turns[p].jobs) {
                bench->wrong += bench->numbers[job - bench->jobs] <= before;
                before = bench->numbers[job - bench->jobs];
            }
        }
    }
    return bench->wrong == 0
               ? 0
               : hearth_fail(err, HEARTH_E_INTERNAL,
                             "%" PRIu64 " decisions of the scheduler were wrong", bench->wrong);
}

static void close_bench(void *state)
{
    hearth_free(state);
}

static int open_with(void (*ours)(void *arg, uint64_t times), struct hearth_harness_setup *ret,
                     struct hearth_error *err)
{
    struct sched_bench *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    fill(bench);
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "scheduler", .loop = ours, .arg = bench},
                  {.name = "bare heap", .loop = bare_push_pop, .arg = bench}},
        .side_count = 2,
        .check = check,
        .close = close_bench,
        .state = bench};
    return 0;
}

static int open_push_pop(const struct hearth_harness_places *places HEARTH_UNUSED,
                         struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_with(push_pop, ret, err);
}

static int open_cancel(const struct hearth_harness_places *places HEARTH_UNUSED,
                       struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_with(cancel, ret, err);
}

const struct hearth_harness_case bench_scheduler[] = {
    {.id = "scheduler/push_pop/10000",
     .help = "submit, start and end of one request while 10,000 wait; beside a bare heap",
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 400, false}},
     .open = open_push_pop},
    {.id = "scheduler/submit_cancel/10000",
     .help = "cancel of one of 10,000 that wait, and its return; beside a bare heap",
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 400, false}},
     .open = open_cancel},
    {0},
};
