/* print_prometheus.c — reads lines "counter|gauge|histogram INDEX VALUE" and "family INDEX FIRST
 * SECOND THIRD VALUE" (models are called m0, m1, …), prints what they make. */

#include "hearth_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool take_family(struct hearth_metrics *metrics, const char *line)
{
    unsigned long index, at[3];
    unsigned long long value;
    if (sscanf(line, "family %lu %lu %lu %lu %llu", &index, &at[0], &at[1], &at[2], &value) != 5 ||
        index >= HEARTH_FAMILY_COUNT_) {
        return false;
    }
    *hearth_metrics_cell(metrics, (enum hearth_family)index, (unsigned)at[0], (unsigned)at[1],
                         (unsigned)at[2]) = value;
    return true;
}

static bool take(struct hearth_metrics *metrics, const char *line)
{
    if (line[0] == 'f') {
        return take_family(metrics, line);
    }
    const char *numbers = strchr(line, ' ');
    char *end = NULL;
    unsigned long index = numbers != NULL ? strtoul(numbers, &end, 10) : 0;
    uint64_t value = end != NULL ? strtoull(end, &end, 10) : 0;
    if (end == NULL || *end != '\n') {
        return false;
    }
    if (line[0] == 'c' && index < HEARTH_COUNTER_COUNT_) {
        hearth_metrics_add(metrics, (enum hearth_counter)index, value);
    } else if (line[0] == 'g' && index < HEARTH_GAUGE_COUNT_) {
        hearth_metrics_set(metrics, (enum hearth_gauge)index, value);
    } else if (line[0] == 'h' && index < HEARTH_HISTOGRAM_COUNT_) {
        hearth_metrics_observe(metrics, (enum hearth_histogram)index, value);
    } else {
        return false;
    }
    return true;
}

int main(void)
{
    static struct hearth_metrics metrics;
    char line[100];
    hearth_metrics_init(&metrics);
    for (uint32_t slot = 0; slot < HEARTH_METRIC_MODELS; slot++) {
        char name[16];
        snprintf(name, sizeof name, "m%u", (unsigned)slot);
        hearth_metrics_name_model(&metrics, slot, name);
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (!take(&metrics, line)) {
            return 2;
        }
    }
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, 1u << 20);
    if (hearth_metrics_prometheus(&metrics, &out) < 0) {
        return 1;
    }
    return fwrite(out.data, 1, out.size, stdout) == out.size && fflush(stdout) == 0 ? 0 : 1;
}
