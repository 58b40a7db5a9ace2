/* life.c — a worker from its start to its end, and the model's states that follow from it.
 *
 * A death while a model loads for the first time fails the load. Later deaths are answered by a
 * restart after a back-off that doubles; a worker that keeps dying without one answer is given up.
 */

#include "pool_priv.h"

#include "hearth_config.h"
#include "hearth_log.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define FIRST_BACKOFF_MS      100u
#define MAX_BACKOFF_MS        10000u
#define STABLE_NS             (60 * HEARTH_NS_PER_SEC) /* this old, and its past is forgotten */
#define MAX_DEATHS_UNANSWERED 5u
#define MAX_CAPACITY          256u /* and so many requests end at most with one worker */

static void arm(struct worker *worker, uint64_t after_ms)
{
    uint64_t now_ns = hearth_loop_now_ns(worker->pool->loop);
    hearth_loop_arm(worker->pool->loop, &worker->timer, hearth_clock_deadline_ns(now_ns, after_ms));
}

static void tell_change(struct worker *worker, struct hearth_model *model)
{
    worker->pool->events->on_change(worker->pool->arg, model);
}

/* ---- start -------------------------------------------------------------------------------- */

void worker_started(struct worker *worker, pid_t pid, int pidfd)
{
    struct hearth_pool *pool = worker->pool;
    struct hearth_error err = {0};
    worker->pid = pid;
    worker->pidfd = pidfd;
    worker->phase = WORKER_INSPECTING;
    hearth_log(HEARTH_LOG_INFO, "worker.started", "model", hearth_log_s(worker->model->id), "pid",
               hearth_log_i(pid), NULL);
    int rc = hearth_loop_watch(pool->loop, &worker->pid_watch, pidfd, HEARTH_READY_IN,
                               worker_on_pid, worker, &err);
    rc = rc < 0 ? rc : worker_watch_link(worker, &err);
    if (rc < 0) {
        hearth_log(HEARTH_LOG_ERROR, "worker.unwatched", "error", hearth_log_err(&err), NULL);
        worker_kill(worker);
        worker_died(worker);
        return;
    }
    if (worker->is_unwanted) {
        worker->phase = WORKER_STOPPING;
        worker_kill(worker);
    }
}

/* Lets go of everything but the model. */
static void clear_process(struct worker *worker)
{
    struct hearth_pool *pool = worker->pool;
    worker_close_link(worker);
    hearth_loop_unwatch(pool->loop, &worker->pid_watch);
    hearth_loop_disarm(pool->loop, &worker->timer);
    hearth_fd_close(&worker->pidfd);
    hearth_budget_release(pool->budget, &worker->hold);
    worker->pid = 0;
    worker->capacity = 0;
    hearth_buf_finish(&worker->ready_bytes);
    worker->ready = (struct hearth_wire_worker_ready){0};
    worker->rules = (struct answer_rules){0};
    worker->said_hello = false;
    worker->awaits_room = false;
    worker->need = (struct hearth_need){0};
    worker->has_exited = false;
    worker->is_unwanted = false;
    worker->ready_at_ns = 0;
    worker->is_watched = false;
}

/* The model has no worker any more and gets none: @why, or unloaded. */
static void give_up(struct worker *worker, const struct hearth_error *why)
{
    struct hearth_model *model = worker->model;
    clear_process(worker);
    worker->phase = WORKER_GONE;
    worker->model = NULL;
    if (model->state == HEARTH_MODEL_DRAINING) {
        hearth_model_move(model, HEARTH_MODEL_ABSENT);
        hearth_log(HEARTH_LOG_INFO, "model.unloaded", "model", hearth_log_s(model->id), NULL);
    } else if (why != NULL) {
        hearth_model_fail(model, why);
        hearth_log(HEARTH_LOG_ERROR, "model.failed", "model", hearth_log_s(model->id), "error",
                   hearth_log_err(why), NULL);
    }
    tell_change(worker, model);
}

void worker_not_started(struct worker *worker, const struct hearth_error *why)
{
    struct hearth_error err = *why;
    hearth_because(&err, err.code, "load \"%.64s\"", worker->model->id);
    give_up(worker, &err);
}

/* ---- the phases of loading ---------------------------------------------------------------- */

void worker_hello(struct worker *worker, const struct hearth_wire_worker_hello *hello)
{
    if (worker->phase != WORKER_INSPECTING || worker->said_hello) {
        worker_break(worker, "hello that is not its turn");
        return;
    }
    worker->said_hello = true;
    if (!hearth_slice_equals_string(hello->build_id, HEARTH_BUILD_ID)) {
        struct hearth_error err;
        hearth_fail(&err, HEARTH_E_VERSION,
                    "load \"%.64s\": the worker program is of build %.*s, hearthd of %s",
                    worker->model->id, HEARTH_SLICE_ARGS(hello->build_id), HEARTH_BUILD_ID);
        worker_fail_load(worker, &err);
        return;
    }
    if (!hearth_slice_to_string(hello->containment, worker->containment,
                                sizeof worker->containment)) {
        worker->containment[0] = '\0';
    }
}

static const char *check_ready(const struct worker *worker,
                               const struct hearth_wire_worker_ready *ready)
{
    const struct hearth_manifest *manifest = worker->model->manifest;
    if (worker->phase != WORKER_LOADING) {
        return "ready that is not its turn";
    }
    if (ready->capacity == 0 || ready->capacity > MAX_CAPACITY) {
        return "capacity out of range";
    }
    if (ready->dimensions > HEARTH_MAX_VECTOR ||
        (manifest->task == HEARTH_TASK_EMBED && ready->dimensions == 0)) {
        return "dimensions out of range";
    }
    if (ready->labels.count != 0 && ready->labels.count != manifest->label_count) {
        return "labels that are not the manifest's";
    }
    return NULL;
}

/* The engine may know better than the manifest that its scores are no probabilities. */
static bool tells_raw_scores(struct hearth_wire_list facts)
{
    struct hearth_wire_option fact;
    while (hearth_wire_next(&facts, HEARTH_RECORD_option, &fact)) {
        if (hearth_slice_equals_string(fact.key, "activation")) {
            return hearth_slice_equals_string(fact.value, "none");
        }
    }
    return false;
}

/* Its words point into a message that is gone when this callback is: they are kept. */
static int keep_ready(struct worker *worker)
{
    struct hearth_message message;
    struct hearth_slice bytes = hearth_buf_slice(&worker->pool->inbound);
    int rc = hearth_buf_append(&worker->ready_bytes, bytes.data, bytes.size);
    rc = rc < 0 ? rc : hearth_wire_decode(hearth_buf_slice(&worker->ready_bytes), &message, NULL);
    if (rc < 0) {
        return rc;
    }
    worker->ready = message.as.worker_ready;
    worker->rules = (struct answer_rules){
        .manifest = worker->model->manifest,
        .dimensions = worker->ready.dimensions,
        .has_raw_scores = tells_raw_scores(worker->ready.facts),
    };
    if (worker->rules.manifest->engine !=
        HEARTH_ENGINE_ECHO) { /* that gives whatever it is given */
        worker->rules.outputs = worker->ready.outputs;
    }
    return 0;
}

void worker_ready(struct worker *worker, const struct hearth_wire_worker_ready *ready)
{
    struct hearth_pool *pool = worker->pool;
    struct hearth_model *model = worker->model;
    const char *wrong = check_ready(worker, ready);
    if (wrong == NULL && keep_ready(worker) < 0) {
        wrong = "no memory here for what it tells of itself";
    }
    if (wrong != NULL) {
        worker_break(worker, wrong);
        return;
    }
    hearth_loop_disarm(pool->loop, &worker->timer);
    worker->phase = WORKER_SERVING;
    worker->capacity = ready->capacity;
    worker->threads = ready->threads;
    worker->ready_at_ns = hearth_loop_now_ns(pool->loop);
    worker->load_ms = (uint32_t)HEARTH_MIN(
        (worker->ready_at_ns - worker->spawned_ns) / HEARTH_NS_PER_MS, UINT32_MAX);
    worker_measure(worker);
    hearth_metrics_observe(pool->metrics, HEARTH_HISTOGRAM_LOAD_TIME, worker->load_ms);
    hearth_model_move(model, HEARTH_MODEL_READY);
    hearth_log(HEARTH_LOG_INFO, "model.ready", "model", hearth_log_s(model->id), "pid",
               hearth_log_i(worker->pid), "capacity", hearth_log_u(worker->capacity), "threads",
               hearth_log_u(worker->threads), "reserved_bytes", hearth_log_u(worker->hold.bytes),
               "containment", hearth_log_s(worker->containment), NULL);
    tell_change(worker, model);
}

void worker_failed(struct worker *worker, const struct hearth_wire_worker_failed *failed)
{
    struct hearth_error err;
    if (worker->phase != WORKER_INSPECTING && worker->phase != WORKER_LOADING) {
        worker_break(worker, "failure that is not its turn");
        return;
    }
    int code = -(int)failed->code;
    code = hearth_error_is_known(code) ? code : HEARTH_E_INTERNAL;
    if (code == HEARTH_E_NO_MEMORY && worker->hold.is_held) {
        worker_no_room(worker, "load", &err);
    } else {
        hearth_fail(&err, code, "load \"%.64s\": %.*s", worker->model->id,
                    HEARTH_SLICE_ARGS(failed->error));
    }
    worker_fail_load(worker, &err);
}

/* ---- end ---------------------------------------------------------------------------------- */

void worker_kill(struct worker *worker)
{
    if (worker->pidfd >= 0) {
        (void)hearth_process_signal(worker->pidfd, SIGKILL, NULL); /* gone already is as good */
    }
}

/* The load is over, but its process may still be there: it is killed and awaited, so that the model
 * is FAILED only when all its memory is back. */
void worker_fail_load(struct worker *worker, const struct hearth_error *why)
{
    if (worker->model->state != HEARTH_MODEL_DRAINING) {
        worker->model->failure = *why;
    }
    worker->phase = WORKER_STOPPING;
    worker_kill(worker);
    hearth_loop_disarm(worker->pool->loop, &worker->timer);
}

void worker_break(struct worker *worker, const char *rule)
{
    hearth_log(HEARTH_LOG_ERROR, "worker.broke_rule", "model", hearth_log_s(worker->model->id),
               "pid", hearth_log_i(worker->pid), "rule", hearth_log_s(rule), NULL);
    worker->broken_rule = rule;
    worker_kill(worker);
    worker_died(worker); /* nothing more is read from it */
}

static void end_tickets(struct worker *worker)
{
    char text[HEARTH_ERROR_TEXT_BYTES];
    snprintf(text, sizeof text, "the worker process of \"%s\" %s", worker->model->id,
             worker->is_hung ? "made no progress and was killed" : "died");
    while (!hearth_list_is_empty(&worker->tickets)) {
        struct hearth_ticket *ticket =
            HEARTH_LIST_FIRST(struct hearth_ticket, link, &worker->tickets);
        struct hearth_wire_inference_response response = {
            .request_id = ticket->id,
            .code = (uint16_t)-HEARTH_E_WORKER_LOST,
            .error = hearth_slice_of_string(text),
            .finish_reason = HEARTH_FINISH_FAILED,
        };
        hearth_list_remove(&ticket->link);
        worker->pool->events->on_end(worker->pool->arg, ticket, &response, NULL, 0);
    }
}

static void restart_later(struct worker *worker)
{
    uint32_t wait_ms = worker->backoff_ms;
    worker->backoff_ms = HEARTH_MIN(worker->backoff_ms * 2, MAX_BACKOFF_MS);
    worker->restarts++;
    worker->phase = WORKER_BACKOFF;
    hearth_log(HEARTH_LOG_WARN, "worker.restarts", "model", hearth_log_s(worker->model->id),
               "after_ms", hearth_log_u(wait_ms), "restarts", hearth_log_u(worker->restarts), NULL);
    arm(worker, wait_ms);
}

/* What follows from the end of a process that nobody asked for. */
static void answer_death(struct worker *worker, bool was_loading)
{
    const char *rule = worker->broken_rule;
    struct hearth_model *model = worker->model;
    struct hearth_error err = {0};
    worker->deaths_without_answer++;
    if (model->state == HEARTH_MODEL_LOADING) {
        hearth_fail(&err, HEARTH_E_WORKER_LOST, "load \"%.64s\": its worker %s%s", model->id,
                    rule != NULL ? "broke a rule and was killed: " : "died while loading",
                    rule != NULL ? rule : "");
        give_up(worker, &err);
    } else if (worker->deaths_without_answer > MAX_DEATHS_UNANSWERED) {
        hearth_fail(&err, HEARTH_E_WORKER_LOST,
                    "\"%.64s\": its worker died %" PRIu32 " times in a row without an answer%s",
                    model->id, worker->deaths_without_answer,
                    was_loading ? ", last in loading" : "");
        give_up(worker, &err);
    } else {
        if (model->state == HEARTH_MODEL_READY) {
            hearth_model_move(model, HEARTH_MODEL_RESTARTING);
        }
        restart_later(worker);
        tell_change(worker, model);
    }
}

static void count_death(const struct worker *worker)
{
    struct hearth_metrics *metrics = worker->pool->metrics;
    enum hearth_death_cause cause = worker->is_hung               ? HEARTH_DEATH_HANG
                                    : worker->broken_rule != NULL ? HEARTH_DEATH_RULE
                                                                  : HEARTH_DEATH_DIED;
    hearth_metrics_count(metrics, HEARTH_COUNTER_WORKER_DEATHS);
    hearth_metrics_add(metrics, HEARTH_COUNTER_WORKER_HANGS, worker->is_hung);
    hearth_metrics_name_model(metrics, worker->slot, worker->model->id);
    ++*hearth_metrics_cell(metrics, HEARTH_FAMILY_DEATHS, worker->slot, cause, 0);
}

void worker_died(struct worker *worker)
{
    struct hearth_pool *pool = worker->pool;
    struct hearth_model *model = worker->model;
    bool was_loading = worker->phase == WORKER_INSPECTING || worker->phase == WORKER_LOADING;
    bool was_asked = worker->phase == WORKER_STOPPING;
    pid_t pid = worker->pid;
    uint64_t now_ns = hearth_loop_now_ns(pool->loop);
    if (worker->ready_at_ns != 0 && now_ns - worker->ready_at_ns >= STABLE_NS) {
        worker->backoff_ms = FIRST_BACKOFF_MS;
        worker->deaths_without_answer = 0;
    }
    clear_process(worker);
    worker->phase = WORKER_STOPPING; /* what waits must not be sent while the tickets are ended */
    end_tickets(worker);
    if (!was_asked) {
        count_death(worker);
        hearth_log(HEARTH_LOG_WARN, "worker.died", "model", hearth_log_s(model->id), "pid",
                   hearth_log_i(pid), NULL);
    }
    if (model->state == HEARTH_MODEL_DRAINING) {
        give_up(worker, NULL);
    } else if (was_asked) {
        struct hearth_error why = model->failure;
        give_up(worker, &why);
    } else {
        answer_death(worker, was_loading);
    }
}

void worker_on_pid(void *arg, unsigned events)
{
    struct worker *worker = HEARTH_CAST(struct worker, arg, WORKER_MAGIC);
    (void)events;
    pid_t pid = worker->pid;
    worker->has_exited = true; /* what it still answers must not make room for new requests */
    bool is_drained = worker_drain_link(worker); /* it may have said why */
    if (is_drained && worker->pid == pid && worker->pidfd >= 0) {
        worker_died(worker);
    } /* if not: the pidfd stays ready, and the rest is taken in the next round */
}

static void load_timed_out(struct worker *worker)
{
    struct hearth_error err;
    hearth_fail(&err, HEARTH_E_EXPIRED,
                "load \"%.64s\": not ready after %" PRIu64 " ms (load_timeout_ms)",
                worker->model->id, worker->pool->config->load_timeout_ms);
    if (worker->phase == WORKER_SPAWNING) {
        worker->model->failure = err;
        worker->is_unwanted = true; /* the spawner's reply ends it */
        return;
    }
    worker_fail_load(worker, &err);
}

void worker_on_timer(void *arg, uint64_t now_ns)
{
    struct worker *worker = HEARTH_CAST(struct worker, arg, WORKER_MAGIC);
    struct hearth_error err = {0};
    (void)now_ns;
    switch (worker->phase) {
    case WORKER_GONE: return;
    case WORKER_SERVING: worker_look_for_steps(worker); return;
    case WORKER_SPAWNING:
    case WORKER_INSPECTING:
    case WORKER_LOADING: load_timed_out(worker); return;
    case WORKER_STOPPING: worker_kill(worker); return;
    case WORKER_BACKOFF:
        if (worker_spawn(worker, &err) < 0) {
            give_up(worker, &err);
            return;
        }
        arm(worker, worker->pool->config->load_timeout_ms);
        return;
    }
    HEARTH_UNREACHABLE();
}

/* ---- from the face ------------------------------------------------------------------------ */

int hearth_pool_load(struct hearth_pool *pool, struct hearth_model *model, struct hearth_error *err)
{
    HEARTH_CHECK(pool, POOL_MAGIC);
    struct worker *worker = &pool->workers[model->slot];
    if (hearth_model_has_worker(model) || worker->phase != WORKER_GONE) {
        return hearth_fail(err, HEARTH_E_BUSY, "\"%.64s\" is %s already", model->id,
                           hearth_model_state_name(model->state));
    }
    if (model->manifest == NULL) {
        return hearth_fail(err, model->failure.code, "%s", model->failure.text);
    }
    worker->model = model;
    worker->restarts = 0;
    worker->deaths_without_answer = 0;
    worker->backoff_ms = FIRST_BACKOFF_MS;
    worker->containment[0] = '\0';
    int rc = worker_spawn(worker, err);
    if (rc < 0) {
        worker->phase = WORKER_GONE;
        worker->model = NULL;
        return rc;
    }
    hearth_model_move(model, HEARTH_MODEL_LOADING);
    arm(worker, pool->config->load_timeout_ms);
    return 0;
}

static void stop_serving(struct worker *worker, uint64_t grace_ms)
{
    struct hearth_message stop = {.type = HEARTH_MSG_worker_stop};
    worker->phase = WORKER_STOPPING;
    arm(worker, grace_ms);
    if (worker_post(worker, &stop) < 0) {
        worker_kill(worker);
    }
}

void hearth_pool_unload(struct hearth_pool *pool, struct hearth_model *model, uint64_t grace_ms)
{
    HEARTH_CHECK(pool, POOL_MAGIC);
    struct worker *worker = &pool->workers[model->slot];
    HEARTH_ASSERT(worker->model == model);
    if (model->state == HEARTH_MODEL_DRAINING) {
        return;
    }
    hearth_model_move(model, HEARTH_MODEL_DRAINING);
    switch (worker->phase) {
    case WORKER_GONE: return;
    case WORKER_SPAWNING: worker->is_unwanted = true; return;
    case WORKER_INSPECTING:
    case WORKER_LOADING:
        worker->phase = WORKER_STOPPING;
        worker_kill(worker);
        return;
    case WORKER_STOPPING: return;
    case WORKER_SERVING: stop_serving(worker, grace_ms); return;
    case WORKER_BACKOFF: give_up(worker, NULL); return;
    }
    HEARTH_UNREACHABLE();
}

void hearth_pool_kill(struct hearth_pool *pool, struct hearth_model *model, const char *why)
{
    HEARTH_CHECK(pool, POOL_MAGIC);
    struct worker *worker = &pool->workers[model->slot];
    hearth_log(HEARTH_LOG_WARN, "worker.killed", "model", hearth_log_s(model->id), "pid",
               hearth_log_i(worker->pid), "why", hearth_log_s(why), NULL);
    worker->is_hung = true;
    worker_kill(worker);
}
