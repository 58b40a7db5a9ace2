/* health.c — facts → state, readiness and the report. */

#include "hearth_health.h"

enum hearth_health_state hearth_health_state(const struct hearth_health_facts *facts)
{
    if (!facts->is_accepting) {
        return HEARTH_UNHEALTHY;
    }
    bool is_degraded =
        facts->has_full_lane || facts->models_failed > 0 || facts->models_restarting > 0;
    return is_degraded ? HEARTH_DEGRADED : HEARTH_HEALTHY;
}

bool hearth_health_is_ready(const struct hearth_health_facts *facts)
{
    return facts->is_accepting && !facts->has_full_lane;
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

void hearth_health_answer(const struct hearth_health_facts *facts,
                          enum hearth_check_type check_type,
                          struct hearth_wire_health_response *ret)
{
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
    };
}
