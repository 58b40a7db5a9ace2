/* hearth_budget.h — the ledger of memory: who holds how much of one limit, and what for. Arithmetic
 * only: it measures nothing, frees nothing and knows neither process nor clock.
 *
 * Words: a *need* is what a holder asks for, by kind; a *hold* is what it has been promised; *free*
 * is the limit less all holds. Pages of a file that several holders map are there once, so they
 * count once: as much as the holder that maps most of it.
 *
 * eviction.h says who would leave to make room; calls.h keeps count of what requests hold.
 *
 * Threads: one at a time. Nothing here blocks or allocates.                                      */

#ifndef HEARTH_BUDGET_H
#define HEARTH_BUDGET_H

#include "hearth_base.h"

/** What memory of a model is for. */
enum hearth_memory_kind {
    HEARTH_MEMORY_WEIGHTS,   /* the tensors of its files */
    HEARTH_MEMORY_CELLS,     /* keys and values of all sequences */
    HEARTH_MEMORY_COMPUTE,   /* arenas: activations and scratch */
    HEARTH_MEMORY_TOKENIZER, /* vocabulary and its tables */
    HEARTH_MEMORY_BUFFERS,   /* rings between daemon and worker */
    HEARTH_MEMORY_CACHES,    /* prefixes beside the cells: can be shed */
    HEARTH_MEMORY_OTHER,     /* measured beyond all that was promised */
    HEARTH_MEMORY_KINDS
};

struct hearth_need {
    uint64_t parts[HEARTH_MEMORY_KINDS];
    const char *file;    /* not NULL: the digest of the file that it maps; must outlive the hold */
    uint64_t file_bytes; /* of the weights: pages of that file, at most all of them */
};

/** One promise. Owned by the holder, zeroed before first use; the ledger links it while it holds.
 */
struct hearth_hold {
    struct hearth_list link;
    const char *holder; /* for refusals; must outlive the hold */
    struct hearth_need need;
    uint64_t bytes; /* of all parts, the file too */
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

/** The sum of all parts; UINT64_MAX if that is more than a number holds. */
uint64_t hearth_need_bytes(const struct hearth_need *need);

/**
 * Promises @need to @holder through @hold, which must not hold already.
 *
 * HEARTH_E_NO_ROOM says what was wanted, what is free and who holds the most; @hold stays empty.
 */
HEARTH_NODISCARD int hearth_budget_reserve(struct hearth_budget *budget, struct hearth_hold *hold,
                                           const char *holder, const struct hearth_need *need,
                                           struct hearth_error *err);

/** How much reserving @need would add to what is held: less than its bytes if its file is held. */
uint64_t hearth_budget_cost(const struct hearth_budget *budget, const struct hearth_need *need);

/**
 * Corrects the promise by what the holder was measured to use: what goes beyond all other parts is
 * its OTHER, also past the limit, because the memory is gone already. The other parts never shrink:
 * what was promised (a cache that fills later) stays promised.
 */
void hearth_budget_commit(struct hearth_budget *budget, struct hearth_hold *hold,
                          uint64_t measured_bytes);

/** Ends the promise; does nothing if @hold is empty. */
void hearth_budget_release(struct hearth_budget *budget, struct hearth_hold *hold);

/** What may still be promised; 0 when holds have grown past the limit. */
uint64_t hearth_budget_free_bytes(const struct hearth_budget *budget);

/** The sum of one kind over all holds; of WEIGHTS with each file once. */
uint64_t hearth_budget_held_of(const struct hearth_budget *budget, enum hearth_memory_kind kind);

/** "weights", "cells", … */
const char *hearth_memory_kind_name(enum hearth_memory_kind kind);

#include "calls.h"
#include "eviction.h"

#endif
