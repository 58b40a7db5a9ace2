/* health.c — facts → state, readiness and the report. */

#include "hearth_health.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- one model ---------------------------------------------------------------------------- */

/* Half of its limit: a worker is killed before long, or goes on. */
static bool is_still(const struct hearth_model_facts *model)
{
    return model->progress_limit_ms != 0 && model->still_ms >= model->progress_limit_ms / 2 &&
           model->still_ms > 0;
}

enum hearth_model_trouble hearth_health_trouble(const struct hearth_model_facts *model)
{
    if (model->is_failed) {
        return HEARTH_TROUBLE_FAILED;
    }
    if (model->is_restarting) {
        return HEARTH_TROUBLE_RESTARTING;
    }
    if (is_still(model)) {
        return HEARTH_TROUBLE_STILL;
    }
    if (model->is_queue_full) {
        return HEARTH_TROUBLE_QUEUE_FULL;
    }
    return model->serves ? HEARTH_TROUBLE_NONE : HEARTH_TROUBLE_LOADING;
}

void hearth_health_add(struct hearth_health_facts *facts, const struct hearth_model_facts *model)
{
    enum hearth_model_trouble trouble = hearth_health_trouble(model);
    facts->troubled[trouble]++;
    facts->models_ready += model->serves;
    bool is_worst = facts->worst == NULL || trouble > hearth_health_trouble(facts->worst);
    if (trouble > HEARTH_TROUBLE_LOADING && is_worst) {
        facts->worst = model;
    }
}

void hearth_health_explain(const struct hearth_model_facts *model,
                           char room[HEARTH_HEALTH_REASON_BYTES])
{
    size_t size = HEARTH_HEALTH_REASON_BYTES;
    room[0] = '\0';
    switch (hearth_health_trouble(model)) {
    case HEARTH_TROUBLE_NONE:
    case HEARTH_TROUBLE_LOADING:
    case HEARTH_TROUBLE_COUNT_: return;
    case HEARTH_TROUBLE_QUEUE_FULL:
        snprintf(room, size, "the queue of \"%.64s\" is full", model->name);
        return;
    case HEARTH_TROUBLE_STILL:
        snprintf(room, size,
                 "the worker of \"%.64s\" has made no step for %" PRIu32
                 " ms and is killed at %" PRIu64 " ms",
                 model->name, model->still_ms, model->progress_limit_ms);
        return;
    case HEARTH_TROUBLE_RESTARTING:
        snprintf(room, size, "the worker of \"%.64s\" died and is started again", model->name);
        return;
    case HEARTH_TROUBLE_FAILED:
        snprintf(room, size, "\"%.64s\" failed: %.150s", model->name, model->failure);
        return;
    }
    HEARTH_UNREACHABLE();
}

/* ---- the daemon --------------------------------------------------------------------------- */

static bool serves_too_few(const struct hearth_health_facts *facts)
{
    return facts->models_ready < facts->models_required;
}

enum hearth_health_state hearth_health_state(const struct hearth_health_facts *facts)
{
    if (!facts->is_accepting) {
        return HEARTH_UNHEALTHY;
    }
    return facts->worst != NULL || serves_too_few(facts) ? HEARTH_DEGRADED : HEARTH_HEALTHY;
}

bool hearth_health_is_ready(const struct hearth_health_facts *facts)
{
    return facts->is_accepting && facts->troubled[HEARTH_TROUBLE_QUEUE_FULL] == 0 &&
           !serves_too_few(facts);
}

static bool is_ok(const struct hearth_health_facts *facts, enum hearth_check_type check_type)
{
    switch (check_type) {
    case HEARTH_CHECK_LIVENESS: return true;
    case HEARTH_CHECK_READINESS:
    case HEARTH_CHECK_FULL: return hearth_health_is_ready(facts);
    }
    HEARTH_UNREACHABLE();
}

static void explain_all(const struct hearth_health_facts *facts,
                        char room[HEARTH_HEALTH_REASON_BYTES])
{
    size_t size = HEARTH_HEALTH_REASON_BYTES;
    uint32_t troubled = 0;
    for (size_t i = HEARTH_TROUBLE_LOADING + 1; i < HEARTH_TROUBLE_COUNT_; i++) {
        troubled += facts->troubled[i];
    }
    room[0] = '\0';
    if (!facts->is_accepting) {
        snprintf(room, size, "the daemon is shutting down");
    } else if (facts->worst != NULL) {
        hearth_health_explain(facts->worst, room);
        size_t used = hearth_slice_of_string(room).size;
        if (troubled > 1) {
            snprintf(room + used, size - used, "; %" PRIu32 " more models have trouble",
                     troubled - 1);
        }
    } else if (serves_too_few(facts)) {
        snprintf(room, size, "%" PRIu32 " models serve, %" PRIu32 " must (ready_models)",
                 facts->models_ready, facts->models_required);
    }
}

void hearth_health_answer(const struct hearth_health_facts *facts,
                          enum hearth_check_type check_type,
                          char reason[HEARTH_HEALTH_REASON_BYTES],
                          struct hearth_wire_health_response *ret)
{
    explain_all(facts, reason);
    struct hearth_slice why = hearth_slice_of_string(reason);
    *ret = (struct hearth_wire_health_response){
        .check_type = (uint8_t)check_type,
        .ok = is_ok(facts, check_type),
        .state = (uint8_t)hearth_health_state(facts),
        .ready = hearth_health_is_ready(facts),
        .accepting_requests = facts->is_accepting,
        .models_loaded = facts->models_ready,
        .memory_used_bytes = facts->memory_used_bytes,
        .queue_depth = facts->queue_depth,
        .uptime_secs = facts->uptime_ms / 1000,
        .pid = facts->pid,
        .connections = facts->connections,
        .running = facts->running,
        .requests_total = facts->requests_total,
        .worker_deaths = facts->worker_deaths,
        .version = hearth_slice_of_string(HEARTH_VERSION),
        .reason = hearth_slice_of(why.data, hearth_utf8_valid_bytes(why)),
    };
}
