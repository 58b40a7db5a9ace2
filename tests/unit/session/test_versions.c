/* Two encodings of one protocol: which is spoken when, and what happens in the wrong one. */

#include "world.h"

#include <stdio.h>
#include <string.h>

static void send_frame(struct world *w, struct client *client, const char *bytes, size_t size)
{
    uint8_t prefix[HEARTH_FRAME_PREFIX_BYTES] = {(uint8_t)size, (uint8_t)(size >> 8),
                                                 (uint8_t)(size >> 16), 0};
    client_send_bytes(w, client, prefix, sizeof prefix);
    for (size_t sent = 0, some = 0; sent < size; sent += some) {
        int rc = hearth_socket_send(client->fd, bytes + sent, size - sent, &some);
        assert_true(rc == 0 || rc == HEARTH_E_NOT_READY);
        some = rc == 0 ? some : 0;
        world_settle(w);
    }
}

static void send_text(struct world *w, struct client *client, const char *text)
{
    send_frame(w, client, text, strlen(text));
}

/* The next frame as it stands. */
static void take_text(struct world *w, struct client *client, char *room, size_t room_bytes)
{
    struct hearth_slice frame;
    world_settle(w);
    assert_int_equal(hearth_frame_reader_fill(&client->reader, client->fd), 0);
    assert_int_equal(hearth_frame_reader_next(&client->reader, &frame), 0);
    assert_true(hearth_slice_to_string(frame, room, room_bytes));
}

static uint16_t version_of(struct world *w, bool is_json, uint16_t min, uint16_t max)
{
    struct client client = client_connect(w);
    struct hearth_message hello = {.type = HEARTH_MSG_handshake,
                                   .as.handshake = {.version_min = min, .version_max = max}};
    client.is_json = is_json;
    client_send(w, &client, &hello);
    struct hearth_message ack = client_take(w, &client); /* in the encoding of the question */
    uint16_t version = ack.type == HEARTH_MSG_handshake_ack ? ack.as.handshake_ack.version : 0;
    if (ack.type == HEARTH_MSG_error) {
        assert_int_equal(-(int)ack.as.error.code, HEARTH_E_VERSION);
        assert_true(client_is_cut(w, &client));
    } else {
        client.is_json = version == 1; /* what follows is in that version */
        client_load(w, &client, "none");
        struct hearth_message answer = client_take(w, &client);
        assert_int_equal(answer.type, HEARTH_MSG_load_response);
        assert_int_equal(-(int)answer.as.load_response.code, HEARTH_E_NO_MODEL);
    }
    client_close(w, &client);
    return version;
}

static void the_highest_common_version_is_chosen_in_either_encoding(void **state)
{
    struct world *w = *state;
    world_start(w);
    for (unsigned json = 0; json < 2; json++) {
        assert_int_equal(version_of(w, json == 1, 1, 2), 2);
        assert_int_equal(version_of(w, json == 1, 1, 9), 2);
        assert_int_equal(version_of(w, json == 1, 2, 2), 2);
        assert_int_equal(version_of(w, json == 1, 1, 1), 1);
        assert_int_equal(version_of(w, json == 1, 0, 1), 1);
        assert_int_equal(version_of(w, json == 1, 3, 4), 0);
        assert_int_equal(version_of(w, json == 1, 2, 1), 0);
    }
    assert_int_equal(version_of(w, false, 0, 0), 0);
}

/* As the predecessor's clients say it. */
static void a_json_handshake_that_names_no_version_asks_for_the_first(void **state)
{
    struct world *w = *state;
    char text[4096];
    world_start(w);
    struct client client = client_connect(w);
    send_text(w, &client, "{\"type\":\"handshake\",\"token\":\"\"}");
    take_text(w, &client, text, sizeof text);
    assert_non_null(strstr(text, "\"handshake_ack\""));
    assert_non_null(strstr(text, "\"V1\""));
    send_text(w, &client, "{\"type\":\"models_request\"}");
    take_text(w, &client, text, sizeof text);
    assert_non_null(strstr(text, "\"models_response\""));
    client_close(w, &client);
}

static void a_frame_of_the_other_version_ends_a_session(void **state)
{
    struct world *w = *state;
    world_start(w);
    for (unsigned v1 = 0; v1 < 2; v1++) {
        w->is_json = v1 == 1;
        struct client client = client_session(w);
        client.is_json = !w->is_json;
        struct hearth_message ask = {.type = HEARTH_MSG_models_request};
        client_send(w, &client, &ask);
        client.is_json = w->is_json;
        client_expect_error(w, &client, HEARTH_E_MALFORMED,
                            w->is_json ? "protocol V1" : "protocol V2");
        assert_true(client_is_cut(w, &client));
        client_close(w, &client);
    }
    assert_int_equal(hearth_metrics_value(&w->metrics, HEARTH_COUNTER_FRAMES_MALFORMED), 2);
}

static void probes_are_answered_as_they_come_before_any_handshake(void **state)
{
    static const struct {
        enum hearth_message_type ask;
        enum hearth_message_type answer;
    } probes[] = {{HEARTH_MSG_health_check, HEARTH_MSG_health_response},
                  {HEARTH_MSG_metrics_request, HEARTH_MSG_metrics_response},
                  {HEARTH_MSG_prometheus_request, HEARTH_MSG_prometheus_response}};
    struct world *w = *state;
    world_start(w);
    struct client client = client_connect(w);
    for (size_t i = 0; i < 2 * HEARTH_COUNT(probes); i++) {
        struct hearth_message ask = {.type = probes[i / 2].ask};
        client.is_json = i % 2 == 1;
        client_send(w, &client, &ask);
        assert_int_equal(client_take(w, &client).type, probes[i / 2].answer);
    }
    client_close(w, &client);
}

static void a_json_message_that_is_broken_costs_its_error_only(void **state)
{
    static const char *const broken[] = {"{",
                                         "{}",
                                         "{\"type\":\"no_such_message\"}",
                                         "{\"type\":7}",
                                         "{\"type\":\"models_response\"}",
                                         "{\"type\":\"inference_request\",\"request_id\":[]}",
                                         "{\"type\":\"models_request\"} trailing"};
    struct world *w = *state;
    w->is_json = true;
    world_start(w);
    struct client client = client_session(w);
    for (size_t i = 0; i < HEARTH_COUNT(broken); i++) {
        send_text(w, &client, broken[i]);
        client_expect_error(w, &client, HEARTH_E_MALFORMED, "");
    }
    client_load(w, &client, "none");
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_load_response);
    client_close(w, &client);
}

static void json_over_its_limit_is_refused_and_the_connection_goes_on(void **state)
{
    struct world *w = *state;
    size_t size = HEARTH_MAX_JSON_BYTES + 1;
    char *large = hearth_alloc(size, 1);
    assert_non_null(large);
    memset(large, ' ', size);
    memcpy(large, "{\"type\":\"models_request\"}", 25); /* but for its size in order */
    w->is_json = true;
    world_start(w);
    struct client client = client_session(w);
    send_frame(w, &client, large, size);
    client_expect_error(w, &client, HEARTH_E_TOO_LARGE, "over 262144 bytes");
    send_frame(w, &client, large, size - 1);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_models_response);
    client_close(w, &client);
    hearth_free(large);
}

/* Text takes longer to write than bytes: what fits into V2 may not fit into V1. */
static void an_answer_too_large_for_json_ends_its_request(void **state)
{
    enum { BYTES = 3 << 20, ENVELOPE = 1000 };
    static char bytes[BYTES - ENVELOPE];
    struct world *w = *state;
    char text[256];
    memset(bytes, 1, sizeof bytes);
    w->is_json = true;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 3, "gen", HEARTH_TASK_GENERATE, false);
    struct hearth_wire_result result = {.text = hearth_slice_of(bytes, sizeof bytes),
                                        .finish_reason = HEARTH_FINISH_STOP};
    struct hearth_message answer = {
        .type = HEARTH_MSG_inference_response,
        .as.inference_response = {.request_id = worker_hear_request(w, &worker),
                                  .finish_reason = HEARTH_FINISH_STOP,
                                  .results = {.count = 1, .items = &result}}};
    worker_say(w, &worker, &answer);
    assert_int_equal(client_end(w, &client, 3, text), HEARTH_E_TOO_LARGE);
    assert_non_null(strstr(text, "as a stream, or in V2"));
    assert_true(client_is_silent(w, &client));
    client_close(w, &client);
    worker_finish(&worker);
}

KIT_MAIN(WORLD_TEST(the_highest_common_version_is_chosen_in_either_encoding),
         WORLD_TEST(a_json_handshake_that_names_no_version_asks_for_the_first),
         WORLD_TEST(a_frame_of_the_other_version_ends_a_session),
         WORLD_TEST(probes_are_answered_as_they_come_before_any_handshake),
         WORLD_TEST(a_json_message_that_is_broken_costs_its_error_only),
         WORLD_TEST(json_over_its_limit_is_refused_and_the_connection_goes_on),
         WORLD_TEST(an_answer_too_large_for_json_ends_its_request))
