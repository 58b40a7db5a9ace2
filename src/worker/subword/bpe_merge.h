/* bpe_merge.h — the merges of a BPE model, and the loop that applies them to a row of symbols.
 *
 * A *symbol* is a piece that is still to be merged: first one per character, at the end one per
 * token. A *merge* joins two neighbours into a piece; its *rank* is its place in the file. Always
 * the pair of the lowest rank is merged next, of equal ones the leftmost. */

#ifndef HEARTH_SUBWORD_BPE_MERGE_H
#define HEARTH_SUBWORD_BPE_MERGE_H

#include "model.h"

#define NO_RANK UINT32_MAX

struct merge_slot {
    uint32_t left;
    uint32_t right;
    uint32_t rank; /* NO_RANK: the slot is empty */
};

/** A flat hash table from a pair of ids to a rank; constant once filled. */
struct merge_table {
    struct merge_slot *slots;
    uint32_t slot_mask;
    uint32_t *products; /* by rank: what the pair becomes */
};

/** Makes room for @count merges. HEARTH_E_NO_MEMORY. */
HEARTH_NODISCARD int merge_table_init(struct merge_table *table, uint32_t count,
                                      struct hearth_arena *arena);

/** Notes a merge; of two for one pair the later holds. False if the pairs collide, as if made to.
 */
HEARTH_NODISCARD bool merge_table_put(struct merge_table *table, uint32_t left, uint32_t right,
                                      uint32_t rank, uint32_t product);

/** False if the pairs fill long runs of slots, as if made to: then a look-up would take long. */
HEARTH_NODISCARD bool merge_table_is_even(const struct merge_table *table);

/** Symbols in a row: ids and sizes in bytes, in two bufs of the scratch. */
struct merge_row {
    uint32_t *ids;
    uint32_t *sizes;
    uint32_t count;
};

/** Merges the row as far as it goes; n log n in its length. May use bufs 2 and 3 of @scratch. */
HEARTH_NODISCARD int merge_all(const struct merge_table *table, struct merge_row *row,
                               struct model_scratch *scratch);

#endif
