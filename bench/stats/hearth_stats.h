/* hearth_stats.h — what a set of measured values says, and how sure that is. Pure: no clock, no
 * file, no state but the caller's; the same values and seed give the same answer everywhere.
 *
 * Methods, so that a figure can be checked with other software:
 *   quantile    linear between order statistics, (n-1)·q (Hyndman and Fan 1996, type 7)
 *   outliers    fences at 1.5 (mild) and 3 (severe) interquartile ranges (Tukey 1977)
 *   intervals   bootstrap with HEARTH_STATS_RESAMPLES resamples; of a median by percentiles, of a
 *               mean by BCa, which corrects for the skew that measured times have (Efron and
 *               Tibshirani 1993, chapters 13 and 14; the median's jackknife is not consistent,
 *               which rules BCa out for it); both expanded for the narrowness of small samples
 *               (Hesterberg, What Teachers Should Know About the Bootstrap, 2015)
 * Values are assumed to be independent: the harness measures in blocks for that reason.          */

#ifndef HEARTH_STATS_H
#define HEARTH_STATS_H

#include "hearth_base.h"

#define HEARTH_STATS_RESAMPLES 2000u
#define HEARTH_STATS_MIN_COUNT 6u /* fewer values have no interval worth its name */

/* ---- random numbers ------------------------------------------------------------------------ */

/** splitmix64 (Steele, Lea and Flood 2014): small, seeded by any number. Fields are private. */
struct hearth_stats_random {
    uint64_t state;
};

void hearth_stats_seed(struct hearth_stats_random *random, uint64_t seed);
uint64_t hearth_stats_next(struct hearth_stats_random *random);

/** Uniform in 0 < x < 1. */
double hearth_stats_unit(struct hearth_stats_random *random);

/** Standard normal and exponential with mean 1. */
double hearth_stats_normal(struct hearth_stats_random *random);
double hearth_stats_exponential(struct hearth_stats_random *random);

/* ---- one set of values --------------------------------------------------------------------- */

enum hearth_stats_kind { HEARTH_STATS_MEAN, HEARTH_STATS_MEDIAN };

struct hearth_stats_interval {
    double low;
    double high;
};

struct hearth_stats_outliers {
    uint32_t low_severe;
    uint32_t low_mild;
    uint32_t high_mild;
    uint32_t high_severe;
};

struct hearth_stats_summary {
    size_t count;
    double mean;
    double median;
    double deviation; /* sample standard deviation */
    double least;
    double most;
    struct hearth_stats_interval mean_95;
    struct hearth_stats_interval median_95;
    struct hearth_stats_outliers outliers;
};

/** Sorts ascending, in place. No value may be a NaN, here or below. */
void hearth_stats_sort(double *values, size_t count);

/** Returns the quantile @q (0 to 1) of sorted values; @count is at least 1. */
double hearth_stats_quantile(const double *sorted, size_t count, double q);

double hearth_stats_mean(const double *values, size_t count);

/** Counts what lies outside of the fences of sorted values. */
void hearth_stats_classify(const double *sorted, size_t count, struct hearth_stats_outliers *ret);

/**
 * Finds the interval of the mean or median of the population at @confidence (0.95) from sorted
 * values. Cost: count × HEARTH_STATS_RESAMPLES. HEARTH_E_ARGUMENT for fewer values than
 * HEARTH_STATS_MIN_COUNT, and for a median whose @confidence not even the range of the values has:
 * that covers in all but 2^(1 - count) of the samples, so 0.99 needs 8. HEARTH_E_NO_MEMORY.
 */
HEARTH_NODISCARD int hearth_stats_bootstrap(const double *sorted, size_t count,
                                            enum hearth_stats_kind kind, double confidence,
                                            uint64_t seed, struct hearth_stats_interval *ret);

/** All of it; sorts @values. Errors as hearth_stats_bootstrap(). */
HEARTH_NODISCARD int hearth_stats_summarize(double *values, size_t count, uint64_t seed,
                                            struct hearth_stats_summary *ret);

#endif
