/* memory.c — what a request costs in memory management: a buffer from the pool and back, admission
 * by numbers, a counter of metrics. Beside each the least that would do: malloc and free with the
 * same wipe; the same additions without a limit; one addition. */

#include "hearth_bench.h"

#include "hearth_budget.h"
#include "hearth_metrics.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES 4096u

struct memory_bench {
    struct hearth_buf_pool pool;
    size_t used_bytes; /* of each buffer, and so wiped */
    struct hearth_calls calls;
    struct hearth_metrics *metrics;
    uint64_t volatile plain[2];
    uint64_t wrong;
};

/* ---- buffers ------------------------------------------------------------------------------ */

static void pool_turn(void *arg, uint64_t times)
{
    struct memory_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        struct hearth_buf buf = {0};
        bench->wrong += hearth_buf_pool_acquire(&bench->pool, BUFFER_BYTES, &buf) != 0;
        buf.size = bench->used_bytes;
        hearth_buf_pool_release(&bench->pool, &buf);
    }
}

static void malloc_turn(void *arg, uint64_t times)
{
    struct memory_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        char *volatile block = malloc(BUFFER_BYTES);
        bench->wrong += block == NULL;
        hearth_wipe(block, block != NULL ? bench->used_bytes : 0);
        free(block);
    }
}

/* ---- numbers ------------------------------------------------------------------------------ */

static void admit_turn(void *arg, uint64_t times)
{
    struct memory_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        uint64_t bytes = 100 + (i & 1023);
        bench->wrong += hearth_calls_admit(&bench->calls, bytes, NULL) != 0;
        hearth_calls_end(&bench->calls, bytes);
    }
}

static void add_turn(void *arg, uint64_t times)
{
    struct memory_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        uint64_t bytes = 100 + (i & 1023);
        bench->plain[0] += bytes;
        bench->plain[1] += 1;
        bench->plain[0] -= bytes;
        bench->plain[1] -= 1;
    }
}

static void metric_turn(void *arg, uint64_t times)
{
    struct memory_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        hearth_metrics_count(bench->metrics, HEARTH_COUNTER_REQUESTS_TOTAL);
        __asm__ volatile("" ::: "memory"); /* each is stored, as in the daemon */
    }
}

static void count_turn(void *arg, uint64_t times)
{
    struct memory_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        bench->plain[0]++;
    }
}

/* ---- cases -------------------------------------------------------------------------------- */

static int check(void *state, struct hearth_error *err)
{
    const struct memory_bench *bench = state;
    bool is_right = bench->wrong == 0 && bench->calls.open == 0 && bench->calls.held_bytes == 0;
    return is_right ? 0 : hearth_fail(err, HEARTH_E_INTERNAL, "a turn was not what it should be");
}

static void close_bench(void *state)
{
    struct memory_bench *bench = state;
    hearth_buf_pool_finish(&bench->pool);
    hearth_free(bench->metrics);
    hearth_free(bench);
}

static int open_with(struct hearth_harness_side ours, struct hearth_harness_side theirs,
                     size_t used_bytes, struct hearth_harness_setup *ret, struct hearth_error *err)
{
    static const struct hearth_buf_pool_limits limits = {.max_kept = 64,
                                                         .first_bytes = BUFFER_BYTES,
                                                         .keep_bytes = BUFFER_BYTES,
                                                         .cap = BUFFER_BYTES};
    struct memory_bench *bench = hearth_alloc(1, sizeof *bench);
    struct hearth_metrics *metrics = hearth_alloc(1, sizeof *metrics);
    if (bench == NULL || metrics == NULL) {
        hearth_free(bench);
        hearth_free(metrics);
        return hearth_fail_oom(err);
    }
    bench->metrics = metrics;
    bench->used_bytes = used_bytes;
    bench->calls.limits = (struct hearth_call_limits){1u << 30, UINT64_C(2) << 30, 1024};
    hearth_buf_pool_init(&bench->pool, &limits);
    ours.arg = bench;
    theirs.arg = bench;
    *ret = (struct hearth_harness_setup){.sides = {ours, theirs},
                                         .side_count = 2,
                                         .check = check,
                                         .close = close_bench,
                                         .state = bench};
    return 0;
}

static const struct hearth_harness_side pool_side = {.name = "pool", .loop = pool_turn};
static const struct hearth_harness_side malloc_side = {.name = "malloc", .loop = malloc_turn};

static int open_pool(const struct hearth_harness_places *places HEARTH_UNUSED,
                     struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_with(pool_side, malloc_side, 0, ret, err);
}

static int open_pool_wiped(const struct hearth_harness_places *places HEARTH_UNUSED,
                           struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_with(pool_side, malloc_side, BUFFER_BYTES, ret, err);
}

static int open_admit(const struct hearth_harness_places *places HEARTH_UNUSED,
                      struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct hearth_harness_side ours = {.name = "admit and end", .loop = admit_turn};
    struct hearth_harness_side theirs = {.name = "additions", .loop = add_turn};
    return open_with(ours, theirs, 0, ret, err);
}

static int open_metric(const struct hearth_harness_places *places HEARTH_UNUSED,
                       struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct hearth_harness_side ours = {.name = "counter", .loop = metric_turn};
    struct hearth_harness_side theirs = {.name = "addition", .loop = count_turn};
    return open_with(ours, theirs, 0, ret, err);
}

const struct hearth_harness_case bench_memory[] = {
    {.id = "memory/pool/unused",
     .help = "a buffer of 4 KiB from the pool and back, with nothing to wipe; beside malloc",
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 30, false}},
     .open = open_pool},
    {.id = "memory/pool/wiped",
     .help = "the same with all of its 4 KiB used, and so wiped; beside malloc with the same wipe",
     .open = open_pool_wiped},
    {.id = "memory/admission",
     .help = "admission of one call against three limits, and its end; beside bare additions",
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 10, false}},
     .open = open_admit},
    {.id = "memory/metric",
     .help = "one update of a counter; beside one addition",
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 10, false}},
     .open = open_metric},
    {0},
};
