#include "hearth_os.h"

#include "kit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct world {
    struct hearth_loop *loop;
    int events[8]; /* eventfds */
};

static int set_up(void **state)
{
    static struct world world;
    *state = &world;
    for (size_t i = 0; i < HEARTH_COUNT(world.events); i++) {
        if (hearth_event_create(&world.events[i], NULL) < 0) {
            return -1;
        }
    }
    return hearth_loop_create(&world.loop, NULL);
}

static int tear_down(void **state)
{
    struct world *world = *state;
    hearth_loop_destroy(world->loop);
    for (size_t i = 0; i < HEARTH_COUNT(world->events); i++) {
        hearth_fd_close(&world->events[i]);
    }
    return 0;
}

struct watcher {
    struct hearth_watch watch;
    struct world *world;
    unsigned events;
    int calls;
};

static void count_call(void *arg, unsigned events)
{
    struct watcher *watcher = arg;
    watcher->events = events;
    watcher->calls++;
}

static int watch_event(struct world *world, struct watcher *watcher, int i, hearth_watch_fn *fn)
{
    watcher->world = world;
    return hearth_loop_watch(world->loop, &watcher->watch, world->events[i], HEARTH_READY_IN, fn,
                             watcher, NULL);
}

static void ready_descriptor_is_called_until_it_is_drained(void **state)
{
    struct world *world = *state;
    struct watcher watcher = {0};
    assert_int_equal(watch_event(world, &watcher, 0, count_call), 0);
    assert_int_equal(hearth_loop_run_once(world->loop, 0, NULL), 0);
    assert_int_equal(watcher.calls, 0);
    hearth_event_signal(world->events[0]);
    assert_int_equal(hearth_loop_run_once(world->loop, HEARTH_NEVER, NULL), 0);
    assert_int_equal(hearth_loop_run_once(world->loop, HEARTH_NEVER, NULL), 0);
    assert_int_equal(watcher.calls, 2);
    assert_int_equal(watcher.events, HEARTH_READY_IN);
    assert_true(hearth_event_drain(world->events[0]));
    assert_int_equal(hearth_loop_run_once(world->loop, 0, NULL), 0);
    assert_int_equal(watcher.calls, 2);
    hearth_loop_unwatch(world->loop, &watcher.watch);
    assert_false(hearth_watch_is_in_use(&watcher.watch));
    hearth_loop_unwatch(world->loop, &watcher.watch);
    hearth_event_signal(world->events[0]);
    assert_int_equal(hearth_loop_run_once(world->loop, 0, NULL), 0);
    assert_int_equal(watcher.calls, 2);
}

/* Watches that live on the heap; the first that is called removes and frees all, itself too. */
struct crowd {
    struct world *world;
    struct hearth_watch *watches[8];
    int calls;
};

static void free_everyone(void *arg, unsigned events)
{
    (void)events;
    struct crowd *crowd = arg;
    crowd->calls++;
    for (size_t i = 0; i < HEARTH_COUNT(crowd->watches); i++) {
        hearth_loop_unwatch(crowd->world->loop, crowd->watches[i]);
        free(crowd->watches[i]);
    }
}

static void watch_freed_by_another_of_the_same_batch_is_not_called(void **state)
{
    struct world *world = *state;
    struct crowd crowd = {.world = world};
    for (size_t i = 0; i < HEARTH_COUNT(crowd.watches); i++) {
        crowd.watches[i] = calloc(1, sizeof *crowd.watches[i]);
        assert_non_null(crowd.watches[i]);
        assert_int_equal(hearth_loop_watch(world->loop, crowd.watches[i], world->events[i],
                                           HEARTH_READY_IN, free_everyone, &crowd, NULL),
                         0);
        hearth_event_signal(world->events[i]);
    }
    assert_int_equal(hearth_loop_run_once(world->loop, 0, NULL), 0);
    assert_int_equal(crowd.calls, 1);
    assert_int_equal(hearth_loop_run_once(world->loop, 0, NULL), 0);
    assert_int_equal(crowd.calls, 1);
}

static void modify_changes_what_is_reported(void **state)
{
    struct world *world = *state;
    struct watcher watcher = {0};
    assert_int_equal(watch_event(world, &watcher, 0, count_call), 0);
    hearth_loop_modify(world->loop, &watcher.watch, HEARTH_READY_OUT);
    assert_int_equal(hearth_loop_run_once(world->loop, 0, NULL), 0);
    assert_int_equal(watcher.events, HEARTH_READY_OUT);
    hearth_loop_modify(world->loop, &watcher.watch, 0);
    hearth_event_signal(world->events[0]);
    assert_int_equal(hearth_loop_run_once(world->loop, 0, NULL), 0);
    assert_int_equal(watcher.calls, 1);
    hearth_loop_unwatch(world->loop, &watcher.watch);
}

static void end_is_reported_to_a_watch_that_asks_for_nothing(void **state)
{
    struct world *world = *state;
    int fds[2];
    struct watcher watcher = {0};
    assert_int_equal(hearth_socket_stream_pair(fds, NULL), 0);
    assert_int_equal(
        hearth_loop_watch(world->loop, &watcher.watch, fds[0], 0, count_call, &watcher, NULL), 0);
    assert_int_equal(hearth_loop_run_once(world->loop, 0, NULL), 0);
    assert_int_equal(watcher.calls, 0);
    close(fds[1]);
    assert_int_equal(hearth_loop_run_once(world->loop, HEARTH_NEVER, NULL), 0);
    assert_int_equal(watcher.events, HEARTH_READY_END);
    hearth_loop_unwatch(world->loop, &watcher.watch);
    close(fds[0]);
}

static void watching_what_cannot_be_watched_is_an_error(void **state)
{
    struct world *world = *state;
    struct watcher watcher = {0};
    struct hearth_error err;
    assert_int_equal(hearth_loop_watch(world->loop, &watcher.watch, -1, HEARTH_READY_IN, count_call,
                                       &watcher, &err),
                     HEARTH_E_SYSTEM);
    assert_int_equal(err.sys_errno, EBADF);
    assert_false(hearth_watch_is_in_use(&watcher.watch));
}

struct work {
    struct world *world;
    struct hearth_deferred deferred;
    struct work *victim;
    int calls;
    int again;
};

static void do_work(void *arg)
{
    struct work *work = arg;
    work->calls++;
    if (work->again-- > 0) {
        hearth_loop_defer(work->world->loop, &work->deferred);
    }
    if (work->victim != NULL) {
        hearth_loop_undefer(work->world->loop, &work->victim->deferred);
    }
}

static void deferred_call_runs_once_and_its_next_in_the_next_round(void **state)
{
    struct world *world = *state;
    struct work work = {.world = world, .again = 2};
    hearth_deferred_init(&work.deferred, do_work, &work);
    hearth_loop_defer(world->loop, &work.deferred);
    hearth_loop_defer(world->loop, &work.deferred);
    for (int i = 1; i <= 3; i++) { /* NEVER: a queued call keeps the loop from sleeping */
        assert_int_equal(hearth_loop_run_once(world->loop, HEARTH_NEVER, NULL), 0);
        assert_int_equal(work.calls, i);
    }
    assert_int_equal(hearth_loop_run_once(world->loop, 0, NULL), 0);
    assert_int_equal(work.calls, 3);
}

static void deferred_call_can_be_taken_back_within_its_round(void **state)
{
    struct world *world = *state;
    struct work second = {.world = world};
    struct work first = {.world = world, .victim = &second};
    hearth_deferred_init(&first.deferred, do_work, &first);
    hearth_deferred_init(&second.deferred, do_work, &second);
    hearth_loop_defer(world->loop, &first.deferred);
    hearth_loop_defer(world->loop, &second.deferred);
    assert_int_equal(hearth_loop_run_once(world->loop, 0, NULL), 0);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 0);
}

static void stop_when_terminated(void *arg, int number)
{
    struct world *world = arg;
    if (number == SIGTERM) {
        hearth_loop_stop(world->loop);
    }
}

static void signals_arrive_as_callbacks(void **state)
{
    struct world *world = *state;
    static const int signals[] = {SIGTERM, SIGHUP};
    assert_int_equal(
        hearth_loop_watch_signals(world->loop, signals, 2, stop_when_terminated, world, NULL), 0);
    assert_int_equal(raise(SIGHUP), 0);
    assert_int_equal(raise(SIGTERM), 0); /* its default would end this process */
    assert_int_equal(hearth_loop_run(world->loop, NULL), 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
}

static void add_up(void *arg, uint64_t ns)
{
    *(uint64_t *)arg += ns;
}

static void work_a_little(void *arg)
{
    (void)arg;
    uint64_t until_ns = hearth_clock_ns() + 2 * HEARTH_NS_PER_MS;
    while (hearth_clock_ns() < until_ns) {
    }
}

static void callback_time_is_measured(void **state)
{
    struct world *world = *state;
    uint64_t total_ns = 0;
    struct hearth_deferred deferred;
    hearth_deferred_init(&deferred, work_a_little, NULL);
    hearth_loop_set_lag_hook(world->loop, add_up, &total_ns);
    hearth_loop_defer(world->loop, &deferred);
    assert_int_equal(hearth_loop_run_once(world->loop, 0, NULL), 0);
    struct hearth_loop_stats stats;
    hearth_loop_stats(world->loop, &stats);
    assert_int_equal(stats.callbacks, 1);
    assert_true(stats.callback_max_ns >= 2 * HEARTH_NS_PER_MS);
    assert_int_equal(stats.callback_max_ns, total_ns);
    assert_int_equal(stats.callback_total_ns, total_ns);
}

static void steady_work_allocates_nothing(void **state)
{
    struct world *world = *state;
    struct watcher watcher = {0};
    uint64_t before = hearth_alloc_count();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(watch_event(world, &watcher, 0, count_call), 0);
        hearth_event_signal(world->events[0]);
        assert_int_equal(hearth_loop_run_once(world->loop, 0, NULL), 0);
        hearth_loop_unwatch(world->loop, &watcher.watch);
    }
    assert_int_equal(watcher.calls, 100);
    assert_int_equal(hearth_alloc_count(), before);
}

static void create_fails_cleanly_without_memory(void **state)
{
    (void)state;
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_loop *loop = NULL;
        int rc = hearth_loop_create(&loop, NULL);
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        hearth_loop_destroy(loop);
    }
}

/* ---- the source without a descriptor -------------------------------------------------------- */

struct source {
    struct world *world;
    struct hearth_deferred deferred;
    struct watcher watcher;
    enum hearth_look answers[8]; /* in turn; NOTHING after the last */
    int asked;
    char told[64]; /* l: look, p: may poll, t: take, d: deferred call, w: watch */
    bool defers;
};

static void tell(struct source *source, char what)
{
    size_t size = strlen(source->told);
    assert_true(size + 1 < sizeof source->told);
    source->told[size] = what;
}

static enum hearth_look on_look(void *arg, bool may_poll)
{
    struct source *source = arg;
    tell(source, may_poll ? 'p' : 'l');
    return source->asked < 8 ? source->answers[source->asked++] : HEARTH_LOOK_NOTHING;
}

static bool on_take(void *arg)
{
    struct source *source = arg;
    tell(source, 't');
    if (source->defers) {
        hearth_loop_defer(source->world->loop, &source->deferred);
    }
    return true;
}

static void on_source_deferred(void *arg)
{
    tell(arg, 'd');
}

static void on_source_watch(void *arg, unsigned events)
{
    struct watcher *watcher = arg;
    (void)events;
    tell(HEARTH_CONTAINER(struct source, watcher, watcher), 'w');
}

static void given_source(struct source *source, struct world *world)
{
    source->world = world;
    hearth_deferred_init(&source->deferred, on_source_deferred, source);
    hearth_loop_set_source(world->loop, on_look, on_take, source);
    assert_int_equal(watch_event(world, &source->watcher, 0, on_source_watch), 0);
}

static void run_round(struct world *world, uint64_t deadline_ns)
{
    assert_int_equal(hearth_loop_run_once(world->loop, deadline_ns, NULL), 0);
}

static void source_that_is_ready_keeps_the_round_from_waiting(void **state)
{
    struct world *world = *state;
    struct source source = {.answers = {HEARTH_LOOK_READY}};
    given_source(&source, world);
    run_round(world, HEARTH_NEVER); /* would wait for ever if the source were not asked */
    assert_string_equal(source.told, "lt");
}

static void source_polls_only_when_no_descriptor_is_ready(void **state)
{
    struct world *world = *state;
    struct source source = {.answers = {HEARTH_LOOK_SOON, HEARTH_LOOK_READY, HEARTH_LOOK_SOON}};
    given_source(&source, world);
    run_round(world, HEARTH_NEVER);
    assert_string_equal(source.told, "lpt");
    hearth_event_signal(world->events[0]);
    run_round(world, HEARTH_NEVER);
    assert_string_equal(source.told, "lptlwt");
}

static void vain_poll_is_followed_by_a_wait(void **state)
{
    struct world *world = *state;
    struct source source = {.answers = {HEARTH_LOOK_SOON}};
    given_source(&source, world);
    uint64_t deadline_ns = hearth_clock_ns() + HEARTH_NS_PER_MS;
    run_round(world, deadline_ns);
    assert_true(hearth_clock_ns() >= deadline_ns);
    assert_string_equal(source.told, "lpt");
}

/* Descriptors are served before the source in each round, and what the source defers in the same:
 * a worker's death is known before its last words are taken. */
static void source_comes_after_descriptors_and_before_deferred_calls(void **state)
{
    struct world *world = *state;
    struct source source = {.answers = {HEARTH_LOOK_READY, HEARTH_LOOK_READY}, .defers = true};
    given_source(&source, world);
    hearth_event_signal(world->events[0]);
    run_round(world, HEARTH_NEVER);
    run_round(world, HEARTH_NEVER);
    assert_string_equal(source.told, "lwtdlwtd");
}

/* Else work in slices, which keeps rounds from waiting, would starve the source. */
static void source_is_taken_from_by_rounds_that_do_not_wait(void **state)
{
    struct world *world = *state;
    struct source source = {0};
    given_source(&source, world);
    run_round(world, 0);
    hearth_loop_defer(world->loop, &source.deferred);
    run_round(world, HEARTH_NEVER);
    assert_string_equal(source.told, "ttd");
    hearth_loop_set_source(world->loop, NULL, NULL, NULL);
    run_round(world, 0);
    assert_string_equal(source.told, "ttd");
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

KIT_MAIN(IN_WORLD(ready_descriptor_is_called_until_it_is_drained),
         IN_WORLD(watch_freed_by_another_of_the_same_batch_is_not_called),
         IN_WORLD(modify_changes_what_is_reported),
         IN_WORLD(end_is_reported_to_a_watch_that_asks_for_nothing),
         IN_WORLD(watching_what_cannot_be_watched_is_an_error),
         IN_WORLD(deferred_call_runs_once_and_its_next_in_the_next_round),
         IN_WORLD(deferred_call_can_be_taken_back_within_its_round),
         IN_WORLD(signals_arrive_as_callbacks), IN_WORLD(callback_time_is_measured),
         IN_WORLD(steady_work_allocates_nothing),
         IN_WORLD(source_that_is_ready_keeps_the_round_from_waiting),
         IN_WORLD(source_polls_only_when_no_descriptor_is_ready),
         IN_WORLD(vain_poll_is_followed_by_a_wait),
         IN_WORLD(source_comes_after_descriptors_and_before_deferred_calls),
         IN_WORLD(source_is_taken_from_by_rounds_that_do_not_wait),
         cmocka_unit_test(create_fails_cleanly_without_memory))
