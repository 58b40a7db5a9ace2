/* hearth_base.h — the floor: errors, allocation, bytes, lists. It knows nothing of Linux or Hearth.
 *
 * Words: a *slice* lends bytes that it does not own; a *buf* owns bytes and has a cap; an *arena*
 * owns many small things that end together; a *slab* keeps objects of one size, a *pool* memory of
 * bufs, for the next use. */

#ifndef HEARTH_BASE_H
#define HEARTH_BASE_H

#include "alloc.h"
#include "arena.h"
#include "buf.h"
#include "buf_pool.h"
#include "err.h"
#include "lang.h"
#include "list.h"
#include "slab.h"
#include "slice.h"
#include "utf8.h"

#endif
