/* blocks.c — measuring block by block, in quads, and keeping what was measured. */

#include "harness_priv.h"

#include <math.h>
#include <string.h>

#define BLOCK_NS  2000000u /* a loop's block is at least this long: a clock reading is 0.001 % */
#define MAX_TIMES (UINT64_C(1) << 40)

static size_t calls_of(const struct blocks *blocks)
{
    return blocks->of->calls > 0 ? blocks->of->calls : 1;
}

int blocks_create(const struct hearth_harness_case *of, struct hearth_harness_setup *setup,
                  const struct hearth_harness_plan *plan, struct blocks *ret)
{
    size_t quads = plan->max_quads;
    *ret = (struct blocks){.of = of, .setup = setup, .plan = plan};
    hearth_stats_seed(&ret->random, plan->seed);
    HEARTH_ASSERT(calls_of(ret) <= HEARTH_HARNESS_MAX_CALLS && quads <= HEARTH_HARNESS_MAX_QUADS);
    ret->ratios = hearth_alloc(quads, sizeof(double));
    ret->same = hearth_alloc(quads, sizeof(double));
    ret->scratch = hearth_alloc(2 * quads, sizeof(double));
    ret->calls = hearth_alloc(calls_of(ret), sizeof(double));
    bool is_whole =
        ret->ratios != NULL && ret->same != NULL && ret->scratch != NULL && ret->calls != NULL;
    size_t pool = HEARTH_MIN((size_t)POOL_CALLS, 2 * quads * calls_of(ret));
    for (size_t i = 0; i < setup->side_count; i++) {
        ret->values[i] = hearth_alloc(2 * quads, sizeof(double));
        ret->pools[i] = hearth_alloc(pool, sizeof(double));
        is_whole = is_whole && ret->values[i] != NULL && ret->pools[i] != NULL;
    }
    if (!is_whole) {
        blocks_destroy(ret);
        return HEARTH_E_NO_MEMORY;
    }
    return 0;
}

void blocks_destroy(struct blocks *blocks)
{
    for (size_t i = 0; i < 2; i++) {
        hearth_free(blocks->values[i]);
        hearth_free(blocks->pools[i]);
    }
    hearth_free(blocks->ratios);
    hearth_free(blocks->same);
    hearth_free(blocks->scratch);
    hearth_free(blocks->calls);
    *blocks = (struct blocks){0};
}

/* ---- one block ----------------------------------------------------------------------------- */

static double time_loop(const struct blocks *blocks, const struct hearth_harness_side *side)
{
    uint64_t begin_ns = blocks->plan->now_ns();
    side->loop(side->arg, side->times);
    return (double)(blocks->plan->now_ns() - begin_ns);
}

int blocks_calibrate(struct blocks *blocks, struct hearth_error *err)
{
    for (size_t i = 0; i < blocks->setup->side_count; i++) {
        struct hearth_harness_side *side = &blocks->setup->sides[i];
        if (side->loop == NULL) {
            continue;
        }
        side->times = 1;
        while (time_loop(blocks, side) < BLOCK_NS) {
            side->times *= 2;
            if (side->times > MAX_TIMES) {
                return hearth_fail(err, HEARTH_E_INTERNAL, "the loop of \"%s\" does nothing",
                                   side->name);
            }
        }
    }
    return 0;
}

static void pool_calls(struct blocks *blocks, size_t which, size_t count)
{
    size_t total = HEARTH_MIN((size_t)POOL_CALLS, 2 * blocks->plan->max_quads * calls_of(blocks));
    size_t kept = HEARTH_MIN(count, total - blocks->pooled[which]);
    memcpy(blocks->pools[which] + blocks->pooled[which], blocks->calls, kept * sizeof(double));
    blocks->pooled[which] += kept;
}

static int measure_block(struct blocks *blocks, size_t which, bool is_recorded, double *ret,
                         struct hearth_error *err)
{
    const struct hearth_harness_side *side = &blocks->setup->sides[which];
    size_t count = side->loop != NULL ? 1 : calls_of(blocks);
    if (side->loop != NULL) {
        blocks->calls[0] = time_loop(blocks, side) / (double)side->times;
    } else {
        int rc = side->measure(side->arg, blocks->calls, count, err);
        if (rc < 0) {
            return hearth_because(err, rc, "measure \"%s\"", side->name);
        }
    }
    if (is_recorded) {
        pool_calls(blocks, which, count);
    }
    double q = blocks->of->block_quantile;
    hearth_stats_sort(blocks->calls, count);
    *ret = hearth_stats_quantile(blocks->calls, count, q > 0.0 ? q : 0.5);
    return 0;
}

/* ---- quads --------------------------------------------------------------------------------- */

int blocks_measure_quad(struct blocks *blocks, bool is_recorded, struct hearth_error *err)
{
    static const size_t orders[2][4] = {{0, 1, 1, 0}, {1, 0, 0, 1}};
    bool is_pair = blocks->setup->side_count == 2;
    size_t quad = blocks->quads;
    /* By lot: turned around in each quad, blocks kept step with the time slices of a busy machine,
     * and a side against itself looked twice as slow. */
    const size_t *order = orders[hearth_stats_next(&blocks->random) % 2];
    double found[2][2] = {{0}};
    size_t have[2] = {0};
    for (size_t i = 0; i < 4; i++) {
        size_t which = is_pair ? order[i] : 0;
        double value = 0.0;
        if (!is_pair && i >= 2) {
            break;
        }
        int rc = measure_block(blocks, which, is_recorded, &value, err);
        if (rc < 0) {
            return rc;
        }
        found[which][have[which]++] = value;
    }
    if (!is_recorded) {
        return 0;
    }
    for (size_t i = 0; i < blocks->setup->side_count; i++) {
        blocks->values[i][2 * quad] = found[i][0];
        blocks->values[i][2 * quad + 1] = found[i][1];
    }
    if (is_pair) {
        const double *inner = found[order[1]];
        blocks->same[quad] = log(inner[0] / inner[1]);
        double a = 0.5 * (log(found[0][0]) + log(found[0][1]));
        double b = 0.5 * (log(found[1][0]) + log(found[1][1]));
        blocks->ratios[quad] = blocks->of->kind == HEARTH_HARNESS_RATE ? b - a : a - b;
    }
    blocks->quads++;
    return 0;
}

void blocks_forget(struct blocks *blocks)
{
    blocks->quads = 0;
    memset(blocks->pooled, 0, sizeof blocks->pooled);
}

int blocks_ratio(struct blocks *blocks, const double *logs, double confidence, double *ret_ratio,
                 struct hearth_stats_interval *ret)
{
    memcpy(blocks->scratch, logs, blocks->quads * sizeof *logs);
    hearth_stats_sort(blocks->scratch, blocks->quads);
    int rc = hearth_stats_bootstrap(blocks->scratch, blocks->quads, HEARTH_STATS_MEDIAN, confidence,
                                    blocks->plan->seed + blocks->quads, ret);
    if (rc < 0) {
        return rc;
    }
    if (ret_ratio != NULL) {
        *ret_ratio = exp(hearth_stats_quantile(blocks->scratch, blocks->quads, 0.5));
    }
    *ret = (struct hearth_stats_interval){exp(ret->low), exp(ret->high)};
    return 0;
}
