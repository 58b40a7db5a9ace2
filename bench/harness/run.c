/* run.c — a case from open to close: warm up, measure until it is sure enough, summarise. */

#include "harness_priv.h"

#include "hearth_os.h"

#include <math.h>
#include <string.h>

#define PILOT_SHARE 4u /* it takes at most this part of the time limit again */
#define PILOT_LEAST 8u

#define LEAST_FOR_99 8u /* quads; see hearth_stats_bootstrap() */

void hearth_harness_plan_default(struct hearth_harness_plan *plan, bool is_quick)
{
    *plan = (struct hearth_harness_plan){
        .precision = is_quick ? 0.05 : 0.01,
        .warm_up_ns = (is_quick ? 100 : 500) * HEARTH_NS_PER_MS,
        .time_limit_ns = (is_quick ? 1000 : 20000) * HEARTH_NS_PER_MS,
        .pilot_quads = is_quick ? 8 : 20,
        .max_quads = HEARTH_HARNESS_MAX_QUADS,
        .noise_limit = 0.05,
        .steal_limit = 0.01,
        .foreign_limit = 0.10,
        .seed = UINT64_C(0x6865617274680a),
        .now_ns = hearth_clock_ns,
    };
}

/* ---- measuring ----------------------------------------------------------------------------- */

static double half_width(double estimate, struct hearth_stats_interval interval)
{
    double half = 0.5 * (interval.high - interval.low);
    return half <= 0.0 ? 0.0 : estimate > 0.0 ? half / estimate : INFINITY;
}

/* How sure one figure is. */
static int precision_of(struct blocks *blocks, const struct figure *figure, double *ret)
{
    double estimate = 0.0;
    struct hearth_stats_interval interval = {0};
    int rc = 0;
    if (blocks->setup->side_count == 2) {
        rc = blocks_ratio(blocks, figure->ratios, 0.95, &estimate, &interval);
    } else {
        size_t count = 2 * blocks->quads;
        memcpy(blocks->scratch, figure->values[0], count * sizeof(double));
        hearth_stats_sort(blocks->scratch, count);
        estimate = hearth_stats_quantile(blocks->scratch, count, 0.5);
        rc = hearth_stats_bootstrap(blocks->scratch, count, HEARTH_STATS_MEDIAN, 0.95,
                                    blocks->plan->seed, &interval);
    }
    *ret = half_width(estimate, interval);
    return rc;
}

/* Of the figure that is least sure. */
static int precision_now(struct blocks *blocks, double *ret)
{
    int rc = 0;
    *ret = 0.0;
    for (size_t i = 0; rc == 0 && i < blocks->count; i++) {
        double precision = 0.0;
        rc = precision_of(blocks, &blocks->figures[i], &precision);
        *ret = HEARTH_MAX(*ret, precision);
    }
    return rc;
}

/* Finds how long a quad takes, as well. */
static int warm_up(struct blocks *blocks, uint64_t *ret_quad_ns, struct hearth_error *err)
{
    const struct hearth_harness_plan *plan = blocks->plan;
    uint64_t now_ns = plan->now_ns();
    uint64_t end_ns = now_ns + plan->warm_up_ns;
    int rc = blocks_calibrate(blocks, err);
    while (rc == 0) {
        uint64_t begin_ns = plan->now_ns();
        rc = blocks_warm(blocks, err);
        now_ns = plan->now_ns();
        *ret_quad_ns = 2 * (now_ns - begin_ns);
        if (now_ns >= end_ns) {
            break;
        }
    }
    return rc;
}

/* Measures @count quads in all, or as many as time allows, but never too few for an interval. */
static int measure_up_to(struct blocks *blocks, size_t count, uint64_t end_ns,
                         struct hearth_error *err)
{
    size_t least = HEARTH_MIN(count, (size_t)PILOT_LEAST);
    int rc = 0;
    while (rc == 0 && blocks->quads < count) {
        rc = blocks_measure_quad(blocks, err);
        if (blocks->quads >= least && blocks->plan->now_ns() >= end_ns) {
            break;
        }
    }
    return rc;
}

/* A pilot says how many quads the target needs; then that many are measured anew, and the pilot is
 * forgotten. Looking at each step and stopping as soon as the interval is narrow enough would stop
 * at lucky moments: its 95 % intervals covered the truth in 91.5 % of the runs of the self-check.
 * With the pilot kept, the same happened to those runs that needed no more than the pilot. */
static int plan_by_pilot(struct blocks *blocks, size_t *ret_count, struct hearth_error *err)
{
    const struct hearth_harness_plan *plan = blocks->plan;
    double spread = 0.0;
    int rc = measure_up_to(blocks, plan->pilot_quads,
                           plan->now_ns() + plan->time_limit_ns / PILOT_SHARE, err);
    rc = rc < 0 ? rc : precision_now(blocks, &spread);
    double times_more = spread / plan->precision;
    double wanted = (double)blocks->quads * times_more * times_more;
    *ret_count = wanted < (double)plan->max_quads ? (size_t)wanted : plan->max_quads;
    *ret_count = HEARTH_MAX(*ret_count, plan->pilot_quads);
    blocks_forget(blocks);
    return rc;
}

/* Where not even the pilot fits into its share of the time, as many quads are measured as fit into
 * all of it. Their number is decided before the first and by its length alone, never by values. */
static size_t plan_by_time(const struct hearth_harness_plan *plan, uint64_t quad_ns)
{
    size_t fitting = (size_t)(plan->time_limit_ns / quad_ns);
    return HEARTH_MIN(HEARTH_MAX(fitting, (size_t)HEARTH_HARNESS_MIN_QUADS), plan->max_quads);
}

static int measure_until_sure(struct blocks *blocks, uint64_t quad_ns, struct hearth_error *err)
{
    const struct hearth_harness_plan *plan = blocks->plan;
    bool is_slow = quad_ns > plan->time_limit_ns / PILOT_SHARE / plan->pilot_quads;
    size_t count = is_slow ? plan_by_time(plan, quad_ns) : 0;
    int rc = is_slow ? 0 : plan_by_pilot(blocks, &count, err);
    return rc < 0 ? rc : measure_up_to(blocks, count, plan->now_ns() + plan->time_limit_ns, err);
}

/* ---- summarising --------------------------------------------------------------------------- */

/* Summarising sorts them in place. */
static int keep_values(const struct blocks *blocks, const double *values,
                       struct hearth_harness_side_result *ret)
{
    if (blocks->plan->keeps_values) {
        ret->values = hearth_alloc(2 * blocks->quads, sizeof *ret->values);
        if (ret->values == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
        memcpy(ret->values, values, 2 * blocks->quads * sizeof *ret->values);
    }
    return 0;
}

static int summarize_side(struct blocks *blocks, const struct figure *figure, size_t which,
                          struct hearth_harness_side_result *ret)
{
    ret->name = blocks->setup->sides[which].name;
    ret->calls = figure->pooled[which];
    double *calls = figure->pools[which];
    hearth_stats_sort(calls, ret->calls);
    ret->p50 = hearth_stats_quantile(calls, ret->calls, 0.50);
    ret->p90 = hearth_stats_quantile(calls, ret->calls, 0.90);
    ret->p99 = hearth_stats_quantile(calls, ret->calls, 0.99);
    ret->most = calls[ret->calls - 1];
    if (keep_values(blocks, figure->values[which], ret) < 0) {
        return HEARTH_E_NO_MEMORY;
    }
    return hearth_stats_summarize(figure->values[which], 2 * blocks->quads, blocks->plan->seed,
                                  &ret->blocks);
}

/* How far A lies above B in each quad. */
static int summarize_difference(struct blocks *blocks, const struct figure *figure,
                                struct hearth_harness_result *ret)
{
    const double *a = figure->values[0];
    const double *b = figure->values[1];
    for (size_t i = 0; i < blocks->quads; i++) {
        blocks->scratch[i] = 0.5 * (a[2 * i] + a[2 * i + 1] - b[2 * i] - b[2 * i + 1]);
    }
    hearth_stats_sort(blocks->scratch, blocks->quads);
    ret->difference = hearth_stats_quantile(blocks->scratch, blocks->quads, 0.5);
    return hearth_stats_bootstrap(blocks->scratch, blocks->quads, HEARTH_STATS_MEDIAN, 0.95,
                                  blocks->plan->seed, &ret->difference_95);
}

static int summarize(struct blocks *blocks, const struct figure *figure,
                     struct hearth_harness_result *ret)
{
    ret->of = figure->of;
    ret->quads = blocks->quads;
    ret->side_count = blocks->setup->side_count;
    int rc = precision_of(blocks, figure, &ret->precision);
    ret->is_precise = rc == 0 && ret->precision <= blocks->plan->precision;
    if (rc == 0 && ret->side_count == 2) {
        rc = blocks_ratio(blocks, figure->ratios, 0.95, &ret->ratio, &ret->ratio_95);
        if (rc == 0 && blocks->quads >= LEAST_FOR_99) {
            rc = blocks_ratio(blocks, figure->ratios, 0.99, NULL, &ret->ratio_99);
        }
        rc = rc < 0 ? rc : blocks_ratio(blocks, figure->same, 0.95, NULL, &ret->same_95);
        rc = rc < 0 ? rc : summarize_difference(blocks, figure, ret); /* before they are sorted */
    }
    for (size_t i = 0; rc == 0 && i < ret->side_count; i++) {
        rc = summarize_side(blocks, figure, i, &ret->sides[i]);
    }
    return rc;
}

int hearth_harness_measure(const struct hearth_harness_case *of, size_t count,
                           struct hearth_harness_setup *setup,
                           const struct hearth_harness_plan *plan,
                           struct hearth_harness_result *ret, struct hearth_error *err)
{
    struct blocks blocks;
    uint64_t quad_ns = 0;
    HEARTH_ASSERT(count > 0 && count <= HEARTH_HARNESS_MAX_SHARED);
    if (plan->is_aa) {
        setup->sides[1] = setup->sides[0];
        setup->side_count = 2;
    }
    if (blocks_create(of, count, setup, plan, &blocks) < 0) {
        return hearth_fail_oom(err);
    }
    int rc = warm_up(&blocks, &quad_ns, err);
    rc = rc < 0 ? rc : measure_until_sure(&blocks, quad_ns, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = summarize(&blocks, &blocks.figures[i], &ret[i]);
        rc = rc < 0 ? hearth_fail_oom(err) : 0;
    }
    blocks_destroy(&blocks);
    return rc;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static void note_all(const struct hearth_harness_case *of, size_t count,
                     struct hearth_harness_result *ret, enum hearth_harness_verdict verdict,
                     const char *reason)
{
    for (size_t i = 0; i < count; i++) {
        ret[i].of = &of[i];
        ret[i].verdict = verdict;
        hearth_slice_to_string(hearth_slice_of_string(reason), ret[i].reason, sizeof ret[i].reason);
    }
}

/* What is open is checked, measured and closed. */
static int run_open(const struct hearth_harness_case *of, size_t count,
                    struct hearth_harness_setup *setup, const struct hearth_harness_plan *plan,
                    struct hearth_harness_result *ret, struct hearth_error *err)
{
    struct hearth_harness_usage usage = {0};
    struct usage_reading before;
    struct usage_reading after;
    int rc = setup->check(setup->state, err);
    usage_read(&before);
    if (rc == 0 && !plan->is_check_only) {
        rc = hearth_harness_measure(of, count, setup, plan, ret, err);
    }
    usage_read(&after);
    usage_between(&before, &after, &usage);
    setup->close(setup->state);
    for (size_t i = 0; rc == 0 && !plan->is_check_only && i < count; i++) {
        ret[i].usage = usage;
        hearth_harness_judge(plan, &ret[i]);
    }
    return rc;
}

void hearth_harness_run(const struct hearth_harness_case *of, size_t count,
                        const struct hearth_harness_places *places,
                        const struct hearth_harness_plan *plan, struct hearth_harness_result *ret)
{
    struct hearth_error err = {0};
    struct hearth_harness_setup setup = {0};
    memset(ret, 0, count * sizeof *ret);
    int rc = of->open(places, &setup, &err);
    if (rc < 0) {
        note_all(of, count, ret,
                 rc == HEARTH_E_UNSUPPORTED ? HEARTH_VERDICT_SKIPPED : HEARTH_VERDICT_BROKEN,
                 err.text);
        return;
    }
    rc = run_open(of, count, &setup, plan, ret, &err);
    if (rc < 0) {
        note_all(of, count, ret, HEARTH_VERDICT_BROKEN, err.text);
    } else if (plan->is_check_only) {
        note_all(of, count, ret, HEARTH_VERDICT_MEASURED, "right; not timed");
    }
}
