/* prefix.c — see hearth_prefix.h.
 *
 * A plain scan: with at most 256 entries it costs less than the call that it saves, and it has no
 * order to keep. Before an entry is compared as a whole, the one token that would make it better
 * than the best so far must fit, which most do not. */

#include "hearth_prefix.h"

#define PREFIX_MAGIC 0x9ef1u

enum state { FREE, HELD, IDLE };

struct entry {
    enum state state;
    uint64_t domain;
    uint64_t used; /* the index's count of uses at the last one */
    uint32_t count;
    int32_t *tokens;
};

struct hearth_prefix {
    uint32_t magic;
    uint32_t entry_count;
    uint32_t room;
    uint64_t uses;
    struct entry entries[HEARTH_PREFIX_MAX_ENTRIES];
};

int hearth_prefix_create(uint32_t entries, uint32_t room, struct hearth_prefix **ret,
                         struct hearth_error *err)
{
    HEARTH_ASSERT(entries <= HEARTH_PREFIX_MAX_ENTRIES);
    struct hearth_prefix *index = hearth_alloc(1, sizeof *index);
    if (index == NULL) {
        return hearth_fail_oom(err);
    }
    index->magic = PREFIX_MAGIC;
    index->room = room;
    for (; index->entry_count < entries; index->entry_count++) {
        struct entry *entry = &index->entries[index->entry_count];
        entry->tokens = hearth_alloc(HEARTH_MAX(room, 1u), sizeof *entry->tokens);
        if (entry->tokens == NULL) {
            hearth_prefix_destroy(index);
            return hearth_fail_oom(err);
        }
    }
    *ret = index;
    return 0;
}

static struct entry *entry_of(struct hearth_prefix *index, uint32_t number)
{
    HEARTH_CHECK(index, PREFIX_MAGIC);
    HEARTH_ASSERT(number < index->entry_count);
    return &index->entries[number];
}

static const struct entry *peek(const struct hearth_prefix *index, uint32_t number)
{
    HEARTH_CHECK(index, PREFIX_MAGIC);
    HEARTH_ASSERT(number < index->entry_count);
    return &index->entries[number];
}

void hearth_prefix_destroy(struct hearth_prefix *index)
{
    if (index == NULL) {
        return;
    }
    for (uint32_t i = 0; i < index->entry_count; i++) {
        if (index->entries[i].state != FREE) {
            hearth_prefix_remove(index, i);
        }
        hearth_free(index->entries[i].tokens);
    }
    hearth_free(index);
}

int32_t *hearth_prefix_tokens(struct hearth_prefix *index, uint32_t entry)
{
    return entry_of(index, entry)->tokens;
}

uint32_t hearth_prefix_free(const struct hearth_prefix *index, uint32_t first, uint32_t end)
{
    HEARTH_CHECK(index, PREFIX_MAGIC);
    for (uint32_t i = first; i < HEARTH_MIN(end, index->entry_count); i++) {
        if (index->entries[i].state == FREE) {
            return i;
        }
    }
    return HEARTH_PREFIX_NONE;
}

void hearth_prefix_hold(struct hearth_prefix *index, uint32_t number, uint64_t domain)
{
    struct entry *entry = entry_of(index, number);
    HEARTH_ASSERT(entry->state == FREE);
    entry->state = HELD;
    entry->domain = domain;
    entry->count = 0;
    entry->used = ++index->uses;
}

void hearth_prefix_set(struct hearth_prefix *index, uint32_t number, uint32_t count)
{
    struct entry *entry = entry_of(index, number);
    HEARTH_ASSERT(entry->state == HELD && count <= index->room);
    entry->count = count;
}

static void wipe_from(const struct hearth_prefix *index, struct entry *entry, uint32_t from)
{
    hearth_wipe(entry->tokens + from, (size_t)(index->room - from) * sizeof *entry->tokens);
}

void hearth_prefix_release(struct hearth_prefix *index, uint32_t number)
{
    struct entry *entry = entry_of(index, number);
    HEARTH_ASSERT(entry->state == HELD);
    wipe_from(index, entry, entry->count);
    entry->state = IDLE;
    entry->used = ++index->uses;
}

void hearth_prefix_remove(struct hearth_prefix *index, uint32_t number)
{
    struct entry *entry = entry_of(index, number);
    wipe_from(index, entry, 0);
    entry->state = FREE;
    entry->domain = 0;
    entry->count = 0;
}

void hearth_prefix_swap(struct hearth_prefix *index, uint32_t one, uint32_t other)
{
    struct entry kept = *entry_of(index, one);
    index->entries[one] = *entry_of(index, other);
    index->entries[other] = kept;
}

/* How many tokens both begin with. Blocks first: memcmp() is much faster than a loop. */
static uint32_t common_of(const int32_t *one, const int32_t *other, uint32_t most)
{
    enum { BLOCK = 64 };
    uint32_t at = 0;
    while (most - at >= BLOCK && memcmp(one + at, other + at, BLOCK * sizeof *one) == 0) {
        at += BLOCK;
    }
    while (at < most && one[at] == other[at]) {
        at++;
    }
    return at;
}

uint32_t hearth_prefix_find(const struct hearth_prefix *index, uint64_t domain,
                            const int32_t *tokens, uint32_t count, uint32_t *ret_common)
{
    HEARTH_CHECK(index, PREFIX_MAGIC);
    uint32_t best = 0;
    uint32_t found = HEARTH_PREFIX_NONE;
    for (uint32_t i = 0; i < index->entry_count && best < count; i++) {
        const struct entry *entry = &index->entries[i];
        if (entry->state == FREE || entry->domain != domain || entry->count <= best ||
            entry->tokens[best] != tokens[best]) {
            continue;
        }
        uint32_t common = common_of(entry->tokens, tokens, HEARTH_MIN(entry->count, count));
        if (common > best) {
            best = common;
            found = i;
        }
    }
    *ret_common = best;
    return found;
}

void hearth_prefix_touch(struct hearth_prefix *index, uint32_t number)
{
    entry_of(index, number)->used = ++index->uses;
}

uint32_t hearth_prefix_covered(const struct hearth_prefix *index, uint64_t domain,
                               const int32_t *tokens, uint32_t count)
{
    HEARTH_CHECK(index, PREFIX_MAGIC);
    for (uint32_t i = 0; i < index->entry_count; i++) {
        const struct entry *entry = &index->entries[i];
        if (entry->state == IDLE && entry->domain == domain && entry->count <= count &&
            common_of(entry->tokens, tokens, entry->count) == entry->count) {
            return i;
        }
    }
    return HEARTH_PREFIX_NONE;
}

uint32_t hearth_prefix_victim(const struct hearth_prefix *index)
{
    HEARTH_CHECK(index, PREFIX_MAGIC);
    uint32_t oldest = HEARTH_PREFIX_NONE;
    for (uint32_t i = 0; i < index->entry_count; i++) {
        if (index->entries[i].state == IDLE &&
            (oldest == HEARTH_PREFIX_NONE ||
             index->entries[i].used < index->entries[oldest].used)) {
            oldest = i;
        }
    }
    return oldest;
}

uint32_t hearth_prefix_count(const struct hearth_prefix *index, uint32_t entry)
{
    return peek(index, entry)->count;
}

uint64_t hearth_prefix_domain(const struct hearth_prefix *index, uint32_t entry)
{
    return peek(index, entry)->domain;
}

uint32_t hearth_prefix_idle(const struct hearth_prefix *index)
{
    HEARTH_CHECK(index, PREFIX_MAGIC);
    uint32_t idle = 0;
    for (uint32_t i = 0; i < index->entry_count; i++) {
        idle += index->entries[i].state == IDLE;
    }
    return idle;
}
