/* ring_priv.h — the memory layout of a ring, and an end over given memory (for tests, which can so
 * play a hostile other side or let a thread checker see both ends). */

#ifndef HEARTH_RING_PRIV_H
#define HEARTH_RING_PRIV_H

#include "ring.h"

#include <stdatomic.h>

#define RING_HEADER_BYTES 4096 /* one page before the data */
#define RING_ALIGN        8    /* of the start of a message */
#define RING_LENGTH_BYTES 4
#define RING_CACHE_LINE   64
#define RING_MIN_DATA     (4u << 10)
#define RING_MAX_DATA     (64u << 20)

/* Polling. A wake-up and the sleep before it cost both sides together 10 to 20 us: polling for
 * longer than that would cost more than it can save. */
#define RING_POLL_NS     20000u
#define RING_POLL_LOOKS  32u /* between two readings of the clock */
#define RING_POLL_TRUST  4   /* hits add one, misses take two; below zero … */
#define RING_POLL_SELDOM 32u /* … only every so many-th attempt polls */

/* What one side writes and the other only reads. Positions count bytes since the start and never
 * wrap; the place in the data is position & (data_bytes - 1). A ticket is 0 while its owner does
 * not wait, and a number never used before while it does. Each on a cache line of its own. */
struct ring_header {
    _Alignas(RING_CACHE_LINE) _Atomic uint64_t produced; /* outbound, by this side */
    _Alignas(RING_CACHE_LINE) _Atomic uint64_t consumed; /* inbound, by this side */
    _Alignas(RING_CACHE_LINE) _Atomic uint64_t
        message_ticket;                               /* this side sleeps until a message */
    _Atomic uint64_t room_ticket;                     /* this side waits for room to send */
    _Alignas(RING_CACHE_LINE) _Atomic uint64_t steps; /* as this side tells of its progress */
};
_Static_assert(sizeof(struct ring_header) <= RING_HEADER_BYTES, "header of a ring");

struct hearth_ring {
    uint32_t magic;
    bool is_broken;
    bool is_broker;
    size_t data_bytes;
    size_t max_message_bytes;
    struct ring_header *mine;
    const struct ring_header *theirs;
    uint8_t *out;
    const uint8_t *in;
    /* Private copies: what this side decided is never read back from shared memory. */
    uint64_t produced;
    uint64_t consumed;
    uint64_t their_produced; /* as last read and checked */
    uint64_t their_consumed;
    uint64_t wiped;         /* outbound bytes before this position are zero again */
    int32_t poll_trust;     /* -RING_POLL_TRUST to RING_POLL_TRUST: two of three polls must hit */
    uint32_t polls_skipped; /* since the last one that was not */
    uint64_t last_ticket;
    uint64_t woken_message_ticket; /* the last of theirs for which a wake-up was sent */
    uint64_t woken_room_ticket;
    int wake_fd;
    int channel_fd;
    int worker_fds[HEARTH_RING_FD_COUNT];
};

/* Prepares an end over two pieces of RING_HEADER_BYTES + @data_bytes; owns neither of them. */
void hearth_ring_bind(struct hearth_ring *ring, void *mine, const void *theirs, size_t data_bytes,
                      size_t max_message_bytes);

/* Zeroes what the other side has taken; called before sleeping. */
void hearth_ring_wipe_taken(struct hearth_ring *ring);

#endif
