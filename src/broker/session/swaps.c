/* swaps.c — a name comes to stand for another model while clients go on asking for it.
 *
 * One at a time. registry/swap.h has the phases; swaps_look() goes on whenever something that a
 * phase waits for may have happened. The name changes in one step, in a callback of the loop: a
 * request before it is the old model's and ends there, one after it is the new one's. */

#include "session_priv.h"

#include "hearth_log.h"
#include <stdio.h>
#include <string.h>

/* ---- the answer --------------------------------------------------------------------------- */

static uint32_t ms_since(const struct hearth_server *server, uint64_t ns)
{
    uint64_t now_ns = hearth_loop_now_ns(server->parts.loop);
    uint64_t ms = ns != 0 && now_ns > ns ? (now_ns - ns) / HEARTH_NS_PER_MS : 0;
    return (uint32_t)HEARTH_MIN(ms, UINT32_MAX);
}

static uint8_t check_of(const struct swap *swap)
{
    uint32_t recorded = (uint32_t)__builtin_popcountll(swap->recorded);
    return (uint8_t)((swap->checked > recorded ? 1 : 0) |
                     (swap->checked > 0 && recorded > 0 ? 2 : 0));
}

static void refuse(struct connection *connection, const struct hearth_wire_swap_request *asked,
                   int code, const char *text)
{
    struct hearth_message message = {.type = HEARTH_MSG_swap_response,
                                     .as.swap_response = {.request_id = asked->request_id,
                                                          .code = (uint16_t)-code,
                                                          .error = text_slice(text),
                                                          .name = asked->name,
                                                          .model_id = asked->model_id}};
    connection_send(connection, &message);
}

static void answer(struct hearth_server *server, uint32_t generation)
{
    struct swap *swap = &server->swap;
    bool is_done = swap->failure.code == 0;
    const char *old_id = swap->old != NULL ? swap->old->id : "";
    uint32_t pause_ms = ms_since(server, swap->drained_ns);
    uint32_t load_ms = ms_since(server, swap->begun_ns);
    hearth_log(is_done ? HEARTH_LOG_INFO : HEARTH_LOG_WARN,
               is_done ? "model.swapped" : "model.not_swapped", "model",
               hearth_log_s(swap->new->id), "old", hearth_log_s(old_id), "generation",
               hearth_log_u(generation), "checked", hearth_log_u(swap->checked), "pause_ms",
               hearth_log_u(pause_ms), "error", hearth_log_err(&swap->failure), NULL);
    if (swap->client == NULL) {
        return;
    }
    struct hearth_message message = {
        .type = HEARTH_MSG_swap_response,
        .as.swap_response = {.request_id = swap->client_id,
                             .code = (uint16_t)-swap->failure.code,
                             .error = text_slice(swap->failure.text),
                             .name = hearth_slice_of_string(swap->name),
                             .model_id = hearth_slice_of_string(is_done ? swap->new->id : old_id),
                             .old_model_id = hearth_slice_of_string(old_id),
                             .generation = generation,
                             .checked = swap->checked,
                             .check = check_of(swap),
                             .load_ms = load_ms,
                             .pause_ms = pause_ms}};
    connection_send(swap->client, &message);
    swap->client->waiter_count--;
    timeouts_look(swap->client);
}

/* ---- its end ------------------------------------------------------------------------------ */

/* What waited for the old one goes on there, or ends with it. */
static void release_old(struct hearth_server *server, struct hearth_model *old)
{
    struct hearth_worker_info info;
    old->is_held = false;
    if (old->state == HEARTH_MODEL_READY) {
        hearth_pool_info(server->pool, old->slot, &info);
        hearth_sched_set_credit(&server->sched, old->slot, info.capacity);
        lane_dispatch(server, old->slot);
    } else if (!hearth_model_has_worker(old)) {
        lane_fail_queued(server, old->slot, HEARTH_E_NOT_READY,
                         "a swap failed, and the model before could not be loaded again");
    }
    lanes_arm_deadline(server);
}

static void finish(struct hearth_server *server, uint32_t generation)
{
    struct swap *swap = &server->swap;
    answer(server, generation);
    swap->new->is_pinned = false;
    if (swap->old != NULL) {
        swap->old->is_pinned = false;
    }
    hearth_golden_destroy(swap->golden);
    hearth_swap_move(&swap->phase, HEARTH_SWAP_NONE);
    *swap = (struct swap){0};
}

static void fail(struct hearth_server *server, const struct hearth_error *why)
{
    struct swap *swap = &server->swap;
    const struct hearth_alias *alias =
        hearth_registry_alias(server->parts.registry, hearth_slice_of_string(swap->name));
    struct hearth_model *new = swap->new;
    struct hearth_model *old = swap->old;
    bool ends_new = swap->has_begun_load && hearth_model_has_worker(new);
    swap->failure = *why;
    swap->ticket = 0;
    if (!swap->has_drained) {
        finish(server, alias != NULL ? alias->generation : 0);
        if (ends_new) {
            loads_end(server, new, false);
        }
    } else if (server->is_draining) {
        old->is_held = false;
        finish(server, alias != NULL ? alias->generation : 0);
    } else {
        hearth_swap_move(&swap->phase, HEARTH_SWAP_RESTORING);
        if (ends_new) {
            loads_end(server, new, false);
        }
        swaps_look(server);
    }
}

static bool is_wanted(const struct hearth_server *server, const struct hearth_model *model,
                      bool is_kept)
{
    return is_kept || hearth_registry_is_aliased(server->parts.registry, model, NULL);
}

static void take_over(struct hearth_server *server)
{
    struct swap *swap = &server->swap;
    struct hearth_model *old = swap->old;
    struct hearth_model *new = swap->new;
    struct hearth_error err = {0};
    uint32_t generation = 0;
    bool has_drained = swap->has_drained;
    bool is_kept = swap->keeps_old;
    int rc = hearth_registry_set_alias(server->parts.registry, swap->name, new->id,
                                       old != NULL ? 2 : 1, &generation, &err);
    if (rc < 0) {
        fail(server, &err);
        return;
    }
    finish(server, generation);
    if (old == NULL) {
        return;
    }
    if (has_drained) {
        old->is_held = false;
        server->moving_from = old->slot;
        server->moving_to = hearth_model_lane(new);
        requests_on_move(server);
    } else if (!is_wanted(server, old, is_kept) && hearth_model_has_worker(old) &&
               !old->is_hidden && !old->is_retiring) {
        loads_end(server, old, true);
    }
}

/* ---- the phases --------------------------------------------------------------------------- */

static void begin_load(struct hearth_server *server)
{
    struct swap *swap = &server->swap;
    hearth_swap_move(&swap->phase, HEARTH_SWAP_LOADING);
    if (swap->new->is_retiring || swap->new->is_hidden) { /* back to what was there before */
        loads_keep(server, swap->new);
        swap->has_begun_load = true;
    }
    swaps_look(server);
}

/* Only a model whose worker nobody else needs can leave first. */
static bool drains_first(struct hearth_server *server)
{
    const struct swap *swap = &server->swap;
    return server->parts.config->is_drain_first && swap->old != NULL &&
           hearth_model_owns_worker(swap->old) && !hearth_model_has_worker(swap->new) &&
           !hearth_registry_has_guests(server->parts.registry, swap->old) &&
           hearth_pool_find_host(server->pool, swap->new) == NULL;
}

static void after_recording(struct hearth_server *server)
{
    struct swap *swap = &server->swap;
    swap->next = 0;
    if (!drains_first(server)) {
        begin_load(server);
        return;
    }
    hearth_swap_move(&swap->phase, HEARTH_SWAP_DRAINING);
    swap->has_drained = true;
    swap->drained_ns = hearth_loop_now_ns(server->parts.loop);
    swap->old->is_held = true;
    hearth_sched_set_credit(&server->sched, swap->old->slot, 0);
    swaps_look(server);
}

static void look_at_draining(struct hearth_server *server)
{
    struct hearth_model *old = server->swap.old;
    if (!hearth_model_has_worker(old)) {
        begin_load(server);
    } else if (old->state != HEARTH_MODEL_DRAINING &&
               hearth_sched_lane(&server->sched, old->slot)->running_count == 0) {
        hearth_pool_unload(server->pool, old, UNLOAD_GRACE_MS);
    }
}

static void ask_next(struct hearth_server *server, struct hearth_model *model)
{
    struct swap *swap = &server->swap;
    struct hearth_error err = {0};
    int rc = golden_ask_next(server, model, &err);
    if (rc < 0) {
        fail(server, &err);
    } else if (rc == 0 && swap->phase == HEARTH_SWAP_RECORDING) {
        after_recording(server);
    } else if (rc == 0) {
        take_over(server);
    }
}

/* It has no worker: not yet, or not any more. */
static void load_or_fail(struct hearth_server *server)
{
    struct swap *swap = &server->swap;
    struct hearth_model *new = swap->new;
    struct hearth_error err = {0};
    int rc = 0;
    if (!swap->has_begun_load) {
        swap->has_begun_load = true;
        rc = hearth_pool_load(server->pool, new, &err);
    } else if (new->state == HEARTH_MODEL_FAILED) {
        err = new->failure;
        rc = err.code;
    } else {
        rc = hearth_fail(&err, HEARTH_E_CANCELLED, "\"%.64s\" was unloaded while it loaded",
                         new->id);
    }
    if (rc < 0) {
        fail(server, &err);
    }
}

static void look_at_loading(struct hearth_server *server)
{
    struct swap *swap = &server->swap;
    switch (swap->new->state) {
    case HEARTH_MODEL_LOADING:
    case HEARTH_MODEL_DRAINING:
    case HEARTH_MODEL_RESTARTING: return;
    case HEARTH_MODEL_FAILED:
    case HEARTH_MODEL_ABSENT: load_or_fail(server); return;
    case HEARTH_MODEL_READY:
        hearth_swap_move(&swap->phase, HEARTH_SWAP_TESTING);
        ask_next(server, swap->new);
        return;
    }
    HEARTH_UNREACHABLE();
}

/* The new one gives its room back first. */
static void look_at_restoring(struct hearth_server *server)
{
    struct swap *swap = &server->swap;
    struct hearth_model *old = swap->old;
    struct hearth_error err = {0};
    const struct hearth_alias *alias =
        hearth_registry_alias(server->parts.registry, hearth_slice_of_string(swap->name));
    if (swap->has_begun_load && hearth_model_has_worker(swap->new)) {
        return;
    }
    if (!swap->has_begun_restore) {
        swap->has_begun_restore = true;
        if (hearth_pool_load(server->pool, old, &err) == 0) {
            return;
        }
    }
    if (old->state == HEARTH_MODEL_LOADING || old->state == HEARTH_MODEL_RESTARTING) {
        return;
    }
    finish(server, alias != NULL ? alias->generation : 0);
    release_old(server, old);
}

void swaps_look(struct hearth_server *server)
{
    switch (server->swap.phase) {
    case HEARTH_SWAP_NONE:
    case HEARTH_SWAP_RECORDING:
    case HEARTH_SWAP_TESTING: return; /* an answer is awaited */
    case HEARTH_SWAP_DRAINING: look_at_draining(server); return;
    case HEARTH_SWAP_LOADING: look_at_loading(server); return;
    case HEARTH_SWAP_RESTORING: look_at_restoring(server); return;
    }
    HEARTH_UNREACHABLE();
}

void swaps_take_answer(struct hearth_server *server, uint64_t ticket,
                       const struct hearth_wire_inference_response *answered)
{
    struct swap *swap = &server->swap;
    struct hearth_error err = {0};
    if (swap->phase == HEARTH_SWAP_NONE || swap->ticket != ticket) {
        return; /* of one that has failed meanwhile */
    }
    swap->ticket = 0;
    if (golden_take(server, answered, &err) < 0) {
        hearth_because(&err, err.code, "\"%.64s\"",
                       swap->phase == HEARTH_SWAP_RECORDING ? swap->old->id : swap->new->id);
        fail(server, &err);
        return;
    }
    ask_next(server, swap->phase == HEARTH_SWAP_RECORDING ? swap->old : swap->new);
}

/* ---- asking ------------------------------------------------------------------------------- */

static int check_new(const struct hearth_model *new, const struct hearth_model *old,
                     struct hearth_error *err)
{
    if (new->manifest == NULL) {
        return hearth_fail(err, new->failure.code, "%s", new->failure.text);
    }
    if (new == old) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "the name stands for \"%.64s\" already",
                           new->id);
    }
    if (old != NULL && old->manifest != NULL && old->manifest->task != new->manifest->task) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "\"%.64s\" does %s and \"%.64s\" does %s; a name keeps its task",
                           new->id, hearth_task_name(new->manifest->task), old->id,
                           hearth_task_name(old->manifest->task));
    }
    return 0;
}

static int find_models(struct hearth_server *server, const struct hearth_wire_swap_request *asked,
                       struct swap *swap, struct hearth_error *err)
{
    struct hearth_registry *registry = server->parts.registry;
    char text[HEARTH_ERROR_TEXT_BYTES];
    if (server->is_draining) {
        return hearth_fail(err, HEARTH_E_SHUTTING_DOWN, "the daemon is shutting down");
    }
    if (server->swap.phase != HEARTH_SWAP_NONE) {
        return hearth_fail(err, HEARTH_E_BUSY, "\"%.60s\" is being swapped (%s)", server->swap.name,
                           hearth_swap_phase_name(server->swap.phase));
    }
    swap->new = loads_find(server, asked->model_id, text, sizeof text);
    if (swap->new == NULL) {
        return hearth_fail(err, HEARTH_E_NO_MODEL, "%s", text);
    }
    swap->old = hearth_registry_resolve(registry, asked->name, NULL);
    if (swap->old == NULL && hearth_registry_alias(registry, asked->name) == NULL) {
        (void)hearth_registry_explain(registry, asked->name, err);
        return hearth_because(err, HEARTH_E_NO_MODEL, "nothing to be swapped");
    }
    if (!hearth_slice_to_string(asked->name, swap->name, sizeof swap->name) ||
        strchr(swap->name, '@') != NULL) {
        return hearth_fail(err, HEARTH_E_ARGUMENT,
                           "a version stands for itself; swap the name before the @");
    }
    return check_new(swap->new, swap->old, err);
}

void swaps_begin(struct connection *connection, const struct hearth_wire_swap_request *asked)
{
    struct hearth_server *server = connection->server;
    struct swap swap = {.client = connection,
                        .client_id = asked->request_id,
                        .keeps_old = asked->keep_old != 0,
                        .begun_ns = hearth_loop_now_ns(server->parts.loop)};
    struct hearth_error err = {0};
    int rc = find_models(server, asked, &swap, &err);
    if (rc == 0) {
        server->swap = swap;
        rc = golden_open(server, &err);
    }
    if (rc < 0) {
        if (server->swap.client_id == swap.client_id && server->swap.phase == HEARTH_SWAP_NONE) {
            hearth_golden_destroy(server->swap.golden);
            server->swap = (struct swap){0};
        }
        refuse(connection, asked, rc, err.text);
        return;
    }
    connection->waiter_count++;
    swap.new->is_pinned = true;
    if (swap.old != NULL) {
        swap.old->is_pinned = true;
    }
    if (golden_needs_old(server)) {
        hearth_swap_move(&server->swap.phase, HEARTH_SWAP_RECORDING);
        ask_next(server, swap.old);
    } else {
        /* Nothing to be recorded: straight on to what follows it. */
        after_recording(server);
    }
}

void swaps_forget(struct connection *connection)
{
    struct swap *swap = &connection->server->swap;
    if (swap->client == connection) {
        swap->client = NULL;
        connection->waiter_count--;
    }
}

void swaps_abort(struct hearth_server *server, int code)
{
    struct hearth_error err = {0};
    if (server->swap.phase != HEARTH_SWAP_NONE) {
        hearth_fail(&err, code, "%s", hearth_error_sentence(code));
        fail(server, &err);
    }
}
