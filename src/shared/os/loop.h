/* loop.h — one thread waits here for descriptors, timers and signals, and calls back.
 *
 * Watches, timers and deferred calls are members of the caller's own objects: nothing is allocated
 * after hearth_loop_create(), and nothing but create and watch can fail. A loop with nothing to do
 * sleeps in the kernel and makes no wake-ups.
 *
 * One round: wait → callbacks of ready descriptors → what the source has (see
 * hearth_loop_set_source()) → timers that are due → deferred calls.
 * Everything here belongs to the thread that runs the loop. No callback may block.
 * From inside any callback it is fine to add, change or remove anything, also the object that is
 * being called and others that are due in the same round; a removed object is never called again
 * and its memory may be freed at once.                                                           */

#ifndef HEARTH_LOOP_H
#define HEARTH_LOOP_H

#include "fd.h"

struct hearth_loop;

/** @events are enum hearth_ready, ORed. After HEARTH_READY_END the callee must unwatch. */
typedef void hearth_watch_fn(void *arg, unsigned events);
typedef void hearth_timer_fn(void *arg, uint64_t now_ns);
typedef void hearth_deferred_fn(void *arg);
typedef void hearth_signal_fn(void *arg, int signal_number);

/** What there is without a descriptor that would tell, as in shared memory. */
enum hearth_look {
    HEARTH_LOOK_NOTHING, /* and a descriptor becomes ready for whatever comes later */
    HEARTH_LOOK_SOON,    /* something is due within microseconds: worth polling for */
    HEARTH_LOOK_READY    /* something is there */
};
/** Looks and takes nothing. @may_poll: no descriptor is ready; only without it SOON is an answer.
 */
typedef enum hearth_look hearth_look_fn(void *arg, bool may_poll);
/** Takes what is there, bounded as any callback; false if nothing was. */
typedef bool hearth_take_fn(void *arg);

/** Interest in one descriptor. Zeroed memory is a watch that is not in use. Fields are private. */
struct hearth_watch {
    uint32_t magic;
    int fd;
    unsigned events;
    hearth_watch_fn *on_ready;
    void *arg;
};

/** A call at a point in time. Prepare it with hearth_timer_init(). Fields are private. */
struct hearth_timer {
    uint64_t deadline_ns;
    hearth_timer_fn *on_due;
    void *arg;
    struct hearth_timer
        *child; /* pairing heap: first child, next sibling, parent or elder sibling */
    struct hearth_timer *next;
    struct hearth_timer *prev;
    bool is_armed;
};

/** A call at the end of this round. Prepare it with hearth_deferred_init(). Fields are private. */
struct hearth_deferred {
    struct hearth_list in_queue;
    hearth_deferred_fn *on_run;
    void *arg;
};

/** What the loop did since it was created. */
struct hearth_loop_stats {
    uint64_t rounds; /* returns from the kernel */
    uint64_t callbacks;
    uint64_t callback_total_ns;
    uint64_t callback_max_ns;
    uint64_t timer_lag_max_ns; /* how late the latest timer was called */
};

/** Makes a loop. HEARTH_E_NO_MEMORY, HEARTH_E_SYSTEM. */
int hearth_loop_create(struct hearth_loop **ret_loop, struct hearth_error *err);

/**
 * Frees it; closes no watched descriptor. Watches and timers are simply forgotten. NULL is fine.
 */
void hearth_loop_destroy(struct hearth_loop *loop);
static inline void hearth_loop_cleanup(struct hearth_loop **owned)
{
    hearth_loop_destroy(*owned);
}

/** Runs rounds until hearth_loop_stop(). Returns 0, or HEARTH_E_SYSTEM if waiting failed. */
int hearth_loop_run(struct hearth_loop *loop, struct hearth_error *err);

/** Runs one round; waits for something to happen at most until @deadline_ns (0: does not wait). */
int hearth_loop_run_once(struct hearth_loop *loop, uint64_t deadline_ns, struct hearth_error *err);

/** Makes hearth_loop_run() return after the current round. */
void hearth_loop_stop(struct hearth_loop *loop);

/** Returns the time at which the current round woke up: one clock reading a round. */
uint64_t hearth_loop_now_ns(const struct hearth_loop *loop);

/**
 * Calls @on_ready(@arg, …) whenever @fd is ready for @events (enum hearth_ready ORed; 0 waits for
 * END only). Level-triggered. @watch must not be in use and must outlive the interest; @fd is not
 * owned and must be unwatched before it is closed. HEARTH_E_SYSTEM.
 */
int hearth_loop_watch(struct hearth_loop *loop, struct hearth_watch *watch, int fd, unsigned events,
                      hearth_watch_fn *on_ready, void *arg, struct hearth_error *err);

/** Changes the events of a watch in use; costs nothing if they are the same. */
void hearth_loop_modify(struct hearth_loop *loop, struct hearth_watch *watch, unsigned events);

/** Ends the interest; does nothing if @watch is not in use. */
void hearth_loop_unwatch(struct hearth_loop *loop, struct hearth_watch *watch);

static inline bool hearth_watch_is_in_use(const struct hearth_watch *watch)
{
    return watch->magic != 0;
}

/** Prepares a timer, not armed. */
void hearth_timer_init(struct hearth_timer *timer, hearth_timer_fn *on_due, void *arg);

/** Calls the timer once at @deadline_ns or soon after; rearms it if it is armed. NEVER disarms. */
void hearth_loop_arm(struct hearth_loop *loop, struct hearth_timer *timer, uint64_t deadline_ns);

/** Forgets the timer; does nothing if it is not armed. It may be armed again. */
void hearth_loop_disarm(struct hearth_loop *loop, struct hearth_timer *timer);

/** Prepares a deferred call. */
void hearth_deferred_init(struct hearth_deferred *deferred, hearth_deferred_fn *on_run, void *arg);

/**
 * Calls it once after the callbacks of this round; if it is already queued, nothing changes. What a
 * deferred call defers runs in the next round, which then does not wait: work in slices does not
 * starve descriptors.
 */
void hearth_loop_defer(struct hearth_loop *loop, struct hearth_deferred *deferred);
void hearth_loop_undefer(struct hearth_loop *loop, struct hearth_deferred *deferred);

/**
 * Delivers @signals as callbacks: blocks them for the calling thread and threads that it starts
 * later, so call it before any thread exists. Once per loop. HEARTH_E_SYSTEM.
 */
int hearth_loop_watch_signals(struct hearth_loop *loop, const int *signals, size_t count,
                              hearth_signal_fn *on_signal, void *arg, struct hearth_error *err);

/**
 * Adds the one source that has no descriptor: a round asks @look before it waits, and calls @take
 * after the callbacks of its descriptors. NULL for both ends it.
 */
void hearth_loop_set_source(struct hearth_loop *loop, hearth_look_fn *look, hearth_take_fn *take,
                            void *arg);

/** Called after each callback with its duration: for the histogram of loop lag. NULL ends it. */
void hearth_loop_set_lag_hook(struct hearth_loop *loop, void (*on_callback)(void *arg, uint64_t ns),
                              void *arg);

void hearth_loop_stats(const struct hearth_loop *loop, struct hearth_loop_stats *ret_stats);

#endif
