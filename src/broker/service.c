/* service.c — news for the service manager. */

#include "service.h"

#include "hearth_log.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RETRY_NS     (100 * HEARTH_NS_PER_MS)
#define MESSAGE_SIZE (SERVICE_STATUS_BYTES + 32u)

void service_open(struct service *service)
{
    struct hearth_error err = {0};
    if (hearth_notify_open(&service->notify, &err) < 0) {
        hearth_log(HEARTH_LOG_WARN, "service.unreachable", "error", hearth_log_err(&err), "remedy",
                   hearth_log_s("unset NOTIFY_SOCKET, or start hearthd by its service manager"),
                   NULL);
    }
}

static uint64_t feed_interval_ns(const struct service *service)
{
    return service->notify.watchdog_ns / 2;
}

/* When the timer has to run next: for a message to repeat, or for the watchdog. */
static void arm(struct service *service, uint64_t now_ns)
{
    uint64_t deadline_ns = HEARTH_NEVER;
    if (feed_interval_ns(service) > 0) {
        deadline_ns = service->fed_ns + feed_interval_ns(service);
    }
    if (service->is_untold) {
        deadline_ns = HEARTH_MIN(deadline_ns, now_ns + RETRY_NS);
    }
    hearth_loop_arm(service->loop, &service->timer, deadline_ns);
}

/* A full queue is tried again: a start that is never told of would be undone. */
static void tell_ready(struct service *service)
{
    char message[MESSAGE_SIZE];
    snprintf(message, sizeof message, "READY=1\nSTATUS=%s", service->status);
    service->is_untold = hearth_notify_send(&service->notify, message) == HEARTH_E_NOT_READY;
}

static void on_timer(void *arg, uint64_t now_ns)
{
    struct service *service = arg;
    if (service->is_untold) {
        tell_ready(service);
    }
    if (feed_interval_ns(service) > 0 && now_ns >= service->fed_ns + feed_interval_ns(service)) {
        hearth_notify_send(&service->notify, "WATCHDOG=1");
        service->fed_ns = now_ns;
    }
    arm(service, now_ns);
}

/* One line of UTF-8: a line feed would begin another assignment. */
static void set_status(struct service *service, const char *status)
{
    size_t size = HEARTH_MIN(strlen(status), sizeof service->status - 1);
    size = hearth_utf8_valid_bytes(hearth_slice_of(status, size));
    for (size_t i = 0; i < size; i++) {
        service->status[i] = (unsigned char)status[i] < ' ' ? ' ' : status[i];
    }
    service->status[size] = '\0';
}

void service_ready(struct service *service, struct hearth_loop *loop, const char *status)
{
    uint64_t now_ns = hearth_clock_ns();
    if (service->loop == NULL) {
        service->loop = loop;
        service->fed_ns = now_ns; /* READY=1 counts as a sign of life */
        hearth_timer_init(&service->timer, on_timer, service);
    }
    set_status(service, status);
    tell_ready(service);
    arm(service, now_ns);
}

void service_reloading(struct service *service)
{
    char message[MESSAGE_SIZE];
    snprintf(message, sizeof message, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
             hearth_clock_ns() / HEARTH_NS_PER_US);
    hearth_notify_send(&service->notify, message);
}

void service_stopping(struct service *service, const char *status)
{
    char message[MESSAGE_SIZE];
    snprintf(message, sizeof message, "STOPPING=1\nSTATUS=%s", status);
    hearth_notify_send(&service->notify, message);
    service->is_untold = false;
}

void service_close(struct service *service)
{
    if (service->loop != NULL) {
        hearth_loop_disarm(service->loop, &service->timer);
    }
    hearth_notify_close(&service->notify);
}
