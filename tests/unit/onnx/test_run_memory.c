/* test_run_memory.c — the curve, and claims that wait for each other. */

#include "kit.h"

#include "run_memory.h"

#include <sched.h>

static struct run_memory memory;
static atomic_bool never;

static void begin(uint64_t budget_bytes)
{
    run_memory_init(&memory, budget_bytes);
}

static void learn_three(void)
{
    run_memory_learn(&memory, 10, 100);
    run_memory_learn(&memory, 20, 300);
    run_memory_learn(&memory, 40, 1200);
}

static void need_is_a_line_between_lengths_and_a_square_beyond(void **state)
{
    (void)state;
    begin(1);
    assert_int_equal(run_memory_need(&memory, 1000), 0); /* nothing is known */
    learn_three();
    assert_int_equal(run_memory_need(&memory, 1), 100);
    assert_int_equal(run_memory_need(&memory, 10), 100);
    assert_int_equal(run_memory_need(&memory, 15), 200);
    assert_int_equal(run_memory_need(&memory, 20), 300);
    assert_int_equal(run_memory_need(&memory, 30), 750);
    assert_int_equal(run_memory_need(&memory, 80), 4800);
    run_memory_finish(&memory);
}

static void a_longer_run_never_needs_less(void **state)
{
    (void)state;
    begin(1);
    run_memory_learn(&memory, 10, 500);
    run_memory_learn(&memory, 20, 400);
    run_memory_learn(&memory, 15, 9999); /* not in order: not taken */
    assert_int_equal(run_memory_need(&memory, 20), 500);
    assert_int_equal(run_memory_need(&memory, 15), 500);
    run_memory_finish(&memory);
}

static void what_can_never_fit_is_refused_with_need_and_have(void **state)
{
    (void)state;
    struct hearth_error err = {0};
    struct run_claim claim;
    begin(1000);
    learn_three();
    assert_int_equal(run_memory_claim(&memory, &claim, 40, &never, &err), HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE,
                     "40 tokens needs 1200 bytes to run, this model has 1000");
    assert_int_equal(run_memory_claim(&memory, &claim, 20, &never, &err), 0);
    run_memory_release(&memory, &claim);
    run_memory_finish(&memory);
}

static void a_claim_that_failed_holds_nothing(void **state)
{
    (void)state;
    struct run_claim claim;
    atomic_bool must_end = true;
    begin(1000);
    learn_three();
    assert_int_equal(run_memory_claim(&memory, &claim, 40, &never, NULL), HEARTH_E_TOO_LARGE);
    run_memory_release(&memory, &claim);
    assert_int_equal(memory.used_bytes, 0);
    assert_int_equal(run_memory_claim(&memory, &claim, 20, &must_end, NULL), HEARTH_E_CANCELLED);
    run_memory_release(&memory, &claim);
    assert_int_equal(memory.used_bytes, 0);
    run_memory_finish(&memory);
}

/* ---- claims of several threads ------------------------------------------------------------- */

struct waiter {
    pthread_t thread;
    struct run_claim claim;
    size_t tokens;
    atomic_bool must_end;
    atomic_int rc;
    atomic_bool is_done;
};

static void *wait_for_claim(void *arg)
{
    struct waiter *waiter = arg;
    atomic_store(&waiter->rc, run_memory_claim(&memory, &waiter->claim, waiter->tokens,
                                               &waiter->must_end, NULL));
    atomic_store(&waiter->is_done, true);
    return NULL;
}

static size_t count_waiting(void)
{
    pthread_mutex_lock(&memory.lock);
    size_t count = 0;
    for (struct hearth_list *at = memory.waiting.next; at != &memory.waiting; at = at->next) {
        count++;
    }
    pthread_mutex_unlock(&memory.lock);
    return count;
}

/* Starts it and returns when it waits in the queue, which is the event that the test is about. */
static void start_waiting(struct waiter *waiter, size_t tokens)
{
    size_t before = count_waiting();
    *waiter = (struct waiter){.tokens = tokens};
    assert_int_equal(pthread_create(&waiter->thread, NULL, wait_for_claim, waiter), 0);
    while (count_waiting() == before) {
        sched_yield();
    }
}

static void finish(struct waiter *waiter, int wanted)
{
    assert_int_equal(pthread_join(waiter->thread, NULL), 0);
    assert_int_equal(atomic_load(&waiter->rc), wanted);
}

static void a_short_run_does_not_overtake_a_long_one_that_waits(void **state)
{
    (void)state;
    struct run_claim first;
    struct waiter longer;
    struct waiter shorter;
    begin(1300);
    learn_three();
    assert_int_equal(run_memory_claim(&memory, &first, 20, &never, NULL), 0);
    start_waiting(&longer, 40);
    start_waiting(&shorter, 10); /* would fit beside the first */
    assert_false(atomic_load(&shorter.is_done));

    run_memory_release(&memory, &first);

    finish(&longer, 0);
    finish(&shorter, 0); /* 1200 and 100 fit together */
    run_memory_release(&memory, &longer.claim);
    run_memory_release(&memory, &shorter.claim);
    run_memory_finish(&memory);
}

static void who_waits_is_let_go_when_it_must_end(void **state)
{
    (void)state;
    struct run_claim first;
    struct waiter stopped;
    struct waiter behind;
    begin(1250);
    learn_three();
    assert_int_equal(run_memory_claim(&memory, &first, 20, &never, NULL), 0);
    start_waiting(&stopped, 40);
    start_waiting(&behind, 20);

    atomic_store(&stopped.must_end, true);
    run_memory_wake(&memory);

    finish(&stopped, HEARTH_E_CANCELLED);
    finish(&behind, 0);
    run_memory_release(&memory, &behind.claim);
    run_memory_release(&memory, &first);
    run_memory_finish(&memory);
}

#define CROWD  8
#define ROUNDS 2000

static atomic_uint_fast64_t held_bytes;
static atomic_bool is_over;

static void *claim_again_and_again(void *arg)
{
    struct kit_random random = {(uint64_t)(uintptr_t)arg};
    struct run_claim claim;
    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t tokens = 1 + (size_t)kit_random_below(&random, 40);
        if (run_memory_claim(&memory, &claim, tokens, &never, NULL) != 0) {
            atomic_store(&is_over, true);
            return NULL;
        }
        if (atomic_fetch_add(&held_bytes, claim.bytes) + claim.bytes > 1300) {
            atomic_store(&is_over, true);
        }
        atomic_fetch_sub(&held_bytes, claim.bytes);
        run_memory_release(&memory, &claim);
    }
    return NULL;
}

static void the_budget_holds_whatever_a_crowd_claims(void **state)
{
    (void)state;
    pthread_t threads[CROWD];
    begin(1300);
    learn_three();
    for (uintptr_t i = 0; i < CROWD; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, claim_again_and_again, (void *)(i + 1)),
                         0);
    }
    for (size_t i = 0; i < CROWD; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_false(atomic_load(&is_over));
    run_memory_finish(&memory);
}

KIT_MAIN(cmocka_unit_test(need_is_a_line_between_lengths_and_a_square_beyond),
         cmocka_unit_test(a_longer_run_never_needs_less),
         cmocka_unit_test(what_can_never_fit_is_refused_with_need_and_have),
         cmocka_unit_test(a_claim_that_failed_holds_nothing),
         cmocka_unit_test(a_short_run_does_not_overtake_a_long_one_that_waits),
         cmocka_unit_test(who_waits_is_let_go_when_it_must_end),
         cmocka_unit_test(the_budget_holds_whatever_a_crowd_claims))
