/* onnx_latency.c — one client that asks and waits: MiniLM beside the same library in this process,
 * back to back and once every 50 ms, and two classifiers alone. */

#include "hearth_bench.h"

#include "embed.h"
#include "hearth_os.h"
#include "hearth_wire.h"
#include "inproc.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOKENS        40u        /* of the text that is asked for: the mean of the list */
#define SETTLE_NS     150000000L /* threads of the library spin for 0.1 s after their last run */
#define PACE_NS       50000000L
#define WARM_CALLS    3u
#define BACK_TO_BACK  100u /* calls a block */
#define PACED         12u
#define CLASSIFYING   200u
#define WARM_REQUESTS 50u

static void rest(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

/* ---- one text of MiniLM --------------------------------------------------------------------- */

struct single {
    struct bench_texts *texts;
    struct embed_requests requests;
    struct peer daemon;
    int fd;
    struct inproc *inproc;
    size_t which;
    bool is_paced;
    float *vectors[2];
};

typedef int ask_fn(struct single *bench, struct hearth_error *err);

static int ask_daemon(struct single *bench, struct hearth_error *err)
{
    return embed_ask(bench->fd, &bench->requests, bench->which, err);
}

static int ask_inproc(struct single *bench, struct hearth_error *err)
{
    return inproc_run_one(bench->inproc, bench->which, bench->vectors[1], err);
}

static int measure(struct single *bench, ask_fn *ask, double *ret, size_t calls,
                   struct hearth_error *err)
{
    int rc = 0;
    rest(SETTLE_NS);
    for (size_t i = 0; rc == 0 && !bench->is_paced && i < WARM_CALLS; i++) {
        rc = ask(bench, err);
    }
    for (size_t i = 0; rc == 0 && i < calls; i++) {
        if (bench->is_paced) {
            rest(PACE_NS);
        }
        uint64_t begin_ns = hearth_clock_ns();
        rc = ask(bench, err);
        ret[i] = (double)(hearth_clock_ns() - begin_ns);
    }
    return rc;
}

static int measure_daemon(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    return measure(arg, ask_daemon, ret, calls, err);
}

static int measure_inproc(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    return measure(arg, ask_inproc, ret, calls, err);
}

static int check_single(void *state, struct hearth_error *err)
{
    struct single *bench = state;
    int rc = embed_ask_all(bench->fd, &bench->requests, bench->vectors[0], err);
    for (size_t i = 0; rc == 0 && i < bench->texts->count; i++) {
        rc = inproc_run_one(bench->inproc, i, bench->vectors[1], err);
    }
    return rc < 0 ? rc
                  : embed_compare("hearthd", bench->vectors[0], bench->vectors[1],
                                  bench->texts->count, err);
}

static void close_single(void *state)
{
    struct single *bench = state;
    hearth_fd_close(&bench->fd);
    peer_stop(&bench->daemon);
    inproc_close(bench->inproc);
    embed_free(&bench->requests);
    texts_free(bench->texts);
    hearth_free(bench->vectors[0]);
    hearth_free(bench->vectors[1]);
    hearth_free(bench);
}

/* The text whose length is nearest to the mean. */
static size_t find_usual(const struct bench_texts *texts)
{
    size_t best = 0;
    for (size_t i = 0; i < texts->count; i++) {
        int here = abs((int)texts->items[i].id_count - (int)TOKENS);
        if (here < abs((int)texts->items[best].id_count - (int)TOKENS)) {
            best = i;
        }
    }
    return best;
}

static int prepare(struct single *bench, const struct hearth_harness_places *places,
                   struct hearth_error *err)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/models/store/all-minilm-l6-v2", places->models);
    int rc = texts_read(places->models, &bench->texts, err);
    if (rc < 0) {
        return rc;
    }
    bench->which = find_usual(bench->texts);
    for (size_t i = 0; i < 2; i++) {
        bench->vectors[i] = hearth_alloc(bench->texts->count * EMBED_WIDTH, sizeof(float));
        if (bench->vectors[i] == NULL) {
            return hearth_fail_oom(err);
        }
    }
    rc = embed_make(bench->texts, EMBED_V2_TEXTS, 1, &bench->requests, err);
    rc = rc < 0 ? rc : inproc_open(folder, bench->texts, INPROC_ONE, &bench->inproc, err);
    rc = rc < 0
             ? rc
             : peer_start_hearthd(places, "models/store", "all-minilm-l6-v2", &bench->daemon, err);
    return rc < 0 ? rc : peer_connect_v2(bench->daemon.socket, &bench->fd, err);
}

static int open_single(bool is_paced, const struct hearth_harness_places *places,
                       struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct single *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->fd = -1;
    bench->is_paced = is_paced;
    int rc = prepare(bench, places, err);
    if (rc < 0) {
        close_single(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "hearthd", .measure = measure_daemon, .arg = bench},
                  {.name = "in one process", .measure = measure_inproc, .arg = bench}},
        .side_count = 2,
        .check = check_single,
        .close = close_single,
        .state = bench};
    return 0;
}

static int open_back_to_back(const struct hearth_harness_places *places,
                             struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_single(false, places, ret, err);
}

static int open_paced(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                      struct hearth_error *err)
{
    return open_single(true, places, ret, err);
}

/* ---- classifiers ---------------------------------------------------------------------------- */

static const char *const sentences[] = {
    "wake me at seven tomorrow",      "will it rain in the afternoon?",
    "put milk and bread on the list", "how do I get to the station from here?",
    "tell Anna that I am late",       "what is 17 percent of 240?"};
#define SENTENCES HEARTH_COUNT(sentences)

struct classifier {
    struct peer daemon;
    int fd;
    size_t next;
    struct {
        uint8_t bytes[PEERS_FRAME_BYTES];
        size_t size;
    } requests[SENTENCES];
};

static int make_request(const char *model, const char *text, uint8_t *room, size_t *ret_bytes,
                        struct hearth_error *err)
{
    struct hearth_wire_text input = {.text = hearth_slice_of_string(text)};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = 1;
    request->task = HEARTH_TASK_CLASSIFY;
    request->priority = HEARTH_NORMAL;
    request->model_id = hearth_slice_of_string(model);
    request->texts = (struct hearth_wire_list){.count = 1, .items = &input};
    return peer_make_frame(&message, room, ret_bytes, err);
}

static int measure_classifier(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct classifier *bench = arg;
    uint8_t answer[PEERS_FRAME_BYTES];
    for (size_t i = 0; i < calls; i++) {
        size_t which = bench->next++ % SENTENCES;
        size_t size = 0;
        uint64_t begin_ns = hearth_clock_ns();
        int rc = peer_call(bench->fd, bench->requests[which].bytes, bench->requests[which].size,
                           answer, &size, err);
        ret[i] = (double)(hearth_clock_ns() - begin_ns);
        if (rc < 0) {
            return rc;
        }
        if (!noop_is_answer(answer, size, 1)) {
            return hearth_fail(err, HEARTH_E_INTERNAL, "a sentence was not classified");
        }
    }
    return 0;
}

static int check_classifier(void *state, struct hearth_error *err)
{
    double took[WARM_REQUESTS];
    return measure_classifier(state, took, WARM_REQUESTS, err);
}

static void close_classifier(void *state)
{
    struct classifier *bench = state;
    hearth_fd_close(&bench->fd);
    peer_stop(&bench->daemon);
    hearth_free(bench);
}

static int open_classifier(const char *folder, const char *model,
                           const struct hearth_harness_places *places,
                           struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct classifier *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->fd = -1;
    int rc = peer_start_hearthd(places, folder, model, &bench->daemon, err);
    rc = rc < 0 ? rc : peer_connect_v2(bench->daemon.socket, &bench->fd, err);
    for (size_t i = 0; rc == 0 && i < SENTENCES; i++) {
        uint8_t room[PEERS_LARGE_BYTES];
        rc = make_request(model, sentences[i], room, &bench->requests[i].size, err);
        HEARTH_ASSERT(bench->requests[i].size <= PEERS_FRAME_BYTES);
        memcpy(bench->requests[i].bytes, room, bench->requests[i].size);
    }
    if (rc < 0) {
        close_classifier(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = model, .measure = measure_classifier, .arg = bench}},
        .side_count = 1,
        .check = check_classifier,
        .close = close_classifier,
        .state = bench};
    return 0;
}

static int open_intent(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                       struct hearth_error *err)
{
    return open_classifier("models/store", "hearth-intent", places, ret, err);
}

static int open_tiny(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                     struct hearth_error *err)
{
    return open_classifier("fixtures/models/onnx", "tinybert-classifier", places, ret, err);
}

const struct hearth_harness_case bench_onnx_latency[] = {
    {.id = "onnx/latency/back-to-back",
     .help = "one text of 40 tokens, one client; beside the same library in one process (p50)",
     .calls = BACK_TO_BACK,
     .goals = {{HEARTH_GOAL_DIFFERENCE_AT_MOST, 250e3, false}},
     .open = open_back_to_back},
    {.id = "onnx/latency/every-50-ms",
     .help = "the same, asked once every 50 ms",
     .calls = PACED,
     .goals = {{HEARTH_GOAL_DIFFERENCE_AT_MOST, 250e3, false}},
     .open = open_paced},
    {.id = "onnx/latency/intent",
     .help = "p95 of hearth-intent, one client, back to back",
     .calls = CLASSIFYING,
     .block_quantile = 0.95,
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 5e6, false}},
     .open = open_intent},
    {.id = "onnx/latency/tiny",
     .help = "p95 of the tiny classifier of the fixtures, one client, back to back",
     .calls = CLASSIFYING,
     .block_quantile = 0.95,
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 0.5e6, false}},
     .open = open_tiny},
    {0},
};
