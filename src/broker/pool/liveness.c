/* liveness.c — a worker lives as long as it makes steps.
 *
 * It counts them where the ring lets us see the number, so nobody sends or wakes anything for it.
 * We look only while the worker has work, several times within its limit, and believe the number
 * for nothing but that it changes. Time alone does not kill: a machine that slept, or a daemon that
 * was stopped, has not looked. */

#include "pool_priv.h"

#include "hearth_config.h"
#include "hearth_log.h"

#define LOOKS 4u /* within a limit */

uint64_t worker_progress_limit_ms(const struct worker *worker)
{
    const struct hearth_config *config = worker->pool->config;
    const struct hearth_config_model *model =
        worker->model != NULL ? hearth_config_model(config, worker->model->id) : NULL;
    return model != NULL && model->has_progress_timeout ? model->progress_timeout_ms
                                                        : config->progress_timeout_ms;
}

static void look_later(struct worker *worker, uint64_t limit_ms)
{
    struct hearth_loop *loop = worker->pool->loop;
    uint64_t pause_ms = HEARTH_MAX(limit_ms / LOOKS, (uint64_t)1);
    worker->is_watched = true;
    hearth_loop_arm(loop, &worker->timer,
                    hearth_clock_deadline_ns(hearth_loop_now_ns(loop), pause_ms));
}

static void note_step(struct worker *worker, uint64_t steps)
{
    worker->steps_seen = steps;
    worker->step_ns = hearth_loop_now_ns(worker->pool->loop);
    worker->still_looks = 0;
}

void worker_expect_steps(struct worker *worker)
{
    uint64_t limit_ms = worker_progress_limit_ms(worker);
    note_step(worker, hearth_ring_their_steps(worker->ring));
    if (!worker->is_watched && limit_ms != 0) {
        look_later(worker, limit_ms);
    }
}

static void hangs(struct worker *worker, uint64_t limit_ms)
{
    hearth_log(HEARTH_LOG_ERROR, "worker.hangs", "model", hearth_log_s(worker->model->id), "pid",
               hearth_log_i(worker->pid), "progress_timeout_ms", hearth_log_u(limit_ms), NULL);
    worker->is_hung = true;
    worker_kill(worker);
    worker_died(worker); /* nothing more is read from it */
}

void worker_look_for_steps(struct worker *worker)
{
    uint64_t steps = hearth_ring_their_steps(worker->ring);
    uint64_t limit_ms = worker_progress_limit_ms(worker);
    worker->is_watched = false;
    if (hearth_list_is_empty(&worker->tickets) || limit_ms == 0) {
        return; /* the next request begins anew */
    }
    if (steps != worker->steps_seen) {
        note_step(worker, steps);
    } else {
        worker->still_looks++;
    }
    if (worker->still_looks >= LOOKS && worker_still_ms(worker) >= limit_ms) {
        hangs(worker, limit_ms);
        return;
    }
    look_later(worker, limit_ms);
}

uint32_t worker_still_ms(const struct worker *worker)
{
    uint64_t now_ns = hearth_loop_now_ns(worker->pool->loop);
    if (worker->phase != WORKER_SERVING || hearth_list_is_empty(&worker->tickets) ||
        hearth_ring_their_steps(worker->ring) != worker->steps_seen) {
        return 0;
    }
    uint64_t ms = (now_ns - HEARTH_MIN(worker->step_ns, now_ns)) / HEARTH_NS_PER_MS;
    return (uint32_t)HEARTH_MIN(ms, (uint64_t)UINT32_MAX);
}
