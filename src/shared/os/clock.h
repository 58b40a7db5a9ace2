/* clock.h — the two clocks. Inside Hearth time is monotonic; wall time only stamps log lines. */

#ifndef HEARTH_CLOCK_H
#define HEARTH_CLOCK_H

#include "hearth_base.h"

#define HEARTH_NEVER      UINT64_MAX
#define HEARTH_NS_PER_US  UINT64_C(1000)
#define HEARTH_NS_PER_MS  UINT64_C(1000000)
#define HEARTH_NS_PER_SEC UINT64_C(1000000000)

/** Returns CLOCK_MONOTONIC in nanoseconds. Any thread; no system call on common hardware. */
uint64_t hearth_clock_ns(void);

/** Returns CLOCK_REALTIME in nanoseconds since 1970. */
uint64_t hearth_clock_wall_ns(void);

/** Returns @now_ns + @timeout_ms, HEARTH_NEVER if that overflows or @timeout_ms is UINT64_MAX. */
uint64_t hearth_clock_deadline_ns(uint64_t now_ns, uint64_t timeout_ms);

#endif
