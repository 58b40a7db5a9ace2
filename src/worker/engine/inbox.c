/* inbox.c — what waits, who takes it, and how a job ends.
 *
 * One lock guards the lists and counts; the sink is only called without it. A job that somebody
 * looks at without the lock is pinned, so that its memory stays until they are done.             */

#include "inbox_priv.h"

#include "hearth_os.h"

#define ARRIVAL_TURN 8u /* every eighth take is by arrival, whatever the order */

int hearth_inbox_create(const struct hearth_sink *sink, bool is_longest_first,
                        struct hearth_inbox **ret_inbox, struct hearth_error *err)
{
    struct hearth_inbox *inbox = hearth_alloc(1, sizeof *inbox);
    if (inbox == NULL) {
        return hearth_fail_oom(err);
    }
    inbox->magic = INBOX_MAGIC;
    inbox->sink = *sink;
    inbox->is_longest_first = is_longest_first;
    inbox->progress = &inbox->own_progress;
    pthread_mutex_init(&inbox->lock, NULL);
    hearth_list_init(&inbox->idle);
    for (size_t i = 0; i < INBOX_PRIORITIES; i++) {
        hearth_list_init(&inbox->waiting[i]);
    }
    hearth_list_init(&inbox->open);
    hearth_list_init(&inbox->spare);
    *ret_inbox = inbox;
    return 0;
}

void hearth_inbox_destroy(struct hearth_inbox *inbox)
{
    if (inbox == NULL) {
        return;
    }
    HEARTH_CHECK(inbox, INBOX_MAGIC);
    HEARTH_ASSERT(hearth_list_is_empty(&inbox->open));
    HEARTH_LIST_EACH(struct hearth_job, in_inbox, job, &inbox->spare) {
        hearth_list_remove(&job->in_inbox);
        job_free(job);
    }
    pthread_mutex_destroy(&inbox->lock);
    hearth_free(inbox);
}

/* ---- waking --------------------------------------------------------------------------------- */

/* A thread in hearth_inbox_take(), on its stack. */
struct taker {
    struct hearth_list in_idle;
    pthread_cond_t wake;
    bool is_woken;
};

/* No more threads than there is work for: the others would only take cores from those that compute.
 * Last in, first out: the core of that thread is the one that is free. Lock held. */
static void wake_takers(struct hearth_inbox *inbox, uint32_t count)
{
    for (; count > 0 && !hearth_list_is_empty(&inbox->idle); count--) {
        struct taker *taker = HEARTH_LIST_FIRST(struct taker, in_idle, &inbox->idle);
        hearth_list_remove(&taker->in_idle);
        taker->is_woken = true;
        pthread_cond_signal(&taker->wake);
    }
}

/* Lock held; let go of while it waits. */
static void wait_for_work(struct hearth_inbox *inbox)
{
    struct taker taker = {.wake = PTHREAD_COND_INITIALIZER};
    hearth_list_insert_before(inbox->idle.next, &taker.in_idle);
    while (!taker.is_woken) {
        pthread_cond_wait(&taker.wake, &inbox->lock);
    }
    pthread_cond_destroy(&taker.wake);
}

/* ---- queueing ------------------------------------------------------------------------------ */

static struct job_item *as_job_item(struct hearth_item *face)
{
    return HEARTH_CONTAINER(struct job_item, face, face);
}

/* How long an item is for the order: a token stands for about four bytes of text. */
static size_t length_of(const struct hearth_item *item)
{
    return item->text.size + item->pair.size + 4 * (size_t)item->tokens.count;
}

/* Puts the item in its place: at the end, or in front of the first shorter one. */
static void queue_item(struct hearth_inbox *inbox, struct job_item *item, uint8_t priority)
{
    struct hearth_list *head = &inbox->waiting[priority];
    struct hearth_list *before = head;
    if (inbox->is_longest_first) {
        while (before->prev != head &&
               length_of(HEARTH_CONTAINER(struct hearth_item, link, before->prev)) <
                   length_of(&item->face)) {
            before = before->prev;
        }
    }
    hearth_list_insert_before(before, &item->face.link);
    item->turn = inbox->turns++;
    item->is_waiting = true;
    inbox->waiting_count++;
}

static struct hearth_job *find_open(struct hearth_inbox *inbox, uint64_t request_id)
{
    HEARTH_LIST_EACH(struct hearth_job, in_inbox, job, &inbox->open) {
        if (job->message.as.inference_request.request_id == request_id) {
            return job;
        }
    }
    return NULL;
}

/* What a taker does to an item of his. Lock held. */
static void hold_item(struct hearth_inbox *inbox, struct hearth_job *job, uint64_t now_ns)
{
    inbox->held_count++;
    if (job->held_items++ == 0 && atomic_load(&job->taken_ns) == 0) {
        atomic_store(&job->taken_ns, now_ns);
    }
}

/* With @ret_item the one item of a job is taken instead of queued if the engine is idle. */
static int open_job(struct hearth_inbox *inbox, struct hearth_job *job,
                    struct hearth_item **ret_item, struct hearth_error *err)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(job);
    if (atomic_load(&inbox->is_closed)) {
        return hearth_fail(err, HEARTH_E_SHUTTING_DOWN, "the worker is stopping");
    }
    if (find_open(inbox, request->request_id) != NULL) {
        return hearth_fail(err, HEARTH_E_BUSY, "this request id is open already");
    }
    hearth_list_append(&inbox->open, &job->in_inbox);
    inbox->open_count++;
    if (ret_item != NULL && job->open_items == 1 && inbox->waiting_count + inbox->held_count == 0) {
        hold_item(inbox, job, job->pushed_ns);
        *ret_item = &job->items[0].face;
        return 0;
    }
    for (uint32_t i = 0; i < job->open_items; i++) {
        queue_item(inbox, &job->items[i], request->priority);
    }
    wake_takers(inbox, job->open_items);
    return 0;
}

/* What somebody pushes. */
struct pushed {
    struct hearth_slice frame;
    uint64_t deadline_ns;
    void *user;
    const int *fds;
    uint32_t fd_count;
};

static int push(struct hearth_inbox *inbox, const struct pushed *pushed,
                struct hearth_item **ret_item, struct hearth_error *err)
{
    HEARTH_CHECK(inbox, INBOX_MAGIC);
    pthread_mutex_lock(&inbox->lock);
    struct hearth_job *job = job_acquire(inbox);
    pthread_mutex_unlock(&inbox->lock);
    if (job == NULL) {
        return hearth_fail_oom(err);
    }
    job->deadline_ns = pushed->deadline_ns;
    job->pushed_ns = hearth_clock_ns();
    job->user = pushed->user;
    int rc = job_fill(job, pushed->frame, pushed->fds, pushed->fd_count, err);

    pthread_mutex_lock(&inbox->lock);
    if (rc == 0) {
        rc = open_job(inbox, job, ret_item, err);
    }
    if (rc != 0) {
        job_unmap(job);
        job_release(job);
    }
    pthread_mutex_unlock(&inbox->lock);
    return rc;
}

int hearth_inbox_push(struct hearth_inbox *inbox, struct hearth_slice frame, uint64_t deadline_ns,
                      void *user, struct hearth_error *err)
{
    const struct pushed pushed = {.frame = frame, .deadline_ns = deadline_ns, .user = user};
    return push(inbox, &pushed, NULL, err);
}

int hearth_inbox_push_memfds(struct hearth_inbox *inbox, struct hearth_slice frame,
                             uint64_t deadline_ns, void *user, const int *fds, uint32_t count,
                             struct hearth_error *err)
{
    const struct pushed pushed = {frame, deadline_ns, user, fds, count};
    return push(inbox, &pushed, NULL, err);
}

int hearth_inbox_push_or_take(struct hearth_inbox *inbox, struct hearth_slice frame,
                              uint64_t deadline_ns, void *user, struct hearth_item **ret_item,
                              struct hearth_error *err)
{
    const struct pushed pushed = {.frame = frame, .deadline_ns = deadline_ns, .user = user};
    *ret_item = NULL;
    return push(inbox, &pushed, ret_item, err);
}

/* ---- taking -------------------------------------------------------------------------------- */

static struct job_item *oldest_of(struct hearth_list *head)
{
    struct job_item *oldest = NULL;
    HEARTH_LIST_EACH(struct hearth_item, link, face, head) {
        struct job_item *item = as_job_item(face);
        if (oldest == NULL || item->turn < oldest->turn) {
            oldest = item;
        }
    }
    return oldest;
}

/* Of class @lowest or a higher one. Lock held. */
static struct job_item *next_item(struct hearth_inbox *inbox, int lowest)
{
    if (inbox->waiting_count == 0 || (inbox->width != 0 && inbox->held_count >= inbox->width)) {
        return NULL;
    }
    for (int priority = HEARTH_CRITICAL; priority >= lowest; priority--) {
        struct hearth_list *head = &inbox->waiting[priority];
        if (hearth_list_is_empty(head)) {
            continue;
        }
        inbox->takes++;
        if (inbox->is_longest_first && inbox->takes % ARRIVAL_TURN == 0) {
            return oldest_of(head);
        }
        return as_job_item(HEARTH_LIST_FIRST(struct hearth_item, link, head));
    }
    return NULL;
}

static void unqueue_item(struct hearth_inbox *inbox, struct job_item *item)
{
    hearth_list_remove(&item->face.link);
    item->is_waiting = false;
    inbox->waiting_count--;
}

static struct hearth_item *take(struct hearth_inbox *inbox, int lowest, bool may_wait)
{
    HEARTH_CHECK(inbox, INBOX_MAGIC);
    pthread_mutex_lock(&inbox->lock);
    struct job_item *item = next_item(inbox, lowest);
    while (item == NULL && may_wait && !atomic_load(&inbox->is_closed) &&
           !atomic_exchange(&inbox->is_nudged, false)) {
        wait_for_work(inbox);
        item = next_item(inbox, lowest);
    }
    if (item != NULL) {
        unqueue_item(inbox, item);
        hold_item(inbox, item->face.job, hearth_clock_ns());
    }
    pthread_mutex_unlock(&inbox->lock);
    return item == NULL ? NULL : &item->face;
}

struct hearth_item *hearth_inbox_take(struct hearth_inbox *inbox, bool may_wait)
{
    return take(inbox, HEARTH_LOW, may_wait);
}

struct hearth_item *hearth_inbox_take_above(struct hearth_inbox *inbox, unsigned priority)
{
    return take(inbox, (int)priority + 1, false);
}

void hearth_inbox_nudge(struct hearth_inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    atomic_store(&inbox->is_nudged, true);
    wake_takers(inbox, 1);
    pthread_mutex_unlock(&inbox->lock);
}

bool hearth_inbox_is_closed(const struct hearth_inbox *inbox)
{
    return atomic_load(&inbox->is_closed);
}

bool hearth_inbox_is_lonely(const struct hearth_inbox *inbox, unsigned items)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&inbox->lock; /* a lock is not part of the value */
    pthread_mutex_lock(lock);
    bool is_lonely = inbox->held_count == 1 && inbox->waiting_count == 0 &&
                     (inbox->width == 0 || inbox->width >= items);
    pthread_mutex_unlock(lock);
    return is_lonely;
}

void hearth_inbox_progress(struct hearth_inbox *inbox)
{
    atomic_fetch_add_explicit(inbox->progress, 1, memory_order_relaxed);
}

void hearth_inbox_tell_progress(struct hearth_inbox *inbox, _Atomic uint64_t *where)
{
    inbox->progress = where;
}

void hearth_item_progress(const struct hearth_item *item)
{
    hearth_inbox_progress(item->job->inbox);
}

/* ---- ending -------------------------------------------------------------------------------- */

/* Lets go of a pin or of ended items; the last one out puts the job away. Lock held. */
static void release_if_done(struct hearth_job *job)
{
    if (job->open_items == 0 && job->pins == 0) {
        job_release(job);
    }
}

/* @count items have ended and the sink was told; the last of a job ends it. */
static void items_ended(struct hearth_job *job, uint32_t count, uint32_t held)
{
    struct hearth_inbox *inbox = job->inbox;
    pthread_mutex_lock(&inbox->lock);
    inbox->held_count -= held;
    job->held_items -= held;
    bool is_last = job->open_items == count;
    if (inbox->width != 0) {
        wake_takers(inbox, held);
    }
    if (!is_last) {
        job->open_items -= count;
        pthread_mutex_unlock(&inbox->lock);
        return;
    }
    hearth_list_remove(&job->in_inbox); /* its id is free again before the sink tells the world */
    inbox->open_count--;
    pthread_mutex_unlock(&inbox->lock);

    inbox->sink.end(inbox->sink.arg, job);
    job_unmap(job);

    pthread_mutex_lock(&inbox->lock);
    job->open_items = 0;
    release_if_done(job);
    pthread_mutex_unlock(&inbox->lock);
}

/* Takes what waits of @job out of the queue, its indexes into @ret_indexes. Lock held. */
static uint32_t unqueue_job(struct hearth_job *job, uint32_t ret_indexes[HEARTH_MAX_BATCH])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < HEARTH_MAX_BATCH; i++) {
        if (job->items[i].is_waiting) {
            unqueue_item(job->inbox, &job->items[i]);
            ret_indexes[count++] = i;
        }
    }
    return count;
}

static void unpin(struct hearth_job *job)
{
    struct hearth_inbox *inbox = job->inbox; /* the job may be gone before the lock is */
    pthread_mutex_lock(&inbox->lock);
    job->pins--;
    release_if_done(job);
    pthread_mutex_unlock(&inbox->lock);
}

/* Ends what waits of a job and interrupts what runs. The caller has pinned it; this unpins. */
static void end_job(struct hearth_job *job, int code)
{
    struct hearth_inbox *inbox = job->inbox;
    uint32_t indexes[HEARTH_MAX_BATCH];
    pthread_mutex_lock(&inbox->lock);
    int none = 0;
    atomic_compare_exchange_strong(&job->end_code, &none, code);
    uint32_t count = unqueue_job(job, indexes);
    bool has_held = job->held_items > 0;
    pthread_mutex_unlock(&inbox->lock);

    if (has_held && inbox->sink.interrupt != NULL) {
        inbox->sink.interrupt(inbox->sink.arg, job);
    }
    for (uint32_t i = 0; i < count; i++) {
        inbox->sink.fail(inbox->sink.arg, job, indexes[i], code, NULL);
    }
    if (count > 0) {
        items_ended(job, count, 0);
    }
    unpin(job);
}

/* Pins one open job whose deadline has passed; *@ret_next_ns is the first deadline to come. */
static struct hearth_job *pin_overdue(struct hearth_inbox *inbox, uint64_t now_ns,
                                      uint64_t *ret_next_ns)
{
    struct hearth_job *found = NULL;
    uint64_t next_ns = UINT64_MAX;
    pthread_mutex_lock(&inbox->lock);
    HEARTH_LIST_EACH(struct hearth_job, in_inbox, job, &inbox->open) {
        if (atomic_load(&job->end_code) != 0) {
            continue;
        }
        if (job->deadline_ns > now_ns) {
            next_ns = HEARTH_MIN(next_ns, job->deadline_ns);
        } else if (found == NULL) {
            found = job;
            job->pins++;
        }
    }
    pthread_mutex_unlock(&inbox->lock);
    *ret_next_ns = next_ns;
    return found;
}

uint64_t hearth_inbox_expire(struct hearth_inbox *inbox, uint64_t now_ns)
{
    HEARTH_CHECK(inbox, INBOX_MAGIC);
    uint64_t next_ns = UINT64_MAX;
    for (struct hearth_job *job; (job = pin_overdue(inbox, now_ns, &next_ns)) != NULL;) {
        end_job(job, HEARTH_E_EXPIRED);
    }
    return next_ns;
}

bool hearth_inbox_cancel(struct hearth_inbox *inbox, uint64_t request_id)
{
    HEARTH_CHECK(inbox, INBOX_MAGIC);
    pthread_mutex_lock(&inbox->lock);
    struct hearth_job *job = find_open(inbox, request_id);
    if (job != NULL) {
        job->pins++;
    }
    pthread_mutex_unlock(&inbox->lock);
    if (job == NULL) {
        return false;
    }
    end_job(job, HEARTH_E_CANCELLED);
    return true;
}

static struct hearth_job *pin_waiting(struct hearth_inbox *inbox)
{
    struct hearth_job *found = NULL;
    pthread_mutex_lock(&inbox->lock);
    for (size_t i = 0; i < INBOX_PRIORITIES && found == NULL; i++) {
        struct hearth_item *face = HEARTH_LIST_FIRST(struct hearth_item, link, &inbox->waiting[i]);
        if (face != NULL) {
            found = face->job;
            found->pins++;
        }
    }
    pthread_mutex_unlock(&inbox->lock);
    return found;
}

void hearth_inbox_close(struct hearth_inbox *inbox)
{
    HEARTH_CHECK(inbox, INBOX_MAGIC);
    pthread_mutex_lock(&inbox->lock);
    atomic_store(&inbox->is_closed, true);
    wake_takers(inbox, UINT32_MAX);
    pthread_mutex_unlock(&inbox->lock);
    for (struct hearth_job *job; (job = pin_waiting(inbox)) != NULL;) {
        end_job(job, HEARTH_E_SHUTTING_DOWN);
    }
}

void hearth_inbox_set_width(struct hearth_inbox *inbox, unsigned width)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->width = width;
    wake_takers(inbox, UINT32_MAX);
    pthread_mutex_unlock(&inbox->lock);
}

void hearth_inbox_counts(const struct hearth_inbox *inbox, struct hearth_inbox_counts *ret)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&inbox->lock; /* a lock is not part of the value */
    pthread_mutex_lock(lock);
    *ret = (struct hearth_inbox_counts){
        .open_jobs = inbox->open_count,
        .waiting_items = inbox->waiting_count,
        .held_items = inbox->held_count,
        .progress = atomic_load(inbox->progress),
    };
    pthread_mutex_unlock(lock);
}

/* ---- results ------------------------------------------------------------------------------- */

void hearth_item_piece(struct hearth_item *item, struct hearth_slice text, uint32_t tokens)
{
    const struct hearth_sink *sink = &item->job->inbox->sink;
    sink->piece(sink->arg, item->job, item->index, text, tokens);
}

void hearth_item_token(struct hearth_item *item, uint32_t id)
{
    const struct hearth_sink *sink = &item->job->inbox->sink;
    bool is_asked = (hearth_job_request(item->job)->flags & HEARTH_FLAG_TOKEN_IDS) != 0;
    if (is_asked && sink->token != NULL) {
        sink->token(sink->arg, item->job, item->index, id);
    }
}

void hearth_item_logprob(struct hearth_item *item, const struct hearth_wire_token_score *score)
{
    const struct hearth_sink *sink = &item->job->inbox->sink;
    if (sink->logprob != NULL) {
        sink->logprob(sink->arg, item->job, item->index, score);
    }
}

void hearth_item_tool_call(struct hearth_item *item, const struct hearth_wire_tool_call *part)
{
    const struct hearth_sink *sink = &item->job->inbox->sink;
    if (sink->tool_call != NULL) {
        sink->tool_call(sink->arg, item->job, item->index, part);
    }
}

void hearth_item_finish(struct hearth_item *item, const struct hearth_item_result *result)
{
    const struct hearth_sink *sink = &item->job->inbox->sink;
    sink->finish(sink->arg, item->job, item->index, result);
    items_ended(item->job, 1, 1);
}

void hearth_item_fail(struct hearth_item *item, int code, const struct hearth_error *err)
{
    struct hearth_job *job = item->job;
    const struct hearth_sink *sink = &job->inbox->sink;
    sink->fail(sink->arg, job, item->index, code, err);

    bool has_siblings = false;
    pthread_mutex_lock(&job->inbox->lock);
    has_siblings = job->open_items > 1;
    job->pins += has_siblings ? 1 : 0;
    pthread_mutex_unlock(&job->inbox->lock);

    items_ended(job, 1, 1);
    if (has_siblings) {
        end_job(job, HEARTH_E_CANCELLED);
    }
}
