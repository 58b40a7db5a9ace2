/* test_pressure.c — the kernel's word is played by a socket with urgent data: it stays urgent, as
 * pressure does that goes on. */

#include "world.h"

#include "session_priv.h"

#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000u

/* Starts a daemon that may be told of pressure through the descriptor that is returned. */
static int start_under_watch(struct world *w)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    w->pressure_fd = fds[0];
    world_start(w);
    return fds[1];
}

static void press(struct world *w, int fd)
{
    if (send(fd, "!", 1, MSG_OOB) != 1) {
        close(fd);
        skip(); /* this kernel has no urgent data on such sockets */
    }
    world_settle(w);
}

static bool gen_is_draining(struct world *w)
{
    return world_model(w, "gen")->state == HEARTH_MODEL_DRAINING;
}

static void caches_are_shed_first_and_then_an_idle_model_leaves(void **state)
{
    struct world *w = *state;
    w->config.may_evict = true;
    int fd = start_under_watch(w);
    struct fake_worker worker = worker_loaded(w, "gen", 4);
    press(w, fd);
    assert_int_equal(worker_hear(w, &worker).type, HEARTH_MSG_worker_shed);
    assert_int_equal(world_model(w, "gen")->state, HEARTH_MODEL_READY);
    assert_int_equal(hearth_metrics_value(&w->metrics, HEARTH_COUNTER_MEMORY_SHEDS), 1);
    assert_true(world_wait(w, PATIENCE_MS, gen_is_draining));
    assert_int_equal(worker_hear(w, &worker).type, HEARTH_MSG_worker_stop);
    assert_int_equal(hearth_metrics_value(&w->metrics, HEARTH_COUNTER_MEMORY_SHEDS), 1);
    close(fd);
    worker_finish(&worker);
}

static void without_leave_to_evict_the_models_stay(void **state)
{
    struct world *w = *state;
    int fd = start_under_watch(w);
    struct fake_worker worker = worker_loaded(w, "gen", 4);
    press(w, fd);
    assert_int_equal(worker_hear(w, &worker).type, HEARTH_MSG_worker_shed);
    (void)world_wait(w, 1200, gen_is_draining); /* a second event falls into that */
    assert_int_equal(world_model(w, "gen")->state, HEARTH_MODEL_READY);
    assert_true(worker_hears_nothing(w, &worker));
    close(fd);
    worker_finish(&worker);
}

static void a_model_with_a_request_stays(void **state)
{
    struct world *w = *state;
    w->config.may_evict = true;
    int fd = start_under_watch(w);
    struct fake_worker worker = worker_loaded(w, "gen", 4);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    uint64_t ticket = worker_hear_request(w, &worker);
    press(w, fd);
    assert_int_equal(worker_hear(w, &worker).type, HEARTH_MSG_worker_shed);
    (void)world_wait(w, 1200, gen_is_draining);
    assert_int_equal(world_model(w, "gen")->state, HEARTH_MODEL_READY);
    worker_answer(w, &worker, ticket, 0);
    assert_true(world_wait(w, PATIENCE_MS, gen_is_draining)); /* now it is idle */
    close(fd);
    client_close(w, &client);
    worker_finish(&worker);
}

static void without_pressure_no_timer_runs(void **state)
{
    struct world *w = *state;
    int fd = start_under_watch(w);
    world_settle(w);
    assert_false(w->server->pressure_timer.is_armed);
    assert_false(w->server->idle_timer.is_armed);
    close(fd);
    world_settle(w); /* the end of it is no event to act on */
    assert_int_equal(hearth_metrics_value(&w->metrics, HEARTH_COUNTER_MEMORY_SHEDS), 0);
}

KIT_MAIN(WORLD_TEST(caches_are_shed_first_and_then_an_idle_model_leaves),
         WORLD_TEST(without_leave_to_evict_the_models_stay),
         WORLD_TEST(a_model_with_a_request_stays), WORLD_TEST(without_pressure_no_timer_runs))
