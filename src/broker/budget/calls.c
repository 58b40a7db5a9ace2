/* calls.c — admission of one call by numbers. */

#include "hearth_budget.h"

#include <inttypes.h>

static int refuse(const struct hearth_calls *calls, uint64_t bytes, struct hearth_error *err)
{
    const struct hearth_call_limits *limits = &calls->limits;
    if (limits->per_call_bytes != 0 && bytes > limits->per_call_bytes) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE,
                           "the request needs %" PRIu64 " bytes, one may have %" PRIu64
                           " (per_call_memory)",
                           bytes, limits->per_call_bytes);
    }
    if (limits->concurrent != 0 && calls->open >= limits->concurrent) {
        return hearth_fail(err, HEARTH_E_QUEUE_FULL,
                           "%" PRIu64 " requests are open, %" PRIu64
                           " may be (concurrent_requests)",
                           calls->open, limits->concurrent);
    }
    return hearth_fail(err, HEARTH_E_NO_ROOM,
                       "the request needs %" PRIu64 " bytes, %" PRIu64 " open ones hold %" PRIu64
                       " of %" PRIu64 " (total_call_memory)",
                       bytes, calls->open, calls->held_bytes, limits->total_bytes);
}

int hearth_calls_admit(struct hearth_calls *calls, uint64_t bytes, struct hearth_error *err)
{
    const struct hearth_call_limits *limits = &calls->limits;
    uint64_t sum;
    bool is_over = __builtin_add_overflow(calls->held_bytes, bytes, &sum);
    /* 0 is no limit: less one it is the largest number. */
    is_over |= bytes - 1 > limits->per_call_bytes - 1 && bytes != 0;
    is_over |= sum - 1 > limits->total_bytes - 1 && sum != 0;
    is_over |= calls->open > limits->concurrent - 1;
    if (is_over) {
        return refuse(calls, bytes, err);
    }
    calls->held_bytes = sum;
    calls->open++;
    return 0;
}

void hearth_calls_end(struct hearth_calls *calls, uint64_t bytes)
{
    HEARTH_ASSERT(calls->open > 0 && calls->held_bytes >= bytes);
    calls->held_bytes -= bytes;
    calls->open--;
}
