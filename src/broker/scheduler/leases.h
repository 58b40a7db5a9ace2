/* leases.h — which lanes may compute, and on how many cores each.
 *
 * A lane that computes holds a lease of at least one core. The cores are shared out evenly, and
 * what does not divide goes to the first lanes, so that the sum of all leases is exactly the number
 * of cores, and never more. Where more lanes want to compute than there are cores, the others wait
 * in the order in which they came; a lane that has had its lease for HEARTH_LEASE_TURN_MS while
 * others wait begins nothing new, and gives it on when what it runs has ended.
 *
 * What a lease means is the engine's: runs of one thread side by side, or threads of a step.
 * Threads: one at a time. Nothing here blocks or allocates. */

#ifndef HEARTH_SCHED_LEASES_H
#define HEARTH_SCHED_LEASES_H

#include "hearth_base.h"
#include "hearth_wire.h"

#define HEARTH_LEASE_LANES   HEARTH_MAX_MODELS
#define HEARTH_LEASE_TURN_MS 100u
#define HEARTH_LEASE_NOBODY  UINT32_MAX

struct hearth_leases {
    uint32_t cores;
    uint64_t holders;                      /* lanes with a lease, one bit each */
    uint64_t since_ms[HEARTH_LEASE_LANES]; /* of holders: when they first took it */
    uint32_t waiting[HEARTH_LEASE_LANES];  /* lanes, the first come first */
    uint32_t waiting_count;
};
_Static_assert(HEARTH_LEASE_LANES <= 64, "holders has one bit a lane");

/** @cores: at least 1. */
void hearth_leases_init(struct hearth_leases *leases, uint32_t cores);

/** May @lane begin something now? If it has no lease it gets one, or waits for it. */
bool hearth_leases_take(struct hearth_leases *leases, uint32_t lane, uint64_t now_ms);

/** @lane computes nothing any more: its lease goes to the one that has waited longest, which is
 * returned; HEARTH_LEASE_NOBODY if none waits or @lane had no lease. */
uint32_t hearth_leases_leave(struct hearth_leases *leases, uint32_t lane);

/** Cores of the lease of @lane; 0 if it has none. */
uint32_t hearth_leases_share(const struct hearth_leases *leases, uint32_t lane);

#endif
