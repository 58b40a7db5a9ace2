/* alloc.h — the one door to the heap.
 *
 * Every allocation of ours goes through it, so that a test can count them and make the n-th fail.
 * Libraries that we link keep their own allocators.                                              */

#ifndef HEARTH_ALLOC_H
#define HEARTH_ALLOC_H

#include "lang.h"

/** Returns @count * @size zeroed bytes, or NULL if that overflows or there is no memory. */
HEARTH_NODISCARD void *hearth_alloc(size_t count, size_t size);

/**
 * Resizes @block (may be NULL) to @count * @size bytes; new bytes are not zeroed. Returns NULL on
 * failure and then @block is unchanged and still owned by the caller.
 */
HEARTH_NODISCARD void *hearth_realloc(void *block, size_t count, size_t size);

/** Copies @size bytes and adds a terminator. */
HEARTH_NODISCARD char *hearth_copy_string(const void *text, size_t size);

/** Gives back what the functions above returned; NULL is fine. */
void hearth_free(void *block);

/** Overwrites @size bytes so that the compiler cannot leave it out: for content and keys. */
void hearth_wipe(void *block, size_t size);

/* For tests: allocations made so far by this process, and a failure to come. */
uint64_t hearth_alloc_count(void);
/** Makes the @nth allocation from now fail (1 = the next); 0 ends it. Safe from any thread. */
void hearth_alloc_fail_at(uint64_t nth);
/** True when the failure asked for has happened. */
bool hearth_alloc_has_failed(void);
/** Blocks allocated and not yet freed. */
int64_t hearth_alloc_live(void);

/* HEARTH_AUTO(hearth_block) void *p = hearth_alloc(…); frees p at the end of the scope. */
static inline void hearth_block_cleanup(void *owned)
{
    void **pointer = owned;
    hearth_free(*pointer);
}

#endif
