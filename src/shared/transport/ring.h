/* ring.h — messages between the broker and one worker through shared memory.
 *
 * Each process writes exactly one piece of memory and maps the other's read-only:
 *
 *   broker's memory: data and producer index of broker → worker; consumer index of worker → broker
 *   worker's memory: data and producer index of worker → broker; consumer index of broker → worker
 *
 * Both pieces are made by the broker and sealed against truncation, so neither side can be hit by
 * SIGBUS; each is sealed against further writable mappings after its one writer has mapped it.
 * A sleeper is woken by a byte on a socket pair, sent only if it announced that it sleeps. (Not an
 * eventfd: its O_NONBLOCK flag would be shared, so a hostile worker could make the broker block.)
 *
 * The other side may be hostile: its indexes are read once and checked, and a message is copied
 * into private memory before anybody looks at it. A violation returns HEARTH_E_MALFORMED, and from
 * then on every call does.
 *
 * One end belongs to one thread at a time; nothing blocks; nothing allocates after create/attach
 * save the growth of the receiver's buf.                                                         */

#ifndef HEARTH_RING_H
#define HEARTH_RING_H

#include "hearth_base.h"

struct hearth_ring;

#define HEARTH_RING_DATA_BYTES (4u << 20) /* usual size of each direction; a power of two */

/* What the worker needs, in the order in which it is passed. */
enum hearth_ring_fd {
    HEARTH_RING_FD_BROKER_MEMORY,
    HEARTH_RING_FD_WORKER_MEMORY,
    HEARTH_RING_FD_WAKE,
    HEARTH_RING_FD_CHANNEL, /* descriptors that belong to messages */
    HEARTH_RING_FD_COUNT,
};
#define HEARTH_RING_MAX_FDS 16 /* of one message */

/**
 * Makes both directions with @data_bytes each (a power of two, 4 KiB to 64 MiB) and the broker's
 * end. Messages are 1 to @max_message_bytes long, at most @data_bytes - 8.
 * HEARTH_E_ARGUMENT, HEARTH_E_NO_MEMORY, HEARTH_E_SYSTEM.
 */
int hearth_ring_create(size_t data_bytes, size_t max_message_bytes, struct hearth_ring **ret_ring,
                       struct hearth_error *err);

/** Lends the worker's descriptors for sending; they stay open until hearth_ring_forget_fds(). */
void hearth_ring_fds(const struct hearth_ring *ring, int ret_fds[HEARTH_RING_FD_COUNT]);

/** Closes the worker's descriptors here, once they were passed on. */
void hearth_ring_forget_fds(struct hearth_ring *ring);

/**
 * Makes the worker's end; sizes come from the memory and must match. On success @fds are taken
 * over: the two memory descriptors are closed, the others stay open (hearth_ring_wake_fd(),
 * hearth_ring_channel_fd()). On failure they stay the caller's. Seals the worker's memory for good.
 * After this a worker needs only read and write (system calls) to use the ring, and sendmsg and
 * recvmsg for descriptors.
 * HEARTH_E_MALFORMED if the memory is not what hearth_ring_create() makes, HEARTH_E_NO_MEMORY,
 * HEARTH_E_SYSTEM.
 */
int hearth_ring_attach(const int fds[HEARTH_RING_FD_COUNT], size_t max_message_bytes,
                       struct hearth_ring **ret_ring, struct hearth_error *err);

/** Wipes what this side wrote, unmaps and closes. NULL is fine. */
void hearth_ring_destroy(struct hearth_ring *ring);
static inline void hearth_ring_cleanup(struct hearth_ring **owned)
{
    hearth_ring_destroy(*owned);
}

/**
 * Sends one message made of @count parts. Wakes the other side if it sleeps.
 * HEARTH_E_QUEUE_FULL if there is no room: nothing was sent, and hearth_ring_wake_fd() becomes
 * readable when room has been made (then hearth_ring_cancel_sleep() and try again).
 * HEARTH_E_TOO_LARGE over the limit, HEARTH_E_ARGUMENT if empty, HEARTH_E_MALFORMED.
 */
HEARTH_NODISCARD int hearth_ring_send(struct hearth_ring *ring, const struct hearth_slice *parts,
                                      size_t count);

/**
 * Copies the next message into @message, which is cleared first and whose cap must be the message
 * limit or more. HEARTH_E_NOT_READY when there is none, HEARTH_E_MALFORMED, HEARTH_E_NO_MEMORY (the
 * message stays). How many to take before doing something else is the caller's choice.
 */
HEARTH_NODISCARD int hearth_ring_receive(struct hearth_ring *ring, struct hearth_buf *message);

/** True if receive would not return NOT_READY (a broken ring counts). */
bool hearth_ring_has_message(const struct hearth_ring *ring);

/**
 * Looks for a message again and again for a few microseconds, without a system call: two wake-ups
 * saved if the answer comes at once. For a receiver that has reason to expect one. Unless two of
 * three attempts succeed, it hardly tries any more until the other side is quick again: so a slow
 * or idle peer, or one that waits for this very core, costs next to nothing. Returns true if there
 * is one. Another thread of this side may send meanwhile.
 */
bool hearth_ring_poll(struct hearth_ring *ring);

/** True if the next hearth_ring_poll() will really poll: for who must prepare for it. Ask once for
 *  each occasion, as it is counted. */
bool hearth_ring_is_worth_polling(struct hearth_ring *ring);

/**
 * Announces that this side is going to sleep until hearth_ring_wake_fd() is readable. Returns true
 * if it may; false, and nothing is announced, if a message is already there (or the ring is
 * broken).
 *
 *   for (;;) {
 *       while (hearth_ring_receive(ring, &message) == 0) …
 *       if (hearth_ring_prepare_sleep(ring)) { wait for hearth_ring_wake_fd(ring) to be readable;
 *                                              hearth_ring_cancel_sleep(ring); }
 *   }
 */
bool hearth_ring_prepare_sleep(struct hearth_ring *ring);

/**
 * Takes the announcement back without having slept: no wake-up is needed while this side polls. A
 * byte may have been sent all the same; hearth_ring_cancel_sleep() takes it, then or later.
 */
void hearth_ring_stay_awake(struct hearth_ring *ring);

/**
 * Ends the sleep and empties the wake descriptor: call it first after waking. Returns false if the
 * other side has closed its end (it ended).
 */
bool hearth_ring_cancel_sleep(struct hearth_ring *ring);

/** The number by which this side tells of its progress: it adds to it from any thread, without a
 *  message and without waking anybody. Lives as long as the ring. */
_Atomic uint64_t *hearth_ring_steps(struct hearth_ring *ring);

/** What the other side tells of its progress, as it stands now; it may tell anything. */
uint64_t hearth_ring_their_steps(const struct hearth_ring *ring);

/** The descriptor to watch for HEARTH_READY_IN. Owned by the ring. */
int hearth_ring_wake_fd(const struct hearth_ring *ring);

/** The descriptor of the channel; for the list of what a worker keeps open. Owned by the ring. */
int hearth_ring_channel_fd(const struct hearth_ring *ring);

/**
 * Sends copies of @count descriptors, 1 to HEARTH_RING_MAX_FDS, beside the ring, before the message
 * that claims them; @about is a number that both sides find in that message. May be called beside
 * the other functions, by one thread at a time. Never waits: HEARTH_E_NOT_READY if the other side
 * has too much to take already; HEARTH_E_DISCONNECTED, HEARTH_E_SYSTEM.
 */
HEARTH_NODISCARD int hearth_ring_send_fds(struct hearth_ring *ring, uint64_t about, const int *fds,
                                          uint32_t count);

/**
 * Takes the descriptors that were sent about @about, close-on-exec: they are the caller's. Never
 * waits: they were sent before the message that claims them. A worker skips what was sent about
 * messages that never came; the broker takes that for a broken rule. HEARTH_E_MALFORMED if they are
 * not there or not @count (what came is closed), HEARTH_E_SYSTEM.
 */
HEARTH_NODISCARD int hearth_ring_receive_fds(struct hearth_ring *ring, uint64_t about, int *ret_fds,
                                             uint32_t count);

/** True after HEARTH_E_MALFORMED: the other side broke the rules and the ring is of no use. */
bool hearth_ring_is_broken(const struct hearth_ring *ring);

#endif
