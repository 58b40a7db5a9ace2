/* clock.c — the two clocks. */

#include "clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    HEARTH_ASSERT(clock_gettime(clock, &now) == 0);
    return (uint64_t)now.tv_sec * HEARTH_NS_PER_SEC + (uint64_t)now.tv_nsec;
}

uint64_t hearth_clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t hearth_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t hearth_clock_deadline_ns(uint64_t now_ns, uint64_t timeout_ms)
{
    uint64_t timeout_ns = 0;
    uint64_t deadline_ns = 0;
    if (timeout_ms == UINT64_MAX ||
        __builtin_mul_overflow(timeout_ms, HEARTH_NS_PER_MS, &timeout_ns) ||
        __builtin_add_overflow(now_ns, timeout_ns, &deadline_ns)) {
        return HEARTH_NEVER;
    }
    return deadline_ns;
}
