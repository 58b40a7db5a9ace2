/* discard.h — closing what strangers sent, without waiting for it.
 *
 * close() may take long if the descriptor is the last of its file: a gigabyte of shared memory is
 * 0.2 s of freeing pages, a socket may linger, a file may belong to a file system that is anybody's
 * program. A thread of this process, started when it is first needed, does that and nothing else.
 * The number is gone for the caller at once. Process-wide, as descriptors are; any thread. */

#ifndef HEARTH_DISCARD_H
#define HEARTH_DISCARD_H

#include "fd.h"

#define HEARTH_MAX_DISCARDS 4096u /* that may wait; more are closed at once, whatever it takes */

/** Closes *@fd soon and sets it to -1; does nothing if it is negative. Never waits. */
void hearth_fd_discard(int *fd);

/**
 * Closes a socket at once if nothing unread lies in it; else ends its connection at once and
 * discards it, since what is unread may hold descriptors.
 */
void hearth_socket_discard(int *fd);

/** How many are not closed yet. What bounds descriptors of strangers counts these as well. */
unsigned hearth_fd_discards(void);

#endif
