/* answers.c — health: answered at once from what is known. */

#include "session_priv.h"

#include <unistd.h>

/* Memory is read from /proc, so only the full check asks for it. */
static void gather(struct hearth_server *server, bool is_full, struct hearth_health_facts *facts)
{
    const struct hearth_registry *registry = server->parts.registry;
    uint64_t now_ns = hearth_loop_now_ns(server->parts.loop);
    *facts = (struct hearth_health_facts){
        .is_accepting = !server->is_draining,
        .models_ready = hearth_registry_count(registry, HEARTH_MODEL_READY),
        .models_restarting = hearth_registry_count(registry, HEARTH_MODEL_RESTARTING),
        .queue_depth = server->sched.queued_count,
        .running = server->sched.running_count,
        .uptime_ms = (now_ns - server->started_ns) / HEARTH_NS_PER_MS,
        .pid = (uint32_t)getpid(),
        .connections = server->connection_count,
        .requests_total =
            hearth_metrics_value(server->parts.metrics, HEARTH_COUNTER_REQUESTS_TOTAL),
        .worker_deaths = hearth_metrics_value(server->parts.metrics, HEARTH_COUNTER_WORKER_DEATHS),
    };
    if (is_full) {
        facts->memory_used_bytes = memory_of_all(server);
    }
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        const struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
        const struct hearth_lane *lane = hearth_sched_lane(&server->sched, slot);
        facts->has_full_lane |= lane->queued_count >= server->sched.queue_limit;
        facts->models_failed +=
            model != NULL && model->state == HEARTH_MODEL_FAILED && model->manifest != NULL;
    }
}

void answer_health(struct connection *connection, const struct hearth_wire_health_check *asked)
{
    struct hearth_health_facts facts;
    struct hearth_message message = {.type = HEARTH_MSG_health_response};
    enum hearth_check_type check_type = (enum hearth_check_type)asked->check_type;
    gather(connection->server, check_type == HEARTH_CHECK_FULL, &facts);
    hearth_health_answer(&facts, check_type, &message.as.health_response);
    connection_send(connection, &message);
}
