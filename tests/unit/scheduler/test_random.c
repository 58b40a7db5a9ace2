/* The scheduler against a naive one that was written from the rules of hearth_sched.h: arrays that
 * are searched from the front for every question.
 *
 * HEARTH_RANDOM_STEPS=1000000 makes it a million steps; without it there are fewer. */

#include "kit.h"

#include "hearth_sched.h"
#include <stdlib.h>
#include <string.h>

enum {
    JOBS = 48,
    LANES = 3,
    USERS = 3,
    FLOWS = 12,
    CLASSES = 4,
    STEPS = 60000,
    STEPS_OF_A_LIFE = 400
};
enum { LANE_LIMIT = 16, CLASS_LIMIT = 7, USER_LIMIT = 9, RESERVE = 2, FLOW_CREDIT = 4 };

enum naive_state { NAIVE_FREE, NAIVE_QUEUED, NAIVE_DOOMED, NAIVE_RUNNING };

struct naive_job {
    enum naive_state state;
    size_t flow;
    uint32_t inputs;
    uint32_t work;
    unsigned priority;
    unsigned rank;
    uint64_t deadline_ms;
    uint64_t came_ms;
    uint64_t arrival; /* order of submission */
    uint64_t price;
    uint64_t charged;
};

struct naive_flow {
    size_t user;
    uint32_t lane;
    uint64_t counter[CLASSES];
    uint64_t since[CLASSES]; /* order in which it came to that counter */
};

struct world {
    struct hearth_sched sched;
    struct hearth_sched_user users[USERS];
    struct hearth_flow flows[FLOWS];
    struct hearth_job jobs[JOBS];

    struct naive_job naive[JOBS];
    struct naive_flow naive_flows[FLOWS];
    uint64_t last_start[LANES][CLASSES];
    uint32_t starts[LANES]; /* since one was for an aged job */
    uint32_t credit[LANES];
    uint64_t arrivals;
    uint64_t orders;
    uint64_t now_ms;

    uint64_t submitted; /* jobs that were taken, and how they ended: */
    uint64_t finished;
    uint64_t withdrawn;
};

/* ---- the naive one ------------------------------------------------------------------------ */

static uint32_t lane_of(const struct world *w, const struct naive_job *job)
{
    return w->naive_flows[job->flow].lane;
}

/* Jobs in @state of that lane; class, flow and user only if they are not -1. */
static uint32_t count(const struct world *w, enum naive_state state, uint32_t lane, int class,
                      int flow, int user)
{
    uint32_t found = 0;
    for (size_t i = 0; i < JOBS; i++) {
        const struct naive_job *job = &w->naive[i];
        found += job->state == state && lane_of(w, job) == lane &&
                 (class < 0 || job->priority == (unsigned)class) &&
                 (flow < 0 || job->flow == (size_t)flow) &&
                 (user < 0 || w->naive_flows[job->flow].user == (size_t)user);
    }
    return found;
}

static bool waits(const struct world *w, size_t flow, int class)
{
    return count(w, NAIVE_QUEUED, w->naive_flows[flow].lane, class, (int)flow, -1) > 0;
}

static uint32_t inputs_of_rank(const struct world *w, uint32_t lane, unsigned lowest)
{
    uint32_t inputs = 0;
    for (size_t i = 0; i < JOBS; i++) {
        const struct naive_job *job = &w->naive[i];
        bool counts = job->state == NAIVE_RUNNING && lane_of(w, job) == lane && job->rank >= lowest;
        inputs += counts ? job->inputs : 0;
    }
    return inputs;
}

/* The job of @class that came first, of @flow unless that is -1; JOBS if none waits. */
static size_t first_come(const struct world *w, uint32_t lane, unsigned class, int flow)
{
    size_t best = JOBS;
    for (size_t i = 0; i < JOBS; i++) {
        const struct naive_job *job = &w->naive[i];
        bool counts = job->state == NAIVE_QUEUED && lane_of(w, job) == lane &&
                      job->priority == class && (flow < 0 || job->flow == (size_t)flow);
        if (counts && (best == JOBS || job->arrival < w->naive[best].arrival)) {
            best = i;
        }
    }
    return best;
}

/* The flow whose turn it is in @class, or FLOWS. */
static size_t naive_turn(const struct world *w, uint32_t lane, unsigned class)
{
    size_t best = FLOWS;
    for (size_t i = 0; i < FLOWS; i++) {
        const struct naive_flow *flow = &w->naive_flows[i];
        if (flow->lane != lane || !waits(w, i, (int)class)) {
            continue;
        }
        const struct naive_flow *other = best < FLOWS ? &w->naive_flows[best] : NULL;
        if (other == NULL || flow->counter[class] < other->counter[class] ||
            (flow->counter[class] == other->counter[class] &&
             flow->since[class] < other->since[class])) {
            best = i;
        }
    }
    return best;
}

static unsigned highest_waiting(const struct world *w, uint32_t lane)
{
    unsigned class = CLASSES;
    while (class > 0 && count(w, NAIVE_QUEUED, lane, (int)class - 1, -1, -1) == 0) {
        class --;
    }
    return class; /* one more than its number; 0: nothing waits */
}

/* Rule 2. */
static unsigned naive_class(const struct world *w, uint32_t lane, unsigned highest)
{
    unsigned best = highest;
    uint64_t longest_ms = 0;
    if (w->starts[lane] < HEARTH_SCHED_AGED_TURN - 1) {
        return highest;
    }
    for (unsigned class = highest; class -- > 0;) {
        size_t first = first_come(w, lane, class, -1);
        uint64_t waited_ms = first < JOBS ? w->now_ms - w->naive[first].came_ms : 0;
        if (first < JOBS && waited_ms >= HEARTH_SCHED_AGED_MS &&
            (best == highest || waited_ms > longest_ms)) {
            best = class;
            longest_ms = waited_ms;
        }
    }
    return best;
}

/* Two of a flow always may; more only if they fit into its part of the credit. */
static bool flow_may(const struct world *w, size_t at, unsigned rank)
{
    const struct naive_job *job = &w->naive[at];
    uint32_t lane = lane_of(w, job);
    uint32_t inputs = 0;
    for (size_t i = 0; i < JOBS; i++) {
        const struct naive_job *other = &w->naive[i];
        bool counts =
            other->state == NAIVE_RUNNING && other->flow == job->flow && other->rank >= rank;
        inputs += counts ? other->inputs : 0;
    }
    return lane != 0 || count(w, NAIVE_RUNNING, lane, -1, (int)job->flow, -1) < 2 ||
           inputs + job->inputs <= FLOW_CREDIT;
}

/* Index of the job that goes now, or JOBS; its rank in *@ret_rank. */
static size_t naive_next(const struct world *w, uint32_t lane, unsigned *ret_rank)
{
    unsigned above = highest_waiting(w, lane);
    if (above == 0) {
        return JOBS;
    }
    unsigned class = naive_class(w, lane, above - 1);
    size_t at = first_come(w, lane, class, (int)naive_turn(w, lane, class));
    uint32_t running = inputs_of_rank(w, lane, above - 1);
    bool fits =
        running == 0 ? w->credit[lane] > 0 : running + w->naive[at].inputs <= w->credit[lane];
    fits = fits && flow_may(w, at, above - 1);
    *ret_rank = above - 1;
    return fits ? at : JOBS;
}

static uint64_t flows_with_jobs(const struct world *w, size_t user, uint32_t lane)
{
    uint64_t flows = 0;
    for (size_t i = 0; i < FLOWS; i++) {
        flows += w->naive_flows[i].user == user && w->naive_flows[i].lane == lane &&
                 count(w, NAIVE_QUEUED, lane, -1, (int)i, -1) +
                         count(w, NAIVE_RUNNING, lane, -1, (int)i, -1) >
                     0;
    }
    return flows;
}

static void set_counter(struct world *w, size_t flow, unsigned class, uint64_t counter)
{
    w->naive_flows[flow].counter[class] = counter;
    w->naive_flows[flow].since[class] = w->orders++;
}

static void naive_start(struct world *w, size_t at, unsigned rank)
{
    struct naive_job *job = &w->naive[at];
    struct naive_flow *flow = &w->naive_flows[job->flow];
    uint64_t flows = 0;
    uint64_t *last = &w->last_start[flow->lane][job->priority];
    bool is_aged = job->priority != rank;
    *last = HEARTH_MAX(*last, flow->counter[job->priority]);
    job->state = NAIVE_RUNNING; /* still counted in the flows of its user */
    flows = flows_with_jobs(w, flow->user, flow->lane);
    job->rank = rank;
    job->price = flows * HEARTH_SCHED_SCALE / w->users[flow->user].weight;
    job->charged = job->work;
    set_counter(w, job->flow, job->priority,
                flow->counter[job->priority] + job->charged * job->price);
    w->starts[flow->lane] = is_aged ? 0 : w->starts[flow->lane] + 1;
}

/* What was really served. What is given back is not kept below the last start of the class. */
static void naive_correct(struct world *w, size_t at, uint64_t work)
{
    struct naive_job *job = &w->naive[at];
    uint64_t counter = w->naive_flows[job->flow].counter[job->priority];
    uint64_t least = w->last_start[lane_of(w, job)][job->priority];
    if (work == job->charged) {
        return;
    }
    if (work > job->charged) {
        counter += (work - job->charged) * job->price;
    } else {
        uint64_t back = (job->charged - work) * job->price;
        uint64_t wanted = counter > back ? counter - back : 0;
        counter = wanted >= least ? wanted : HEARTH_MIN(least, counter);
    }
    job->charged = work;
    set_counter(w, job->flow, job->priority, counter);
}

static int naive_verdict(const struct world *w, const struct naive_job *job)
{
    uint32_t lane = lane_of(w, job);
    uint32_t limit = LANE_LIMIT + (waits(w, job->flow, -1) ? 0 : RESERVE);
    size_t user = w->naive_flows[job->flow].user;
    if (job->deadline_ms <= w->now_ms) {
        return HEARTH_E_EXPIRED;
    }
    if (job->priority == 1 && count(w, NAIVE_QUEUED, lane, 1, -1, -1) >= CLASS_LIMIT) {
        return HEARTH_E_QUEUE_FULL;
    }
    if (user == 1 && count(w, NAIVE_QUEUED, lane, -1, -1, (int)user) >= USER_LIMIT) {
        return HEARTH_E_QUEUE_FULL;
    }
    return count(w, NAIVE_QUEUED, lane, -1, -1, -1) >= limit ? HEARTH_E_QUEUE_FULL : 0;
}

static void naive_submit(struct world *w, size_t at)
{
    struct naive_job *job = &w->naive[at];
    unsigned class = job->priority;
    struct naive_flow *flow = &w->naive_flows[job->flow];
    if (!waits(w, job->flow, (int)class)) {
        size_t first = naive_turn(w, flow->lane, class);
        uint64_t floor =
            first < FLOWS ? w->naive_flows[first].counter[class] : w->last_start[flow->lane][class];
        set_counter(w, job->flow, class, HEARTH_MAX(flow->counter[class], floor));
    }
    job->state = NAIVE_QUEUED;
    job->came_ms = w->now_ms;
    job->arrival = w->arrivals++;
}

/* ---- steps -------------------------------------------------------------------------------- */

static void submit(struct world *w, struct kit_random *random, size_t at)
{
    struct naive_job *naive = &w->naive[at];
    struct hearth_job *job = &w->jobs[at];
    if (naive->state != NAIVE_FREE) {
        return;
    }
    *naive = (struct naive_job){
        .flow = kit_random_below(random, FLOWS),
        .priority = (unsigned)kit_random_below(random, CLASSES),
        .inputs = (uint32_t)kit_random_between(random, 1, 6),
        .work = (uint32_t)kit_random_between(random, 1, 3) * 10,
        .deadline_ms = kit_random_once_in(random, 3) ? HEARTH_SCHED_NEVER
                                                     : w->now_ms + kit_random_below(random, 12000),
    };
    job->priority = (enum hearth_priority)naive->priority;
    job->inputs = naive->inputs;
    job->work = naive->work;
    job->deadline_ms = naive->deadline_ms;
    int want = naive_verdict(w, naive);
    int rc = hearth_sched_submit(&w->sched, job, &w->flows[naive->flow], w->now_ms, NULL, NULL);
    assert_int_equal(rc, want);
    if (rc == 0) {
        naive_submit(w, at);
        w->submitted++;
    }
}

static void tick(struct world *w, uint32_t lane)
{
    unsigned rank = 0;
    size_t want = naive_next(w, lane, &rank);
    struct hearth_job *got = hearth_sched_next(&w->sched, lane, w->now_ms);
    assert_ptr_equal(got, want < JOBS ? &w->jobs[want] : NULL);
    if (want < JOBS) {
        naive_start(w, want, rank);
        assert_int_equal(got->rank, rank);
    }
}

static void serve(struct world *w, struct kit_random *random, size_t at)
{
    uint32_t work = (uint32_t)kit_random_below(random, 60);
    if (w->naive[at].state == NAIVE_RUNNING) {
        hearth_sched_serve(&w->sched, &w->jobs[at], work);
        if (work > w->naive[at].charged) {
            naive_correct(w, at, work);
        }
    }
}

static void finish(struct world *w, size_t at, uint32_t work)
{
    naive_correct(w, at, work);
    hearth_sched_finish(&w->sched, &w->jobs[at], work, w->now_ms);
    w->naive[at].state = NAIVE_FREE;
    w->finished++;
}

static void end(struct world *w, struct kit_random *random, size_t at)
{
    bool is_queued = w->naive[at].state == NAIVE_QUEUED || w->naive[at].state == NAIVE_DOOMED;
    assert_int_equal(hearth_sched_withdraw(&w->sched, &w->jobs[at]), is_queued);
    if (w->naive[at].state == NAIVE_RUNNING) {
        finish(w, at, (uint32_t)kit_random_below(random, 50));
    } else if (is_queued) {
        w->naive[at].state = NAIVE_FREE;
        w->withdrawn++;
    }
}

/* Its worker is killed. */
static void lose_worker(struct world *w, uint32_t lane)
{
    struct hearth_job *job;
    w->credit[lane] = 0;
    hearth_sched_set_credit(&w->sched, lane, 0);
    while ((job = hearth_sched_first_running(&w->sched, lane)) != NULL) {
        assert_int_equal(w->naive[job - w->jobs].state, NAIVE_RUNNING);
        finish(w, (size_t)(job - w->jobs), 0);
    }
    assert_int_equal(count(w, NAIVE_RUNNING, lane, -1, -1, -1), 0);
}

static void doom(struct world *w, uint32_t lane)
{
    for (size_t i = 0; i < JOBS; i++) {
        bool is_meant = w->naive[i].state == NAIVE_QUEUED && lane_of(w, &w->naive[i]) == lane;
        w->naive[i].state = is_meant ? NAIVE_DOOMED : w->naive[i].state;
    }
    hearth_sched_doom(&w->sched, lane);
}

static void expire(struct world *w, struct kit_random *random)
{
    struct hearth_job *job;
    w->now_ms += kit_random_below(random, 1500);
    while ((job = hearth_sched_due(&w->sched, w->now_ms)) != NULL) {
        assert_true(w->naive[job - w->jobs].deadline_ms <= w->now_ms);
        end(w, random, (size_t)(job - w->jobs));
    }
    for (size_t i = 0; i < JOBS; i++) {
        assert_true(w->naive[i].state == NAIVE_FREE || w->naive[i].deadline_ms > w->now_ms);
    }
}

static void postpone(struct world *w, struct kit_random *random, size_t at)
{
    if (w->naive[at].state != NAIVE_FREE) {
        w->naive[at].deadline_ms = w->now_ms + 1 + kit_random_below(random, 100000);
        hearth_sched_set_deadline(&w->sched, &w->jobs[at], w->naive[at].deadline_ms);
    }
}

/* ---- comparing ---------------------------------------------------------------------------- */

static void compare_lane(const struct world *w, uint32_t lane)
{
    const struct hearth_lane *real = hearth_sched_lane(&w->sched, lane);
    uint32_t above = 0;
    assert_int_equal(real->queued_count, count(w, NAIVE_QUEUED, lane, -1, -1, -1));
    assert_int_equal(real->running_count, count(w, NAIVE_RUNNING, lane, -1, -1, -1));
    assert_int_equal(real->doomed_count, count(w, NAIVE_DOOMED, lane, -1, -1, -1));
    assert_int_equal(hearth_sched_first_doomed(&w->sched, lane) != NULL, real->doomed_count > 0);
    for (unsigned class = CLASSES; class -- > 0;) {
        uint32_t inputs = inputs_of_rank(w, lane, class);
        assert_int_equal(real->running_inputs[class], inputs - above);
        assert_int_equal(real->classes[class].queued_count,
                         count(w, NAIVE_QUEUED, lane, (int)class, -1, -1));
        above = inputs;
    }
    for (size_t user = 0; user < USERS; user++) {
        assert_int_equal(w->users[user].queued[lane],
                         count(w, NAIVE_QUEUED, lane, -1, -1, (int)user));
        assert_int_equal(w->users[user].flows[lane], flows_with_jobs(w, user, lane));
    }
}

static void compare(const struct world *w)
{
    uint64_t nearest_ms = HEARTH_SCHED_NEVER;
    uint64_t open = 0;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        compare_lane(w, lane);
    }
    for (size_t i = 0; i < JOBS; i++) {
        bool is_open = w->naive[i].state != NAIVE_FREE;
        nearest_ms = HEARTH_MIN(nearest_ms, is_open ? w->naive[i].deadline_ms : nearest_ms);
        open += is_open;
    }
    assert_true(hearth_sched_next_deadline(&w->sched) <= nearest_ms);
    assert_int_equal(hearth_sched_next_deadline(&w->sched) == HEARTH_SCHED_NEVER,
                     nearest_ms == HEARTH_SCHED_NEVER);
    assert_int_equal(w->submitted, w->finished + w->withdrawn + open);
}

static void begin(struct world *w, struct kit_random *random)
{
    struct hearth_sched_limits limits = {
        .lane = LANE_LIMIT, .classes = {0, CLASS_LIMIT, 0, 0}, .bytes = UINT64_MAX};
    memset(w, 0, sizeof *w);
    w->now_ms = 1000000 + kit_random_below(random, 1u << 30);
    hearth_sched_init(&w->sched, &limits);
    hearth_sched_set_flow_credit(&w->sched, 0, FLOW_CREDIT); /* of one lane alone */
    for (size_t i = 0; i < USERS; i++) {
        w->users[i] = (struct hearth_sched_user){.weight = (uint32_t)(100 << i),
                                                 .queue_limit = i == 1 ? USER_LIMIT : 0};
    }
    for (size_t i = 0; i < FLOWS; i++) {
        w->naive_flows[i] = (struct naive_flow){.user = kit_random_below(random, USERS),
                                                .lane = (uint32_t)kit_random_below(random, LANES)};
        hearth_sched_flow_init(&w->flows[i], &w->users[w->naive_flows[i].user],
                               w->naive_flows[i].lane);
    }
}

static void step(struct world *w, struct kit_random *random)
{
    size_t at = kit_random_below(random, JOBS);
    uint32_t lane = (uint32_t)kit_random_below(random, LANES);
    uint64_t choice = kit_random_below(random, 64);
    if (choice < 24) {
        submit(w, random, at);
    } else if (choice < 44) {
        tick(w, lane);
    } else if (choice < 53) {
        end(w, random, at);
    } else if (choice < 56) {
        serve(w, random, at);
    } else if (choice < 57) {
        postpone(w, random, at);
    } else if (choice < 58) {
        lose_worker(w, lane);
    } else if (choice < 61) {
        w->credit[lane] = (uint32_t)kit_random_between(random, 1, 8);
        hearth_sched_set_credit(&w->sched, lane, w->credit[lane]);
    } else if (choice < 62) {
        doom(w, lane);
    } else {
        expire(w, random);
    }
}

/* All that is left ends, and nothing stays behind. */
static void end_all(struct world *w, struct kit_random *random)
{
    for (size_t i = 0; i < JOBS; i++) {
        end(w, random, i);
    }
    compare(w);
    assert_int_equal(w->submitted, w->finished + w->withdrawn);
    assert_int_equal(w->sched.queued_count + w->sched.running_count, 0);
    assert_int_equal(w->sched.queued_bytes, 0);
    assert_int_equal(hearth_sched_next_deadline(&w->sched), HEARTH_SCHED_NEVER);
    for (size_t i = 0; i < FLOWS; i++) {
        assert_int_equal(w->flows[i].job_count + w->flows[i].active_count, 0);
    }
}

static void agrees(struct kit_random *random, void *context)
{
    static struct world w;
    (void)context;
    begin(&w, random);
    for (int i = 0; i < STEPS_OF_A_LIFE; i++) {
        step(&w, random);
        compare(&w);
    }
    end_all(&w, random);
}

static void random_sequences_agree_with_the_naive_scheduler(void **state)
{
    (void)state;
    const char *wanted = getenv("HEARTH_RANDOM_STEPS");
    unsigned long steps = wanted != NULL ? strtoul(wanted, NULL, 10) : STEPS;
    kit_property((unsigned)(steps / STEPS_OF_A_LIFE), agrees, NULL);
}

KIT_MAIN(cmocka_unit_test(random_sequences_agree_with_the_naive_scheduler))
