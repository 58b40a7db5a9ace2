#include "hearth_os.h"

#include "kit.h"

#include <string.h>

struct called {
    struct hearth_loop *loop;
    struct hearth_timer *timers;
    size_t order[200];
    size_t count;
};

struct entry {
    struct hearth_timer timer;
    struct called *called;
    size_t index;
};

static void note(void *arg, uint64_t now_ns)
{
    struct entry *entry = arg;
    assert_true(now_ns >= entry->timer.deadline_ns);
    entry->called->order[entry->called->count++] = entry->index;
}

/* Random arming, rearming and disarming; what is left is called in the order of its deadlines. */
static void order_matches_a_plain_table(struct kit_random *random, void *context)
{
    (void)context;
    static struct entry entries[200];
    struct called called = {0};
    assert_int_equal(hearth_loop_create(&called.loop, NULL), 0);
    uint64_t base_ns = hearth_clock_ns() - HEARTH_NS_PER_SEC; /* all are due at once */
    for (size_t i = 0; i < HEARTH_COUNT(entries); i++) {
        entries[i].called = &called;
        entries[i].index = i;
        hearth_timer_init(&entries[i].timer, note, &entries[i]);
    }
    uint64_t deadlines[HEARTH_COUNT(entries)] = {0}; /* 0: not armed */
    for (int step = 0; step < 600; step++) {
        size_t i = kit_random_below(random, HEARTH_COUNT(entries));
        if (kit_random_once_in(random, 3)) {
            hearth_loop_disarm(called.loop, &entries[i].timer);
            deadlines[i] = 0;
        } else {
            deadlines[i] = base_ns + kit_random_below(random, 1000);
            hearth_loop_arm(called.loop, &entries[i].timer, deadlines[i]);
        }
    }
    size_t armed = 0;
    for (size_t i = 0; i < HEARTH_COUNT(entries); i++) {
        armed += deadlines[i] != 0;
    }
    assert_int_equal(hearth_loop_run_once(called.loop, 0, NULL), 0);
    assert_int_equal(called.count, armed);
    for (size_t i = 0; i < called.count; i++) {
        assert_true(deadlines[called.order[i]] != 0);
        assert_true(i == 0 || deadlines[called.order[i - 1]] <= deadlines[called.order[i]]);
        deadlines[called.order[i]] = 0; /* each once */
    }
    hearth_loop_destroy(called.loop);
}

static void timers_are_called_in_order(void **state)
{
    (void)state;
    kit_property(100, order_matches_a_plain_table, NULL);
}

struct again {
    struct hearth_loop *loop;
    struct hearth_timer timer;
    struct hearth_timer *victim;
    int calls;
};

static void rearm_in_the_past(void *arg, uint64_t now_ns)
{
    struct again *again = arg;
    again->calls++;
    hearth_loop_arm(again->loop, &again->timer, now_ns - 1);
}

static void timer_that_rearms_in_the_past_does_not_hold_the_round(void **state)
{
    (void)state;
    struct again again = {0};
    assert_int_equal(hearth_loop_create(&again.loop, NULL), 0);
    hearth_timer_init(&again.timer, rearm_in_the_past, &again);
    hearth_loop_arm(again.loop, &again.timer, 1);
    assert_int_equal(hearth_loop_run_once(again.loop, 0, NULL), 0);
    assert_int_equal(again.calls, 1);
    hearth_loop_destroy(again.loop);
}

static void disarm_victim(void *arg, uint64_t now_ns)
{
    (void)now_ns;
    struct again *again = arg;
    again->calls++;
    hearth_loop_disarm(again->loop, again->victim);
    memset(again->victim, 0xff, sizeof *again->victim); /* its memory may go at once */
}

static void timer_removed_by_another_is_not_called(void **state)
{
    (void)state;
    struct again again = {0};
    struct hearth_timer victim;
    assert_int_equal(hearth_loop_create(&again.loop, NULL), 0);
    hearth_timer_init(&again.timer, disarm_victim, &again);
    hearth_timer_init(&victim, rearm_in_the_past, NULL);
    again.victim = &victim;
    hearth_loop_arm(again.loop, &again.timer, 1);
    hearth_loop_arm(again.loop, &victim, 2);
    assert_int_equal(hearth_loop_run_once(again.loop, 0, NULL), 0);
    assert_int_equal(again.calls, 1);
    hearth_loop_destroy(again.loop);
}

static void stop_loop(void *arg, uint64_t now_ns)
{
    struct again *again = arg;
    assert_true(now_ns >= again->timer.deadline_ns);
    again->calls++;
    hearth_loop_stop(again->loop);
}

static void timer_wakes_an_idle_loop_once_and_not_early(void **state)
{
    (void)state;
    struct again again = {0};
    struct hearth_loop_stats stats;
    assert_int_equal(hearth_loop_create(&again.loop, NULL), 0);
    hearth_timer_init(&again.timer, stop_loop, &again);
    uint64_t deadline_ns = hearth_clock_ns() + 30 * HEARTH_NS_PER_MS;
    hearth_loop_arm(again.loop, &again.timer, deadline_ns);
    assert_int_equal(hearth_loop_run(again.loop, NULL), 0);
    assert_true(hearth_clock_ns() >= deadline_ns);
    hearth_loop_stats(again.loop, &stats);
    assert_int_equal(again.calls, 1);
    assert_int_equal(stats.rounds, 1); /* nothing woke it on the way */
    assert_int_equal(stats.callbacks, 1);
    hearth_loop_destroy(again.loop);
}

static void never_disarms(void **state)
{
    (void)state;
    struct again again = {0};
    assert_int_equal(hearth_loop_create(&again.loop, NULL), 0);
    hearth_timer_init(&again.timer, rearm_in_the_past, &again);
    hearth_loop_arm(again.loop, &again.timer, 1);
    hearth_loop_arm(again.loop, &again.timer, HEARTH_NEVER);
    assert_int_equal(hearth_loop_run_once(again.loop, 0, NULL), 0);
    assert_int_equal(again.calls, 0);
    hearth_loop_destroy(again.loop);
}

KIT_MAIN(cmocka_unit_test(timers_are_called_in_order),
         cmocka_unit_test(timer_that_rearms_in_the_past_does_not_hold_the_round),
         cmocka_unit_test(timer_removed_by_another_is_not_called),
         cmocka_unit_test(timer_wakes_an_idle_loop_once_and_not_early),
         cmocka_unit_test(never_disarms))
