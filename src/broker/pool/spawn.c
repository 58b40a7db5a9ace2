/* spawn.c — talking with the spawner: one message asks for a worker, one says what became of it. */

#include "pool_priv.h"

#include "hearth_config.h"
#include "hearth_log.h"
#include <string.h>

/* Replies are small: numbers and one error text. */
#define REPLY_ROOM_BYTES 1024

/* Options of the manifest, then those of the configuration, which win. */
int pool_gather_options(const struct hearth_pool *pool, const struct hearth_model *model,
                        struct hearth_wire_option options[HEARTH_MAX_MODEL_OPTIONS],
                        uint32_t *ret_count, struct hearth_error *err)
{
    const struct hearth_manifest *manifest = model->manifest;
    const struct hearth_config_model *own = hearth_config_model(pool->config, model->id);
    uint32_t count = 0;
    for (uint32_t i = 0; i < manifest->option_count; i++) {
        options[count++] = (struct hearth_wire_option){
            .key = hearth_slice_of_string(manifest->options[i].key),
            .value = hearth_slice_of_string(manifest->options[i].value)};
    }
    for (uint32_t i = 0; own != NULL && i < own->option_count; i++) {
        struct hearth_wire_option option = {.key = hearth_slice_of_string(own->options[i].key),
                                            .value = hearth_slice_of_string(own->options[i].value)};
        uint32_t at = 0;
        while (at < count && !hearth_slice_equal(options[at].key, option.key)) {
            at++;
        }
        if (at == HEARTH_MAX_MODEL_OPTIONS) {
            return hearth_fail(err, HEARTH_E_CONFIG,
                               "more than %u options of manifest and [model %.64s] together",
                               HEARTH_MAX_MODEL_OPTIONS, model->id);
        }
        options[at] = option;
        count = HEARTH_MAX(count, at + 1);
    }
    *ret_count = count;
    return 0;
}

static int send_request(struct worker *worker, const struct hearth_message *message,
                        struct hearth_error *err)
{
    struct hearth_pool *pool = worker->pool;
    int fds[HEARTH_RING_FD_COUNT];
    hearth_ring_fds(worker->ring, fds);
    hearth_buf_clear(&pool->scratch);
    int rc = hearth_wire_encode(message, &pool->scratch);
    if (rc < 0) {
        return hearth_fail(err, rc, "ask the spawner: %s", hearth_error_sentence(rc));
    }
    rc = hearth_socket_send_fds(pool->spawner_fd, hearth_buf_slice(&pool->scratch), fds,
                                HEARTH_RING_FD_COUNT, err);
    if (rc == HEARTH_E_NOT_READY) {
        rc = hearth_fail(err, HEARTH_E_BUSY, "the spawner is busy");
    }
    return rc;
}

static int request_worker(struct worker *worker, struct hearth_error *err)
{
    const struct hearth_model *model = worker->model;
    const struct hearth_manifest *manifest = model->manifest;
    const struct hearth_config *config = worker->pool->config;
    struct hearth_wire_model_file files[HEARTH_MAX_MODEL_FILES] = {0};
    struct hearth_wire_option options[HEARTH_MAX_MODEL_OPTIONS] = {0};
    struct hearth_wire_name labels[HEARTH_MAX_LABELS];
    uint32_t option_count = 0;
    for (uint32_t i = 0; i < manifest->file_count; i++) {
        files[i] = (struct hearth_wire_model_file){
            .role = (uint8_t)manifest->files[i].role,
            .path = hearth_slice_of_string(manifest->files[i].path),
            .sha256 = hearth_slice_of_string(manifest->files[i].sha256),
            .size_bytes = manifest->files[i].size_bytes};
    }
    for (uint32_t i = 0; i < manifest->label_count; i++) {
        labels[i] = (struct hearth_wire_name){.name = hearth_slice_of_string(manifest->labels[i])};
    }
    int rc = pool_gather_options(worker->pool, model, options, &option_count, err);
    rc = rc < 0 ? rc : pool_identify(worker->pool, model, &worker->identity, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_message message = {
        .type = HEARTH_MSG_spawn_request,
        .as.spawn_request = {
            .slot = worker->slot,
            .root = model->root,
            .folder = hearth_slice_of_string(model->folder),
            .model_id = hearth_slice_of_string(model->id),
            .engine = (uint8_t)manifest->engine,
            .task = (uint8_t)manifest->task,
            .files = {.count = manifest->file_count, .items = files},
            .labels = {.count = manifest->label_count, .items = labels},
            .options = {.count = option_count, .items = options},
            .threads = (uint32_t)config->threads,
            .nice = (uint8_t)config->worker_nice,
            .is_containment_strict = config->is_containment_strict,
        }};
    return send_request(worker, &message, err);
}

int worker_spawn(struct worker *worker, struct hearth_error *err)
{
    int rc = worker_open_link(worker, err);
    rc = rc < 0 ? rc : request_worker(worker, err);
    if (rc < 0) {
        worker_close_link(worker);
        return hearth_because(err, rc, "start the worker of \"%.64s\"", worker->model->id);
    }
    hearth_ring_forget_fds(worker->ring);
    worker->phase = WORKER_SPAWNING;
    worker->broken_rule = NULL;
    worker->is_hung = false;
    worker->spawned_ns = hearth_loop_now_ns(worker->pool->loop);
    hearth_metrics_count(worker->pool->metrics, HEARTH_COUNTER_WORKER_STARTS);
    return 0;
}

static void take_reply(struct hearth_pool *pool, const struct hearth_wire_spawn_reply *reply,
                       int *pidfd)
{
    struct worker *worker = reply->slot < HEARTH_MAX_MODELS ? &pool->workers[reply->slot] : NULL;
    if (worker == NULL || worker->phase != WORKER_SPAWNING) {
        hearth_log(HEARTH_LOG_ERROR, "spawner.unexpected_reply", "slot", hearth_log_u(reply->slot),
                   NULL);
        return;
    }
    if (reply->code == 0 && *pidfd >= 0 && reply->pid != 0) {
        worker_started(worker, (pid_t)reply->pid, HEARTH_TAKE_FD(*pidfd));
        return;
    }
    struct hearth_error why;
    int code = reply->code != 0 && hearth_error_is_known(-(int)reply->code) ? -(int)reply->code
                                                                            : HEARTH_E_INTERNAL;
    hearth_fail(&why, code, "%.*s", HEARTH_SLICE_ARGS(reply->error));
    worker_not_started(worker, &why);
}

/* The end itself is seen by the pidfd; this says how it came. */
static void take_exit(const struct hearth_pool *pool, const struct hearth_wire_spawn_exit *gone)
{
    const struct hearth_model *model = hearth_registry_at(pool->registry, gone->slot);
    bool is_orderly = gone->signal == 0 && gone->exit_code == 0;
    hearth_log(is_orderly ? HEARTH_LOG_INFO : HEARTH_LOG_WARN, "worker.exited", "model",
               hearth_log_s(model != NULL ? model->id : NULL), "pid", hearth_log_u(gone->pid),
               "exit_code", hearth_log_u(gone->exit_code), "signal", hearth_log_u(gone->signal),
               NULL);
}

/* Takes one message; false when there is none. */
static bool take_message(struct hearth_pool *pool, int *ret_rc)
{
    uint8_t room[REPLY_ROOM_BYTES];
    HEARTH_AUTO(hearth_fd) int pidfd = -1;
    size_t size = 0;
    size_t fd_count = 0;
    struct hearth_error err = {0};
    struct hearth_message message;
    int rc = hearth_socket_receive_fds(pool->spawner_fd, room, sizeof room, &size, &pidfd, 1,
                                       &fd_count, &err);
    if (rc < 0) {
        *ret_rc = rc;
        return false;
    }
    rc = hearth_wire_decode(hearth_slice_of(room, size), &message, &err);
    if (rc == 0 && message.type == HEARTH_MSG_spawn_reply) {
        take_reply(pool, &message.as.spawn_reply, &pidfd);
    } else if (rc == 0 && message.type == HEARTH_MSG_spawn_exit) {
        take_exit(pool, &message.as.spawn_exit);
    } else {
        hearth_log(HEARTH_LOG_ERROR, "spawner.malformed", "error", hearth_log_err(&err), NULL);
    }
    return true;
}

void pool_on_spawner(void *arg, unsigned events)
{
    struct hearth_pool *pool = HEARTH_CAST(struct hearth_pool, arg, POOL_MAGIC);
    (void)events;
    int rc = 0;
    while (take_message(pool, &rc)) {
    }
    if (rc == HEARTH_E_NOT_READY) {
        return;
    }
    hearth_loop_unwatch(pool->loop, &pool->spawner_watch);
    hearth_fd_close(&pool->spawner_fd);
    hearth_log(HEARTH_LOG_ERROR, "spawner.lost", NULL);
    pool->events->on_spawner_lost(pool->arg);
}
