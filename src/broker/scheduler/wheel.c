/* wheel.c — the timing wheel. What stands at a lower level is earlier than all at a higher one, so
 * the earliest slot is the first of the lowest level that is used. */

#include "wheel.h"

void sched_wheel_init(struct hearth_wheel *wheel)
{
    *wheel = (struct hearth_wheel){0};
    for (size_t i = 0; i < HEARTH_COUNT(wheel->slots); i++) {
        hearth_list_init(&wheel->slots[i]);
    }
}

static unsigned level_of(const struct hearth_wheel *wheel, uint64_t at_ms)
{
    uint64_t differs = at_ms ^ wheel->clock_ms;
    return differs == 0 ? 0 : (63u - (unsigned)__builtin_clzll(differs)) / HEARTH_WHEEL_BITS;
}

static void put(struct hearth_wheel *wheel, struct hearth_wheel_node *node)
{
    uint64_t at_ms = HEARTH_MAX(node->at_ms, wheel->clock_ms); /* what is late is due at once */
    unsigned level = level_of(wheel, at_ms);
    unsigned slot = (at_ms >> (level * HEARTH_WHEEL_BITS)) & (HEARTH_WHEEL_SLOTS - 1);
    hearth_list_append(&wheel->slots[level * HEARTH_WHEEL_SLOTS + slot], &node->link);
    wheel->used[level] |= UINT64_C(1) << slot;
}

void sched_wheel_insert(struct hearth_wheel *wheel, struct hearth_wheel_node *node, uint64_t at_ms,
                        uint64_t now_ms)
{
    node->at_ms = at_ms;
    hearth_list_init(&node->link);
    if (at_ms == HEARTH_WHEEL_NEVER) {
        return;
    }
    if (wheel->count++ == 0) {
        wheel->clock_ms = HEARTH_MAX(wheel->clock_ms, now_ms);
    }
    put(wheel, node);
}

void sched_wheel_remove(struct hearth_wheel *wheel, struct hearth_wheel_node *node)
{
    if (node->at_ms == HEARTH_WHEEL_NEVER) {
        return;
    }
    struct hearth_list *neighbour = node->link.next;
    if (neighbour == node->link.prev) { /* nothing but the slot itself */
        size_t slot = (size_t)(neighbour - wheel->slots);
        wheel->used[slot / HEARTH_WHEEL_SLOTS] &= ~(UINT64_C(1) << slot % HEARTH_WHEEL_SLOTS);
    }
    hearth_list_remove(&node->link);
    node->at_ms = HEARTH_WHEEL_NEVER;
    wheel->count--;
}

/* The lowest level that is used, or HEARTH_WHEEL_LEVELS. */
static unsigned lowest_level(const struct hearth_wheel *wheel)
{
    unsigned level = 0;
    while (level < HEARTH_WHEEL_LEVELS && wheel->used[level] == 0) {
        level++;
    }
    return level;
}

/* Where the first used slot of @level begins. */
static uint64_t begin_ms(const struct hearth_wheel *wheel, unsigned level)
{
    unsigned shift = level * HEARTH_WHEEL_BITS;
    uint64_t slot = (uint64_t)__builtin_ctzll(wheel->used[level]);
    uint64_t above = shift + HEARTH_WHEEL_BITS < 64
                         ? wheel->clock_ms >> (shift + HEARTH_WHEEL_BITS) << HEARTH_WHEEL_BITS
                         : 0;
    return (above | slot) << shift;
}

/* The clock reaches the first slot of @level: what is in it comes down. */
static void bring_down(struct hearth_wheel *wheel, unsigned level)
{
    unsigned slot = (unsigned)__builtin_ctzll(wheel->used[level]);
    struct hearth_list *from = &wheel->slots[level * HEARTH_WHEEL_SLOTS + slot];
    wheel->clock_ms = begin_ms(wheel, level);
    wheel->used[level] &= ~(UINT64_C(1) << slot);
    while (!hearth_list_is_empty(from)) {
        struct hearth_wheel_node *node =
            HEARTH_CONTAINER(struct hearth_wheel_node, link, from->next);
        hearth_list_remove(&node->link);
        put(wheel, node);
    }
}

struct hearth_wheel_node *sched_wheel_due(struct hearth_wheel *wheel, uint64_t now_ms)
{
    unsigned level = lowest_level(wheel);
    while (level < HEARTH_WHEEL_LEVELS && begin_ms(wheel, level) <= now_ms) {
        if (level == 0) {
            size_t slot = (size_t)__builtin_ctzll(wheel->used[0]);
            return HEARTH_CONTAINER(struct hearth_wheel_node, link, wheel->slots[slot].next);
        }
        bring_down(wheel, level);
        level = lowest_level(wheel);
    }
    return NULL;
}

uint64_t sched_wheel_next_ms(const struct hearth_wheel *wheel)
{
    unsigned level = lowest_level(wheel);
    return level < HEARTH_WHEEL_LEVELS ? begin_ms(wheel, level) : HEARTH_WHEEL_NEVER;
}
