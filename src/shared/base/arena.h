/* arena.h — many small things that end together: what one request or one loaded file needs. */

#ifndef HEARTH_ARENA_H
#define HEARTH_ARENA_H

#include "lang.h"
#include "slice.h"

struct hearth_arena_block;

/** Hands out zeroed memory in blocks; never more than @cap bytes in all. One thread at a time. */
struct hearth_arena {
    struct hearth_arena_block *blocks;
    size_t used_bytes; /* handed out, alignment included */
    size_t cap;
};

/** Prepares an arena of at most @cap bytes; allocates nothing yet. */
void hearth_arena_init(struct hearth_arena *arena, size_t cap);

/** Gives back everything at once. */
void hearth_arena_finish(struct hearth_arena *arena);

/** Overwrites what was handed out and keeps the first block for the next use. */
void hearth_arena_reset(struct hearth_arena *arena);

/** Returns @count * @size zeroed bytes aligned for any type; NULL at the cap or out of memory. */
HEARTH_NODISCARD void *hearth_arena_alloc(struct hearth_arena *arena, size_t count, size_t size);

/** Copies bytes and adds a terminator. NULL as above. */
HEARTH_NODISCARD char *hearth_arena_copy(struct hearth_arena *arena, struct hearth_slice slice);

#endif
