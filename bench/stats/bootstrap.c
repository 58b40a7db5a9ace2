/* bootstrap.c — intervals from the data alone: draw as many values as there are, with replacement,
 * many times, and see how the statistic varies.
 *
 * A resample of a median is made of counts over the sorted values, so it needs no sorting. */

#include "hearth_stats.h"

#include <math.h>
#include <string.h>

/* ---- the normal distribution --------------------------------------------------------------- */

static double normal_below(double z)
{
    return 0.5 * erfc(-z * 0.7071067811865476);
}

/* By halving: 60 steps are exact enough, and this is called three times an interval. */
static double normal_quantile(double p)
{
    double low = -9.0;
    double high = 9.0;
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);
        if (normal_below(middle) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 * (low + high);
}

/* ---- the narrowness of small samples ------------------------------------------------------- */

/* Student's t with @count - 1 degrees of freedom, by the expansion of Fisher and Cornish: to the
 * third digit from 8 values on. */
static double t_quantile(double p, size_t count)
{
    double z = normal_quantile(p);
    double v = (double)(count - 1);
    double z3 = z * z * z;
    return z + (z3 + z) / (4.0 * v) + (5.0 * z3 * z * z + 16.0 * z3 + 3.0 * z) / (96.0 * v * v);
}

/* A bootstrap sees the spread of the sample, which is too small by (n-1)/n, and takes it for known:
 * the quantile is moved outwards by as much as Student's interval is wider than the normal one
 * (the expanded percentile interval of Hesterberg 2015). */
static double expanded(double p, size_t count)
{
    double n = (double)count;
    return normal_below(sqrt(n / (n - 1.0)) * t_quantile(p, count));
}

/* ---- resampling ---------------------------------------------------------------------------- */

/* A place in 0 … count-1: the high half of a product, whose bias of count/2^64 is nothing. */
static size_t draw(struct hearth_stats_random *random, size_t count)
{
    return (size_t)(((unsigned __int128)hearth_stats_next(random) * count) >> 64);
}

static double resample_mean(const double *values, size_t count, struct hearth_stats_random *random)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += values[draw(random, count)];
    }
    return sum / (double)count;
}

/* The value that has @rank others before it, in a resample given as counts over sorted values. */
static double value_at(const double *sorted, const uint32_t *counts, size_t rank)
{
    size_t seen = 0;
    size_t i = 0;
    while (seen + counts[i] <= rank) {
        seen += counts[i++];
    }
    return sorted[i];
}

static double resample_median(const double *sorted, size_t count, uint32_t *counts,
                              struct hearth_stats_random *random)
{
    memset(counts, 0, count * sizeof *counts);
    for (size_t i = 0; i < count; i++) {
        counts[draw(random, count)]++;
    }
    double upper = value_at(sorted, counts, count / 2);
    return count % 2 == 1 ? upper : 0.5 * (upper + value_at(sorted, counts, count / 2 - 1));
}

/* ---- BCa ----------------------------------------------------------------------------------- */

/* How the spread changes with the value: a sixth of the skewness of the jackknifed means. */
static double acceleration(const double *values, size_t count)
{
    double mean = hearth_stats_mean(values, count);
    double squares = 0.0;
    double cubes = 0.0;
    for (size_t i = 0; i < count; i++) {
        double d = values[i] - mean; /* the jackknifed mean lies on the other side by d/(n-1) */
        squares += d * d;
        cubes += d * d * d;
    }
    return squares > 0.0 ? cubes / (6.0 * pow(squares, 1.5)) : 0.0;
}

/* Which quantile of the resamples stands for quantile @p, given bias @z0 and acceleration @a. */
static double corrected(double p, double z0, double a)
{
    double z = z0 + normal_quantile(p);
    double q = normal_below(z0 + z / (1.0 - a * z));
    return HEARTH_MIN(HEARTH_MAX(q, 0.0), 1.0);
}

static double bias_of(const double *resamples, double observed)
{
    double below = 0.0;
    for (size_t i = 0; i < HEARTH_STATS_RESAMPLES; i++) {
        below += resamples[i] < observed ? 1.0 : resamples[i] > observed ? 0.0 : 0.5;
    }
    double share = below / HEARTH_STATS_RESAMPLES;
    return normal_quantile(HEARTH_MIN(HEARTH_MAX(share, 0.001), 0.999));
}

/* ---- the interval -------------------------------------------------------------------------- */

/* The range of @count values leaves out the median if all lie on one side of it. */
static bool is_enough(size_t count, enum hearth_stats_kind kind, double confidence)
{
    return count >= HEARTH_STATS_MIN_COUNT &&
           (kind != HEARTH_STATS_MEDIAN || confidence <= 1.0 - pow(0.5, (double)count - 1.0));
}

int hearth_stats_bootstrap(const double *sorted, size_t count, enum hearth_stats_kind kind,
                           double confidence, uint64_t seed, struct hearth_stats_interval *ret)
{
    if (!is_enough(count, kind, confidence)) {
        return HEARTH_E_ARGUMENT;
    }
    double *resamples = hearth_alloc(HEARTH_STATS_RESAMPLES, sizeof *resamples);
    uint32_t *counts = hearth_alloc(count, sizeof *counts);
    if (resamples == NULL || counts == NULL) {
        hearth_free(resamples);
        hearth_free(counts);
        return HEARTH_E_NO_MEMORY;
    }
    struct hearth_stats_random random;
    hearth_stats_seed(&random, seed);
    for (size_t i = 0; i < HEARTH_STATS_RESAMPLES; i++) {
        resamples[i] = kind == HEARTH_STATS_MEAN ? resample_mean(sorted, count, &random)
                                                 : resample_median(sorted, count, counts, &random);
    }
    hearth_stats_sort(resamples, HEARTH_STATS_RESAMPLES);
    double low = expanded(0.5 * (1.0 - confidence), count);
    double high = 1.0 - low;
    if (kind == HEARTH_STATS_MEAN) {
        double z0 = bias_of(resamples, hearth_stats_mean(sorted, count));
        double a = acceleration(sorted, count);
        low = corrected(low, z0, a);
        high = corrected(high, z0, a);
    }
    *ret = (struct hearth_stats_interval){
        .low = hearth_stats_quantile(resamples, HEARTH_STATS_RESAMPLES, low),
        .high = hearth_stats_quantile(resamples, HEARTH_STATS_RESAMPLES, high)};
    hearth_free(resamples);
    hearth_free(counts);
    return 0;
}
