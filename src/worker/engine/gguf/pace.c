/* pace.c — see pace.h. */

#include "pace.h"

void gguf_pace_begin(struct gguf_pace *pace, unsigned most)
{
    *pace = (struct gguf_pace){.most = most, .allowed = most};
}

bool gguf_pace_is_short(uint64_t wall_ns, uint64_t ran_ns)
{
    return ran_ns < wall_ns / 100 * GGUF_SHORT_PERCENT;
}

void gguf_pace_shed(struct gguf_pace *pace, unsigned threads)
{
    pace->allowed = HEARTH_MAX(threads / 2, 1u);
    pace->calm = 0;
}

bool gguf_pace_measure(struct gguf_pace *pace, unsigned threads, uint64_t wall_ns, uint64_t ran_ns)
{
    if (wall_ns < GGUF_PACE_NS) {
        return false;
    }
    if (gguf_pace_is_short(wall_ns, ran_ns)) {
        gguf_pace_shed(pace, threads);
    } else if (ran_ns > wall_ns / 100 * GGUF_CALM_PERCENT && ++pace->calm >= GGUF_CALM_PACES) {
        pace->allowed = HEARTH_MIN(pace->allowed + 1, pace->most);
        pace->calm = 0;
    }
    return true;
}
