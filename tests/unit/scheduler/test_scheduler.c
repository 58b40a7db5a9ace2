#include "kit.h"

#include "hearth_sched.h"

enum { LANES = 4, USERS = 3, FLOWS_OF_A_USER = 2 };

struct world {
    struct hearth_sched sched;
    struct hearth_sched_user users[USERS];
    struct hearth_flow flows[USERS][FLOWS_OF_A_USER][LANES];
    struct hearth_job jobs[512];
    size_t used;
    uint64_t now_ms;
    struct hearth_sched_place place;
    struct hearth_error err;
};

static struct world *new_world(uint32_t queue_limit, uint64_t queue_limit_bytes)
{
    static struct world world;
    world = (struct world){.now_ms = 100};
    hearth_sched_init(&world.sched, &(struct hearth_sched_limits){.lane = queue_limit,
                                                                  .bytes = queue_limit_bytes});
    for (size_t u = 0; u < USERS; u++) {
        world.users[u].weight = 100;
        for (size_t f = 0; f < FLOWS_OF_A_USER; f++) {
            for (uint32_t lane = 0; lane < LANES; lane++) {
                hearth_sched_flow_init(&world.flows[u][f][lane], &world.users[u], lane);
            }
        }
    }
    return &world;
}

static struct hearth_job *job(struct world *world, enum hearth_priority priority, uint32_t inputs)
{
    struct hearth_job *made = &world->jobs[world->used++];
    made->deadline_ms = HEARTH_SCHED_NEVER;
    made->priority = priority;
    made->inputs = inputs;
    made->work = inputs;
    return made;
}

static int submit(struct world *w, struct hearth_job *made, struct hearth_flow *flow)
{
    return hearth_sched_submit(&w->sched, made, flow, w->now_ms, &w->place, &w->err);
}

static struct hearth_job *given_of(struct world *w, struct hearth_flow *flow,
                                   enum hearth_priority priority)
{
    struct hearth_job *made = job(w, priority, 1);
    assert_int_equal(submit(w, made, flow), 0);
    return made;
}

/* Of the first flow of the first user. */
static struct hearth_job *given_queued(struct world *world, uint32_t lane,
                                       enum hearth_priority priority, uint32_t inputs)
{
    struct hearth_job *made = job(world, priority, inputs);
    assert_int_equal(submit(world, made, &world->flows[0][0][lane]), 0);
    return made;
}

static struct hearth_job *next(struct world *w, uint32_t lane)
{
    return hearth_sched_next(&w->sched, lane, w->now_ms);
}

static void finish(struct world *w, struct hearth_job *made)
{
    hearth_sched_finish(&w->sched, made, made->charged, w->now_ms);
}

static uint32_t position(struct world *w, const struct hearth_job *made)
{
    struct hearth_sched_place place;
    hearth_sched_place(&w->sched, made, &place);
    return place.position;
}

static void higher_priority_goes_first_and_equals_in_order(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    struct hearth_job *low = given_queued(w, 3, HEARTH_LOW, 1);
    struct hearth_job *first = given_queued(w, 3, HEARTH_NORMAL, 1);
    struct hearth_job *second = given_queued(w, 3, HEARTH_NORMAL, 1);
    struct hearth_job *critical = given_queued(w, 3, HEARTH_CRITICAL, 1);
    struct hearth_job *high = given_queued(w, 3, HEARTH_HIGH, 1);
    assert_int_equal(position(w, low), 4);
    assert_int_equal(position(w, second), 3);
    hearth_sched_set_credit(&w->sched, 3, 10);
    assert_ptr_equal(hearth_sched_first_queued(&w->sched, 3), critical);
    assert_ptr_equal(next(w, 3), critical);
    assert_ptr_equal(next(w, 3), high);
    assert_ptr_equal(next(w, 3), first);
    assert_ptr_equal(next(w, 3), second);
    assert_ptr_equal(next(w, 3), low);
    assert_null(next(w, 3));
    assert_ptr_equal(hearth_sched_first_running(&w->sched, 3), critical);
}

static void nothing_goes_without_credit(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    struct hearth_job *a = given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_null(next(w, 0));
    hearth_sched_set_credit(&w->sched, 0, 1);
    assert_ptr_equal(next(w, 0), a);
    given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_null(next(w, 0));
    finish(w, a);
    assert_non_null(next(w, 0));
}

static void a_job_waits_for_its_class_and_higher_ones_alone(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 2);
    given_queued(w, 0, HEARTH_LOW, 2);
    struct hearth_job *low = next(w, 0);
    assert_non_null(low);
    given_queued(w, 0, HEARTH_LOW, 1);
    assert_null(next(w, 0)); /* its own class has all the credit */
    struct hearth_job *critical = given_queued(w, 0, HEARTH_CRITICAL, 1);
    assert_ptr_equal(next(w, 0), critical);
    struct hearth_job *high = given_queued(w, 0, HEARTH_HIGH, 2);
    assert_null(next(w, 0)); /* one is taken by a higher class */
    finish(w, critical);
    assert_ptr_equal(next(w, 0), high);
    finish(w, low);
    assert_null(next(w, 0)); /* the low one behind: the high one has it all */
    finish(w, high);
    assert_non_null(next(w, 0));
}

static void lanes_do_not_share_credit(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    given_queued(w, 0, HEARTH_NORMAL, 1);
    struct hearth_job *other = given_queued(w, 1, HEARTH_LOW, 1);
    hearth_sched_set_credit(&w->sched, 1, 1);
    assert_null(next(w, 0));
    assert_ptr_equal(next(w, 1), other);
}

static void a_batch_waits_for_all_its_credit_and_is_not_overtaken(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 4);
    struct hearth_job *first = given_queued(w, 0, HEARTH_NORMAL, 2);
    struct hearth_job *batch = given_queued(w, 0, HEARTH_NORMAL, 3);
    struct hearth_job *small = given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_ptr_equal(next(w, 0), first);
    assert_null(next(w, 0));
    finish(w, first);
    assert_ptr_equal(next(w, 0), batch);
    assert_ptr_equal(next(w, 0), small);
}

static void a_flow_does_not_fill_the_worker_with_what_it_floods(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 64);
    hearth_sched_set_flow_credit(&w->sched, 0, 5);
    for (int i = 0; i < 20; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_NORMAL);
    }
    struct hearth_job *first = next(w, 0);
    for (int i = 0; i < 4; i++) {
        assert_non_null(next(w, 0));
    }
    assert_null(next(w, 0));
    struct hearth_job *other = given_of(w, &w->flows[1][0][0], HEARTH_NORMAL);
    finish(w, first);
    assert_non_null(next(w, 0)); /* one more of the flood at the most … */
    assert_ptr_equal(next(w, 0), other);
}

static void a_flow_has_two_batches_at_the_worker_all_the_same(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 64);
    hearth_sched_set_flow_credit(&w->sched, 0, 5);
    for (int i = 0; i < 3; i++) {
        given_queued(w, 0, HEARTH_NORMAL, 16);
    }
    assert_non_null(next(w, 0));
    assert_non_null(next(w, 0));
    assert_null(next(w, 0));
}

static void a_batch_larger_than_the_credit_runs_alone(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 4);
    struct hearth_job *small = given_queued(w, 0, HEARTH_NORMAL, 1);
    struct hearth_job *huge = given_queued(w, 0, HEARTH_NORMAL, 32);
    struct hearth_job *after = given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_ptr_equal(next(w, 0), small);
    assert_null(next(w, 0));
    finish(w, small);
    assert_ptr_equal(next(w, 0), huge);
    assert_null(next(w, 0));
    finish(w, huge);
    assert_ptr_equal(next(w, 0), after);
}

static void the_queue_limit_names_the_place_in_the_queue(void **state)
{
    (void)state;
    struct world *w = new_world(2, 1000);
    struct hearth_job *refused = job(w, HEARTH_NORMAL, 1);
    given_queued(w, 0, HEARTH_NORMAL, 1);
    given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_int_equal(submit(w, refused, &w->flows[0][0][0]), HEARTH_E_QUEUE_FULL);
    assert_string_equal(w->err.text, "2 requests wait for this model (queue_limit 2); "
                                     "this one would be number 3");
    assert_int_equal(refused->state, HEARTH_JOB_IDLE);
    assert_int_equal(submit(w, refused, &w->flows[0][0][1]), 0); /* other lane */
}

static void bytes_that_wait_are_limited_over_all_lanes(void **state)
{
    (void)state;
    struct world *w = new_world(256, 100);
    struct hearth_job *a = job(w, HEARTH_NORMAL, 1);
    struct hearth_job *b = job(w, HEARTH_NORMAL, 1);
    a->bytes = 60;
    b->bytes = 41;
    assert_int_equal(submit(w, a, &w->flows[0][0][0]), 0);
    assert_int_equal(submit(w, b, &w->flows[0][0][1]), HEARTH_E_QUEUE_FULL);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_QUEUE_FULL, "60 bytes of requests wait (limit 100)");
    hearth_sched_set_credit(&w->sched, 0, 1);
    assert_ptr_equal(next(w, 0), a); /* no longer waits */
    assert_int_equal(submit(w, b, &w->flows[0][0][1]), 0);
}

static void a_deadline_that_has_passed_is_refused(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    struct hearth_job *late = job(w, HEARTH_NORMAL, 1);
    late->deadline_ms = 500;
    w->now_ms = 507;
    assert_int_equal(submit(w, late, &w->flows[0][0][0]), HEARTH_E_EXPIRED);
    assert_string_equal(w->err.text, "deadline passed 7 ms ago");
    w->now_ms = 500;
    assert_int_equal(submit(w, late, &w->flows[0][0][0]), HEARTH_E_EXPIRED);
    w->now_ms = 499;
    assert_int_equal(submit(w, late, &w->flows[0][0][0]), 0);
}

static void deadlines_come_due_in_their_own_order(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    struct hearth_job *jobs[3];
    static const uint64_t deadlines[] = {300, 100, 200};
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = job(w, HEARTH_NORMAL, 1);
        jobs[i]->deadline_ms = deadlines[i];
        w->now_ms = 0;
        assert_int_equal(submit(w, jobs[i], &w->flows[0][0][0]), 0);
    }
    assert_true(hearth_sched_next_deadline(&w->sched) <= 100);
    assert_null(hearth_sched_due(&w->sched, 99));
    assert_ptr_equal(hearth_sched_due(&w->sched, 100), jobs[1]);
    assert_true(hearth_sched_withdraw(&w->sched, jobs[1]));
    assert_null(hearth_sched_due(&w->sched, 199));
    hearth_sched_set_credit(&w->sched, 0, 1);
    assert_ptr_equal(next(w, 0), jobs[0]);
    hearth_sched_set_deadline(&w->sched, jobs[0], 199); /* running jobs have deadlines too */
    assert_ptr_equal(hearth_sched_due(&w->sched, 199), jobs[0]);
    finish(w, jobs[0]);
    assert_true(hearth_sched_next_deadline(&w->sched) <= 200);
    assert_null(hearth_sched_due(&w->sched, 199));
    assert_int_equal(hearth_sched_next_deadline(&w->sched), 200);
    assert_true(hearth_sched_withdraw(&w->sched, jobs[2]));
    assert_int_equal(hearth_sched_next_deadline(&w->sched), HEARTH_SCHED_NEVER);
}

static void only_a_queued_job_can_be_withdrawn(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    struct hearth_job *a = given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_true(hearth_sched_withdraw(&w->sched, a));
    assert_false(hearth_sched_withdraw(&w->sched, a));
    assert_int_equal(w->sched.queued_count, 0);
    hearth_sched_set_credit(&w->sched, 0, 1);
    assert_null(next(w, 0));
    struct hearth_job *b = given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_ptr_equal(next(w, 0), b);
    assert_false(hearth_sched_withdraw(&w->sched, b));
}

static void doomed_jobs_never_go_and_those_that_come_later_do(void **state)
{
    (void)state;
    struct world *w = new_world(3, 1000);
    struct hearth_job *low = given_queued(w, 0, HEARTH_LOW, 1);
    struct hearth_job *high = given_queued(w, 0, HEARTH_HIGH, 1);
    struct hearth_job *elsewhere = given_queued(w, 1, HEARTH_LOW, 1);
    hearth_sched_doom(&w->sched, 0);
    struct hearth_job *later = given_queued(w, 0, HEARTH_LOW, 1);
    assert_int_equal(hearth_sched_lane(&w->sched, 0)->queued_count, 1);
    assert_int_equal(w->sched.queued_count, 4); /* their memory is still taken */
    assert_int_equal(position(w, low), 0);
    assert_int_equal(position(w, later), 0);
    hearth_sched_set_credit(&w->sched, 0, 10);
    assert_ptr_equal(next(w, 0), later);
    assert_null(next(w, 0));
    assert_null(hearth_sched_first_doomed(&w->sched, 1));
    assert_ptr_equal(hearth_sched_first_doomed(&w->sched, 0), high);
    assert_true(hearth_sched_withdraw(&w->sched, high));
    hearth_sched_doom(&w->sched, 0); /* nothing waits: what is doomed stays so */
    given_queued(w, 0, HEARTH_NORMAL, 1);
    hearth_sched_doom(&w->sched, 0);
    assert_ptr_equal(hearth_sched_first_doomed(&w->sched, 0), low);
    assert_true(hearth_sched_withdraw(&w->sched, low));
    assert_true(hearth_sched_withdraw(&w->sched, hearth_sched_first_doomed(&w->sched, 0)));
    assert_null(hearth_sched_first_doomed(&w->sched, 0));
    assert_int_equal(w->sched.queued_count, 1);
    assert_true(hearth_sched_withdraw(&w->sched, elsewhere));
}

/* What the session does when a worker dies: its running jobs end, the queue stays. */
static void a_lost_worker_leaves_the_queue_as_it_is(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 2);
    given_queued(w, 0, HEARTH_NORMAL, 1);
    given_queued(w, 0, HEARTH_NORMAL, 1);
    struct hearth_job *third = given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_non_null(next(w, 0));
    assert_non_null(next(w, 0));
    hearth_sched_set_credit(&w->sched, 0, 0);
    struct hearth_job *running;
    while ((running = hearth_sched_first_running(&w->sched, 0)) != NULL) {
        finish(w, running);
    }
    assert_int_equal(w->sched.running_count, 0);
    assert_null(next(w, 0));
    hearth_sched_set_credit(&w->sched, 0, 2);
    assert_ptr_equal(next(w, 0), third);
}

/* ---- fairness ------------------------------------------------------------------------------ */

/* Starts and ends @count jobs one after another, each served what it was charged; how many were of
 * each user. */
static void run(struct world *w, unsigned count, unsigned ret_of_user[USERS])
{
    hearth_sched_set_credit(&w->sched, 0, 1);
    for (unsigned i = 0; i < count; i++) {
        struct hearth_job *made = next(w, 0);
        assert_non_null(made);
        ret_of_user[made->flow->user - w->users]++;
        finish(w, made);
    }
}

static void a_flood_does_not_hold_up_who_comes_later(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 1);
    for (int i = 0; i < 64; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_NORMAL);
    }
    finish(w, next(w, 0));
    struct hearth_job *late = given_of(w, &w->flows[1][0][0], HEARTH_NORMAL);
    assert_int_equal(position(w, late), 1);
    finish(w, next(w, 0));
    assert_ptr_equal(next(w, 0), late);
}

static void users_get_work_by_weight_however_many_flows_they_have(void **state)
{
    (void)state;
    struct world *w = new_world(1000, 1000);
    unsigned of_user[USERS] = {0};
    w->users[1].weight = 300;
    for (int i = 0; i < 100; i++) {
        given_of(w, &w->flows[0][i % 2][0], HEARTH_NORMAL);
        given_of(w, &w->flows[1][0][0], HEARTH_NORMAL);
        given_of(w, &w->flows[2][0][0], HEARTH_NORMAL);
    }
    run(w, 100, of_user); /* 1 : 3 : 1 */
    assert_in_range(of_user[0], 19, 21);
    assert_in_range(of_user[1], 59, 61);
    assert_in_range(of_user[2], 19, 21);
}

static void connections_of_one_user_share_evenly(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    for (int i = 0; i < 60; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_NORMAL);
    }
    struct hearth_job *other = given_of(w, &w->flows[0][1][0], HEARTH_NORMAL);
    struct hearth_job *second = given_of(w, &w->flows[0][1][0], HEARTH_NORMAL);
    assert_int_equal(position(w, other), 1);
    assert_int_equal(position(w, second), 3);
}

static void who_was_idle_has_nothing_saved(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    unsigned of_user[USERS] = {0};
    for (int i = 0; i < 150; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_NORMAL);
    }
    run(w, 100, of_user); /* the other one was idle for all of these */
    for (int i = 0; i < 50; i++) {
        given_of(w, &w->flows[1][0][0], HEARTH_NORMAL);
    }
    of_user[0] = 0;
    run(w, 40, of_user);
    assert_in_range(of_user[0], 19, 21);
    assert_in_range(of_user[1], 19, 21);
}

static void what_was_served_counts_and_not_what_was_guessed(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 1);
    unsigned starts[USERS] = {0};
    for (int i = 0; i < 120; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_NORMAL)->work = 50;
        given_of(w, &w->flows[1][0][0], HEARTH_NORMAL)->work = 50;
    }
    for (int i = 0; i < 80; i++) { /* the first user's answers are thrice as long */
        struct hearth_job *made = next(w, 0);
        size_t user = (size_t)(made->flow->user - w->users);
        starts[user]++;
        hearth_sched_serve(&w->sched, made, user == 0 ? 60 : 2);
        hearth_sched_finish(&w->sched, made, user == 0 ? 90 : 30, w->now_ms);
    }
    assert_in_range(starts[0], 19, 21);
    assert_in_range(starts[1], 59, 61);
}

static void what_is_given_back_is_no_credit_for_later(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 2);
    struct hearth_job *guessed = job(w, HEARTH_NORMAL, 1);
    guessed->work = 500;
    assert_int_equal(submit(w, guessed, &w->flows[0][0][0]), 0);
    assert_ptr_equal(next(w, 0), guessed);
    for (int i = 0; i < 40; i++) {
        given_of(w, &w->flows[1][0][0], HEARTH_NORMAL)->work = 10;
    }
    for (int i = 0; i < 30; i++) {
        finish(w, next(w, 0)); /* the other user has got 300 */
    }
    for (int i = 0; i < 8; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_NORMAL)->work = 10;
    }
    hearth_sched_finish(&w->sched, guessed, 1, w->now_ms); /* 499 too much were charged */
    unsigned of_user[USERS] = {0};
    run(w, 8, of_user);
    assert_in_range(of_user[0], 3, 5);
}

/* ---- ageing -------------------------------------------------------------------------------- */

static void a_low_job_goes_though_high_ones_never_cease(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 1);
    struct hearth_job *low = given_of(w, &w->flows[1][0][0], HEARTH_LOW);
    struct hearth_job *started = NULL;
    uint64_t begun_ms = w->now_ms;
    given_of(w, &w->flows[0][0][0], HEARTH_HIGH);
    for (int i = 0; i < 1000 && started != low; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_HIGH); /* one always waits */
        started = next(w, 0);
        w->now_ms += 100;
        finish(w, started);
    }
    assert_ptr_equal(started, low);
    assert_in_range(w->now_ms - begun_ms, HEARTH_SCHED_AGED_MS, HEARTH_SCHED_AGED_MS + 500);
}

static void of_four_starts_one_is_for_what_is_aged(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 1);
    for (int i = 0; i < 30; i++) {
        given_of(w, &w->flows[1][0][0], HEARTH_LOW);
    }
    w->now_ms += HEARTH_SCHED_AGED_MS;
    for (int i = 0; i < 30; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_CRITICAL);
    }
    for (int i = 1; i <= 24; i++) {
        struct hearth_job *made = next(w, 0);
        assert_int_equal(made->priority == HEARTH_LOW, i % 4 == 0);
        finish(w, made);
    }
}

static void what_is_aged_takes_the_rank_of_those_it_overtakes(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 1);
    for (int i = 0; i < 3; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_HIGH);
        finish(w, next(w, 0));
    }
    struct hearth_job *low = given_of(w, &w->flows[1][0][0], HEARTH_LOW);
    w->now_ms += HEARTH_SCHED_AGED_MS;
    given_of(w, &w->flows[0][0][0], HEARTH_HIGH);
    assert_ptr_equal(next(w, 0), low);
    assert_int_equal(low->rank, HEARTH_HIGH);
    assert_null(next(w, 0)); /* it has the credit of the high ones */
    finish(w, low);
    assert_non_null(next(w, 0));
}

/* ---- limits and waits ---------------------------------------------------------------------- */

static void classes_and_users_have_limits_of_their_own(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    w->sched.limits.classes[HEARTH_LOW] = 1;
    w->users[0].queue_limit = 3;
    given_of(w, &w->flows[0][0][0], HEARTH_LOW);
    assert_int_equal(submit(w, job(w, HEARTH_LOW, 1), &w->flows[1][0][0]), HEARTH_E_QUEUE_FULL);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_QUEUE_FULL,
                     "1 requests of this class wait for this model (queue_limit_low 1)");
    given_of(w, &w->flows[0][0][0], HEARTH_HIGH);
    given_of(w, &w->flows[0][1][0], HEARTH_HIGH);
    assert_int_equal(submit(w, job(w, HEARTH_HIGH, 1), &w->flows[0][1][0]), HEARTH_E_QUEUE_FULL);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_QUEUE_FULL,
                     "3 requests of this user wait for this model (its queue limit 3)");
    given_of(w, &w->flows[0][0][1], HEARTH_HIGH); /* another model */
    given_of(w, &w->flows[1][0][0], HEARTH_HIGH); /* another user */
}

static void a_full_queue_lets_in_who_has_nothing_there(void **state)
{
    (void)state;
    struct world *w = new_world(8, 1000);
    for (int i = 0; i < 8; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_NORMAL);
    }
    assert_int_equal(submit(w, job(w, HEARTH_NORMAL, 1), &w->flows[0][0][0]), HEARTH_E_QUEUE_FULL);
    given_of(w, &w->flows[1][0][0], HEARTH_NORMAL);
    assert_int_equal(submit(w, job(w, HEARTH_NORMAL, 1), &w->flows[2][0][0]), HEARTH_E_QUEUE_FULL);
}

/* @count jobs end @apart_ms after each other while others wait. */
static void given_measured(struct world *w, unsigned count, uint64_t apart_ms)
{
    hearth_sched_set_credit(&w->sched, 0, 1);
    for (unsigned i = 0; i < count + 1; i++) {
        given_of(w, &w->flows[2][0][0], HEARTH_CRITICAL);
    }
    for (unsigned i = 0; i < count; i++) {
        struct hearth_job *made = next(w, 0);
        w->now_ms += apart_ms;
        finish(w, made);
    }
    struct hearth_job *last = next(w, 0);
    finish(w, last);
}

static void a_refusal_tells_place_wait_and_when_to_come_again(void **state)
{
    (void)state;
    struct world *w = new_world(4, 1000);
    w->sched.limits.lane = 256;
    given_measured(w, 20, 50);
    w->sched.limits.lane = 4;
    for (int i = 0; i < 4; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_NORMAL);
    }
    assert_int_equal(submit(w, job(w, HEARTH_NORMAL, 1), &w->flows[0][0][0]), HEARTH_E_QUEUE_FULL);
    assert_string_equal(w->err.text, "4 requests wait for this model (queue_limit 4); this one "
                                     "would be number 5 and wait about 250 ms");
    assert_int_equal(w->place.position, 4);
    assert_int_equal(w->place.expected_wait_ms, 250);
    assert_int_equal(w->place.retry_after_ms, 50);
}

static void a_deadline_that_cannot_be_met_is_refused_at_once(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    given_measured(w, 20, 50);
    for (int i = 0; i < 9; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_NORMAL);
    }
    struct hearth_job *hasty = job(w, HEARTH_NORMAL, 1);
    hasty->deadline_ms = w->now_ms + 249; /* ten times 50 ms are twice as much and more */
    assert_int_equal(submit(w, hasty, &w->flows[0][0][0]), HEARTH_E_EXPIRED);
    assert_string_equal(w->err.text,
                        "its deadline is in 249 ms, and 9 requests before it take about 500 ms");
    assert_int_equal(w->place.position, 9);
    assert_int_equal(submit(w, hasty, &w->flows[1][0][0]), 0); /* where fewer go before it */
    assert_true(hearth_sched_withdraw(&w->sched, hasty));
    hasty->deadline_ms = w->now_ms + 250;
    assert_int_equal(submit(w, hasty, &w->flows[0][0][0]), 0);
}

static void no_deadline_is_refused_before_the_rate_is_known(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    given_measured(w, HEARTH_SCHED_MEASURED - 1, 5000);
    for (int i = 0; i < 100; i++) {
        given_of(w, &w->flows[0][0][0], HEARTH_NORMAL);
    }
    struct hearth_job *hasty = job(w, HEARTH_NORMAL, 1);
    hasty->deadline_ms = w->now_ms + 1;
    assert_int_equal(submit(w, hasty, &w->flows[0][0][0]), 0);
}

struct expectation {
    struct hearth_job *job;
    uint32_t position;
};

static void expect(void *arg, struct hearth_job *made, const struct hearth_sched_place *place)
{
    struct expectation **at = arg;
    *(*at)++ = (struct expectation){.job = made, .position = place->position};
}

/* All flows are of users of their own, so that prices stay what they are. */
static void jobs_go_in_the_order_of_their_positions(struct kit_random *random, void *context)
{
    (void)context;
    struct world *w = new_world(1000, 1000);
    static struct expectation told[64];
    struct expectation *end = told;
    unsigned count = (unsigned)kit_random_between(random, 1, 60);
    w->users[1].weight = (uint32_t)kit_random_between(random, 1, 400);
    w->users[2].weight = (uint32_t)kit_random_between(random, 1, 400);
    hearth_sched_set_credit(&w->sched, 0, 1);
    for (unsigned i = 0; i < count; i++) {
        struct hearth_flow *flow = &w->flows[kit_random_below(random, USERS)][0][0];
        given_of(w, flow, (enum hearth_priority)kit_random_below(random, 4));
        if (kit_random_once_in(random, 8)) {
            finish(w, next(w, 0));
        }
    }
    count = hearth_sched_lane(&w->sched, 0)->queued_count;
    hearth_sched_each_queued(&w->sched, 0, expect, &end);
    assert_int_equal(end - told, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(position(w, told[i].job), told[i].position);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct hearth_job *made = next(w, 0);
        struct expectation *of_it = told;
        while (of_it->job != made) {
            of_it++;
        }
        assert_int_equal(of_it->position, i);
        hearth_sched_finish(&w->sched, made, made->charged, w->now_ms);
    }
}

static void positions_are_the_order_in_which_jobs_go(void **state)
{
    (void)state;
    kit_property(300, jobs_go_in_the_order_of_their_positions, NULL);
}

KIT_MAIN(cmocka_unit_test(higher_priority_goes_first_and_equals_in_order),
         cmocka_unit_test(nothing_goes_without_credit),
         cmocka_unit_test(a_job_waits_for_its_class_and_higher_ones_alone),
         cmocka_unit_test(lanes_do_not_share_credit),
         cmocka_unit_test(a_batch_waits_for_all_its_credit_and_is_not_overtaken),
         cmocka_unit_test(a_batch_larger_than_the_credit_runs_alone),
         cmocka_unit_test(a_flow_does_not_fill_the_worker_with_what_it_floods),
         cmocka_unit_test(a_flow_has_two_batches_at_the_worker_all_the_same),
         cmocka_unit_test(the_queue_limit_names_the_place_in_the_queue),
         cmocka_unit_test(bytes_that_wait_are_limited_over_all_lanes),
         cmocka_unit_test(a_deadline_that_has_passed_is_refused),
         cmocka_unit_test(deadlines_come_due_in_their_own_order),
         cmocka_unit_test(doomed_jobs_never_go_and_those_that_come_later_do),
         cmocka_unit_test(only_a_queued_job_can_be_withdrawn),
         cmocka_unit_test(a_lost_worker_leaves_the_queue_as_it_is),
         cmocka_unit_test(a_flood_does_not_hold_up_who_comes_later),
         cmocka_unit_test(users_get_work_by_weight_however_many_flows_they_have),
         cmocka_unit_test(connections_of_one_user_share_evenly),
         cmocka_unit_test(who_was_idle_has_nothing_saved),
         cmocka_unit_test(what_was_served_counts_and_not_what_was_guessed),
         cmocka_unit_test(what_is_given_back_is_no_credit_for_later),
         cmocka_unit_test(a_low_job_goes_though_high_ones_never_cease),
         cmocka_unit_test(of_four_starts_one_is_for_what_is_aged),
         cmocka_unit_test(what_is_aged_takes_the_rank_of_those_it_overtakes),
         cmocka_unit_test(classes_and_users_have_limits_of_their_own),
         cmocka_unit_test(a_full_queue_lets_in_who_has_nothing_there),
         cmocka_unit_test(a_refusal_tells_place_wait_and_when_to_come_again),
         cmocka_unit_test(a_deadline_that_cannot_be_met_is_refused_at_once),
         cmocka_unit_test(no_deadline_is_refused_before_the_rate_is_known),
         cmocka_unit_test(positions_are_the_order_in_which_jobs_go))
