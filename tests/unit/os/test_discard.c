#include "hearth_os.h"

#include "kit.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

static void wait_until_gone(void)
{
    uint64_t end_ns = hearth_clock_ns() + 20 * HEARTH_NS_PER_SEC;
    while (hearth_fd_discards() > 0) {
        assert_true(hearth_clock_ns() < end_ns);
        sched_yield();
    }
}

static void discarded_descriptors_are_closed_soon_and_unknown_at_once(void **state)
{
    (void)state;
    int fds[2];
    char byte;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(pipe(fds), 0);
        hearth_fd_discard(&fds[1]);
        assert_int_equal(fds[1], -1);
        assert_int_equal(read(fds[0], &byte, 1), 0); /* comes only when the other end is closed */
        close(fds[0]);
    }
    int none = -1;
    hearth_fd_discard(&none);
    wait_until_gone();
}

/* 64 MiB whose last descriptor this is: freeing the pages takes milliseconds. */
static void close_that_takes_long_holds_up_nobody(void **state)
{
    (void)state;
    static uint8_t block[1 << 20];
    int fd = -1;
    assert_int_equal(hearth_memfd_create("test", 0, &fd, NULL), 0);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(write(fd, block, sizeof block), sizeof block);
    }
    uint64_t begin_ns = hearth_clock_ns();
    hearth_fd_discard(&fd);
    uint64_t here_ns = hearth_clock_ns() - begin_ns;
    wait_until_gone();
    uint64_t all_ns = hearth_clock_ns() - begin_ns;
    assert_true(here_ns < all_ns);
}

static void socket_with_unread_descriptors_is_ended_at_once_and_closed_elsewhere(void **state)
{
    (void)state;
    int fds[2];
    int pipe_fds[2];
    char byte;
    size_t sent = 0;
    assert_int_equal(hearth_socket_stream_pair(fds, NULL), 0);
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(hearth_socket_send_with_fds(fds[0], "x", 1, &pipe_fds[1], 1, &sent), 0);
    close(pipe_fds[1]);
    hearth_socket_discard(&fds[1]);
    assert_int_equal(fds[1], -1);
    ssize_t n = recv(fds[0], &byte, 1, 0); /* the end, or, once it is closed, a reset */
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
    assert_int_equal(read(pipe_fds[0], &byte, 1), 0); /* the one on its way is gone too */
    close(pipe_fds[0]);
    close(fds[0]);
    wait_until_gone();
}

/* In a packet without a byte, which reads like the end. */
static void empty_packet_does_not_hide_descriptors(void **state)
{
    (void)state;
    int fds[2];
    int pipe_fds[2];
    char byte;
    struct iovec nothing = {&byte, 0};
    const struct msghdr header = {.msg_iov = &nothing, .msg_iovlen = 1};
    assert_int_equal(hearth_socket_pair(fds, NULL), 0);
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(sendmsg(fds[0], &header, 0), 0);
    assert_int_equal(
        hearth_socket_send_fds(fds[0], hearth_slice_of_string("x"), &pipe_fds[1], 1, NULL), 0);
    close(pipe_fds[1]);
    int kept = dup(fds[1]); /* so that whoever closes leaves it as it is */
    hearth_socket_discard(&fds[1]);
    struct pollfd end = {.fd = fds[0], .events = POLLIN};
    assert_int_equal(poll(&end, 1, 0), 1);
    assert_true((end.revents & POLLHUP) != 0); /* ended, as what is discarded is */
    close(kept);
    assert_int_equal(read(pipe_fds[0], &byte, 1), 0);
    close(pipe_fds[0]);
    close(fds[0]);
    wait_until_gone();
}

static void socket_without_is_closed_here(void **state)
{
    (void)state;
    int fds[2];
    char byte;
    assert_int_equal(hearth_socket_stream_pair(fds, NULL), 0);
    hearth_socket_discard(&fds[1]);
    assert_int_equal(hearth_fd_discards(), 0);
    assert_int_equal(recv(fds[0], &byte, 1, 0), 0);
    close(fds[0]);
}

KIT_MAIN(cmocka_unit_test(discarded_descriptors_are_closed_soon_and_unknown_at_once),
         cmocka_unit_test(close_that_takes_long_holds_up_nobody),
         cmocka_unit_test(socket_with_unread_descriptors_is_ended_at_once_and_closed_elsewhere),
         cmocka_unit_test(empty_packet_does_not_hide_descriptors),
         cmocka_unit_test(socket_without_is_closed_here))
