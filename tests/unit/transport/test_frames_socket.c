#include "hearth_transport.h"

#include "hearth_os.h"
#include "kit.h"

#include <string.h>

#define MAX_FRAME (1u << 20)
#define SECONDS   HEARTH_NS_PER_SEC

struct pair {
    int fds[2];
    struct hearth_frame_reader reader; /* of end 1 */
    struct hearth_frame_queue queue;   /* of end 0 */
};

static int set_up(void **state)
{
    static struct pair pair;
    *state = &pair;
    hearth_frame_reader_init(&pair.reader, MAX_FRAME);
    hearth_frame_queue_init(&pair.queue, 4u << 20);
    return hearth_socket_stream_pair(pair.fds, NULL);
}

static int tear_down(void **state)
{
    struct pair *pair = *state;
    hearth_fd_close(&pair->fds[0]);
    hearth_fd_close(&pair->fds[1]);
    hearth_frame_reader_finish(&pair->reader);
    hearth_frame_queue_finish(&pair->queue);
    return 0;
}

static void slow_reader_makes_the_rest_wait_and_loses_nothing(void **state)
{
    struct pair *pair = *state;
    static uint8_t big[MAX_FRAME];
    for (size_t i = 0; i < sizeof big; i++) {
        big[i] = (uint8_t)(i * 7 + i / 251);
    }
    assert_int_equal(hearth_frame_queue_push(&pair->queue, hearth_slice_of(big, sizeof big)), 0);
    assert_int_equal(hearth_frame_queue_push(&pair->queue, hearth_slice_of_string("end")), 0);
    int waited = 0;
    int frames = 0;
    while (frames < 2) {
        int rc = hearth_frame_queue_flush(&pair->queue, pair->fds[0]);
        assert_true(rc == 0 || rc == HEARTH_E_NOT_READY);
        waited += rc == HEARTH_E_NOT_READY;
        struct hearth_slice payload;
        rc = hearth_frame_reader_next(&pair->reader, &payload);
        if (rc == HEARTH_E_NOT_READY) {
            assert_int_equal(hearth_frame_reader_fill(&pair->reader, pair->fds[1]), 0);
        } else {
            assert_int_equal(rc, 0);
            frames++;
            assert_true(frames == 1 ? hearth_slice_equal(payload, hearth_slice_of(big, sizeof big))
                                    : hearth_slice_equals_string(payload, "end"));
        }
    }
    assert_true(waited > 1); /* a megabyte does not fit into a socket */
    assert_int_equal(hearth_frame_queue_bytes(&pair->queue), 0);
    assert_true(pair->queue.buf.room <= HEARTH_FRAME_KEEP_BYTES);
    assert_int_equal(hearth_frame_reader_fill(&pair->reader, pair->fds[1]), HEARTH_E_NOT_READY);
    assert_true(pair->reader.buf.room <= 2 * HEARTH_FRAME_KEEP_BYTES);
}

static void sent_content_is_wiped(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(hearth_frame_queue_push(&pair->queue, hearth_slice_of_string("secret")), 0);
    const uint8_t *memory = pair->queue.buf.data;
    assert_memory_equal(memory + 4, "secret", 6);
    assert_int_equal(hearth_frame_queue_flush(&pair->queue, pair->fds[0]), 0);
    assert_memory_equal(memory, "\0\0\0\0\0\0\0\0\0\0", 10);
}

static void peer_that_went_is_disconnected_for_both(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(hearth_frame_queue_push(&pair->queue, hearth_slice_of_string("x")), 0);
    hearth_fd_close(&pair->fds[1]);
    assert_int_equal(hearth_frame_queue_flush(&pair->queue, pair->fds[0]), HEARTH_E_DISCONNECTED);
    assert_int_equal(hearth_frame_reader_fill(&pair->reader, pair->fds[0]), HEARTH_E_DISCONNECTED);
}

static void last_words_of_a_peer_are_still_read(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(hearth_frame_queue_push(&pair->queue, hearth_slice_of_string("refused")), 0);
    assert_int_equal(hearth_frame_queue_flush(&pair->queue, pair->fds[0]), 0);
    hearth_fd_close(&pair->fds[0]);
    struct hearth_slice payload = {0};
    struct hearth_frame_queue mine;
    hearth_frame_queue_init(&mine, 100);
    assert_int_equal(hearth_frame_queue_push(&mine, hearth_slice_of_string("request")), 0);
    assert_int_equal(hearth_frame_exchange(&pair->reader, &mine, pair->fds[1], 0, &payload), 0);
    assert_true(hearth_slice_equals_string(payload, "refused"));
    assert_int_equal(hearth_frame_exchange(&pair->reader, &mine, pair->fds[1], 0, &payload),
                     HEARTH_E_DISCONNECTED);
    hearth_frame_queue_finish(&mine);
}

static void waiting_ends_at_the_deadline(void **state)
{
    struct pair *pair = *state;
    struct hearth_slice payload;
    uint64_t before_ns = hearth_clock_ns();
    uint64_t deadline_ns = before_ns + 20 * HEARTH_NS_PER_MS;
    assert_int_equal(hearth_frame_receive(&pair->reader, pair->fds[1], deadline_ns, &payload),
                     HEARTH_E_EXPIRED);
    assert_true(hearth_clock_ns() >= deadline_ns);
    static uint8_t big[MAX_FRAME];
    assert_int_equal(hearth_frame_queue_push(&pair->queue, hearth_slice_of(big, sizeof big)), 0);
    assert_int_equal(hearth_frame_send_all(&pair->queue, pair->fds[0], hearth_clock_ns() + 1),
                     HEARTH_E_EXPIRED);
    assert_true(hearth_frame_queue_bytes(&pair->queue) > 0);
}

struct talker {
    int fd;
    int rc;
    bool is_same;
};

static void talk(void *arg)
{
    struct talker *talker = arg;
    static uint8_t big[MAX_FRAME];
    struct hearth_frame_reader reader;
    struct hearth_frame_queue queue;
    hearth_frame_reader_init(&reader, MAX_FRAME);
    hearth_frame_queue_init(&queue, 2 * MAX_FRAME);
    struct hearth_slice payload = {0};
    uint64_t deadline_ns = hearth_clock_ns() + 20 * SECONDS;
    talker->rc = hearth_frame_queue_push(&queue, hearth_slice_of(big, sizeof big));
    if (talker->rc == 0) {
        talker->rc = hearth_frame_exchange(&reader, &queue, talker->fd, deadline_ns, &payload);
        talker->is_same = payload.size == MAX_FRAME;
    }
    if (talker->rc == 0) {
        talker->rc = hearth_frame_send_all(&queue, talker->fd, deadline_ns);
    }
    hearth_frame_reader_finish(&reader);
    hearth_frame_queue_finish(&queue);
}

static void two_sides_with_much_to_say_do_not_wait_for_each_other(void **state)
{
    struct pair *pair = *state;
    struct talker talkers[2] = {{.fd = pair->fds[0]}, {.fd = pair->fds[1]}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hearth_thread_start(&threads[i], "talker", 0, talk, &talkers[i], NULL), 0);
    }
    for (int i = 0; i < 2; i++) {
        hearth_thread_join(threads[i]);
        assert_int_equal(talkers[i].rc, 0);
        assert_true(talkers[i].is_same);
    }
}

static void steady_traffic_allocates_nothing(void **state)
{
    struct pair *pair = *state;
    uint64_t before = 0;
    for (int i = 0; i < 200; i++) {
        struct hearth_slice payload;
        assert_int_equal(hearth_frame_queue_push(&pair->queue, hearth_slice_of_string("request")),
                         0);
        assert_int_equal(hearth_frame_queue_flush(&pair->queue, pair->fds[0]), 0);
        assert_int_equal(hearth_frame_reader_fill(&pair->reader, pair->fds[1]), 0);
        assert_int_equal(hearth_frame_reader_next(&pair->reader, &payload), 0);
        if (i == 0) {
            before = hearth_alloc_count();
        }
    }
    assert_int_equal(hearth_alloc_count(), before);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

KIT_MAIN(WITH_PAIR(slow_reader_makes_the_rest_wait_and_loses_nothing),
         WITH_PAIR(sent_content_is_wiped), WITH_PAIR(peer_that_went_is_disconnected_for_both),
         WITH_PAIR(last_words_of_a_peer_are_still_read), WITH_PAIR(waiting_ends_at_the_deadline),
         WITH_PAIR(two_sides_with_much_to_say_do_not_wait_for_each_other),
         WITH_PAIR(steady_traffic_allocates_nothing))
