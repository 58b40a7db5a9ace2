/* wheel.h — deadlines of many jobs: put in and taken out in constant time, in any order.
 *
 * A hierarchical timing wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP
 * 1987). A deadline stands at the level of the highest digit, of six bits, in which it differs from
 * the wheel's clock; it comes down a level whenever the clock reaches its digit. */

#ifndef HEARTH_SCHED_WHEEL_H
#define HEARTH_SCHED_WHEEL_H

#include "hearth_base.h"

#define HEARTH_WHEEL_BITS   6u
#define HEARTH_WHEEL_SLOTS  (1u << HEARTH_WHEEL_BITS)
#define HEARTH_WHEEL_LEVELS 11u /* 64 bits */
#define HEARTH_WHEEL_NEVER  UINT64_MAX

/** Embedded in what has the deadline. */
struct hearth_wheel_node {
    uint64_t at_ms; /* HEARTH_WHEEL_NEVER: it is in no slot */
    struct hearth_list link;
};

struct hearth_wheel {
    uint64_t clock_ms; /* nothing that is in it is earlier, but what was late when it was put in */
    uint64_t used[HEARTH_WHEEL_LEVELS]; /* slots that hold something, one bit each */
    uint64_t count;
    struct hearth_list slots[HEARTH_WHEEL_LEVELS * HEARTH_WHEEL_SLOTS];
};

void sched_wheel_init(struct hearth_wheel *wheel);

/** Puts @node in for @at_ms; HEARTH_WHEEL_NEVER: nowhere. @now_ms: moves the clock of an empty one.
 */
void sched_wheel_insert(struct hearth_wheel *wheel, struct hearth_wheel_node *node, uint64_t at_ms,
                        uint64_t now_ms);
void sched_wheel_remove(struct hearth_wheel *wheel, struct hearth_wheel_node *node);

/** A node that is not after @now_ms, or NULL. It stays in. */
struct hearth_wheel_node *sched_wheel_due(struct hearth_wheel *wheel, uint64_t now_ms);

/** When to ask for the due next: not after the earliest; HEARTH_WHEEL_NEVER: nothing is in. */
uint64_t sched_wheel_next_ms(const struct hearth_wheel *wheel);

#endif
