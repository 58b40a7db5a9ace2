/* pool.c — the pool as a whole, and requests on their way to a worker. */

#include "hearth_pool.h"

#include "hearth_config.h"
#include "hearth_log.h"
#include "pool_priv.h"
#include <string.h>

static void prepare_workers(struct hearth_pool *pool)
{
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        struct worker *worker = &pool->workers[i];
        worker->magic = WORKER_MAGIC;
        worker->slot = i;
        worker->pool = pool;
        worker->pidfd = -1;
        hearth_buf_init(&worker->ready_bytes, HEARTH_MAX_RING_MESSAGE_BYTES);
        hearth_buf_init(&worker->identity, MAX_IDENTITY_BYTES);
        hearth_list_init(&worker->tickets);
        hearth_list_init(&worker->awake);
        hearth_timer_init(&worker->timer, worker_on_timer, worker);
    }
}

int hearth_pool_create(struct hearth_loop *loop, const struct hearth_config *config,
                       struct hearth_registry *registry, struct hearth_budget *budget,
                       struct hearth_metrics *metrics, int spawner_fd,
                       const struct hearth_pool_events *events, void *arg, struct hearth_pool **ret,
                       struct hearth_error *err)
{
    HEARTH_AUTO(hearth_pool) struct hearth_pool *pool = hearth_alloc(1, sizeof *pool);
    if (pool == NULL) {
        hearth_fd_close(&spawner_fd);
        return hearth_fail_oom(err);
    }
    pool->magic = POOL_MAGIC;
    pool->loop = loop;
    pool->config = config;
    pool->registry = registry;
    pool->budget = budget;
    pool->metrics = metrics;
    pool->events = events;
    pool->arg = arg;
    pool->spawner_fd = spawner_fd;
    hearth_buf_init(&pool->inbound, HEARTH_MAX_RING_MESSAGE_BYTES);
    hearth_buf_init(&pool->scratch, HEARTH_MAX_FRAME_BYTES);
    hearth_list_init(&pool->awake);
    prepare_workers(pool);
    int rc = hearth_fd_set_nonblocking(spawner_fd, true, err);
    rc = rc < 0 ? rc
                : hearth_loop_watch(loop, &pool->spawner_watch, spawner_fd, HEARTH_READY_IN,
                                    pool_on_spawner, pool, err);
    if (rc < 0) {
        return rc;
    }
    hearth_loop_set_source(loop, pool_look, pool_take, pool);
    *ret = HEARTH_TAKE(pool);
    return 0;
}

void hearth_pool_destroy(struct hearth_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    HEARTH_CHECK(pool, POOL_MAGIC);
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        struct worker *worker = &pool->workers[i];
        worker_kill(worker);
        worker_close_link(worker);
        hearth_loop_unwatch(pool->loop, &worker->pid_watch);
        hearth_loop_disarm(pool->loop, &worker->timer);
        hearth_fd_close(&worker->pidfd);
        hearth_buf_finish(&worker->ready_bytes);
        hearth_buf_finish(&worker->identity);
        hearth_budget_release(pool->budget, &worker->hold);
        worker->magic = 0;
    }
    hearth_loop_set_source(pool->loop, NULL, NULL, NULL);
    hearth_loop_unwatch(pool->loop, &pool->spawner_watch);
    hearth_fd_close(&pool->spawner_fd);
    hearth_buf_wipe(&pool->inbound);
    hearth_buf_finish(&pool->inbound);
    hearth_buf_finish(&pool->scratch);
    pool->magic = 0;
    hearth_free(pool);
}

static struct worker *serving(struct hearth_pool *pool, uint32_t slot)
{
    HEARTH_CHECK(pool, POOL_MAGIC);
    HEARTH_ASSERT(slot < HEARTH_MAX_MODELS);
    struct worker *worker = &pool->workers[slot];
    return worker->phase == WORKER_SERVING && !worker->has_exited ? worker : NULL;
}

int hearth_pool_send(struct hearth_pool *pool, uint32_t slot, struct hearth_ticket *ticket,
                     struct hearth_slice request, const int *fds, uint32_t fd_count,
                     struct hearth_error *err)
{
    struct worker *worker = serving(pool, slot);
    if (worker == NULL) {
        return hearth_fail(err, HEARTH_E_NOT_READY, "no worker serves this model now");
    }
    HEARTH_ASSERT(ticket->id != 0 && ticket->inputs > 0 && ticket->inputs <= HEARTH_MAX_BATCH);
    int rc = worker_post_request(worker, ticket->id, request, fds, fd_count);
    if (rc < 0) {
        return hearth_fail(err, rc, "hand the request to the worker: %s",
                           hearth_error_sentence(rc));
    }
    ticket->slot = slot;
    ticket->seen = 0;
    ticket->ended = 0;
    memset(ticket->calls, 0, sizeof ticket->calls);
    bool was_idle = hearth_list_is_empty(&worker->tickets);
    hearth_list_append(&worker->tickets, &ticket->link);
    if (was_idle) {
        worker_expect_steps(worker);
    }
    return 0;
}

bool hearth_pool_has_room(const struct hearth_pool *pool, uint32_t slot)
{
    HEARTH_CHECK(pool, POOL_MAGIC);
    const struct worker *worker = slot < HEARTH_MAX_MODELS ? &pool->workers[slot] : NULL;
    return worker != NULL && worker->phase == WORKER_SERVING && !worker->has_exited &&
           worker->outbox.size == 0;
}

void hearth_pool_cancel(struct hearth_pool *pool, struct hearth_ticket *ticket)
{
    HEARTH_CHECK(pool, POOL_MAGIC);
    struct worker *worker = &pool->workers[ticket->slot];
    struct hearth_message cancel = {.type = HEARTH_MSG_cancel_request,
                                    .as.cancel_request.request_id = ticket->id};
    if (worker_post(worker, &cancel) < 0) {
        hearth_log(HEARTH_LOG_WARN, "worker.cancel_lost", "pid", hearth_log_i(worker->pid), NULL);
    }
}

void hearth_pool_lease(struct hearth_pool *pool, uint32_t slot, uint32_t threads)
{
    struct worker *worker = serving(pool, slot);
    if (worker == NULL || worker->threads == threads || threads == 0) {
        return;
    }
    struct hearth_message lease = {.type = HEARTH_MSG_worker_lease,
                                   .as.worker_lease.threads = threads};
    if (worker_post(worker, &lease) == 0) {
        worker->threads = threads;
    }
}

void hearth_pool_info(const struct hearth_pool *pool, uint32_t slot, struct hearth_worker_info *ret)
{
    HEARTH_CHECK(pool, POOL_MAGIC);
    HEARTH_ASSERT(slot < HEARTH_MAX_MODELS);
    const struct worker *worker = &pool->workers[slot];
    *ret = (struct hearth_worker_info){
        .pid = worker->pid,
        .restarts = worker->restarts,
        .capacity = worker->capacity,
        .context_tokens = worker->ready.context_tokens,
        .dimensions = worker->ready.dimensions,
        .threads = worker->threads,
        .steps = worker->ring != NULL ? hearth_ring_their_steps(worker->ring) : 0,
        .still_ms = worker_still_ms(worker),
        .progress_limit_ms = worker_progress_limit_ms(worker),
        .need_bytes = worker->hold.bytes,
        .hold = &worker->hold,
        .load_ms = worker->load_ms,
        .token_bytes = worker->token_bytes,
        .containment = worker->containment,
        .ready = &worker->ready,
    };
}
