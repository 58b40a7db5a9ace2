/* calls.h — what requests hold from their admission to their end, against three limits. Included by
 * hearth_budget.h. */

#ifndef HEARTH_CALLS_H
#define HEARTH_CALLS_H

/** 0: no limit. */
struct hearth_call_limits {
    uint64_t per_call_bytes;
    uint64_t total_bytes;
    uint64_t concurrent;
};

struct hearth_calls {
    struct hearth_call_limits limits;
    uint64_t held_bytes;
    uint64_t open;
};

/**
 * Counts one more call of @bytes. HEARTH_E_TOO_LARGE: it alone is more than a call may hold;
 * HEARTH_E_NO_ROOM: others hold too much of the total now; HEARTH_E_QUEUE_FULL: too many are open.
 * The texts have the numbers; nothing is counted then. Some nanoseconds.
 */
HEARTH_NODISCARD int hearth_calls_admit(struct hearth_calls *calls, uint64_t bytes,
                                        struct hearth_error *err);

/** Ends a call that was admitted with @bytes. */
void hearth_calls_end(struct hearth_calls *calls, uint64_t bytes);

#endif
