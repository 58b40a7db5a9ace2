/* hearth_metrics.h — counters of the broker, declared once in counters.def.
 *
 * Plain numbers for one thread: counting is an addition. A counter only grows and starts at zero
 * with the process; rates are the reader's.                                                      */

#ifndef HEARTH_METRICS_H
#define HEARTH_METRICS_H

#include "hearth_base.h"

enum hearth_counter {
#define X(NAME, name, unit, help) HEARTH_COUNTER_##NAME,
#include "counters.def"
#undef X
    HEARTH_COUNTER_COUNT_,
};

struct hearth_metrics {
    uint64_t counters[HEARTH_COUNTER_COUNT_];
};

/** Sets all counters to zero. */
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

/** One counter as a reader sees it; the strings are constants. */
struct hearth_metric {
    const char *name; /* "requests_total" */
    const char *unit; /* "requests" */
    const char *help; /* one sentence */
    uint64_t value;
};

/**
 * Reads the counter with @index (0 …) into *@ret_metric; returns false behind the last one.
 *   for (size_t i = 0; hearth_metrics_read(metrics, i, &metric); i++) …
 */
bool hearth_metrics_read(const struct hearth_metrics *metrics, size_t index,
                         struct hearth_metric *ret_metric);

#endif
