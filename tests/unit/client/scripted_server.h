/* scripted_server.h — a process that plays hearthd: what it answers is decided by the texts.
 *
 * classify   "even" 0.75, "odd" 0.25 for a text of even length, the other way round for an odd one
 * embed      the vector [length, index, 1]; streamed results come last input first
 * generate   the prompt backwards, one byte a piece; and for the last message of a chat; ids, if
 *            asked for, are the bytes
 * Token ids are an input as long as their count, of the letter 'i'. Streamed results come first to
 * last if that is asked for. What else there is: scripted_encoder.h and
 * scripted_generator.h.
 *
 * Texts that start with
 *   slow:   one piece, then nothing until a cancel      silent: nothing until a cancel
 *   hold:   nothing until "release", which answers all that is held, the last one first, and then
 *           itself; or until a cancel
 *   die:    one piece, then the connection ends         cut: the same, with a reason
 *   leave:  an answer, then the connection ends         junk: bytes that are no frame
 *   index:  answers an input that was not asked         none: no results
 *   fail:   engine_failed
 * Clients named "newer" are offered version 9, "crowd" are refused with too_many_connections,
 * "mute" get no answer, "short" are told of an idle limit of 400 ms; the first connection of
 * "deaf" is closed for reading. Who shows the token "secret" is told another name.
 *
 * It serves one connection after the other and ends with the test program.                       */

#ifndef HEARTH_SCRIPTED_SERVER_H
#define HEARTH_SCRIPTED_SERVER_H

#include "hearth_os.h"
#include "hearth_transport.h"
#include "hearth_wire.h"
#include "kit.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct scripted_server {
    char folder[64];
    char path[96];
    pid_t pid;
};

#define SCRIPTED_HELD_MOST 64
#define SCRIPTED_PROGRAM   "wri\033[2J\nt\302\233er \303\251" /* what a program may call itself */
#define SCRIPTED_PROMETHEUS                                                                        \
    "# TYPE hearth_requests_total counter\n"                                                       \
    "hearth_requests_total 7\n"

struct scripted_held {
    uint64_t id;
    size_t size;
};

struct scripted_peer {
    int fd;
    struct scripted_held held[SCRIPTED_HELD_MOST];
    size_t held_count;
    uint32_t number; /* of the connection, from 1 */
    struct hearth_frame_reader reader;
    struct hearth_frame_queue queue;
    int fds[HEARTH_MAX_TENSORS]; /* beside the last request */
    uint32_t fd_count;
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

static void scripted_close_fds(struct scripted_peer *peer)
{
    for (uint32_t i = 0; i < peer->fd_count; i++) {
        hearth_fd_close(&peer->fds[i]);
    }
    peer->fd_count = 0;
}

static bool scripted_receive(struct scripted_peer *peer, struct hearth_message *message)
{
    struct hearth_slice payload;
    if (hearth_frame_receive(&peer->reader, peer->fd, HEARTH_NEVER, &payload) < 0) {
        return false;
    }
    HEARTH_ASSERT(hearth_wire_decode(payload, message, NULL) == 0);
    scripted_close_fds(peer);
    if (message->type == HEARTH_MSG_inference_request) {
        uint64_t bytes[HEARTH_MAX_TENSORS];
        uint32_t count = hearth_wire_memfds(message->as.inference_request.tensors, bytes);
        HEARTH_ASSERT(hearth_frame_reader_take_fds(&peer->reader, peer->fds, count));
        peer->fd_count = count;
        for (uint32_t i = 0; i < count; i++) { /* as the daemon will */
            HEARTH_ASSERT(hearth_memfd_check_data(peer->fds[i], bytes[i], NULL) == 0);
        }
    }
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
            message.as.cancel_response =
                (struct hearth_wire_cancel_response){.request_id = id, .cancelled = 1};
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

static void scripted_generate(struct scripted_peer *peer, uint64_t id, uint16_t flags,
                              struct hearth_slice prompt)
{
    char backwards[4096];
    uint32_t ids[sizeof backwards];
    bool is_streamed = (flags & HEARTH_FLAG_STREAM) != 0;
    bool wants_ids = (flags & HEARTH_FLAG_TOKEN_IDS) != 0;
    HEARTH_ASSERT(prompt.size < sizeof backwards);
    for (size_t i = 0; i < prompt.size; i++) {
        backwards[i] = (char)prompt.data[prompt.size - 1 - i];
        ids[i] = (uint8_t)backwards[i];
    }
    struct hearth_wire_result result = {.tokens = 1};
    for (size_t i = 0; is_streamed && i < prompt.size; i++) {
        result.text = hearth_slice_of(backwards + i, 1);
        result.token_ids = (struct hearth_wire_u32s){ids + i, wants_ids ? 1 : 0};
        scripted_chunk(peer, id, &result);
    }
    result.text = hearth_slice_of(backwards, prompt.size);
    result.token_ids = (struct hearth_wire_u32s){ids, wants_ids ? (uint32_t)prompt.size : 0};
    scripted_end(peer, id, 0, NULL, &result, is_streamed ? 0 : 1);
}

#include "scripted_encoder.h"
#include "scripted_generator.h"

static void scripted_texts(struct scripted_peer *peer,
                           const struct hearth_wire_inference_request *request, uint64_t id)
{
    struct hearth_wire_result results[HEARTH_MAX_BATCH] = {0};
    struct hearth_wire_label labels[HEARTH_MAX_BATCH][2];
    float vectors[HEARTH_MAX_BATCH][3];
    struct hearth_wire_entity entities[HEARTH_MAX_BATCH][2];
    struct hearth_wire_list cursor = request->texts;
    struct hearth_wire_text text;
    uint32_t count = 0;
    for (; hearth_wire_next(&cursor, HEARTH_RECORD_text, &text); count++) {
        size_t size = text.text.size + text.tokens.count + text.pair.size;
        bool is_even = size % 2 == 0;
        labels[count][0] = (struct hearth_wire_label){
            .name = hearth_slice_of_string(is_even ? "even" : "odd"), .score = 0.75f};
        labels[count][1] = (struct hearth_wire_label){
            .name = hearth_slice_of_string(is_even ? "odd" : "even"), .score = 0.25f};
        vectors[count][0] = (float)size;
        vectors[count][1] = (float)count;
        vectors[count][2] = 1;
        results[count].index = count;
        results[count].tokens = (uint32_t)size;
        results[count].is_truncated = scripted_starts(text.text, "too long");
        if (request->task == HEARTH_TASK_CLASSIFY) {
            results[count].labels = (struct hearth_wire_list){.count = 2, .items = labels[count]};
        } else if (request->task == HEARTH_TASK_RERANK) {
            scripted_score(request, &text, &results[count]);
        } else if (request->task == HEARTH_TASK_ENTITIES) {
            scripted_entities(&text, entities[count], &results[count]);
        } else if (request->vector_type != HEARTH_VECTOR_FLOAT32) {
            scripted_pack(request, &results[count]);
        } else {
            results[count].vector = (struct hearth_wire_f32s){vectors[count], 3};
        }
    }
    bool is_streamed = (request->flags & HEARTH_FLAG_STREAM) != 0;
    bool is_in_order = (request->flags & HEARTH_FLAG_IN_ORDER) != 0;
    for (uint32_t i = 0; is_streamed && i < count; i++) {
        scripted_chunk(peer, id, &results[is_in_order ? i : count - 1 - i]);
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
    static uint8_t letters[64];
    memset(letters, 'i', sizeof letters);
    HEARTH_ASSERT(text.tokens.count <= sizeof letters);
    return text.tokens.count > 0 ? hearth_slice_of(letters, text.tokens.count) : text.text;
}

/* ── Holding ─────────────────────────────────────────────────────────────────────────────────── */

static void scripted_end_held(struct scripted_peer *peer, size_t index, int code)
{
    struct scripted_held held = peer->held[index];
    bool is_even = held.size % 2 == 0;
    const struct hearth_wire_label label = {
        .name = hearth_slice_of_string(is_even ? "even" : "odd"), .score = 0.75f};
    const struct hearth_wire_result result = {.tokens = (uint32_t)held.size,
                                              .text = hearth_slice_of_string("held"),
                                              .labels = {.count = 1, .items = &label}};
    peer->held_count--;
    memmove(peer->held + index, peer->held + index + 1,
            (peer->held_count - index) * sizeof *peer->held);
    scripted_end(peer, held.id, code, code == 0 ? NULL : "cancelled by the client", &result,
                 code == 0 ? 1 : 0);
}

static void scripted_cancel(struct scripted_peer *peer,
                            const struct hearth_wire_cancel_request *request)
{
    struct hearth_message message = {.type = HEARTH_MSG_cancel_response};
    message.as.cancel_response.request_id = request->request_id;
    message.as.cancel_response.ticket = request->ticket;
    message.as.cancel_response.cancelled = request->ticket == 41;
    scripted_send(peer, &message);
    for (size_t i = 0; i < peer->held_count; i++) {
        if (peer->held[i].id == request->request_id) {
            scripted_end_held(peer, i, HEARTH_E_CANCELLED);
            return;
        }
    }
}

static void scripted_hold(struct scripted_peer *peer, uint64_t id, size_t size)
{
    HEARTH_ASSERT(peer->held_count < SCRIPTED_HELD_MOST);
    peer->held[peer->held_count++] = (struct scripted_held){id, size};
}

static void scripted_say_why(struct scripted_peer *peer)
{
    struct hearth_message message = {.type = HEARTH_MSG_error};
    message.as.error =
        (struct hearth_wire_error){.code = (uint16_t)-HEARTH_E_EXPIRED,
                                   .message = hearth_slice_of_string("you were too slow")};
    scripted_send(peer, &message);
}

static void scripted_plainly(struct scripted_peer *peer,
                             const struct hearth_wire_inference_request *request,
                             struct hearth_slice input)
{
    if (hearth_slice_equals_string(request->model_id, "generator")) {
        scripted_generator(peer, request, input);
    } else if (request->task != HEARTH_TASK_GENERATE && request->task != HEARTH_TASK_CHAT) {
        scripted_texts(peer, request, request->request_id);
    } else {
        scripted_generate(peer, request->request_id, request->flags, input);
    }
}

/* Returns false when the connection is to end. */
static bool scripted_infer(struct scripted_peer *peer,
                           const struct hearth_wire_inference_request *request)
{
    uint64_t id = request->request_id;
    struct hearth_slice input = scripted_input(request);
    struct hearth_wire_result piece = {.tokens = 1, .text = hearth_slice_of_string("p")};
    if (scripted_starts(input, "slow") || scripted_starts(input, "die")) {
        scripted_chunk(peer, id, &piece);
        return scripted_starts(input, "slow") && scripted_until_cancel(peer, id);
    }
    if (scripted_starts(input, "cut")) {
        scripted_chunk(peer, id, &piece);
        scripted_say_why(peer);
        return false;
    }
    if (scripted_starts(input, "silent")) {
        return scripted_until_cancel(peer, id);
    }
    if (scripted_starts(input, "hold")) {
        scripted_hold(peer, id, input.size);
        return true;
    }
    while (scripted_starts(input, "release") && peer->held_count > 0) {
        scripted_end_held(peer, peer->held_count - 1, 0);
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
    } else {
        scripted_plainly(peer, request, input);
    }
    return !scripted_starts(input, "leave");
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
    models[0].containment = hearth_slice_of_string("no_new_privs,landlock:7,seccomp");
    models[1].containment = hearth_slice_of_string("landlock:7,seccomp; missing: netns");
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
    if (hearth_slice_equals_string(handshake->client, "mute")) {
        return true;
    }
    bool has_token = hearth_slice_equals_string(handshake->token, "secret");
    bool is_newer = hearth_slice_equals_string(handshake->client, "newer");
    bool is_short = hearth_slice_equals_string(handshake->client, "short");
    message.as.handshake_ack = (struct hearth_wire_handshake_ack){
        .version = is_newer ? 9 : 2,
        .server = hearth_slice_of_string(has_token ? "scripted for friends" : "scripted 1"),
        .idle_timeout_ms = is_short ? 400 : 0};
    bool is_deaf = peer->number == 1 && hearth_slice_equals_string(handshake->client, "deaf");
    if (is_deaf) {
        shutdown(peer->fd, SHUT_RD); /* before the answer: it is so when the client goes on */
    }
    scripted_send(peer, &message);
    if (is_deaf) {
        HEARTH_ASSERT(hearth_fd_wait(peer->fd, 0, SCRIPTED_WAIT_NS, NULL) == 0); /* it has left */
    }
    return !is_deaf;
}

/* ── What the daemon says of itself ──────────────────────────────────────────────────────────── */

static void scripted_metrics(struct scripted_peer *peer)
{
    static const struct hearth_wire_counter counters[] = {
        {.name = {(const uint8_t *)"requests_total", 14}, .value = 7},
        {.name = {(const uint8_t *)"bytes_received_total", 20}, .value = UINT64_MAX}};
    static const struct hearth_wire_gauge gauge = {.name = {(const uint8_t *)"queue_depth", 11},
                                                   .value = 2};
    static const struct hearth_wire_bucket buckets[] = {{.up_to = 1023, .count = 2},
                                                        {.up_to = UINT64_MAX, .count = 1}};
    static const char *const names[] = {"request_queue_us", "request_first_us", "request_total_us"};
    struct hearth_wire_histogram histograms[3];
    for (uint32_t i = 0; i < 3; i++) {
        histograms[i] = (struct hearth_wire_histogram){
            .name = hearth_slice_of_string(names[i]),
            .count = 3,
            .sum = 6000 * (i + 1),
            .min = 900 * (i + 1),
            .max = 4000 * (i + 1),
            .p50 = 1000 * (i + 1),
            .p95 = 2500 * (i + 1),
            .p99 = 4000 * (i + 1),
            .buckets = {.count = 2, .items = buckets},
        };
    }
    struct hearth_message message = {.type = HEARTH_MSG_metrics_response};
    message.as.metrics_response = (struct hearth_wire_metrics_response){
        .counters = {.count = 2, .items = counters},
        .gauges = {.count = 1, .items = &gauge},
        .histograms = {.count = 3, .items = histograms},
    };
    scripted_send(peer, &message);
}

static void scripted_requests(struct scripted_peer *peer)
{
    const struct hearth_wire_request_info requests[] = {
        {.ticket = 41,
         .model_id = hearth_slice_of_string("mirror"),
         .task = HEARTH_TASK_GENERATE,
         .priority = HEARTH_HIGH,
         .state = 1,
         .age_ms = 1500,
         .pid = 77,
         .client = hearth_slice_of_string(SCRIPTED_PROGRAM)},
        {.ticket = 42,
         .model_id = hearth_slice_of_string("parity"),
         .task = HEARTH_TASK_CLASSIFY,
         .priority = HEARTH_NORMAL,
         .position = 3,
         .age_ms = 20,
         .pid = 78,
         .expected_wait_ms = 2500},
    };
    struct hearth_message message = {.type = HEARTH_MSG_requests_response};
    message.as.requests_response = (struct hearth_wire_requests_response){
        .requests = {.count = 2, .items = requests}, .total = 5};
    scripted_send(peer, &message);
}

static void scripted_spans(struct scripted_peer *peer,
                           const struct hearth_wire_spans_request *request)
{
    struct hearth_wire_span spans[3];
    uint32_t count = request->max_count == 0 ? 3 : HEARTH_MIN(request->max_count, 3u);
    for (uint32_t i = 0; i < 3; i++) {
        spans[i] = (struct hearth_wire_span){
            .ticket = 10 + i,
            .model_id = hearth_slice_of_string("mirror"),
            .task = HEARTH_TASK_CHAT,
            .code = i == 1 ? (uint16_t)-HEARTH_E_CANCELLED : 0,
            .start_ms = 1000 * i,
            .queue_us = 1,
            .first_us = 2,
            .total_us = 3,
            .inputs = 1,
            .prompt_tokens = 4,
            .tokens_generated = 5,
        };
    }
    struct hearth_message message = {.type = HEARTH_MSG_spans_response};
    message.as.spans_response =
        (struct hearth_wire_spans_response){.spans = {.count = count, .items = spans}, .lost = 9};
    scripted_send(peer, &message);
}

static void scripted_warm_up(struct scripted_peer *peer,
                             const struct hearth_wire_warmup_request *request)
{
    bool is_known = hearth_slice_equals_string(request->model_id, "mirror");
    struct hearth_message message = {.type = HEARTH_MSG_warmup_response};
    message.as.warmup_response = (struct hearth_wire_warmup_response){
        .request_id = request->request_id,
        .model_id = request->model_id,
        .success = is_known,
        .code = is_known ? 0 : (uint16_t)-HEARTH_E_NOT_READY,
        .error = hearth_slice_of_string(is_known ? "" : "the model is not loaded"),
        .elapsed_ms = 10 * request->tokens,
    };
    scripted_send(peer, &message);
}

/* Returns false for what is none of these. */
static bool scripted_report(struct scripted_peer *peer, const struct hearth_message *message)
{
    if (message->type == HEARTH_MSG_metrics_request) {
        scripted_metrics(peer);
    } else if (message->type == HEARTH_MSG_prometheus_request) {
        struct hearth_message answer = {.type = HEARTH_MSG_prometheus_response};
        answer.as.prometheus_response.text = hearth_slice_of_string(SCRIPTED_PROMETHEUS);
        scripted_send(peer, &answer);
    } else if (message->type == HEARTH_MSG_requests_request) {
        scripted_requests(peer);
    } else if (message->type == HEARTH_MSG_spans_request) {
        scripted_spans(peer, &message->as.spans_request);
    } else if (message->type == HEARTH_MSG_warmup_request) {
        scripted_warm_up(peer, &message->as.warmup_request);
    } else if (message->type == HEARTH_MSG_model_request) {
        struct hearth_wire_model_request request = message->as.model_request;
        scripted_describe(peer, &request);
    } else if (message->type == HEARTH_MSG_cancel_request) {
        scripted_cancel(peer, &message->as.cancel_request);
    } else {
        return false;
    }
    return true;
}

static bool scripted_answer(struct scripted_peer *peer, struct hearth_message *message)
{
    if (scripted_report(peer, message)) {
        return true;
    }
    if (message->type == HEARTH_MSG_handshake) {
        return scripted_handshake(peer, &message->as.handshake);
    }
    if (message->type == HEARTH_MSG_inference_request &&
        message->as.inference_request.task == HEARTH_TASK_TENSORS) {
        scripted_tensors(peer, &message->as.inference_request);
        return true;
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
                                                 .connections = peer->number,
                                                 .uptime_secs = 5,
                                                 .version = hearth_slice_of_string("1")};
        scripted_send(peer, message);
    }
    return true;
}

HEARTH_NORETURN static void scripted_serve(struct hearth_listener *listener)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint32_t number = 1;; number++) {
        struct scripted_peer peer = {.number = number};
        HEARTH_ASSERT(hearth_fd_wait(listener->fd, HEARTH_READY_IN, HEARTH_NEVER, NULL) == 0);
        if (hearth_socket_accept(listener->fd, &peer.fd, NULL) < 0) {
            number--;
            continue;
        }
        hearth_frame_reader_init(&peer.reader, HEARTH_MAX_FRAME_BYTES);
        hearth_frame_reader_accept_fds(&peer.reader);
        hearth_frame_queue_init(&peer.queue, HEARTH_MAX_FRAME_BYTES);
        struct hearth_message message;
        while (scripted_receive(&peer, &message) && scripted_answer(&peer, &message)) {
        }
        scripted_close_fds(&peer);
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
