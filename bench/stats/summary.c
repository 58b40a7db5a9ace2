/* summary.c — order, quantiles, fences, and the summary of one set of values. */

#include "hearth_stats.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

void hearth_stats_sort(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
}

double hearth_stats_quantile(const double *sorted, size_t count, double q)
{
    HEARTH_ASSERT(count > 0 && q >= 0.0 && q <= 1.0);
    double place = (double)(count - 1) * q;
    size_t below = (size_t)place;
    size_t above = HEARTH_MIN(below + 1, count - 1);
    return sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
}

double hearth_stats_mean(const double *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum / (double)count;
}

static double deviation_of(const double *values, size_t count, double mean)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += (values[i] - mean) * (values[i] - mean);
    }
    return count > 1 ? sqrt(sum / (double)(count - 1)) : 0.0;
}

void hearth_stats_classify(const double *sorted, size_t count, struct hearth_stats_outliers *ret)
{
    double low = hearth_stats_quantile(sorted, count, 0.25);
    double high = hearth_stats_quantile(sorted, count, 0.75);
    double range = high - low;
    *ret = (struct hearth_stats_outliers){0};
    for (size_t i = 0; i < count; i++) {
        if (sorted[i] < low - 3.0 * range) {
            ret->low_severe++;
        } else if (sorted[i] < low - 1.5 * range) {
            ret->low_mild++;
        } else if (sorted[i] > high + 3.0 * range) {
            ret->high_severe++;
        } else if (sorted[i] > high + 1.5 * range) {
            ret->high_mild++;
        }
    }
}

int hearth_stats_summarize(double *values, size_t count, uint64_t seed,
                           struct hearth_stats_summary *ret)
{
    hearth_stats_sort(values, count);
    struct hearth_stats_summary found = {.count = count};
    int rc = hearth_stats_bootstrap(values, count, HEARTH_STATS_MEAN, 0.95, seed, &found.mean_95);
    if (rc == 0) {
        rc = hearth_stats_bootstrap(values, count, HEARTH_STATS_MEDIAN, 0.95, seed + 1,
                                    &found.median_95);
    }
    if (rc < 0) {
        return rc;
    }
    found.mean = hearth_stats_mean(values, count);
    found.median = hearth_stats_quantile(values, count, 0.5);
    found.deviation = deviation_of(values, count, found.mean);
    found.least = values[0];
    found.most = values[count - 1];
    hearth_stats_classify(values, count, &found.outliers);
    *ret = found;
    return 0;
}
