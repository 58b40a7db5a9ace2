/* shared.c — several clients at one machine: what one costs another. In the blocks of side A the
 * other one is at work, in those of side B it rests; it is a process of its own that is stopped and
 * goes on.
 *
 * A block begins when the daemon has nothing left of the blocks before it. */

#include "hearth_bench.h"

#include "hearth_os.h"
#include "hearth_wire.h"
#include "peers.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IN_FLIGHT  64u
#define FLOODED    60u        /* calls a block */
#define PACED      60u        /* calls a block … */
#define PACE_NS    50000000L  /* … 20 a second */
#define ANSWERS    2u         /* a block, each of … */
#define TOKENS     48u        /* … so many tokens */
#define WORKING_NS 200000000L /* the other one is at work before a block begins */
#define LOOK_NS    2000000L

#define CLASSIFIER "hearth-intent"
#define GENERATOR  "smollm2-135m-instruct"

enum other { FLOOD, GENERATES, CLASSIFIES };

struct frame {
    uint8_t bytes[PEERS_LARGE_BYTES];
    size_t size;
};

struct shared {
    struct peer daemon;
    pid_t other_pid;
    enum other other;
    int fd;
    int probe_fd;
    struct frame ask; /* what is measured */
    struct frame probe;
    bool is_paced;
    double tokens; /* of an answer; times are of one token */
};

static void rest(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static int make_ask(enum hearth_task task, struct frame *ret, struct hearth_error *err)
{
    bool is_generator = task == HEARTH_TASK_GENERATE;
    struct hearth_wire_text input = {.text =
                                         hearth_slice_of_string("will it rain in the afternoon?")};
    struct hearth_wire_bias no_end = {.token = 2,
                                      .bias = -100}; /* no answer ends before its time */
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = 1;
    request->task = (uint8_t)task;
    request->priority = HEARTH_NORMAL;
    request->model_id = hearth_slice_of_string(is_generator ? GENERATOR : CLASSIFIER);
    request->texts = (struct hearth_wire_list){.count = 1, .items = &input};
    if (is_generator) {
        request->max_tokens = TOKENS;
        request->temperature = 0;
        request->logit_bias = (struct hearth_wire_list){.count = 1, .items = &no_end};
    }
    return peer_make_frame(&message, ret->bytes, &ret->size, err);
}

static int call(int fd, const struct frame *ask, struct hearth_message *ret,
                struct hearth_error *err)
{
    static uint8_t answer[PEERS_FRAME_BYTES]; /* one thread, and children by fork */
    size_t size = 0;
    int rc = peer_call(fd, ask->bytes, ask->size, answer, &size, err);
    rc = rc < 0 ? rc : peer_decode(answer, size, HEARTH_MSG_inference_response, ret, err);
    if (rc == 0 && ret->as.inference_response.code != 0) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "a request was answered with error %u",
                           ret->as.inference_response.code);
    }
    return rc;
}

/* ---- the other one -------------------------------------------------------------------------- */

/* Whole frames, the length in front. */
static int read_frame(int fd, uint8_t room[PEERS_FRAME_BYTES], size_t *ret_bytes)
{
    uint32_t payload = 0; /* little-endian, as every machine that runs this */
    int rc = peer_read(fd, room, sizeof payload, NULL);
    if (rc < 0) {
        return rc;
    }
    memcpy(&payload, room, sizeof payload);
    if (payload > PEERS_FRAME_BYTES - sizeof payload) {
        return HEARTH_E_TOO_LARGE;
    }
    *ret_bytes = sizeof payload + payload;
    return peer_read(fd, room + sizeof payload, payload, NULL);
}

/* Each answer is followed by the next request, under the same number. */
static void flood(const char *socket, struct frame *ask)
{
    uint8_t answer[PEERS_FRAME_BYTES];
    int fd = -1;
    int rc = peer_connect_v2(socket, &fd, NULL);
    for (uint64_t id = 1; rc == 0 && id <= IN_FLIGHT; id++) {
        noop_set_id(ask->bytes, id);
        rc = peer_write(fd, ask->bytes, ask->size, NULL);
    }
    while (rc == 0) {
        uint64_t id = 0;
        size_t size = 0;
        rc = read_frame(fd, answer, &size);
        memcpy(&id, answer + NOOP_ID_AT, sizeof id);
        if (rc < 0 || !noop_is_answer(answer, size, id)) {
            return;
        }
        noop_set_id(ask->bytes, id);
        rc = peer_write(fd, ask->bytes, ask->size, NULL);
    }
}

static void go_on_asking(const char *socket, const struct frame *ask, bool is_paced)
{
    struct hearth_message answer;
    int fd = -1;
    int rc = peer_connect_v2(socket, &fd, NULL);
    while (rc == 0) {
        rc = call(fd, ask, &answer, NULL);
        if (is_paced) {
            rest(PACE_NS);
        }
    }
}

static int start_other(struct shared *bench, struct hearth_error *err)
{
    static struct frame ask;
    bool is_generator = bench->other == GENERATES;
    int rc = make_ask(is_generator ? HEARTH_TASK_GENERATE : HEARTH_TASK_CLASSIFY, &ask, err);
    if (rc < 0) {
        return rc;
    }
    fflush(NULL);
    bench->other_pid = fork();
    if (bench->other_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (bench->other == FLOOD) {
            flood(bench->daemon.socket, &ask);
        } else {
            go_on_asking(bench->daemon.socket, &ask, bench->other == CLASSIFIES);
        }
        _exit(1);
    }
    return bench->other_pid > 0 ? 0 : hearth_fail_errno(err, HEARTH_E_SYSTEM, "fork");
}

static int await_quiet(struct shared *bench, struct hearth_error *err)
{
    uint8_t answer[PEERS_FRAME_BYTES];
    struct hearth_message message;
    for (;;) {
        size_t size = 0;
        int rc =
            peer_call(bench->probe_fd, bench->probe.bytes, bench->probe.size, answer, &size, err);
        rc = rc < 0 ? rc : peer_decode(answer, size, HEARTH_MSG_health_response, &message, err);
        if (rc < 0 || (message.as.health_response.running == 0 &&
                       message.as.health_response.queue_depth == 0)) {
            return rc;
        }
        rest(LOOK_NS);
    }
}

/* ---- what is measured ----------------------------------------------------------------------- */

static int measure(struct shared *bench, double *ret, size_t calls, struct hearth_error *err)
{
    struct hearth_message answer;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < calls; i++) {
        if (bench->is_paced) {
            rest(PACE_NS);
        }
        uint64_t begin_ns = hearth_clock_ns();
        rc = call(bench->fd, &bench->ask, &answer, err);
        ret[i] = (double)(hearth_clock_ns() - begin_ns) / bench->tokens;
        if (rc == 0 && bench->tokens > 1 &&
            answer.as.inference_response.tokens_generated != TOKENS) {
            return hearth_fail(err, HEARTH_E_INTERNAL, "an answer had %u tokens and not %u",
                               answer.as.inference_response.tokens_generated, TOKENS);
        }
    }
    return rc;
}

static int measure_beside(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct shared *bench = arg;
    int status = 0;
    if (waitpid(bench->other_pid, &status, WNOHANG) != 0) {
        bench->other_pid = 0;
        return hearth_fail(err, HEARTH_E_INTERNAL, "the other client was answered wrong");
    }
    kill(bench->other_pid, SIGCONT);
    rest(WORKING_NS);
    return measure(bench, ret, calls, err);
}

static int measure_alone(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct shared *bench = arg;
    kill(bench->other_pid, SIGSTOP);
    int rc = await_quiet(bench, err);
    return rc < 0 ? rc : measure(bench, ret, calls, err);
}

static int check(void *state, struct hearth_error *err)
{
    struct shared *bench = state;
    double took[3];
    int rc = measure(bench, took, HEARTH_COUNT(took), err);
    rc = rc < 0 ? rc : start_other(bench, err);
    rc = rc < 0 ? rc : measure_beside(bench, took, HEARTH_COUNT(took), err);
    return rc < 0 ? rc : measure_alone(bench, took, HEARTH_COUNT(took), err);
}

static void close_shared(void *state)
{
    struct shared *bench = state;
    if (bench->other_pid > 0) {
        kill(bench->other_pid, SIGKILL);
        waitpid(bench->other_pid, NULL, 0);
    }
    hearth_fd_close(&bench->fd);
    hearth_fd_close(&bench->probe_fd);
    peer_stop(&bench->daemon);
    hearth_free(bench);
}

/* The engines of the models that a case needs. */
static int check_engines(const struct hearth_harness_places *places, bool needs_gguf,
                         struct hearth_error *err)
{
    static const char *const workers[] = {"hearth-worker-onnx", "hearth-worker-gguf"};
    for (size_t i = 0; i < (needs_gguf ? 2u : 1u); i++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/%s", places->bin, workers[i]);
        if (access(path, X_OK) != 0) {
            return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                               "%s is missing: build both engines (scripts/setup.sh)", workers[i]);
        }
    }
    return 0;
}

static int open_shared(enum hearth_task task, enum other other, bool is_paced,
                       const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                       struct hearth_error *err)
{
    struct hearth_message probe = {.type = HEARTH_MSG_health_check,
                                   .as.health_check.check_type = 2};
    struct shared *bench = hearth_alloc(1, sizeof *bench);
    bool needs_gguf = task == HEARTH_TASK_GENERATE || other == GENERATES;
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->fd = -1;
    bench->probe_fd = -1;
    bench->other = other;
    bench->is_paced = is_paced;
    bench->tokens = task == HEARTH_TASK_GENERATE ? TOKENS : 1;
    int rc = check_engines(places, needs_gguf, err);
    rc = rc < 0 ? rc
                : peer_start_hearthd(places, "models/store",
                                     needs_gguf ? CLASSIFIER ", " GENERATOR : CLASSIFIER,
                                     &bench->daemon, err);
    rc = rc < 0 ? rc : peer_connect_v2(bench->daemon.socket, &bench->fd, err);
    rc = rc < 0 ? rc : peer_connect_v2(bench->daemon.socket, &bench->probe_fd, err);
    rc = rc < 0 ? rc : make_ask(task, &bench->ask, err);
    rc = rc < 0 ? rc : peer_make_frame(&probe, bench->probe.bytes, &bench->probe.size, err);
    if (rc < 0) {
        close_shared(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "beside the other", .measure = measure_beside, .arg = bench},
                  {.name = "alone", .measure = measure_alone, .arg = bench}},
        .side_count = 2,
        .check = check,
        .close = close_shared,
        .state = bench};
    return 0;
}

static int open_flood(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                      struct hearth_error *err)
{
    return open_shared(HEARTH_TASK_CLASSIFY, FLOOD, false, places, ret, err);
}

static int open_classify(const struct hearth_harness_places *places,
                         struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_shared(HEARTH_TASK_CLASSIFY, GENERATES, true, places, ret, err);
}

static int open_generate(const struct hearth_harness_places *places,
                         struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_shared(HEARTH_TASK_GENERATE, CLASSIFIES, false, places, ret, err);
}

const struct hearth_harness_case bench_shared[] = {
    {.id = "fairness/flood",
     .help = "p95 of one client that classifies, beside another with 64 requests in flight; alone",
     .calls = FLOODED,
     .block_quantile = 0.95,
     .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 2.0, false}},
     .open = open_flood},
    {.id = "shared-machine/classify-beside-generate",
     .help = "p99 of 20 classifications a second beside a client that generates; alone",
     .calls = PACED,
     .block_quantile = 0.99,
     .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 2.0, false}},
     .open = open_classify},
    {.id = "shared-machine/generate-beside-classify",
     .help = "time of a token beside 20 classifications a second; alone (1.25: 80 % of its speed)",
     .calls = ANSWERS,
     .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 1.25, false}},
     .open = open_generate},
    {0},
};
