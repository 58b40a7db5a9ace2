/* slab.h — objects of one size that come and go: freed ones are kept for the next, up to a number.
 */

#ifndef HEARTH_SLAB_H
#define HEARTH_SLAB_H

#include "lang.h"

/** One thread at a time. Fields are private but for reading. */
struct hearth_slab {
    struct hearth_slab_free *free; /* linked through the objects */
    size_t object_bytes;
    uint32_t max_kept;
    uint32_t kept;
    uint64_t out; /* taken and not given back */
};

/** Prepares a slab of objects of @object_bytes that keeps at most @max_kept; allocates nothing yet.
 */
void hearth_slab_init(struct hearth_slab *slab, size_t object_bytes, uint32_t max_kept);

/** Frees what is kept; all objects must have been given back. */
void hearth_slab_finish(struct hearth_slab *slab);

/** Returns an object of zeroes, or NULL when out of memory. */
HEARTH_NODISCARD void *hearth_slab_take(struct hearth_slab *slab);

/** Wipes @object and takes it back. NULL is fine. */
void hearth_slab_give(struct hearth_slab *slab, void *object);

#endif
