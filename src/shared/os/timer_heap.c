/* timer_heap.c — an intrusive pairing heap.
 *
 * Each timer knows its first child, its next sibling and, in `prev`, its elder sibling or, if it is
 * a first child, its parent. Merging two heaps makes the later root the first child of the earlier.
 */

#include "os_priv.h"

static struct hearth_timer *merge(struct hearth_timer *a, struct hearth_timer *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    if (b->deadline_ns < a->deadline_ns) {
        struct hearth_timer *later = a;
        a = b;
        b = later;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child != NULL) {
        a->child->prev = b;
    }
    a->child = b;
    return a;
}

/* Takes the first timer off a list of siblings; *@list moves on. */
static struct hearth_timer *take_first(struct hearth_timer **list)
{
    struct hearth_timer *first = *list;
    if (first != NULL) {
        *list = first->next;
        first->next = NULL;
        first->prev = NULL;
    }
    return first;
}

/* Makes one heap of siblings: in pairs from the left, then all pairs from the right. The second
 * direction is what makes removal cheap on average. */
static struct hearth_timer *merge_siblings(struct hearth_timer *siblings)
{
    struct hearth_timer *pairs = NULL;
    while (siblings != NULL) {
        struct hearth_timer *a = take_first(&siblings);
        struct hearth_timer *pair = merge(a, take_first(&siblings));
        pair->next = pairs;
        pairs = pair;
    }
    struct hearth_timer *root = NULL;
    while (pairs != NULL) {
        struct hearth_timer *pair = take_first(&pairs);
        root = merge(root, pair);
    }
    return root;
}

struct hearth_timer *hearth_timer_heap_insert(struct hearth_timer *root, struct hearth_timer *timer)
{
    timer->child = NULL;
    timer->next = NULL;
    timer->prev = NULL;
    return merge(root, timer);
}

struct hearth_timer *hearth_timer_heap_remove(struct hearth_timer *root, struct hearth_timer *timer)
{
    struct hearth_timer *orphans = merge_siblings(timer->child);
    timer->child = NULL;
    if (timer == root) {
        return orphans;
    }
    if (timer->prev->child == timer) {
        timer->prev->child = timer->next;
    } else {
        timer->prev->next = timer->next;
    }
    if (timer->next != NULL) {
        timer->next->prev = timer->prev;
    }
    timer->next = NULL;
    timer->prev = NULL;
    return merge(root, orphans);
}
