/* client.c — a blocking client, and the no-op request. */

#include "peers.h"

#include "hearth_os.h"
#include "hearth_wire.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT   "hello"
#define LABELS 3u

int peer_write(int fd, const uint8_t *bytes, size_t size, struct hearth_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = send(fd, bytes + done, size - done, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return hearth_fail_errno(err, HEARTH_E_DISCONNECTED, "write");
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int peer_read(int fd, uint8_t *room, size_t size, struct hearth_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = recv(fd, room + done, size - done, 0);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return hearth_fail(err, HEARTH_E_DISCONNECTED, "the other side closed");
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int peer_connect(const char *path, int *ret_fd, struct hearth_error *err)
{
    int rc = hearth_socket_connect(path, hearth_clock_ns() + 5 * HEARTH_NS_PER_SEC, ret_fd, err);
    return rc < 0 ? rc : hearth_fd_set_nonblocking(*ret_fd, false, err);
}

int peer_make_frame(const struct hearth_message *message, uint8_t *room, size_t *ret_bytes,
                    struct hearth_error *err)
{
    struct hearth_buf buf;
    hearth_buf_init(&buf, PEERS_LARGE_BYTES - 4);
    int rc = hearth_wire_encode(message, &buf);
    if (rc < 0) {
        hearth_buf_finish(&buf);
        return hearth_fail(err, rc, "encode message %d", (int)message->type);
    }
    uint32_t size = (uint32_t)buf.size;
    memcpy(room, &size, 4); /* x86-64 and arm64 are little-endian, as the wire is */
    memcpy(room + 4, buf.data, buf.size);
    *ret_bytes = 4 + buf.size;
    hearth_buf_finish(&buf);
    return 0;
}

int peer_call(int fd, const uint8_t *frame, size_t size, uint8_t room[PEERS_FRAME_BYTES],
              size_t *ret_bytes, struct hearth_error *err)
{
    uint32_t payload = 0;
    int rc = peer_write(fd, frame, size, err);
    rc = rc < 0 ? rc : peer_read(fd, room, 4, err);
    if (rc < 0) {
        return rc;
    }
    memcpy(&payload, room, 4);
    if (payload > PEERS_FRAME_BYTES - 4) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "an answer of %u bytes", payload);
    }
    *ret_bytes = 4 + payload;
    return peer_read(fd, room + 4, payload, err);
}

int peer_decode(const uint8_t *frame, size_t size, int wanted, struct hearth_message *ret,
                struct hearth_error *err)
{
    int rc = hearth_wire_decode(hearth_slice_of(frame + 4, size - 4), ret, err);
    if (rc == 0 && (int)ret->type != wanted) {
        rc = hearth_fail(err, HEARTH_E_MALFORMED, "message %d was answered where %d was due",
                         (int)ret->type, wanted);
    }
    return rc;
}

int peer_connect_v2(const char *path, int *ret_fd, struct hearth_error *err)
{
    struct hearth_message hello = {.type = HEARTH_MSG_handshake,
                                   .as.handshake = {.version_min = HEARTH_PROTOCOL_V2,
                                                    .version_max = HEARTH_PROTOCOL_V2,
                                                    .client = hearth_slice_of_string("bench")}};
    struct hearth_message ack;
    uint8_t frame[PEERS_LARGE_BYTES];
    uint8_t answer[PEERS_FRAME_BYTES];
    size_t size = 0;
    int rc = peer_connect(path, ret_fd, err);
    rc = rc < 0 ? rc : peer_make_frame(&hello, frame, &size, err);
    rc = rc < 0 ? rc : peer_call(*ret_fd, frame, size, answer, &size, err);
    return rc < 0 ? rc : peer_decode(answer, size, HEARTH_MSG_handshake_ack, &ack, err);
}

/* ---- the no-op ------------------------------------------------------------------------------ */

int noop_make(struct noop *ret, struct hearth_error *err)
{
    struct hearth_wire_text text = {.text = hearth_slice_of_string(TEXT)};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = 1;
    request->task = HEARTH_TASK_CLASSIFY;
    request->priority = HEARTH_NORMAL;
    request->model_id = hearth_slice_of_string("classifier");
    request->texts = (struct hearth_wire_list){.count = 1, .items = &text};
    return peer_make_frame(&message, ret->request, &ret->request_bytes, err);
}

void noop_set_id(uint8_t *frame, uint64_t id)
{
    memcpy(frame + NOOP_ID_AT, &id, sizeof id);
}

bool noop_is_answer(const uint8_t *frame, size_t size, uint64_t id)
{
    uint16_t number = 0;
    uint16_t code = 0;
    uint64_t found = 0;
    if (size < NOOP_ID_AT + sizeof found + sizeof code) {
        return false;
    }
    memcpy(&number, frame + 4, sizeof number);
    memcpy(&found, frame + NOOP_ID_AT, sizeof found);
    memcpy(&code, frame + NOOP_ID_AT + sizeof found, sizeof code);
    return number == HEARTH_MSG_inference_response && code == 0 && found == id;
}

/* The echo engine's rule, written out once more: FNV-1a of the text, seeded by the label's place,
 * folded, into 0.001 … 1, and then scaled to a sum of 1. */
static void expect_scores(double ret[LABELS])
{
    double sum = 0.0;
    for (uint64_t i = 0; i < LABELS; i++) {
        uint64_t hash = UINT64_C(14695981039346656037) ^ (i * UINT64_C(0x9e3779b97f4a7c15));
        for (const char *at = TEXT; *at != '\0'; at++) {
            hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
        }
        hash ^= hash >> 29;
        ret[i] = (double)(hash % 1000 + 1) / 1000.0;
        sum += ret[i];
    }
    for (size_t i = 0; i < LABELS; i++) {
        ret[i] /= sum;
    }
}

static int check_scores(struct hearth_wire_list labels, struct hearth_error *err)
{
    static const char *const names[LABELS] = {"red", "green", "blue"};
    double wanted[LABELS];
    size_t right = 0;
    struct hearth_wire_label label;
    expect_scores(wanted);
    while (hearth_wire_next(&labels, HEARTH_RECORD_label, &label)) {
        for (size_t i = 0; i < LABELS; i++) {
            right += hearth_slice_equals_string(label.name, names[i]) &&
                     fabs((double)label.score - wanted[i]) < 1e-5;
        }
    }
    return right == LABELS
               ? 0
               : hearth_fail(err, HEARTH_E_INTERNAL,
                             "%zu of 3 labels have the score that the rule gives", right);
}

int noop_check(int fd, struct noop *noop, struct hearth_error *err)
{
    uint8_t answer[PEERS_FRAME_BYTES];
    struct hearth_message message;
    struct hearth_wire_result result;
    noop_set_id(noop->request, 77);
    int rc = peer_call(fd, noop->request, noop->request_bytes, answer, &noop->answer_bytes, err);
    rc = rc < 0 ? rc
                : peer_decode(answer, noop->answer_bytes, HEARTH_MSG_inference_response, &message,
                              err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_wire_inference_response *response = &message.as.inference_response;
    struct hearth_wire_list results = response->results;
    if (response->code != 0 || response->request_id != 77 || response->prompt_tokens != 5 ||
        results.count != 1 || !hearth_wire_next(&results, HEARTH_RECORD_result, &result)) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "the answer is not that of the request: %.100s",
                           response->error.size > 0 ? (const char *)response->error.data : "");
    }
    return check_scores(result.labels, err);
}
