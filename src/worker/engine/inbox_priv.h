/* inbox_priv.h — the structs that inbox.c and job.c share. */

#ifndef HEARTH_INBOX_PRIV_H
#define HEARTH_INBOX_PRIV_H

#include "inbox.h"

#include <pthread.h>
#include <stdatomic.h>

#define INBOX_PRIORITIES (HEARTH_CRITICAL + 1)
#define INBOX_MAGIC      0x1b0c5u
#define JOB_MAGIC        0x10bu
#define JOB_SPARE_MAX    64u

/* One input, and where it is: waiting (in a list of the inbox) or held by the engine. */
struct job_item {
    struct hearth_item face; /* first: the engine gives us its address back */
    uint64_t turn;           /* arrival */
    bool is_waiting;
};

struct hearth_job {
    uint32_t magic;
    struct hearth_inbox *inbox;
    struct hearth_list in_inbox; /* open jobs, or spare ones */
    struct hearth_buf bytes;     /* the request as it came: everything below points into it */
    struct hearth_message message;
    uint64_t deadline_ns;
    uint64_t pushed_ns;
    atomic_uint_fast64_t taken_ns;
    void *user;
    atomic_int end_code; /* why it must end, or 0 */
    uint32_t open_items; /* guarded by the inbox's lock, as the next */
    uint32_t held_items;
    uint32_t pins; /* somebody outside the lock still looks at it */
    struct hearth_slice memfds[HEARTH_MAX_TENSORS]; /* data of tensors, mapped; NULL if inline */
    struct job_item items[HEARTH_MAX_BATCH];
};

struct hearth_inbox {
    uint32_t magic;
    struct hearth_sink sink;
    bool is_longest_first;
    pthread_mutex_t
        lock; /* guards all below but the atomics; never held while the sink is called */
    struct hearth_list idle; /* takers that wait; the one that waited least comes first */
    struct hearth_list waiting[INBOX_PRIORITIES];
    struct hearth_list open;
    struct hearth_list spare;
    uint32_t spare_count;
    uint32_t open_count;
    uint32_t waiting_count;
    uint32_t held_count;
    unsigned width;
    uint64_t turns; /* items that came */
    uint64_t takes;
    atomic_bool is_closed;
    _Atomic uint64_t own_progress;
    _Atomic uint64_t *progress; /* where it is told */
    atomic_bool is_nudged;      /* the next take that would wait returns without an item */
};

/* Copies, decodes and checks @frame into @job and maps its memfds; its items are set up, not
 * queued. */
int job_fill(struct hearth_job *job, struct hearth_slice frame, const int *fds, uint32_t fd_count,
             struct hearth_error *err);
/* Gives the mappings back: when nobody reads the request any more. Without the lock, as it may take
 * its time. */
void job_unmap(struct hearth_job *job);
/* A job with no content: a spare one or a new one; NULL when out of memory. Lock held. */
struct hearth_job *job_acquire(struct hearth_inbox *inbox);
/* Wipes the content and keeps or frees the memory. Lock held. */
void job_release(struct hearth_job *job);
void job_free(struct hearth_job *job);

#endif
