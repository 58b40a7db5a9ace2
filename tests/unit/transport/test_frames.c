#include "hearth_transport.h"

#include "kit.h"

#include <string.h>

#define MAX_FRAME 5000

static struct hearth_slice prefixed(const char *text, uint8_t room[64])
{
    size_t length = strlen(text);
    room[0] = (uint8_t)length;
    memset(room + 1, 0, 3);
    memcpy(room + 4, text, length);
    return hearth_slice_of(room, length + 4);
}

static void frame_arrives_byte_by_byte(void **state)
{
    (void)state;
    uint8_t room[64];
    struct hearth_slice bytes = prefixed("hello", room);
    struct hearth_frame_reader reader;
    hearth_frame_reader_init(&reader, MAX_FRAME);
    struct hearth_slice payload = {0};
    for (size_t i = 0; i < bytes.size; i++) {
        assert_int_equal(hearth_frame_reader_next(&reader, &payload), HEARTH_E_NOT_READY);
        assert_int_equal(hearth_frame_reader_feed(&reader, hearth_slice_of(bytes.data + i, 1)), 0);
        assert_true(hearth_frame_reader_is_partial(&reader));
    }
    assert_int_equal(hearth_frame_reader_next(&reader, &payload), 0);
    assert_true(hearth_slice_equals_string(payload, "hello"));
    assert_int_equal(hearth_frame_reader_next(&reader, &payload), HEARTH_E_NOT_READY);
    assert_false(hearth_frame_reader_is_partial(&reader));
    hearth_frame_reader_finish(&reader);
}

static void huge_prefix_is_refused_without_memory(void **state)
{
    (void)state;
    struct hearth_frame_reader reader;
    hearth_frame_reader_init(&reader, 16u << 20);
    struct hearth_slice payload;
    assert_int_equal(hearth_frame_reader_feed(&reader, hearth_slice_of("\xff\xff\xff\xff", 4)), 0);
    assert_int_equal(hearth_frame_reader_next(&reader, &payload), HEARTH_E_TOO_LARGE);
    assert_true(reader.buf.room <= HEARTH_FRAME_READ_BYTES);
    assert_int_equal(hearth_frame_reader_feed(&reader, hearth_slice_of("x", 1)),
                     HEARTH_E_TOO_LARGE);
    assert_int_equal(hearth_frame_reader_next(&reader, &payload), HEARTH_E_TOO_LARGE);
    hearth_frame_reader_finish(&reader);
}

static void largest_prefix_in_the_limit_costs_only_what_arrived(void **state)
{
    (void)state;
    struct hearth_frame_reader reader;
    hearth_frame_reader_init(&reader, 16u << 20);
    struct hearth_slice payload;
    assert_int_equal(hearth_frame_reader_feed(&reader, hearth_slice_of("\0\0\0\1", 4)), 0);
    assert_int_equal(hearth_frame_reader_next(&reader, &payload), HEARTH_E_NOT_READY);
    assert_true(reader.buf.room <= HEARTH_FRAME_READ_BYTES);
    static uint8_t part[100000];
    assert_int_equal(hearth_frame_reader_feed(&reader, hearth_slice_of(part, sizeof part)), 0);
    assert_true(reader.buf.room <= 2 * sizeof part + HEARTH_FRAME_READ_BYTES);
    hearth_frame_reader_finish(&reader);
}

static void limit_is_exact(void **state)
{
    (void)state;
    for (size_t length = 9; length <= 11; length++) {
        uint8_t room[64];
        struct hearth_slice bytes = prefixed("01234567890123", room);
        room[0] = (uint8_t)length;
        struct hearth_frame_reader reader;
        hearth_frame_reader_init(&reader, 10);
        assert_int_equal(hearth_frame_reader_feed(&reader, bytes), 0);
        struct hearth_slice payload = {0};
        int rc = hearth_frame_reader_next(&reader, &payload);
        assert_int_equal(rc, length <= 10 ? 0 : HEARTH_E_TOO_LARGE);
        hearth_frame_reader_finish(&reader);
    }
}

static void empty_frame_is_malformed_for_good(void **state)
{
    (void)state;
    struct hearth_frame_reader reader;
    hearth_frame_reader_init(&reader, MAX_FRAME);
    struct hearth_slice payload;
    assert_int_equal(hearth_frame_reader_feed(&reader, hearth_slice_of("\0\0\0\0\1\0\0\0a", 9)), 0);
    assert_int_equal(hearth_frame_reader_next(&reader, &payload), HEARTH_E_MALFORMED);
    assert_int_equal(hearth_frame_reader_next(&reader, &payload), HEARTH_E_MALFORMED);
    hearth_frame_reader_finish(&reader);
}

static void limit_may_change_between_frames(void **state)
{
    (void)state;
    uint8_t room[64];
    struct hearth_frame_reader reader;
    hearth_frame_reader_init(&reader, 4);
    struct hearth_slice payload = {0};
    assert_int_equal(hearth_frame_reader_feed(&reader, prefixed("1234", room)), 0);
    assert_int_equal(hearth_frame_reader_next(&reader, &payload), 0);
    hearth_frame_reader_set_max(&reader, 8);
    assert_int_equal(hearth_frame_reader_feed(&reader, prefixed("12345678", room)), 0);
    assert_int_equal(hearth_frame_reader_next(&reader, &payload), 0);
    hearth_frame_reader_set_max(&reader, 4);
    assert_int_equal(hearth_frame_reader_feed(&reader, prefixed("12345", room)), 0);
    assert_int_equal(hearth_frame_reader_next(&reader, &payload), HEARTH_E_TOO_LARGE);
    hearth_frame_reader_finish(&reader);
}

static void taken_content_is_wiped(void **state)
{
    (void)state;
    uint8_t room[64];
    struct hearth_frame_reader reader;
    hearth_frame_reader_init(&reader, MAX_FRAME);
    struct hearth_slice payload = {0};
    assert_int_equal(hearth_frame_reader_feed(&reader, prefixed("secret", room)), 0);
    assert_int_equal(hearth_frame_reader_next(&reader, &payload), 0);
    const uint8_t *memory = payload.data;
    assert_int_equal(hearth_frame_reader_feed(&reader, hearth_slice_of("\1", 1)), 0);
    assert_memory_equal(memory, "\0\0\0\0\0\0", 6);
    hearth_frame_reader_finish(&reader);
}

/* A stream of frames, cut anywhere, gives the same frames. */
static void any_cut_gives_the_same_frames(struct kit_random *random, void *context)
{
    (void)context;
    static uint8_t stream[40 * (MAX_FRAME + 4)];
    size_t ends[40];
    size_t count = 1 + kit_random_below(random, HEARTH_COUNT(ends));
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length =
            1 + kit_random_below(random, kit_random_once_in(random, 4) ? MAX_FRAME : 30);
        memcpy(stream + size, &(uint32_t){(uint32_t)length}, 4);
        kit_random_bytes(random, stream + size + 4, length);
        size += 4 + length;
        ends[i] = size;
    }
    struct hearth_frame_reader reader;
    hearth_frame_reader_init(&reader, MAX_FRAME);
    size_t fed = 0;
    size_t taken = 0;
    size_t start = 0;
    while (taken < count) {
        struct hearth_slice payload;
        int rc = hearth_frame_reader_next(&reader, &payload);
        if (rc == HEARTH_E_NOT_READY) {
            assert_true(fed < ends[taken]);
            size_t piece = 1 + kit_random_below(random, HEARTH_MIN(size - fed, (size_t)3000));
            assert_int_equal(
                hearth_frame_reader_feed(&reader, hearth_slice_of(stream + fed, piece)), 0);
            fed += piece;
            continue;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(payload.size, ends[taken] - start - 4);
        assert_memory_equal(payload.data, stream + start + 4, payload.size);
        start = ends[taken++];
    }
    assert_false(hearth_frame_reader_is_partial(&reader) && fed == size);
    hearth_frame_reader_finish(&reader);
}

static void reassembly_does_not_depend_on_cuts(void **state)
{
    (void)state;
    kit_property(200, any_cut_gives_the_same_frames, NULL);
}

static void queue_refuses_at_its_cap_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct hearth_frame_queue queue;
    hearth_frame_queue_init(&queue, 20);
    assert_int_equal(hearth_frame_queue_push(&queue, hearth_slice_of_string("")),
                     HEARTH_E_ARGUMENT);
    assert_int_equal(hearth_frame_queue_push(&queue, hearth_slice_of_string("123456")), 0);
    assert_false(hearth_frame_queue_is_crowded(&queue));
    assert_int_equal(hearth_frame_queue_push(&queue, hearth_slice_of_string("1234567")),
                     HEARTH_E_QUEUE_FULL);
    assert_int_equal(hearth_frame_queue_bytes(&queue), 10);
    assert_int_equal(hearth_frame_queue_push(&queue, hearth_slice_of_string("abcdef")), 0);
    assert_int_equal(hearth_frame_queue_bytes(&queue), 20);
    assert_true(hearth_frame_queue_is_crowded(&queue));
    assert_null(hearth_frame_queue_begin(&queue));
    hearth_frame_queue_finish(&queue);
}

static void frame_built_in_place_is_bounded_and_can_be_aborted(void **state)
{
    (void)state;
    struct hearth_frame_queue queue;
    hearth_frame_queue_init(&queue, 20);
    struct hearth_buf *buf = hearth_frame_queue_begin(&queue);
    assert_non_null(buf);
    assert_int_equal(hearth_buf_append(buf, "secret", 6), 0);
    hearth_frame_queue_abort(&queue);
    assert_int_equal(hearth_frame_queue_bytes(&queue), 0);
    assert_memory_equal(buf->data, "\0\0\0\0\0\0\0\0\0\0", 10);

    buf = hearth_frame_queue_begin(&queue);
    assert_int_equal(hearth_frame_queue_commit(&queue), HEARTH_E_ARGUMENT);
    buf = hearth_frame_queue_begin(&queue);
    assert_int_equal(hearth_buf_append(buf, "12345678901234567", 17), 0);
    assert_int_equal(hearth_frame_queue_commit(&queue), HEARTH_E_QUEUE_FULL);
    assert_int_equal(hearth_frame_queue_bytes(&queue), 0);
    buf = hearth_frame_queue_begin(&queue);
    assert_int_equal(hearth_buf_append(buf, "1234567890123456", 16), 0);
    assert_int_equal(hearth_frame_queue_commit(&queue), 0);
    assert_memory_equal(queue.buf.data, "\x10\0\0\0", 4);
    hearth_frame_queue_finish(&queue);
}

static void any_failed_allocation_leaves_a_usable_queue(void **state)
{
    (void)state;
    static const uint8_t payload[1000];
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_frame_queue queue;
        struct hearth_frame_reader reader;
        hearth_frame_queue_init(&queue, 10000);
        hearth_frame_reader_init(&reader, MAX_FRAME);
        int rc = hearth_frame_queue_push(&queue, hearth_slice_of(payload, sizeof payload));
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        rc = hearth_frame_reader_feed(&reader, hearth_slice_of(payload, 3));
        if (rc < 0) {
            assert_int_equal(rc, HEARTH_E_NO_MEMORY);
        }
        kit_failure_disarm();
        assert_int_equal(hearth_frame_queue_push(&queue, hearth_slice_of_string("x")), 0);
        hearth_frame_queue_finish(&queue);
        hearth_frame_reader_finish(&reader);
    }
}

KIT_MAIN(cmocka_unit_test(frame_arrives_byte_by_byte),
         cmocka_unit_test(huge_prefix_is_refused_without_memory),
         cmocka_unit_test(largest_prefix_in_the_limit_costs_only_what_arrived),
         cmocka_unit_test(limit_is_exact), cmocka_unit_test(empty_frame_is_malformed_for_good),
         cmocka_unit_test(limit_may_change_between_frames),
         cmocka_unit_test(taken_content_is_wiped),
         cmocka_unit_test(reassembly_does_not_depend_on_cuts),
         cmocka_unit_test(queue_refuses_at_its_cap_and_keeps_what_it_has),
         cmocka_unit_test(frame_built_in_place_is_bounded_and_can_be_aborted),
         cmocka_unit_test(any_failed_allocation_leaves_a_usable_queue))
