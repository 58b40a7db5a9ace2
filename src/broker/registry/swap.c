/* swap.c — the table of lawful moves between the phases of a swap. */

#include "swap.h"

#define PHASE(name) (1u << HEARTH_SWAP_##name)

static const unsigned lawful_moves[] = {
    [HEARTH_SWAP_NONE] = PHASE(RECORDING) | PHASE(DRAINING) | PHASE(LOADING),
    [HEARTH_SWAP_RECORDING] = PHASE(DRAINING) | PHASE(LOADING) | PHASE(NONE),
    [HEARTH_SWAP_DRAINING] = PHASE(LOADING) | PHASE(NONE),
    [HEARTH_SWAP_LOADING] = PHASE(TESTING) | PHASE(RESTORING) | PHASE(NONE),
    [HEARTH_SWAP_TESTING] = PHASE(RESTORING) | PHASE(NONE),
    [HEARTH_SWAP_RESTORING] = PHASE(NONE),
};

static const char *const names[] = {
    [HEARTH_SWAP_NONE] = "none",         [HEARTH_SWAP_RECORDING] = "recording",
    [HEARTH_SWAP_DRAINING] = "draining", [HEARTH_SWAP_LOADING] = "loading",
    [HEARTH_SWAP_TESTING] = "testing",   [HEARTH_SWAP_RESTORING] = "restoring",
};

const char *hearth_swap_phase_name(enum hearth_swap_phase phase)
{
    return (size_t)phase < HEARTH_COUNT(names) ? names[phase] : "unknown";
}

bool hearth_swap_may_move(enum hearth_swap_phase from, enum hearth_swap_phase to)
{
    return (size_t)from < HEARTH_COUNT(lawful_moves) && (size_t)to < HEARTH_COUNT(lawful_moves) &&
           (lawful_moves[from] & (1u << to)) != 0;
}

void hearth_swap_move(enum hearth_swap_phase *phase, enum hearth_swap_phase to)
{
    HEARTH_ASSERT(hearth_swap_may_move(*phase, to));
    *phase = to;
}
