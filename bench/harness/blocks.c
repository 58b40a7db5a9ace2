/* blocks.c — measuring block by block, in quads, and keeping what was measured. */

#include "harness_priv.h"

#include <math.h>
#include <string.h>

#define BLOCK_NS  2000000u /* a loop's block is at least this long: a clock reading is 0.001 % */
#define MAX_TIMES (UINT64_C(1) << 40)

static size_t calls_of(const struct blocks *blocks)
{
    size_t calls = blocks->figures[0].of->calls;
    return calls > 0 ? calls : 1;
}

static size_t pool_room(const struct blocks *blocks)
{
    return HEARTH_MIN((size_t)POOL_CALLS, 2 * blocks->plan->max_quads * calls_of(blocks));
}

static bool create_figure(struct blocks *blocks, struct figure *ret)
{
    size_t quads = blocks->plan->max_quads;
    ret->ratios = hearth_alloc(quads, sizeof(double));
    ret->same = hearth_alloc(quads, sizeof(double));
    bool is_whole = ret->ratios != NULL && ret->same != NULL;
    for (size_t i = 0; i < blocks->setup->side_count; i++) {
        ret->values[i] = hearth_alloc(2 * quads, sizeof(double));
        ret->pools[i] = hearth_alloc(pool_room(blocks), sizeof(double));
        is_whole = is_whole && ret->values[i] != NULL && ret->pools[i] != NULL;
    }
    return is_whole;
}

int blocks_create(const struct hearth_harness_case *of, size_t count,
                  struct hearth_harness_setup *setup, const struct hearth_harness_plan *plan,
                  struct blocks *ret)
{
    *ret = (struct blocks){.count = count, .setup = setup, .plan = plan};
    hearth_stats_seed(&ret->random, plan->seed);
    for (size_t i = 0; i < count; i++) {
        ret->figures[i].of = &of[i];
        HEARTH_ASSERT(of[i].figure == 0 || (of[i].calls <= 1 && setup->sides[0].figure != NULL));
        HEARTH_ASSERT(i == 0 || (of[i].shares_run && of[i].calls == of[0].calls));
    }
    HEARTH_ASSERT(calls_of(ret) <= HEARTH_HARNESS_MAX_CALLS &&
                  plan->max_quads <= HEARTH_HARNESS_MAX_QUADS);
    ret->scratch = hearth_alloc(2 * plan->max_quads, sizeof(double));
    ret->calls = hearth_alloc(calls_of(ret), sizeof(double));
    bool is_whole = ret->scratch != NULL && ret->calls != NULL;
    for (size_t i = 0; i < count; i++) {
        is_whole = create_figure(ret, &ret->figures[i]) && is_whole;
    }
    if (!is_whole) {
        blocks_destroy(ret);
        return HEARTH_E_NO_MEMORY;
    }
    return 0;
}

void blocks_destroy(struct blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++) {
        struct figure *figure = &blocks->figures[i];
        hearth_free(figure->ratios);
        hearth_free(figure->same);
        for (size_t j = 0; j < 2; j++) {
            hearth_free(figure->values[j]);
            hearth_free(figure->pools[j]);
        }
    }
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

static void pool_calls(const struct blocks *blocks, struct figure *figure, size_t which,
                       const double *calls, size_t count)
{
    size_t kept = HEARTH_MIN(count, pool_room(blocks) - figure->pooled[which]);
    memcpy(figure->pools[which] + figure->pooled[which], calls, kept * sizeof(double));
    figure->pooled[which] += kept;
}

/* Leaves the calls of the block in blocks->calls; returns how many, or an error. */
static int measure_block(struct blocks *blocks, size_t which, struct hearth_error *err)
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
    return (int)count;
}

int blocks_warm(struct blocks *blocks, struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < blocks->setup->side_count; i++) {
        rc = measure_block(blocks, i, err);
    }
    return rc < 0 ? rc : 0;
}

/* The block's value for one figure, out of what was measured last. */
static double value_of(struct blocks *blocks, struct figure *figure, size_t which, size_t count)
{
    const struct hearth_harness_side *side = &blocks->setup->sides[which];
    double q = figure->of->block_quantile;
    double *calls = blocks->calls;
    double other = 0.0;
    if (figure->of->figure != 0) {
        other = side->figure(side->arg, figure->of->figure);
        calls = &other;
    }
    pool_calls(blocks, figure, which, calls, count);
    hearth_stats_sort(calls, count);
    return hearth_stats_quantile(calls, count, q > 0.0 ? q : 0.5);
}

/* ---- quads --------------------------------------------------------------------------------- */

static void keep_quad(struct blocks *blocks, struct figure *figure, double found[2][2],
                      const size_t *order)
{
    for (size_t i = 0; i < blocks->setup->side_count; i++) {
        figure->values[i][2 * blocks->quads] = found[i][0];
        figure->values[i][2 * blocks->quads + 1] = found[i][1];
    }
    if (blocks->setup->side_count == 2) {
        const double *inner = found[order[1]];
        figure->same[blocks->quads] = log(inner[0] / inner[1]);
        double a = 0.5 * (log(found[0][0]) + log(found[0][1]));
        double b = 0.5 * (log(found[1][0]) + log(found[1][1]));
        figure->ratios[blocks->quads] = figure->of->kind == HEARTH_HARNESS_RATE ? b - a : a - b;
    }
}

int blocks_measure_quad(struct blocks *blocks, struct hearth_error *err)
{
    static const size_t orders[3][4] = {{0, 1, 1, 0}, {1, 0, 0, 1}, {0, 0}};
    bool is_pair = blocks->setup->side_count == 2;
    /* By lot: turned around in each quad, blocks kept step with the time slices of a busy machine,
     * and a side against itself looked twice as slow. */
    size_t drawn = hearth_stats_next(&blocks->random) % 2;
    const size_t *order = orders[is_pair ? drawn : 2];
    double found[HEARTH_HARNESS_MAX_SHARED][2][2] = {{{0}}};
    size_t have[2] = {0};
    for (size_t i = 0; i < (is_pair ? 4 : 2); i++) {
        size_t which = order[i];
        int count = measure_block(blocks, which, err);
        if (count < 0) {
            return count;
        }
        for (size_t j = 0; j < blocks->count; j++) {
            found[j][which][have[which]] =
                value_of(blocks, &blocks->figures[j], which, (size_t)count);
        }
        have[which]++;
    }
    for (size_t j = 0; j < blocks->count; j++) {
        keep_quad(blocks, &blocks->figures[j], found[j], order);
    }
    blocks->quads++;
    return 0;
}

void blocks_forget(struct blocks *blocks)
{
    blocks->quads = 0;
    for (size_t i = 0; i < blocks->count; i++) {
        memset(blocks->figures[i].pooled, 0, sizeof blocks->figures[i].pooled);
    }
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
