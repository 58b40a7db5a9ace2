/* bpe_merge.c — applying merges: a scan for the short rows that words are, a heap for long ones.
 *
 * A pair that stood in the row once and is gone can never come back at its place, because symbols
 * only grow. So a heap entry is good exactly if its rank is still the rank at its place. */

#include "bpe_merge.h"

#include <string.h>

#define SHORT_ROW   48 /* up to here looking at every pair beats keeping a heap */
#define MOST_PROBES 256
#define MOST_RUN    1024 /* of slots without an empty one; chance makes some dozens of them */
#define NOWHERE     UINT32_MAX

/** A symbol in a long row, linked to its neighbours as those between are merged away. */
struct link {
    uint32_t previous;
    uint32_t next;
    uint32_t rank; /* of the pair that starts here */
};

/** The lowest first: rank in the upper half, place in the lower. Four children to a node. */
struct heap {
    uint64_t *entries;
    size_t count;
};

static uint32_t first_slot(const struct merge_table *table, uint32_t left, uint32_t right)
{
    uint64_t hash = ((uint64_t)left << 32 | right) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 32 ^ hash >> 15) & table->slot_mask;
}

static uint32_t rank_of(const struct merge_table *table, uint32_t left, uint32_t right)
{
    uint32_t at = first_slot(table, left, right);
    for (;;) {
        const struct merge_slot *slot = &table->slots[at];
        if (slot->rank == NO_RANK || (slot->left == left && slot->right == right)) {
            return slot->rank;
        }
        at = (at + 1) & table->slot_mask;
    }
}

int merge_table_init(struct merge_table *table, uint32_t count, struct hearth_arena *arena)
{
    uint32_t slots = 16;
    while (slots < count * 2) {
        slots *= 2;
    }
    table->slot_mask = slots - 1;
    table->slots = hearth_arena_alloc(arena, slots, sizeof *table->slots);
    table->products = hearth_arena_alloc(arena, count, sizeof *table->products);
    if (table->slots == NULL || table->products == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < slots; i++) {
        table->slots[i].rank = NO_RANK;
    }
    return 0;
}

bool merge_table_put(struct merge_table *table, uint32_t left, uint32_t right, uint32_t rank,
                     uint32_t product)
{
    uint32_t at = first_slot(table, left, right);
    for (unsigned probes = 0; probes < MOST_PROBES; probes++) {
        struct merge_slot *slot = &table->slots[at];
        if (slot->rank == NO_RANK || (slot->left == left && slot->right == right)) {
            *slot = (struct merge_slot){left, right, rank};
            table->products[rank] = product;
            return true;
        }
        at = (at + 1) & table->slot_mask;
    }
    return false;
}

bool merge_table_is_even(const struct merge_table *table)
{
    /* Twice around, because a run may go over the end. */
    uint32_t run = 0;
    for (uint64_t i = 0; i < ((uint64_t)table->slot_mask + 1) * 2 && run <= MOST_RUN; i++) {
        run = table->slots[i & table->slot_mask].rank == NO_RANK ? 0 : run + 1;
    }
    return run <= MOST_RUN;
}

/* The rank of the pair that starts at @at, NO_RANK at the end of the row. */
static uint32_t rank_at(const struct merge_table *table, const struct merge_row *row, uint32_t at,
                        uint32_t next)
{
    return next < row->count ? rank_of(table, row->ids[at], row->ids[next]) : NO_RANK;
}

static void merge_short(const struct merge_table *table, struct merge_row *row)
{
    uint32_t ranks[SHORT_ROW];
    for (uint32_t i = 0; i < row->count; i++) {
        ranks[i] = rank_at(table, row, i, i + 1);
    }
    for (;;) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < row->count; i++) {
            best = ranks[i] < ranks[best] ? i : best;
        }
        if (ranks[best] == NO_RANK) {
            return;
        }
        row->ids[best] = table->products[ranks[best]];
        row->sizes[best] += row->sizes[best + 1];
        row->count--;
        for (uint32_t i = best + 1; i < row->count; i++) {
            row->ids[i] = row->ids[i + 1];
            row->sizes[i] = row->sizes[i + 1];
            ranks[i] = ranks[i + 1];
        }
        ranks[best] = rank_at(table, row, best, best + 1);
        if (best > 0) {
            ranks[best - 1] = rank_at(table, row, best - 1, best);
        }
    }
}

static void sift_down(struct heap *heap, size_t at)
{
    uint64_t entry = heap->entries[at];
    for (;;) {
        size_t child = 4 * at + 1;
        if (child >= heap->count) {
            break;
        }
        size_t last = HEARTH_MIN(child + 4, heap->count);
        size_t least = child;
        for (size_t i = child + 1; i < last; i++) {
            least = heap->entries[i] < heap->entries[least] ? i : least;
        }
        if (heap->entries[least] >= entry) {
            break;
        }
        heap->entries[at] = heap->entries[least];
        at = least;
    }
    heap->entries[at] = entry;
}

static void push(struct heap *heap, uint64_t entry)
{
    size_t at = heap->count++;
    while (at > 0 && heap->entries[(at - 1) / 4] > entry) {
        heap->entries[at] = heap->entries[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    heap->entries[at] = entry;
}

static uint64_t pop(struct heap *heap)
{
    uint64_t entry = heap->entries[0];
    heap->entries[0] = heap->entries[--heap->count];
    if (heap->count > 0) {
        sift_down(heap, 0);
    }
    return entry;
}

/* Ranks the pair that starts at @at anew, after one of its two symbols has grown. */
static void rank_again(const struct merge_table *table, const struct merge_row *row,
                       struct link *links, uint32_t at, struct heap *heap)
{
    links[at].rank = rank_at(table, row, at, links[at].next);
    if (links[at].rank != NO_RANK) {
        push(heap, (uint64_t)links[at].rank << 32 | at);
    }
}

static void merge_at(const struct merge_table *table, struct merge_row *row, struct link *links,
                     uint32_t at, struct heap *heap)
{
    uint32_t right = links[at].next;
    row->ids[at] = table->products[links[at].rank];
    row->sizes[at] += row->sizes[right];
    links[at].next = links[right].next;
    links[right].rank = NO_RANK; /* it is gone: what the heap still says of it is void */
    if (links[at].next != NOWHERE) {
        links[links[at].next].previous = at;
    }
    rank_again(table, row, links, at, heap);
    if (links[at].previous != NOWHERE) {
        rank_again(table, row, links, links[at].previous, heap);
    }
}

static int merge_long(const struct merge_table *table, struct merge_row *row,
                      struct model_scratch *scratch)
{
    struct hearth_buf *link_buf = &scratch->bufs[2];
    struct hearth_buf *heap_buf = &scratch->bufs[3];
    hearth_buf_clear(link_buf);
    hearth_buf_clear(heap_buf);
    /* A merge takes one entry out and puts at most two in, and there are fewer merges than pairs.
     */
    int rc = hearth_buf_reserve(link_buf, row->count * sizeof(struct link));
    if (rc == 0) {
        rc = hearth_buf_reserve(heap_buf, (size_t)row->count * 2 * sizeof(uint64_t));
    }
    if (rc < 0) {
        return rc;
    }
    struct link *links = (struct link *)(void *)link_buf->data;
    struct heap heap = {(uint64_t *)(void *)heap_buf->data, 0};
    for (uint32_t i = 0; i < row->count; i++) {
        links[i] = (struct link){i - 1, i + 1 < row->count ? i + 1 : NOWHERE,
                                 rank_at(table, row, i, i + 1)};
        if (links[i].rank != NO_RANK) {
            heap.entries[heap.count++] = (uint64_t)links[i].rank << 32 | i;
        }
    }
    for (size_t i = heap.count / 4 + 1; i-- > 0 && heap.count > 1;) {
        sift_down(&heap, HEARTH_MIN(i, heap.count - 1));
    }
    while (heap.count > 0) {
        uint64_t entry = pop(&heap);
        uint32_t at = (uint32_t)entry;
        if (links[at].rank == (uint32_t)(entry >> 32)) {
            merge_at(table, row, links, at, &heap);
        }
    }
    uint32_t kept = 0;
    for (uint32_t at = 0; at != NOWHERE; at = links[at].next) {
        row->ids[kept] = row->ids[at];
        row->sizes[kept++] = row->sizes[at];
    }
    row->count = kept;
    return 0;
}

int merge_all(const struct merge_table *table, struct merge_row *row, struct model_scratch *scratch)
{
    if (row->count > SHORT_ROW) {
        return merge_long(table, row, scratch);
    }
    if (row->count > 1) {
        merge_short(table, row);
    }
    return 0;
}
