/* turns.c — the pairing heap. Melding is without recursion, for a heap may be one long row. */

#include "turns.h"

static bool goes_before(const struct hearth_turn_node *a, const struct hearth_turn_node *b)
{
    return a->key < b->key || (a->key == b->key && a->order < b->order);
}

/* Makes one heap of two, each with a root that has no siblings. */
static struct hearth_turn_node *meld(struct hearth_turn_node *a, struct hearth_turn_node *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    struct hearth_turn_node *top = goes_before(b, a) ? b : a;
    struct hearth_turn_node *below = top == a ? b : a;
    below->next = top->child;
    below->prev = top;
    if (top->child != NULL) {
        top->child->prev = below;
    }
    top->child = below;
    return top;
}

/* Takes the first of a row of siblings off; *@row becomes the rest. */
static struct hearth_turn_node *take_first(struct hearth_turn_node **row)
{
    struct hearth_turn_node *first = *row;
    if (first != NULL) {
        *row = first->next;
        first->next = NULL;
        first->prev = NULL;
    }
    return first;
}

/* Two passes: neighbours are melded in pairs, then the pairs from the last to the first. */
static struct hearth_turn_node *meld_row(struct hearth_turn_node *row)
{
    struct hearth_turn_node *pairs = NULL;
    struct hearth_turn_node *all = NULL;
    while (row != NULL) {
        struct hearth_turn_node *first = take_first(&row);
        struct hearth_turn_node *pair = meld(first, take_first(&row));
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs != NULL) {
        all = meld(all, take_first(&pairs));
    }
    return all;
}

void sched_turns_insert(struct hearth_turn_node **root, struct hearth_turn_node *node)
{
    node->child = NULL;
    node->next = NULL;
    node->prev = NULL;
    *root = meld(*root, node);
}

void sched_turns_remove(struct hearth_turn_node **root, struct hearth_turn_node *node)
{
    struct hearth_turn_node *below = meld_row(node->child);
    if (node == *root) {
        *root = below;
        return;
    }
    if (node->prev->child == node) {
        node->prev->child = node->next;
    } else {
        node->prev->next = node->next;
    }
    if (node->next != NULL) {
        node->next->prev = node->prev;
    }
    *root = meld(*root, below);
}
