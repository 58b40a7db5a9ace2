/* hearth_transport.h — moving messages without knowing what they mean.
 *
 * frames.h: length-prefixed frames over a stream socket, between a client and the daemon.
 * ring.h:   a pair of rings in shared memory, between the daemon and one worker.
 *
 * Both sides of both distrust the other: lengths and indexes are checked before use, and a peer
 * that breaks the rules gets HEARTH_E_MALFORMED or HEARTH_E_TOO_LARGE, never memory.             */

#ifndef HEARTH_TRANSPORT_H
#define HEARTH_TRANSPORT_H

#include "frames.h"
#include "ring.h"

#endif
