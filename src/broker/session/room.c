/* room.c — memory for a model that is to be loaded: who leaves for it, and what is told of that.
 *
 * A worker that has inspected its model says what it needs. If that is free, it goes on. If not,
 * and if the operator or the client allows it, idle models are unloaded as the plan of the ledger
 * says (eviction.h), and the worker goes on when they are gone; nobody leaves if that would not be
 * enough. Every eviction is logged, counted and named in the answer to the load. A dry run comes
 * just as far, tells the plan, and its worker ends.                                             */

#include "session_priv.h"

#include "hearth_log.h"
#include <inttypes.h>
#include <stdio.h>

#define EVICT_AS_CONFIGURED 0u
#define EVICT_YES           1u

void room_ask(struct hearth_server *server, uint32_t slot,
              const struct hearth_wire_load_request *asked)
{
    struct room *room = &server->rooms[slot];
    room->awaits = false;
    room->is_dry_run = asked->is_dry_run != 0;
    room->evict = asked->evict;
    room->verdict = 0;
    room->need_bytes = 0;
    room->free_bytes = 0;
    room->leaver_count = 0;
}

/* ---- who may leave ------------------------------------------------------------------------ */

uint32_t room_list(struct hearth_server *server, uint32_t slot,
                   struct hearth_evictable list[HEARTH_MAX_MODELS],
                   uint32_t ret_slots[HEARTH_MAX_MODELS])
{
    uint64_t now_ns = hearth_loop_now_ns(server->parts.loop);
    uint32_t count = 0;
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        const struct hearth_model *model = hearth_registry_at(server->parts.registry, i);
        const struct hearth_lane *lane = hearth_sched_lane(&server->sched, i);
        const struct room *room = &server->rooms[i];
        struct hearth_worker_info info;
        hearth_pool_info(server->pool, i, &info);
        if (i == slot || model == NULL || model->state != HEARTH_MODEL_READY ||
            !info.hold->is_held) {
            continue;
        }
        ret_slots[count] = i;
        list[count++] = (struct hearth_evictable){
            .hold = info.hold,
            .idle_ms = (now_ns - HEARTH_MIN(room->used_ns, now_ns)) / HEARTH_NS_PER_MS,
            .reload_ms = info.load_ms,
            .worth = room->worth,
            .open_requests = lane->queued_count + lane->running_count,
            .is_pinned = room->is_pinned || model->is_pinned, /* by a swap */
        };
    }
    return count;
}

void room_unload(struct hearth_server *server, uint32_t slot, unsigned reason)
{
    struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
    hearth_metrics_name_model(server->parts.metrics, slot, model->id);
    ++*hearth_metrics_cell(server->parts.metrics, HEARTH_FAMILY_EVICTIONS, slot, reason, 0);
    hearth_pool_unload(server->pool, model, UNLOAD_GRACE_MS);
    hearth_sched_set_credit(&server->sched, slot, 0);
    lane_fail_queued(server, slot, HEARTH_E_NOT_READY, "the model is being unloaded");
}

/* ---- the plan ----------------------------------------------------------------------------- */

static bool may_evict(const struct hearth_server *server, const struct room *room)
{
    return room->evict == EVICT_AS_CONFIGURED ? server->parts.config->may_evict
                                              : room->evict == EVICT_YES;
}

static void keep_plan(struct room *room, const struct hearth_eviction_plan *plan,
                      const struct hearth_evictable *list, const uint32_t *slots)
{
    for (uint32_t i = 0; i < plan->count && room->leaver_count < HEARTH_MAX_MODELS; i++) {
        const struct hearth_evictable *one = &list[plan->order[i]];
        room->leavers[room->leaver_count++] = (struct leaver){
            .slot = slots[plan->order[i]],
            .reload_ms = one->reload_ms,
            .bytes = one->hold->bytes,
            .idle_ms = one->idle_ms,
        };
    }
}

/* What an operator could do, if there is something. */
static void advise(const struct hearth_server *server, const struct room *room,
                   const struct hearth_eviction_plan *plan, char advice[HEARTH_ADVICE_BYTES])
{
    size_t used = 0;
    for (uint32_t i = 0; i < room->leaver_count && used < HEARTH_ADVICE_BYTES; i++) {
        const struct hearth_model *model =
            hearth_registry_at(server->parts.registry, room->leavers[i].slot);
        used +=
            (size_t)snprintf(advice + used, HEARTH_ADVICE_BYTES - used, "%s\"%.32s\"",
                             i == 0 ? "it fits without " : " and ", model != NULL ? model->id : "");
    }
    if (room->leaver_count == 0 && plan->busy + plan->pinned > 0) {
        snprintf(advice, HEARTH_ADVICE_BYTES,
                 "%" PRIu32 " models have requests and %" PRIu32 " are pinned", plan->busy,
                 plan->pinned);
    }
}

static void evict(struct hearth_server *server, const struct hearth_model *model,
                  const struct room *room)
{
    for (uint32_t i = 0; i < room->leaver_count; i++) {
        const struct leaver *leaver = &room->leavers[i];
        const struct hearth_model *other = hearth_registry_at(server->parts.registry, leaver->slot);
        if (other == NULL || other->state != HEARTH_MODEL_READY) {
            continue; /* of an earlier plan for the same load */
        }
        hearth_log(HEARTH_LOG_INFO, "model.evicted", "model", hearth_log_s(other->id), "for",
                   hearth_log_s(model->id), "bytes", hearth_log_u(leaver->bytes), "idle_ms",
                   hearth_log_u(leaver->idle_ms), NULL);
        room_unload(server, leaver->slot, HEARTH_EVICTION_ROOM);
    }
}

/* The worker of a dry run has told all that it was started for. */
static enum hearth_room end_dry_run(struct hearth_server *server, struct hearth_model *model,
                                    struct room *room, const struct hearth_eviction_plan *plan)
{
    bool fits = plan->is_enough && (plan->count == 0 || may_evict(server, room));
    room->verdict = fits ? 0 : HEARTH_E_NO_ROOM;
    hearth_pool_unload(server->pool, model, 0);
    return HEARTH_ROOM_AWAIT;
}

enum hearth_room room_on_need(void *arg, struct hearth_model *model, const struct hearth_need *need,
                              char advice[HEARTH_ADVICE_BYTES])
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    struct room *room = &server->rooms[model->slot];
    struct hearth_evictable list[HEARTH_MAX_MODELS];
    uint32_t slots[HEARTH_MAX_MODELS];
    struct hearth_eviction_plan plan;
    uint32_t count = room_list(server, model->slot, list, slots);
    hearth_eviction_plan(server->parts.budget, list, count, need, &plan);
    if (!room->awaits) { /* else it is asked again, and what was told first stays true */
        room->need_bytes = hearth_need_bytes(need);
        room->free_bytes = hearth_budget_free_bytes(server->parts.budget);
        room->leaver_count = 0;
    }
    room->awaits = false;
    keep_plan(room, &plan, list, slots);
    if (room->is_dry_run) {
        return end_dry_run(server, model, room, &plan);
    }
    if (loads_may_share(server, model)) {
        hearth_pool_unload(server->pool, model, 0);
        return HEARTH_ROOM_AWAIT;
    }
    if (plan.count > 0 && may_evict(server, room)) {
        room->awaits = true;
        evict(server, model, room);
        return HEARTH_ROOM_AWAIT;
    }
    if (!plan.is_enough || plan.count > 0) {
        advise(server, room, &plan, advice);
    }
    return HEARTH_ROOM_TAKE;
}

/* Whoever waits is asked again once nobody is on the way out any more. */
void room_settle(struct hearth_server *server)
{
    struct hearth_registry *registry = server->parts.registry;
    if (hearth_registry_count(registry, HEARTH_MODEL_DRAINING) > 0) {
        return;
    }
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        struct hearth_model *model = hearth_registry_at(registry, slot);
        if (model != NULL && server->rooms[slot].awaits) {
            hearth_pool_look_for_room(server->pool, model);
        }
    }
}

/* ---- telling ------------------------------------------------------------------------------ */

void room_tell(const struct hearth_server *server, uint32_t slot,
               struct hearth_wire_eviction list[HEARTH_MAX_MODELS],
               struct hearth_wire_load_response *response)
{
    const struct room *room = &server->rooms[slot];
    for (uint32_t i = 0; i < room->leaver_count; i++) {
        const struct leaver *leaver = &room->leavers[i];
        const struct hearth_model *model = hearth_registry_at(server->parts.registry, leaver->slot);
        list[i] = (struct hearth_wire_eviction){
            .name = hearth_slice_of_string(model != NULL ? model->id : ""),
            .bytes = leaver->bytes,
            .idle_ms = leaver->idle_ms,
            .reload_ms = leaver->reload_ms,
        };
    }
    response->need_bytes = room->need_bytes;
    response->free_bytes = room->free_bytes;
    response->evictions = (struct hearth_wire_list){.count = room->leaver_count, .items = list};
}

bool room_was_dry_run(const struct hearth_server *server, uint32_t slot, int *ret_code,
                      char text[HEARTH_ERROR_TEXT_BYTES])
{
    const struct room *room = &server->rooms[slot];
    if (!room->is_dry_run || room->need_bytes == 0) {
        return false;
    }
    *ret_code = room->verdict;
    text[0] = '\0';
    if (room->verdict != 0) {
        snprintf(text, HEARTH_ERROR_TEXT_BYTES,
                 "%" PRIu64 " bytes of memory wanted, %" PRIu64 " free; %s", room->need_bytes,
                 room->free_bytes,
                 room->leaver_count > 0 ? "idle models could leave, but eviction is not allowed"
                                        : "nobody who may leave holds enough");
    }
    return true;
}
