/* hearth_os.h — the door to Linux: descriptors, the event loop, sockets, shared memory, processes.
 *
 * Only this room, sandbox/ and spawner/ make system calls; the others ask here and get a HEARTH_E_*
 * and a text that names what was refused. Nothing here knows what the bytes mean.
 *
 * Words: a *watch* is interest in one descriptor; a *deadline* is absolute CLOCK_MONOTONIC time in
 * nanoseconds (`_ns`), HEARTH_NEVER is one that does not come.
 *
 * Every descriptor made here is close-on-exec. Functions that return HEARTH_E_NOT_READY have done
 * nothing and may be called again when the descriptor is ready.                                  */

#ifndef HEARTH_OS_H
#define HEARTH_OS_H

#include "clock.h"
#include "cpu.h"
#include "discard.h"
#include "fd.h"
#include "file.h"
#include "loop.h"
#include "memfd.h"
#include "new_file.h"
#include "notify.h"
#include "pressure.h"
#include "proc.h"
#include "process.h"
#include "resident.h"
#include "socket.h"
#include "thread.h"

#endif
