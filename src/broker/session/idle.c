/* idle.c — models that nobody uses: how long that has been so, what they hold, and their end.
 *
 * One timer serves all models that are to be unloaded after some time without requests. It is armed
 * for the first of them that could be due, and not at all while none is idle: a model that is used
 * only has its time noted, and the timer, when it comes, sees that and goes on to the next.      */

#include "session_priv.h"

#include "hearth_log.h"

#define MEASURE_PAUSE_NS HEARTH_NS_PER_SEC /* a reading costs some ten microseconds */

static void read_config(struct hearth_server *server, uint32_t slot)
{
    const struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
    const struct hearth_config_model *own =
        model != NULL ? hearth_config_model(server->parts.config, model->id) : NULL;
    struct room *room = &server->rooms[slot];
    room->is_pinned = own != NULL && own->is_pinned;
    room->keep_alive_ms = own != NULL ? own->keep_alive_ms : 0;
    room->worth = own != NULL ? own->worth : HEARTH_NORMAL;
}

static bool is_idle(const struct hearth_server *server, uint32_t slot)
{
    const struct hearth_lane *lane = hearth_sched_lane(&server->sched, slot);
    return lane->running_count == 0 && lane->queued_count == 0 && lane->doomed_count == 0;
}

/* When @slot is to be unloaded; HEARTH_NEVER if not now. */
static uint64_t due_ns(const struct hearth_server *server, uint32_t slot)
{
    const struct room *room = &server->rooms[slot];
    const struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
    if (room->keep_alive_ms == 0 || room->is_pinned || model == NULL || model->is_pinned ||
        model->state != HEARTH_MODEL_READY || !is_idle(server, slot)) {
        return HEARTH_NEVER;
    }
    return hearth_clock_deadline_ns(room->used_ns, room->keep_alive_ms);
}

static void arm(struct hearth_server *server)
{
    uint64_t first_ns = HEARTH_NEVER;
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        first_ns = HEARTH_MIN(first_ns, due_ns(server, slot));
    }
    hearth_loop_arm(server->parts.loop, &server->idle_timer, first_ns);
}

void idle_reload(struct hearth_server *server)
{
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        read_config(server, slot);
    }
    arm(server);
}

void idle_on_ready(struct hearth_server *server, uint32_t slot)
{
    read_config(server, slot);
    server->rooms[slot].used_ns = hearth_loop_now_ns(server->parts.loop);
    server->rooms[slot].evict = 0; /* should it start again, then as configured */
    arm(server);
}

void idle_on_end(struct hearth_server *server, uint32_t slot)
{
    struct room *room = &server->rooms[slot];
    uint64_t now_ns = hearth_loop_now_ns(server->parts.loop);
    room->used_ns = now_ns;
    if (now_ns - room->measured_ns >= MEASURE_PAUSE_NS) {
        room->measured_ns = now_ns;
        hearth_pool_measure(server->pool, slot);
    }
    if (room->keep_alive_ms != 0 && !server->idle_timer.is_armed && is_idle(server, slot)) {
        arm(server);
    }
}

void idle_on_timer(void *arg, uint64_t now_ns)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        if (due_ns(server, slot) <= now_ns) {
            const struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
            hearth_log(HEARTH_LOG_INFO, "model.idle", "model", hearth_log_s(model->id),
                       "keep_alive_ms", hearth_log_u(server->rooms[slot].keep_alive_ms), NULL);
            room_unload(server, slot, HEARTH_EVICTION_IDLE);
        }
    }
    arm(server);
}
