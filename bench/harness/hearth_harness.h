/* hearth_harness.h — runs a benchmark until its figures are sure enough, and says how sure.
 *
 * Words: a *case* compares two *sides*, ours (A) and a reference (B), or measures A alone. A side
 * is measured in *blocks*; the value of a block is a quantile (usually the median) of its calls.
 * Blocks come in *quads*, A B B A or B A A B by lot, so that what drifts slowly meets both sides
 * alike. The ratio of a quad is (A1·A2 / B1·B2)^½; the case's is the median of its quads.
 *
 * Cases whose figures come out of the same blocks may share a run; each has its own result.
 *
 * A result is judged only if the machine was quiet (verdict.c): anything else is INCONCLUSIVE.
 * One thread; everything blocks for as long as the benchmark runs.                               */

#ifndef HEARTH_HARNESS_H
#define HEARTH_HARNESS_H

#include "hearth_base.h"
#include "hearth_stats.h"

#define HEARTH_HARNESS_MAX_CALLS  10000u /* of one block */
#define HEARTH_HARNESS_MAX_QUADS  2000u
#define HEARTH_HARNESS_MIN_QUADS  6u /* where one takes many seconds: no 99 % interval then */
#define HEARTH_HARNESS_MAX_GOALS  2u
#define HEARTH_HARNESS_MAX_SHARED 2u /* cases of one run */
#define HEARTH_HARNESS_TEXT_BYTES 256u

/* ---- a case -------------------------------------------------------------------------------- */

/** Measures one block: @ret takes @calls values, in nanoseconds (or the unit of the case). */
typedef int hearth_harness_measure_fn(void *arg, double *ret, size_t calls,
                                      struct hearth_error *err);

/** Another figure of the block that was measured last: @which of its case. */
typedef double hearth_harness_figure_fn(const void *arg, unsigned which);

/** One side: either @measure, or @loop, of which the harness times many @times and divides. */
struct hearth_harness_side {
    const char *name;
    hearth_harness_measure_fn *measure;
    hearth_harness_figure_fn *figure; /* NULL: there is none but the first, which @measure gives */
    void (*loop)(void *arg, uint64_t times);
    void *arg;
    uint64_t times; /* of a loop: found by calibration */
};

/** What a case has made ready. @check is called once before anything is timed. */
struct hearth_harness_setup {
    struct hearth_harness_side sides[2];
    size_t side_count;
    int (*check)(void *state, struct hearth_error *err); /* is what it computes right? */
    void (*close)(void *state);
    void *state;
};

enum hearth_harness_kind {
    HEARTH_HARNESS_TIME, /* nanoseconds an operation; ratio = A/B of times */
    HEARTH_HARNESS_RATE, /* the same values, as operations a second: ratio = B/A of times */
    HEARTH_HARNESS_VALUE /* a number with the unit of the case */
};

enum hearth_harness_goal_kind {
    HEARTH_GOAL_NONE,
    HEARTH_GOAL_RATIO_AT_MOST,
    HEARTH_GOAL_RATIO_AT_LEAST,
    HEARTH_GOAL_MEDIAN_AT_MOST,     /* of A's blocks, in the unit of the case */
    HEARTH_GOAL_DIFFERENCE_AT_MOST, /* A above B, in the unit of the case */
};

struct hearth_harness_goal {
    enum hearth_harness_goal_kind kind;
    double limit;
    bool is_stretch; /* told, not judged */
};

/** Where the programs and models of a case are. */
struct hearth_harness_places {
    const char *bin;    /* folder of hearthd and the workers */
    const char *models; /* folder of fixtures/models/echo and models/store */
};

struct hearth_harness_case {
    const char *id; /* group/case/size */
    const char *help;
    const char *unit; /* NULL: ns */
    enum hearth_harness_kind kind;
    size_t calls;          /* a block; 0: 1 */
    double block_quantile; /* 0: the median */
    unsigned figure;       /* 0: what is measured; else what the sides' @figure is asked for */
    bool shares_run;       /* with the case before it in the array: same @open, one call a block */
    struct hearth_harness_goal goals[HEARTH_HARNESS_MAX_GOALS];
    /** HEARTH_E_UNSUPPORTED: something is missing here, @err says how to get it, and the case ends
     *  as SKIPPED. Any other error: BROKEN. */
    int (*open)(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                struct hearth_error *err);
};

/* ---- a run --------------------------------------------------------------------------------- */

struct hearth_harness_plan {
    double precision;       /* target: half of the 95 % interval, relative to the estimate */
    uint64_t warm_up_ns;    /* not recorded */
    uint64_t time_limit_ns; /* of the recorded part */
    size_t pilot_quads;     /* measured before it is decided how many are needed */
    size_t max_quads;
    double noise_limit;   /* widest A/A interval, on either side of 1 */
    double steal_limit;   /* share of the machine's time that the hypervisor took */
    double foreign_limit; /* cores that other programs used, as a share of all cores */
    uint64_t seed;
    bool is_aa;         /* A against itself */
    bool is_check_only; /* results are compared and nothing is timed */
    bool keeps_values;  /* of all blocks, in the result */
    uint64_t (*now_ns)(void);
};

/** The usual plan; @is_quick: a look, with wide intervals, in about a second a case. */
void hearth_harness_plan_default(struct hearth_harness_plan *plan, bool is_quick);

enum hearth_harness_verdict {
    HEARTH_VERDICT_MEASURED, /* there is no goal */
    HEARTH_VERDICT_PASS,
    HEARTH_VERDICT_FAIL,
    HEARTH_VERDICT_INCONCLUSIVE,
    HEARTH_VERDICT_SKIPPED,
    HEARTH_VERDICT_BROKEN, /* wrong result, or it could not run */
};
const char *hearth_harness_verdict_name(enum hearth_harness_verdict verdict);

/** What two versions of one thing are to each other. */
enum hearth_harness_change {
    HEARTH_CHANGE_UNCHANGED, /* and a difference of 5 % would have been seen */
    HEARTH_CHANGE_SLOWER,
    HEARTH_CHANGE_FASTER,
    HEARTH_CHANGE_UNKNOWN, /* the interval is too wide to say */
};
const char *hearth_harness_change_name(enum hearth_harness_change change);

struct hearth_harness_side_result {
    const char *name;
    struct hearth_stats_summary blocks;
    size_t calls; /* all, of which the next four are quantiles */
    double p50, p90, p99, most;
    double *values; /* of the blocks, two a quad, as they came; hearth_alloc(), or NULL: not kept */
};

/** What the machine did meanwhile. */
struct hearth_harness_usage {
    double seconds;
    double load_before;
    double load_after;
    double steal;         /* share of all cores' time */
    double own_cores;     /* busy with this benchmark: all its processes */
    double foreign_cores; /* busy with anything else */
    unsigned cores;
};

struct hearth_harness_result {
    const struct hearth_harness_case *of;
    enum hearth_harness_verdict verdict;
    char reason[HEARTH_HARNESS_TEXT_BYTES];
    size_t side_count;
    struct hearth_harness_side_result sides[2];
    size_t quads;
    bool is_precise; /* the target was reached before the time limit */
    double precision;
    /* With two sides: */
    double ratio;
    struct hearth_stats_interval ratio_95;
    struct hearth_stats_interval ratio_99; /* high is 0: there are too few quads for it */
    struct hearth_stats_interval same_95;  /* a side against itself, in this run */
    double difference;                     /* A above B: median of the quads */
    struct hearth_stats_interval difference_95;
    struct hearth_harness_usage usage;
};

/**
 * Opens, checks, measures, closes and judges @count cases (1 … HEARTH_HARNESS_MAX_SHARED) that lie
 * behind each other and share a run; @ret takes a result of each. Never fails: the verdict tells.
 */
void hearth_harness_run(const struct hearth_harness_case *of, size_t count,
                        const struct hearth_harness_places *places,
                        const struct hearth_harness_plan *plan, struct hearth_harness_result *ret);

/**
 * The measuring part alone, on what is open already and for a clock of the plan's: for the
 * self-check. Fills everything but usage and verdict.
 */
HEARTH_NODISCARD int hearth_harness_measure(const struct hearth_harness_case *of, size_t count,
                                            struct hearth_harness_setup *setup,
                                            const struct hearth_harness_plan *plan,
                                            struct hearth_harness_result *ret,
                                            struct hearth_error *err);

/** Judges by the goals of the case and the limits of the plan: sets verdict and reason. */
void hearth_harness_judge(const struct hearth_harness_plan *plan,
                          struct hearth_harness_result *result);

enum hearth_harness_change hearth_harness_change_of(const struct hearth_harness_result *result);

#include "report.h"

#endif
