#include "scripted_server.h"

#include <hearth/hearth.h>

#include <poll.h>

/* Requests that are submitted, and what becomes of them when a connection does not last. */

#define MOST_REQUESTS 256
#define WAIT_MS       20000 /* bounds a broken library; every wait ends when the thing happens */

/** What the callbacks of one test saw. */
struct seen {
    hearth_client *client;
    uint64_t order[MOST_REQUESTS]; /* ids as they ended */
    int codes[MOST_REQUESTS];      /* by the same index */
    char label[MOST_REQUESTS][8];
    size_t ended;
    size_t items;
    char text[HEARTH_ERROR_TEXT_BYTES]; /* of the last failure */
};

static int see_item(const hearth_item *item, void *arg)
{
    struct seen *seen = arg;
    seen->items += item != NULL;
    return 0;
}

static void see_end(uint64_t request, hearth_result *result, const hearth_error *err, void *arg)
{
    struct seen *seen = arg;
    assert_true(seen->ended < MOST_REQUESTS);
    assert_int_equal(result != NULL, err->code == 0);
    for (size_t i = 0; i < seen->ended; i++) {
        assert_true(seen->order[i] != request); /* it ends once */
    }
    const hearth_item *item = result == NULL ? NULL : hearth_result_item(result, 0);
    if (item != NULL && item->label_count > 0) {
        snprintf(seen->label[seen->ended], sizeof seen->label[0], "%s", item->labels[0].name);
    }
    if (err->code < 0) {
        snprintf(seen->text, sizeof seen->text, "%s", err->text);
    }
    seen->order[seen->ended] = request;
    seen->codes[seen->ended++] = err->code;
    hearth_result_free(result);
}

static hearth_connect_params connecting(void **state, const char *program)
{
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = ((struct scripted_server *)*state)->path;
    params.program = program;
    return params;
}

static hearth_client *connected_as(void **state, const char *program)
{
    hearth_connect_params params = connecting(state, program);
    hearth_client *client = NULL;
    hearth_error err = {0};
    hearth_connect(&params, &client, &err);
    assert_string_equal(err.text, "");
    return client;
}

static hearth_request_params asking(struct seen *seen)
{
    hearth_request_params params = hearth_request_params_default();
    params.model = "parity";
    params.timeout_ms = 10000;
    params.on_done = see_end;
    params.arg = seen;
    return params;
}

static int submit(struct seen *seen, enum hearth_task task, const char *text, uint64_t *ret)
{
    hearth_request_params params = asking(seen);
    const hearth_input input = {.text = text};
    hearth_error err;
    return hearth_submit(seen->client, task, &input, 1, &params, ret, &err);
}

static uint64_t submitted(struct seen *seen, const char *text)
{
    uint64_t id = 0;
    assert_int_equal(submit(seen, HEARTH_TASK_CLASSIFY, text, &id), 0);
    assert_true(id != 0);
    return id;
}

/* The loop that event.h shows. */
static int loop_until(struct seen *seen, size_t ended)
{
    int rc = 0;
    while (seen->ended < ended && rc == 0) {
        struct pollfd fd = {.fd = hearth_client_fd(seen->client),
                            .events = (short)hearth_client_wanted_events(seen->client)};
        int timeout_ms = hearth_client_timeout_ms(seen->client);
        assert_true(poll(&fd, 1, timeout_ms < 0 ? WAIT_MS : timeout_ms) > 0 || timeout_ms >= 0);
        rc = hearth_dispatch(seen->client, NULL);
    }
    return rc;
}

static void wait_for_the_end_of_the_stream(hearth_client *client)
{
    struct pollfd fd = {.fd = hearth_client_fd(client), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
}

static uint32_t connection_number(hearth_client *client)
{
    const hearth_health_report *report;
    hearth_error err = {0};
    hearth_health(client, HEARTH_CHECK_FULL, &report, &err);
    assert_string_equal(err.text, "");
    return report->connections;
}

/* ── Many at once ────────────────────────────────────────────────────────────────────────────── */

static void many_requests_end_once_each_as_the_daemon_answers(void **state)
{
    struct seen seen = {.client = connected_as(state, "test")};
    uint64_t ids[21];
    for (size_t i = 0; i < 20; i++) {
        ids[i] = submitted(&seen, i % 2 == 0 ? "hold" : "hold5");
    }
    ids[20] = submitted(&seen, "release");
    assert_int_equal(hearth_client_open_requests(seen.client), 21);
    assert_int_equal(seen.ended, 0); /* a submit calls nothing */
    assert_int_equal(loop_until(&seen, 21), 0);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(seen.order[i], ids[19 - i]);
        assert_int_equal(seen.codes[i], 0);
        assert_string_equal(seen.label[i], i % 2 == 0 ? "odd" : "even");
    }
    assert_int_equal(seen.order[20], ids[20]);
    assert_int_equal(hearth_client_open_requests(seen.client), 0);
    assert_int_equal(hearth_client_timeout_ms(seen.client), -1);
    assert_int_equal(hearth_client_wanted_events(seen.client), POLLIN);
    hearth_disconnect(seen.client);
}

static void pieces_come_before_the_end(void **state)
{
    struct seen seen = {.client = connected_as(state, "test")};
    hearth_request_params params = asking(&seen);
    const hearth_chat_message message = {HEARTH_ROLE_USER, "hello"};
    params.on_item = see_item;
    assert_int_equal(hearth_submit_chat(seen.client, &message, 1, &params, NULL, NULL), 0);
    assert_int_equal(hearth_wait(seen.client, WAIT_MS, NULL), 0);
    assert_int_equal(seen.items, 5);
    assert_int_equal(seen.codes[0], 0);
    hearth_disconnect(seen.client);
}

static void a_request_is_cancelled_by_its_id(void **state)
{
    struct seen seen = {.client = connected_as(state, "test")};
    uint64_t first = submitted(&seen, "hold");
    uint64_t second = submitted(&seen, "hold");
    assert_int_equal(hearth_cancel_request(seen.client, first, NULL), 0);
    assert_int_equal(loop_until(&seen, 1), 0);
    assert_int_equal(seen.order[0], first);
    assert_int_equal(seen.codes[0], HEARTH_E_CANCELLED);
    hearth_error err;
    hearth_cancel_request(seen.client, first, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_NO_REQUEST, "no such request is open");
    hearth_cancel_request(seen.client, 0, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_NO_REQUEST, "no such request is open");
    submitted(&seen, "release");
    assert_int_equal(loop_until(&seen, 3), 0);
    assert_int_equal(seen.order[1], second);
    assert_int_equal(seen.codes[1], 0);
    hearth_disconnect(seen.client);
}

static void a_call_that_waits_lets_the_others_go_on(void **state)
{
    struct seen seen = {.client = connected_as(state, "test")};
    submitted(&seen, "hold");
    submitted(&seen, "hold");
    hearth_request_params params = asking(&seen);
    const char *texts[] = {"release"};
    hearth_result *result;
    assert_int_equal(hearth_classify(seen.client, texts, 1, &params, &result, NULL), 0);
    assert_string_equal(hearth_result_item(result, 0)->labels[0].name, "odd");
    hearth_result_free(result);
    assert_int_equal(seen.ended, 2); /* theirs came first; on_done is not for a call that waits */
    hearth_disconnect(seen.client);
}

static void waiting_ends_when_its_time_is_over(void **state)
{
    struct seen seen = {.client = connected_as(state, "test")};
    submitted(&seen, "hold");
    hearth_error err;
    hearth_wait(seen.client, 30, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_EXPIRED, "1 requests are still open");
    submitted(&seen, "release");
    assert_int_equal(hearth_wait(seen.client, 0, &err), 0);
    assert_int_equal(seen.ended, 2);
    hearth_disconnect(seen.client); /* with none open */
}

static void a_disconnect_forgets_what_is_open(void **state)
{
    struct seen seen = {.client = connected_as(state, "test")};
    for (size_t i = 0; i < 40; i++) {
        submitted(&seen, "hold");
    }
    hearth_disconnect(seen.client);
    assert_int_equal(seen.ended, 0);
}

/* ── In a callback ───────────────────────────────────────────────────────────────────────────── */

struct inside {
    struct seen seen;
    size_t further; /* still to be submitted */
    bool was_refused;
};

static void submit_another(uint64_t request, hearth_result *result, const hearth_error *err,
                           void *arg)
{
    struct inside *inside = arg;
    see_end(request, result, err, &inside->seen);
    hearth_request_params params = asking(&inside->seen);
    const hearth_input input = {.text = "hold"};
    params.on_done = submit_another;
    params.arg = inside;
    if (inside->further > 0) {
        uint64_t id;
        inside->further--;
        assert_int_equal(
            hearth_submit(inside->seen.client, HEARTH_TASK_CLASSIFY, &input, 1, &params, &id, NULL),
            0);
        assert_int_equal(hearth_cancel_request(inside->seen.client, id, NULL), 0);
    }
}

static void a_callback_may_submit_and_cancel(void **state)
{
    struct inside inside = {.seen.client = connected_as(state, "test"), .further = 30};
    struct seen *seen = &inside.seen;
    hearth_request_params params = asking(seen);
    const hearth_input input = {.text = "ab"};
    params.on_done = submit_another;
    params.arg = &inside;
    assert_int_equal(
        hearth_submit(seen->client, HEARTH_TASK_CLASSIFY, &input, 1, &params, NULL, NULL), 0);
    assert_int_equal(loop_until(seen, 31), 0);
    assert_int_equal(seen->codes[0], 0);
    for (size_t i = 1; i < 31; i++) {
        assert_int_equal(seen->codes[i], HEARTH_E_CANCELLED);
    }
    hearth_disconnect(seen->client);
}

static void try_to_wait(uint64_t request, hearth_result *result, const hearth_error *err, void *arg)
{
    struct inside *inside = arg;
    hearth_client *client = inside->seen.client;
    see_end(request, result, err, &inside->seen);
    hearth_request_params params = asking(&inside->seen);
    const char *texts[] = {"ab"};
    const hearth_health_report *report;
    hearth_error why;
    assert_int_equal(hearth_dispatch(client, NULL), HEARTH_E_BUSY);
    assert_int_equal(hearth_wait(client, 1, NULL), HEARTH_E_BUSY);
    assert_int_equal(hearth_reconnect(client, NULL), HEARTH_E_BUSY);
    assert_int_equal(hearth_classify(client, texts, 1, &params, NULL, NULL), HEARTH_E_BUSY);
    hearth_health(client, HEARTH_CHECK_FULL, &report, &why);
    KIT_ASSERT_ERROR(why, HEARTH_E_BUSY, "in a callback of this client");
    inside->was_refused = true;
}

static void what_waits_is_refused_in_a_callback(void **state)
{
    struct inside inside = {.seen.client = connected_as(state, "test")};
    hearth_request_params params = asking(&inside.seen);
    const hearth_input input = {.text = "ab"};
    params.on_done = try_to_wait;
    params.arg = &inside;
    assert_int_equal(
        hearth_submit(inside.seen.client, HEARTH_TASK_CLASSIFY, &input, 1, &params, NULL, NULL), 0);
    assert_int_equal(loop_until(&inside.seen, 1), 0);
    assert_true(inside.was_refused);
    hearth_disconnect(inside.seen.client);
}

/* ── What is not submitted ───────────────────────────────────────────────────────────────────── */

static void a_refused_submit_calls_nothing(void **state)
{
    struct seen seen = {.client = connected_as(state, "test")};
    hearth_request_params params = asking(&seen);
    const uint32_t ids[] = {1, 2};
    hearth_input input = {.text = "ab", .token_ids = ids, .token_id_count = 2};
    hearth_error err;
    hearth_submit(seen.client, HEARTH_TASK_CLASSIFY, &input, 1, &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "inputs[0]: wanted either text or token_ids");
    input = (hearth_input){0};
    hearth_submit(seen.client, HEARTH_TASK_CLASSIFY, &input, 1, &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "texts[0]: is empty");
    input.text = "ab";
    params.on_done = NULL;
    hearth_submit(seen.client, HEARTH_TASK_CLASSIFY, &input, 1, &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "on_done is NULL");
    assert_int_equal(hearth_client_open_requests(seen.client), 0);
    assert_int_equal(hearth_dispatch(seen.client, NULL), 0);
    assert_int_equal(seen.ended, 0);
    hearth_disconnect(seen.client);
}

/* The daemon is stopped as a whole, so it is certain that it reads nothing. */
static void a_full_queue_is_said_so_and_empties(void **state)
{
    struct scripted_server *server = *state;
    struct seen seen = {.client = connected_as(state, "test")};
    static char large[HEARTH_MAX_TEXT_BYTES + 1];
    memset(large, 'x', sizeof large - 1);
    assert_int_equal(kill(server->pid, SIGSTOP), 0);
    size_t count = 0;
    int rc = 0;
    while ((rc = submit(&seen, HEARTH_TASK_CLASSIFY, large, NULL)) == 0) {
        count++;
        assert_true(count < MOST_REQUESTS);
    }
    assert_int_equal(rc, HEARTH_E_QUEUE_FULL);
    assert_true(count >= 45); /* 3 MiB */
    assert_int_equal(hearth_client_wanted_events(seen.client), POLLIN | POLLOUT);
    assert_int_equal(hearth_dispatch(seen.client, NULL), 0);
    assert_int_equal(seen.ended, 0);
    assert_int_equal(kill(server->pid, SIGCONT), 0);
    assert_int_equal(loop_until(&seen, count), 0);
    assert_int_equal(hearth_client_wanted_events(seen.client), POLLIN);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(seen.codes[i], 0);
    }
    hearth_disconnect(seen.client);
}

static void count_ended(uint64_t request, hearth_result *result, const hearth_error *err, void *arg)
{
    (void)request;
    (void)err;
    hearth_result_free(result);
    (*(size_t *)arg)++;
}

static void the_number_of_open_requests_is_bounded(void **state)
{
    struct scripted_server *server = *state;
    hearth_client *client = connected_as(state, "test");
    hearth_request_params params = hearth_request_params_default();
    const hearth_input input = {.text = "ab"};
    size_t ended = 0;
    hearth_error err;
    params.model = "parity";
    params.on_done = count_ended;
    params.arg = &ended;
    assert_int_equal(kill(server->pid, SIGSTOP), 0);
    for (size_t i = 0; i < HEARTH_MAX_OPEN_REQUESTS; i++) {
        assert_int_equal(
            hearth_submit(client, HEARTH_TASK_CLASSIFY, &input, 1, &params, NULL, &err), 0);
    }
    hearth_submit(client, HEARTH_TASK_CLASSIFY, &input, 1, &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_QUEUE_FULL, "16384 requests are open");
    assert_int_equal(kill(server->pid, SIGCONT), 0);
    assert_int_equal(hearth_wait(client, WAIT_MS, &err), 0);
    assert_int_equal(ended, HEARTH_MAX_OPEN_REQUESTS);
    hearth_disconnect(client);
}

static void a_call_that_waits_waits_for_room_too(void **state)
{
    struct scripted_server *server = *state;
    struct seen seen = {.client = connected_as(state, "test")};
    static char large[HEARTH_MAX_TEXT_BYTES + 1];
    memset(large, 'x', sizeof large - 1);
    assert_int_equal(kill(server->pid, SIGSTOP), 0);
    size_t count = 0;
    while (submit(&seen, HEARTH_TASK_CLASSIFY, large, NULL) == 0) {
        count++;
    }
    assert_int_equal(kill(server->pid, SIGCONT), 0);
    hearth_request_params params = asking(&seen);
    const char *texts[] = {large};
    assert_int_equal(hearth_classify(seen.client, texts, 1, &params, NULL, NULL), 0);
    assert_int_equal(seen.ended, count);
    hearth_disconnect(seen.client);
}

/** A callback submits two requests, once. */
struct pair {
    struct seen seen;
    uint64_t ids[2];
};

static void submit_a_pair(uint64_t request, hearth_result *result, const hearth_error *err,
                          void *arg)
{
    struct pair *pair = arg;
    see_end(request, result, err, &pair->seen);
    for (size_t i = 0; i < HEARTH_COUNT(pair->ids); i++) {
        pair->ids[i] = submitted(&pair->seen, "hold");
    }
}

/* The call has its request ready before the callback makes its own: what it sends has room only
 * when most of what waits has left, and the first answer has come long before. */
static void no_id_is_given_twice_while_a_call_waits_for_room(void **state)
{
    struct scripted_server *server = *state;
    struct pair pair = {.seen.client = connected_as(state, "test")};
    struct seen *seen = &pair.seen;
    static char large[HEARTH_MAX_TEXT_BYTES + 1];
    memset(large, 'x', sizeof large - 1);
    hearth_request_params params = asking(seen);
    const hearth_input input = {.text = "ab"};
    params.on_done = submit_a_pair;
    params.arg = &pair;
    assert_int_equal(kill(server->pid, SIGSTOP), 0);
    assert_int_equal(
        hearth_submit(seen->client, HEARTH_TASK_CLASSIFY, &input, 1, &params, NULL, NULL), 0);
    while (submit(seen, HEARTH_TASK_CLASSIFY, large, NULL) == 0) {
    }
    assert_int_equal(kill(server->pid, SIGCONT), 0);
    params = asking(seen);
    const char *texts[HEARTH_MAX_BATCH];
    for (size_t i = 0; i < HEARTH_COUNT(texts); i++) {
        texts[i] = large;
    }
    assert_int_equal(hearth_classify(seen->client, texts, HEARTH_COUNT(texts), &params, NULL, NULL),
                     0);
    assert_true(pair.ids[0] != 0 && pair.ids[1] > pair.ids[0]);
    assert_true(submitted(seen, "release") > pair.ids[1]);
    assert_int_equal(hearth_wait(seen->client, WAIT_MS, NULL), 0);
    hearth_disconnect(seen->client);
}

/* ── Time ────────────────────────────────────────────────────────────────────────────────────── */

static void an_expired_request_ends_and_the_others_stay(void **state)
{
    struct seen seen = {.client = connected_as(state, "test")};
    hearth_request_params params = asking(&seen);
    const hearth_input input = {.text = "hold"};
    params.timeout_ms = 20; /* and 2 s for the daemon to say so, which this one does not */
    uint64_t first = 0;
    assert_int_equal(
        hearth_submit(seen.client, HEARTH_TASK_CLASSIFY, &input, 1, &params, &first, NULL), 0);
    uint64_t second = submitted(&seen, "hold");
    int timeout_ms = hearth_client_timeout_ms(seen.client);
    assert_true(timeout_ms > 1000 && timeout_ms <= 2020);
    assert_int_equal(loop_until(&seen, 1), 0);
    assert_int_equal(seen.order[0], first);
    assert_int_equal(seen.codes[0], HEARTH_E_EXPIRED);
    submitted(&seen, "release"); /* the first was cancelled: it is not answered again */
    assert_int_equal(loop_until(&seen, 3), 0);
    assert_int_equal(seen.order[1], second);
    hearth_disconnect(seen.client);
}

/* ── Connections that do not last ────────────────────────────────────────────────────────────── */

static void a_lost_connection_ends_each_open_request_once(void **state)
{
    struct seen seen = {.client = connected_as(state, "test")};
    for (size_t i = 0; i < 10; i++) {
        submitted(&seen, "hold");
    }
    submitted(&seen, "cut");
    assert_int_equal(loop_until(&seen, 11), HEARTH_E_DISCONNECTED);
    assert_int_equal(seen.ended, 11);
    for (size_t i = 0; i < 11; i++) {
        assert_int_equal(seen.codes[i], HEARTH_E_DISCONNECTED);
    }
    assert_string_equal(seen.text, "the daemon closed the connection: you were too slow");
    assert_int_equal(hearth_client_state(seen.client), HEARTH_CLIENT_CLOSED);
    assert_int_equal(hearth_client_fd(seen.client), -1);
    assert_int_equal(hearth_client_timeout_ms(seen.client), -1);
    assert_int_equal(hearth_dispatch(seen.client, NULL), 0);
    assert_int_equal(submit(&seen, HEARTH_TASK_CLASSIFY, "ab", NULL), HEARTH_E_DISCONNECTED);
    assert_int_equal(hearth_reconnect(seen.client, NULL), 0);
    submitted(&seen, "ab");
    assert_int_equal(loop_until(&seen, 12), 0);
    assert_int_equal(seen.codes[11], 0);
    assert_int_equal(connection_number(seen.client), 2);
    hearth_disconnect(seen.client);
}

static void a_client_that_reconnects_goes_on_after_a_loss(void **state)
{
    hearth_connect_params params = connecting(state, "test");
    params.reconnect = 1;
    struct seen seen = {0};
    assert_int_equal(hearth_connect(&params, &seen.client, NULL), 0);
    submitted(&seen, "die");
    assert_int_equal(loop_until(&seen, 1), HEARTH_E_DISCONNECTED);
    submitted(&seen, "ab");
    assert_int_equal(hearth_client_state(seen.client), HEARTH_CLIENT_CONNECTING);
    assert_int_equal(loop_until(&seen, 2), 0);
    assert_int_equal(seen.codes[0], HEARTH_E_DISCONNECTED); /* and was not asked again */
    assert_int_equal(seen.codes[1], 0);
    hearth_disconnect(seen.client);
}

static void to_connect_again_ends_what_is_open(void **state)
{
    struct seen seen = {.client = connected_as(state, "test")};
    submitted(&seen, "hold");
    assert_int_equal(hearth_reconnect(seen.client, NULL), 0);
    assert_int_equal(seen.ended, 1);
    assert_int_equal(seen.codes[0], HEARTH_E_DISCONNECTED);
    submitted(&seen, "release");
    assert_int_equal(loop_until(&seen, 2), 0);
    assert_int_equal(seen.ended, 2);
    hearth_disconnect(seen.client);
}

static void an_idle_close_is_not_noticed_by_calls_that_wait(void **state)
{
    struct seen seen = {.client = connected_as(state, "test")};
    hearth_request_params params = asking(&seen);
    const char *texts[] = {"leave"};
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(connection_number(seen.client), i);
        assert_int_equal(hearth_classify(seen.client, texts, 1, &params, NULL, NULL), 0);
        wait_for_the_end_of_the_stream(seen.client);
    }
    hearth_model_list *list;
    assert_int_equal(hearth_models(seen.client, &list, NULL), 0);
    hearth_model_list_free(list);
    hearth_disconnect(seen.client);
}

static void an_idle_close_is_no_error_for_a_loop(void **state)
{
    struct seen seen = {.client = connected_as(state, "test")};
    submitted(&seen, "leave");
    assert_int_equal(loop_until(&seen, 1), 0);
    wait_for_the_end_of_the_stream(seen.client);
    assert_int_equal(hearth_dispatch(seen.client, NULL), 0);
    assert_int_equal(hearth_client_fd(seen.client), -1);
    submitted(&seen, "ab");
    assert_int_equal(loop_until(&seen, 2), 0);
    assert_int_equal(seen.codes[1], 0);
    hearth_disconnect(seen.client);
}

static void an_idle_limit_is_kept_away_from(void **state)
{
    struct seen seen = {.client = connected_as(state, "short")};
    uint32_t before = connection_number(seen.client);
    poll(NULL, 0, 250); /* of 400 ms, of which the last 200 are not used */
    assert_int_equal(connection_number(seen.client), before + 1);
    hearth_disconnect(seen.client);
}

static void a_request_of_which_nothing_left_goes_over_another_connection(void **state)
{
    struct seen seen = {.client = connected_as(state, "deaf")};
    hearth_request_params params = asking(&seen);
    const char *texts[] = {"ab"};
    hearth_error err = {0};
    hearth_classify(seen.client, texts, 1, &params, NULL, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(connection_number(seen.client), 2);
    hearth_disconnect(seen.client);
}

/* ── Beginning ───────────────────────────────────────────────────────────────────────────────── */

static void a_connection_begins_without_waiting(void **state)
{
    hearth_connect_params params = connecting(state, "test");
    struct seen seen = {0};
    assert_int_equal(hearth_connect_start(&params, &seen.client, NULL), 0);
    assert_int_equal(hearth_client_state(seen.client), HEARTH_CLIENT_CONNECTING);
    assert_string_equal(hearth_client_server(seen.client), "");
    submitted(&seen, "ab");
    submitted(&seen, "abc");
    assert_int_equal(loop_until(&seen, 2), 0);
    assert_string_equal(seen.label[1], "odd");
    assert_int_equal(hearth_client_state(seen.client), HEARTH_CLIENT_CONNECTED);
    assert_string_equal(hearth_client_server(seen.client), "scripted 1");
    hearth_disconnect(seen.client);
}

/* A daemon that accepts nobody: connections wait in the backlog until that is full. */
static void a_full_backlog_is_said_so_at_once(void **state)
{
    struct hearth_listener listener;
    struct scripted_server *server = *state;
    char path[108];
    snprintf(path, sizeof path, "%s/busy", server->folder);
    assert_int_equal(hearth_listener_open(path, &listener, NULL), 0);
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = path;
    static hearth_client *clients[512]; /* more than wait */
    size_t count = 0;
    hearth_error err;
    while (count < HEARTH_COUNT(clients) &&
           hearth_connect_start(&params, &clients[count], &err) == 0) {
        count++;
    }
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_MANY_CONNECTIONS, "too many wait for the daemon");
    for (size_t i = 0; i < count; i++) {
        hearth_disconnect(clients[i]);
    }
    hearth_listener_close(&listener);
    snprintf(path, sizeof path, "%s/busy.lock", server->folder);
    unlink(path);
}

static void a_refused_session_ends_its_requests_with_the_reason(void **state)
{
    hearth_connect_params params = connecting(state, "crowd");
    struct seen seen = {0};
    assert_int_equal(hearth_connect_start(&params, &seen.client, NULL), 0);
    submitted(&seen, "ab");
    assert_int_equal(loop_until(&seen, 1), HEARTH_E_TOO_MANY_CONNECTIONS);
    assert_int_equal(seen.codes[0], HEARTH_E_TOO_MANY_CONNECTIONS);
    assert_string_equal(seen.text, "64 connections are open");
    hearth_disconnect(seen.client);
}

static void a_daemon_that_does_not_answer_the_handshake_is_given_up(void **state)
{
    hearth_connect_params params = connecting(state, "mute");
    params.timeout_ms = 50;
    struct seen seen = {0};
    hearth_error err;
    hearth_connect(&params, &seen.client, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_EXPIRED, "no answer from the daemon in time");
    assert_int_equal(hearth_connect_start(&params, &seen.client, NULL), 0);
    submitted(&seen, "ab");
    int timeout_ms = hearth_client_timeout_ms(seen.client);
    assert_true(timeout_ms >= 0 && timeout_ms <= 50);
    assert_int_equal(loop_until(&seen, 1), HEARTH_E_EXPIRED);
    assert_int_equal(seen.codes[0], HEARTH_E_EXPIRED);
    hearth_disconnect(seen.client);
}

static void without_a_session_only_reports_are_asked(void **state)
{
    hearth_connect_params params = connecting(state, "crowd"); /* a handshake would be refused */
    params.without_session = 1;
    struct seen seen = {0};
    assert_int_equal(hearth_connect(&params, &seen.client, NULL), 0);
    assert_int_equal(connection_number(seen.client), 1);
    const char *text;
    assert_int_equal(hearth_prometheus(seen.client, &text, NULL), 0);
    assert_int_equal(submit(&seen, HEARTH_TASK_CLASSIFY, "ab", NULL), HEARTH_E_UNAUTHENTICATED);
    hearth_disconnect(seen.client);
}

/* ── Failing allocations ─────────────────────────────────────────────────────────────────────── */

/* Whatever fails: each request that was taken ends once, and the client can be ended. */
static void any_failed_allocation_ends_each_request_once(void **state)
{
    KIT_FOR_EACH_FAILURE(n) {
        hearth_connect_params params = connecting(state, "test");
        struct seen seen = {0};
        size_t taken = 0;
        int rc = hearth_connect_start(&params, &seen.client, NULL);
        static const char *const texts[] = {"hold", "hold5", "release", "abc"};
        for (size_t i = 0; rc == 0 && i < HEARTH_COUNT(texts); i++) {
            rc = submit(&seen, HEARTH_TASK_CLASSIFY, texts[i], NULL);
            taken += rc == 0;
        }
        bool was_submitted = rc == 0;
        rc = rc < 0 ? rc : loop_until(&seen, taken);
        if (!hearth_alloc_has_failed()) {
            assert_int_equal(rc, 0);
            assert_int_equal(taken, HEARTH_COUNT(texts));
        }
        if (was_submitted) {
            assert_int_equal(seen.ended, taken);
        }
        for (size_t i = 0; i < seen.ended; i++) {
            assert_true(seen.codes[i] == 0 || seen.codes[i] == HEARTH_E_NO_MEMORY);
        }
        hearth_disconnect(seen.client);
    }
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, scripted_start, scripted_stop)

KIT_MAIN(
    WITH_SERVER(many_requests_end_once_each_as_the_daemon_answers),
    WITH_SERVER(pieces_come_before_the_end), WITH_SERVER(a_request_is_cancelled_by_its_id),
    WITH_SERVER(a_call_that_waits_lets_the_others_go_on),
    WITH_SERVER(waiting_ends_when_its_time_is_over), WITH_SERVER(a_disconnect_forgets_what_is_open),
    WITH_SERVER(a_callback_may_submit_and_cancel), WITH_SERVER(what_waits_is_refused_in_a_callback),
    WITH_SERVER(a_refused_submit_calls_nothing), WITH_SERVER(a_full_queue_is_said_so_and_empties),
    WITH_SERVER(the_number_of_open_requests_is_bounded),
    WITH_SERVER(a_call_that_waits_waits_for_room_too),
    WITH_SERVER(no_id_is_given_twice_while_a_call_waits_for_room),
    WITH_SERVER(an_expired_request_ends_and_the_others_stay),
    WITH_SERVER(a_lost_connection_ends_each_open_request_once),
    WITH_SERVER(a_client_that_reconnects_goes_on_after_a_loss),
    WITH_SERVER(to_connect_again_ends_what_is_open),
    WITH_SERVER(an_idle_close_is_not_noticed_by_calls_that_wait),
    WITH_SERVER(an_idle_close_is_no_error_for_a_loop), WITH_SERVER(an_idle_limit_is_kept_away_from),
    WITH_SERVER(a_request_of_which_nothing_left_goes_over_another_connection),
    WITH_SERVER(a_connection_begins_without_waiting),
    WITH_SERVER(a_full_backlog_is_said_so_at_once),
    WITH_SERVER(a_refused_session_ends_its_requests_with_the_reason),
    WITH_SERVER(a_daemon_that_does_not_answer_the_handshake_is_given_up),
    WITH_SERVER(without_a_session_only_reports_are_asked),
    WITH_SERVER(any_failed_allocation_ends_each_request_once))
