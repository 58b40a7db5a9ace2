/* What a connection may say, and how it ends when it says something else. */

#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct hearth_message health(enum hearth_check_type type)
{
    return (struct hearth_message){.type = HEARTH_MSG_health_check,
                                   .as.health_check.check_type = (uint8_t)type};
}

static void probes_need_no_session(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct client client = client_connect(w);
    struct hearth_message check = health(HEARTH_CHECK_FULL);
    client_send(w, &client, &check);
    struct hearth_message answer = client_take(w, &client);
    assert_int_equal(answer.type, HEARTH_MSG_health_response);
    assert_int_equal(answer.as.health_response.ok, 1);
    assert_int_equal(answer.as.health_response.connections, 1);
    assert_true(answer.as.health_response.memory_used_bytes > 100000);
    client_close(w, &client);
}

static void everything_else_needs_one(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct client client = client_connect(w);
    struct hearth_message models = {.type = HEARTH_MSG_models_request};
    client_send(w, &client, &models);
    client_expect_error(w, &client, HEARTH_E_UNAUTHENTICATED, "handshake");
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, false);
    client_expect_error(w, &client, HEARTH_E_UNAUTHENTICATED, "handshake");
    assert_true(client_is_silent(w, &client));
    client_close(w, &client);
}

static void each_session_has_its_own_random_id(void **state)
{
    struct world *w = *state;
    char ids[2][80] = {"", ""};
    world_start(w);
    for (int i = 0; i < 2; i++) {
        struct client client = client_connect(w);
        struct hearth_message hello = {.type = HEARTH_MSG_handshake,
                                       .as.handshake = {.version_min = 1, .version_max = 9}};
        client_send(w, &client, &hello);
        struct hearth_message ack = client_take(w, &client);
        assert_int_equal(ack.type, HEARTH_MSG_handshake_ack);
        assert_int_equal(ack.as.handshake_ack.version, 2);
        assert_true(hearth_slice_to_string(ack.as.handshake_ack.session_id, ids[i], sizeof ids[i]));
        assert_int_equal(strspn(ids[i], "0123456789abcdef"), 64);
        client_send(w, &client, &hello);
        client_expect_error(w, &client, HEARTH_E_INPUT_INVALID, "has a session");
        client_close(w, &client);
    }
    assert_string_not_equal(ids[0], ids[1]);
}

static void another_version_is_refused_politely(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct client client = client_connect(w);
    struct hearth_message hello = {.type = HEARTH_MSG_handshake,
                                   .as.handshake = {.version_min = 3, .version_max = 4}};
    client_send(w, &client, &hello);
    client_expect_error(w, &client, HEARTH_E_VERSION, "3 to 4");
    assert_true(client_is_cut(w, &client));
    client_close(w, &client);
}

static void malformed_frames_end_the_connection_with_a_reason(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *bytes;
        size_t size;
        int code;
    } cases[] = {
        {"\4\0\0\0junk", 8, HEARTH_E_MALFORMED},       /* no such message */
        {"\0\0\0\0", 4, HEARTH_E_MALFORMED},           /* empty frame */
        {"\4\0\0\0\x10\0\0\0", 8, HEARTH_E_MALFORMED}, /* `error` cut short, and not a client's */
        {"\1\x10\0\0", 4, HEARTH_E_TOO_LARGE},         /* 4097 bytes before the handshake */
        {"\xff\xff\xff\xff", 4, HEARTH_E_TOO_LARGE},
    };
    world_start(w);
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        struct client client = client_connect(w);
        client_send_bytes(w, &client, cases[i].bytes, cases[i].size);
        client_expect_error(w, &client, cases[i].code, "");
        assert_true(client_is_cut(w, &client));
        client_close(w, &client);
    }
    struct client next = client_session(w); /* the daemon goes on */
    client_close(w, &next);
}

static void a_field_over_its_limit_is_answered_on_its_request(void **state)
{
    struct world *w = *state;
    char *long_text = hearth_alloc(HEARTH_MAX_TEXT_BYTES + 1, 1);
    assert_non_null(long_text);
    memset(long_text, 'a', HEARTH_MAX_TEXT_BYTES + 1);
    world_start(w);
    struct client client = client_session(w);
    struct hearth_wire_text text = {.text = hearth_slice_of(long_text, HEARTH_MAX_TEXT_BYTES)};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    hearth_wire_default_request(&message.as.inference_request);
    message.as.inference_request.request_id = 4;
    message.as.inference_request.task = HEARTH_TASK_EMBED;
    message.as.inference_request.model_id = hearth_slice_of_string("emb");
    message.as.inference_request.texts = (struct hearth_wire_list){.count = 1, .items = &text};
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 1u << 20);
    assert_int_equal(hearth_wire_encode(&message, &frame), 0);
    /* The encoder refuses one byte more, so a byte that is not UTF-8 stands for all of them. */
    uint8_t *last = memrchr(frame.data, 'a', frame.size);
    *last = 0xff;
    struct hearth_frame_queue queue;
    hearth_frame_queue_init(&queue, 1u << 20);
    assert_int_equal(hearth_frame_queue_push(&queue, hearth_buf_slice(&frame)), 0);
    while (hearth_frame_queue_flush(&queue, client.fd) == HEARTH_E_NOT_READY) {
        world_settle(w);
    }
    hearth_frame_queue_finish(&queue);
    assert_int_equal(client_end(w, &client, 4, NULL), HEARTH_E_INPUT_INVALID);
    struct hearth_message check = health(HEARTH_CHECK_LIVENESS);
    client_send(w, &client, &check);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_health_response);
    client_close(w, &client);
    hearth_free(long_text);
}

static void one_connection_too_many_is_told_and_closed(void **state)
{
    struct world *w = *state;
    w->config.max_connections = 2;
    world_start(w);
    struct client a = client_session(w);
    struct client b = client_session(w);
    struct client c = client_connect(w);
    struct hearth_message check = health(HEARTH_CHECK_LIVENESS);
    client_send(w, &c, &check); /* its first words tell in which encoding it can be told */
    client_expect_error(w, &c, HEARTH_E_TOO_MANY_CONNECTIONS, "2 connections");
    assert_true(client_is_cut(w, &c));
    client_close(w, &c);
    c = client_connect(w);
    client_wait(w, &c); /* of one that says nothing, nothing is known: V2 */
    c.is_json = false;
    client_expect_error(w, &c, HEARTH_E_TOO_MANY_CONNECTIONS, "2 connections");
    assert_true(client_is_cut(w, &c));
    client_close(w, &c);
    c = client_connect(w);
    assert_int_equal(shutdown(c.fd, SHUT_WR), 0); /* it will say nothing, and may read */
    client_wait(w, &c);
    c.is_json = false;
    client_expect_error(w, &c, HEARTH_E_TOO_MANY_CONNECTIONS, "2 connections");
    assert_true(client_is_cut(w, &c));
    client_close(w, &c);
    client_close(w, &a);
    c = client_session(w);
    client_close(w, &c);
    client_close(w, &b);
}

/* Health answers pile up: first nothing more is read, so the client's own writes stop; memory of
 * the daemon stays bounded. */
static void a_client_that_does_not_read_is_not_read_from(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct client client = client_connect(w);
    static const uint8_t probe[] = {5, 0, 0, 0, 8, 0, 0, 0, 2};
    static uint8_t many[sizeof probe * 4096];
    for (size_t i = 0; i < 4096; i++) {
        memcpy(many + i * sizeof probe, probe, sizeof probe);
    }
    size_t total = 0;
    bool is_stopped = false;
    for (int i = 0; i < 4000 && !is_stopped; i++) {
        size_t sent = 0;
        int rc = hearth_socket_send(client.fd, many, sizeof many, &sent);
        is_stopped = rc == HEARTH_E_NOT_READY;
        total += sent;
        for (int k = 0; k < 300; k++) {
            assert_int_equal(hearth_loop_run_once(w->loop, 0, NULL), 0);
        }
    }
    assert_true(is_stopped);
    assert_true(total < 4000 * sizeof many);
    struct client other = client_session(w); /* nobody else suffers */
    client_close(w, &other);
    client_close(w, &client);
}

/* A request with id 4 whose text is no UTF-8: a sound frame with a wrong field. */
static void send_wrong_field(struct world *w, struct client *client)
{
    static const char text_bytes[] = "aaaa";
    struct hearth_wire_text text = {.text = hearth_slice_of_string(text_bytes)};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    hearth_wire_default_request(&message.as.inference_request);
    message.as.inference_request.request_id = 4;
    message.as.inference_request.task = HEARTH_TASK_EMBED;
    message.as.inference_request.model_id = hearth_slice_of_string("emb");
    message.as.inference_request.texts = (struct hearth_wire_list){.count = 1, .items = &text};
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 1u << 20);
    assert_int_equal(hearth_wire_encode(&message, &frame), 0);
    /* The encoder writes valid text only. */
    uint8_t *last = memrchr(frame.data, 'a', frame.size);
    *last = 0xff;
    uint8_t prefix[4] = {(uint8_t)frame.size, (uint8_t)(frame.size >> 8), 0, 0};
    client_send_bytes(w, client, prefix, sizeof prefix);
    client_send_bytes(w, client, frame.data, frame.size);
}

static void a_wrong_field_does_not_end_an_open_request_of_the_same_id(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 4, "gen", HEARTH_TASK_GENERATE, false);
    uint64_t id = worker_hear_request(w, &worker);
    send_wrong_field(w, &client);
    client_expect_error(w, &client, HEARTH_E_INPUT_INVALID, "UTF-8");
    worker_answer(w, &worker, id, 0);
    assert_int_equal(client_end(w, &client, 4, NULL), 0);
    assert_true(client_is_silent(w, &client));
    send_wrong_field(w, &client); /* now the id is free */
    assert_int_equal(client_end(w, &client, 4, NULL), HEARTH_E_INPUT_INVALID);
    client_close(w, &client);
    worker_finish(&worker);
}

/* SO_PEERCRED tells who called connect(); only root can be another user for that moment. */
static void another_user_is_refused_whatever_the_file_modes_say(void **state)
{
    struct world *w = *state;
    char folder[128];
    if (geteuid() != 0) {
        print_message("only root can become another user\n");
        skip();
    }
    world_start(w);
    snprintf(folder, sizeof folder, "%s/run", w->root);
    assert_int_equal(chmod(w->root, 0755), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(w->config.socket, 0666), 0);
    assert_int_equal(seteuid(65534), 0);
    struct client stranger = {.fd = -1};
    int rc = hearth_socket_connect(w->config.socket, HEARTH_NEVER, &stranger.fd, NULL);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(rc, 0);
    hearth_frame_reader_init(&stranger.reader, HEARTH_MAX_FRAME_BYTES);
    client_wait(w, &stranger);
    client_expect_error(w, &stranger, HEARTH_E_DENIED, "only the user who runs hearthd");
    assert_true(client_is_cut(w, &stranger));
    client_close(w, &stranger);
    struct client own = client_session(w);
    client_close(w, &own);
}

static bool has_accepted(struct world *w)
{
    return hearth_metrics_value(&w->metrics, HEARTH_COUNTER_CONNECTIONS_ACCEPTED) == 1;
}

/* client_connect() settles, which fails the test if the loop is never quiet. */
static void without_descriptors_the_loop_does_not_spin(void **state)
{
    struct world *w = *state;
    struct rlimit limit;
    world_start(w);
    struct client client = {.fd = -1};
    assert_int_equal(hearth_socket_connect(w->config.socket, HEARTH_NEVER, &client.fd, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    world_settle(w);
    assert_false(has_accepted(w));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(world_wait(w, 10000, has_accepted));
    hearth_fd_close(&client.fd);
    world_settle(w);
}

/* Sends one piece of an answer, @text_bytes long; returns the size of the client's frame. */
static size_t say_piece(struct fake_worker *worker, uint64_t id, const char *text,
                        size_t text_bytes)
{
    struct hearth_wire_result piece = {.text = hearth_slice_of(text, text_bytes), .tokens = 1};
    struct hearth_message chunk = {
        .type = HEARTH_MSG_stream_chunk,
        .as.stream_chunk = {.request_id = id, .results = {.count = 1, .items = &piece}}};
    hearth_buf_clear(&worker->buf);
    assert_int_equal(hearth_wire_encode(&chunk, &worker->buf), 0);
    struct hearth_slice bytes = hearth_buf_slice(&worker->buf);
    assert_int_equal(hearth_ring_send(worker->ring, &bytes, 1), 0);
    return HEARTH_FRAME_PREFIX_BYTES + bytes.size;
}

static size_t bytes_in_socket(const struct client *client)
{
    int size = 0;
    assert_int_equal(ioctl(client->fd, FIONREAD, &size), 0);
    return (size_t)size;
}

/* Frames that wait in the daemon until its answers are read must also be seen when it is a further
 * answer, and not the loop, that finds the client's socket to have room again. */
static void frames_that_waited_are_handled_when_an_answer_makes_room(void **state)
{
    enum { HALF = (HEARTH_MAX_FRAME_BYTES + (64u << 10)) / 2, PIECE = 60000 };
    static char text[PIECE];
    static const uint8_t probes[] = {5, 0, 0, 0, 8, 0, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 0};
    struct world *w = *state;
    memset(text, 'a', sizeof text);
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "gen", 1);
    struct client client = client_session(w);
    client_ask(w, &client, 1, "gen", HEARTH_TASK_GENERATE, true);
    uint64_t id = worker_hear_request(w, &worker);
    size_t said = 0;
    size_t frame = 0;
    while (said - bytes_in_socket(&client) < HALF - 2 * PIECE) {
        frame = say_piece(&worker, id, text, PIECE);
        said += frame;
        world_settle(w);
    }
    size_t envelope = frame - PIECE;
    while (said - bytes_in_socket(&client) < HALF - 2 * envelope) {
        size_t missing = HALF - (said - bytes_in_socket(&client)) - envelope;
        said += say_piece(&worker, id, text, HEARTH_MIN(missing, (size_t)PIECE));
        world_settle(w);
    }
    client_send_bytes(w, &client, probes,
                      sizeof probes); /* the first answer crowds, the second waits */
    (void)say_piece(&worker, id, text, 1);
    while (bytes_in_socket(&client) > 0) {
        assert_int_equal(hearth_frame_reader_fill(&client.reader, client.fd), 0);
    }
    for (unsigned answers = 0; answers < 2;) {
        answers += client_take(w, &client).type == HEARTH_MSG_health_response;
    }
    client_close(w, &client);
    worker_finish(&worker);
}

/* The worker of world.c says that it raised one wall only. */
#define INCOMPLETE "seccomp; missing: fds, rlimits, no_new_privs, netns, caps, landlock"

static void the_list_tells_state_labels_and_error(void **state)
{
    struct world *w = *state;
    world_start(w);
    struct fake_worker worker = worker_loaded(w, "cls", 3);
    struct client client = client_session(w);
    struct hearth_message ask = {.type = HEARTH_MSG_models_request};
    client_send(w, &client, &ask);
    struct hearth_message list = client_take(w, &client);
    assert_int_equal(list.type, HEARTH_MSG_models_response);
    assert_int_equal(list.as.models_response.models.count, 4);
    struct hearth_wire_model_info info;
    unsigned ready = 0;
    while (hearth_wire_next(&list.as.models_response.models, HEARTH_RECORD_model_info, &info)) {
        bool is_cls = hearth_slice_equals_string(info.name, "cls");
        assert_int_equal(info.state, is_cls ? HEARTH_MODEL_READY : HEARTH_MODEL_ABSENT);
        assert_int_equal(info.labels.count, is_cls ? 2 : 0);
        assert_int_equal(info.worker_pid, is_cls ? (uint32_t)worker.pid : 0);
        assert_int_equal(info.need_bytes > 0, is_cls);
        assert_true(hearth_slice_equals_string(info.containment, is_cls ? INCOMPLETE : ""));
        ready += is_cls;
    }
    assert_int_equal(ready, 1);
    client_close(w, &client);
    worker_finish(&worker);
}

static void the_list_tells_why_a_model_cannot_be_loaded(void **state)
{
    struct world *w = *state;
    char path[120];
    struct hearth_wire_model_info info;
    world_start(w);
    snprintf(path, sizeof path, "%s/bad.manifest.json", w->root);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"model_id\":\"bad\"}", file);
    assert_int_equal(fclose(file), 0);
    struct client client = client_session(w);
    struct hearth_message list = {.type = HEARTH_MSG_models_request};
    client_send(w, &client, &list);
    list = client_take(w, &client);
    assert_true(hearth_wire_next(&list.as.models_response.models, HEARTH_RECORD_model_info, &info));
    assert_true(hearth_slice_equals_string(info.name, "bad"));
    assert_int_equal(info.state, HEARTH_MODEL_FAILED);
    assert_int_equal(-(int)info.error_code, HEARTH_E_MODEL_INVALID);
    assert_true(info.error.size > 0);
    while (hearth_wire_next(&list.as.models_response.models, HEARTH_RECORD_model_info, &info)) {
        assert_int_equal(info.error_code, 0);
    }
    client_close(w, &client);
}

KIT_MAIN(WORLD_TEST_BOTH(probes_need_no_session), WORLD_TEST_BOTH(everything_else_needs_one),
         WORLD_TEST(each_session_has_its_own_random_id),
         WORLD_TEST_BOTH(another_version_is_refused_politely),
         WORLD_TEST(malformed_frames_end_the_connection_with_a_reason),
         WORLD_TEST(a_field_over_its_limit_is_answered_on_its_request),
         WORLD_TEST(a_wrong_field_does_not_end_an_open_request_of_the_same_id),
         WORLD_TEST(frames_that_waited_are_handled_when_an_answer_makes_room),
         WORLD_TEST(another_user_is_refused_whatever_the_file_modes_say),
         WORLD_TEST(without_descriptors_the_loop_does_not_spin),
         WORLD_TEST_BOTH(one_connection_too_many_is_told_and_closed),
         WORLD_TEST(a_client_that_does_not_read_is_not_read_from),
         WORLD_TEST_BOTH(the_list_tells_why_a_model_cannot_be_loaded),
         WORLD_TEST_BOTH(the_list_tells_state_labels_and_error))
