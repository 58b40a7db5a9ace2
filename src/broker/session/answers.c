/* answers.c — health: answered at once from what is known. */

#include "session_priv.h"

#include <string.h>
#include <unistd.h>

static bool is_preload(const struct hearth_server *server, const char *name)
{
    const struct hearth_config *config = server->parts.config;
    for (uint32_t i = 0; i < config->preload_count; i++) {
        if (strcmp(config->preload[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Models that serve, should serve or were asked to; not those that only lie in a folder. */
static bool matters(const struct hearth_server *server, const struct hearth_model *model)
{
    switch (model->state) {
    case HEARTH_MODEL_ABSENT: return false;
    case HEARTH_MODEL_FAILED: return model->manifest != NULL || is_preload(server, model->id);
    case HEARTH_MODEL_LOADING:
    case HEARTH_MODEL_READY:
    case HEARTH_MODEL_DRAINING:
    case HEARTH_MODEL_RESTARTING: return true;
    }
    HEARTH_UNREACHABLE();
}

/* Memory is read from /proc, so only the full check asks for it. */
static void look_at(struct hearth_server *server, const struct hearth_model *model, bool is_full,
                    struct checkup *checkup)
{
    const struct hearth_lane *lane = hearth_sched_lane(&server->sched, model->slot);
    struct hearth_worker_info info;
    hearth_pool_info(server->pool, model->slot, &info);
    uint32_t at = checkup->count++;
    checkup->models[at] = (struct hearth_model_facts){
        .is_failed = model->state == HEARTH_MODEL_FAILED,
        .is_restarting = model->state == HEARTH_MODEL_RESTARTING,
        .serves = model->state == HEARTH_MODEL_READY,
        .is_queue_full = lane->queued_count >= server->sched.limits.lane,
        .still_ms = info.still_ms,
        .progress_limit_ms = info.progress_limit_ms,
        .name = model->id,
        .failure = model->failure.text,
    };
    hearth_health_add(&checkup->facts, &checkup->models[at]);
    if (!is_full) {
        return;
    }
    hearth_health_explain(&checkup->models[at], checkup->reasons[at]);
    checkup->told[at] = (struct hearth_wire_model_health){
        .name = hearth_slice_of_string(model->id),
        .state = (uint8_t)model->state,
        .ready = hearth_health_trouble(&checkup->models[at]) == HEARTH_TROUBLE_NONE,
        .worker_pid = (uint32_t)info.pid,
        .restarts = info.restarts,
        .queue_depth = lane->queued_count,
        .running = lane->running_count,
        .memory_bytes = memory_of_worker(server, model->slot, info.pid),
        .steps = info.steps,
        .still_ms = info.still_ms,
        .reason = text_slice(checkup->reasons[at]),
    };
}

static void gather(struct hearth_server *server, bool is_full, struct checkup *checkup)
{
    const struct hearth_metrics *metrics = server->parts.metrics;
    uint64_t now_ns = hearth_loop_now_ns(server->parts.loop);
    struct hearth_health_facts *facts = &checkup->facts;
    *facts = (struct hearth_health_facts){
        .is_accepting = !server->is_draining,
        .models_required = (uint32_t)server->parts.config->ready_models,
        .queue_depth = server->sched.queued_count,
        .running = server->sched.running_count,
        .uptime_ms = (now_ns - server->started_ns) / HEARTH_NS_PER_MS,
        .pid = (uint32_t)getpid(),
        .connections = server->connection_count,
        .requests_total = hearth_metrics_value(metrics, HEARTH_COUNTER_REQUESTS_TOTAL),
        .worker_deaths = hearth_metrics_value(metrics, HEARTH_COUNTER_WORKER_DEATHS),
        .memory_used_bytes = is_full ? memory_of_all(server) : 0,
    };
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        const struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
        if (model != NULL && matters(server, model)) {
            look_at(server, model, is_full, checkup);
        }
    }
}

void answer_health(struct connection *connection, const struct hearth_wire_health_check *asked)
{
    struct hearth_message message = {.type = HEARTH_MSG_health_response};
    enum hearth_check_type check_type = (enum hearth_check_type)asked->check_type;
    bool is_full = check_type == HEARTH_CHECK_FULL;
    struct checkup *checkup = &connection->server->checkup;
    checkup->count = 0;
    gather(connection->server, is_full, checkup);
    hearth_health_answer(&checkup->facts, check_type, checkup->reason, &message.as.health_response);
    if (is_full) {
        message.as.health_response.models =
            (struct hearth_wire_list){.count = checkup->count, .items = checkup->told};
    }
    connection_send(connection, &message);
}
