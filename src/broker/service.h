/* service.h — hearthd as a service: what its manager hears of it (see notify.h).
 *
 * READY=1 is told when the socket listens: from then on requests are taken, and those for a model
 * that is still being loaded wait for it. To wait for the models themselves would put the time of a
 * load into the manager's start timeout; who needs to know asks `hearth models`.
 *
 * The watchdog is fed by a timer of the loop: a loop that is stuck does not feed it. Without a
 * watchdog there is no timer. */

#ifndef HEARTHD_SERVICE_H
#define HEARTHD_SERVICE_H

#include "hearth_os.h"

#define SERVICE_STATUS_BYTES 320u

struct service {
    struct hearth_notify notify;
    struct hearth_loop *loop;
    struct hearth_timer timer;
    uint64_t fed_ns;                   /* when the watchdog was fed last */
    bool is_untold;                    /* READY=1 could not be sent yet */
    char status[SERVICE_STATUS_BYTES]; /* one line for people */
};

/** Connects to the manager, if there is one; that it cannot be reached is logged. */
void service_open(struct service *service);

/** Tells that requests are taken, at the start and after a reload; feeds the watchdog from now on.
 */
void service_ready(struct service *service, struct hearth_loop *loop, const char *status);

void service_reloading(struct service *service);
void service_stopping(struct service *service, const char *status);
void service_close(struct service *service);

#endif
