/* hook.c — the failing allocator of base, made reachable in a whole hearthd. */

#include "hook.h"

#include "hearth_base.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static struct hearth_watch watch;

/* True if @text is a number and nothing else. */
static bool is_number(const char *text, uint64_t *ret)
{
    char *end = NULL;
    *ret = strtoull(text, &end, 10);
    return end != text && *end == '\0';
}

static bool number_in(const char *name, uint64_t *ret)
{
    const char *text = getenv(name);
    return text != NULL && is_number(text, ret);
}

/* Also called between the fork and the execve of a worker: it only stores a number. */
static void arm_child(void)
{
    uint64_t nth = 0;
    hearth_alloc_fail_at(number_in("HEARTH_ANOMALY_SPAWNER_FAIL_AT", &nth) ? nth : 0);
}

__attribute__((constructor)) static void arm_before_main(void)
{
    uint64_t nth = 0;
    if (number_in("HEARTH_ANOMALY_FAIL_AT", &nth)) {
        hearth_alloc_fail_at(nth);
    }
    pthread_atfork(NULL, NULL, arm_child);
}

static void answer(void *arg, unsigned events)
{
    const int *fd = arg;
    char text[96] = "";
    size_t size = 0;
    uint64_t nth = 0;
    (void)events;
    if (hearth_fd_read(*fd, text, sizeof text - 1, &size) < 0 || size == 0) {
        exit(3); /* the test has gone */
    }
    uint64_t count = hearth_alloc_count();
    bool has_failed = hearth_alloc_has_failed();
    if (is_number(text, &nth)) {
        hearth_alloc_fail_at(nth);
    }
    int length = snprintf(text, sizeof text, "%" PRIu64 " %" PRId64 " %d", count,
                          hearth_alloc_live(), has_failed);
    (void)hearth_fd_write(*fd, text, (size_t)length, &size); /* the test waits for it in vain */
}

int anomaly_watch(struct hearth_loop *loop, struct hearth_error *err)
{
    static int fd;
    uint64_t number = 0;
    if (!number_in("HEARTH_ANOMALY_FD", &number)) {
        return 0;
    }
    fd = (int)number;
    return hearth_loop_watch(loop, &watch, fd, HEARTH_READY_IN, answer, &fd, err);
}
