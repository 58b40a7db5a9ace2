/* leases.c — sharing out the cores. */

#include "leases.h"

#include <string.h>

#define NOT_BEGUN UINT64_MAX /* it was given a lease and has not been here since */

void hearth_leases_init(struct hearth_leases *leases, uint32_t cores)
{
    *leases = (struct hearth_leases){.cores = HEARTH_MAX(1u, cores)};
}

static uint64_t bit_of(uint32_t lane)
{
    HEARTH_ASSERT(lane < HEARTH_LEASE_LANES);
    return UINT64_C(1) << lane;
}

static uint32_t count_of(uint64_t lanes)
{
    return (uint32_t)__builtin_popcountll(lanes);
}

static void wait_for_lease(struct hearth_leases *leases, uint32_t lane)
{
    for (uint32_t i = 0; i < leases->waiting_count; i++) {
        if (leases->waiting[i] == lane) {
            return;
        }
    }
    leases->waiting[leases->waiting_count++] = lane;
}

bool hearth_leases_take(struct hearth_leases *leases, uint32_t lane, uint64_t now_ms)
{
    if ((leases->holders & bit_of(lane)) != 0) {
        if (leases->since_ms[lane] == NOT_BEGUN) {
            leases->since_ms[lane] = now_ms;
        }
        return leases->waiting_count == 0 || now_ms - leases->since_ms[lane] < HEARTH_LEASE_TURN_MS;
    }
    if (count_of(leases->holders) == leases->cores) {
        wait_for_lease(leases, lane);
        return false;
    }
    leases->holders |= bit_of(lane);
    leases->since_ms[lane] = now_ms;
    return true;
}

uint32_t hearth_leases_leave(struct hearth_leases *leases, uint32_t lane)
{
    if ((leases->holders & bit_of(lane)) == 0) {
        return HEARTH_LEASE_NOBODY;
    }
    leases->holders &= ~bit_of(lane);
    if (leases->waiting_count == 0) {
        return HEARTH_LEASE_NOBODY;
    }
    uint32_t next = leases->waiting[0];
    leases->waiting_count--;
    memmove(leases->waiting, leases->waiting + 1,
            leases->waiting_count * sizeof leases->waiting[0]);
    leases->holders |= bit_of(next);
    leases->since_ms[next] = NOT_BEGUN;
    return next;
}

uint32_t hearth_leases_share(const struct hearth_leases *leases, uint32_t lane)
{
    uint32_t holders = count_of(leases->holders);
    if ((leases->holders & bit_of(lane)) == 0) {
        return 0;
    }
    uint32_t before = count_of(leases->holders & (bit_of(lane) - 1));
    return leases->cores / holders + (before < leases->cores % holders);
}
