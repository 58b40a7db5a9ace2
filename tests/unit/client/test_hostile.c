#include "hearth_os.h"
#include "hearth_transport.h"
#include "hearth_wire.h"
#include "kit.h"

#include <hearth/hearth.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A daemon that says anything at all, at any time: sound messages that make no sense, and bytes
 * that are none. Each request that was taken ends exactly once all the same. */

#define REQUESTS 8

struct scene {
    struct kit_random *random;
    struct hearth_listener listener;
    int fd; /* the daemon's end */
    hearth_client *client;
    uint64_t ids[REQUESTS];
    size_t ended[REQUESTS];
    size_t submitted;
    uint8_t bytes[256]; /* what texts and numbers are made of */
};

static char folder[64];

static void count_end(uint64_t request, hearth_result *result, const hearth_error *err, void *arg)
{
    size_t *ended = arg;
    (void)request;
    assert_int_equal(result != NULL, err->code == 0);
    for (size_t i = 0; result != NULL && i < hearth_result_count(result); i++) {
        const hearth_item *item = hearth_result_item(result, i);
        assert_true(item->text == NULL || strlen(item->text) <= item->text_bytes);
    }
    hearth_result_free(result);
    (*ended)++;
}

static int see_item(const hearth_item *item, void *arg)
{
    (void)arg;
    return item->token_id_count > 3; /* some cancel */
}

/* ── What the daemon says ────────────────────────────────────────────────────────────────────── */

static struct hearth_slice any_text(struct scene *scene)
{
    return hearth_slice_of("abcdefghijklmnopqrst", kit_random_below(scene->random, 20));
}

static uint64_t any_id(struct scene *scene)
{
    return kit_random_below(scene->random, REQUESTS + 3);
}

static struct hearth_wire_list any_results(struct scene *scene, struct hearth_wire_result *results,
                                           struct hearth_wire_label *labels)
{
    uint32_t count = (uint32_t)kit_random_below(scene->random, 4);
    for (uint32_t i = 0; i < count; i++) {
        labels[i] = (struct hearth_wire_label){.name = any_text(scene), .score = 0.5f};
        results[i] = (struct hearth_wire_result){
            .index = (uint32_t)kit_random_below(scene->random, 4),
            .tokens = 1,
            .text = any_text(scene),
            .labels = {.count = (uint32_t)kit_random_below(scene->random, 2), .items = &labels[i]},
            .vector = {scene->bytes, (uint32_t)kit_random_below(scene->random, 9)},
            .token_ids = {scene->bytes, (uint32_t)kit_random_below(scene->random, 9)},
        };
    }
    return (struct hearth_wire_list){.count = count, .items = results};
}

static void any_message(struct scene *scene, struct hearth_message *message,
                        struct hearth_wire_result *results, struct hearth_wire_label *labels)
{
    static const enum hearth_message_type types[] = {
        HEARTH_MSG_stream_chunk,    HEARTH_MSG_stream_chunk,  HEARTH_MSG_inference_response,
        HEARTH_MSG_cancel_response, HEARTH_MSG_handshake_ack, HEARTH_MSG_error,
        HEARTH_MSG_models_response, HEARTH_MSG_load_response};
    *message = (struct hearth_message){
        .type = types[kit_random_below(scene->random, HEARTH_COUNT(types))]};
    uint16_t code = (uint16_t)(kit_random_below(scene->random, 2) * any_id(scene));
    if (message->type == HEARTH_MSG_stream_chunk) {
        message->as.stream_chunk = (struct hearth_wire_stream_chunk){
            .request_id = any_id(scene), .results = any_results(scene, results, labels)};
    } else if (message->type == HEARTH_MSG_inference_response) {
        message->as.inference_response =
            (struct hearth_wire_inference_response){.request_id = any_id(scene),
                                                    .code = code,
                                                    .error = any_text(scene),
                                                    .results = any_results(scene, results, labels)};
    } else if (message->type == HEARTH_MSG_error) {
        message->as.error = (struct hearth_wire_error){
            .code = code, .request_id = any_id(scene), .message = any_text(scene)};
    } else if (message->type == HEARTH_MSG_handshake_ack) {
        message->as.handshake_ack.version = 2;
    }
}

static void say(struct scene *scene, const void *bytes, size_t size)
{
    size_t sent = 0;
    int rc = hearth_socket_send(scene->fd, bytes, size, &sent);
    assert_true(rc == 0 || rc == HEARTH_E_DISCONNECTED);
}

static void say_message(struct scene *scene, const struct hearth_message *message)
{
    struct hearth_buf frame;
    hearth_buf_init(&frame, HEARTH_MAX_FRAME_BYTES);
    const uint8_t no_length[HEARTH_FRAME_PREFIX_BYTES] = {0};
    assert_int_equal(hearth_buf_append(&frame, no_length, sizeof no_length), 0);
    assert_int_equal(hearth_wire_encode(message, &frame), 0);
    frame.data[0] = (uint8_t)(frame.size - HEARTH_FRAME_PREFIX_BYTES);
    frame.data[1] = (uint8_t)((frame.size - HEARTH_FRAME_PREFIX_BYTES) >> 8);
    if (kit_random_below(scene->random, 40) == 0) { /* one byte is another */
        frame.data[kit_random_below(scene->random, frame.size)] ^= 0x55;
    }
    say(scene, frame.data, frame.size);
    hearth_buf_finish(&frame);
}

static void say_something(struct scene *scene)
{
    struct hearth_message message;
    struct hearth_wire_result results[4];
    struct hearth_wire_label labels[4];
    any_message(scene, &message, results, labels);
    say_message(scene, &message);
}

/* ── The play ────────────────────────────────────────────────────────────────────────────────── */

static void submit_some(struct scene *scene)
{
    while (scene->submitted < REQUESTS && kit_random_below(scene->random, 3) > 0) {
        size_t i = scene->submitted;
        const hearth_input inputs[] = {{.text = "ab"}, {.text = "cd"}, {.text = "ef"}};
        enum hearth_task task = (enum hearth_task)kit_random_below(scene->random, 3);
        size_t count = task == HEARTH_TASK_GENERATE ? 1 : 1 + kit_random_below(scene->random, 3);
        hearth_request_params params = hearth_request_params_default();
        params.model = "any";
        params.on_item = kit_random_below(scene->random, 2) ? see_item : NULL;
        params.on_done = count_end;
        params.arg = &scene->ended[i];
        if (hearth_submit(scene->client, task, inputs, count, &params, &scene->ids[i], NULL) < 0) {
            return; /* the connection was lost */
        }
        scene->submitted++;
    }
}

static void open_scene(struct scene *scene, const char *path)
{
    hearth_connect_params params = hearth_connect_params_default();
    hearth_error err = {0};
    params.socket_path = path;
    assert_int_equal(hearth_listener_open(path, &scene->listener, &err), 0);
    assert_int_equal(hearth_connect_start(&params, &scene->client, &err), 0);
    assert_int_equal(hearth_socket_accept(scene->listener.fd, &scene->fd, &err), 0);
    const struct hearth_message ack = {.type = HEARTH_MSG_handshake_ack,
                                       .as.handshake_ack.version = 2};
    if (kit_random_below(scene->random, 8) > 0) {
        say_message(scene, &ack);
    }
}

static void any_daemon_leaves_each_request_ended_once(struct kit_random *random, void *context)
{
    char path[96];
    struct scene scene = {.random = random, .fd = -1};
    (void)context;
    for (size_t i = 0; i < sizeof scene.bytes; i++) {
        scene.bytes[i] = (uint8_t)kit_random_below(random, 256);
    }
    snprintf(path, sizeof path, "%s/sock", folder);
    open_scene(&scene, path);
    for (size_t i = kit_random_below(random, 30); i > 0; i--) {
        submit_some(&scene);
        say_something(&scene);
        if (kit_random_below(random, 2) == 0) {
            hearth_dispatch(scene.client, NULL);
        }
        if (kit_random_below(random, 6) == 0 && scene.submitted > 0) {
            hearth_cancel_request(scene.client,
                                  scene.ids[kit_random_below(random, scene.submitted)], NULL);
        }
    }
    hearth_fd_close(&scene.fd);
    hearth_listener_close(&scene.listener); /* with whatever connection has not been accepted */
    hearth_dispatch(scene.client, NULL);
    hearth_dispatch(scene.client, NULL); /* the first may have ended with the last answer */
    assert_int_equal(hearth_client_open_requests(scene.client), 0);
    assert_int_equal(hearth_client_fd(scene.client), -1);
    for (size_t i = 0; i < scene.submitted; i++) {
        assert_int_equal(scene.ended[i], 1);
    }
    hearth_disconnect(scene.client);
}

static void whatever_a_daemon_says_each_request_ends_once(void **state)
{
    (void)state;
    kit_property(2000, any_daemon_leaves_each_request_ended_once, NULL);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/hearth-hostile-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    char lock[96];
    (void)state;
    snprintf(lock, sizeof lock, "%s/sock.lock", folder);
    unlink(lock);
    return rmdir(folder);
}

KIT_MAIN(cmocka_unit_test_setup_teardown(whatever_a_daemon_says_each_request_ends_once, make_folder,
                                         remove_folder))
