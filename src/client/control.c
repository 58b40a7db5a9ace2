/* control.c — what the daemon is to do or to say of itself: load, unload, warm up, health. */

#include "client_priv.h"

static int check_name(const char *model, struct hearth_error *err)
{
    return model != NULL && model[0] != '\0'
               ? 0
               : hearth_fail(err, HEARTH_E_ARGUMENT, "no model is named");
}

/* ── Load and unload ─────────────────────────────────────────────────────────────────────────── */

/* Also of a refusal. False: a name that no text can hold. */
static bool keep_report(struct hearth_client *client,
                        const struct hearth_wire_load_response *response)
{
    struct hearth_wire_list cursor = response->evictions;
    struct hearth_wire_eviction one;
    size_t count = 0;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_eviction, &one)) {
        char *name = client->evicted_names[count];
        if (!hearth_slice_to_string(one.name, name, sizeof client->evicted_names[0])) {
            return false;
        }
        client->evictions[count++] = (hearth_eviction){
            .model = name, .bytes = one.bytes, .idle_ms = one.idle_ms, .reload_ms = one.reload_ms};
    }
    client->load = (hearth_load_report){.worker_pid = response->worker_pid,
                                        .need_bytes = response->need_bytes,
                                        .free_bytes = response->free_bytes,
                                        .evictions = client->evictions,
                                        .eviction_count = count};
    return true;
}

static int take_load(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    const struct hearth_wire_load_response *response = &answer->as.load_response;
    if (!keep_report(arg, response)) {
        return hearth_fail(err, HEARTH_E_DISCONNECTED, "a model's name holds a NUL");
    }
    return client_answer_code(response->code, response->error, err);
}

int hearth_load_with(hearth_client *client, const char *model, uint32_t flags, uint32_t timeout_ms,
                     const hearth_load_report **ret_report, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    int rc = check_name(model, err);
    if (rc < 0) {
        return rc;
    }
    client->load = (hearth_load_report){0};
    struct hearth_message message = {.type = HEARTH_MSG_load_request};
    message.as.load_request =
        (struct hearth_wire_load_request){.request_id = ++client->last_id,
                                          .model_id = hearth_slice_of_string(model),
                                          .evict = (flags & HEARTH_LOAD_EVICT) != 0  ? 1
                                                   : (flags & HEARTH_LOAD_KEEP) != 0 ? 2
                                                                                     : 0,
                                          .is_dry_run = (flags & HEARTH_LOAD_DRY_RUN) != 0};
    struct client_question question = {.wanted = HEARTH_MSG_load_response,
                                       .id = client->last_id,
                                       .take = take_load,
                                       .arg = client};
    rc = client_ask(client, &message, &question, timeout_ms, err);
    if (ret_report != NULL) {
        *ret_report = &client->load;
    }
    return rc;
}

int hearth_load(hearth_client *client, const char *model, uint32_t timeout_ms,
                uint32_t *ret_worker_pid, hearth_error *err)
{
    int rc = hearth_load_with(client, model, 0, timeout_ms, NULL, err);
    if (rc == 0 && ret_worker_pid != NULL) {
        *ret_worker_pid = client->load.worker_pid;
    }
    return rc;
}

static int take_unload(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    (void)arg;
    const struct hearth_wire_unload_response *response = &answer->as.unload_response;
    return client_answer_code(response->code, response->error, err);
}

static int unload(hearth_client *client, const char *model, bool is_drain, uint32_t timeout_ms,
                  hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    int rc = check_name(model, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_message message = {.type = HEARTH_MSG_unload_request};
    message.as.unload_request.request_id = ++client->last_id;
    message.as.unload_request.model_id = hearth_slice_of_string(model);
    message.as.unload_request.drain = is_drain;
    struct client_question question = {
        .wanted = HEARTH_MSG_unload_response, .id = client->last_id, .take = take_unload};
    return client_ask(client, &message, &question, timeout_ms, err);
}

int hearth_unload(hearth_client *client, const char *model, uint32_t timeout_ms, hearth_error *err)
{
    return unload(client, model, false, timeout_ms, err);
}

int hearth_drain(hearth_client *client, const char *model, uint32_t timeout_ms, hearth_error *err)
{
    return unload(client, model, true, timeout_ms, err);
}

/* ── Warm-up ─────────────────────────────────────────────────────────────────────────────────── */

static int take_warmup(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    const struct hearth_wire_warmup_response *response = &answer->as.warmup_response;
    *(uint32_t *)arg = response->elapsed_ms;
    int rc = client_answer_code(response->code, response->error, err);
    return rc == 0 && !response->success
               ? hearth_fail(err, HEARTH_E_INTERNAL, "the daemon says that it failed, but not why")
               : rc;
}

int hearth_warm_up(hearth_client *client, const char *model, uint32_t tokens, uint32_t timeout_ms,
                   uint32_t *ret_elapsed_ms, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    int rc = check_name(model, err);
    if (rc < 0) {
        return rc;
    }
    uint32_t elapsed_ms = 0;
    struct hearth_message message = {.type = HEARTH_MSG_warmup_request};
    message.as.warmup_request = (struct hearth_wire_warmup_request){
        .request_id = ++client->last_id,
        .model_id = hearth_slice_of_string(model),
        .tokens = tokens,
    };
    struct client_question question = {.wanted = HEARTH_MSG_warmup_response,
                                       .id = client->last_id,
                                       .take = take_warmup,
                                       .arg = &elapsed_ms};
    rc = client_ask(client, &message, &question, timeout_ms, err);
    if (rc == 0 && ret_elapsed_ms != NULL) {
        *ret_elapsed_ms = elapsed_ms;
    }
    return rc;
}

/* ── Health ──────────────────────────────────────────────────────────────────────────────────── */

static int take_health(void *arg, const struct hearth_message *answer, struct hearth_error *err)
{
    struct hearth_client *client = arg;
    const struct hearth_wire_health_response *response = &answer->as.health_response;
    if (!hearth_slice_to_string(response->version, client->version, sizeof client->version)) {
        return hearth_fail(err, HEARTH_E_DISCONNECTED, "the daemon's version holds a NUL");
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
    return 0;
}

int hearth_health(hearth_client *client, enum hearth_check_type check,
                  const hearth_health_report **ret_report, hearth_error *err)
{
    HEARTH_CHECK(client, HEARTH_CLIENT_MAGIC);
    struct hearth_message message = {.type = HEARTH_MSG_health_check};
    message.as.health_check.check_type = (uint8_t)check;
    struct client_question question = {
        .wanted = HEARTH_MSG_health_response, .take = take_health, .arg = client};
    int rc = client_ask(client, &message, &question, client->timeout_ms, err);
    if (rc == 0) {
        *ret_report = &client->report;
    }
    return rc;
}
