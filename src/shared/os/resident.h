/* resident.h — memory that this process really holds, and giving back what it holds in vain. */

#ifndef HEARTH_RESIDENT_H
#define HEARTH_RESIDENT_H

#include "hearth_base.h"

/** Bytes of the pages from @memory on that are there, not only promised; it ends at the first page
 *  that is not mapped at all. Asks for each page: not for the hot path. */
size_t hearth_mapping_resident(const void *memory, size_t size_bytes);

/** Gives what libc keeps of freed memory back to the system. Takes milliseconds. */
void hearth_heap_trim(void);

/**
 * Lets go of the pages of a read-only file mapping; the next look at one takes it from the page
 * cache again. Never loses anything: the mapping must not be writable. Whole pages inside the
 * range only.
 */
void hearth_mapping_drop(const void *memory, size_t size_bytes);

/** The same for code and constants of the loaded library whose file name contains @name: most of
 *  what a library touches while it starts is never needed again. */
void hearth_library_drop(const char *name);

#endif
