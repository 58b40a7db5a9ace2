/* fuzz_pooling_config.c — any bytes as the configuration that a model brings along: an answer, and
 * facts that keep their promises. */

#include "hearth_inspect.h"

int hearth_fuzz_pooling_config(const uint8_t *data, size_t size);

int hearth_fuzz_pooling_config(const uint8_t *data, size_t size)
{
    struct hearth_pooling_facts facts;
    struct hearth_error err = {0};
    int rc = hearth_pooling_inspect(hearth_slice_of(data, size), &facts, &err);
    if (rc < 0) {
        HEARTH_ASSERT(rc == err.code && err.text[0] != '\0');
        return 0;
    }
    HEARTH_ASSERT((unsigned)facts.pooling < HEARTH_POOLING_COUNT);
    HEARTH_ASSERT(facts.dimensions <= HEARTH_POOLING_MAX_DIMENSIONS);
    HEARTH_ASSERT(facts.is_told || facts.dimensions == 0);
    return 0;
}
