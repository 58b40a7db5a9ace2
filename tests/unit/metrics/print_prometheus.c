/* print_prometheus.c — reads lines "counter|gauge|histogram INDEX VALUE", prints what they make. */

#include "hearth_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool take(struct hearth_metrics *metrics, const char *line)
{
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
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (!take(&metrics, line)) {
            return 2;
        }
    }
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, 1u << 18);
    if (hearth_metrics_prometheus(&metrics, &out) < 0) {
        return 1;
    }
    return fwrite(out.data, 1, out.size, stdout) == out.size && fflush(stdout) == 0 ? 0 : 1;
}
