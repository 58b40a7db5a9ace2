/* A request's way through the broker, and all the ways in which it can end. */

#include "world.h"

#include <string.h>

static void an_answer_comes_back_under_the_clients_id(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 4);
    struct client client = client_session(w);
    client_ask(w, &client, 77, "gen", HEARTH_TASK_GENERATE, false);
    struct hearth_message asked = worker_hear(w, &worker);
    assert_int_equal(asked.type, HEARTH_MSG_inference_request);
    assert_int_equal(asked.as.inference_request.max_tokens, 256);
    assert_true(asked.as.inference_request.timeout_ms > 290000 &&
                asked.as.inference_request.timeout_ms <= 300000);
    struct hearth_wire_text text;
    struct hearth_wire_list texts = asked.as.inference_request.texts;
    assert_true(hearth_wire_next(&texts, HEARTH_RECORD_text, &text));
    assert_true(hearth_slice_equals_string(text.text, "abc"));
    worker_answer(w, &worker, asked.as.inference_request.request_id, 0);
    struct hearth_message answer = client_take(w, &client);
    assert_int_equal(answer.type, HEARTH_MSG_inference_response);
    assert_int_equal(answer.as.inference_response.request_id, 77);
    struct hearth_wire_result result;
    assert_true(
        hearth_wire_next(&answer.as.inference_response.results, HEARTH_RECORD_result, &result));
    assert_true(hearth_slice_equals_string(result.text, "cba"));
    assert_true(answer.as.inference_response.total_us >= answer.as.inference_response.queue_us);
    assert_true(client_is_silent(w, &client));
    client_close(w, &client);
    worker_finish(&worker);
}

static void a_stream_has_its_pieces_and_one_end(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 4);
    struct client client = client_session(w);
    client_ask(w, &client, 5, "gen", HEARTH_TASK_GENERATE, true);
    uint64_t id = worker_hear_request(w, &worker);
    struct hearth_wire_result piece = {.text = hearth_slice_of_string("x"), .tokens = 1};
    struct hearth_message chunk = {
        .type = HEARTH_MSG_stream_chunk,
        .as.stream_chunk = {.request_id = id, .results = {.count = 1, .items = &piece}}};
    for (int i = 0; i < 3; i++) {
        worker_say(w, &worker, &chunk);
        struct hearth_message got = client_take(w, &client);
        assert_int_equal(got.type, HEARTH_MSG_stream_chunk);
        assert_int_equal(got.as.stream_chunk.request_id, 5);
    }
    struct hearth_message end = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = id, .finish_reason = HEARTH_FINISH_STOP}};
    worker_say(w, &worker, &end);
    assert_int_equal(client_end(w, &client, 5, NULL), 0);
    assert_true(client_is_silent(w, &client));
    client_close(w, &client);
    worker_finish(&worker);
}

static void requests_for_a_loading_model_wait_for_it(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct client client = client_session(w);
    client_load(w, &client, "gen");
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    assert_true(client_is_silent(w, &client));
    struct fake_worker worker = worker_spawned(w);
    worker_lead_to_ready(w, &worker, 1);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_load_response);
    worker_answer(w, &worker, worker_hear_request(w, &worker), 0);
    assert_int_equal(client_end(w, &client, 1, NULL), 0);
    client_close(w, &client);
    worker_finish(&worker);
}

static void a_request_that_cannot_be_served_says_why(void **state)
{
    struct world *w = *state;
    char text[256];
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "none", HEARTH_TASK_GENERATE, false);
    assert_int_equal(client_end(w, &client, 1, text), HEARTH_E_NO_MODEL);
    assert_non_null(strstr(text, "\"none\""));
    client_ask(w, &client, 2, "emb", HEARTH_TASK_EMBED, false);
    assert_int_equal(client_end(w, &client, 2, text), HEARTH_E_NOT_READY);
    assert_string_equal(text, "\"emb\" is not loaded; load it with `hearth models load emb`");
    client_ask(w, &client, 3, "gen", HEARTH_TASK_EMBED, false);
    assert_int_equal(client_end(w, &client, 3, text), HEARTH_E_UNSUPPORTED);
    assert_string_equal(text, "\"gen\" does generate, not embed");
    assert_true(worker_hears_nothing(w, &worker));
    client_close(w, &client);
    worker_finish(&worker);
}

static void a_second_request_with_an_open_id_is_refused(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 4);
    struct client client = client_session(w);
    client_ask(w, &client, 9, "gen", HEARTH_TASK_GENERATE, false);
    uint64_t id = worker_hear_request(w, &worker);
    client_ask(w, &client, 9, "gen", HEARTH_TASK_GENERATE, false);
    struct hearth_message refused = client_take(w, &client);
    assert_int_equal(refused.type, HEARTH_MSG_error);
    assert_int_equal(-(int)refused.as.error.code, HEARTH_E_INPUT_INVALID);
    assert_true(worker_hears_nothing(w, &worker));
    worker_answer(w, &worker, id, 0);
    assert_int_equal(client_end(w, &client, 9, NULL), 0);
    client_ask(w, &client, 9, "gen", HEARTH_TASK_GENERATE, false); /* free again */
    worker_answer(w, &worker, worker_hear_request(w, &worker), 0);
    assert_int_equal(client_end(w, &client, 9, NULL), 0);
    client_close(w, &client);
    worker_finish(&worker);
}

static void the_queue_limit_is_told_with_the_place(void **state)
{
    struct world *w = *state;
    char text[256];
    w->config.queue_limit = 1;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    client_ask(w, &client, 2, "gen", HEARTH_TASK_GENERATE, false);
    client_ask(w, &client, 3, "gen", HEARTH_TASK_GENERATE, false);
    assert_int_equal(client_end(w, &client, 3, text), HEARTH_E_QUEUE_FULL);
    assert_non_null(strstr(text, "number 2"));
    worker_answer(w, &worker, worker_hear_request(w, &worker), 0);
    assert_int_equal(client_end(w, &client, 1, NULL), 0);
    worker_answer(w, &worker, worker_hear_request(w, &worker), 0);
    assert_int_equal(client_end(w, &client, 2, NULL), 0);
    client_close(w, &client);
    worker_finish(&worker);
}

static void cancel(struct world *w, struct client *client, uint64_t id, bool is_open)
{
    struct hearth_message message = {.type = HEARTH_MSG_cancel_request,
                                     .as.cancel_request.request_id = id};
    client_send(w, client, &message);
    struct hearth_message answer = client_take(w, client);
    assert_int_equal(answer.type, HEARTH_MSG_cancel_response);
    assert_int_equal(answer.as.cancel_response.request_id, id);
    assert_int_equal(answer.as.cancel_response.cancelled, is_open);
}

static void cancel_ends_a_queued_request_at_once_and_a_running_one_by_its_worker(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    client_ask(w, &client, 2, "gen", HEARTH_TASK_GENERATE, false);
    uint64_t id = worker_hear_request(w, &worker);
    cancel(w, &client, 2, true);
    assert_int_equal(client_end(w, &client, 2, NULL), HEARTH_E_CANCELLED);
    cancel(w, &client, 1, true);
    assert_true(client_is_silent(w, &client));
    struct hearth_message told = worker_hear(w, &worker);
    assert_int_equal(told.type, HEARTH_MSG_cancel_request);
    assert_int_equal(told.as.cancel_request.request_id, id);
    worker_answer(w, &worker, id, HEARTH_E_CANCELLED);
    assert_int_equal(client_end(w, &client, 1, NULL), HEARTH_E_CANCELLED);
    cancel(w, &client, 1, false);
    client_close(w, &client);
    worker_finish(&worker);
}

static void a_client_that_leaves_takes_its_requests_along(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    struct client other = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, true);
    client_ask(w, &client, 2, "gen", HEARTH_TASK_GENERATE, true);
    client_ask(w, &other, 1, "gen", HEARTH_TASK_GENERATE, true);
    uint64_t id = worker_hear_request(w, &worker);
    client_close(w, &client);
    struct hearth_message told = worker_hear(w, &worker);
    assert_int_equal(told.type, HEARTH_MSG_cancel_request);
    assert_int_equal(told.as.cancel_request.request_id, id);
    worker_answer(w, &worker, id, HEARTH_E_CANCELLED);
    uint64_t next = worker_hear_request(w, &worker); /* the other's, not the second of the first */
    assert_true(worker_hears_nothing(w, &worker));
    worker_answer(w, &worker, next, HEARTH_E_ENGINE_FAILED);
    assert_int_equal(client_end(w, &other, 1, NULL), HEARTH_E_ENGINE_FAILED);
    client_close(w, &other);
    worker_finish(&worker);
}

/* A stream of 1 MiB pieces to a client that reads nothing. */
static void a_client_that_does_not_read_its_stream_is_cut(void **state)
{
    struct world *w = *state;
    char *mib = hearth_alloc(1u << 20, 1);
    assert_non_null(mib);
    memset(mib, 'x', 1u << 20);
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, true);
    uint64_t id = worker_hear_request(w, &worker);
    struct hearth_wire_result piece = {.text = hearth_slice_of(mib, 1u << 20)};
    struct hearth_message chunk = {
        .type = HEARTH_MSG_stream_chunk,
        .as.stream_chunk = {.request_id = id, .results = {.count = 1, .items = &piece}}};
    unsigned pieces = 0;
    while (worker_hears_nothing(w, &worker) && pieces++ < 40) {
        worker_say(w, &worker, &chunk);
    }
    /* 16 MiB and what the socket holds; V1 tells the first text twice */
    assert_true(w->is_json ? pieces >= 7 && pieces < 10 : pieces >= 14 && pieces < 20);
    struct hearth_message told;
    assert_int_equal(hearth_wire_decode(hearth_buf_slice(&worker.buf), &told, NULL), 0);
    assert_int_equal(told.type, HEARTH_MSG_cancel_request);
    worker_answer(w, &worker, id, HEARTH_E_CANCELLED);
    struct hearth_message last = client_take(w, &client);
    while (last.type == HEARTH_MSG_stream_chunk) {
        last = client_take(w, &client);
    }
    assert_int_equal(last.type, HEARTH_MSG_error); /* the reason comes last, then the end */
    assert_int_equal(-(int)last.as.error.code, HEARTH_E_QUEUE_FULL);
    assert_true(client_is_cut(w, &client));
    client_close(w, &client);
    worker_finish(&worker);
    hearth_free(mib);
}

static bool has_expired_one(struct world *w)
{
    return hearth_metrics_value(&w->metrics, HEARTH_COUNTER_REQUESTS_FAILED) == 1;
}

static void deadlines_end_what_waits_and_cancel_what_runs(void **state)
{
    struct world *w = *state;
    w->config.request_timeout_ms = 50;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    client_ask(w, &client, 2, "gen", HEARTH_TASK_GENERATE, false);
    uint64_t id = worker_hear_request(w, &worker);
    assert_true(world_wait(w, 2000, has_expired_one));
    assert_int_equal(client_end(w, &client, 2, NULL), HEARTH_E_EXPIRED);
    struct hearth_message told = worker_hear(w, &worker);
    assert_int_equal(told.type, HEARTH_MSG_cancel_request);
    assert_int_equal(told.as.cancel_request.request_id, id);
    worker_answer(w, &worker, id, HEARTH_E_CANCELLED);
    assert_int_equal(client_end(w, &client, 1, NULL), HEARTH_E_EXPIRED);
    client_close(w, &client);
    worker_finish(&worker);
}

static void one_round(struct world *w, struct client *client, struct fake_worker *worker)
{
    client_ask(w, client, 1, "gen", HEARTH_TASK_GENERATE, false);
    worker_answer(w, worker, worker_hear_request(w, worker), 0);
    assert_int_equal(client_end(w, client, 1, NULL), 0);
}

/* The frame of a request, sent without an allocation of the test's own. */
static void send_prepared(struct client *client, const struct hearth_buf *frame)
{
    uint8_t prefix[HEARTH_FRAME_PREFIX_BYTES] = {(uint8_t)frame->size, (uint8_t)(frame->size >> 8)};
    size_t sent = 0;
    assert_int_equal(hearth_socket_send(client->fd, prefix, sizeof prefix, &sent), 0);
    assert_int_equal(hearth_socket_send(client->fd, frame->data, frame->size, &sent), 0);
    assert_int_equal(sent, frame->size);
}

static void prepare(struct client *client, struct hearth_buf *frame)
{
    struct hearth_wire_text text = {.text = hearth_slice_of_string("abc")};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *asked = &message.as.inference_request;
    hearth_wire_default_request(asked);
    asked->request_id = 1;
    asked->task = HEARTH_TASK_GENERATE;
    asked->model_id = hearth_slice_of_string("gen");
    asked->texts = (struct hearth_wire_list){.count = 1, .items = &text};
    hearth_buf_init(frame, 1000);
    assert_int_equal(client->is_json ? hearth_json_encode(&message, &client->json_out, frame)
                                     : hearth_wire_encode(&message, frame),
                     0);
}

/* A round without an allocation of the test's own. */
static void prepared_round(struct world *w, struct client *client, struct fake_worker *worker,
                           const struct hearth_buf *frame)
{
    static uint8_t answer[4096];
    size_t size = 0;
    send_prepared(client, frame);
    worker_answer(w, worker, worker_hear_request(w, worker), 0);
    assert_int_equal(hearth_socket_receive(client->fd, answer, sizeof answer, &size), 0);
    assert_non_null(memmem(answer, size, "cba", 3));
}

static void a_request_allocates_nothing_in_steady_state(void **state)
{
    struct world *w = *state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    prepare(&client, &frame);
    for (int i = 0; i < 5; i++) {
        prepared_round(w, &client, &worker, &frame);
    }
    uint64_t before = hearth_alloc_count();
    for (int i = 0; i < 50; i++) {
        prepared_round(w, &client, &worker, &frame);
    }
    assert_int_equal(hearth_alloc_count() - before, 0);
    client_close(w, &client);
    worker_finish(&worker);
}

/* A fresh broker each time, so that every buffer is made anew. Returns true if the n-th allocation
 * existed and failed. */
static bool fail_one_allocation(struct world *w, uint64_t n)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    prepare(&client, &frame);
    hearth_alloc_fail_at(n);
    send_prepared(&client, &frame);
    world_settle(w);
    bool has_failed = hearth_alloc_has_failed();
    hearth_alloc_fail_at(0);
    if (has_failed) {
        struct hearth_message told = client_take(w, &client);
        bool is_response = told.type == HEARTH_MSG_inference_response;
        assert_true(is_response || (w->is_json && told.type == HEARTH_MSG_error));
        assert_int_equal(-(int)(is_response ? told.as.inference_response.code : told.as.error.code),
                         HEARTH_E_NO_MEMORY);
        assert_true(worker_hears_nothing(w, &worker));
    } else {
        worker_answer(w, &worker, worker_hear_request(w, &worker), 0);
        assert_int_equal(client_end(w, &client, 1, NULL), 0);
    }
    one_round(w, &client, &worker); /* the next request is right */
    client_close(w, &client);
    worker_finish(&worker);
    return has_failed;
}

static void a_failed_allocation_costs_its_own_request_only(void **state)
{
    uint64_t n = 1;
    (void)state;
    for (unsigned v1 = 0; v1 < 2; v1++, n = 1) {
        for (bool goes_on = true; goes_on; n++) {
            void *world = NULL;
            assert_int_equal(v1 == 1 ? world_setup_v1(&world) : world_setup(&world), 0);
            goes_on = fail_one_allocation(world, n);
            assert_int_equal(world_teardown(&world), 0);
        }
        assert_true(n > 2); /* there was one to fail */
    }
}

KIT_MAIN(WORLD_TEST_BOTH(an_answer_comes_back_under_the_clients_id),
         WORLD_TEST_BOTH(a_stream_has_its_pieces_and_one_end),
         WORLD_TEST_BOTH(requests_for_a_loading_model_wait_for_it),
         WORLD_TEST_BOTH(a_request_that_cannot_be_served_says_why),
         WORLD_TEST_BOTH(a_second_request_with_an_open_id_is_refused),
         WORLD_TEST_BOTH(the_queue_limit_is_told_with_the_place),
         WORLD_TEST_BOTH(cancel_ends_a_queued_request_at_once_and_a_running_one_by_its_worker),
         WORLD_TEST_BOTH(a_client_that_leaves_takes_its_requests_along),
         WORLD_TEST_BOTH(a_client_that_does_not_read_its_stream_is_cut),
         WORLD_TEST_BOTH(deadlines_end_what_waits_and_cancel_what_runs),
         WORLD_TEST_BOTH(a_request_allocates_nothing_in_steady_state),
         cmocka_unit_test(a_failed_allocation_costs_its_own_request_only))
