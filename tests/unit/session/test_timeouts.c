/* How long a client may take, and that it is told why it was cut. */

#include "world.h"

#include <string.h>
#include <sys/socket.h>

static struct hearth_message probe(void)
{
    return (struct hearth_message){.type = HEARTH_MSG_health_check};
}

static void is_cut_for(struct world *w, struct client *client, const char *part)
{
    client_wait(w, client);
    client_expect_error(w, client, HEARTH_E_EXPIRED, part);
    assert_true(client_is_cut(w, client));
    client_close(w, client);
}

static void who_never_says_anything_is_cut(void **state)
{
    struct world *w = *state;
    w->config.handshake_timeout_ms = 30;
    world_start(w);
    struct client client = client_connect(w);
    client.is_json = false; /* nothing is known of it */
    is_cut_for(w, &client, "no handshake within 30 ms (handshake_timeout_ms)");
    assert_int_equal(hearth_metrics_value(&w->metrics, HEARTH_COUNTER_CONNECTIONS_CUT), 1);
}

/* What has come of the frame tells in which encoding it can be told. */
static void a_frame_that_is_never_finished_is_cut(void **state)
{
    struct world *w = *state;
    w->config.handshake_timeout_ms = 60000;
    w->config.frame_timeout_ms = 30;
    world_start(w);
    struct client client = client_connect(w);
    client_send_bytes(w, &client, w->is_json ? "\x20\0\0\0{" : "\x20\0\0\0\x01", 5);
    is_cut_for(w, &client, "not whole within 30 ms (frame_timeout_ms)");
    client = client_session(w); /* the same inside a session */
    client_send_bytes(w, &client, "\x20", 1);
    is_cut_for(w, &client, "not whole within 30 ms (frame_timeout_ms)");
}

static void a_session_without_requests_is_cut(void **state)
{
    struct world *w = *state;
    w->config.idle_timeout_ms = 30;
    world_start(w);
    struct client client = client_session(w);
    is_cut_for(w, &client, "no request within 30 ms (idle_timeout_ms)");
}

static bool has_waited(struct world *w)
{
    (void)w;
    return false;
}

static void who_only_probes_may_stay_while_it_goes_on_asking(void **state)
{
    struct world *w = *state;
    w->config.handshake_timeout_ms = 200;
    w->config.idle_timeout_ms = 0;
    world_start(w);
    struct client client = client_connect(w);
    struct hearth_message ask = probe();
    for (int i = 0; i < 4; i++) {
        (void)world_wait(w, 70, has_waited);
        client_send(w, &client, &ask);
        assert_int_equal(client_take(w, &client).type, HEARTH_MSG_health_response);
    }
    is_cut_for(w, &client, "nor another question within 200 ms (handshake_timeout_ms)");
}

static void an_open_request_is_not_idle(void **state)
{
    struct world *w = *state;
    w->config.idle_timeout_ms = 30;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    uint64_t id = worker_hear_request(w, &worker);
    (void)world_wait(w, 100, has_waited);
    assert_true(client_is_silent(w, &client));
    worker_answer(w, &worker, id, 0);
    assert_int_equal(client_end(w, &client, 1, NULL), 0);
    is_cut_for(w, &client, "idle_timeout_ms"); /* and from its end on it is */
    worker_finish(&worker);
}

static void idle_for_ever_if_so_configured(void **state)
{
    struct world *w = *state;
    w->config.idle_timeout_ms = 0;
    w->config.handshake_timeout_ms = 20;
    world_start(w);
    struct client client = client_session(w);
    (void)world_wait(w, 60, has_waited);
    assert_true(client_is_silent(w, &client));
    struct hearth_loop_stats before;
    struct hearth_loop_stats after;
    hearth_loop_stats(w->loop, &before);
    (void)world_wait(w, 100, has_waited); /* and nothing wakes the daemon */
    hearth_loop_stats(w->loop, &after);
    assert_int_equal(after.callbacks, before.callbacks);
    client_close(w, &client);
}

/* A stream to a client that stops reading: below the bound of the queue, it is time that cuts. */
static void answers_that_are_not_read_for_long_end_the_connection(void **state)
{
    enum { PIECE = 1 << 20 };
    static char mib[PIECE];
    struct world *w = *state;
    memset(mib, 'x', sizeof mib);
    w->config.frame_timeout_ms = 40;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, true);
    uint64_t id = worker_hear_request(w, &worker);
    struct hearth_wire_result piece = {.text = hearth_slice_of(mib, PIECE)};
    struct hearth_message chunk = {
        .type = HEARTH_MSG_stream_chunk,
        .as.stream_chunk = {.request_id = id, .results = {.count = 1, .items = &piece}}};
    worker_say(w, &worker, &chunk);
    (void)world_wait(w, 120, has_waited);
    assert_int_equal(worker_hear(w, &worker).type, HEARTH_MSG_cancel_request);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_stream_chunk);
    client_expect_error(w, &client, HEARTH_E_EXPIRED, "not read within 40 ms (frame_timeout_ms)");
    assert_true(client_is_cut(w, &client));
    client_close(w, &client);
    worker_finish(&worker);
}

static void who_stops_sending_still_gets_its_answers(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    client_ask(w, &client, 2, "gen", HEARTH_TASK_GENERATE, false);
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    for (uint64_t id = 1; id <= 2; id++) {
        worker_answer(w, &worker, worker_hear_request(w, &worker), 0);
        assert_int_equal(client_end(w, &client, id, NULL), 0);
    }
    assert_true(client_is_cut(w, &client));
    client_close(w, &client);
    client = client_session(w); /* with nothing open it ends at once */
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    assert_true(client_is_cut(w, &client));
    client_close(w, &client);
    client = client_session(w); /* the list of models is, though it needs a scan first */
    struct hearth_message list = {.type = HEARTH_MSG_models_request};
    client_send(w, &client, &list);
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_models_response);
    assert_true(client_is_cut(w, &client));
    client_close(w, &client);
    client = client_session(w); /* a load is awaited too */
    client_load(w, &client, "gen2");
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    struct fake_worker second = worker_spawned(w);
    worker_lead_to_ready(w, &second, 1);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_load_response);
    assert_true(client_is_cut(w, &client));
    client_close(w, &client);
    worker_finish(&worker);
    worker_finish(&second);
}

static void who_stops_sending_inside_a_frame_is_told(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct client client = client_session(w);
    client_send_bytes(w, &client, "\x20\0\0\0{", 5);
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    client_expect_error(w, &client, HEARTH_E_MALFORMED, "inside a frame");
    assert_true(client_is_cut(w, &client));
    client_close(w, &client);
}

KIT_MAIN(WORLD_TEST(who_never_says_anything_is_cut),
         WORLD_TEST_BOTH(a_frame_that_is_never_finished_is_cut),
         WORLD_TEST_BOTH(a_session_without_requests_is_cut),
         WORLD_TEST_BOTH(who_only_probes_may_stay_while_it_goes_on_asking),
         WORLD_TEST_BOTH(an_open_request_is_not_idle), WORLD_TEST(idle_for_ever_if_so_configured),
         WORLD_TEST_BOTH(answers_that_are_not_read_for_long_end_the_connection),
         WORLD_TEST_BOTH(who_stops_sending_still_gets_its_answers),
         WORLD_TEST_BOTH(who_stops_sending_inside_a_frame_is_told))
