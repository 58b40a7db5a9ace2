/* metrics.c — counters and their names. */

#include "hearth_metrics.h"

static const struct hearth_metric descriptions[] = {
#define X(NAME, name, unit, help) [HEARTH_COUNTER_##NAME] = {name, unit, help, 0},
#include "counters.def"
#undef X
};

void hearth_metrics_init(struct hearth_metrics *metrics)
{
    *metrics = (struct hearth_metrics){0};
}

bool hearth_metrics_read(const struct hearth_metrics *metrics, size_t index,
                         struct hearth_metric *ret_metric)
{
    if (index >= HEARTH_COUNT(descriptions)) {
        return false;
    }
    *ret_metric = descriptions[index];
    ret_metric->value = metrics->counters[index];
    return true;
}
