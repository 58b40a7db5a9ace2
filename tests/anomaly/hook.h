/* hook.h — how a test tells a hearthd which of its allocations shall fail, and asks what is alive.
 *
 * Built only into hearthd-anomaly, which is never installed. Over the socket whose number is in
 * HEARTH_ANOMALY_FD, one packet each way:
 *
 *   "N"  the N-th allocation from now on fails; 0: none. Anything else changes nothing.
 *   →    "ALLOCATIONS LIVE FAILED": allocations so far, blocks alive, 1 if the armed one has failed
 *
 * HEARTH_ANOMALY_FAIL_AT=N arms before main; HEARTH_ANOMALY_SPAWNER_FAIL_AT=N arms in the spawner,
 * which every fork of hearthd is. */

#ifndef HEARTH_ANOMALY_HOOK_H
#define HEARTH_ANOMALY_HOOK_H

#include "hearth_os.h"

/** Watches the socket in @loop; nothing to do if none was given. As hearth_loop_watch(). */
HEARTH_NODISCARD int anomaly_watch(struct hearth_loop *loop, struct hearth_error *err);

#endif
