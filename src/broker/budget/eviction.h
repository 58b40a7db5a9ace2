/* eviction.h — who would leave so that another fits, and in which order. Included by
 * hearth_budget.h. Pure: how long somebody has been idle is an argument. */

#ifndef HEARTH_EVICTION_H
#define HEARTH_EVICTION_H

#define HEARTH_MAX_EVICTABLE 64u

/** A holder that might leave. */
struct hearth_evictable {
    const struct hearth_hold *hold; /* is held */
    uint64_t idle_ms;               /* since its last request */
    uint32_t reload_ms;             /* what its last load took */
    unsigned worth;                 /* its class: lower ones leave first */
    uint32_t open_requests;         /* not 0: it stays */
    bool is_pinned;                 /* it stays */
};

struct hearth_eviction_plan {
    bool is_enough;                       /* else nobody leaves, and count is 0 */
    uint32_t order[HEARTH_MAX_EVICTABLE]; /* indices of the list, first to leave first */
    uint32_t count;
    uint64_t freed_bytes;   /* by those that leave */
    uint64_t missing_bytes; /* if it is not enough: so much would be missing though all left */
    uint32_t busy;          /* that stay because they have requests */
    uint32_t pinned;        /* that stay because they are pinned and have none */
};

/**
 * Plans room for @need among the @count (at most HEARTH_MAX_EVICTABLE) holders of @list.
 *
 * Of two holders the one of the lower class leaves first; inside a class the one whose idle time is
 * the larger multiple of what loading it again would take: a model that loads in ten seconds stays
 * ten times as long as one that loads in one, or in less. Nobody is in the plan without whom it
 * would be enough. An empty plan that is enough: it fits as it is.
 */
void hearth_eviction_plan(const struct hearth_budget *budget, const struct hearth_evictable *list,
                          uint32_t count, const struct hearth_need *need,
                          struct hearth_eviction_plan *ret);

#endif
