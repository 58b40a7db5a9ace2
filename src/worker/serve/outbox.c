/* outbox.c — the worker's end of the ring, shared by all its threads.
 *
 * A message goes straight into the ring. When that is full, messages wait here in their order; the
 * link thread sends them when the broker has made room. A run thread is only held up when
 * OUTBOX_CAP_BYTES wait already, and then not for longer than OUTBOX_PATIENCE_MS. */

#include "serve_priv.h"

#include "hearth_spawner.h"

#include <string.h>
#include <time.h>

#define OUTBOX_CAP_BYTES   (2u * HEARTH_MAX_RING_MESSAGE_BYTES)
#define OUTBOX_PATIENCE_MS 10000u
#define OUTBOX_FDS_WAIT_MS 1000u /* for descriptors; then it is their request that pays */
#define OUTBOX_RETRY_MS    1u

int outbox_init(struct outbox_shared *outbox, struct hearth_error *err)
{
    int fds[HEARTH_RING_FD_COUNT];
    for (int i = 0; i < HEARTH_RING_FD_COUNT; i++) {
        fds[i] = HEARTH_WORKER_FD_RING + i;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&outbox->lock, NULL);
    pthread_cond_init(&outbox->has_room, &monotonic);
    pthread_condattr_destroy(&monotonic);
    hearth_buf_init(&outbox->scratch, HEARTH_MAX_RING_MESSAGE_BYTES);
    hearth_buf_init(&outbox->waiting, OUTBOX_CAP_BYTES);
    return hearth_ring_attach(fds, HEARTH_MAX_RING_MESSAGE_BYTES, &outbox->ring, err);
}

/* The ring is left to the end of the process: destroying it would wipe messages that the broker has
 * not read yet, the last words among them. */
void outbox_finish(struct outbox_shared *outbox)
{
    hearth_buf_wipe(&outbox->scratch);
    hearth_buf_finish(&outbox->scratch);
    hearth_buf_wipe(&outbox->waiting);
    hearth_buf_finish(&outbox->waiting);
    pthread_cond_destroy(&outbox->has_room);
    pthread_mutex_destroy(&outbox->lock);
}

/* Sends what waits, as far as the ring takes it. Lock held. */
static void flush(struct outbox_shared *outbox)
{
    size_t sent = 0;
    while (sent < outbox->waiting.size && !outbox->is_broken) {
        uint32_t size = 0;
        memcpy(&size, outbox->waiting.data + sent, sizeof size);
        struct hearth_slice part = hearth_slice_of(outbox->waiting.data + sent + sizeof size, size);
        int rc = hearth_ring_send(outbox->ring, &part, 1);
        if (rc == HEARTH_E_QUEUE_FULL) {
            break;
        }
        outbox->is_broken = rc != 0;
        sent += sizeof size + size;
    }
    if (sent > 0) {
        hearth_wipe(outbox->waiting.data, sent);
        hearth_buf_consume(&outbox->waiting, sent);
        pthread_cond_broadcast(&outbox->has_room);
    }
}

static void wait_until(struct outbox_shared *outbox, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / HEARTH_NS_PER_SEC),
                             .tv_nsec = (long)(until_ns % HEARTH_NS_PER_SEC)};
    (void)pthread_cond_timedwait(&outbox->has_room, &outbox->lock, &until);
}

/* Waits until @bytes fit; gives the broker up when it takes too long. The one who waits may be the
 * link thread, who would send what waits: so everybody who waits tries that himself. Lock held. */
static void wait_for_room(struct outbox_shared *outbox, size_t bytes)
{
    uint64_t now_ns = hearth_clock_ns();
    uint64_t end_ns = hearth_clock_deadline_ns(now_ns, OUTBOX_PATIENCE_MS);
    while (outbox->waiting.size + bytes > OUTBOX_CAP_BYTES && !outbox->is_broken) {
        flush(outbox);
        if (outbox->waiting.size + bytes <= OUTBOX_CAP_BYTES) {
            return;
        }
        wait_until(outbox, hearth_clock_deadline_ns(now_ns, OUTBOX_RETRY_MS));
        now_ns = hearth_clock_ns();
        outbox->is_broken = outbox->is_broken || now_ns >= end_ns;
    }
}

/* Lock held. */
static int send_or_keep(struct outbox_shared *outbox, struct hearth_slice message)
{
    if (outbox->waiting.size == 0) {
        int rc = hearth_ring_send(outbox->ring, &message, 1);
        if (rc != HEARTH_E_QUEUE_FULL) {
            return rc;
        }
    }
    uint32_t size = (uint32_t)message.size;
    int rc = hearth_buf_reserve(&outbox->waiting, sizeof size + size);
    if (rc == 0) {
        rc = hearth_buf_append(&outbox->waiting, &size, sizeof size);
    }
    return rc != 0 ? rc : hearth_buf_append(&outbox->waiting, message.data, message.size);
}

/* Waits until the message has room and its descriptors are on their way. In between, the lock is
 * free; after it nobody comes between the descriptors and the message. HEARTH_E_BUSY if only the
 * descriptors cannot go: others of this user may have too many under way. Lock held. */
static int make_way(struct outbox_shared *outbox, size_t bytes, uint64_t about, const int *fds,
                    uint32_t count)
{
    uint64_t now_ns = hearth_clock_ns();
    uint64_t end_ns = hearth_clock_deadline_ns(now_ns, OUTBOX_FDS_WAIT_MS);
    for (;;) {
        wait_for_room(outbox, bytes);
        if (outbox->is_broken) {
            return HEARTH_E_DISCONNECTED;
        }
        int rc = count == 0 ? 0 : hearth_ring_send_fds(outbox->ring, about, fds, count);
        if (rc != HEARTH_E_NOT_READY || now_ns >= end_ns) {
            return rc == HEARTH_E_NOT_READY ? HEARTH_E_BUSY : rc;
        }
        flush(outbox); /* the broker takes descriptors with their messages: these may wait here */
        wait_until(outbox, hearth_clock_deadline_ns(now_ns, OUTBOX_RETRY_MS));
        now_ns = hearth_clock_ns();
    }
}

int outbox_send_fds(struct outbox_shared *outbox, const struct hearth_message *message,
                    uint64_t about, const int *fds, uint32_t count)
{
    size_t bytes = hearth_wire_size(message);
    if (bytes > HEARTH_MAX_RING_MESSAGE_BYTES) {
        return HEARTH_E_TOO_LARGE;
    }
    pthread_mutex_lock(&outbox->lock);
    int rc = make_way(outbox, sizeof(uint32_t) + bytes, about, fds, count);
    bool are_sent = rc == 0 && count > 0;
    if (rc == 0) { /* the scratch is ours only now: waiting unlocks */
        rc = hearth_wire_encode(message, &outbox->scratch);
    }
    if (rc == 0) {
        rc = send_or_keep(outbox, hearth_buf_slice(&outbox->scratch));
    }
    if (rc != 0 && are_sent) { /* the broker would take them for those of another message */
        outbox->is_broken = true;
    }
    hearth_buf_wipe(&outbox->scratch);
    pthread_mutex_unlock(&outbox->lock);
    return rc;
}

int outbox_send(struct outbox_shared *outbox, const struct hearth_message *message)
{
    return outbox_send_fds(outbox, message, 0, NULL, 0);
}

void outbox_give_up(struct outbox_shared *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->is_broken = true;
    pthread_mutex_unlock(&outbox->lock);
}

int outbox_receive(struct outbox_shared *outbox, struct hearth_buf *message)
{
    pthread_mutex_lock(&outbox->lock);
    int rc = hearth_ring_receive(outbox->ring, message);
    pthread_mutex_unlock(&outbox->lock);
    return rc;
}

bool outbox_prepare_sleep(struct outbox_shared *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool may_sleep = hearth_ring_prepare_sleep(outbox->ring);
    pthread_mutex_unlock(&outbox->lock);
    return may_sleep;
}

bool outbox_wake(struct outbox_shared *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool is_there = hearth_ring_cancel_sleep(outbox->ring);
    flush(outbox); /* cancel_sleep forgets that somebody waits for room: try, or ask again */
    bool is_sound = is_there && !outbox->is_broken && !hearth_ring_is_broken(outbox->ring);
    pthread_mutex_unlock(&outbox->lock);
    return is_sound;
}
