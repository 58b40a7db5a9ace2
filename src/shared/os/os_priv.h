/* os_priv.h — what the files of this room share. */

#ifndef HEARTH_OS_PRIV_H
#define HEARTH_OS_PRIV_H

#include "loop.h"

#include <time.h>

/* From errno of a read or write: NOT_READY, DISCONNECTED or SYSTEM. */
int hearth_os_io_error(void);

/* From errno of an open, mkdir, bind…: DENIED, ARGUMENT (name too long) or SYSTEM. */
int hearth_os_access_error(void);

/* Reads a whole decimal number; false if @text is anything else or does not fit. */
bool hearth_os_number(const char *text, uint64_t *ret);

/* The time until @deadline_ns in @room, or NULL for HEARTH_NEVER; 0 needs no clock. */
struct timespec *hearth_os_time_left(uint64_t deadline_ns, struct timespec *room);

/* Timers ordered by deadline in a pairing heap: no memory of its own, O(1) insert, O(log n) removal
 * on average. The root is the earliest; NULL is an empty heap. Each returns the new root. */
struct hearth_timer *hearth_timer_heap_insert(struct hearth_timer *root,
                                              struct hearth_timer *timer);
struct hearth_timer *hearth_timer_heap_remove(struct hearth_timer *root,
                                              struct hearth_timer *timer);

#endif
