/* scripted_server.h — a process that plays hearthd: what it answers is decided by the texts.
 *
 * classify   "even" 0.75, "odd" 0.25 for a text of even length, the other way round for an odd one
 * embed      the vector [length, index, 1]; streamed results come last input first
 * generate   the prompt backwards, one byte a piece; and for the last message of a chat
 * texts that start with  slow: one piece, then nothing until a cancel    silent: nothing
 *                        die: one piece, then the connection ends        junk: bytes that are no
 * frame index: answers an input that was not asked      none: no results fail: engine_failed late:
 * EXPIRED by the daemon client names: "newer" is offered version 9, "crowd" refused with
 * too_many_connections.
 *
 * It serves one connection after the other and ends with the test program.                       */

#ifndef HEARTH_SCRIPTED_SERVER_H
#define HEARTH_SCRIPTED_SERVER_H

#include "hearth_os.h"
#include "hearth_transport.h"
#include "hearth_wire.h"
#include "kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct scripted_server {
    char folder[64];
    char path[96];
    pid_t pid;
};

struct scripted_peer {
    int fd;
    struct hearth_frame_reader reader;
    struct hearth_frame_queue queue;
};

#define SCRIPTED_WAIT_NS hearth_clock_deadline_ns(hearth_clock_ns(), 20000)

/* A broken script must not look like a lost daemon: it aborts, and the test says so at its end. */
static void scripted_send(struct scripted_peer *peer, const struct hearth_message *message)
{
    struct hearth_buf payload;
    hearth_buf_init(&payload, HEARTH_MAX_FRAME_BYTES);
    HEARTH_ASSERT(hearth_wire_encode(message, &payload) == 0);
    HEARTH_ASSERT(hearth_frame_queue_push(&peer->queue, hearth_buf_slice(&payload)) == 0);
    hearth_buf_finish(&payload);
    int rc = hearth_frame_send_all(&peer->queue, peer->fd, SCRIPTED_WAIT_NS);
    HEARTH_ASSERT(rc == 0 || rc == HEARTH_E_DISCONNECTED);
}

static bool scripted_receive(struct scripted_peer *peer, struct hearth_message *message)
{
    struct hearth_slice payload;
    if (hearth_frame_receive(&peer->reader, peer->fd, HEARTH_NEVER, &payload) < 0) {
        return false;
    }
    HEARTH_ASSERT(hearth_wire_decode(payload, message, NULL) == 0);
    return true;
}

static void scripted_end(struct scripted_peer *peer, uint64_t id, int code, const char *text,
                         const struct hearth_wire_result *results, uint32_t count)
{
    struct hearth_message message = {.type = HEARTH_MSG_inference_response};
    message.as.inference_response = (struct hearth_wire_inference_response){
        .request_id = id,
        .code = (uint16_t)-code,
        .error = hearth_slice_of_string(text),
        .finish_reason = code == 0 ? HEARTH_FINISH_STOP : HEARTH_FINISH_FAILED,
        .prompt_tokens = 11,
        .tokens_generated = 5,
        .total_us = 1000,
        .results = {.count = count, .items = results},
    };
    scripted_send(peer, &message);
}

static void scripted_chunk(struct scripted_peer *peer, uint64_t id,
                           const struct hearth_wire_result *result)
{
    struct hearth_message message = {.type = HEARTH_MSG_stream_chunk};
    message.as.stream_chunk.request_id = id;
    message.as.stream_chunk.results = (struct hearth_wire_list){.count = 1, .items = result};
    scripted_send(peer, &message);
}

/* Waits for the cancel of @id and ends the request; false if the client went away. */
static bool scripted_until_cancel(struct scripted_peer *peer, uint64_t id)
{
    struct hearth_message message;
    while (scripted_receive(peer, &message)) {
        if (message.type == HEARTH_MSG_cancel_request &&
            message.as.cancel_request.request_id == id) {
            message.type = HEARTH_MSG_cancel_response;
            message.as.cancel_response = (struct hearth_wire_cancel_response){
                .request_id = id, .cancelled = 1};
            scripted_send(peer, &message);
            scripted_end(peer, id, HEARTH_E_CANCELLED, "cancelled by the client", NULL, 0);
            return true;
        }
    }
    return false;
}

static bool scripted_starts(struct hearth_slice text, const char *word)
{
    return text.size >= strlen(word) && memcmp(text.data, word, strlen(word)) == 0;
}

static void scripted_generate(struct scripted_peer *peer, uint64_t id, bool is_streamed,
                              struct hearth_slice prompt)
{
    char backwards[4096];
    HEARTH_ASSERT(prompt.size < sizeof backwards);
    for (size_t i = 0; i < prompt.size; i++) {
        backwards[i] = (char)prompt.data[prompt.size - 1 - i];
    }
    struct hearth_wire_result result = {.tokens = 1};
    for (size_t i = 0; is_streamed && i < prompt.size; i++) {
        result.text = hearth_slice_of(backwards + i, 1);
        scripted_chunk(peer, id, &result);
    }
    result.text = hearth_slice_of(backwards, prompt.size);
    scripted_end(peer, id, 0, NULL, &result, is_streamed ? 0 : 1);
}

static void scripted_texts(struct scripted_peer *peer,
                           const struct hearth_wire_inference_request *request, uint64_t id)
{
    struct hearth_wire_result results[HEARTH_MAX_BATCH] = {0};
    struct hearth_wire_label labels[HEARTH_MAX_BATCH][2];
    float vectors[HEARTH_MAX_BATCH][3];
    struct hearth_wire_list cursor = request->texts;
    struct hearth_wire_text text;
    uint32_t count = 0;
    for (; hearth_wire_next(&cursor, HEARTH_RECORD_text, &text); count++) {
        bool is_even = text.text.size % 2 == 0;
        labels[count][0] = (struct hearth_wire_label){
            .name = hearth_slice_of_string(is_even ? "even" : "odd"), .score = 0.75f};
        labels[count][1] = (struct hearth_wire_label){
            .name = hearth_slice_of_string(is_even ? "odd" : "even"), .score = 0.25f};
        vectors[count][0] = (float)text.text.size;
        vectors[count][1] = (float)count;
        vectors[count][2] = 1;
        results[count].index = count;
        results[count].tokens = (uint32_t)text.text.size;
        if (request->task == HEARTH_TASK_CLASSIFY) {
            results[count].labels = (struct hearth_wire_list){.count = 2, .items = labels[count]};
        } else {
            results[count].vector = (struct hearth_wire_f32s){vectors[count], 3};
        }
    }
    bool is_streamed = (request->flags & HEARTH_FLAG_STREAM) != 0;
    for (uint32_t i = count; is_streamed && i > 0; i--) {
        scripted_chunk(peer, id, &results[i - 1]);
    }
    scripted_end(peer, id, 0, NULL, results, is_streamed ? 0 : count);
}

static struct hearth_slice scripted_input(const struct hearth_wire_inference_request *request)
{
    struct hearth_wire_list texts = request->texts;
    struct hearth_wire_list messages = request->messages;
    struct hearth_wire_text text = {0};
    struct hearth_wire_chat_message message = {0};
    while (hearth_wire_next(&messages, HEARTH_RECORD_chat_message, &message)) {
        text.text = message.content;
    }
    if (messages.bytes.size == 0 && request->messages.count > 0) {
        return text.text;
    }
    hearth_wire_next(&texts, HEARTH_RECORD_text, &text);
    return text.text;
}

/* Returns false when the connection is to end. */
static bool scripted_infer(struct scripted_peer *peer,
                           const struct hearth_wire_inference_request *request)
{
    uint64_t id = request->request_id;
    bool is_streamed = (request->flags & HEARTH_FLAG_STREAM) != 0;
    struct hearth_slice input = scripted_input(request);
    struct hearth_wire_result piece = {.tokens = 1, .text = hearth_slice_of_string("p")};
    if (scripted_starts(input, "slow") || scripted_starts(input, "die")) {
        scripted_chunk(peer, id, &piece);
        return scripted_starts(input, "slow") && scripted_until_cancel(peer, id);
    }
    if (scripted_starts(input, "silent")) {
        return scripted_until_cancel(peer, id);
    }
    if (scripted_starts(input, "junk")) {
        size_t sent;
        HEARTH_ASSERT(hearth_socket_send(peer->fd, "\4\0\0\0junk", 8, &sent) == 0);
    } else if (scripted_starts(input, "index")) {
        piece.index = 7;
        scripted_end(peer, id, 0, NULL, &piece, 1);
    } else if (scripted_starts(input, "none")) {
        scripted_end(peer, id, 0, NULL, NULL, 0);
    } else if (scripted_starts(input, "fail")) {
        scripted_end(peer, id, HEARTH_E_ENGINE_FAILED, "the engine gave up", NULL, 0);
    } else if (request->task == HEARTH_TASK_CLASSIFY || request->task == HEARTH_TASK_EMBED) {
        scripted_texts(peer, request, id);
    } else {
        scripted_generate(peer, id, is_streamed, input);
    }
    return true;
}

static void scripted_models(struct scripted_peer *peer)
{
    static const struct hearth_wire_name labels[] = {{.name = {(const uint8_t *)"even", 4}},
                                                     {.name = {(const uint8_t *)"odd", 3}}};
    struct hearth_wire_model_info models[4] = {0};
    static const char *const names[] = {"parity", "lengths", "mirror", "shelf"};
    for (uint8_t i = 0; i < 4; i++) {
        models[i].name = hearth_slice_of_string(names[i]);
        models[i].task = HEARTH_MIN(i, (uint8_t)HEARTH_TASK_GENERATE);
        models[i].state = i == 3 ? HEARTH_MODEL_ABSENT : HEARTH_MODEL_READY;
        models[i].worker_pid = i == 3 ? 0 : 1000u + i;
    }
    models[0].labels = (struct hearth_wire_list){.count = 2, .items = labels};
    struct hearth_message message = {.type = HEARTH_MSG_models_response};
    message.as.models_response.models = (struct hearth_wire_list){.count = 4, .items = models};
    scripted_send(peer, &message);
}

static void scripted_load(struct scripted_peer *peer,
                          const struct hearth_wire_load_request *request)
{
    struct hearth_message message = {.type = HEARTH_MSG_load_response};
    bool is_known = hearth_slice_equals_string(request->model_id, "shelf");
    message.as.load_response = (struct hearth_wire_load_response){
        .request_id = request->request_id,
        .code = is_known ? 0 : (uint16_t)-HEARTH_E_NO_MODEL,
        .error = hearth_slice_of_string(is_known ? "" : "no model of that name in the roots"),
        .worker_pid = is_known ? 1003 : 0,
    };
    scripted_send(peer, &message);
}

static bool scripted_handshake(struct scripted_peer *peer,
                               const struct hearth_wire_handshake *handshake)
{
    struct hearth_message message = {.type = HEARTH_MSG_handshake_ack};
    if (hearth_slice_equals_string(handshake->client, "crowd")) {
        message.type = HEARTH_MSG_error;
        message.as.error = (struct hearth_wire_error){
            .code = (uint16_t)-HEARTH_E_TOO_MANY_CONNECTIONS,
            .message = hearth_slice_of_string("64 connections are open")};
        scripted_send(peer, &message);
        return false;
    }
    bool is_newer = hearth_slice_equals_string(handshake->client, "newer");
    message.as.handshake_ack = (struct hearth_wire_handshake_ack){
        .version = is_newer ? 9 : 2, .server = hearth_slice_of_string("scripted 1")};
    scripted_send(peer, &message);
    return true;
}

static bool scripted_answer(struct scripted_peer *peer, struct hearth_message *message)
{
    if (message->type == HEARTH_MSG_handshake) {
        return scripted_handshake(peer, &message->as.handshake);
    }
    if (message->type == HEARTH_MSG_inference_request) {
        return scripted_infer(peer, &message->as.inference_request);
    }
    if (message->type == HEARTH_MSG_models_request) {
        scripted_models(peer);
    } else if (message->type == HEARTH_MSG_load_request) {
        struct hearth_wire_load_request request = message->as.load_request;
        scripted_load(peer, &request);
    } else if (message->type == HEARTH_MSG_unload_request) {
        uint64_t id = message->as.unload_request.request_id;
        *message = (struct hearth_message){.type = HEARTH_MSG_unload_response};
        message->as.unload_response.request_id = id;
        scripted_send(peer, message);
    } else if (message->type == HEARTH_MSG_health_check) {
        uint8_t check = message->as.health_check.check_type;
        *message = (struct hearth_message){.type = HEARTH_MSG_health_response};
        message->as.health_response =
            (struct hearth_wire_health_response){.check_type = check,
                                                 .ok = check != HEARTH_CHECK_READINESS,
                                                 .pid = 99,
                                                 .uptime_secs = 5,
                                                 .version = hearth_slice_of_string("1")};
        scripted_send(peer, message);
    }
    return true;
}

HEARTH_NORETURN static void scripted_serve(struct hearth_listener *listener)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        struct scripted_peer peer;
        HEARTH_ASSERT(hearth_fd_wait(listener->fd, HEARTH_READY_IN, HEARTH_NEVER, NULL) == 0);
        if (hearth_socket_accept(listener->fd, &peer.fd, NULL) < 0) {
            continue;
        }
        hearth_frame_reader_init(&peer.reader, HEARTH_MAX_FRAME_BYTES);
        hearth_frame_queue_init(&peer.queue, HEARTH_MAX_FRAME_BYTES);
        struct hearth_message message;
        while (scripted_receive(&peer, &message) && scripted_answer(&peer, &message)) {
        }
        hearth_frame_reader_finish(&peer.reader);
        hearth_frame_queue_finish(&peer.queue);
        hearth_fd_close(&peer.fd);
    }
}

static int scripted_start(void **state)
{
    static struct scripted_server server;
    struct hearth_listener listener;
    struct hearth_error err;
    snprintf(server.folder, sizeof server.folder, "/tmp/hearth-scripted-XXXXXX");
    if (mkdtemp(server.folder) == NULL) {
        return -1;
    }
    snprintf(server.path, sizeof server.path, "%s/sock", server.folder);
    if (hearth_listener_open(server.path, &listener, &err) < 0) {
        print_error("%s\n", err.text);
        return -1;
    }
    server.pid = fork();
    if (server.pid == 0) {
        scripted_serve(&listener);
    }
    close(listener.fd); /* not hearth_listener_close(): the file is the server's now */
    *state = &server;
    return 0;
}

static int scripted_stop(void **state)
{
    struct scripted_server *server = *state;
    char lock[112];
    snprintf(lock, sizeof lock, "%s.lock", server->path);
    int status = 0;
    pid_t ended = waitpid(server->pid, &status, WNOHANG); /* a script that aborted has ended */
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    unlink(server->path);
    unlink(lock);
    rmdir(server->folder);
    return ended == 0 ? 0 : -1;
}

#endif
