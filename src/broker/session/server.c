/* server.c — the listening socket, what the pool tells, and the drain. */

#include "session_priv.h"

#include "hearth_log.h"
#include <unistd.h>

#define ACCEPTS_PER_WAKE 16u
#define ACCEPT_PAUSE_MS  100u /* after a failure that would come again at once */

uint64_t server_now_ms(const struct hearth_server *server)
{
    return hearth_loop_now_ns(server->parts.loop) / HEARTH_NS_PER_MS;
}

/* ---- accepting ---------------------------------------------------------------------------- */

/* The kernel says who it is; the same user and root may come in. */
static bool is_welcome(int fd)
{
    struct hearth_peer peer;
    struct hearth_error err = {0};
    if (hearth_socket_peer(fd, &peer, &err) < 0) {
        hearth_log(HEARTH_LOG_WARN, "connection.failed", "error", hearth_log_err(&err), NULL);
        return false;
    }
    if (peer.uid == 0 || peer.uid == geteuid()) {
        return true;
    }
    hearth_log(HEARTH_LOG_WARN, "connection.denied", "uid", hearth_log_u(peer.uid), "pid",
               hearth_log_i(peer.pid), NULL);
    return false;
}

static void accept_one(struct hearth_server *server, int fd)
{
    bool is_full = server->connection_count >= server->parts.config->max_connections;
    int refusal = !is_welcome(fd) ? HEARTH_E_DENIED : is_full ? HEARTH_E_TOO_MANY_CONNECTIONS : 0;
    hearth_metrics_count(server->parts.metrics, refusal == 0 ? HEARTH_COUNTER_CONNECTIONS_ACCEPTED
                                                             : HEARTH_COUNTER_CONNECTIONS_REFUSED);
    connection_open(server, fd, refusal);
}

/* The waiting connection keeps the socket ready: without a pause the loop would spin and log. */
static void pause_accepting(struct hearth_server *server)
{
    struct hearth_loop *loop = server->parts.loop;
    hearth_loop_modify(loop, &server->listen_watch, 0);
    hearth_loop_arm(loop, &server->accept_timer,
                    hearth_clock_deadline_ns(hearth_loop_now_ns(loop), ACCEPT_PAUSE_MS));
}

static void on_accept_timer(void *arg, uint64_t now_ns)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    (void)now_ns;
    hearth_loop_modify(server->parts.loop, &server->listen_watch, HEARTH_READY_IN);
}

static void on_listen(void *arg, unsigned events)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    (void)events;
    for (unsigned i = 0; i < ACCEPTS_PER_WAKE; i++) {
        struct hearth_error err = {0};
        int fd = -1;
        int rc = hearth_socket_accept(server->listener.fd, &fd, &err);
        if (rc == HEARTH_E_NOT_READY) {
            return;
        }
        if (rc < 0) {
            hearth_log(HEARTH_LOG_WARN, "connection.failed", "error", hearth_log_err(&err), NULL);
            pause_accepting(server);
            return;
        }
        accept_one(server, fd);
    }
}

/* ---- what the pool tells ------------------------------------------------------------------ */

static void on_chunk(void *arg, struct hearth_ticket *ticket,
                     const struct hearth_wire_stream_chunk *chunk)
{
    (void)arg;
    request_chunk(request_of_ticket(ticket), chunk);
}

static void on_end(void *arg, struct hearth_ticket *ticket,
                   const struct hearth_wire_inference_response *response, int *fds,
                   uint32_t fd_count)
{
    (void)arg;
    request_end(request_of_ticket(ticket), response, fds, fd_count);
}

static void settle_guests(struct hearth_server *server, uint64_t slots)
{
    for (uint32_t slot = 0; slots != 0; slot++, slots >>= 1) {
        struct hearth_model *guest = hearth_registry_at(server->parts.registry, slot);
        if ((slots & 1) != 0 && guest != NULL) {
            loads_settle(server, guest);
        }
    }
}

/* It has no worker any more. */
static void end_lane(struct hearth_server *server, struct hearth_model *model)
{
    model->is_hidden = false;
    model->is_retiring = false;
    if (model->is_held) {
        return; /* a swap decides where its requests go */
    }
    if (model->state == HEARTH_MODEL_FAILED) {
        lane_fail_queued(server, model->slot, model->failure.code, model->failure.text);
    } else { /* unloaded while it was to start again */
        lane_fail_queued(server, model->slot, HEARTH_E_NOT_READY, "the model was unloaded");
    }
}

/* An encoder is given more than it computes at a time, so that batches overlap. One client's single
 * inputs need no more than the cores and one that is at hand when a core gets free. */
static uint32_t flow_credit(const struct hearth_server *server, const struct hearth_model *model)
{
    bool is_encoder = model->manifest != NULL && model->manifest->engine == HEARTH_ENGINE_ONNX;
    return is_encoder ? (uint32_t)server->parts.config->threads + 1 : 0;
}

static void on_change(void *arg, struct hearth_model *model)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    struct hearth_worker_info info;
    if (loads_join(server, model)) {
        swaps_look(server);
        room_settle(server);
        return;
    }
    hearth_pool_info(server->pool, model->slot, &info);
    bool serves = model->state == HEARTH_MODEL_READY && !model->is_held;
    uint64_t moved = hearth_registry_follow(server->parts.registry, model);
    hearth_sched_set_credit(&server->sched, model->slot, serves ? info.capacity : 0);
    hearth_sched_set_flow_credit(&server->sched, model->slot, flow_credit(server, model));
    if (serves) {
        idle_on_ready(server, model->slot);
    }
    loads_settle(server, model);
    settle_guests(server, moved);
    if (serves) {
        lane_dispatch(server, model->slot);
        lanes_arm_deadline(server);
    } else if (!hearth_model_has_worker(model)) {
        end_lane(server, model);
    }
    swaps_look(server);
    room_settle(server);
    server_check_drained(server);
}

static void end_server(struct hearth_server *server, bool is_failure)
{
    if (!server->is_ended) {
        struct hearth_drain_result result = {.cut = server->cut, .is_failure = is_failure};
        server->is_ended = true;
        hearth_loop_disarm(server->parts.loop, &server->drain_timer);
        server->on_end(server->arg, &result);
    }
}

static void on_spawner_lost(void *arg)
{
    end_server(HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC), true);
}

static const struct hearth_pool_events pool_events = {
    .on_chunk = on_chunk,
    .on_end = on_end,
    .on_change = on_change,
    .on_need = room_on_need,
    .on_spawner_lost = on_spawner_lost,
};

/* ---- drain -------------------------------------------------------------------------------- */

static bool has_workers(struct hearth_server *server)
{
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        const struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
        if (model != NULL && hearth_model_owns_worker(model)) {
            return true;
        }
    }
    return false;
}

static void unload_all(struct hearth_server *server)
{
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
        if (model != NULL && hearth_model_owns_worker(model)) {
            hearth_pool_unload(server->pool, model, UNLOAD_GRACE_MS);
        }
    }
}

static bool has_unread(const struct hearth_server *server)
{
    HEARTH_LIST_EACH(struct connection, link, connection, &server->connections) {
        if (hearth_frame_queue_bytes(&connection->queue) > 0) {
            return true;
        }
    }
    return false;
}

/* Who has been answered shall have the answer; who does not read it is not waited for long. */
static void finish_drain(struct hearth_server *server)
{
    struct hearth_loop *loop = server->parts.loop;
    if (!has_unread(server)) {
        end_server(server, false);
    } else if (!server->is_flushing) {
        server->is_flushing = true;
        hearth_loop_arm(loop, &server->drain_timer,
                        hearth_clock_deadline_ns(hearth_loop_now_ns(loop), CLOSE_GRACE_MS));
    }
}

/* When nothing runs or waits, the workers are told to end; when they have, the answers go out. */
void server_check_drained(struct hearth_server *server)
{
    if (!server->is_draining || server->is_ended || server->sched.running_count > 0 ||
        server->sched.queued_count > 0) {
        return;
    }
    if (has_workers(server)) {
        unload_all(server); /* does nothing for those that were told before */
    }
    if (!has_workers(server)) {
        finish_drain(server);
    }
}

static void on_drain_timer(void *arg, uint64_t now_ns)
{
    struct hearth_server *server = HEARTH_CAST(struct hearth_server, arg, SERVER_MAGIC);
    (void)now_ns;
    if (server->is_flushing) {
        end_server(server, false);
        return;
    }
    server->cut = server->sched.running_count;
    hearth_log(HEARTH_LOG_WARN, "daemon.drain_timeout", "cut", hearth_log_u(server->cut), NULL);
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        struct hearth_model *model = hearth_registry_at(server->parts.registry, slot);
        if (model != NULL && hearth_model_owns_worker(model)) {
            hearth_pool_unload(server->pool, model, 0);
            hearth_pool_kill(server->pool, model, "drain_timeout_ms");
        }
    }
}

void hearth_server_drain(struct hearth_server *server)
{
    HEARTH_CHECK(server, SERVER_MAGIC);
    struct hearth_loop *loop = server->parts.loop;
    if (server->is_draining) {
        return;
    }
    server->is_draining = true;
    hearth_log(HEARTH_LOG_INFO, "daemon.draining", "running",
               hearth_log_u(server->sched.running_count), "queued",
               hearth_log_u(server->sched.queued_count), NULL);
    hearth_loop_arm(
        loop, &server->drain_timer,
        hearth_clock_deadline_ns(hearth_loop_now_ns(loop), server->parts.config->drain_timeout_ms));
    swaps_abort(server, HEARTH_E_SHUTTING_DOWN);
    loads_refuse_all(server, HEARTH_E_SHUTTING_DOWN);
    for (uint32_t slot = 0; slot < HEARTH_MAX_MODELS; slot++) {
        lane_fail_queued(server, slot, HEARTH_E_SHUTTING_DOWN, "the daemon is shutting down");
    }
    server_check_drained(server);
}

/* ---- life --------------------------------------------------------------------------------- */

static struct hearth_call_limits call_limits(const struct hearth_config *config)
{
    return (struct hearth_call_limits){.per_call_bytes = config->per_call_memory,
                                       .total_bytes = config->total_call_memory,
                                       .concurrent = config->concurrent_requests};
}

static const struct hearth_buf_pool_limits request_bytes_limits = {
    .max_kept = REQUESTS_KEPT,
    .first_bytes = REQUEST_BYTES,
    .keep_bytes = REQUEST_KEEP_BYTES,
    .large_bytes = REQUEST_MOST_BYTES,
    .cap = HEARTH_MAX_RING_MESSAGE_BYTES};

static void prepare(struct hearth_server *server, const struct hearth_server_parts *parts)
{
    const struct hearth_config *config = parts->config;
    server->magic = SERVER_MAGIC;
    server->parts = *parts;
    server->listener = parts->listener.fd > 0 ? parts->listener
                                              : (struct hearth_listener){.fd = -1, .lock_fd = -1};
    server->started_ns = hearth_clock_ns();
    hearth_random_bytes(server->domain_key, sizeof server->domain_key);
    hearth_list_init(&server->connections);
    hearth_slab_init(&server->request_slab, sizeof(struct request), REQUESTS_KEPT);
    hearth_buf_pool_init(&server->request_bytes, &request_bytes_limits);
    for (size_t i = 0; i < TICKET_BUCKETS; i++) {
        hearth_list_init(&server->tickets[i]);
    }
    hearth_json_room_init(&server->json_in, JSON_ROOM_BYTES);
    hearth_json_room_init(&server->json_out, JSON_ROOM_BYTES);
    hearth_sched_init(&server->sched, &(struct hearth_sched_limits){0});
    hearth_leases_init(&server->leases, (uint32_t)config->threads);
    hearth_list_init(&server->users);
    hearth_list_init(&server->noticed);
    flows_reload(server);
    hearth_deferred_init(&server->scan_more, models_on_scan, server);
    hearth_deferred_init(&server->dispatch_more, lanes_on_dispatch, server);
    hearth_deferred_init(&server->doom_more, lanes_on_doom, server);
    hearth_deferred_init(&server->move_more, requests_on_move, server);
    hearth_timer_init(&server->deadline_timer, lanes_on_deadline, server);
    hearth_timer_init(&server->lease_timer, lanes_on_lease, server);
    hearth_timer_init(&server->notice_timer, notices_on_timer, server);
    hearth_timer_init(&server->drain_timer, on_drain_timer, server);
    hearth_timer_init(&server->idle_timer, idle_on_timer, server);
    server->calls.limits = call_limits(config);
    hearth_timer_init(&server->accept_timer, on_accept_timer, server);
}

/* The one who is denied here is the operator himself: the text says what he can do. */
static int open_listener(struct hearth_server *server, struct hearth_error *err)
{
    if (server->listener.fd > 0) {
        return 0; /* it was handed over */
    }
    int rc = hearth_listener_open(server->parts.config->socket, &server->listener, err);
    return rc != HEARTH_E_DENIED
               ? rc
               : hearth_because(err, rc, "no socket there; choose another with --socket");
}

int hearth_server_create(const struct hearth_server_parts *parts,
                         void (*on_ended)(void *arg, const struct hearth_drain_result *result),
                         void *arg, struct hearth_server **ret, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_server) struct hearth_server *server = hearth_alloc(1, sizeof *server);
    int spawner_fd = parts->spawner_fd;
    if (server == NULL) {
        int pressure_fd = parts->pressure_fd > 0 ? parts->pressure_fd : -1;
        hearth_fd_close(&spawner_fd);
        hearth_fd_close(&pressure_fd);
        return hearth_fail_oom(err);
    }
    prepare(server, parts);
    token_preload();
    hearth_loop_set_lag_hook(parts->loop, measure_callback, server);
    server->on_end = on_ended;
    server->arg = arg;
    int rc =
        hearth_pool_create(parts->loop, parts->config, parts->registry, parts->budget,
                           parts->metrics, spawner_fd, &pool_events, server, &server->pool, err);
    rc = rc < 0 ? rc : open_listener(server, err);
    rc = rc < 0 ? rc
                : hearth_loop_watch(parts->loop, &server->listen_watch, server->listener.fd,
                                    HEARTH_READY_IN, on_listen, server, err);
    rc = rc < 0 ? rc : pressure_begin(server, err);
    if (rc < 0) {
        return rc;
    }
    *ret = HEARTH_TAKE(server);
    return 0;
}

void hearth_server_reload(struct hearth_server *server)
{
    HEARTH_CHECK(server, SERVER_MAGIC);
    flows_reload(server);
    server->calls.limits = call_limits(server->parts.config);
    idle_reload(server);
    HEARTH_LIST_EACH(struct connection, link, connection, &server->connections) {
        timeouts_look(connection); /* a limit may be nearer now */
    }
}

void hearth_server_destroy(struct hearth_server *server)
{
    if (server == NULL) {
        return;
    }
    HEARTH_CHECK(server, SERVER_MAGIC);
    struct hearth_loop *loop = server->parts.loop;
    server->is_ended = true;
    hearth_loop_set_lag_hook(loop, NULL, NULL);
    hearth_loop_undefer(loop, &server->dispatch_more);
    hearth_loop_undefer(loop, &server->doom_more);
    hearth_loop_undefer(loop, &server->move_more);
    hearth_golden_destroy(server->swap.golden);
    server->swap = (struct swap){0};
    hearth_loop_undefer(loop, &server->scan_more);
    hearth_loop_unwatch(loop, &server->listen_watch);
    hearth_listener_close(&server->listener);
    HEARTH_LIST_EACH(struct connection, link, connection, &server->connections) {
        connection_destroy(connection);
    }
    for (uint32_t slot = 0; slot < HEARTH_SCHED_LANES; slot++) {
        struct hearth_job *job;
        while ((job = hearth_sched_first_running(&server->sched, slot)) != NULL) {
            request_fail(request_of_job(job), HEARTH_E_SHUTTING_DOWN, "the daemon has ended");
        }
    }
    hearth_pool_destroy(server->pool);
    hearth_slab_finish(&server->request_slab);
    hearth_buf_pool_finish(&server->request_bytes);
    flows_forget_own(server);
    hearth_json_room_finish(&server->json_in);
    hearth_json_room_finish(&server->json_out);
    hearth_loop_disarm(loop, &server->deadline_timer);
    hearth_loop_disarm(loop, &server->lease_timer);
    hearth_loop_disarm(loop, &server->notice_timer);
    hearth_loop_disarm(loop, &server->idle_timer);
    pressure_end(server);
    hearth_loop_disarm(loop, &server->drain_timer);
    hearth_loop_disarm(loop, &server->accept_timer);
    server->magic = 0;
    hearth_free(server);
}
