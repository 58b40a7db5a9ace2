/* run_memory.c — the curve and the claims. */

#include "run_memory.h"

#include <inttypes.h>

void run_memory_init(struct run_memory *memory, uint64_t budget_bytes)
{
    *memory = (struct run_memory){.budget_bytes = budget_bytes};
    pthread_mutex_init(&memory->lock, NULL);
    pthread_cond_init(&memory->has_room, NULL);
    hearth_list_init(&memory->waiting);
}

void run_memory_finish(struct run_memory *memory)
{
    HEARTH_ASSERT(memory->used_bytes == 0 && hearth_list_is_empty(&memory->waiting));
    pthread_cond_destroy(&memory->has_room);
    pthread_mutex_destroy(&memory->lock);
}

void run_memory_learn(struct run_memory *memory, size_t tokens, uint64_t bytes)
{
    size_t count = memory->point_count;
    if (count > 0) {
        if (tokens <= memory->points[count - 1].tokens || count == RUN_MEMORY_POINTS) {
            return;
        }
        bytes = HEARTH_MAX(bytes, memory->points[count - 1].bytes);
    }
    memory->points[count].tokens = tokens;
    memory->points[count].bytes = bytes;
    memory->point_count++;
}

size_t run_memory_longest(const struct run_memory *memory)
{
    return memory->point_count > 0 ? memory->points[memory->point_count - 1].tokens : 0;
}

uint64_t run_memory_need(const struct run_memory *memory, size_t tokens)
{
    size_t count = memory->point_count;
    if (count == 0) {
        return 0;
    }
    size_t i = 0;
    while (i < count && memory->points[i].tokens < tokens) {
        i++;
    }
    if (i == 0) {
        return memory->points[0].bytes;
    }
    double last_tokens = (double)memory->points[i - 1].tokens;
    double last_bytes = (double)memory->points[i - 1].bytes;
    if (i == count) {
        double times = (double)tokens / last_tokens;
        return (uint64_t)(last_bytes * times * times);
    }
    double part = ((double)tokens - last_tokens) / ((double)memory->points[i].tokens - last_tokens);
    return (uint64_t)(last_bytes + part * ((double)memory->points[i].bytes - last_bytes));
}

static bool may_go(const struct run_memory *memory, const struct run_claim *claim)
{
    return memory->waiting.next == &claim->link &&
           claim->bytes <= memory->budget_bytes - memory->used_bytes;
}

int run_memory_claim(struct run_memory *memory, struct run_claim *claim, size_t tokens,
                     const atomic_bool *must_end, struct hearth_error *err)
{
    uint64_t need = run_memory_need(memory, tokens);
    if (need > memory->budget_bytes) {
        claim->bytes = 0;
        return hearth_fail(err, HEARTH_E_TOO_LARGE,
                           "an input of %zu tokens needs %" PRIu64 " bytes to run, this model has "
                           "%" PRIu64 ": send less at once, or raise option compute_mb",
                           tokens, need, memory->budget_bytes);
    }
    claim->bytes = need;
    pthread_mutex_lock(&memory->lock);
    hearth_list_append(&memory->waiting, &claim->link);
    while (!atomic_load(must_end) && !may_go(memory, claim)) {
        pthread_cond_wait(&memory->has_room, &memory->lock);
    }
    hearth_list_remove(&claim->link);
    bool is_ended = atomic_load(must_end);
    claim->bytes = is_ended ? 0 : claim->bytes;
    memory->used_bytes += claim->bytes;
    if (!hearth_list_is_empty(&memory->waiting)) { /* there may be room for the next one too */
        pthread_cond_broadcast(&memory->has_room);
    }
    pthread_mutex_unlock(&memory->lock);
    return is_ended ? HEARTH_E_CANCELLED : 0;
}

void run_memory_release(struct run_memory *memory, struct run_claim *claim)
{
    pthread_mutex_lock(&memory->lock);
    memory->used_bytes -= claim->bytes;
    claim->bytes = 0;
    if (!hearth_list_is_empty(&memory->waiting)) {
        pthread_cond_broadcast(&memory->has_room);
    }
    pthread_mutex_unlock(&memory->lock);
}

void run_memory_wake(struct run_memory *memory)
{
    pthread_mutex_lock(&memory->lock);
    pthread_cond_broadcast(&memory->has_room);
    pthread_mutex_unlock(&memory->lock);
}
