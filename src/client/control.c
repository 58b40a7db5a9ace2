/* control.c — questions to the daemon itself: health, models, load, unload. */

#include "client_priv.h"

#include <string.h>

#define LIST_BYTES ((size_t)16 << 20) /* a frame's worth of models, unpacked */

struct hearth_model_list {
    struct hearth_arena arena;
    hearth_model *models;
    size_t count;
};

/* True if @message answers what was asked: of this type and, if answers carry one, with this id. */
static bool is_answer(const struct hearth_message *message, enum hearth_message_type wanted,
                      uint64_t id)
{
    if (message->type != wanted) {
        return false; /* belongs to a request that was given up */
    }
    if (wanted == HEARTH_MSG_load_response) {
        return message->as.load_response.request_id == id;
    }
    return wanted != HEARTH_MSG_unload_response || message->as.unload_response.request_id == id;
}

/* Sends @message and receives into it until the answer comes. @id is 0 if answers carry none: then
 * a late one could pass for the next, so the connection ends with the patience for it. */
static int ask(struct hearth_client *client, struct hearth_message *message,
               enum hearth_message_type wanted, uint64_t id, uint32_t timeout_ms,
               struct hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    uint64_t deadline_ns = client_deadline_ns(timeout_ms);
    int rc = client_send(client, message, deadline_ns, err);
    while (rc == 0) {
        rc = client_receive(client, deadline_ns, message, err);
        if (rc == 0 && is_answer(message, wanted, id)) {
            return 0;
        }
    }
    if (rc == HEARTH_E_EXPIRED && id == 0) {
        client->is_broken = true;
    }
    return rc;
}

/* ── Models ──────────────────────────────────────────────────────────────────────────────────── */

static int unpack_names(struct hearth_arena *arena, const struct hearth_wire_list *list,
                        hearth_model *model)
{
    const char **names = hearth_arena_alloc(arena, list->count, sizeof *names);
    if (names == NULL && list->count > 0) {
        return HEARTH_E_NO_MEMORY;
    }
    struct hearth_wire_list cursor = *list;
    struct hearth_wire_name name;
    for (size_t i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_name, &name); i++) {
        names[i] = hearth_arena_copy(arena, name.name);
        if (names[i] == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
    }
    model->labels = names;
    model->label_count = list->count;
    return 0;
}

static int unpack_model(struct hearth_arena *arena, const struct hearth_wire_model_info *info,
                        hearth_model *model)
{
    *model = (hearth_model){
        .name = hearth_arena_copy(arena, info->name),
        .task = (enum hearth_task)info->task,
        .engine = (enum hearth_engine_kind)info->engine,
        .state = (enum hearth_model_state)info->state,
        .digest = hearth_arena_copy(arena, info->digest),
        .worker_pid = info->worker_pid,
        .restarts = info->restarts,
        .size_bytes = info->size_bytes,
        .need_bytes = info->need_bytes,
        .memory_bytes = info->memory_bytes,
        .queue_depth = info->queue_depth,
        .running = info->running,
        .request_count = info->request_count,
        .avg_latency_ms = info->avg_latency_ms,
        .threads = info->threads,
        .context_tokens = info->context_tokens,
        .dimensions = info->dimensions,
        .containment = hearth_arena_copy(arena, info->containment),
        .error = hearth_arena_copy(arena, info->error),
    };
    bool has_all = model->name != NULL && model->digest != NULL && model->containment != NULL &&
                   model->error != NULL;
    return has_all ? unpack_names(arena, &info->labels, model) : HEARTH_E_NO_MEMORY;
}

static int unpack_list(struct hearth_model_list *list, const struct hearth_wire_list *models)
{
    list->models = hearth_arena_alloc(&list->arena, models->count + 1u, sizeof *list->models);
    if (list->models == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    struct hearth_wire_list cursor = *models;
    struct hearth_wire_model_info info;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_model_info, &info)) {
        int rc = unpack_model(&list->arena, &info, &list->models[list->count]);
        if (rc < 0) {
            return rc;
        }
        list->count++;
    }
    return 0;
}

int hearth_models(hearth_client *client, hearth_model_list **ret_list, hearth_error *err)
{
    struct hearth_message message = {.type = HEARTH_MSG_models_request};
    int rc = ask(client, &message, HEARTH_MSG_models_response, 0, client->timeout_ms, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_model_list *list = hearth_alloc(1, sizeof *list);
    if (list == NULL) {
        return hearth_fail_oom(err);
    }
    hearth_arena_init(&list->arena, LIST_BYTES);
    if (unpack_list(list, &message.as.models_response.models) < 0) {
        hearth_model_list_free(list);
        return hearth_fail_oom(err);
    }
    *ret_list = list;
    return 0;
}

size_t hearth_model_list_count(const hearth_model_list *list)
{
    return list->count;
}

const hearth_model *hearth_model_list_at(const hearth_model_list *list, size_t index)
{
    return index < list->count ? &list->models[index] : NULL;
}

void hearth_model_list_free(hearth_model_list *list)
{
    if (list != NULL) {
        hearth_arena_finish(&list->arena);
        hearth_free(list);
    }
}

/* ── Load and unload ─────────────────────────────────────────────────────────────────────────── */

static int check_name(const char *model, struct hearth_error *err)
{
    return model != NULL && model[0] != '\0'
               ? 0
               : hearth_fail(err, HEARTH_E_ARGUMENT, "no model is named");
}

int hearth_load(hearth_client *client, const char *model, uint32_t timeout_ms,
                uint32_t *ret_worker_pid, hearth_error *err)
{
    int rc = check_name(model, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_message message = {.type = HEARTH_MSG_load_request};
    message.as.load_request.request_id = ++client->last_id;
    message.as.load_request.model_id = hearth_slice_of_string(model);
    rc = ask(client, &message, HEARTH_MSG_load_response, client->last_id, timeout_ms, err);
    if (rc < 0) {
        return rc;
    }
    const struct hearth_wire_load_response *response = &message.as.load_response;
    rc = client_answer_code(response->code, response->error, err);
    if (rc == 0 && ret_worker_pid != NULL) {
        *ret_worker_pid = response->worker_pid;
    }
    return rc;
}

int hearth_unload(hearth_client *client, const char *model, uint32_t timeout_ms, hearth_error *err)
{
    int rc = check_name(model, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_message message = {.type = HEARTH_MSG_unload_request};
    message.as.unload_request.request_id = ++client->last_id;
    message.as.unload_request.model_id = hearth_slice_of_string(model);
    rc = ask(client, &message, HEARTH_MSG_unload_response, client->last_id, timeout_ms, err);
    if (rc < 0) {
        return rc;
    }
    const struct hearth_wire_unload_response *response = &message.as.unload_response;
    return client_answer_code(response->code, response->error, err);
}

/* ── Health ──────────────────────────────────────────────────────────────────────────────────── */

int hearth_health(hearth_client *client, enum hearth_check_type check,
                  const hearth_health_report **ret_report, hearth_error *err)
{
    struct hearth_message message = {.type = HEARTH_MSG_health_check};
    message.as.health_check.check_type = (uint8_t)check;
    int rc = ask(client, &message, HEARTH_MSG_health_response, 0, client->timeout_ms, err);
    if (rc < 0) {
        return rc;
    }
    const struct hearth_wire_health_response *response = &message.as.health_response;
    if (!hearth_slice_to_string(response->version, client->version, sizeof client->version)) {
        return client_broken(client, err, "the daemon's version holds a NUL");
    }
    client->report = (hearth_health_report){
        .check = (enum hearth_check_type)response->check_type,
        .ok = response->ok,
        .state = response->state,
        .ready = response->ready,
        .accepting_requests = response->accepting_requests,
        .models_loaded = response->models_loaded,
        .memory_used_bytes = response->memory_used_bytes,
        .queue_depth = response->queue_depth,
        .running = response->running,
        .connections = response->connections,
        .uptime_secs = response->uptime_secs,
        .requests_total = response->requests_total,
        .worker_deaths = response->worker_deaths,
        .pid = response->pid,
        .version = client->version,
    };
    *ret_report = &client->report;
    return 0;
}
