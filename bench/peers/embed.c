/* embed.c — embedding requests and their answers, in two protocols. */

#include "embed.h"

#include "hearth_os.h"
#include "hearth_wire.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <yyjson.h>

#define LEAST_COSINE 0.999
#define MODEL        "all-minilm-l6-v2"

/* ---- requests ------------------------------------------------------------------------------- */

static int make_v2(const struct bench_text *texts, size_t count, bool as_ids,
                   struct embed_request *ret, struct hearth_error *err)
{
    static struct hearth_wire_text inputs[TEXTS_MAX]; /* one thread makes requests */
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    for (size_t i = 0; i < count; i++) {
        inputs[i] = as_ids
                        ? (struct hearth_wire_text){.tokens = {texts[i].ids, texts[i].id_count}}
                        : (struct hearth_wire_text){.text = hearth_slice_of_string(texts[i].text)};
    }
    request->request_id = 1;
    request->task = HEARTH_TASK_EMBED;
    request->priority = HEARTH_NORMAL;
    request->model_id = hearth_slice_of_string(MODEL);
    request->texts = (struct hearth_wire_list){.count = (uint32_t)count, .items = inputs};
    ret->bytes = hearth_alloc(1, PEERS_LARGE_BYTES);
    return ret->bytes == NULL ? hearth_fail_oom(err)
                              : peer_make_frame(&message, ret->bytes, &ret->size, err);
}

static char *texts_as_json(const struct bench_text *texts, size_t count, size_t *ret_bytes)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(doc, root, "texts");
    for (size_t i = 0; i < count; i++) {
        yyjson_mut_arr_add_str(doc, array, texts[i].text);
    }
    char *json = yyjson_mut_write(doc, 0, ret_bytes);
    yyjson_mut_doc_free(doc);
    return json;
}

static int make_http(const struct bench_text *texts, size_t count, struct embed_request *ret,
                     struct hearth_error *err)
{
    static const char head[] = "POST /embed HTTP/1.1\r\nHost: bench\r\n"
                               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n";
    size_t json_bytes = 0;
    char *json = texts_as_json(texts, count, &json_bytes);
    ret->bytes = hearth_alloc(1, sizeof head + 32 + json_bytes);
    if (json == NULL || ret->bytes == NULL) {
        free(json);
        return hearth_fail_oom(err);
    }
    ret->size = (size_t)snprintf((char *)ret->bytes, sizeof head + 32, head, json_bytes);
    memcpy(ret->bytes + ret->size, json, json_bytes);
    ret->size += json_bytes;
    free(json);
    return 0;
}

int embed_make(const struct bench_texts *texts, enum embed_kind kind, size_t per_request,
               struct embed_requests *ret, struct hearth_error *err)
{
    int rc = 0;
    HEARTH_ASSERT(texts->count % per_request == 0);
    *ret = (struct embed_requests){.kind = kind, .per_request = per_request};
    for (size_t i = 0; rc == 0 && i < texts->count; i += per_request) {
        struct embed_request *request = &ret->items[ret->count++];
        rc = kind == EMBED_HTTP
                 ? make_http(&texts->items[i], per_request, request, err)
                 : make_v2(&texts->items[i], per_request, kind == EMBED_V2_IDS, request, err);
        ret->largest_bytes = HEARTH_MAX(ret->largest_bytes, request->size);
    }
    return rc;
}

void embed_free(struct embed_requests *requests)
{
    for (size_t i = 0; i < requests->count; i++) {
        hearth_free(requests->items[i].bytes);
    }
    requests->count = 0;
}

/* ---- answers -------------------------------------------------------------------------------- */

/* Where the body of an HTTP answer begins and how long it is; 0 if it is not whole yet, -1 if it is
 * not good. */
static long take_http(const uint8_t *bytes, size_t size, size_t *ret_at)
{
    const char *end = memmem(bytes, size, "\r\n\r\n", 4);
    static const char ok[] = "HTTP/1.1 200";
    if (end == NULL) {
        return size < 4096 ? 0 : -1;
    }
    const char *text = (const char *)bytes;
    *ret_at = (size_t)(end - text) + 4;
    if (memcmp(text, ok, sizeof ok - 1) != 0) {
        return -1;
    }
    for (const char *at = text; at != NULL && at < end;
         at = memmem(at, (size_t)(end - at), "\n", 1)) {
        at += *at == '\n';
        if (strncasecmp(at, "content-length:", 15) == 0) {
            size_t body = strtoul(at + 15, NULL, 10);
            return size >= *ret_at + body ? (long)body : 0;
        }
    }
    return -1;
}

static long take_frame(const uint8_t *bytes, size_t size)
{
    uint32_t payload = 0;
    if (size < 4) {
        return 0;
    }
    memcpy(&payload, bytes, 4);
    if (payload > LOAD_ANSWER_BYTES - 4) {
        return -1;
    }
    return size >= 4 + payload ? (long)(4 + payload) : 0;
}

static long take_embed(const void *arg, const uint8_t *bytes, size_t size, uint64_t *ret_id)
{
    const struct embed_requests *requests = arg;
    size_t wanted = requests->per_request * EMBED_WIDTH * sizeof(float);
    if (requests->kind == EMBED_HTTP) {
        size_t at = 0;
        long body = take_http(bytes, size, &at);
        return body <= 0 ? body : (size_t)body == wanted ? (long)at + body : -1;
    }
    long whole = take_frame(bytes, size);
    if (whole <= 0) {
        return whole;
    }
    memcpy(ret_id, bytes + NOOP_ID_AT, sizeof *ret_id);
    return (size_t)whole > wanted && noop_is_answer(bytes, (size_t)whole, *ret_id) ? whole : -1;
}

static size_t make_embed(const void *arg, uint64_t id, uint64_t number, uint8_t *room)
{
    const struct embed_requests *requests = arg;
    const struct embed_request *request = &requests->items[number % requests->count];
    memcpy(room, request->bytes, request->size);
    if (requests->kind != EMBED_HTTP) {
        noop_set_id(room, id);
    }
    return request->size;
}

struct load_protocol embed_protocol(const struct embed_requests *requests)
{
    return (struct load_protocol){make_embed, take_embed, requests, requests->largest_bytes};
}

/* ---- one connection ------------------------------------------------------------------------- */

/* Sends one request and reads the whole answer into @room (LOAD_ANSWER_BYTES). */
static int call(int fd, const struct embed_requests *requests, size_t which, uint8_t *room,
                size_t *ret_bytes, struct hearth_error *err)
{
    const struct embed_request *request = &requests->items[which];
    uint64_t id = 0;
    size_t size = 0;
    int rc = peer_write(fd, request->bytes, request->size, err);
    while (rc == 0) {
        long whole = take_embed(requests, room, size, &id);
        if (whole > 0) {
            *ret_bytes = (size_t)whole;
            return 0;
        }
        ssize_t n = whole < 0 ? -1 : recv(fd, room + size, LOAD_ANSWER_BYTES - size, 0);
        if (n <= 0) {
            return hearth_fail(err, HEARTH_E_INTERNAL, "a request to embed was not answered: %.80s",
                               requests->kind == EMBED_HTTP ? (const char *)room : "see the log");
        }
        size += (size_t)n;
    }
    return rc;
}

static int take_vectors(const struct embed_requests *requests, const uint8_t *answer, size_t size,
                        float *vectors, struct hearth_error *err)
{
    struct hearth_message message;
    struct hearth_wire_result result;
    size_t at = 0;
    if (requests->kind == EMBED_HTTP) {
        long body = take_http(answer, size, &at);
        memcpy(vectors, answer + at, (size_t)body);
        return 0;
    }
    int rc = peer_decode(answer, size, HEARTH_MSG_inference_response, &message, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_wire_list results = message.as.inference_response.results;
    size_t found = 0;
    while (hearth_wire_next(&results, HEARTH_RECORD_result, &result)) {
        if (result.vector.count == EMBED_WIDTH && result.index < requests->per_request) {
            hearth_wire_copy_floats(result.vector, vectors + result.index * EMBED_WIDTH,
                                    EMBED_WIDTH);
            found++;
        }
    }
    return found == requests->per_request
               ? 0
               : hearth_fail(err, HEARTH_E_INTERNAL, "%zu vectors for %zu texts", found,
                             requests->per_request);
}

int embed_ask_all(int fd, const struct embed_requests *requests, float *vectors,
                  struct hearth_error *err)
{
    uint8_t *room = hearth_alloc(1, LOAD_ANSWER_BYTES);
    int rc = room == NULL ? hearth_fail_oom(err) : 0;
    for (size_t i = 0; rc == 0 && i < requests->count; i++) {
        size_t size = 0;
        rc = call(fd, requests, i, room, &size, err);
        rc = rc < 0 ? rc
                    : take_vectors(requests, room, size,
                                   vectors + i * requests->per_request * EMBED_WIDTH, err);
    }
    hearth_free(room);
    return rc;
}

int embed_ask(int fd, const struct embed_requests *requests, size_t which, struct hearth_error *err)
{
    static uint8_t room[LOAD_ANSWER_BYTES]; /* one thread asks */
    size_t size = 0;
    return call(fd, requests, which, room, &size, err);
}

/* ---- comparing ------------------------------------------------------------------------------ */

double embed_least_cosine(const float *a, const float *b, size_t count)
{
    double least = 1.0;
    for (size_t i = 0; i < count; i++, a += EMBED_WIDTH, b += EMBED_WIDTH) {
        double ab = 0.0;
        double aa = 0.0;
        double bb = 0.0;
        for (size_t j = 0; j < EMBED_WIDTH; j++) {
            ab += (double)a[j] * (double)b[j];
            aa += (double)a[j] * (double)a[j];
            bb += (double)b[j] * (double)b[j];
        }
        double cosine = ab / sqrt(aa * bb);
        least = isfinite(cosine) ? HEARTH_MIN(least, cosine) : -1.0;
    }
    return least;
}

int embed_compare(const char *who, const float *found, const float *wanted, size_t count,
                  struct hearth_error *err)
{
    double least = embed_least_cosine(found, wanted, count);
    return least >= LEAST_COSINE
               ? 0
               : hearth_fail(err, HEARTH_E_INTERNAL,
                             "%s answers otherwise than ONNX Runtime in this process: least "
                             "cosine %.6f",
                             who, least);
}
