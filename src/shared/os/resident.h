/* resident.h — memory that this process really holds, and giving back what it holds in vain. */

#ifndef HEARTH_RESIDENT_H
#define HEARTH_RESIDENT_H

#include "hearth_base.h"

/** Bytes that the allocator of libc has handed out and not got back; 0 if it does not tell (under
 *  sanitizers). Walks its arenas: not for the hot path. */
uint64_t hearth_heap_bytes(void);

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
