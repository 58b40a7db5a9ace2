#include "hearth_transport.h"

#include "hearth_os.h"
#include "kit.h"
#include "ring_priv.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#define DATA_BYTES  4096u
#define MAX_MESSAGE 3000u

struct ends {
    struct hearth_ring *broker;
    struct hearth_ring *worker;
    struct hearth_buf message;
};

static int set_up(void **state)
{
    static struct ends ends;
    *state = &ends;
    hearth_buf_init(&ends.message, MAX_MESSAGE);
    int fds[HEARTH_RING_FD_COUNT];
    int copies[HEARTH_RING_FD_COUNT];
    struct hearth_error err;
    if (hearth_ring_create(DATA_BYTES, MAX_MESSAGE, &ends.broker, &err) < 0) {
        return -1;
    }
    hearth_ring_fds(ends.broker, fds);
    for (int i = 0; i < HEARTH_RING_FD_COUNT; i++) {
        copies[i] = dup(fds[i]);
    }
    hearth_ring_forget_fds(ends.broker);
    return hearth_ring_attach(copies, MAX_MESSAGE, &ends.worker, &err);
}

static int tear_down(void **state)
{
    struct ends *ends = *state;
    hearth_ring_destroy(ends->worker);
    hearth_ring_destroy(ends->broker);
    hearth_buf_finish(&ends->message);
    return 0;
}

static int send_text(struct hearth_ring *ring, const char *text)
{
    struct hearth_slice part = hearth_slice_of_string(text);
    return hearth_ring_send(ring, &part, 1);
}

static bool is_woken(struct hearth_ring *ring)
{
    return hearth_fd_wait(hearth_ring_wake_fd(ring), HEARTH_READY_IN, 0, NULL) == 0;
}

static void message_goes_both_ways_in_parts(void **state)
{
    struct ends *ends = *state;
    const struct hearth_slice parts[] = {
        hearth_slice_of_string("ab"), {0}, hearth_slice_of_string("cde")};
    assert_int_equal(hearth_ring_send(ends->broker, parts, 3), 0);
    assert_int_equal(send_text(ends->worker, "back"), 0);
    assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
    assert_true(hearth_slice_equals_string(hearth_buf_slice(&ends->message), "abcde"));
    assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), HEARTH_E_NOT_READY);
    assert_int_equal(hearth_ring_receive(ends->broker, &ends->message), 0);
    assert_true(hearth_slice_equals_string(hearth_buf_slice(&ends->message), "back"));
    assert_int_equal(hearth_ring_receive(ends->broker, &ends->message), HEARTH_E_NOT_READY);
}

static void message_outside_the_limits_is_refused(void **state)
{
    struct ends *ends = *state;
    static const uint8_t bytes[MAX_MESSAGE];
    const struct hearth_slice too_much[] = {{bytes, MAX_MESSAGE}, {bytes, 1}};
    assert_int_equal(hearth_ring_send(ends->broker, too_much, 2), HEARTH_E_TOO_LARGE);
    const struct hearth_slice overflowing[] = {{bytes, 1}, {bytes, SIZE_MAX}};
    assert_int_equal(hearth_ring_send(ends->broker, overflowing, 2), HEARTH_E_TOO_LARGE);
    assert_int_equal(hearth_ring_send(ends->broker, too_much, 0), HEARTH_E_ARGUMENT);
    assert_int_equal(hearth_ring_send(ends->broker, too_much, 1), 0);
    assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
    assert_int_equal(ends->message.size, MAX_MESSAGE);
}

static void full_ring_refuses_and_wakes_when_room_is_made(void **state)
{
    struct ends *ends = *state;
    char text[1000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    int sent = 0;
    while (send_text(ends->broker, text) == 0) {
        sent++;
    }
    assert_int_equal(sent, 4); /* 4 × (4 + 999 → 1008) of 4096 */
    assert_int_equal(send_text(ends->broker, text), HEARTH_E_QUEUE_FULL);
    assert_false(is_woken(ends->broker));
    assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
    assert_true(is_woken(ends->broker));
    assert_true(hearth_ring_cancel_sleep(ends->broker));
    assert_false(is_woken(ends->broker));
    assert_int_equal(send_text(ends->broker, text), 0);
    for (int i = 0; i < sent; i++) {
        assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
        assert_int_equal(ends->message.size, 999);
    }
    assert_false(is_woken(ends->broker)); /* nobody waits for room any more */
}

static void sleeper_is_woken_once_and_one_awake_never(void **state)
{
    struct ends *ends = *state;
    assert_int_equal(send_text(ends->broker, "awake"), 0);
    assert_false(is_woken(ends->worker));
    assert_false(hearth_ring_prepare_sleep(ends->worker)); /* there is a message */
    assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
    assert_true(hearth_ring_prepare_sleep(ends->worker));
    assert_false(is_woken(ends->worker));
    assert_int_equal(send_text(ends->broker, "1"), 0);
    assert_int_equal(send_text(ends->broker, "2"), 0);
    assert_true(is_woken(ends->worker));
    uint8_t bytes[8];
    size_t got = 0;
    assert_int_equal(hearth_fd_read(hearth_ring_wake_fd(ends->worker), bytes, sizeof bytes, &got),
                     0);
    assert_int_equal(got, 1);
    assert_true(hearth_ring_cancel_sleep(ends->worker));
    assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
    assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
    assert_true(hearth_ring_prepare_sleep(ends->worker));
    assert_false(is_woken(ends->worker));
    assert_int_equal(send_text(ends->broker, "3"), 0);
    assert_true(is_woken(ends->worker)); /* a new sleep is woken anew */
}

static void end_of_the_other_side_is_seen(void **state)
{
    struct ends *ends = *state;
    assert_true(hearth_ring_prepare_sleep(ends->broker));
    hearth_ring_destroy(HEARTH_TAKE(ends->worker));
    assert_true(is_woken(ends->broker));
    assert_false(hearth_ring_cancel_sleep(ends->broker));
    assert_int_equal(send_text(ends->broker, "nobody is there"), 0); /* and no SIGPIPE */
}

static void taken_content_is_wiped_before_sleep(void **state)
{
    struct ends *ends = *state;
    assert_int_equal(send_text(ends->broker, "secret"), 0);
    assert_memory_equal(ends->worker->in + 4, "secret", 6);
    assert_true(hearth_ring_prepare_sleep(ends->broker));
    assert_memory_equal(ends->worker->in + 4, "secret", 6); /* not yet taken */
    assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
    assert_true(hearth_ring_prepare_sleep(ends->broker));
    assert_memory_equal(ends->worker->in, "\0\0\0\0\0\0\0\0\0\0", 10);
}

/* Random traffic against a queue of copies; every message returns unchanged and in order. */
static void traffic_matches_a_plain_queue(struct kit_random *random, void *context)
{
    struct ends *ends = context;
    static uint8_t waiting[64][MAX_MESSAGE];
    size_t sizes[64];
    size_t first = 0;
    size_t count = 0;
    for (int step = 0; step < 300; step++) {
        if (kit_random_once_in(random, 2)) {
            size_t size =
                1 + kit_random_below(random, kit_random_once_in(random, 3) ? MAX_MESSAGE : 40);
            uint8_t *copy = waiting[(first + count) % 64];
            kit_random_bytes(random, copy, size);
            size_t cut = kit_random_below(random, size + 1);
            struct hearth_slice parts[] = {{copy, cut}, {copy + cut, size - cut}};
            int rc = count < 64 ? hearth_ring_send(ends->broker, parts, 2) : HEARTH_E_QUEUE_FULL;
            if (rc == 0) {
                sizes[(first + count++) % 64] = size;
            } else {
                assert_int_equal(rc, HEARTH_E_QUEUE_FULL);
                assert_true(count > 0);
            }
        } else {
            int rc = hearth_ring_receive(ends->worker, &ends->message);
            assert_int_equal(rc, count > 0 ? 0 : HEARTH_E_NOT_READY);
            if (rc == 0) {
                assert_int_equal(ends->message.size, sizes[first]);
                assert_memory_equal(ends->message.data, waiting[first], sizes[first]);
                first = (first + 1) % 64;
                count--;
            }
        }
        if (kit_random_once_in(random, 5)) {
            hearth_ring_prepare_sleep(ends->broker); /* wipes what was taken, and only that */
            hearth_ring_cancel_sleep(ends->broker);
        }
    }
    while (count-- > 0) {
        assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
    }
}

static void messages_return_unchanged_around_the_end(void **state)
{
    kit_property(300, traffic_matches_a_plain_queue, *state);
}

static void steady_traffic_allocates_nothing(void **state)
{
    struct ends *ends = *state;
    uint64_t before = 0;
    for (int i = 0; i < 300; i++) {
        assert_int_equal(send_text(ends->broker, "a request of ordinary length"), 0);
        assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
        before = i == 0 ? hearth_alloc_count() : before;
    }
    assert_int_equal(hearth_alloc_count(), before);
}

static void each_memory_has_one_writer_and_no_truncation(void **state)
{
    (void)state;
    struct hearth_ring *broker = NULL;
    struct hearth_error err;
    assert_int_equal(hearth_ring_create(DATA_BYTES, MAX_MESSAGE, &broker, &err), 0);
    int fds[HEARTH_RING_FD_COUNT];
    hearth_ring_fds(broker, fds);
    int broker_memory = fds[HEARTH_RING_FD_BROKER_MEMORY];
    void *memory = NULL;
    assert_int_equal(hearth_memfd_map(broker_memory, DATA_BYTES, true, &memory, &err),
                     HEARTH_E_SYSTEM);
    assert_int_equal(hearth_memfd_map(broker_memory, DATA_BYTES, false, &memory, &err), 0);
    hearth_memfd_unmap(memory, DATA_BYTES);
    for (int i = 0; i <= HEARTH_RING_FD_WORKER_MEMORY; i++) {
        assert_int_equal(ftruncate(fds[i], 0), -1);
        assert_int_equal(ftruncate(fds[i], 1 << 20), -1);
    }
    assert_int_equal(write(broker_memory, "x", 1), -1);
    int worker_memory = dup(fds[HEARTH_RING_FD_WORKER_MEMORY]);
    int copies[] = {dup(fds[0]), dup(fds[1]), dup(fds[2]), dup(fds[3])};
    struct hearth_ring *worker = NULL;
    assert_int_equal(hearth_ring_attach(copies, MAX_MESSAGE, &worker, &err), 0);
    assert_int_equal(hearth_memfd_map(worker_memory, DATA_BYTES, true, &memory, &err),
                     HEARTH_E_SYSTEM);
    close(worker_memory);
    hearth_ring_destroy(worker);
    hearth_ring_destroy(broker);
}

/* Descriptors that can be told apart by the size of their memory. */
static void send_sized(struct hearth_ring *ring, uint64_t about, size_t first_bytes, uint32_t count)
{
    int fds[HEARTH_RING_MAX_FDS];
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(hearth_memfd_create("test", first_bytes + i, &fds[i], NULL), 0);
    }
    assert_int_equal(hearth_ring_send_fds(ring, about, fds, count), 0);
    for (uint32_t i = 0; i < count; i++) {
        hearth_fd_close(&fds[i]);
    }
}

static void expect_sized(struct hearth_ring *ring, uint64_t about, size_t first_bytes,
                         uint32_t count)
{
    int fds[HEARTH_RING_MAX_FDS];
    assert_int_equal(hearth_ring_receive_fds(ring, about, fds, count), 0);
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = 0;
        assert_int_equal(hearth_memfd_size(fds[i], &bytes, NULL), 0);
        assert_int_equal(bytes, first_bytes + i);
        hearth_fd_close(&fds[i]);
    }
}

static void descriptors_come_with_the_number_of_their_message(void **state)
{
    struct ends *ends = *state;
    send_sized(ends->broker, 7, 100, 3);
    send_sized(ends->broker, 8, 200, HEARTH_RING_MAX_FDS);
    expect_sized(ends->worker, 7, 100, 3);
    expect_sized(ends->worker, 8, 200, HEARTH_RING_MAX_FDS);
    send_sized(ends->worker, 7, 300, 1);
    expect_sized(ends->broker, 7, 300, 1);
}

static void worker_skips_descriptors_of_messages_that_never_came(void **state)
{
    struct ends *ends = *state;
    int fds[2];
    send_sized(ends->broker, 7, 100, 3);
    send_sized(ends->broker, 9, 200, 2);
    expect_sized(ends->worker, 9, 200, 2);
    assert_int_equal(hearth_ring_receive_fds(ends->worker, 9, fds, 2), HEARTH_E_MALFORMED);
}

static void broker_believes_no_descriptors_but_those_that_are_due(void **state)
{
    struct ends *ends = *state;
    int fds[2];
    assert_int_equal(hearth_ring_receive_fds(ends->broker, 7, fds, 1), HEARTH_E_MALFORMED);
    send_sized(ends->worker, 6, 100, 1);
    assert_int_equal(hearth_ring_receive_fds(ends->broker, 7, fds, 1), HEARTH_E_MALFORMED);
    send_sized(ends->worker, 7, 100, 2);
    assert_int_equal(hearth_ring_receive_fds(ends->broker, 7, fds, 1), HEARTH_E_MALFORMED);
}

/* A side that takes nothing costs the other a refusal, not time. */
static void full_channel_refuses_and_does_not_wait(void **state)
{
    struct ends *ends = *state;
    int fd = -1;
    int rc = 0;
    int sent = 0;
    assert_int_equal(hearth_memfd_create("test", 1, &fd, NULL), 0);
    while (sent < 100000 && (rc = hearth_ring_send_fds(ends->broker, 7, &fd, 1)) == 0) {
        sent++;
    }
    assert_int_equal(rc, HEARTH_E_NOT_READY);
    assert_true(sent >= 100);
    hearth_fd_close(&fd);
}

static void attach_refuses_memory_of_another_kind(void **state)
{
    (void)state;
    struct hearth_ring *ring = NULL;
    struct hearth_error err;
    int fds[HEARTH_RING_FD_COUNT] = {-1, -1, -1, -1};
    assert_int_equal(hearth_ring_attach(fds, MAX_MESSAGE, &ring, &err), HEARTH_E_MALFORMED);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            hearth_memfd_create("other", RING_HEADER_BYTES + DATA_BYTES, &fds[i], NULL), 0);
    }
    assert_int_equal(hearth_ring_attach(fds, MAX_MESSAGE, &ring, &err), HEARTH_E_MALFORMED);
    KIT_ASSERT_ERROR(err, HEARTH_E_MALFORMED, "not sealed");
    for (int i = 0; i < 2; i++) {
        unsigned seals = HEARTH_SEAL_SHRINK | HEARTH_SEAL_GROW | HEARTH_SEAL_FUTURE_WRITE;
        assert_int_equal(hearth_memfd_seal(fds[i], seals, NULL), 0);
    }
    assert_int_equal(hearth_ring_attach(fds, DATA_BYTES, &ring, &err), HEARTH_E_MALFORMED);
    assert_null(ring);
    hearth_fd_close(&fds[0]); /* still ours */
    hearth_fd_close(&fds[1]);
}

static void create_refuses_impossible_sizes(void **state)
{
    (void)state;
    struct hearth_ring *ring = NULL;
    struct hearth_error err;
    assert_int_equal(hearth_ring_create(5000, 100, &ring, &err), HEARTH_E_ARGUMENT);
    assert_int_equal(hearth_ring_create(4096, 4090, &ring, &err), HEARTH_E_ARGUMENT);
    assert_int_equal(hearth_ring_create(4096, 0, &ring, &err), HEARTH_E_ARGUMENT);
    assert_int_equal(hearth_ring_create(1u << 30, 100, &ring, &err), HEARTH_E_ARGUMENT);
}

/* What an earlier test discarded is closed by a thread, of low priority: waits for that, and for
 * nothing else. */
static unsigned count_fds(void)
{
    unsigned count = 0;
    uint64_t end_ns = hearth_clock_ns() + 20 * HEARTH_NS_PER_SEC;
    while (hearth_fd_discards() > 0) {
        assert_true(hearth_clock_ns() < end_ns);
        sched_yield();
    }
    assert_int_equal(hearth_proc_count_fds(0, &count, NULL), 0);
    return count;
}

static void create_and_attach_survive_any_failed_allocation(void **state)
{
    (void)state;
    unsigned before = count_fds();
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_ring *broker = NULL;
        struct hearth_ring *worker = NULL;
        int rc = hearth_ring_create(DATA_BYTES, MAX_MESSAGE, &broker, NULL);
        if (rc == 0) {
            int fds[HEARTH_RING_FD_COUNT];
            hearth_ring_fds(broker, fds);
            int copies[] = {dup(fds[0]), dup(fds[1]), dup(fds[2]), dup(fds[3])};
            rc = hearth_ring_attach(copies, MAX_MESSAGE, &worker, NULL);
            for (int i = 0; i < HEARTH_RING_FD_COUNT && rc < 0; i++) {
                hearth_fd_close(&copies[i]);
            }
        }
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        hearth_ring_destroy(worker);
        hearth_ring_destroy(broker);
    }
    assert_int_equal(count_fds(), before);
}

static void poll_finds_what_is_there_and_gives_up_soon(void **state)
{
    struct ends *ends = *state;
    uint64_t begin_ns = hearth_clock_ns();
    assert_false(hearth_ring_poll(ends->worker));
    assert_true(hearth_clock_ns() - begin_ns >= RING_POLL_NS);
    assert_int_equal(send_text(ends->broker, "a"), 0);
    assert_true(hearth_ring_poll(ends->worker));
    assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
    assert_false(hearth_ring_poll(ends->worker));
}

/* True if the attempt took the time of polling in vain. The processor may be taken away at any
 * time, so the time alone does not tell. */
static bool polls_in_vain(struct hearth_ring *ring)
{
    uint64_t begin_ns = hearth_clock_ns();
    assert_false(hearth_ring_poll(ring));
    return hearth_clock_ns() - begin_ns >= RING_POLL_NS && ring->polls_skipped == 0;
}

static void take_polled(struct ends *ends)
{
    assert_int_equal(send_text(ends->broker, "a"), 0);
    assert_true(hearth_ring_poll(ends->worker)); /* what is there is always found */
    assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
}

/* An idle or slow peer must not cost the time of polling again and again: after three vain polls
 * only each 32nd attempt polls. */
static void vain_polls_become_seldom(void **state)
{
    struct ends *ends = *state;
    uint32_t polled = 0;
    for (uint32_t i = 0; i < 3 + 2 * RING_POLL_SELDOM; i++) {
        polled += polls_in_vain(ends->worker);
    }
    assert_int_equal(polled, 3 + 2);
    take_polled(ends);
    assert_false(polls_in_vain(ends->worker)); /* one message found on the way is no reason */
}

static void whether_a_poll_is_worth_it_can_be_asked_first(void **state)
{
    struct ends *ends = *state;
    uint32_t asked = 1;
    for (int i = 0; i < 3; i++) {
        assert_true(hearth_ring_is_worth_polling(ends->worker));
        assert_true(polls_in_vain(ends->worker));
    }
    while (!hearth_ring_is_worth_polling(ends->worker)) {
        asked++;
    }
    assert_int_equal(asked, RING_POLL_SELDOM);
    assert_true(polls_in_vain(ends->worker)); /* as was promised */
    assert_false(hearth_ring_is_worth_polling(ends->worker));
}

/* One hit for two misses is a loss: it stops. Hits in a row bring it back. */
static void polling_goes_on_only_while_most_polls_hit(void **state)
{
    struct ends *ends = *state;
    uint32_t polled = 0;
    for (int i = 0; i < 20; i++) {
        take_polled(ends);
        polled += polls_in_vain(ends->worker);
        polled += polls_in_vain(ends->worker);
    }
    assert_true(polled <= 6);
    for (uint32_t i = 0; i < 5 * RING_POLL_SELDOM; i++) {
        take_polled(ends);
    }
    assert_true(polls_in_vain(ends->worker));
    assert_true(polls_in_vain(ends->worker));
}

static void receiver_that_stays_awake_is_not_woken(void **state)
{
    struct ends *ends = *state;
    assert_true(hearth_ring_prepare_sleep(ends->worker));
    hearth_ring_stay_awake(ends->worker);
    assert_int_equal(send_text(ends->broker, "a"), 0);
    assert_false(is_woken(ends->worker));
    assert_false(hearth_ring_prepare_sleep(ends->worker)); /* it sees the message instead */
    assert_int_equal(hearth_ring_receive(ends->worker, &ends->message), 0);
    assert_true(hearth_ring_prepare_sleep(ends->worker));
    assert_int_equal(send_text(ends->broker, "b"), 0);
    assert_true(is_woken(ends->worker));
}

/* Nobody asks for them: a worker that sends them is not believed any more. */
static void descriptors_beside_a_wake_up_break_the_ring(void **state)
{
    struct ends *ends = *state;
    int fds[HEARTH_MAX_PASSED_FDS];
    size_t sent = 0;
    for (size_t i = 0; i < HEARTH_COUNT(fds); i++) {
        fds[i] = 1;
    }
    assert_int_equal(send_text(ends->worker, "lawful"), 0);
    assert_int_equal(hearth_socket_send_with_fds(hearth_ring_wake_fd(ends->worker), "x", 1, fds,
                                                 HEARTH_COUNT(fds), &sent),
                     0);
    assert_true(hearth_ring_cancel_sleep(ends->broker));
    assert_true(hearth_ring_is_broken(ends->broker));
    assert_int_equal(hearth_ring_receive(ends->broker, &ends->message), HEARTH_E_MALFORMED);
}

#define WITH_ENDS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

KIT_MAIN(WITH_ENDS(message_goes_both_ways_in_parts),
         WITH_ENDS(message_outside_the_limits_is_refused),
         WITH_ENDS(full_ring_refuses_and_wakes_when_room_is_made),
         WITH_ENDS(sleeper_is_woken_once_and_one_awake_never),
         WITH_ENDS(end_of_the_other_side_is_seen), WITH_ENDS(taken_content_is_wiped_before_sleep),
         WITH_ENDS(messages_return_unchanged_around_the_end),
         WITH_ENDS(steady_traffic_allocates_nothing),
         WITH_ENDS(poll_finds_what_is_there_and_gives_up_soon), WITH_ENDS(vain_polls_become_seldom),
         WITH_ENDS(whether_a_poll_is_worth_it_can_be_asked_first),
         WITH_ENDS(polling_goes_on_only_while_most_polls_hit),
         WITH_ENDS(receiver_that_stays_awake_is_not_woken),
         cmocka_unit_test(each_memory_has_one_writer_and_no_truncation),
         WITH_ENDS(descriptors_come_with_the_number_of_their_message),
         WITH_ENDS(worker_skips_descriptors_of_messages_that_never_came),
         WITH_ENDS(broker_believes_no_descriptors_but_those_that_are_due),
         WITH_ENDS(full_channel_refuses_and_does_not_wait),
         WITH_ENDS(descriptors_beside_a_wake_up_break_the_ring),
         cmocka_unit_test(attach_refuses_memory_of_another_kind),
         cmocka_unit_test(create_refuses_impossible_sizes),
         cmocka_unit_test(create_and_attach_survive_any_failed_allocation))
