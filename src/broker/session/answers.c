/* answers.c — handshake and health: answered at once from what is known. */

#include "session_priv.h"

#include "hearth_log.h"
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define SESSION_ID_BYTES 32u

static void make_session_id(char hex[2 * SESSION_ID_BYTES + 1])
{
    uint8_t bytes[SESSION_ID_BYTES];
    hearth_random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    }
    hearth_wipe(bytes, sizeof bytes);
}

void answer_handshake(struct connection *connection, const struct hearth_wire_handshake *asked)
{
    char text[HEARTH_ERROR_TEXT_BYTES];
    char session_id[2 * SESSION_ID_BYTES + 1];
    if (connection->state != CONNECTION_NEW) {
        connection_error(connection, HEARTH_E_INPUT_INVALID, 0, "this connection has a session");
        return;
    }
    if (asked->version_min > HEARTH_PROTOCOL_VERSION ||
        asked->version_max < HEARTH_PROTOCOL_VERSION) {
        snprintf(text, sizeof text,
                 "client speaks protocol versions %" PRIu16 " to %" PRIu16 ", this daemon %u",
                 asked->version_min, asked->version_max, HEARTH_PROTOCOL_VERSION);
        connection_error(connection, HEARTH_E_VERSION, 0, text);
        connection_close_after(connection);
        return;
    }
    make_session_id(session_id);
    connection->state = CONNECTION_OPEN;
    hearth_frame_reader_set_max(&connection->reader, HEARTH_MAX_FRAME_BYTES);
    struct hearth_message ack = {
        .type = HEARTH_MSG_handshake_ack,
        .as.handshake_ack = {.version = HEARTH_PROTOCOL_VERSION,
                             .features = 0, /* none is defined yet */
                             .session_id = hearth_slice_of_string(session_id),
                             .server = hearth_slice_of_string("hearthd " HEARTH_VERSION),
                             .max_frame_bytes = HEARTH_MAX_FRAME_BYTES}};
    connection_send(connection, &ack);
}

static void add_memory(struct hearth_health_facts *facts, pid_t pid)
{
    struct hearth_proc_usage usage;
    if (hearth_proc_usage(pid, &usage, NULL) == 0) {
        facts->memory_used_bytes += usage.rss_bytes;
    }
}

/* Memory is read from /proc, some ten microseconds a process, so only the full check does it. */
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
        add_memory(facts, 0);
    }
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        const struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
        const struct hearth_lane *lane = hearth_sched_lane(&server->sched, slot);
        struct hearth_worker_info info;
        facts->has_full_lane |= lane->queued_count >= server->sched.queue_limit;
        facts->models_failed +=
            model != NULL && model->state == HEARTH_MODEL_FAILED && model->manifest != NULL;
        hearth_pool_info(server->pool, slot, &info);
        if (is_full && info.pid != 0) {
            add_memory(facts, info.pid);
        }
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
