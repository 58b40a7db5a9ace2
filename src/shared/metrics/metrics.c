/* metrics.c — the tables of names, and how a histogram counts. */

#include "hearth_metrics.h"

static const struct hearth_metric counters[] = {
#define X(NAME, name, unit, help) [HEARTH_COUNTER_##NAME] = {name, unit, help, 0},
#include "counters.def"
#undef X
};

static const struct hearth_metric gauges[] = {
#define X(NAME, name, unit, help) [HEARTH_GAUGE_##NAME] = {name, unit, help, 0},
#include "gauges.def"
#undef X
};

static const struct hearth_metric histograms[] = {
#define X(NAME, name, unit, help) [HEARTH_HISTOGRAM_##NAME] = {name, unit, help, 0},
#include "histograms.def"
#undef X
};

#define LINEAR_BITS 2u
#define PERMILLE    1000u
_Static_assert(1u << LINEAR_BITS == HEARTH_HISTOGRAM_LINEAR, "a power of two");

void hearth_metrics_init(struct hearth_metrics *metrics)
{
    *metrics = (struct hearth_metrics){0};
}

/* The two bits below a value's highest one choose among the four buckets of its power of two. */
static size_t bucket_of(uint64_t value)
{
    if (value < HEARTH_HISTOGRAM_LINEAR) {
        return (size_t)value;
    }
    if (value >> HEARTH_HISTOGRAM_TOP_BITS != 0) {
        return HEARTH_HISTOGRAM_BUCKETS - 1;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - LINEAR_BITS;
    return HEARTH_HISTOGRAM_LINEAR * shift + (size_t)(value >> shift);
}

uint64_t hearth_histogram_bound(size_t index)
{
    if (index < HEARTH_HISTOGRAM_LINEAR) {
        return index;
    }
    if (index >= HEARTH_HISTOGRAM_BUCKETS - 1) {
        return UINT64_MAX;
    }
    size_t shift = index / HEARTH_HISTOGRAM_LINEAR - 1;
    uint64_t leading = HEARTH_HISTOGRAM_LINEAR + index % HEARTH_HISTOGRAM_LINEAR;
    return ((leading + 1) << shift) - 1;
}

void hearth_metrics_observe(struct hearth_metrics *metrics, enum hearth_histogram histogram,
                            uint64_t value)
{
    struct hearth_histogram_cells *cells = &metrics->histograms[histogram];
    cells->buckets[bucket_of(value)]++;
    cells->min = cells->count == 0 ? value : HEARTH_MIN(cells->min, value);
    cells->max = HEARTH_MAX(cells->max, value);
    cells->sum += value;
    cells->count++;
}

uint64_t hearth_histogram_quantile(const struct hearth_histogram_cells *cells, unsigned permille)
{
    if (cells->count == 0) {
        return 0;
    }
    /* The rank, rounded up, in two parts: the product of a large count would not fit. */
    permille = HEARTH_MIN(permille, PERMILLE);
    uint64_t rank = cells->count / PERMILLE * permille +
                    (cells->count % PERMILLE * permille + PERMILLE - 1) / PERMILLE;
    uint64_t below = 0;
    size_t index = 0;
    do {
        below += cells->buckets[index++];
    } while (below < HEARTH_MAX(rank, (uint64_t)1) && index < HEARTH_HISTOGRAM_BUCKETS);
    return HEARTH_MIN(hearth_histogram_bound(index - 1), cells->max);
}

bool hearth_metrics_read(const struct hearth_metrics *metrics, size_t index,
                         struct hearth_metric *ret_metric)
{
    if (index >= HEARTH_COUNT(counters)) {
        return false;
    }
    *ret_metric = counters[index];
    ret_metric->value = metrics->counters[index];
    return true;
}

bool hearth_metrics_read_gauge(const struct hearth_metrics *metrics, size_t index,
                               struct hearth_metric *ret_metric)
{
    if (index >= HEARTH_COUNT(gauges)) {
        return false;
    }
    *ret_metric = gauges[index];
    ret_metric->value = metrics->gauges[index];
    return true;
}

bool hearth_metrics_read_histogram(const struct hearth_metrics *metrics, size_t index,
                                   struct hearth_metric *ret_metric)
{
    if (index >= HEARTH_COUNT(histograms)) {
        return false;
    }
    *ret_metric = histograms[index];
    ret_metric->value = metrics->histograms[index].count;
    return true;
}
