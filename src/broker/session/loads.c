/* loads.c — loads and unloads that clients ask for: who waits for which model, and their answers.
 *
 * Both are answered when it is done: a load when the model serves or has failed, an unload when its
 * worker has ended. Several clients may wait for the same.                                      */

#include "session_priv.h"

#include "hearth_log.h"
#include <stdio.h>
#include <string.h>

#define NO_SLOT HEARTH_MAX_MODELS

/* With @slot, what the load took of the budget and who left for it. */
static void answer_load(struct connection *client, uint32_t slot, uint64_t client_id, int code,
                        const char *text, pid_t pid)
{
    struct hearth_wire_eviction evictions[HEARTH_MAX_MODELS];
    struct hearth_message message = {.type = HEARTH_MSG_load_response,
                                     .as.load_response = {.request_id = client_id,
                                                          .code = (uint16_t)-code,
                                                          .error = text_slice(text),
                                                          .worker_pid = (uint32_t)pid}};
    if (slot != NO_SLOT) {
        room_tell(client->server, slot, evictions, &message.as.load_response);
    }
    connection_send(client, &message);
}

static void answer(struct connection *client, bool is_load, uint64_t client_id, int code,
                   const char *text, pid_t pid)
{
    if (is_load) {
        answer_load(client, NO_SLOT, client_id, code, text, pid);
        return;
    }
    struct hearth_message message = {.type = HEARTH_MSG_unload_response,
                                     .as.unload_response = {.request_id = client_id,
                                                            .code = (uint16_t)-code,
                                                            .error = text_slice(text)}};
    connection_send(client, &message);
}

/* ---- waiting ------------------------------------------------------------------------------ */

static void drop(struct waiter *waiter)
{
    hearth_list_remove(&waiter->link);
    waiter->client->waiter_count--;
    timeouts_look(waiter->client); /* it may be idle from now on */
    hearth_free(waiter);
}

/* Comes before what is waited for is begun: if it cannot, the client is told and nothing begins. */
static struct waiter *wait_for(struct connection *connection, const struct hearth_model *model,
                               bool is_load, uint64_t client_id)
{
    if (connection->waiter_count >= MAX_WAITERS) {
        answer(connection, is_load, client_id, HEARTH_E_BUSY,
               "64 loads and unloads of this connection are not finished", 0);
        return NULL;
    }
    struct waiter *waiter = hearth_alloc(1, sizeof *waiter);
    if (waiter == NULL) {
        answer(connection, is_load, client_id, HEARTH_E_NO_MEMORY,
               hearth_error_sentence(HEARTH_E_NO_MEMORY), 0);
        return NULL;
    }
    *waiter = (struct waiter){
        .client = connection, .client_id = client_id, .slot = model->slot, .is_load = is_load};
    hearth_list_append(&connection->waiters, &waiter->link);
    connection->waiter_count++;
    return waiter;
}

void loads_forget(struct connection *connection)
{
    swaps_forget(connection);
    HEARTH_LIST_EACH(struct waiter, link, waiter, &connection->waiters) {
        drop(waiter);
    }
}

static void answer_all(struct hearth_server *server, uint32_t slot, bool is_load, int code,
                       const char *text, pid_t pid)
{
    HEARTH_LIST_EACH(struct connection, link, connection, &server->connections) {
        HEARTH_LIST_EACH(struct waiter, link, waiter, &connection->waiters) {
            if (waiter->slot == slot && waiter->is_load == is_load) {
                if (is_load) {
                    answer_load(connection, slot, waiter->client_id, code, text, pid);
                } else {
                    answer(connection, false, waiter->client_id, code, text, pid);
                }
                drop(waiter);
            }
        }
    }
}

void loads_refuse_all(struct hearth_server *server, int code)
{
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        answer_all(server, slot, true, code, hearth_error_sentence(code), 0);
    }
}

/* ---- beginning and ending ----------------------------------------------------------------- */

/* One whose room is asked for and is there: it will serve, unless something goes wrong. */
static struct hearth_model *find_host(const struct hearth_server *server,
                                      const struct hearth_model *model)
{
    struct hearth_worker_info info = {0};
    struct hearth_model *host = hearth_pool_find_host(server->pool, model);
    if (host != NULL) {
        hearth_pool_info(server->pool, host->slot, &info);
    }
    return host != NULL && info.hold->is_held ? host : NULL;
}

bool loads_may_share(struct hearth_server *server, struct hearth_model *model)
{
    struct room *room = &server->rooms[model->slot];
    room->joins = find_host(server, model) != NULL;
    return room->joins;
}

bool loads_join(struct hearth_server *server, struct hearth_model *model)
{
    struct room *room = &server->rooms[model->slot];
    if (!room->joins || model->state != HEARTH_MODEL_ABSENT) {
        return false;
    }
    room->joins = false;
    struct hearth_model *host = find_host(server, model);
    if (host == NULL) { /* it has left meanwhile */
        return hearth_pool_load(server->pool, model, NULL) == 0;
    }
    hearth_model_join(model, host);
    hearth_log(HEARTH_LOG_INFO, "model.shares", "model", hearth_log_s(model->id), "host",
               hearth_log_s(host->id), NULL);
    loads_settle(server, model);
    return true;
}

static void end_at_once(struct hearth_server *server, struct hearth_model *model)
{
    model->is_retiring = false;
    server->rooms[model->slot].joins = false;
    hearth_pool_unload(server->pool, model, UNLOAD_GRACE_MS);
    if (model->state == HEARTH_MODEL_DRAINING) {
        hearth_sched_set_credit(&server->sched, model->slot, 0);
        lane_fail_queued(server, model->slot, HEARTH_E_NOT_READY, "the model is being unloaded");
    }
}

/* One that was unloaded under its own name lives for its guests only. */
static void end_host_without_guests(struct hearth_server *server, struct hearth_model *host)
{
    if (host->is_hidden && !hearth_registry_has_guests(server->parts.registry, host)) {
        host->is_hidden = false;
        host->is_retiring = true; /* the guest's requests are there */
        drains_look(server, host->slot);
    }
}

void loads_end(struct hearth_server *server, struct hearth_model *model, bool is_soft)
{
    struct hearth_model *host = model->host;
    if (host != NULL) {
        hearth_model_leave(model);
        loads_settle(server, model);
        end_host_without_guests(server, host);
    } else if (hearth_registry_has_guests(server->parts.registry, model)) {
        model->is_retiring = false;
        model->is_hidden = true;
        answer_all(server, model->slot, false, 0, "", 0);
    } else if (is_soft) {
        model->is_retiring = true;
        drains_look(server, model->slot);
    } else {
        end_at_once(server, model);
    }
}

void loads_keep(struct hearth_server *server, struct hearth_model *model)
{
    if (model->is_retiring) {
        model->is_retiring = false;
        answer_all(server, model->slot, false, HEARTH_E_CANCELLED, "it was loaded again", 0);
    }
    model->is_hidden = false;
}

void drains_look(struct hearth_server *server, uint32_t slot)
{
    struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
    const struct hearth_lane *lane = hearth_sched_lane(&server->sched, slot);
    if (model == NULL || lane->running_count > 0) {
        return;
    }
    if (model->is_held) {
        swaps_look(server);
    } else if (model->is_retiring && lane->queued_count == 0 && lane->doomed_count == 0) {
        model->is_retiring = false;
        loads_end(server, model, false); /* a guest may have come meanwhile */
    }
}

/* ---- what became of it -------------------------------------------------------------------- */

/* A preload is over when none of its models is loading any more. */
static void check_preload(struct hearth_server *server)
{
    const struct hearth_registry *registry = server->parts.registry;
    if (!server->is_preloading || hearth_registry_count(registry, HEARTH_MODEL_LOADING) > 0 ||
        hearth_registry_count(registry, HEARTH_MODEL_DRAINING) > 0) { /* on its way to a host */
        return;
    }
    server->is_preloading = false;
    hearth_log(HEARTH_LOG_INFO, "daemon.ready", "models_ready",
               hearth_log_u(hearth_registry_count(registry, HEARTH_MODEL_READY)), "models_failed",
               hearth_log_u(hearth_registry_count(registry, HEARTH_MODEL_FAILED)), NULL);
}

/* A load that ended without a model: a dry run has its verdict, any other was cut short. */
static void settle_absent_load(struct hearth_server *server, uint32_t slot)
{
    char text[HEARTH_ERROR_TEXT_BYTES];
    int code = 0;
    if (room_was_dry_run(server, slot, &code, text)) {
        answer_all(server, slot, true, code, text, 0);
    } else {
        answer_all(server, slot, true, HEARTH_E_CANCELLED, "unloaded while it loaded", 0);
    }
    server->rooms[slot].is_dry_run = false; /* whoever loads it next means it */
}

void loads_settle(struct hearth_server *server, struct hearth_model *model)
{
    struct hearth_worker_info info;
    switch (model->state) {
    case HEARTH_MODEL_READY:
        hearth_pool_info(server->pool, hearth_model_lane(model), &info);
        answer_all(server, model->slot, true, 0, "", info.pid);
        break;
    case HEARTH_MODEL_FAILED:
        answer_all(server, model->slot, true, model->failure.code, model->failure.text, 0);
        break;
    case HEARTH_MODEL_ABSENT:
        server->records[model->slot] = (struct lane_record){0};
        settle_absent_load(server, model->slot);
        answer_all(server, model->slot, false, 0, "", 0);
        break;
    case HEARTH_MODEL_LOADING:
    case HEARTH_MODEL_DRAINING:
    case HEARTH_MODEL_RESTARTING: break;
    }
    check_preload(server);
}

/* ---- asking ------------------------------------------------------------------------------- */

/* Finds the model; looks for its manifest again before it says that there is none, and before a
 * load, because it may have been replaced. */
struct hearth_model *loads_find(struct hearth_server *server, struct hearth_slice name, char *text,
                                size_t text_bytes)
{
    struct hearth_registry *registry = server->parts.registry;
    struct hearth_model *model = hearth_registry_resolve(registry, name, NULL);
    struct hearth_error err = {0};
    if (model == NULL || !hearth_model_has_worker(model)) {
        const struct hearth_alias *alias = hearth_registry_alias(registry, name);
        struct hearth_slice id = model != NULL   ? hearth_slice_of_string(model->id)
                                 : alias != NULL ? hearth_slice_of_string(alias->model_id)
                                                 : name;
        if (hearth_registry_look(registry, id, &err) < 0) {
            hearth_log(HEARTH_LOG_WARN, "registry.look", "error", hearth_log_err(&err), NULL);
        }
        model = hearth_registry_resolve(registry, name, NULL);
    }
    if (model == NULL) {
        hearth_registry_explain(registry, name, &err);
        snprintf(text, text_bytes, "%s", err.text);
    }
    return model;
}

static void begin_load(struct connection *connection, struct hearth_model *model,
                       const struct hearth_wire_load_request *asked)
{
    struct hearth_server *server = connection->server;
    uint64_t client_id = asked->request_id;
    struct hearth_error err = {0};
    struct hearth_worker_info info;
    loads_keep(server, model);
    switch (model->state) {
    case HEARTH_MODEL_READY:
        hearth_pool_info(server->pool, hearth_model_lane(model), &info);
        answer_load(connection, model->slot, client_id, 0, "", info.pid);
        return;
    case HEARTH_MODEL_LOADING:
    case HEARTH_MODEL_RESTARTING: (void)wait_for(connection, model, true, client_id); return;
    case HEARTH_MODEL_DRAINING:
        answer(connection, true, client_id, HEARTH_E_BUSY, "the model is being unloaded", 0);
        return;
    case HEARTH_MODEL_ABSENT:
    case HEARTH_MODEL_FAILED: break;
    }
    struct waiter *waiter = wait_for(connection, model, true, client_id);
    if (waiter == NULL) {
        return;
    }
    room_ask(server, model->slot, asked);
    int rc = hearth_pool_load(server->pool, model, &err);
    if (rc < 0) {
        drop(waiter);
        answer(connection, true, client_id, rc, err.text, 0);
    }
}

void loads_load(struct connection *connection, const struct hearth_wire_load_request *asked)
{
    struct hearth_server *server = connection->server;
    char text[HEARTH_ERROR_TEXT_BYTES];
    if (server->is_draining) {
        answer(connection, true, asked->request_id, HEARTH_E_SHUTTING_DOWN,
               "the daemon is shutting down", 0);
        return;
    }
    struct hearth_model *model = loads_find(server, asked->model_id, text, sizeof text);
    if (model == NULL) {
        answer(connection, true, asked->request_id, HEARTH_E_NO_MODEL, text, 0);
        return;
    }
    begin_load(connection, model, asked);
}

/* NULL if it may be unloaded. */
static const char *find_obstacle(const struct hearth_model *model, int *ret_code)
{
    enum hearth_model_state told =
        model != NULL ? hearth_model_told_state(model) : HEARTH_MODEL_ABSENT;
    if (told == HEARTH_MODEL_ABSENT || told == HEARTH_MODEL_FAILED) {
        *ret_code = HEARTH_E_NOT_READY;
        return "is not loaded";
    }
    *ret_code = HEARTH_E_BUSY;
    return model->is_pinned ? "is part of a swap; wait until that is over" : NULL;
}

void loads_unload(struct connection *connection, const struct hearth_wire_unload_request *asked)
{
    struct hearth_server *server = connection->server;
    struct hearth_model *model =
        hearth_registry_resolve(server->parts.registry, asked->model_id, NULL);
    char text[HEARTH_ERROR_TEXT_BYTES];
    int code = 0;
    const char *obstacle = find_obstacle(model, &code);
    if (obstacle != NULL) {
        snprintf(text, sizeof text, "model \"%.*s\" %s", HEARTH_SLICE_ARGS(asked->model_id),
                 obstacle);
        answer(connection, false, asked->request_id, model == NULL ? HEARTH_E_NO_MODEL : code, text,
               0);
        return;
    }
    if (wait_for(connection, model, false, asked->request_id) != NULL) {
        loads_end(server, model, asked->drain != 0);
    }
}

void hearth_server_preload(struct hearth_server *server)
{
    const struct hearth_config *config = server->parts.config;
    server->is_preloading = true;
    for (uint32_t i = 0; i < config->preload_count; i++) {
        struct hearth_error err = {0};
        struct hearth_model *model = hearth_registry_resolve(
            server->parts.registry, hearth_slice_of_string(config->preload[i]), NULL);
        int rc = model == NULL ? hearth_fail(&err, HEARTH_E_NO_MODEL,
                                             "preload \"%.64s\": in none of the model folders",
                                             config->preload[i])
                               : hearth_pool_load(server->pool, model, &err);
        if (rc < 0 && rc != HEARTH_E_BUSY) {
            hearth_log(HEARTH_LOG_ERROR, "model.not_preloaded", "model",
                       hearth_log_s(config->preload[i]), "error", hearth_log_err(&err), NULL);
        }
    }
    check_preload(server);
}
