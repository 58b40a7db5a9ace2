/* characters.c — see characters.h. */

#include "characters.h"

#include <stdlib.h>

#define SURROGATE_FIRST 0xD800u
#define SURROGATE_LAST  0xDFFFu

void characters_clear(struct characters *set)
{
    set->count = 0;
    set->is_full = false;
}

void characters_add(struct characters *set, uint32_t first, uint32_t last)
{
    if (set->count == CHARACTERS_MAX_RANGES && !set->is_full) {
        characters_tidy(set);
    }
    if (set->count == CHARACTERS_MAX_RANGES) {
        set->is_full = true;
    } else if (first <= last) {
        set->ranges[set->count++] = (struct character_range){first, last};
    }
}

static int compare_ranges(const void *left, const void *right)
{
    const struct character_range *a = left;
    const struct character_range *b = right;
    return (a->first > b->first) - (a->first < b->first);
}

/* Orders the ranges and joins those that touch. */
static void join(struct characters *set)
{
    qsort(set->ranges, set->count, sizeof *set->ranges, compare_ranges);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct character_range range = set->ranges[i];
        if (kept > 0 && range.first <= set->ranges[kept - 1].last + 1) {
            set->ranges[kept - 1].last = HEARTH_MAX(set->ranges[kept - 1].last, range.last);
        } else {
            set->ranges[kept++] = range;
        }
    }
    set->count = kept;
}

void characters_remove(struct characters *set, uint32_t first, uint32_t last)
{
    uint32_t count = set->count;
    uint32_t kept = 0;
    struct character_range tail = {1, 0}; /* one range can fall in two */
    for (uint32_t i = 0; i < count; i++) {
        struct character_range range = set->ranges[i];
        if (range.last < first || range.first > last) {
            set->ranges[kept++] = range;
            continue;
        }
        struct character_range behind = {last + 1, range.last};
        if (range.first < first) {
            set->ranges[kept++] = (struct character_range){range.first, first - 1};
            tail = behind.first <= behind.last ? behind : tail;
        } else if (behind.first <= behind.last) {
            set->ranges[kept++] = behind;
        }
    }
    set->count = kept;
    if (tail.first <= tail.last) {
        characters_add(set, tail.first, tail.last);
    }
}

void characters_tidy(struct characters *set)
{
    join(set);
    if (set->count < CHARACTERS_MAX_RANGES) {
        characters_remove(set, SURROGATE_FIRST, SURROGATE_LAST);
        join(set);
    }
}

void characters_invert(struct characters *set)
{
    join(set);
    struct characters other;
    characters_clear(&other);
    uint32_t next = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->ranges[i].first > next) {
            characters_add(&other, next, set->ranges[i].first - 1);
        }
        next = set->ranges[i].last + 1;
    }
    if (next <= CHARACTERS_LAST) {
        characters_add(&other, next, CHARACTERS_LAST);
    }
    other.is_full = other.is_full || set->is_full;
    *set = other;
    characters_tidy(set);
}

bool characters_have(const struct characters *set, uint32_t character)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (character >= set->ranges[i].first && character <= set->ranges[i].last) {
            return true;
        }
    }
    return false;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Ways to go on after the first byte: up to three ranges of bytes. Ranges of characters whose first
 * bytes go on alike share one way. */
struct way {
    struct byte_set firsts;
    unsigned more;
    uint8_t low[3];
    uint8_t high[3];
};

struct ways {
    uint32_t count;
    struct way all[4 * CHARACTERS_MAX_RANGES];
};

static void add_way(struct ways *ways, const uint8_t *low, const uint8_t *high, unsigned size)
{
    unsigned more = size - 1;
    uint32_t at = 0;
    for (; at < ways->count; at++) {
        const struct way *known = &ways->all[at];
        if (known->more == more && memcmp(known->low, low + 1, more) == 0 &&
            memcmp(known->high, high + 1, more) == 0) {
            break;
        }
    }
    if (at == HEARTH_COUNT(ways->all)) {
        return; /* a range has at most seven ways, and most of them are shared */
    }
    struct way *way = &ways->all[at];
    if (at == ways->count) {
        *way = (struct way){.more = more};
        memcpy(way->low, low + 1, more);
        memcpy(way->high, high + 1, more);
        ways->count++;
    }
    byte_set_add(&way->firsts, low[0], high[0]);
}

/* Characters of equal length: cut until all bytes but those that differ run over their whole range.
 */
static void add_ways(struct ways *ways, uint32_t first, uint32_t last)
{
    struct character_range todo[16] = {{first, last}};
    unsigned count = 1;
    while (count > 0) {
        struct character_range range = todo[--count];
        uint8_t low[4];
        uint8_t high[4];
        unsigned size = hearth_utf8_write(range.first, low);
        unsigned i = 1;
        for (; i < size; i++) {
            uint32_t mask = (UINT32_C(1) << (6 * i)) - 1;
            if ((range.first & ~mask) == (range.last & ~mask)) {
                continue;
            }
            if ((range.first & mask) != 0) {
                todo[count++] = (struct character_range){range.first, range.first | mask};
                todo[count++] = (struct character_range){(range.first | mask) + 1, range.last};
                break;
            }
            if ((range.last & mask) != mask) {
                todo[count++] = (struct character_range){range.first, (range.last & ~mask) - 1};
                todo[count++] = (struct character_range){range.last & ~mask, range.last};
                break;
            }
        }
        if (i == size) {
            hearth_utf8_write(range.last, high);
            add_way(ways, low, high, size);
        }
    }
}

static void find_ways(struct ways *ways, const struct characters *set)
{
    static const struct character_range lengths[] = {
        {0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, CHARACTERS_LAST}};
    ways->count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        for (size_t k = 0; k < HEARTH_COUNT(lengths); k++) {
            uint32_t first = HEARTH_MAX(set->ranges[i].first, lengths[k].first);
            uint32_t last = HEARTH_MIN(set->ranges[i].last, lengths[k].last);
            if (first <= last) {
                add_ways(ways, first, last);
            }
        }
    }
}

uint32_t draft_characters(struct draft *draft, struct characters *set)
{
    characters_tidy(set);
    HEARTH_AUTO(hearth_block) void *block = hearth_alloc(1, sizeof(struct ways));
    struct ways *ways = block;
    if (ways == NULL) {
        return draft_fail(draft, HEARTH_E_NO_MEMORY, "out of memory");
    }
    find_ways(ways, set);
    if (set->is_full || ways->count == HEARTH_COUNT(ways->all)) {
        return draft_fail(draft, HEARTH_E_TOO_LARGE,
                          "a class of characters has more than %u ranges", CHARACTERS_MAX_RANGES);
    }
    uint32_t all = DRAFT_NEVER;
    for (uint32_t i = 0; i < ways->count; i++) {
        const struct way *way = &ways->all[i];
        uint32_t one = draft_set(draft, way->firsts);
        for (unsigned k = 0; k < way->more; k++) {
            struct byte_set set_of_byte = {{0}};
            byte_set_add(&set_of_byte, way->low[k], way->high[k]);
            one = draft_sequence(draft, one, draft_set(draft, set_of_byte));
        }
        all = draft_choice(draft, all, one);
    }
    return all;
}
