/* hearth_budget.h — the ledger of memory: who holds how much of one limit. Arithmetic only: it
 * measures nothing, frees nothing and knows no process.
 *
 * Words: a *hold* is what one holder has been promised; *free* is the limit less all holds.
 *
 * Threads: one at a time. Nothing here blocks or allocates.                                      */

#ifndef HEARTH_BUDGET_H
#define HEARTH_BUDGET_H

#include "hearth_base.h"

/** One promise. Owned by the holder, zeroed before first use; the ledger links it while it holds.
 */
struct hearth_hold {
    struct hearth_list link;
    const char *holder; /* for refusals; must outlive the hold */
    uint64_t bytes;
    bool is_held;
};

struct hearth_budget {
    uint32_t magic;
    uint64_t limit_bytes;
    uint64_t held_bytes;
    struct hearth_list holds;
};

/** Prepares an empty ledger over @limit_bytes. */
void hearth_budget_init(struct hearth_budget *budget, uint64_t limit_bytes);

/** Changes the limit. What is held stays held, even if it is more: then nothing is free. */
void hearth_budget_set_limit(struct hearth_budget *budget, uint64_t limit_bytes);

/**
 * Promises @bytes to @holder through @hold, which must not hold already.
 *
 * HEARTH_E_NO_ROOM says what was wanted, what is free and who holds the most; @hold stays empty.
 */
HEARTH_NODISCARD int hearth_budget_reserve(struct hearth_budget *budget, struct hearth_hold *hold,
                                           const char *holder, uint64_t bytes,
                                           struct hearth_error *err);

/**
 * Records that the holder really uses @measured_bytes: the hold grows to that if it was smaller,
 * also past the limit, because the memory is gone already. It never shrinks: what was promised
 * (a cache that fills later) stays promised.
 */
void hearth_budget_commit(struct hearth_budget *budget, struct hearth_hold *hold,
                          uint64_t measured_bytes);

/** Ends the promise; does nothing if @hold is empty. */
void hearth_budget_release(struct hearth_budget *budget, struct hearth_hold *hold);

/** What may still be promised; 0 when holds have grown past the limit. */
uint64_t hearth_budget_free_bytes(const struct hearth_budget *budget);

#endif
