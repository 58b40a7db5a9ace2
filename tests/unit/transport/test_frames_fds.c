#include "hearth_transport.h"

#include "hearth_os.h"
#include "kit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_FRAME (1u << 20)

struct pair {
    int fds[2];
    struct hearth_frame_reader reader; /* of end 1 */
    struct hearth_frame_queue queue;   /* of end 0 */
    unsigned open_before;
};

static unsigned count_open(void)
{
    unsigned count = 0;
    assert_int_equal(hearth_proc_count_fds(0, &count, NULL), 0);
    return count;
}

static int set_up(void **state)
{
    static struct pair pair;
    *state = &pair;
    pair.open_before = count_open();
    hearth_frame_reader_init(&pair.reader, MAX_FRAME);
    hearth_frame_reader_accept_fds(&pair.reader);
    hearth_frame_queue_init(&pair.queue, 4u << 20);
    return hearth_socket_stream_pair(pair.fds, NULL);
}

/* Whatever a test did, no descriptor stays. */
static int tear_down(void **state)
{
    struct pair *pair = *state;
    hearth_fd_close(&pair->fds[0]);
    hearth_fd_close(&pair->fds[1]);
    hearth_frame_reader_finish(&pair->reader);
    hearth_frame_queue_finish(&pair->queue);
    return count_open() == pair->open_before ? 0 : -1;
}

/* A descriptor that can be told from others by its size. */
static int sized(size_t bytes)
{
    int fd = -1;
    assert_int_equal(hearth_memfd_create("test", bytes, &fd, NULL), 0);
    return fd;
}

static size_t size_of(int fd)
{
    size_t bytes = 0;
    assert_int_equal(hearth_memfd_size(fd, &bytes, NULL), 0);
    return bytes;
}

static void queue_frame(struct pair *pair, const char *text, size_t filler, const size_t *sizes,
                        uint32_t count)
{
    int fds[HEARTH_FRAME_FDS];
    for (uint32_t i = 0; i < count; i++) {
        fds[i] = sized(sizes[i]);
    }
    struct hearth_buf *buf = hearth_frame_queue_begin(&pair->queue);
    assert_non_null(buf);
    assert_int_equal(hearth_buf_append(buf, text, strlen(text)), 0);
    for (size_t i = 0; i < filler; i++) {
        assert_int_equal(hearth_buf_append(buf, "", 1), 0);
    }
    assert_int_equal(hearth_frame_queue_commit_fds(&pair->queue, fds, count), 0);
}

/* Waits for the next frame, sending meanwhile. */
static struct hearth_slice next_frame(struct pair *pair)
{
    struct hearth_slice payload = {0};
    int rc;
    while ((rc = hearth_frame_reader_next(&pair->reader, &payload)) == HEARTH_E_NOT_READY) {
        rc = hearth_frame_queue_flush(&pair->queue, pair->fds[0]);
        assert_true(rc == 0 || rc == HEARTH_E_NOT_READY);
        assert_int_equal(hearth_frame_reader_fill(&pair->reader, pair->fds[1]), 0);
    }
    assert_int_equal(rc, 0);
    return payload;
}

static void expect_fds(struct pair *pair, const size_t *sizes, uint32_t count)
{
    int fds[HEARTH_FRAME_FDS];
    assert_true(hearth_frame_reader_take_fds(&pair->reader, fds, count));
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(size_of(fds[i]), sizes[i]);
        assert_true((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
        hearth_fd_close(&fds[i]);
    }
}

static void each_frame_finds_its_descriptors_in_their_order(void **state)
{
    struct pair *pair = *state;
    const size_t first[] = {11, 12, 13};
    const size_t third[] = {31};
    queue_frame(pair, "one", 0, first, 3);
    queue_frame(pair, "two", 0, NULL, 0);
    queue_frame(pair, "three", 0, third, 1);
    assert_true(hearth_slice_equals_string(next_frame(pair), "one"));
    expect_fds(pair, first, 3);
    assert_true(hearth_slice_equals_string(next_frame(pair), "two"));
    assert_true(hearth_slice_equals_string(next_frame(pair), "three"));
    expect_fds(pair, third, 1);
    assert_int_equal(hearth_frame_reader_fd_count(&pair->reader), 0);
}

/* Larger than the socket's buffer: the descriptors leave once, with the first part. */
static void frames_sent_in_parts_keep_their_descriptors(void **state)
{
    struct pair *pair = *state;
    const size_t sizes[] = {7};
    const size_t others[] = {8, 9};
    queue_frame(pair, "big", MAX_FRAME - 3, sizes, 1);
    queue_frame(pair, "also", MAX_FRAME - 4, others, 2);
    queue_frame(pair, "end", 0, sizes, 1);
    assert_int_equal(next_frame(pair).size, MAX_FRAME);
    expect_fds(pair, sizes, 1);
    assert_int_equal(next_frame(pair).size, MAX_FRAME);
    expect_fds(pair, others, 2);
    assert_true(hearth_slice_equals_string(next_frame(pair), "end"));
    expect_fds(pair, sizes, 1);
}

/* Many small frames wait to be taken, and behind them twice as many descriptors as one may bring:
 * an honest sender is never told that these are too many. */
static void reader_waits_until_frames_are_taken_before_it_takes_more_descriptors(void **state)
{
    struct pair *pair = *state;
    size_t sizes[HEARTH_FRAME_FDS];
    for (size_t i = 0; i < HEARTH_FRAME_FDS; i++) {
        sizes[i] = i + 1;
    }
    for (int i = 0; i < 4; i++) {
        queue_frame(pair, "full", 0, sizes, HEARTH_FRAME_FDS);
    }
    assert_int_equal(hearth_frame_queue_flush(&pair->queue, pair->fds[0]), 0);
    assert_int_equal(hearth_frame_reader_fill(&pair->reader, pair->fds[1]), 0);
    assert_int_equal(hearth_frame_reader_fill(&pair->reader, pair->fds[1]), 0);
    assert_int_equal(hearth_frame_reader_fill(&pair->reader, pair->fds[1]), HEARTH_E_QUEUE_FULL);
    for (int i = 0; i < 4; i++) {
        assert_true(hearth_slice_equals_string(next_frame(pair), "full"));
        expect_fds(pair, sizes, HEARTH_FRAME_FDS);
    }
}

static void send_raw(int fd, const char *bytes, size_t size, uint32_t count)
{
    int copies[HEARTH_MAX_PASSED_FDS];
    size_t sent = 0;
    assert_true(count <= HEARTH_MAX_PASSED_FDS);
    for (uint32_t i = 0; i < count; i++) {
        copies[i] = fd;
    }
    assert_int_equal(hearth_socket_send_with_fds(fd, bytes, size, copies, count, &sent), 0);
    assert_int_equal(sent, size);
}

static void descriptors_may_come_before_their_frame(void **state)
{
    struct pair *pair = *state;
    send_raw(pair->fds[0], "\3", 1, 1);
    send_raw(pair->fds[0], "\0\0", 2, 0);
    send_raw(pair->fds[0], "\0abc", 4, 1);
    assert_true(hearth_slice_equals_string(next_frame(pair), "abc"));
    int fds[2];
    assert_false(hearth_frame_reader_take_fds(&pair->reader, fds, 3));
    assert_true(hearth_frame_reader_take_fds(&pair->reader, fds, 2));
    hearth_fd_close(&fds[0]);
    hearth_fd_close(&fds[1]);
}

static void flood_of_descriptors_breaks_the_stream(void **state)
{
    struct pair *pair = *state;
    int rc = 0;
    for (int i = 0; i < 3; i++) { /* of a frame that never ends: none can be taken first */
        send_raw(pair->fds[0], i == 0 ? "\0\0\1\0" : "abcd", 4, HEARTH_MAX_PASSED_FDS);
    }
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = hearth_frame_reader_fill(&pair->reader, pair->fds[1]);
    }
    assert_int_equal(rc, HEARTH_E_INPUT_INVALID);
    assert_int_equal(hearth_frame_reader_fill(&pair->reader, pair->fds[1]), HEARTH_E_INPUT_INVALID);
}

/* More in one message than there is room for: the kernel cuts, and nobody knows which are lost. */
static void descriptors_that_were_cut_off_break_the_stream(void **state)
{
    struct pair *pair = *state;
    int fds[HEARTH_MAX_PASSED_FDS + 8];
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof fds)];
    } control = {0};
    struct iovec part = {"\1\0\0\0x", 5};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    for (size_t i = 0; i < HEARTH_COUNT(fds); i++) {
        fds[i] = pair->fds[0];
    }
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(rights), fds, sizeof fds);
    assert_int_equal(sendmsg(pair->fds[0], &header, 0), 5);
    assert_int_equal(hearth_frame_reader_fill(&pair->reader, pair->fds[1]), HEARTH_E_INPUT_INVALID);
}

static void reader_that_accepts_none_gets_none(void **state)
{
    struct pair *pair = *state;
    const size_t sizes[] = {1, 2};
    hearth_frame_reader_finish(&pair->reader);
    hearth_frame_reader_init(&pair->reader, MAX_FRAME);
    queue_frame(pair, "text", 0, sizes, 2);
    assert_true(hearth_slice_equals_string(next_frame(pair), "text"));
    assert_int_equal(hearth_frame_reader_fd_count(&pair->reader), 0);
}

static void dropped_descriptors_leave_their_places(void **state)
{
    struct pair *pair = *state;
    const size_t sizes[] = {5, 6, 7};
    queue_frame(pair, "text", 0, sizes, 3);
    (void)next_frame(pair);
    hearth_frame_reader_drop_fds(&pair->reader, 2);
    int fds[3];
    assert_true(hearth_frame_reader_take_fds(&pair->reader, fds, 3));
    assert_int_equal(size_of(fds[0]), 5);
    assert_int_equal(fds[1], -1);
    assert_int_equal(fds[2], -1);
    hearth_fd_close(&fds[0]);
}

static void queue_refuses_more_descriptors_than_may_wait(void **state)
{
    struct pair *pair = *state;
    const size_t sizes[HEARTH_FRAME_FDS] = {0};
    for (int i = 0; i < HEARTH_FRAME_QUEUE_FDS / HEARTH_FRAME_FDS; i++) {
        queue_frame(pair, "x", 0, sizes, HEARTH_FRAME_FDS);
    }
    size_t before = hearth_frame_queue_bytes(&pair->queue);
    int fd = sized(1);
    struct hearth_buf *buf = hearth_frame_queue_begin(&pair->queue);
    assert_int_equal(hearth_buf_append(buf, "y", 1), 0);
    assert_int_equal(hearth_frame_queue_commit_fds(&pair->queue, &fd, 1), HEARTH_E_QUEUE_FULL);
    assert_int_equal(size_of(fd), 1); /* still ours */
    hearth_fd_close(&fd);
    assert_int_equal(hearth_frame_queue_bytes(&pair->queue), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_frame_finds_its_descriptors_in_their_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(frames_sent_in_parts_keep_their_descriptors, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            reader_waits_until_frames_are_taken_before_it_takes_more_descriptors, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(descriptors_may_come_before_their_frame, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flood_of_descriptors_breaks_the_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(descriptors_that_were_cut_off_break_the_stream, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(reader_that_accepts_none_gets_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dropped_descriptors_leave_their_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(queue_refuses_more_descriptors_than_may_wait, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
