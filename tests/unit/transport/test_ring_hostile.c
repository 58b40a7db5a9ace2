/* The other side writes what it likes: an end over plain memory, whose "theirs" the test fills. */

#include "hearth_transport.h"

#include "kit.h"
#include "ring_priv.h"

#include <string.h>

#define DATA_BYTES  4096u
#define MAX_MESSAGE 1000u

struct side {
    struct ring_header header;
    _Alignas(8) uint8_t rest[RING_HEADER_BYTES - sizeof(struct ring_header) + DATA_BYTES];
};

struct stage {
    struct side mine;
    struct side theirs;
    struct hearth_ring ring;
    struct hearth_buf message;
};

static int set_up(void **state)
{
    static struct stage stage;
    memset(&stage, 0, sizeof stage);
    hearth_ring_bind(&stage.ring, &stage.mine, &stage.theirs, DATA_BYTES, MAX_MESSAGE);
    hearth_buf_init(&stage.message, MAX_MESSAGE);
    *state = &stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    hearth_buf_finish(&stage->message);
    return 0;
}

static void put_length(struct stage *stage, size_t at, uint32_t length)
{
    memcpy((uint8_t *)&stage->theirs + RING_HEADER_BYTES + at, &length, sizeof length);
}

static void expect_broken(struct stage *stage)
{
    struct hearth_slice part = hearth_slice_of_string("x");
    assert_int_equal(hearth_ring_receive(&stage->ring, &stage->message), HEARTH_E_MALFORMED);
    assert_int_equal(stage->message.size, 0);
    assert_true(hearth_ring_is_broken(&stage->ring));
    assert_int_equal(hearth_ring_receive(&stage->ring, &stage->message), HEARTH_E_MALFORMED);
    assert_int_equal(hearth_ring_send(&stage->ring, &part, 1), HEARTH_E_MALFORMED);
    assert_false(hearth_ring_prepare_sleep(&stage->ring));
}

static void position_past_the_ring_breaks_it(void **state)
{
    struct stage *stage = *state;
    put_length(stage, 0, 4); /* the message itself would be lawful */
    stage->theirs.header.produced = DATA_BYTES + 8;
    expect_broken(stage);
}

static void position_that_goes_back_breaks_it(void **state)
{
    struct stage *stage = *state;
    put_length(stage, 0, 4);
    put_length(stage, 8, 4);
    stage->theirs.header.produced = 8;
    assert_int_equal(hearth_ring_receive(&stage->ring, &stage->message), 0);
    stage->theirs.header.produced = 0;
    expect_broken(stage);
}

static void crooked_position_breaks_it(void **state)
{
    struct stage *stage = *state;
    put_length(stage, 0, 4);
    stage->theirs.header.produced = 12;
    expect_broken(stage);
}

static void length_over_the_limit_breaks_it(void **state)
{
    struct stage *stage = *state;
    put_length(stage, 0, MAX_MESSAGE + 1);
    stage->theirs.header.produced = DATA_BYTES;
    expect_broken(stage);
}

static void length_past_what_was_produced_breaks_it(void **state)
{
    struct stage *stage = *state;
    put_length(stage, 0, 5);
    stage->theirs.header.produced = 8;
    expect_broken(stage);
}

static void empty_message_breaks_it(void **state)
{
    struct stage *stage = *state;
    stage->theirs.header.produced = 8;
    expect_broken(stage);
}

static void greatest_length_does_not_overflow(void **state)
{
    struct stage *stage = *state;
    put_length(stage, 0, UINT32_MAX);
    stage->theirs.header.produced = 8;
    expect_broken(stage);
}

/* The consumer may neither take what was not sent, nor give back what it took, nor stand askew. */
static void impossible_consumer_breaks_it(void **state)
{
    static const uint64_t impossible[] = {5000, 1004, UINT64_MAX - 7, (uint64_t)1 << 63};
    struct stage *stage = *state;
    for (size_t i = 0; i < HEARTH_COUNT(impossible); i++) {
        set_up(state);
        static const uint8_t bytes[MAX_MESSAGE];
        struct hearth_slice part = {bytes, MAX_MESSAGE};
        assert_int_equal(hearth_ring_send(&stage->ring, &part, 1), 0); /* 1008 bytes */
        stage->theirs.header.consumed = impossible[i];
        while (!hearth_ring_is_broken(&stage->ring)) {
            int rc = hearth_ring_send(&stage->ring, &part, 1);
            assert_true(rc == 0 || rc == HEARTH_E_MALFORMED);
        }
        assert_true(stage->ring.produced <= DATA_BYTES);
    }
}

static void consumer_that_goes_back_breaks_it(void **state)
{
    struct stage *stage = *state;
    static const uint8_t bytes[MAX_MESSAGE];
    struct hearth_slice part = {bytes, MAX_MESSAGE};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(hearth_ring_send(&stage->ring, &part, 1), 0);
    }
    stage->theirs.header.consumed = 1008;
    assert_int_equal(hearth_ring_send(&stage->ring, &part, 1), 0);
    stage->theirs.header.consumed = 0;
    assert_int_equal(hearth_ring_send(&stage->ring, &part, 1), HEARTH_E_MALFORMED);
}

/* Shared memory is not believed even for what this side wrote itself. */
static void own_positions_are_not_read_back(void **state)
{
    struct stage *stage = *state;
    struct hearth_slice part = hearth_slice_of_string("abcd");
    stage->mine.header.produced = 999;
    stage->mine.header.consumed = 999;
    assert_int_equal(hearth_ring_send(&stage->ring, &part, 1), 0);
    assert_int_equal(stage->mine.header.produced, 8);
    put_length(stage, 0, 4);
    stage->theirs.header.produced = 8;
    assert_int_equal(hearth_ring_receive(&stage->ring, &stage->message), 0);
    assert_int_equal(stage->mine.header.consumed, 8);
}

static void random_memory_never_leaves_its_bounds(struct kit_random *random, void *context)
{
    void **state = context;
    struct stage *stage = *state;
    set_up(state);
    stage->mine.rest[sizeof stage->mine.rest - 1] = 0;
    kit_random_bytes(random, &stage->theirs, sizeof stage->theirs);
    for (int i = 0; i < 20; i++) {
        uint64_t near = stage->ring.consumed + 8 * kit_random_below(random, DATA_BYTES / 8 + 2);
        stage->theirs.header.produced = near;
        stage->theirs.header.consumed = 8 * kit_random_below(random, 600);
        put_length(stage, (size_t)(stage->ring.consumed % DATA_BYTES),
                   (uint32_t)kit_random_below(random, MAX_MESSAGE + 3));
        int rc = hearth_ring_receive(&stage->ring, &stage->message);
        assert_true(rc == 0 || rc == HEARTH_E_NOT_READY || rc == HEARTH_E_MALFORMED);
        assert_true(stage->message.size <= MAX_MESSAGE);
        struct hearth_slice part = {stage->message.data, stage->message.size};
        rc = hearth_ring_send(&stage->ring, &part, 1);
        assert_true(rc <= 0);
    }
    tear_down(state);
}

static void random_memory_is_harmless(void **state)
{
    kit_property(500, random_memory_never_leaves_its_bounds, state);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

KIT_MAIN(STAGED(position_past_the_ring_breaks_it), STAGED(position_that_goes_back_breaks_it),
         STAGED(crooked_position_breaks_it), STAGED(length_over_the_limit_breaks_it),
         STAGED(length_past_what_was_produced_breaks_it), STAGED(empty_message_breaks_it),
         STAGED(greatest_length_does_not_overflow), STAGED(impossible_consumer_breaks_it),
         STAGED(consumer_that_goes_back_breaks_it), STAGED(own_positions_are_not_read_back),
         STAGED(random_memory_is_harmless))
