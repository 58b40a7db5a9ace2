/* fuzz_ring.c — an end of a ring whose other side is the input: a list of operations that write
 * indexes and bytes into the other side's memory between calls. The end must stay inside its memory
 * (AddressSanitizer watches), return only lawful messages, and stay broken once broken. */

#include "ring_priv.h"

#include <stdlib.h>
#include <string.h>

#define DATA_BYTES  4096u
#define SIDE_BYTES  (RING_HEADER_BYTES + DATA_BYTES)
#define MAX_MESSAGE 1500u
#define MAX_POLLS   20u

int hearth_fuzz_ring(const uint8_t *data, size_t size);

/* The input, taken from the front; zeroes when it is used up. */
struct input {
    const uint8_t *at;
    size_t left;
};

static uint64_t take(struct input *input, size_t bytes)
{
    uint64_t value = 0;
    size_t n = HEARTH_MIN(bytes, input->left);
    memcpy(&value, input->at, n);
    input->at += n;
    input->left -= n;
    return value;
}

enum operation {
    WRITE_PRODUCED, /* any value */
    ADVANCE_PRODUCED /* from what was consumed: near the lawful */,
    WRITE_CONSUMED,
    ADVANCE_CONSUMED,
    WRITE_LENGTH, /* where the next message starts */
    WRITE_BYTES,
    WRITE_TICKETS,
    SEND,
    RECEIVE,
    SLEEP,
    STAY_AWAKE,
    POLL,
    OPERATION_COUNT_,
};

struct world {
    struct hearth_ring ring;
    struct hearth_buf message;
    uint8_t *mine;
    uint8_t *theirs;
    unsigned polls;
};

static void write_bytes(struct world *world, struct input *input)
{
    size_t at = take(input, 2) % DATA_BYTES;
    size_t wanted = 1 + take(input, 1);
    size_t count = HEARTH_MIN(wanted, DATA_BYTES - at);
    for (size_t i = 0; i < count; i++) {
        world->theirs[RING_HEADER_BYTES + at + i] = (uint8_t)take(input, 1);
    }
}

static void receive(struct world *world)
{
    bool was_broken = hearth_ring_is_broken(&world->ring);
    uint64_t before = world->ring.consumed;
    int rc = hearth_ring_receive(&world->ring, &world->message);
    HEARTH_ASSERT(!was_broken || rc == HEARTH_E_MALFORMED);
    HEARTH_ASSERT((rc == HEARTH_E_MALFORMED) == hearth_ring_is_broken(&world->ring));
    if (rc == 0) {
        uint64_t moved = world->ring.consumed - before;
        HEARTH_ASSERT(world->message.size >= 1 && world->message.size <= MAX_MESSAGE);
        HEARTH_ASSERT(moved % RING_ALIGN == 0 && moved >= world->message.size + 4 &&
                      moved < world->message.size + 4 + RING_ALIGN);
    } else {
        HEARTH_ASSERT(world->message.size == 0 && world->ring.consumed == before);
    }
}

static void send(struct world *world, struct input *input)
{
    static const uint8_t bytes[MAX_MESSAGE + 1];
    struct hearth_slice parts[2] = {{bytes, take(input, 1)}, {bytes, take(input, 2) % 1600}};
    bool was_broken = hearth_ring_is_broken(&world->ring);
    int rc = hearth_ring_send(&world->ring, parts, 2);
    HEARTH_ASSERT(!was_broken || rc == HEARTH_E_MALFORMED);
    HEARTH_ASSERT(world->ring.produced - world->ring.their_consumed <= DATA_BYTES);
    HEARTH_ASSERT(rc <= 0);
}

/* Waits for some microseconds each time, so not often. What is there is seen at once. */
static void poll_some(struct world *world)
{
    if (world->polls < MAX_POLLS) {
        struct ring_header *header = (void *)world->theirs;
        bool is_there = header->produced != world->ring.consumed ||
                        world->ring.their_produced != world->ring.consumed;
        HEARTH_ASSERT(hearth_ring_poll(&world->ring) == is_there);
        world->polls++;
    }
}

static void perform(struct world *world, struct input *input)
{
    struct ring_header *header = (void *)world->theirs;
    uint32_t length = 0;
    switch ((enum operation)(take(input, 1) % OPERATION_COUNT_)) {
    case WRITE_PRODUCED: header->produced = take(input, 8); return;
    case ADVANCE_PRODUCED: header->produced = world->ring.consumed + 8 * take(input, 2); return;
    case WRITE_CONSUMED: header->consumed = take(input, 8); return;
    case ADVANCE_CONSUMED: header->consumed += 8 * take(input, 1); return;
    case WRITE_LENGTH:
        length = (uint32_t)take(input, 2);
        memcpy(world->theirs + RING_HEADER_BYTES + world->ring.consumed % DATA_BYTES, &length, 4);
        return;
    case WRITE_BYTES: write_bytes(world, input); return;
    case WRITE_TICKETS:
        header->message_ticket = take(input, 1);
        header->room_ticket = take(input, 1);
        return;
    case SEND: send(world, input); return;
    case RECEIVE: receive(world); return;
    case SLEEP: (void)hearth_ring_prepare_sleep(&world->ring); return;
    case STAY_AWAKE: hearth_ring_stay_awake(&world->ring); return;
    case POLL: poll_some(world); return;
    case OPERATION_COUNT_: break;
    }
    HEARTH_UNREACHABLE();
}

int hearth_fuzz_ring(const uint8_t *data, size_t size)
{
    struct world world;
    /* Apart from each other and of exact size, so that a byte too far is seen. */
    world.mine = aligned_alloc(RING_CACHE_LINE, SIDE_BYTES);
    world.theirs = aligned_alloc(RING_CACHE_LINE, SIDE_BYTES);
    HEARTH_ASSERT(world.mine != NULL && world.theirs != NULL);
    memset(world.mine, 0, SIDE_BYTES);
    memset(world.theirs, 0, SIDE_BYTES);
    world.polls = 0;
    hearth_buf_init(&world.message, MAX_MESSAGE);
    hearth_ring_bind(&world.ring, world.mine, world.theirs, DATA_BYTES, MAX_MESSAGE);
    struct input input = {data, size};
    while (input.left > 0) {
        perform(&world, &input);
    }
    hearth_buf_finish(&world.message);
    free(world.mine);
    free(world.theirs);
    return 0;
}
