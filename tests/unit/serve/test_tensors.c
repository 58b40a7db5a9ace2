/* test_tensors.c — memfds beside requests and answers, and streams in order, seen by a broker. */

#include "kit.h"

#include "fake_broker.h"
#include "hearth_os.h"

#include <string.h>

#define BYTES (HEARTH_MAX_TENSOR_BYTES + 1)

static int start(void **state, enum hearth_task task)
{
    static const struct fake_model echo = {.folder = "",
                                           .engine = HEARTH_ENGINE_ECHO,
                                           .labels = {"red", "green"},
                                           .label_count = 2,
                                           .threads = 2};
    struct fake_broker *broker = hearth_alloc(1, sizeof *broker);
    struct hearth_error err = {0};
    struct fake_model model = echo;
    model.task = task;
    fake_broker_init(broker, HEARTH_TEST_WORKERS, "/tmp");
    if (fake_spawn(broker, &model, &err) != 0) {
        fail_msg("spawn: %s", err.text);
    }
    fake_lead_to_ready(broker, NULL);
    *state = broker;
    return 0;
}

static int start_tensors(void **state)
{
    return start(state, HEARTH_TASK_TENSORS);
}

static int start_classifier(void **state)
{
    return start(state, HEARTH_TASK_CLASSIFY);
}

static int tear_down(void **state)
{
    fake_broker_finish(*state);
    hearth_free(*state);
    return 0;
}

static const uint8_t *pattern(void)
{
    static uint8_t bytes[BYTES];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    return bytes;
}

/* Sends @fd (or none: -1) and the request that claims it. */
static void ask(struct fake_broker *broker, uint64_t id, int fd)
{
    static const uint32_t shape[] = {BYTES};
    const struct hearth_wire_tensor tensor = {.name = hearth_slice_of_string("x"),
                                              .type = HEARTH_TENSOR_UINT8,
                                              .shape = {shape, 1},
                                              .memfd_bytes = BYTES};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = id;
    request->task = HEARTH_TASK_TENSORS;
    request->flags = HEARTH_FLAG_MEMFDS;
    request->model_id = hearth_slice_of_string("model-under-test");
    request->tensors = (struct hearth_wire_list){.count = 1, .items = &tensor};
    if (fd >= 0) {
        assert_int_equal(hearth_ring_send_fds(broker->ring, id, &fd, 1), 0);
        hearth_fd_close(&fd);
    }
    fake_send(broker, &message);
}

static struct hearth_wire_inference_response expect_end(struct fake_broker *broker, uint64_t id,
                                                        int code, const char *says)
{
    struct hearth_message message = fake_expect(broker, HEARTH_MSG_inference_response);
    struct hearth_wire_inference_response *end = &message.as.inference_response;
    char text[HEARTH_ERROR_TEXT_BYTES];
    assert_true(hearth_slice_to_string(end->error, text, sizeof text));
    assert_int_equal(end->request_id, id);
    if (end->code != -code || strstr(text, says) == NULL) {
        fail_msg("request %u ended with %s: %s", (unsigned)id, hearth_error_name(-(int)end->code),
                 text);
    }
    return *end;
}

static int sealed(void)
{
    int fd = -1;
    assert_int_equal(hearth_memfd_of_data("test", hearth_slice_of(pattern(), BYTES), &fd, NULL), 0);
    return fd;
}

static void large_output_comes_as_a_memfd_that_nobody_can_change(void **state)
{
    struct fake_broker *broker = *state;
    struct hearth_wire_tensor tensor;
    struct hearth_slice mapped;
    unsigned seals = 0;
    int fd = -1;
    ask(broker, 1, sealed());
    struct hearth_wire_inference_response end = expect_end(broker, 1, 0, "");
    assert_int_equal(end.tensors.count, 1);
    assert_true(hearth_wire_next(&end.tensors, HEARTH_RECORD_tensor, &tensor));
    assert_int_equal(tensor.memfd_bytes, BYTES);
    assert_int_equal(tensor.data.size, 0);
    assert_int_equal(hearth_ring_receive_fds(broker->ring, 1, &fd, 1), 0);
    assert_int_equal(hearth_memfd_check_data(fd, BYTES, NULL), 0);
    assert_int_equal(hearth_memfd_seals(fd, &seals, NULL), 0);
    assert_true((seals & HEARTH_SEAL_SEAL) != 0);
    assert_int_equal(hearth_memfd_map_data(fd, BYTES, &mapped, NULL), 0);
    assert_true(hearth_slice_equal(mapped, hearth_slice_of(pattern(), BYTES)));
    hearth_memfd_unmap((void *)(uintptr_t)mapped.data, mapped.size);
    hearth_fd_close(&fd);
}

/* The broker has looked at them; the worker does not rely on that. */
static void worker_believes_no_memfd_and_goes_on(void **state)
{
    struct fake_broker *broker = *state;
    int plain = -1;
    int small = -1;
    assert_int_equal(hearth_memfd_create("test", BYTES, &plain, NULL), 0);
    assert_int_equal(hearth_memfd_of_data("test", hearth_slice_of_string("x"), &small, NULL), 0);
    ask(broker, 1, plain);
    expect_end(broker, 1, HEARTH_E_INPUT_INVALID, "the memfd of tensors[0]: is not sealed");
    ask(broker, 2, small);
    expect_end(broker, 2, HEARTH_E_INPUT_INVALID, "has 1 bytes, not 2097153");
    ask(broker, 3, -1);
    expect_end(broker, 3, HEARTH_E_INTERNAL, "did not come");
    int fd = sealed(); /* of a request that never comes: skipped */
    assert_int_equal(hearth_ring_send_fds(broker->ring, 4, &fd, 1), 0);
    hearth_fd_close(&fd);
    ask(broker, 5, sealed());
    expect_end(broker, 5, 0, "");
    assert_int_equal(hearth_ring_receive_fds(broker->ring, 5, &fd, 1), 0);
    hearth_fd_close(&fd);
}

/* The first is slow: what is ready before it is held back, and comes right behind it. */
static void stream_in_order_waits_for_the_slow_one(void **state)
{
    struct fake_broker *broker = *state;
    const struct hearth_wire_text texts[] = {{.text = hearth_slice_of_string("slow:300ms a")},
                                             {.text = hearth_slice_of_string("b")},
                                             {.text = hearth_slice_of_string("c")}};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = 1;
    request->task = HEARTH_TASK_CLASSIFY;
    request->flags = HEARTH_FLAG_STREAM | HEARTH_FLAG_IN_ORDER;
    request->model_id = hearth_slice_of_string("model-under-test");
    request->texts = (struct hearth_wire_list){.count = 3, .items = texts};
    fake_send(broker, &message);
    for (uint32_t i = 0; i < 3; i++) {
        struct hearth_message chunk = fake_expect(broker, HEARTH_MSG_stream_chunk);
        struct hearth_wire_list results = chunk.as.stream_chunk.results;
        struct hearth_wire_result result;
        assert_int_equal(results.count, 1);
        assert_true(hearth_wire_next(&results, HEARTH_RECORD_result, &result));
        assert_int_equal(result.index, i);
        assert_int_equal(result.labels.count, 2);
    }
    expect_end(broker, 1, 0, "");
}

KIT_MAIN(cmocka_unit_test_setup_teardown(large_output_comes_as_a_memfd_that_nobody_can_change,
                                         start_tensors, tear_down),
         cmocka_unit_test_setup_teardown(worker_believes_no_memfd_and_goes_on, start_tensors,
                                         tear_down),
         cmocka_unit_test_setup_teardown(stream_in_order_waits_for_the_slow_one, start_classifier,
                                         tear_down))
