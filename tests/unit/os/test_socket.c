#include "hearth_os.h"

#include "kit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ends {
    int fds[2];
    unsigned open_before;
};

static int set_up(void **state)
{
    static struct ends ends;
    *state = &ends;
    return hearth_proc_count_fds(0, &ends.open_before, NULL) | hearth_socket_pair(ends.fds, NULL);
}

static int tear_down(void **state)
{
    struct ends *ends = *state;
    unsigned now = 0;
    hearth_fd_close(&ends->fds[0]);
    hearth_fd_close(&ends->fds[1]);
    return hearth_proc_count_fds(0, &now, NULL) < 0 || now != ends->open_before; /* none leaked */
}

static void descriptors_travel_and_are_close_on_exec(void **state)
{
    struct ends *ends = *state;
    int sent[HEARTH_MAX_PASSED_FDS];
    int received[HEARTH_MAX_PASSED_FDS];
    char room[16];
    size_t size = 0;
    size_t count = 0;
    HEARTH_AUTO(hearth_fd) int event = -1;
    assert_int_equal(hearth_event_create(&event, NULL), 0);
    for (size_t i = 0; i < HEARTH_COUNT(sent); i++) {
        sent[i] = event;
    }
    assert_int_equal(hearth_socket_send_fds(ends->fds[0], hearth_slice_of_string("plan"), sent,
                                            HEARTH_COUNT(sent), NULL),
                     0);
    assert_int_equal(hearth_socket_receive_fds(ends->fds[1], room, sizeof room, &size, received,
                                               HEARTH_COUNT(received), &count, NULL),
                     0);
    assert_int_equal(size, 4);
    assert_memory_equal(room, "plan", 4);
    assert_int_equal(count, HEARTH_COUNT(sent));
    hearth_event_signal(event);
    assert_true(hearth_event_drain(received[HEARTH_COUNT(sent) - 1])); /* the same open file */
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fcntl(received[i], F_GETFD), FD_CLOEXEC);
        hearth_fd_close(&received[i]);
    }
}

static void surplus_descriptors_are_closed_and_refused(void **state)
{
    struct ends *ends = *state;
    const int sent[] = {1, 1, 1, 1, 1};
    int received[2] = {-1, -1};
    char room[16];
    size_t size = 0;
    size_t count = 77;
    struct hearth_error err;
    assert_int_equal(
        hearth_socket_send_fds(ends->fds[0], hearth_slice_of_string("x"), sent, 5, NULL), 0);
    assert_int_equal(hearth_socket_receive_fds(ends->fds[1], room, sizeof room, &size, received, 2,
                                               &count, &err),
                     HEARTH_E_MALFORMED);
    KIT_ASSERT_ERROR(err, HEARTH_E_MALFORMED, "more descriptors than expected");
    assert_int_equal(count, 77); /* tear_down counts what is open */
}

/* More than a message of ours may carry: the kernel cuts the control data. */
static void cut_control_data_is_refused_and_leaks_nothing(void **state)
{
    struct ends *ends = *state;
    int many[HEARTH_MAX_PASSED_FDS + 4] = {0};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof many)];
    } control = {0};
    struct iovec part = {(char[]){"x"}, 1};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control.bytes};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof many);
    for (size_t i = 0; i < HEARTH_COUNT(many); i++) {
        many[i] = 1;
    }
    memcpy(CMSG_DATA(rights), many, sizeof many);
    assert_int_equal(sendmsg(ends->fds[0], &header, 0), 1);
    int received[HEARTH_MAX_PASSED_FDS];
    char room[4];
    size_t size = 0;
    size_t count = 0;
    struct hearth_error err;
    assert_int_equal(hearth_socket_receive_fds(ends->fds[1], room, sizeof room, &size, received,
                                               HEARTH_COUNT(received), &count, &err),
                     HEARTH_E_MALFORMED);
    KIT_ASSERT_ERROR(err, HEARTH_E_MALFORMED, "cut off");
}

/* All of them, so that they are closed by whoever may wait for that. */
static void stream_gives_as_many_descriptors_as_anybody_can_send(void **state)
{
    (void)state;
    static int many[HEARTH_MAX_RECEIVED_FDS];
    static int received[HEARTH_MAX_RECEIVED_FDS];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof many)];
    } control = {0};
    struct iovec part = {(char[]){"x"}, 1};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control.bytes};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof many);
    for (size_t i = 0; i < HEARTH_COUNT(many); i++) {
        many[i] = 1;
    }
    memcpy(CMSG_DATA(rights), many, sizeof many);
    int fds[2];
    char room[4];
    size_t size = 0;
    size_t count = 0;
    bool are_lost = true;
    assert_int_equal(hearth_socket_stream_pair(fds, NULL), 0);
    assert_int_equal(sendmsg(fds[0], &header, 0), 1);
    assert_int_equal(hearth_socket_receive_with_fds(fds[1], room, sizeof room, &size, received,
                                                    &count, &are_lost),
                     0);
    assert_int_equal(count, HEARTH_MAX_RECEIVED_FDS);
    assert_false(are_lost);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(close(received[i]), 0);
    }
    close(fds[0]);
    close(fds[1]);
}

static void cut_message_is_refused(void **state)
{
    struct ends *ends = *state;
    const int one = 1;
    int received[2];
    char room[4];
    size_t size = 0;
    size_t count = 0;
    struct hearth_error err;
    assert_int_equal(
        hearth_socket_send_fds(ends->fds[0], hearth_slice_of_string("12345"), &one, 1, NULL), 0);
    assert_int_equal(hearth_socket_receive_fds(ends->fds[1], room, sizeof room, &size, received, 2,
                                               &count, &err),
                     HEARTH_E_MALFORMED);
    KIT_ASSERT_ERROR(err, HEARTH_E_MALFORMED, "more bytes than expected");
}

static void end_of_the_other_side_is_seen_by_both_calls(void **state)
{
    struct ends *ends = *state;
    char room[4];
    size_t size = 0;
    size_t count = 0;
    struct hearth_error err;
    hearth_fd_close(&ends->fds[0]);
    assert_int_equal(
        hearth_socket_receive_fds(ends->fds[1], room, sizeof room, &size, NULL, 0, &count, &err),
        HEARTH_E_DISCONNECTED);
    assert_int_equal(
        hearth_socket_send_fds(ends->fds[1], hearth_slice_of_string("x"), NULL, 0, &err),
        HEARTH_E_DISCONNECTED);
}

static void impossible_message_is_refused(void **state)
{
    struct ends *ends = *state;
    int many[HEARTH_MAX_PASSED_FDS + 1] = {0};
    assert_int_equal(
        hearth_socket_send_fds(ends->fds[0], hearth_slice_of_string(""), NULL, 0, NULL),
        HEARTH_E_ARGUMENT);
    assert_int_equal(hearth_socket_send_fds(ends->fds[0], hearth_slice_of_string("x"), many,
                                            HEARTH_COUNT(many), NULL),
                     HEARTH_E_ARGUMENT);
}

static void stream_send_and_receive_never_wait(void **state)
{
    (void)state;
    int fds[2];
    char room[4096] = {0};
    size_t count = 0;
    int rc = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0); /* blocking on purpose */
    assert_int_equal(hearth_socket_receive(fds[1], room, sizeof room, &count), HEARTH_E_NOT_READY);
    for (int i = 0; i < 100000 && rc == 0; i++) {
        rc = hearth_socket_send(fds[0], room, sizeof room, &count);
    }
    assert_int_equal(rc, HEARTH_E_NOT_READY);
    assert_int_equal(hearth_socket_receive(fds[1], room, sizeof room, &count), 0);
    assert_int_equal(count, sizeof room);
    close(fds[1]);
    assert_int_equal(hearth_socket_send(fds[0], room, 1, &count), HEARTH_E_DISCONNECTED);
    close(fds[0]);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

KIT_MAIN(WITH_PAIR(descriptors_travel_and_are_close_on_exec),
         WITH_PAIR(surplus_descriptors_are_closed_and_refused),
         WITH_PAIR(cut_control_data_is_refused_and_leaks_nothing),
         WITH_PAIR(cut_message_is_refused), WITH_PAIR(end_of_the_other_side_is_seen_by_both_calls),
         WITH_PAIR(impossible_message_is_refused),
         cmocka_unit_test(stream_gives_as_many_descriptors_as_anybody_can_send),
         cmocka_unit_test(stream_send_and_receive_never_wait))
