/* slab.c — a stack of free objects, each of which holds the next. */

#include "slab.h"

#include "alloc.h"

struct hearth_slab_free {
    struct hearth_slab_free *next;
};

void hearth_slab_init(struct hearth_slab *slab, size_t object_bytes, uint32_t max_kept)
{
    *slab = (struct hearth_slab){.object_bytes =
                                     HEARTH_MAX(object_bytes, sizeof(struct hearth_slab_free)),
                                 .max_kept = max_kept};
}

void hearth_slab_finish(struct hearth_slab *slab)
{
    HEARTH_ASSERT(slab->out == 0);
    while (slab->free != NULL) {
        struct hearth_slab_free *first = slab->free;
        slab->free = first->next;
        hearth_free(first);
    }
    slab->kept = 0;
}

void *hearth_slab_take(struct hearth_slab *slab)
{
    struct hearth_slab_free *first = slab->free;
    if (first == NULL) {
        first = hearth_alloc(1, slab->object_bytes);
    } else {
        slab->free = first->next;
        slab->kept--;
        first->next = NULL; /* the rest was wiped when it was given back */
    }
    slab->out += first != NULL;
    return first;
}

void hearth_slab_give(struct hearth_slab *slab, void *object)
{
    if (object == NULL) {
        return;
    }
    HEARTH_ASSERT(slab->out > 0);
    slab->out--;
    hearth_wipe(object, slab->object_bytes);
    if (slab->kept == slab->max_kept) {
        hearth_free(object);
        return;
    }
    struct hearth_slab_free *first = object;
    first->next = slab->free;
    slab->free = first;
    slab->kept++;
}
