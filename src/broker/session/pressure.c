/* pressure.c — what is done when the kernel says that memory of the machine is short.
 *
 * One step an event: first the workers are asked to give back what they keep for speed alone. If it
 * goes on, and if idle models may be evicted at all, the one that would leave first does. Between
 * two steps is a pause, so that the first can have its effect; no timer runs without an event.   */

#include "session_priv.h"

#include "hearth_log.h"

#define PAUSE_MS   1000u
#define SHED_AGAIN (30 * HEARTH_NS_PER_SEC) /* caches that were shed have hardly filled again */

static void shed_all(struct hearth_server *server)
{
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        hearth_pool_shed(server->pool, slot);
    }
    hearth_metrics_count(server->parts.metrics, HEARTH_COUNTER_MEMORY_SHEDS);
    hearth_log(HEARTH_LOG_WARN, "memory.pressure", "done", hearth_log_s("caches are shed"), NULL);
}

/* The one who would leave if a byte more were needed than is free. */
static void evict_first(struct hearth_server *server)
{
    struct hearth_evictable list[HEARTH_MAX_MODELS];
    uint32_t slots[HEARTH_MAX_MODELS];
    struct hearth_eviction_plan plan;
    struct hearth_need need = {
        .parts = {[HEARTH_MEMORY_OTHER] = hearth_budget_free_bytes(server->parts.budget) + 1}};
    uint32_t count = room_list(server, HEARTH_MAX_MODELS, list, slots);
    hearth_eviction_plan(server->parts.budget, list, count, &need, &plan);
    if (plan.count == 0) {
        hearth_log(HEARTH_LOG_WARN, "memory.pressure", "done",
                   hearth_log_s("nothing: none is idle"), NULL);
        return;
    }
    uint32_t slot = slots[plan.order[0]];
    const struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
    hearth_log(HEARTH_LOG_WARN, "model.evicted", "model", hearth_log_s(model->id), "for",
               hearth_log_s("memory pressure"), "bytes",
               hearth_log_u(list[plan.order[0]].hold->bytes), "idle_ms",
               hearth_log_u(list[plan.order[0]].idle_ms), NULL);
    room_unload(server, slot, HEARTH_EVICTION_PRESSURE);
}

static void relieve(struct hearth_server *server)
{
    uint64_t now_ns = hearth_loop_now_ns(server->parts.loop);
    if (server->shed_ns == 0 || now_ns - server->shed_ns >= SHED_AGAIN) {
        server->shed_ns = now_ns;
        shed_all(server);
    } else if (server->parts.config->may_evict) {
        evict_first(server);
    } else {
        hearth_log(HEARTH_LOG_WARN, "memory.pressure", "done",
                   hearth_log_s("nothing: eviction = never"), NULL);
    }
}

static void on_pressure(void *arg, unsigned events)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    struct hearth_loop *loop = server->parts.loop;
    if ((events & HEARTH_READY_URGENT) == 0) { /* the end of what should never end */
        pressure_end(server);
        return;
    }
    relieve(server);
    hearth_loop_modify(loop, &server->pressure_watch, 0);
    hearth_loop_arm(loop, &server->pressure_timer,
                    hearth_clock_deadline_ns(hearth_loop_now_ns(loop), PAUSE_MS));
}

static void on_pause_over(void *arg, uint64_t now_ns)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    (void)now_ns;
    hearth_loop_modify(server->parts.loop, &server->pressure_watch, HEARTH_READY_URGENT);
}

int pressure_begin(struct hearth_server *server, struct hearth_error *err)
{
    hearth_timer_init(&server->pressure_timer, on_pause_over, server);
    return server->parts.pressure_fd <= 0
               ? 0
               : hearth_loop_watch(server->parts.loop, &server->pressure_watch,
                                   server->parts.pressure_fd, HEARTH_READY_URGENT, on_pressure,
                                   server, err);
}

void pressure_end(struct hearth_server *server)
{
    hearth_loop_unwatch(server->parts.loop, &server->pressure_watch);
    hearth_loop_disarm(server->parts.loop, &server->pressure_timer);
    if (server->parts.pressure_fd > 0) {
        hearth_fd_close(&server->parts.pressure_fd);
    }
}
