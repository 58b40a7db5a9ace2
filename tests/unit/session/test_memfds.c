/* Memfds between a client and a worker, both played by the test: none stays with the broker, and
 * neither side can give it what the other would suffer from. */

#include "world.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BYTES 64u

static const uint32_t shape[] = {BYTES};

/* What is discarded is closed by a thread: waits for that, and for nothing else. */
static unsigned count_fds(void)
{
    unsigned count = 0;
    uint64_t end_ns = hearth_clock_ns() + 10 * HEARTH_NS_PER_SEC;
    while (hearth_fd_discards() > 0) {
        assert_true(hearth_clock_ns() < end_ns);
        sched_yield();
    }
    assert_int_equal(hearth_proc_count_fds(0, &count, NULL), 0);
    return count;
}

/* A model of tensors and its worker. */
static struct fake_worker start(struct world *w, uint32_t capacity)
{
    char path[160];
    snprintf(path, sizeof path, "%s/ten.manifest.json", w->root);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"model_id\":\"ten\",\"architecture\":\"echo\",\"capabilities\":[\"tensors\"]}", file);
    assert_int_equal(fclose(file), 0);
    world_start(w);
    return worker_loaded(w, "ten", capacity);
}

static struct client new_client(struct world *w)
{
    struct client client = client_session(w);
    hearth_frame_reader_accept_fds(&client.reader);
    return client;
}

/* A memfd whose content is @mark, over and over. */
static int marked(uint8_t mark, size_t size)
{
    uint8_t bytes[2 * BYTES];
    int fd = -1;
    memset(bytes, mark, sizeof bytes);
    assert_int_equal(hearth_memfd_of_data("test", hearth_slice_of(bytes, size), &fd, NULL), 0);
    return fd;
}

static uint8_t mark_of(int fd)
{
    uint8_t byte = 0;
    assert_int_equal(pread(fd, &byte, 1, BYTES - 1), 1);
    return byte;
}

/* As many tensors of BYTES each, all in memfds. */
static struct hearth_wire_list tensors(uint32_t count)
{
    static struct hearth_wire_tensor list[HEARTH_MAX_TENSORS];
    static char names[HEARTH_MAX_TENSORS][16];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "t%u", (unsigned)i);
        list[i] = (struct hearth_wire_tensor){.name = hearth_slice_of_string(names[i]),
                                              .type = HEARTH_TENSOR_UINT8,
                                              .shape = {shape, 1},
                                              .memfd_bytes = BYTES};
    }
    return (struct hearth_wire_list){.count = count, .items = list};
}

/* Sends a request that claims @count memfds, with the @sent marked from @mark on. */
static void ask(struct world *w, struct client *client, uint64_t id, uint32_t count, uint8_t mark,
                uint32_t sent)
{
    int fds[HEARTH_FRAME_FDS];
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *asked = &message.as.inference_request;
    struct hearth_frame_queue queue;
    hearth_wire_default_request(asked);
    asked->request_id = id;
    asked->task = HEARTH_TASK_TENSORS;
    asked->flags = HEARTH_FLAG_MEMFDS;
    asked->model_id = hearth_slice_of_string("ten");
    asked->tensors = tensors(count);
    for (uint32_t i = 0; i < sent; i++) {
        fds[i] = marked((uint8_t)(mark + i), BYTES);
    }
    hearth_frame_queue_init(&queue, HEARTH_MAX_FRAME_BYTES);
    struct hearth_buf *buf = hearth_frame_queue_begin(&queue);
    assert_non_null(buf);
    assert_int_equal(client->is_json ? hearth_json_encode(&message, &client->json_out, buf)
                                     : hearth_wire_encode(&message, buf),
                     0);
    assert_int_equal(hearth_frame_queue_commit_fds(&queue, fds, sent), 0);
    assert_int_equal(hearth_frame_queue_flush(&queue, client->fd), 0);
    hearth_frame_queue_finish(&queue);
    world_settle(w);
}

static void expect_at_worker(struct fake_worker *worker, uint64_t ticket, uint32_t count,
                             uint8_t mark)
{
    int fds[HEARTH_RING_MAX_FDS];
    assert_int_equal(hearth_ring_receive_fds(worker->ring, ticket, fds, count), 0);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(mark_of(fds[i]), mark + i);
        hearth_fd_close(&fds[i]);
    }
}

static void answer(struct world *w, struct fake_worker *worker, uint64_t ticket, uint32_t count)
{
    struct hearth_message message = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = ticket, .tensors = tensors(count)}};
    worker_say(w, worker, &message);
}

static void send_answer_fd(struct fake_worker *worker, uint64_t ticket, int fd)
{
    assert_int_equal(hearth_ring_send_fds(worker->ring, ticket, &fd, 1), 0);
    hearth_fd_close(&fd);
}

static void memfds_go_to_the_worker_and_come_back_and_none_stays(void **state)
{
    struct world *w = *state;
    struct fake_worker worker = start(w, 1);
    struct client client = new_client(w);
    unsigned before = count_fds();
    ask(w, &client, 5, 3, 'a', 3);
    uint64_t ticket = worker_hear_request(w, &worker);
    assert_int_equal(count_fds(), before); /* they wait at the worker now */
    expect_at_worker(&worker, ticket, 3, 'a');
    send_answer_fd(&worker, ticket, marked('z', BYTES));
    answer(w, &worker, ticket, 1);
    struct hearth_message got = client_take(w, &client);
    assert_int_equal(got.type, HEARTH_MSG_inference_response);
    assert_int_equal(got.as.inference_response.code, 0);
    assert_int_equal(got.as.inference_response.request_id, 5);
    int fd = -1;
    assert_true(hearth_frame_reader_take_fds(&client.reader, &fd, 1));
    assert_int_equal(mark_of(fd), 'z');
    hearth_fd_close(&fd);
    assert_int_equal(count_fds(), before);
    client_close(w, &client);
    worker_finish(&worker);
}

static void requests_that_wait_keep_theirs_until_their_turn_or_end(void **state)
{
    struct world *w = *state;
    struct fake_worker worker = start(w, 1);
    struct client client = new_client(w);
    struct client leaver = new_client(w);
    unsigned before = count_fds();
    ask(w, &client, 1, 1, 'a', 1);
    ask(w, &leaver, 2, 4, 'b', 4);
    ask(w, &client, 3, 2, 'c', 2);
    ask(w, &client, 4, 2, 'd', 2);
    assert_int_equal(count_fds(), before + 8); /* those of three that wait */
    client_close(w, &leaver);
    assert_int_equal(count_fds(), before + 4 - 2); /* and both ends of its socket */
    struct hearth_message cancel = {.type = HEARTH_MSG_cancel_request,
                                    .as.cancel_request.request_id = 4};
    client_send(w, &client, &cancel);
    assert_int_equal(count_fds(), before + 2 - 2);
    uint64_t first = worker_hear_request(w, &worker);
    expect_at_worker(&worker, first, 1, 'a');
    send_answer_fd(&worker, first, marked('z', BYTES));
    answer(w, &worker, first, 1);
    expect_at_worker(&worker, worker_hear_request(w, &worker), 2, 'c');
    assert_int_equal(count_fds(), before - 2); /* that of the answer is in the client's socket */
    client_close(w, &client);
    worker_finish(&worker);
}

/* What a worker may do with the descriptors of its answer. */
enum lie { NONE_SENT, OF_ANOTHER, ONE_TOO_MANY, NOT_SEALED, TOO_SMALL, NO_MEMFD, LIES };

static void tell(struct fake_worker *worker, uint64_t ticket, enum lie lie)
{
    int fds[2] = {marked('y', BYTES), marked('z', BYTES)};
    int plain = -1;
    int pipe_fds[2];
    switch (lie) {
    case NONE_SENT: break;
    case OF_ANOTHER: send_answer_fd(worker, ticket + 1, dup(fds[0])); break;
    case ONE_TOO_MANY:
        assert_int_equal(hearth_ring_send_fds(worker->ring, ticket, fds, 2), 0);
        break;
    case NOT_SEALED:
        assert_int_equal(hearth_memfd_create("test", BYTES, &plain, NULL), 0);
        send_answer_fd(worker, ticket, plain);
        break;
    case TOO_SMALL: send_answer_fd(worker, ticket, marked('z', BYTES - 1)); break;
    case NO_MEMFD:
        assert_int_equal(pipe(pipe_fds), 0);
        send_answer_fd(worker, ticket, pipe_fds[0]);
        close(pipe_fds[1]);
        break;
    case LIES: break;
    }
    hearth_fd_close(&fds[0]);
    hearth_fd_close(&fds[1]);
}

static void worker_that_lies_about_memfds_is_killed_and_its_request_lost(void **state)
{
    struct world *w = *state;
    struct fake_worker worker = start(w, 1);
    unsigned before = 0;
    for (enum lie lie = NONE_SENT; lie < LIES; lie++) {
        struct client client = new_client(w);
        ask(w, &client, 1, 1, 'a', 1);
        uint64_t ticket = worker_hear_request(w, &worker);
        tell(&worker, ticket, lie);
        answer(w, &worker, ticket, 1);
        assert_true(worker_was_killed(&worker));
        assert_int_equal(client_end(w, &client, 1, NULL), HEARTH_E_WORKER_LOST);
        client_close(w, &client);
        worker_finish(&worker);
        if (lie == NONE_SENT) {
            before = count_fds();
        }
        assert_int_equal(count_fds(), before);
        if (lie + 1 < LIES) { /* the fifth death without an answer would be the last */
            client = client_session(w);
            struct hearth_message unload = {.type = HEARTH_MSG_unload_request,
                                            .as.unload_request.model_id =
                                                hearth_slice_of_string("ten")};
            client_send(w, &client, &unload);
            assert_int_equal(client_take(w, &client).type, HEARTH_MSG_unload_response);
            client_close(w, &client);
            worker = worker_loaded(w, "ten", 1);
        }
    }
}

/* An answer of 600 MiB that costs nothing: all holes, and nobody here reads it. */
static void answer_huge(struct world *w, struct fake_worker *worker, uint64_t ticket)
{
    static const uint32_t huge[] = {600u << 20};
    const struct hearth_wire_tensor tensor = {.name = hearth_slice_of_string("t"),
                                              .type = HEARTH_TENSOR_UINT8,
                                              .shape = {huge, 1},
                                              .memfd_bytes = huge[0]};
    struct hearth_message message = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = ticket, .tensors = {.count = 1, .items = &tensor}}};
    int fd = -1;
    assert_int_equal(hearth_memfd_create("test", huge[0], &fd, NULL), 0);
    assert_int_equal(hearth_memfd_seal(fd, HEARTH_SEALS_OF_DATA, NULL), 0);
    send_answer_fd(worker, ticket, fd);
    worker_say(w, worker, &message);
}

/* Two of them lie in its socket; the others wait until it has read these, and come then. */
static void client_that_does_not_read_is_given_no_more_than_a_gigabyte_or_two(void **state)
{
    struct world *w = *state;
    struct fake_worker worker = start(w, 4);
    struct client client = new_client(w);
    unsigned before = count_fds();
    for (uint64_t id = 1; id <= 4; id++) {
        ask(w, &client, id, 1, 'a', 1);
    }
    for (int i = 0; i < 4; i++) {
        uint64_t ticket = worker_hear_request(w, &worker);
        expect_at_worker(&worker, ticket, 1, 'a');
        answer_huge(w, &worker, ticket);
    }
    assert_int_equal(count_fds(), before + 2);
    for (int i = 0; i < 4; i++) {
        int fd = -1;
        assert_int_equal(client_take(w, &client).as.inference_response.code, 0);
        assert_true(hearth_frame_reader_take_fds(&client.reader, &fd, 1));
        hearth_fd_close(&fd);
    }
    assert_int_equal(count_fds(), before);
    client_close(w, &client);
    worker_finish(&worker);
}

/* Refused for another reason or for its memfds: the next request gets its own all the same. */
static void refused_requests_take_their_memfds_along(void **state)
{
    struct world *w = *state;
    struct fake_worker worker = start(w, 1);
    struct client client = new_client(w);
    char text[256];
    unsigned before = count_fds();
    ask(w, &client, 1, 2, 'a', 1);
    assert_int_equal(client_end(w, &client, 1, text), HEARTH_E_INPUT_INVALID);
    assert_string_equal(text, "tensors: 2 memfds are claimed, 1 came beside the request");
    ask(w, &client, 0, 2, 'a', 2);
    client_expect_error(w, &client, HEARTH_E_INPUT_INVALID, "request_id must not be 0");
    assert_int_equal(count_fds(), before);
    ask(w, &client, 2, 2, 'p', 2);
    expect_at_worker(&worker, worker_hear_request(w, &worker), 2, 'p');
    client_close(w, &client);
    worker_finish(&worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST_BOTH(memfds_go_to_the_worker_and_come_back_and_none_stays),
        WORLD_TEST(requests_that_wait_keep_theirs_until_their_turn_or_end),
        WORLD_TEST(worker_that_lies_about_memfds_is_killed_and_its_request_lost),
        WORLD_TEST(client_that_does_not_read_is_given_no_more_than_a_gigabyte_or_two),
        WORLD_TEST_BOTH(refused_requests_take_their_memfds_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
