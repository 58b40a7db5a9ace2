/* loop.c — epoll, timers, deferred calls and signals for one thread.
 *
 * A batch of ready watches is kept in the loop while it is worked off; unwatch removes the watch
 * from the rest of the batch, so that its memory may go at once. */

#include "loop.h"

#include "clock.h"
#include "os_priv.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOP_MAGIC  0x4c4f4f50u
#define WATCH_MAGIC 0x57415443u
#define BATCH_SIZE  64

struct hearth_loop {
    uint32_t magic;
    int epoll_fd;
    int signal_fd;
    bool is_stopping;
    bool lacks_pwait2; /* an old container profile refuses the call: wait in milliseconds */
    int batch_count;
    int batch_next;
    struct epoll_event batch[BATCH_SIZE];
    uint64_t now_ns;
    struct hearth_timer *timers; /* root of the heap */
    size_t armed_count;
    struct hearth_list deferred;
    struct hearth_list deferred_now; /* those of the round that is running them */
    struct hearth_watch signal_watch;
    hearth_signal_fn *on_signal;
    void *signal_arg;
    hearth_look_fn *look;
    hearth_take_fn *take;
    void *source_arg;
    void (*on_callback)(void *arg, uint64_t ns);
    void *on_callback_arg;
    struct hearth_loop_stats stats;
};

int hearth_loop_create(struct hearth_loop **ret_loop, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_loop) struct hearth_loop *loop = hearth_alloc(1, sizeof *loop);
    if (loop == NULL) {
        return hearth_fail_oom(err);
    }
    loop->magic = LOOP_MAGIC;
    loop->signal_fd = -1;
    hearth_list_init(&loop->deferred);
    hearth_list_init(&loop->deferred_now);
    loop->now_ns = hearth_clock_ns();
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "create an epoll descriptor");
    }
    *ret_loop = HEARTH_TAKE(loop);
    return 0;
}

void hearth_loop_destroy(struct hearth_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    HEARTH_CHECK(loop, LOOP_MAGIC);
    hearth_fd_close(&loop->epoll_fd);
    hearth_fd_close(&loop->signal_fd);
    loop->magic = 0;
    hearth_free(loop);
}

/* ── Watches ─────────────────────────────────────────────────────────────────────────────────── */

static uint32_t to_epoll(unsigned events)
{
    return ((events & HEARTH_READY_IN) != 0 ? (uint32_t)EPOLLIN : 0u) |
           ((events & HEARTH_READY_OUT) != 0 ? (uint32_t)EPOLLOUT : 0u) |
           ((events & HEARTH_READY_URGENT) != 0 ? (uint32_t)EPOLLPRI : 0u);
}

static unsigned from_epoll(uint32_t events)
{
    return ((events & EPOLLIN) != 0 ? HEARTH_READY_IN : 0u) |
           ((events & EPOLLOUT) != 0 ? HEARTH_READY_OUT : 0u) |
           ((events & EPOLLPRI) != 0 ? HEARTH_READY_URGENT : 0u) |
           ((events & (EPOLLHUP | EPOLLERR)) != 0 ? HEARTH_READY_END : 0u);
}

int hearth_loop_watch(struct hearth_loop *loop, struct hearth_watch *watch, int fd, unsigned events,
                      hearth_watch_fn *on_ready, void *arg, struct hearth_error *err)
{
    HEARTH_CHECK(loop, LOOP_MAGIC);
    HEARTH_ASSERT(!hearth_watch_is_in_use(watch));
    struct epoll_event event = {.events = to_epoll(events), .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "watch descriptor %d", fd);
    }
    *watch = (struct hearth_watch){WATCH_MAGIC, fd, events, on_ready, arg};
    return 0;
}

void hearth_loop_modify(struct hearth_loop *loop, struct hearth_watch *watch, unsigned events)
{
    HEARTH_CHECK(watch, WATCH_MAGIC);
    if (watch->events == events) {
        return;
    }
    struct epoll_event event = {.events = to_epoll(events), .data.ptr = watch};
    HEARTH_ASSERT(epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) == 0);
    watch->events = events;
}

void hearth_loop_unwatch(struct hearth_loop *loop, struct hearth_watch *watch)
{
    HEARTH_CHECK(loop, LOOP_MAGIC);
    if (!hearth_watch_is_in_use(watch)) {
        return;
    }
    HEARTH_CHECK(watch, WATCH_MAGIC);
    /* Fails only if the descriptor was closed first: then a copy elsewhere could still report
     * events to memory that is gone, so it must not pass unnoticed. */
    HEARTH_ASSERT(epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL) == 0);
    for (int i = loop->batch_next; i < loop->batch_count; i++) {
        if (loop->batch[i].data.ptr == watch) {
            loop->batch[i].data.ptr = NULL;
        }
    }
    watch->magic = 0;
}

/* ── Timers and deferred calls ───────────────────────────────────────────────────────────────── */

void hearth_timer_init(struct hearth_timer *timer, hearth_timer_fn *on_due, void *arg)
{
    *timer = (struct hearth_timer){.on_due = on_due, .arg = arg};
}

void hearth_loop_arm(struct hearth_loop *loop, struct hearth_timer *timer, uint64_t deadline_ns)
{
    if (timer->is_armed && timer->deadline_ns == deadline_ns) {
        return;
    }
    hearth_loop_disarm(loop, timer);
    if (deadline_ns == HEARTH_NEVER) {
        return;
    }
    timer->deadline_ns = deadline_ns;
    timer->is_armed = true;
    loop->timers = hearth_timer_heap_insert(loop->timers, timer);
    loop->armed_count++;
}

void hearth_loop_disarm(struct hearth_loop *loop, struct hearth_timer *timer)
{
    HEARTH_CHECK(loop, LOOP_MAGIC);
    if (timer->is_armed) {
        loop->timers = hearth_timer_heap_remove(loop->timers, timer);
        loop->armed_count--;
        timer->is_armed = false;
    }
}

void hearth_deferred_init(struct hearth_deferred *deferred, hearth_deferred_fn *on_run, void *arg)
{
    hearth_list_init(&deferred->in_queue);
    deferred->on_run = on_run;
    deferred->arg = arg;
}

void hearth_loop_defer(struct hearth_loop *loop, struct hearth_deferred *deferred)
{
    HEARTH_CHECK(loop, LOOP_MAGIC);
    if (hearth_list_is_empty(&deferred->in_queue)) {
        hearth_list_append(&loop->deferred, &deferred->in_queue);
    }
}

void hearth_loop_undefer(struct hearth_loop *loop, struct hearth_deferred *deferred)
{
    HEARTH_CHECK(loop, LOOP_MAGIC);
    hearth_list_remove(&deferred->in_queue);
}

/* ── Signals ─────────────────────────────────────────────────────────────────────────────────── */

static void signals_are_ready(void *arg, unsigned events)
{
    (void)events;
    struct hearth_loop *loop = HEARTH_CAST(struct hearth_loop, arg, LOOP_MAGIC);
    struct signalfd_siginfo info;
    size_t got = 0;
    while (hearth_fd_read(loop->signal_fd, &info, sizeof info, &got) == 0 && got == sizeof info) {
        loop->on_signal(loop->signal_arg, (int)info.ssi_signo);
    }
}

int hearth_loop_watch_signals(struct hearth_loop *loop, const int *signals, size_t count,
                              hearth_signal_fn *on_signal, void *arg, struct hearth_error *err)
{
    HEARTH_CHECK(loop, LOOP_MAGIC);
    HEARTH_ASSERT(loop->signal_fd < 0);
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++) {
        HEARTH_ASSERT(sigaddset(&set, signals[i]) == 0);
    }
    HEARTH_AUTO(hearth_fd) int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "create a signal descriptor");
    }
    int rc = hearth_loop_watch(loop, &loop->signal_watch, fd, HEARTH_READY_IN, signals_are_ready,
                               loop, err);
    if (rc < 0) {
        return rc;
    }
    HEARTH_ASSERT(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    loop->on_signal = on_signal;
    loop->signal_arg = arg;
    loop->signal_fd = HEARTH_TAKE_FD(fd);
    return 0;
}

/* ── Rounds ──────────────────────────────────────────────────────────────────────────────────── */

/* Notes how long the callback that began at @began_ns took; returns the time now. */
static uint64_t note_callback(struct hearth_loop *loop, uint64_t began_ns)
{
    uint64_t ended_ns = hearth_clock_ns();
    uint64_t took_ns = ended_ns - began_ns;
    loop->stats.callbacks++;
    loop->stats.callback_total_ns += took_ns;
    loop->stats.callback_max_ns = HEARTH_MAX(loop->stats.callback_max_ns, took_ns);
    if (loop->on_callback != NULL) {
        loop->on_callback(loop->on_callback_arg, took_ns);
    }
    return ended_ns;
}

static int wait_in_kernel(struct hearth_loop *loop, uint64_t deadline_ns)
{
    struct timespec room;
    struct timespec *left = hearth_os_time_left(deadline_ns, &room);
    if (!loop->lacks_pwait2) {
        long n = syscall(SYS_epoll_pwait2, loop->epoll_fd, loop->batch, BATCH_SIZE, left, NULL, 0);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return (int)n;
        }
        loop->lacks_pwait2 = true;
    }
    int left_ms = -1;
    if (left != NULL) { /* rounded up, so that a timer is never called early */
        left_ms = left->tv_sec >= 1000000
                      ? 1000000000
                      : (int)(left->tv_sec * 1000 + (left->tv_nsec + 999999) / 1000000);
    }
    return epoll_wait(loop->epoll_fd, loop->batch, BATCH_SIZE, left_ms);
}

/* Waits in the kernel unless there is other work; how many descriptors are ready, or -1. */
static int look_or_wait(struct hearth_loop *loop, uint64_t deadline_ns)
{
    bool may_wait = deadline_ns != 0 && hearth_list_is_empty(&loop->deferred);
    enum hearth_look answer =
        may_wait && loop->look != NULL ? loop->look(loop->source_arg, false) : HEARTH_LOOK_NOTHING;
    if (answer == HEARTH_LOOK_SOON) {
        int n = wait_in_kernel(loop, 0);
        if (n != 0 || loop->look(loop->source_arg, true) == HEARTH_LOOK_READY) {
            return n;
        }
    }
    may_wait = may_wait && answer != HEARTH_LOOK_READY;
    uint64_t first_ns = loop->timers != NULL ? loop->timers->deadline_ns : HEARTH_NEVER;
    return wait_in_kernel(loop, may_wait ? HEARTH_MIN(deadline_ns, first_ns) : 0);
}

static int wait_for_events(struct hearth_loop *loop, uint64_t deadline_ns, struct hearth_error *err)
{
    int n = look_or_wait(loop, deadline_ns);
    if (n < 0 && errno != EINTR) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "wait for events");
    }
    loop->batch_count = HEARTH_MAX(n, 0);
    loop->batch_next = 0;
    loop->now_ns = hearth_clock_ns();
    loop->stats.rounds++;
    return 0;
}

static uint64_t call_watches(struct hearth_loop *loop, uint64_t now_ns)
{
    while (loop->batch_next < loop->batch_count) {
        const struct epoll_event *event = &loop->batch[loop->batch_next++];
        struct hearth_watch *watch = event->data.ptr;
        if (watch == NULL) {
            continue; /* unwatched by an earlier callback of this round */
        }
        HEARTH_CHECK(watch, WATCH_MAGIC);
        watch->on_ready(watch->arg, from_epoll(event->events));
        now_ns = note_callback(loop, now_ns);
    }
    loop->batch_count = 0;
    return now_ns;
}

static uint64_t call_source(struct hearth_loop *loop, uint64_t now_ns)
{
    bool has_taken = loop->take != NULL && loop->take(loop->source_arg);
    return has_taken ? note_callback(loop, now_ns) : now_ns;
}

static uint64_t call_timers(struct hearth_loop *loop, uint64_t now_ns)
{
    /* The bound keeps a timer that rearms itself in the past from holding the round for ever. */
    uint64_t due_ns = now_ns;
    for (size_t left = loop->armed_count; left > 0; left--) {
        struct hearth_timer *timer = loop->timers;
        if (timer == NULL || timer->deadline_ns > due_ns) {
            break;
        }
        uint64_t lag_ns = now_ns - timer->deadline_ns;
        loop->stats.timer_lag_max_ns = HEARTH_MAX(loop->stats.timer_lag_max_ns, lag_ns);
        hearth_loop_disarm(loop, timer);
        timer->on_due(timer->arg, now_ns);
        now_ns = note_callback(loop, now_ns);
    }
    return now_ns;
}

static void call_deferred(struct hearth_loop *loop, uint64_t now_ns)
{
    while (!hearth_list_is_empty(&loop->deferred)) {
        struct hearth_list *first = loop->deferred.next;
        hearth_list_remove(first);
        hearth_list_append(&loop->deferred_now, first);
    }
    while (!hearth_list_is_empty(&loop->deferred_now)) {
        struct hearth_deferred *deferred =
            HEARTH_LIST_FIRST(struct hearth_deferred, in_queue, &loop->deferred_now);
        hearth_list_remove(&deferred->in_queue);
        deferred->on_run(deferred->arg);
        now_ns = note_callback(loop, now_ns);
    }
}

int hearth_loop_run_once(struct hearth_loop *loop, uint64_t deadline_ns, struct hearth_error *err)
{
    HEARTH_CHECK(loop, LOOP_MAGIC);
    int rc = wait_for_events(loop, deadline_ns, err);
    if (rc < 0) {
        return rc;
    }
    uint64_t now_ns = call_watches(loop, loop->now_ns);
    now_ns = call_source(loop, now_ns);
    now_ns = call_timers(loop, now_ns);
    call_deferred(loop, now_ns);
    return 0;
}

int hearth_loop_run(struct hearth_loop *loop, struct hearth_error *err)
{
    HEARTH_CHECK(loop, LOOP_MAGIC);
    loop->is_stopping = false;
    while (!loop->is_stopping) {
        int rc = hearth_loop_run_once(loop, HEARTH_NEVER, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

void hearth_loop_stop(struct hearth_loop *loop)
{
    loop->is_stopping = true;
}

uint64_t hearth_loop_now_ns(const struct hearth_loop *loop)
{
    return loop->now_ns;
}

void hearth_loop_set_source(struct hearth_loop *loop, hearth_look_fn *look, hearth_take_fn *take,
                            void *arg)
{
    HEARTH_CHECK(loop, LOOP_MAGIC);
    loop->look = look;
    loop->take = take;
    loop->source_arg = arg;
}

void hearth_loop_set_lag_hook(struct hearth_loop *loop, void (*on_callback)(void *arg, uint64_t ns),
                              void *arg)
{
    loop->on_callback = on_callback;
    loop->on_callback_arg = arg;
}

void hearth_loop_stats(const struct hearth_loop *loop, struct hearth_loop_stats *ret_stats)
{
    *ret_stats = loop->stats;
}
