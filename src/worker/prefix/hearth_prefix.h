/* hearth_prefix.h — an index of token sequences by their beginnings: who holds the longest one that
 * a prompt starts with.
 *
 * Words: an *entry* is a place for one sequence of tokens, known by its number; its *prefix* is the
 * first part of it, which may be found; entries of different *domains* never meet. A *held* entry
 * belongs to work that is under way, an *idle* one waits to be useful again, a *free* one is empty.
 * An entry's tokens are written by the caller into the memory that the index owns.
 *
 * Pure: no clock (the order of use is counted), no thread (one at a time), nothing is allocated
 * after create. What leaves the index is wiped. */

#ifndef HEARTH_PREFIX_H
#define HEARTH_PREFIX_H

#include "hearth_base.h"

#define HEARTH_PREFIX_MAX_ENTRIES 320u
#define HEARTH_PREFIX_NONE        UINT32_MAX

struct hearth_prefix;

/** Makes an index of @entries free entries (at most HEARTH_PREFIX_MAX_ENTRIES) with room for
 *  @room tokens each. HEARTH_E_NO_MEMORY. */
HEARTH_NODISCARD int hearth_prefix_create(uint32_t entries, uint32_t room,
                                          struct hearth_prefix **ret, struct hearth_error *err);
/** Wipes all tokens. NULL is fine. */
void hearth_prefix_destroy(struct hearth_prefix *index);
HEARTH_DEFINE_CLEANUP(hearth_prefix)

/** The memory of @entry for its tokens; the caller may write while it holds the entry. */
int32_t *hearth_prefix_tokens(struct hearth_prefix *index, uint32_t entry);

/** A free entry with a number in @first..@end-1, or HEARTH_PREFIX_NONE. */
uint32_t hearth_prefix_free(const struct hearth_prefix *index, uint32_t first, uint32_t end);

/** Holds a free @entry for @domain; nothing of it can be found yet. */
void hearth_prefix_hold(struct hearth_prefix *index, uint32_t entry, uint64_t domain);

/** The first @count tokens of a held @entry can be found from now on, and no more than these: it
 *  extends the prefix or truncates it. At most the room. */
void hearth_prefix_set(struct hearth_prefix *index, uint32_t entry, uint32_t count);

/** Ends the hold: the entry is idle, and its use is now. Tokens beyond its prefix are wiped. */
void hearth_prefix_release(struct hearth_prefix *index, uint32_t entry);

/** Makes the entry free, held or idle, and wipes all its room. */
void hearth_prefix_remove(struct hearth_prefix *index, uint32_t entry);

/** Exchanges the contents of two entries without copying: what was in one has the other's number.
 */
void hearth_prefix_swap(struct hearth_prefix *index, uint32_t one, uint32_t other);

/**
 * The entry of @domain whose prefix has the longest beginning in common with @tokens; @ret_common
 * is how long that is. Of several the first idle or held one. HEARTH_PREFIX_NONE if none has any.
 * Costs one comparison of tokens for each entry that could be better than the best so far.
 */
uint32_t hearth_prefix_find(const struct hearth_prefix *index, uint64_t domain,
                            const int32_t *tokens, uint32_t count, uint32_t *ret_common);

/** The entry was useful: its use is now. */
void hearth_prefix_touch(struct hearth_prefix *index, uint32_t entry);

/** An idle entry of @domain whose whole prefix is a beginning of @tokens, so that it adds nothing
 *  beside them; HEARTH_PREFIX_NONE if there is none. */
uint32_t hearth_prefix_covered(const struct hearth_prefix *index, uint64_t domain,
                               const int32_t *tokens, uint32_t count);

/** The idle entry whose last use is longest ago, or HEARTH_PREFIX_NONE. */
uint32_t hearth_prefix_victim(const struct hearth_prefix *index);

/** Tokens of the prefix of an entry; 0 for a free one. */
uint32_t hearth_prefix_count(const struct hearth_prefix *index, uint32_t entry);
/** Its domain; 0 for a free one. */
uint64_t hearth_prefix_domain(const struct hearth_prefix *index, uint32_t entry);
/** Entries that are idle. */
uint32_t hearth_prefix_idle(const struct hearth_prefix *index);

#endif
