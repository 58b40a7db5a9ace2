/* ring.c — sending and receiving through shared memory.
 *
 * Why no wake-up is lost. A sleeper stores its ticket (T) and then loads the producer's position
 * (P); a sender stores the position (P') and then loads the ticket (T'). All four are sequentially
 * consistent, so they have one order. If the sleeper's load did not see the new position, it came
 * before the sender's store: T < P < P' < T', and the sender saw the ticket and sends the wake-up.
 * If it did see it, the sleeper does not sleep. A ticket is never used twice, so "was woken for
 * this ticket" is exact: the wake-up of a ticket is drained only after the ticket was taken back,
 * and then everything is looked at again. The same holds for room: the sender stores its ticket and
 * then loads the consumer's position; the receiver stores that position and then loads the ticket.
 */

#include "ring_priv.h"

#include "hearth_os.h"

#include <string.h>

#define RING_MAGIC 0x52494e47u

void hearth_ring_bind(struct hearth_ring *ring, void *mine, const void *theirs, size_t data_bytes,
                      size_t max_message_bytes)
{
    *ring = (struct hearth_ring){
        .magic = RING_MAGIC,
        .data_bytes = data_bytes,
        .max_message_bytes = max_message_bytes,
        .mine = mine,
        .theirs = theirs,
        .out = (uint8_t *)mine + RING_HEADER_BYTES,
        .in = (const uint8_t *)theirs + RING_HEADER_BYTES,
        .poll_trust = RING_POLL_TRUST,
        .wake_fd = -1,
        .channel_fd = -1,
        .worker_fds = {-1, -1, -1, -1},
    };
}

static int break_ring(struct hearth_ring *ring)
{
    ring->is_broken = true;
    return HEARTH_E_MALFORMED;
}

/* The room that a message takes, its length included. */
static uint64_t footprint(size_t size)
{
    return ((uint64_t)size + RING_LENGTH_BYTES + (RING_ALIGN - 1)) & ~(uint64_t)(RING_ALIGN - 1);
}

/* Sends one byte: enough, because the sleeper empties the descriptor and then looks for itself. */
static void wake_other(const struct hearth_ring *ring)
{
    size_t sent = 0;
    /* The broker must never wait or die here, whatever the worker did to its end: that is what
     * hearth_socket_send() promises. A worker is allowed write() only. Failure means that a byte
     * lies there already, or that nobody is left to be woken. */
    int rc = ring->is_broker ? hearth_socket_send(ring->wake_fd, "", 1, &sent)
                             : hearth_fd_write(ring->wake_fd, "", 1, &sent);
    (void)rc;
}

static void wake_if_waiting(const struct hearth_ring *ring, const _Atomic uint64_t *ticket,
                            uint64_t *woken_ticket)
{
    uint64_t waits = atomic_load_explicit(ticket, memory_order_seq_cst);
    if (waits != 0 && waits != *woken_ticket) {
        *woken_ticket = waits;
        wake_other(ring);
    }
}

/* ── Sending ─────────────────────────────────────────────────────────────────────────────────── */

/* Reads how far the other side has come; it may only move on, and not past what was sent. */
static int read_their_consumed(struct hearth_ring *ring)
{
    uint64_t consumed = atomic_load_explicit(&ring->theirs->consumed, memory_order_seq_cst);
    if (consumed % RING_ALIGN != 0 ||
        consumed - ring->their_consumed > ring->produced - ring->their_consumed) {
        return break_ring(ring);
    }
    ring->their_consumed = consumed;
    return 0;
}

static uint64_t room_of(const struct hearth_ring *ring)
{
    return ring->data_bytes - (ring->produced - ring->their_consumed);
}

static int find_room(struct hearth_ring *ring, uint64_t needed)
{
    if (room_of(ring) >= needed) {
        return 0;
    }
    int rc = read_their_consumed(ring);
    if (rc == 0 && room_of(ring) < needed) {
        atomic_store_explicit(&ring->mine->room_ticket, ++ring->last_ticket, memory_order_seq_cst);
        rc = read_their_consumed(ring);
    }
    if (rc == 0 && room_of(ring) < needed) {
        return HEARTH_E_QUEUE_FULL; /* the ticket stays: the other side will wake us */
    }
    atomic_store_explicit(&ring->mine->room_ticket, 0, memory_order_relaxed);
    return rc;
}

static void zero_out(struct hearth_ring *ring, uint64_t from, uint64_t to)
{
    while (from < to) {
        size_t at = (size_t)(from & (ring->data_bytes - 1));
        size_t size = (size_t)HEARTH_MIN(to - from, (uint64_t)(ring->data_bytes - at));
        hearth_wipe(ring->out + at, size);
        from += size;
    }
}

void hearth_ring_wipe_taken(struct hearth_ring *ring)
{
    if (!ring->is_broken && ring->wiped != ring->produced && read_their_consumed(ring) == 0) {
        /* What was overwritten meanwhile belongs to newer messages. */
        uint64_t overwritten =
            ring->produced > ring->data_bytes ? ring->produced - ring->data_bytes : 0;
        zero_out(ring, HEARTH_MAX(ring->wiped, overwritten), ring->their_consumed);
        ring->wiped = ring->their_consumed;
    }
}

static void copy_out(struct hearth_ring *ring, uint64_t position, const void *data, size_t size)
{
    size_t at = (size_t)(position & (ring->data_bytes - 1));
    size_t first = HEARTH_MIN(size, ring->data_bytes - at);
    memcpy(ring->out + at, data, first);
    if (size > first) {
        memcpy(ring->out, (const uint8_t *)data + first, size - first);
    }
}

static int total_size(const struct hearth_ring *ring, const struct hearth_slice *parts,
                      size_t count, size_t *ret_size)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > ring->max_message_bytes - size) {
            return HEARTH_E_TOO_LARGE;
        }
        size += parts[i].size;
    }
    *ret_size = size;
    return size > 0 ? 0 : HEARTH_E_ARGUMENT;
}

int hearth_ring_send(struct hearth_ring *ring, const struct hearth_slice *parts, size_t count)
{
    HEARTH_CHECK(ring, RING_MAGIC);
    if (ring->is_broken) {
        return HEARTH_E_MALFORMED;
    }
    size_t size = 0;
    int rc = total_size(ring, parts, count, &size);
    if (rc == 0) {
        rc = find_room(ring, footprint(size));
    }
    if (rc < 0) {
        return rc;
    }
    uint32_t length = (uint32_t)size;
    copy_out(ring, ring->produced, &length, sizeof length);
    uint64_t position = ring->produced + sizeof length;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0) {
            copy_out(ring, position, parts[i].data, parts[i].size);
            position += parts[i].size;
        }
    }
    ring->produced += footprint(size);
    atomic_store_explicit(&ring->mine->produced, ring->produced, memory_order_seq_cst);
    wake_if_waiting(ring, &ring->theirs->message_ticket, &ring->woken_message_ticket);
    return 0;
}

/* ── Receiving ───────────────────────────────────────────────────────────────────────────────── */

static void copy_in(const struct hearth_ring *ring, uint64_t position, uint8_t *data, size_t size)
{
    size_t at = (size_t)(position & (ring->data_bytes - 1));
    size_t first = HEARTH_MIN(size, ring->data_bytes - at);
    memcpy(data, ring->in + at, first);
    if (size > first) {
        memcpy(data + first, ring->in, size - first);
    }
}

/* Reads the producer's position when all that was known is taken. */
static int read_their_produced(struct hearth_ring *ring)
{
    if (ring->their_produced == ring->consumed) {
        uint64_t produced = atomic_load_explicit(&ring->theirs->produced, memory_order_seq_cst);
        if (produced % RING_ALIGN != 0 || produced - ring->consumed > ring->data_bytes) {
            return break_ring(ring);
        }
        ring->their_produced = produced;
    }
    return ring->their_produced == ring->consumed ? HEARTH_E_NOT_READY : 0;
}

int hearth_ring_receive(struct hearth_ring *ring, struct hearth_buf *message)
{
    HEARTH_CHECK(ring, RING_MAGIC);
    HEARTH_ASSERT(message->cap >= ring->max_message_bytes);
    hearth_buf_clear(message);
    if (ring->is_broken) {
        return HEARTH_E_MALFORMED;
    }
    int rc = read_their_produced(ring);
    if (rc < 0) {
        return rc;
    }
    uint32_t length = 0; /* copied once: the writer may change it after the check */
    copy_in(ring, ring->consumed, (uint8_t *)&length, sizeof length);
    if (length == 0 || length > ring->max_message_bytes ||
        footprint(length) > ring->their_produced - ring->consumed) {
        return break_ring(ring);
    }
    rc = hearth_buf_reserve(message, length);
    if (rc < 0) {
        return rc;
    }
    copy_in(ring, ring->consumed + sizeof length, message->data, length);
    message->size = length;
    ring->consumed += footprint(length);
    atomic_store_explicit(&ring->mine->consumed, ring->consumed, memory_order_seq_cst);
    wake_if_waiting(ring, &ring->theirs->room_ticket, &ring->woken_room_ticket);
    return 0;
}

bool hearth_ring_has_message(const struct hearth_ring *ring)
{
    HEARTH_CHECK(ring, RING_MAGIC);
    return ring->is_broken || ring->their_produced != ring->consumed ||
           atomic_load_explicit(&ring->theirs->produced, memory_order_seq_cst) != ring->consumed;
}

/* ── Polling ─────────────────────────────────────────────────────────────────────────────────── */

/* Tells the processor that this is a wait: its sibling and its power budget gain. */
static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Only what this end's receiver writes is read here without the other end's store: so a thread of
 * this side that sends is no matter. */
static bool has_arrived(const struct hearth_ring *ring)
{
    return ring->their_produced != ring->consumed ||
           atomic_load_explicit(&ring->theirs->produced, memory_order_acquire) != ring->consumed;
}

/* A miss costs more than a hit saves: the other side may wait for this very core. */
static bool note_poll(struct hearth_ring *ring, bool is_hit)
{
    ring->poll_trust = is_hit ? HEARTH_MIN(ring->poll_trust + 1, RING_POLL_TRUST)
                              : HEARTH_MAX(ring->poll_trust - 2, -RING_POLL_TRUST);
    return is_hit;
}

bool hearth_ring_is_worth_polling(struct hearth_ring *ring)
{
    HEARTH_CHECK(ring, RING_MAGIC);
    return ring->poll_trust >= 0 || ++ring->polls_skipped >= RING_POLL_SELDOM;
}

bool hearth_ring_poll(struct hearth_ring *ring)
{
    if (!hearth_ring_is_worth_polling(ring)) {
        return has_arrived(ring);
    }
    ring->polls_skipped = 0;
    uint64_t end_ns = hearth_clock_ns() + RING_POLL_NS;
    do {
        for (unsigned i = 0; i < RING_POLL_LOOKS; i++) {
            if (has_arrived(ring)) {
                return note_poll(ring, true);
            }
            relax();
        }
    } while (hearth_clock_ns() < end_ns);
    return note_poll(ring, false);
}

/* ── Sleeping ────────────────────────────────────────────────────────────────────────────────── */

bool hearth_ring_prepare_sleep(struct hearth_ring *ring)
{
    if (hearth_ring_has_message(ring)) {
        return false;
    }
    hearth_ring_wipe_taken(ring);
    atomic_store_explicit(&ring->mine->message_ticket, ++ring->last_ticket, memory_order_seq_cst);
    if (hearth_ring_has_message(ring)) {
        atomic_store_explicit(&ring->mine->message_ticket, 0, memory_order_relaxed);
        return false;
    }
    return true;
}

void hearth_ring_stay_awake(struct hearth_ring *ring)
{
    HEARTH_CHECK(ring, RING_MAGIC);
    atomic_store_explicit(&ring->mine->message_ticket, 0, memory_order_relaxed);
}

/* A worker may put descriptors beside a wake-up, which nobody asks for: they are closed where that
 * may take its time, and nothing more is taken from it. */
static int take_wakes(struct hearth_ring *ring, uint8_t *room, size_t room_bytes, size_t *ret_got)
{
    int fds[HEARTH_MAX_RECEIVED_FDS];
    size_t count = 0;
    bool are_lost = false;
    int rc = hearth_socket_receive_with_fds(ring->wake_fd, room, room_bytes, ret_got, fds, &count,
                                            &are_lost);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        hearth_fd_discard(&fds[i]);
    }
    ring->is_broken = ring->is_broken || (rc == 0 && (count > 0 || are_lost));
    return rc;
}

bool hearth_ring_cancel_sleep(struct hearth_ring *ring)
{
    HEARTH_CHECK(ring, RING_MAGIC);
    atomic_store_explicit(&ring->mine->message_ticket, 0, memory_order_relaxed);
    /* One read: an honest peer has written a byte or two. Were there more, we would wake again. */
    uint8_t bytes[64];
    size_t got = 0;
    int rc = ring->is_broker ? take_wakes(ring, bytes, sizeof bytes, &got)
                             : hearth_fd_read(ring->wake_fd, bytes, sizeof bytes, &got);
    return rc == HEARTH_E_NOT_READY || (rc == 0 && got > 0);
}

_Atomic uint64_t *hearth_ring_steps(struct hearth_ring *ring)
{
    return &ring->mine->steps;
}

uint64_t hearth_ring_their_steps(const struct hearth_ring *ring)
{
    return atomic_load_explicit(&ring->theirs->steps, memory_order_relaxed);
}

int hearth_ring_wake_fd(const struct hearth_ring *ring)
{
    return ring->wake_fd;
}

bool hearth_ring_is_broken(const struct hearth_ring *ring)
{
    return ring->is_broken;
}
