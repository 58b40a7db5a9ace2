/* harness_priv.h — what the files of the harness call in each other. */

#ifndef HEARTH_HARNESS_PRIV_H
#define HEARTH_HARNESS_PRIV_H

#include "hearth_harness.h"

#define POOL_CALLS (1u << 20) /* single calls kept for the quantiles of a side */

/* All values of one case. */
struct figure {
    const struct hearth_harness_case *of;
    double *values[2]; /* two blocks a quad and side */
    double *ratios;    /* logarithms, one a quad */
    double *same;      /* logarithms of neighbours of one side, one a quad */
    double *pools[2];
    size_t pooled[2];
};

/* A run, and the figures that come out of it. */
struct blocks {
    struct figure figures[HEARTH_HARNESS_MAX_SHARED];
    size_t count; /* of figures */
    struct hearth_harness_setup *setup;
    const struct hearth_harness_plan *plan;
    struct hearth_stats_random random; /* draws the order of a quad */
    size_t quads;
    double *scratch; /* room for one set of values to be sorted */
    double *calls;   /* of the block being measured */
};

int blocks_create(const struct hearth_harness_case *of, size_t count,
                  struct hearth_harness_setup *setup, const struct hearth_harness_plan *plan,
                  struct blocks *ret);
void blocks_destroy(struct blocks *blocks);

/* Finds how often a loop must turn for a block to be long against the clock. */
int blocks_calibrate(struct blocks *blocks, struct hearth_error *err);

/* Measures a block of each side; nothing is kept. */
int blocks_warm(struct blocks *blocks, struct hearth_error *err);

int blocks_measure_quad(struct blocks *blocks, struct hearth_error *err);

/* Forgets all that was recorded. */
void blocks_forget(struct blocks *blocks);

/* The median of @logs and its interval, as a ratio. */
int blocks_ratio(struct blocks *blocks, const double *logs, double confidence, double *ret_ratio,
                 struct hearth_stats_interval *ret);

/* usage.c: a reading of the machine's counters; the difference of two is a usage. */
struct usage_reading {
    uint64_t wall_ns;
    double load;
    double busy_s; /* all cores, steal not included */
    double steal_s;
    double own_s; /* this process and everything below it */
};
void usage_read(struct usage_reading *ret);
void usage_between(const struct usage_reading *before, const struct usage_reading *after,
                   struct hearth_harness_usage *ret);

#endif
