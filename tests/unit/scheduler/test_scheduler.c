#include "kit.h"

#include "hearth_sched.h"

struct world {
    struct hearth_sched sched;
    struct hearth_job jobs[64];
    size_t used;
    struct hearth_error err;
};

static struct world *new_world(uint32_t queue_limit, uint64_t queue_limit_bytes)
{
    static struct world world;
    world = (struct world){0};
    hearth_sched_init(&world.sched, queue_limit, queue_limit_bytes);
    return &world;
}

static struct hearth_job *job(struct world *world, enum hearth_priority priority, uint32_t inputs)
{
    struct hearth_job *made = &world->jobs[world->used++];
    made->deadline_ms = HEARTH_SCHED_NEVER;
    made->priority = priority;
    made->inputs = inputs;
    return made;
}

static struct hearth_job *given_queued(struct world *world, uint32_t lane,
                                       enum hearth_priority priority, uint32_t inputs)
{
    struct hearth_job *made = job(world, priority, inputs);
    assert_int_equal(hearth_sched_submit(&world->sched, made, lane, 0, &world->err), 0);
    return made;
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
    assert_int_equal(hearth_sched_position(&w->sched, low), 4);
    assert_int_equal(hearth_sched_position(&w->sched, second), 3);
    hearth_sched_set_credit(&w->sched, 3, 10);
    assert_ptr_equal(hearth_sched_first_queued(&w->sched, 3), critical);
    assert_ptr_equal(hearth_sched_next(&w->sched, 3), critical);
    assert_ptr_equal(hearth_sched_next(&w->sched, 3), high);
    assert_ptr_equal(hearth_sched_next(&w->sched, 3), first);
    assert_ptr_equal(hearth_sched_next(&w->sched, 3), second);
    assert_ptr_equal(hearth_sched_next(&w->sched, 3), low);
    assert_null(hearth_sched_next(&w->sched, 3));
    assert_ptr_equal(hearth_sched_first_running(&w->sched, 3), critical);
}

static void nothing_goes_without_credit(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    struct hearth_job *a = given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_null(hearth_sched_next(&w->sched, 0));
    hearth_sched_set_credit(&w->sched, 0, 1);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), a);
    given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_null(hearth_sched_next(&w->sched, 0));
    hearth_sched_finish(&w->sched, a);
    assert_non_null(hearth_sched_next(&w->sched, 0));
}

static void a_job_waits_for_its_class_and_higher_ones_alone(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 2);
    given_queued(w, 0, HEARTH_LOW, 2);
    struct hearth_job *low = hearth_sched_next(&w->sched, 0);
    assert_non_null(low);
    given_queued(w, 0, HEARTH_LOW, 1);
    assert_null(hearth_sched_next(&w->sched, 0)); /* its own class has all the credit */
    struct hearth_job *critical = given_queued(w, 0, HEARTH_CRITICAL, 1);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), critical);
    struct hearth_job *high = given_queued(w, 0, HEARTH_HIGH, 2);
    assert_null(hearth_sched_next(&w->sched, 0)); /* one is taken by a higher class */
    hearth_sched_finish(&w->sched, critical);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), high);
    hearth_sched_finish(&w->sched, low);
    assert_null(hearth_sched_next(&w->sched, 0)); /* the low one behind: the high one has it all */
    hearth_sched_finish(&w->sched, high);
    assert_non_null(hearth_sched_next(&w->sched, 0));
}

static void lanes_do_not_share_credit(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    given_queued(w, 0, HEARTH_NORMAL, 1);
    struct hearth_job *other = given_queued(w, 1, HEARTH_LOW, 1);
    hearth_sched_set_credit(&w->sched, 1, 1);
    assert_null(hearth_sched_next(&w->sched, 0));
    assert_ptr_equal(hearth_sched_next(&w->sched, 1), other);
}

static void a_batch_waits_for_all_its_credit_and_is_not_overtaken(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 4);
    struct hearth_job *first = given_queued(w, 0, HEARTH_NORMAL, 2);
    struct hearth_job *batch = given_queued(w, 0, HEARTH_NORMAL, 3);
    struct hearth_job *small = given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), first);
    assert_null(hearth_sched_next(&w->sched, 0));
    hearth_sched_finish(&w->sched, first);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), batch);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), small);
}

static void a_batch_larger_than_the_credit_runs_alone(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    hearth_sched_set_credit(&w->sched, 0, 4);
    struct hearth_job *small = given_queued(w, 0, HEARTH_NORMAL, 1);
    struct hearth_job *huge = given_queued(w, 0, HEARTH_NORMAL, 32);
    struct hearth_job *next = given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), small);
    assert_null(hearth_sched_next(&w->sched, 0));
    hearth_sched_finish(&w->sched, small);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), huge);
    assert_null(hearth_sched_next(&w->sched, 0));
    hearth_sched_finish(&w->sched, huge);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), next);
}

static void the_queue_limit_names_the_place_in_the_queue(void **state)
{
    (void)state;
    struct world *w = new_world(2, 1000);
    struct hearth_job *refused = job(w, HEARTH_CRITICAL, 1);
    given_queued(w, 0, HEARTH_NORMAL, 1);
    given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_int_equal(hearth_sched_submit(&w->sched, refused, 0, 0, &w->err), HEARTH_E_QUEUE_FULL);
    assert_string_equal(w->err.text, "2 requests wait for this model (queue_limit 2); "
                                     "this one would be number 3");
    assert_int_equal(refused->state, HEARTH_JOB_IDLE);
    assert_int_equal(hearth_sched_submit(&w->sched, refused, 1, 0, &w->err), 0); /* other lane */
}

static void bytes_that_wait_are_limited_over_all_lanes(void **state)
{
    (void)state;
    struct world *w = new_world(256, 100);
    struct hearth_job *a = job(w, HEARTH_NORMAL, 1);
    struct hearth_job *b = job(w, HEARTH_NORMAL, 1);
    a->bytes = 60;
    b->bytes = 41;
    assert_int_equal(hearth_sched_submit(&w->sched, a, 0, 0, &w->err), 0);
    assert_int_equal(hearth_sched_submit(&w->sched, b, 1, 0, &w->err), HEARTH_E_QUEUE_FULL);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_QUEUE_FULL, "60 bytes of requests wait (limit 100)");
    hearth_sched_set_credit(&w->sched, 0, 1);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), a); /* no longer waits */
    assert_int_equal(hearth_sched_submit(&w->sched, b, 1, 0, &w->err), 0);
}

static void a_deadline_that_has_passed_is_refused(void **state)
{
    (void)state;
    struct world *w = new_world(256, 1000);
    struct hearth_job *late = job(w, HEARTH_NORMAL, 1);
    late->deadline_ms = 500;
    assert_int_equal(hearth_sched_submit(&w->sched, late, 0, 507, &w->err), HEARTH_E_EXPIRED);
    assert_string_equal(w->err.text, "deadline passed 7 ms ago");
    assert_int_equal(hearth_sched_submit(&w->sched, late, 0, 500, &w->err), HEARTH_E_EXPIRED);
    assert_int_equal(hearth_sched_submit(&w->sched, late, 0, 499, &w->err), 0);
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
        assert_int_equal(hearth_sched_submit(&w->sched, jobs[i], 0, 0, &w->err), 0);
    }
    assert_int_equal(hearth_sched_next_deadline(&w->sched), 100);
    assert_null(hearth_sched_due(&w->sched, 99));
    assert_ptr_equal(hearth_sched_due(&w->sched, 100), jobs[1]);
    assert_true(hearth_sched_withdraw(&w->sched, jobs[1]));
    assert_null(hearth_sched_due(&w->sched, 199));
    hearth_sched_set_credit(&w->sched, 0, 1);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), jobs[0]);
    hearth_sched_set_deadline(&w->sched, jobs[0], 150); /* running jobs have deadlines too */
    assert_ptr_equal(hearth_sched_due(&w->sched, 150), jobs[0]);
    hearth_sched_finish(&w->sched, jobs[0]);
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
    assert_null(hearth_sched_next(&w->sched, 0));
    struct hearth_job *b = given_queued(w, 0, HEARTH_NORMAL, 1);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), b);
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
    assert_int_equal(hearth_sched_position(&w->sched, low), 0);
    assert_int_equal(hearth_sched_position(&w->sched, later), 0);
    hearth_sched_set_credit(&w->sched, 0, 10);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), later);
    assert_null(hearth_sched_next(&w->sched, 0));
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
    assert_non_null(hearth_sched_next(&w->sched, 0));
    assert_non_null(hearth_sched_next(&w->sched, 0));
    hearth_sched_set_credit(&w->sched, 0, 0);
    struct hearth_job *running;
    while ((running = hearth_sched_first_running(&w->sched, 0)) != NULL) {
        hearth_sched_finish(&w->sched, running);
    }
    assert_int_equal(w->sched.running_count, 0);
    assert_null(hearth_sched_next(&w->sched, 0));
    hearth_sched_set_credit(&w->sched, 0, 2);
    assert_ptr_equal(hearth_sched_next(&w->sched, 0), third);
}

KIT_MAIN(cmocka_unit_test(higher_priority_goes_first_and_equals_in_order),
         cmocka_unit_test(nothing_goes_without_credit),
         cmocka_unit_test(a_job_waits_for_its_class_and_higher_ones_alone),
         cmocka_unit_test(lanes_do_not_share_credit),
         cmocka_unit_test(a_batch_waits_for_all_its_credit_and_is_not_overtaken),
         cmocka_unit_test(a_batch_larger_than_the_credit_runs_alone),
         cmocka_unit_test(the_queue_limit_names_the_place_in_the_queue),
         cmocka_unit_test(bytes_that_wait_are_limited_over_all_lanes),
         cmocka_unit_test(a_deadline_that_has_passed_is_refused),
         cmocka_unit_test(deadlines_come_due_in_their_own_order),
         cmocka_unit_test(doomed_jobs_never_go_and_those_that_come_later_do),
         cmocka_unit_test(only_a_queued_job_can_be_withdrawn),
         cmocka_unit_test(a_lost_worker_leaves_the_queue_as_it_is))
