/* turns.h — a pairing heap of turns: whose counter is least goes first.
 *
 * Fredman, Sedgewick, Sleator, Tarjan, "The Pairing Heap: A New Form of Self-Adjusting Heap",
 * Algorithmica 1, 1986. It needs no array, so as many flows may wait as there are. Equal counters
 * go in the order in which they were put in. */

#ifndef HEARTH_SCHED_TURNS_H
#define HEARTH_SCHED_TURNS_H

#include "hearth_base.h"

struct hearth_turn_node {
    uint64_t key;
    uint64_t order; /* among equal keys */
    struct hearth_turn_node *child;
    struct hearth_turn_node *next; /* sibling */
    struct hearth_turn_node *prev; /* the sibling before it, or of the first one its parent */
};

/** Puts @node into the heap whose least node is *@root (NULL: empty). */
void sched_turns_insert(struct hearth_turn_node **root, struct hearth_turn_node *node);

/** Takes @node, which must be in that heap, out. */
void sched_turns_remove(struct hearth_turn_node **root, struct hearth_turn_node *node);

#endif
