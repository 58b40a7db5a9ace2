/* thread.h — starting threads with a name and a priority. Locks are pthread's own. */

#ifndef HEARTH_THREAD_H
#define HEARTH_THREAD_H

#include "hearth_base.h"

#include <pthread.h>

typedef void hearth_thread_fn(void *arg);

/**
 * Starts a thread with all signals blocked, @name (15 bytes are kept) and @nice added priority
 * (0–19; compute threads use 10 or more, so that I/O threads are not delayed). End it by returning
 * from @run, then hearth_thread_join(). HEARTH_E_NO_MEMORY, HEARTH_E_SYSTEM.
 */
int hearth_thread_start(pthread_t *ret_thread, const char *name, int nice, hearth_thread_fn *run,
                        void *arg, struct hearth_error *err);

/** Waits for its end. */
void hearth_thread_join(pthread_t thread);

/** Returns the nice value of the calling thread, -20 to 19. */
int hearth_thread_nice(void);

/** Sets the nice value of the calling thread only; raising priority again needs privilege. */
int hearth_thread_set_nice(int nice, struct hearth_error *err);

#endif
