/* generate.c — requests out, tokens in. */

#include "generate.h"

#include "hearth_os.h"
#include "hearth_wire.h"
#include "sse.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <yyjson.h>

#define IN_BYTES    65536u
#define REQUEST_ID  1u
#define WAIT_MS     1000
#define PATIENCE_NS (120 * HEARTH_NS_PER_SEC) /* without any byte from the server */

struct stream {
    int fd;
    struct generate_ask ask;
    struct generate_answer answer;
    uint8_t *request;
    size_t request_bytes;
    uint64_t now_ns; /* when the bytes that are looked at came */
    size_t in_size;
    uint8_t in[IN_BYTES];
    struct sse sse;
};

struct generate {
    enum generate_kind kind;
    size_t count;
    struct stream *streams;
};

/* ---- requests ------------------------------------------------------------------------------- */

static int make_v2(struct stream *stream, const char *model, struct hearth_error *err)
{
    const struct generate_ask *ask = &stream->ask;
    struct hearth_wire_text text = {.tokens = {ask->ids, ask->id_count}};
    struct hearth_wire_chat_message turn = {.role = 1};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = REQUEST_ID;
    request->task = ask->chat != NULL ? HEARTH_TASK_CHAT : HEARTH_TASK_GENERATE;
    request->flags = HEARTH_FLAG_STREAM | HEARTH_FLAG_TOKEN_IDS;
    request->model_id = hearth_slice_of_string(model);
    request->max_tokens = ask->max_tokens;
    request->temperature = 0.0f;
    request->repetition_penalty = 1.0f;
    if (ask->chat != NULL) {
        turn.content = hearth_slice_of_string(ask->chat);
        request->messages = (struct hearth_wire_list){.count = 1, .items = &turn};
    } else {
        request->texts = (struct hearth_wire_list){.count = 1, .items = &text};
    }
    if (ask->schema != NULL) {
        request->grammar_type = 1;
        request->grammar = hearth_slice_of_string(ask->schema);
    }
    stream->request = hearth_alloc(1, PEERS_LARGE_BYTES);
    return stream->request == NULL
               ? hearth_fail_oom(err)
               : peer_make_frame(&message, stream->request, &stream->request_bytes, err);
}

/* Greedy at the least cost that the server offers: one sampler, which keeps one candidate. */
static char *body_of(const struct generate_ask *ask, size_t *ret_bytes)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_val *prompt = yyjson_mut_obj_add_arr(doc, root, "prompt");
    for (uint32_t i = 0; i < ask->id_count; i++) {
        yyjson_mut_arr_add_uint(doc, prompt, ask->ids[i]);
    }
    yyjson_mut_obj_add_uint(doc, root, "n_predict", ask->max_tokens);
    yyjson_mut_obj_add_bool(doc, root, "stream", true);
    yyjson_mut_obj_add_bool(doc, root, "return_tokens", true);
    yyjson_mut_val *samplers = yyjson_mut_obj_add_arr(doc, root, "samplers");
    yyjson_mut_arr_add_str(doc, samplers, "top_k");
    yyjson_mut_obj_add_uint(doc, root, "top_k", 1);
    char *json = yyjson_mut_write(doc, 0, ret_bytes);
    yyjson_mut_doc_free(doc);
    return json;
}

static int make_http(struct stream *stream, struct hearth_error *err)
{
    static const char head[] = "POST /completion HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
                               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n";
    size_t json_bytes = 0;
    char *json = body_of(&stream->ask, &json_bytes);
    stream->request = hearth_alloc(1, sizeof head + 32 + json_bytes);
    if (json == NULL || stream->request == NULL) {
        free(json);
        return hearth_fail_oom(err);
    }
    stream->request_bytes =
        (size_t)snprintf((char *)stream->request, sizeof head + 32, head, json_bytes);
    memcpy(stream->request + stream->request_bytes, json, json_bytes);
    stream->request_bytes += json_bytes;
    free(json);
    return 0;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void note_tokens(struct stream *stream, const uint32_t *ids, uint32_t count)
{
    struct generate_answer *answer = &stream->answer;
    if (count > 0 && answer->count == 0) {
        answer->first_ns = stream->now_ns;
    }
    for (uint32_t i = 0; i < count && answer->count < GENERATE_MAX_TOKENS; i++) {
        answer->at_ns[answer->count] = stream->now_ns;
        answer->ids[answer->count++] = ids[i];
    }
}

/* One event of llama-server. */
static int take_event(void *arg, const char *data, size_t size, struct hearth_error *err)
{
    struct stream *stream = arg;
    uint32_t ids[256];
    uint32_t count = 0;
    size_t index;
    size_t max;
    yyjson_val *id;
    if (stream->sse.status != 200) {
        return hearth_fail(err, stream->sse.status == 503 ? HEARTH_E_NOT_READY : HEARTH_E_INTERNAL,
                           "llama-server says %d: %.80s", stream->sse.status, data);
    }
    yyjson_doc *doc = yyjson_read(data, size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool is_end = yyjson_get_bool(yyjson_obj_get(root, "stop"));
    yyjson_val *tokens = yyjson_obj_get(root, "tokens");
    bool is_good = yyjson_is_arr(tokens) && yyjson_arr_size(tokens) <= HEARTH_COUNT(ids);
    yyjson_arr_foreach(is_good ? tokens : NULL, index, max, id)
    {
        ids[count++] = (uint32_t)yyjson_get_uint(id);
    }
    yyjson_doc_free(doc);
    if (!is_good) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "llama-server sent no tokens: %.80s", data);
    }
    note_tokens(stream, ids, is_end ? 0 : count);
    stream->answer.end_ns = is_end ? stream->now_ns : 0;
    return 0;
}

static void take_results(struct stream *stream, struct hearth_wire_list results)
{
    struct hearth_wire_result result;
    uint32_t ids[GENERATE_MAX_TOKENS];
    while (hearth_wire_next(&results, HEARTH_RECORD_result, &result)) {
        uint32_t count = HEARTH_MIN(result.token_ids.count, GENERATE_MAX_TOKENS);
        hearth_wire_copy_u32s(result.token_ids, ids, count);
        note_tokens(stream, ids, count);
    }
}

static int take_message(struct stream *stream, struct hearth_slice frame, struct hearth_error *err)
{
    struct hearth_message message;
    int rc = hearth_wire_decode(frame, &message, err);
    if (rc < 0) {
        return rc;
    }
    if (message.type == HEARTH_MSG_stream_chunk) {
        take_results(stream, message.as.stream_chunk.results);
        return 0;
    }
    if (message.type == HEARTH_MSG_cancel_response) {
        return 0;
    }
    if (message.type != HEARTH_MSG_inference_response) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "hearthd answers with message %d",
                           (int)message.type);
    }
    const struct hearth_wire_inference_response *response = &message.as.inference_response;
    stream->answer.end_ns = stream->now_ns;
    stream->answer.was_cancelled = response->code == (uint16_t)-HEARTH_E_CANCELLED;
    if (response->code != 0 && !stream->answer.was_cancelled) {
        return hearth_fail(err, -(int)response->code, "hearthd says: %.*s",
                           (int)HEARTH_MIN(response->error.size, (size_t)100),
                           (const char *)response->error.data);
    }
    return 0;
}

static int take_frames(struct stream *stream, struct hearth_error *err)
{
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && stream->in_size - at >= 4) {
        uint32_t payload = 0;
        memcpy(&payload, stream->in + at, 4);
        if (payload > IN_BYTES - 4) {
            return hearth_fail(err, HEARTH_E_TOO_LARGE, "hearthd sends %u bytes at once", payload);
        }
        if (stream->in_size - at - 4 < payload) {
            break;
        }
        rc = take_message(stream, hearth_slice_of(stream->in + at + 4, payload), err);
        at += 4 + payload;
    }
    stream->in_size -= at;
    memmove(stream->in, stream->in + at, stream->in_size);
    return rc;
}

static int take(struct generate *generate, struct stream *stream, struct hearth_error *err)
{
    ssize_t n =
        recv(stream->fd, stream->in + stream->in_size, IN_BYTES - stream->in_size, MSG_DONTWAIT);
    stream->now_ns = hearth_clock_ns();
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (n <= 0) {
        return hearth_fail(err, HEARTH_E_DISCONNECTED, "the server closed a stream before its end");
    }
    stream->in_size += (size_t)n;
    if (generate->kind == GENERATE_V2) {
        return take_frames(stream, err);
    }
    stream->in_size = 0;
    return sse_take(&stream->sse, stream->in, (size_t)n, take_event, stream, err);
}

/* ---- life ----------------------------------------------------------------------------------- */

int generate_open(const struct generate_server *server, const struct generate_ask *asks,
                  size_t count, struct generate **ret, struct hearth_error *err)
{
    HEARTH_ASSERT(count > 0 && count <= GENERATE_MAX_ASKS);
    struct generate *generate = hearth_alloc(1, sizeof *generate);
    struct stream *streams = hearth_alloc(count, sizeof *streams);
    if (generate == NULL || streams == NULL) {
        hearth_free(generate);
        hearth_free(streams);
        return hearth_fail_oom(err);
    }
    int rc = 0;
    *generate = (struct generate){server->kind, 0, streams};
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct stream *stream = &streams[generate->count++];
        HEARTH_ASSERT(asks[i].max_tokens <= GENERATE_MAX_TOKENS);
        stream->ask = asks[i];
        stream->fd = -1;
        if (server->kind == GENERATE_V2) {
            rc = make_v2(stream, server->model, err);
            rc = rc < 0 ? rc : peer_connect_v2(server->socket, &stream->fd, err);
        } else {
            rc = make_http(stream, err);
            rc = rc < 0 ? rc : peer_connect(server->socket, &stream->fd, err);
        }
    }
    if (rc < 0) {
        generate_close(generate);
        return rc;
    }
    *ret = generate;
    return 0;
}

void generate_close(struct generate *generate)
{
    if (generate == NULL) {
        return;
    }
    for (size_t i = 0; i < generate->count; i++) {
        hearth_fd_close(&generate->streams[i].fd);
        hearth_free(generate->streams[i].request);
    }
    hearth_free(generate->streams);
    hearth_free(generate);
}

static bool is_due(const struct generate *generate, const struct stream *stream)
{
    bool is_due = stream->answer.begin_ns == 0;
    for (size_t i = 0; is_due && stream->ask.after_tokens > 0 && i < generate->count; i++) {
        const struct stream *other = &generate->streams[i];
        is_due = other->ask.after_tokens > 0 || other->answer.end_ns != 0 ||
                 other->answer.count >= stream->ask.after_tokens;
    }
    return is_due;
}

static int send_due(struct generate *generate, struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < generate->count; i++) {
        struct stream *stream = &generate->streams[i];
        if (is_due(generate, stream)) {
            stream->answer.begin_ns = hearth_clock_ns();
            rc = peer_write(stream->fd, stream->request, stream->request_bytes, err);
        }
    }
    return rc;
}

int generate_step(struct generate *generate, int timeout_ms, struct hearth_error *err)
{
    struct pollfd polls[GENERATE_MAX_ASKS];
    int rc = send_due(generate, err);
    for (size_t i = 0; i < generate->count; i++) {
        bool is_open = generate->streams[i].answer.end_ns == 0;
        polls[i] = (struct pollfd){.fd = is_open ? generate->streams[i].fd : -1, .events = POLLIN};
    }
    if (rc < 0 || poll(polls, (nfds_t)generate->count, timeout_ms) <= 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < generate->count; i++) {
        if (polls[i].revents != 0) {
            rc = take(generate, &generate->streams[i], err);
        }
    }
    return rc;
}

int generate_cancel(struct generate *generate, size_t which, struct hearth_error *err)
{
    struct stream *stream = &generate->streams[which];
    if (generate->kind == GENERATE_HTTP) {
        hearth_fd_close(&stream->fd);
        stream->answer.end_ns = hearth_clock_ns();
        stream->answer.was_cancelled = true;
        return 0;
    }
    struct hearth_message message = {.type = HEARTH_MSG_cancel_request,
                                     .as.cancel_request = {.request_id = REQUEST_ID}};
    uint8_t frame[PEERS_LARGE_BYTES];
    size_t size = 0;
    int rc = peer_make_frame(&message, frame, &size, err);
    return rc < 0 ? rc : peer_write(stream->fd, frame, size, err);
}

bool generate_is_done(const struct generate *generate)
{
    bool is_done = true;
    for (size_t i = 0; i < generate->count; i++) {
        is_done = is_done && generate->streams[i].answer.end_ns != 0;
    }
    return is_done;
}

const struct generate_answer *generate_answer(const struct generate *generate, size_t which)
{
    return &generate->streams[which].answer;
}

static uint64_t latest_ns(const struct generate *generate)
{
    uint64_t latest = 0;
    for (size_t i = 0; i < generate->count; i++) {
        const struct stream *stream = &generate->streams[i];
        latest = HEARTH_MAX(latest, HEARTH_MAX(stream->now_ns, stream->answer.begin_ns));
    }
    return latest;
}

int generate_run(const struct generate_server *server, const struct generate_ask *asks,
                 size_t count, struct generate **ret, struct hearth_error *err)
{
    struct generate *generate = NULL;
    int rc = generate_open(server, asks, count, &generate, err);
    while (rc == 0 && !generate_is_done(generate)) {
        rc = generate_step(generate, WAIT_MS, err);
        if (rc == 0 && hearth_clock_ns() > latest_ns(generate) + PATIENCE_NS &&
            latest_ns(generate) != 0) {
            rc = hearth_fail(err, HEARTH_E_EXPIRED, "no token for two minutes");
        }
    }
    if (rc < 0) {
        generate_close(generate);
        return rc;
    }
    *ret = generate;
    return 0;
}
