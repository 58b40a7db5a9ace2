/* probe.h — tries, from inside a loaded worker, what the closed door must refuse. Tests only. */

#ifndef HEARTH_PROBE_H
#define HEARTH_PROBE_H

#include "hearth_engine.h"

/** Writes one line an attempt to standard error, "probe <thread> <attempt> <errno name or ok>",
 *  from this thread and from a new one, then "probe end". */
void probe_door(const struct hearth_engine_plan *plan);

#endif
