/* self_check.c — intervals that must cover, a slowdown that must be found, and no news where there
 * is none.
 *
 * Tolerance. If an interval covers with probability 0.95, the share of N runs that it covers has
 * the standard error sqrt(0.95·0.05/N), 0.0069 for 1,000 runs. Three of them on either side are
 * allowed for chance, and 0.005 for the method, as a bootstrap is right only in the limit of many
 * values: 0.924 to 0.976. More runs (--runs) leave less to chance. The seed is fixed, so that the
 * answer is the same everywhere. "Called unchanged" and "found" must hold in 0.95 of the runs.
 *
 * The ratios go through the same code as a real benchmark, stopping rule and all; only the clock
 * stands still, or leaps where quads are to be as few as they may. Their noise: log-normal, 3 %,
 * plus one block in 50 that takes 3 times as long, plus a drift of 20 % over the run, as of a
 * machine that grows warm. */

#include "self_check.h"

#include <math.h>

#define VALUES 60u
#define DRIFT  0.20
#define NOISE  0.03

/* ---- distributions whose mean and median are known ------------------------------------------ */

struct shape {
    const char *name;
    double (*draw)(struct hearth_stats_random *random);
    double mean; /* 0: not checked */
    double median;
};

static double draw_normal(struct hearth_stats_random *random)
{
    return 100.0 + 10.0 * hearth_stats_normal(random);
}

static double draw_log_normal(struct hearth_stats_random *random)
{
    return exp(0.5 * hearth_stats_normal(random));
}

static double draw_exponential(struct hearth_stats_random *random)
{
    return 1.0 + hearth_stats_exponential(random);
}

/* One value in 20 is ten times as far out. */
static double draw_outliers(struct hearth_stats_random *random)
{
    double far = hearth_stats_unit(random) < 0.05 ? 10.0 : 1.0;
    return 1.0 + far * hearth_stats_exponential(random);
}

/* Where half of the values with outliers lie below: 0.95·(1-e^-x) + 0.05·(1-e^(-x/10)) = 0.5. */
static double median_with_outliers(void)
{
    double low = 0.0;
    double high = 10.0;
    for (int i = 0; i < 60; i++) {
        double x = 0.5 * (low + high);
        bool is_below = 0.95 * (1.0 - exp(-x)) + 0.05 * (1.0 - exp(-x / 10.0)) < 0.5;
        low = is_below ? x : low;
        high = is_below ? high : x;
    }
    return 1.0 + low;
}

/* ---- claims --------------------------------------------------------------------------------- */

static bool covers(struct hearth_stats_interval interval, double truth)
{
    return interval.low <= truth && truth <= interval.high;
}

static int check_interval(const struct shape *shape, enum hearth_stats_kind kind, unsigned runs,
                          uint64_t seed, unsigned *ret_held)
{
    double values[VALUES];
    struct hearth_stats_random random;
    hearth_stats_seed(&random, seed);
    double truth = kind == HEARTH_STATS_MEAN ? shape->mean : shape->median;
    *ret_held = 0;
    for (unsigned run = 0; run < runs; run++) {
        struct hearth_stats_interval found;
        for (size_t i = 0; i < VALUES; i++) {
            values[i] = shape->draw(&random);
        }
        hearth_stats_sort(values, VALUES);
        int rc =
            hearth_stats_bootstrap(values, VALUES, kind, 0.95, hearth_stats_next(&random), &found);
        if (rc < 0) {
            return rc;
        }
        *ret_held += covers(found, truth) ? 1 : 0;
    }
    return 0;
}

/* A side that takes as long as it is told to, with noise. */
struct synthetic {
    struct hearth_stats_random *random;
    double true_ns;
    unsigned *blocks; /* of both sides so far: time, for the drift */
};

static int measure_synthetic(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct synthetic *side = arg;
    (void)err;
    double drift = 1.0 + DRIFT * (double)(*side->blocks)++ / 1000.0;
    for (size_t i = 0; i < calls; i++) {
        double slow = hearth_stats_unit(side->random) < 0.02 ? 3.0 : 1.0;
        ret[i] = side->true_ns * drift * slow * exp(NOISE * hearth_stats_normal(side->random));
    }
    return 0;
}

static uint64_t standing_clock(void)
{
    return 0;
}

/* Each look at it is ten seconds later, so that no more than the fewest quads are measured. */
static uint64_t slow_clock(void)
{
    static uint64_t now_ns;
    return now_ns += UINT64_C(10000000000);
}

static int run_synthetic(double ratio, uint64_t (*now_ns)(void), uint64_t seed,
                         struct hearth_harness_result *ret)
{
    static const struct hearth_harness_case of = {.id = "synthetic", .kind = HEARTH_HARNESS_TIME};
    struct hearth_stats_random random;
    unsigned blocks = 0;
    hearth_stats_seed(&random, seed);
    struct synthetic a = {&random, 1000.0 * ratio, &blocks};
    struct synthetic b = {&random, 1000.0, &blocks};
    struct hearth_harness_setup setup = {
        .sides = {{.name = "A", .measure = measure_synthetic, .arg = &a},
                  {.name = "B", .measure = measure_synthetic, .arg = &b}},
        .side_count = 2};
    struct hearth_harness_plan plan;
    hearth_harness_plan_default(&plan, false);
    plan.seed = hearth_stats_next(&random); /* not the stream of the noise */
    plan.now_ns = now_ns;
    plan.warm_up_ns = 0;
    plan.max_quads = 400;
    *ret = (struct hearth_harness_result){0};
    return hearth_harness_measure(&of, 1, &setup, &plan, ret, NULL);
}

/* What many runs with one true ratio came to. */
struct ratio_tally {
    unsigned covered;
    unsigned changes[HEARTH_CHANGE_UNKNOWN + 1];
};

static int tally_ratios(double ratio, uint64_t (*now_ns)(void), unsigned runs, uint64_t seed,
                        struct ratio_tally *ret)
{
    *ret = (struct ratio_tally){0};
    for (unsigned run = 0; run < runs; run++) {
        struct hearth_harness_result result;
        int rc = run_synthetic(ratio, now_ns, seed + run, &result);
        if (rc < 0) {
            return rc;
        }
        ret->covered += covers(result.ratio_95, ratio) ? 1 : 0;
        ret->changes[hearth_harness_change_of(&result)]++;
    }
    return 0;
}

/* ---- the table ------------------------------------------------------------------------------ */

static bool holds(const struct hearth_self_check_row *row)
{
    double share = (double)row->held / row->runs;
    return share >= row->least && share <= row->most;
}

static int report(FILE *out, const struct hearth_self_check_row *row)
{
    if (out != NULL) {
        fprintf(out, "%-58s %5u of %u  %.3f in [%.3f, %.3f]  %s\n", row->claim, row->held,
                row->runs, (double)row->held / row->runs, row->least, row->most,
                holds(row) ? "holds" : "DOES NOT HOLD");
        fflush(out);
    }
    return holds(row) ? 0 : 1;
}

static struct hearth_self_check_row coverage_row(const char *claim, unsigned runs, unsigned held)
{
    double slack = 3.0 * sqrt(0.95 * 0.05 / runs) + 0.005;
    return (struct hearth_self_check_row){claim, runs, held, 0.95 - slack, 0.95 + slack};
}

static int check_shapes(unsigned runs, FILE *out)
{
    const struct shape shapes[] = {
        {"normal", draw_normal, 100.0, 100.0},
        {"log-normal", draw_log_normal, exp(0.125), 1.0},
        {"exponential", draw_exponential, 2.0, 1.0 + log(2.0)},
        {"exponential with outliers", draw_outliers, 0.0, median_with_outliers()},
    };
    int wrong = 0;
    for (size_t i = 0; i < 2 * HEARTH_COUNT(shapes); i++) {
        const struct shape *shape = &shapes[i / 2];
        enum hearth_stats_kind kind = i % 2 == 0 ? HEARTH_STATS_MEDIAN : HEARTH_STATS_MEAN;
        unsigned held = 0;
        char claim[96];
        if (kind == HEARTH_STATS_MEAN && shape->mean <= 0.0) {
            continue; /* no method finds the mean from 60 values if three of them make it */
        }
        int rc = check_interval(shape, kind, runs, 1000 + i, &held);
        if (rc < 0) {
            return rc;
        }
        snprintf(claim, sizeof claim, "95 %% interval covers the %s, %s",
                 kind == HEARTH_STATS_MEAN ? "mean" : "median", shape->name);
        struct hearth_self_check_row row = coverage_row(claim, runs, held);
        wrong += report(out, &row);
    }
    return wrong;
}

int hearth_self_check(unsigned runs, FILE *out)
{
    struct ratio_tally same;
    struct ratio_tally slower;
    struct ratio_tally few;
    int wrong = check_shapes(runs, out);
    int rc = wrong < 0 ? wrong : tally_ratios(1.0, standing_clock, runs, 1000000, &same);
    rc = rc < 0 ? rc : tally_ratios(1.05, standing_clock, runs, 2000000, &slower);
    rc = rc < 0 ? rc : tally_ratios(1.05, slow_clock, runs, 3000000, &few);
    if (rc < 0) {
        return rc;
    }
    struct hearth_self_check_row rows[] = {
        coverage_row("95 % interval of the ratio covers it, A/A", runs, same.covered),
        coverage_row("95 % interval of the ratio covers it, 5 % slower", runs, slower.covered),
        /* The range of 6 values covers their median in 0.969 of all samples. */
        {"95 % interval of the ratio covers it, 6 slow quads", runs, few.covered,
         0.95 - 3.0 * sqrt(0.95 * 0.05 / runs) - 0.005, 1.0},
        {"A/A is called unchanged", runs, same.changes[HEARTH_CHANGE_UNCHANGED], 0.95, 1.0},
        {"5 % slower is found", runs, slower.changes[HEARTH_CHANGE_SLOWER], 0.95, 1.0},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        wrong += report(out, &rows[i]);
    }
    return wrong;
}
