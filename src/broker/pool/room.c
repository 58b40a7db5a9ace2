/* room.c — memory of one worker: what it says it needs, what the budget gives, what it uses.
 *
 * Between the two phases of a load the worker waits, with nothing but its program in memory. Who
 * owns the pool may make it wait longer, while others leave to make room. The limit that the kernel
 * then enforces is what was reserved and some headroom: estimates are no exact science, and the
 * kernel counts stacks and pages that were only promised, where the ledger counts those that are
 * there. What a worker cannot have ends as NO_ROOM, with these numbers.                          */

#include "pool_priv.h"

#include "hearth_config.h"
#include "hearth_log.h"
#include <inttypes.h>
#include <string.h>

#define DEFAULT_HEADROOM_BYTES (UINT64_C(1) << 30)

/* The digest under which pages of a mapped file are the same for all who map it. */
static const char *mapped_file(const struct hearth_manifest *manifest)
{
    const struct hearth_manifest_file *file = hearth_manifest_file(manifest, HEARTH_FILE_WEIGHTS);
    file = file != NULL ? file : hearth_manifest_file(manifest, HEARTH_FILE_MODEL);
    return file != NULL ? file->sha256 : NULL;
}

static void keep_need(struct worker *worker, const struct hearth_wire_worker_need *need)
{
    const char *file = mapped_file(worker->model->manifest);
    worker->token_bytes = (uint32_t)HEARTH_MIN(need->token_bytes, UINT32_MAX);
    worker->need = (struct hearth_need){
        .parts =
            {
                [HEARTH_MEMORY_WEIGHTS] = need->weights_bytes,
                [HEARTH_MEMORY_CELLS] = need->cache_bytes,
                [HEARTH_MEMORY_COMPUTE] = need->compute_bytes,
                [HEARTH_MEMORY_TOKENIZER] = need->tokenizer_bytes,
                [HEARTH_MEMORY_BUFFERS] = 2 * (uint64_t)HEARTH_RING_DATA_BYTES,
                [HEARTH_MEMORY_CACHES] = need->prefix_bytes,
            },
        .file = need->mapped_bytes > 0 ? file : NULL,
        .file_bytes =
            file != NULL ? HEARTH_MIN(need->mapped_bytes, need->weights_bytes) : UINT64_C(0),
    };
}

static uint64_t headroom_bytes(const struct worker *worker)
{
    uint64_t told = worker->pool->config->worker_headroom_bytes;
    return told != 0 ? told : DEFAULT_HEADROOM_BYTES;
}

/* Not a wall: where it cannot be set, the ledger still sees what is used. */
static void limit_memory(struct worker *worker)
{
    struct hearth_error err = {0};
    worker->limit_bytes = worker->hold.bytes + headroom_bytes(worker);
    if (hearth_process_limit_memory(worker->pid, worker->limit_bytes, &err) < 0) {
        hearth_log(HEARTH_LOG_WARN, "worker.unlimited", "model", hearth_log_s(worker->model->id),
                   "error", hearth_log_err(&err), NULL);
    }
}

int worker_no_room(const struct worker *worker, const char *what, struct hearth_error *err)
{
    return hearth_fail(err, HEARTH_E_NO_ROOM,
                       "%s \"%.64s\": its worker may have %" PRIu64 " bytes, %" PRIu64
                       " of them reserved, and that was not enough",
                       what, worker->model->id, worker->limit_bytes, worker->hold.bytes);
}

static void take_room(struct worker *worker, const char *advice)
{
    struct hearth_pool *pool = worker->pool;
    struct hearth_error err = {0};
    worker->awaits_room = false;
    int rc =
        hearth_budget_reserve(pool->budget, &worker->hold, worker->model->id, &worker->need, &err);
    if (rc < 0) {
        struct hearth_error refused = err;
        hearth_fail(&err, rc, "load \"%.64s\": %s%s%s", worker->model->id, refused.text,
                    advice[0] != '\0' ? "; " : "", advice);
        worker_fail_load(worker, &err);
        return;
    }
    limit_memory(worker);
    struct hearth_message proceed = {.type = HEARTH_MSG_worker_proceed};
    worker->phase = WORKER_LOADING;
    rc = worker_post(worker, &proceed);
    if (rc < 0) {
        hearth_fail(&err, rc, "load \"%.64s\": %s", worker->model->id, hearth_error_sentence(rc));
        worker_fail_load(worker, &err);
    }
}

static void look_for_room(struct worker *worker)
{
    struct hearth_pool *pool = worker->pool;
    char advice[HEARTH_ADVICE_BYTES] = "";
    worker->awaits_room = true;
    if (pool->events->on_need(pool->arg, worker->model, &worker->need, advice) ==
        HEARTH_ROOM_TAKE) {
        take_room(worker, advice);
    }
}

void worker_need(struct worker *worker, const struct hearth_wire_worker_need *need)
{
    if (worker->phase != WORKER_INSPECTING || !worker->said_hello || worker->awaits_room) {
        worker_break(worker, "need that is not its turn");
        return;
    }
    keep_need(worker, need);
    look_for_room(worker);
}

void hearth_pool_look_for_room(struct hearth_pool *pool, struct hearth_model *model)
{
    struct worker *worker = &pool->workers[model->slot];
    if (worker->model == model && worker->phase == WORKER_INSPECTING && worker->awaits_room) {
        look_for_room(worker);
    }
}

void hearth_pool_shed(struct hearth_pool *pool, uint32_t slot)
{
    HEARTH_ASSERT(slot < HEARTH_MAX_MODELS);
    struct worker *worker = &pool->workers[slot];
    struct hearth_message shed = {.type = HEARTH_MSG_worker_shed};
    if (worker->phase == WORKER_SERVING && !worker->has_exited && worker_post(worker, &shed) < 0) {
        hearth_log(HEARTH_LOG_WARN, "worker.shed_lost", "pid", hearth_log_i(worker->pid), NULL);
    }
}

/* Pages of the mapped file count as far as they are there; those of programs and libraries do not:
 * the kernel drops them when memory is short. */
void worker_measure(struct worker *worker)
{
    struct hearth_proc_usage usage = {0};
    if (worker->hold.is_held && hearth_proc_usage(worker->pid, &usage, NULL) == 0) {
        uint64_t of_file = HEARTH_MIN(usage.rss_file_bytes, worker->hold.need.file_bytes);
        hearth_budget_commit(worker->pool->budget, &worker->hold,
                             usage.rss_anon_bytes + usage.rss_shmem_bytes + of_file);
    }
}

void hearth_pool_measure(struct hearth_pool *pool, uint32_t slot)
{
    HEARTH_ASSERT(slot < HEARTH_MAX_MODELS);
    if (pool->workers[slot].phase == WORKER_SERVING) {
        worker_measure(&pool->workers[slot]);
    }
}
