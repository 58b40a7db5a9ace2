/* hearth_metrics.h — numbers of the broker about itself, declared once in the .def files.
 *
 * Plain numbers for one thread: counting is an addition, observing a handful. A *counter* only
 * grows and starts at zero with the process; a *gauge* is what it was set to last; a *histogram*
 * keeps how often values fell into each of its buckets; a *family* is counters or gauges told apart
 * by labels (families.h). Only hearth_metrics_prometheus() allocates.                            */

#ifndef HEARTH_METRICS_H
#define HEARTH_METRICS_H

#include "families.h"

enum hearth_counter {
#define X(NAME, name, unit, help) HEARTH_COUNTER_##NAME,
#include "counters.def"
#undef X
    HEARTH_COUNTER_COUNT_,
};

enum hearth_gauge {
#define X(NAME, name, unit, help) HEARTH_GAUGE_##NAME,
#include "gauges.def"
#undef X
    HEARTH_GAUGE_COUNT_,
};

enum hearth_histogram {
#define X(NAME, name, unit, help) HEARTH_HISTOGRAM_##NAME,
#include "histograms.def"
#undef X
    HEARTH_HISTOGRAM_COUNT_,
};

/* Buckets are log-linear: every power of two is cut into four, so a bucket is at most a quarter as
 * wide as its lower bound. Values of 0 to 3 have a bucket each, and the last one takes all from
 * 2^36 on. (The scheme of HdrHistogram, Gil Tene, with two significant bits.) */
#define HEARTH_HISTOGRAM_LINEAR   4u  /* buckets of one value, and buckets to a power of two */
#define HEARTH_HISTOGRAM_TOP_BITS 36u /* where the last bucket begins, as a power of two */
#define HEARTH_HISTOGRAM_BUCKETS  (HEARTH_HISTOGRAM_LINEAR * (HEARTH_HISTOGRAM_TOP_BITS - 1u) + 1u)

struct hearth_histogram_cells {
    uint64_t buckets[HEARTH_HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t sum;
    uint64_t min; /* meant only if count > 0 */
    uint64_t max;
};

struct hearth_metrics {
    uint64_t counters[HEARTH_COUNTER_COUNT_];
    uint64_t gauges[HEARTH_GAUGE_COUNT_];
    struct hearth_histogram_cells histograms[HEARTH_HISTOGRAM_COUNT_];
    struct hearth_metric_families families;
};

/** Sets everything to zero. */
void hearth_metrics_init(struct hearth_metrics *metrics);

static inline void hearth_metrics_add(struct hearth_metrics *metrics, enum hearth_counter counter,
                                      uint64_t amount)
{
    metrics->counters[counter] += amount;
}

static inline void hearth_metrics_count(struct hearth_metrics *metrics, enum hearth_counter counter)
{
    hearth_metrics_add(metrics, counter, 1);
}

static inline uint64_t hearth_metrics_value(const struct hearth_metrics *metrics,
                                            enum hearth_counter counter)
{
    return metrics->counters[counter];
}

static inline void hearth_metrics_set(struct hearth_metrics *metrics, enum hearth_gauge gauge,
                                      uint64_t value)
{
    metrics->gauges[gauge] = value;
}

/** The cell of a family; indexes of labels that it does not have are 0. */
static inline uint64_t *hearth_metrics_cell(struct hearth_metrics *metrics,
                                            enum hearth_family family, unsigned first,
                                            unsigned second, unsigned third)
{
    const struct hearth_family_shape *shape = &hearth_families[family];
    HEARTH_ASSERT(first < shape->sizes[0] && second < shape->sizes[1] && third < shape->sizes[2]);
    size_t at = ((size_t)first * shape->sizes[1] + second) * shape->sizes[2] + third;
    return &metrics->families.cells[shape->first + at];
}

/**
 * Says which model has @slot from now on; "" = none. If it is another than before, the slot's
 * numbers begin at 0.
 */
void hearth_metrics_name_model(struct hearth_metrics *metrics, uint32_t slot, const char *name);

/**
 * Goes through all numbers of families that are not 0 and whose model has a name, family after
 * family: *@cursor begins at 0. False at the end.
 */
bool hearth_metrics_next_series(const struct hearth_metrics *metrics, size_t *cursor,
                                struct hearth_series *ret);

/** Appends `model="x",class="low"`. Errors of @out. */
HEARTH_NODISCARD int hearth_metrics_labels(const struct hearth_metrics *metrics,
                                           const struct hearth_series *series,
                                           struct hearth_buf *out);

/** Adds one value to a histogram, in its unit. */
void hearth_metrics_observe(struct hearth_metrics *metrics, enum hearth_histogram histogram,
                            uint64_t value);

/** The largest value that falls into bucket @index; UINT64_MAX for the last. */
uint64_t hearth_histogram_bound(size_t index);

/**
 * The value that @permille of all values do not exceed (500: the median), at most one bucket's
 * width above the true one and never above the maximum. 0 if there are none.
 */
uint64_t hearth_histogram_quantile(const struct hearth_histogram_cells *cells, unsigned permille);

/** One number as a reader sees it; the strings are constants. */
struct hearth_metric {
    const char *name; /* "requests_total" */
    const char *unit; /* "requests" */
    const char *help; /* one sentence */
    uint64_t value;   /* of a histogram: its count */
};

/**
 * Reads the counter, gauge or histogram with @index (0 …) into *@ret_metric; returns false behind
 * the last one:
 *   for (size_t i = 0; hearth_metrics_read(metrics, i, &metric); i++) …
 */
bool hearth_metrics_read(const struct hearth_metrics *metrics, size_t index,
                         struct hearth_metric *ret_metric);
bool hearth_metrics_read_gauge(const struct hearth_metrics *metrics, size_t index,
                               struct hearth_metric *ret_metric);
bool hearth_metrics_read_histogram(const struct hearth_metrics *metrics, size_t index,
                                   struct hearth_metric *ret_metric);

/**
 * Appends everything in the text format of Prometheus (exposition format 0.0.4): names begin with
 * "hearth_", counters end in "_total", times are in seconds, histogram buckets are cumulative with
 * bounds at powers of two of their unit (a value of 7 us was a time from 7 to under 8 us, so it is
 * within 8 us). HEARTH_E_NO_MEMORY, HEARTH_E_TOO_LARGE if @out is bounded too tightly.
 */
HEARTH_NODISCARD int hearth_metrics_prometheus(const struct hearth_metrics *metrics,
                                               struct hearth_buf *out);

#endif
