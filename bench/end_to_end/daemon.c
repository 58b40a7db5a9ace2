/* daemon.c — the daemon as a whole: how long a health probe takes while all cores compute, and what
 * it costs to have it there with nothing to do. */

#include "hearth_bench.h"

#include "hearth_os.h"
#include "hearth_wire.h"
#include "peers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROMPT_COPIES 166u /* about 2,000 tokens */
#define WORKING       2u   /* clients that keep the generator computing */
#define PROBES        250u /* a block */
#define PAUSE_NS      2000000L
#define IDLE_SECONDS  1u

static const char store_models[] = "hearth-intent, all-minilm-l6-v2, smollm2-135m-instruct";

static const struct model_row {
    const char *id;
    enum hearth_task task;
} models[] = {{"hearth-intent", HEARTH_TASK_CLASSIFY},
              {"all-minilm-l6-v2", HEARTH_TASK_EMBED},
              {"smollm2-135m-instruct", HEARTH_TASK_GENERATE}};

/* One request; its answer must be good. */
static int ask_model(int fd, const char *model, enum hearth_task task, const char *text,
                     uint32_t max_tokens, struct hearth_error *err)
{
    static uint8_t frame[PEERS_LARGE_BYTES]; /* one thread, and children by fork */
    uint8_t answer[PEERS_FRAME_BYTES];
    size_t size = 0;
    struct hearth_wire_text input = {.text = hearth_slice_of_string(text)};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = 1;
    request->task = (uint8_t)task;
    request->priority = HEARTH_NORMAL;
    request->max_tokens = max_tokens;
    request->model_id = hearth_slice_of_string(model);
    request->texts = (struct hearth_wire_list){.count = 1, .items = &input};
    int rc = peer_make_frame(&message, frame, &size, err);
    rc = rc < 0 ? rc : peer_call(fd, frame, size, answer, &size, err);
    rc = rc < 0 ? rc : peer_decode(answer, size, HEARTH_MSG_inference_response, &message, err);
    if (rc == 0 && message.as.inference_response.code != 0) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "%s answers with error %u", model,
                           message.as.inference_response.code);
    }
    return rc;
}

/* ---- health --------------------------------------------------------------------------------- */

struct health_bench {
    struct peer daemon;
    struct peer mirror;
    struct peer working[WORKING];
    int daemon_fd;
    int mirror_fd;
    uint8_t probe[PEERS_LARGE_BYTES];
    size_t probe_bytes;
};

static void pause_between(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

static int probe_daemon(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct health_bench *bench = arg;
    uint8_t answer[PEERS_FRAME_BYTES];
    for (size_t i = 0; i < calls; i++) {
        size_t size = 0;
        struct hearth_message message;
        uint64_t begin_ns = hearth_clock_ns();
        int rc = peer_call(bench->daemon_fd, bench->probe, bench->probe_bytes, answer, &size, err);
        ret[i] = (double)(hearth_clock_ns() - begin_ns);
        rc = rc < 0 ? rc : peer_decode(answer, size, HEARTH_MSG_health_response, &message, err);
        if (rc < 0) {
            return rc;
        }
        if (message.as.health_response.ok == 0) {
            return hearth_fail(err, HEARTH_E_INTERNAL, "the daemon says that it is not alive");
        }
        pause_between();
    }
    return 0;
}

static int probe_mirror(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct health_bench *bench = arg;
    uint8_t answer[PEERS_FRAME_BYTES];
    for (size_t i = 0; i < calls; i++) {
        uint64_t begin_ns = hearth_clock_ns();
        int rc = peer_write(bench->mirror_fd, bench->probe, bench->probe_bytes, err);
        rc = rc < 0 ? rc : peer_read(bench->mirror_fd, answer, bench->probe_bytes, err);
        ret[i] = (double)(hearth_clock_ns() - begin_ns);
        if (rc < 0) {
            return rc;
        }
        pause_between();
    }
    return 0;
}

static pid_t start_mirror(int *ret_fd)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return -1;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t bytes[PEERS_FRAME_BYTES];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        for (ssize_t n; (n = read(pair[1], bytes, sizeof bytes)) > 0;) {
            if (peer_write(pair[1], bytes, (size_t)n, NULL) < 0) {
                break;
            }
        }
        _exit(0);
    }
    close(pair[1]);
    *ret_fd = pair[0];
    return pid;
}

/* A client that keeps the generator reading long prompts, each of them new. */
static pid_t start_working(const char *socket, unsigned number)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        static char text[PROMPT_COPIES * 64];
        int fd = -1;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int rc = peer_connect_v2(socket, &fd, NULL);
        for (unsigned i = 0; rc == 0; i++) {
            size_t used = (size_t)snprintf(text, sizeof text, "%u %u ", number, i);
            for (unsigned j = 0; j < PROMPT_COPIES; j++) {
                used +=
                    (size_t)snprintf(text + used, sizeof text - used,
                                     "the quick brown fox jumps over the lazy dog and runs away ");
            }
            rc = ask_model(fd, "smollm2-135m-instruct", HEARTH_TASK_GENERATE, text, 1, NULL);
        }
        _exit(1);
    }
    return pid;
}

static int check_health(void *state, struct hearth_error *err)
{
    struct health_bench *bench = state;
    double took[2];
    int rc = probe_daemon(bench, took, 2, err);
    rc = rc < 0 ? rc : probe_mirror(bench, took, 2, err);
    for (unsigned i = 0; rc == 0 && i < WORKING; i++) {
        bench->working[i].pid = start_working(bench->daemon.socket, i);
    }
    for (unsigned i = 0; rc == 0 && i < 100; i++) {
        pause_between(); /* both are at work before anything is timed */
    }
    for (unsigned i = 0; rc == 0 && i < WORKING; i++) {
        if (waitpid(bench->working[i].pid, NULL, WNOHANG) != 0) {
            bench->working[i].pid = 0;
            return hearth_fail(err, HEARTH_E_INTERNAL, "the generator does not take long prompts");
        }
    }
    return rc;
}

static void close_health(void *state)
{
    struct health_bench *bench = state;
    for (unsigned i = 0; i < WORKING; i++) {
        peer_stop(&bench->working[i]);
    }
    hearth_fd_close(&bench->daemon_fd);
    hearth_fd_close(&bench->mirror_fd);
    peer_stop(&bench->mirror);
    peer_stop(&bench->daemon);
    hearth_free(bench);
}

static int check_engines(const struct hearth_harness_places *places, struct hearth_error *err)
{
    static const char *const workers[] = {"hearth-worker-onnx", "hearth-worker-gguf"};
    for (size_t i = 0; i < HEARTH_COUNT(workers); i++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/%s", places->bin, workers[i]);
        if (access(path, X_OK) != 0) {
            return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                               "%s is missing: build both engines (scripts/setup.sh)", workers[i]);
        }
    }
    return 0;
}

static int open_health(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                       struct hearth_error *err)
{
    struct hearth_message probe = {.type = HEARTH_MSG_health_check};
    struct health_bench *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->daemon_fd = -1;
    bench->mirror_fd = -1;
    int rc = check_engines(places, err);
    rc = rc < 0 ? rc
                : peer_start_hearthd(places, "models/store", "smollm2-135m-instruct",
                                     &bench->daemon, err);
    rc = rc < 0 ? rc : peer_connect_v2(bench->daemon.socket, &bench->daemon_fd, err);
    rc = rc < 0 ? rc : peer_make_frame(&probe, bench->probe, &bench->probe_bytes, err);
    if (rc == 0) {
        bench->mirror.pid = start_mirror(&bench->mirror_fd);
    }
    if (rc < 0) {
        close_health(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "health probe", .measure = probe_daemon, .arg = bench},
                  {.name = "raw ping-pong", .measure = probe_mirror, .arg = bench}},
        .side_count = 2,
        .check = check_health,
        .close = close_health,
        .state = bench};
    return 0;
}

/* ---- idle ----------------------------------------------------------------------------------- */

struct idle_bench {
    struct peer daemon;
    bool is_echo;
    struct noop noop;
};

static void sleep_s(unsigned seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static int measure_idle(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct idle_bench *bench = arg;
    for (size_t i = 0; i < calls; i++) {
        uint64_t before_ns = peer_tree_cpu_ns(bench->daemon.pid);
        sleep_s(IDLE_SECONDS);
        uint64_t spent_ns = peer_tree_cpu_ns(bench->daemon.pid) - before_ns;
        if (before_ns == 0) {
            return hearth_fail(err, HEARTH_E_INTERNAL, "its CPU time cannot be read");
        }
        ret[i] = 100.0 * (double)spent_ns / 1e9 / IDLE_SECONDS;
    }
    return 0;
}

/* Every model has worked, and then rests: what remains is the cost of being there. */
static int check_idle(void *state, struct hearth_error *err)
{
    struct idle_bench *bench = state;
    int fd = -1;
    int rc = peer_connect_v2(bench->daemon.socket, &fd, err);
    for (size_t i = 0; rc == 0 && i < HEARTH_COUNT(models); i++) {
        rc = bench->is_echo ? noop_check(fd, &bench->noop, err)
                            : ask_model(fd, models[i].id, models[i].task, "hello", 8, err);
    }
    hearth_fd_close(&fd);
    sleep_s(IDLE_SECONDS);
    return rc;
}

static void close_idle(void *state)
{
    struct idle_bench *bench = state;
    peer_stop(&bench->daemon);
    hearth_free(bench);
}

static int open_idle(bool is_echo, const struct hearth_harness_places *places,
                     struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct idle_bench *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->is_echo = is_echo;
    int rc = is_echo ? noop_make(&bench->noop, err) : check_engines(places, err);
    rc = rc < 0 ? rc
                : peer_start_hearthd(places, is_echo ? "fixtures/models/echo" : "models/store",
                                     is_echo ? "classifier, tiny, embedder" : store_models,
                                     &bench->daemon, err);
    if (rc < 0) {
        close_idle(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "daemon and workers", .measure = measure_idle, .arg = bench}},
        .side_count = 1,
        .check = check_idle,
        .close = close_idle,
        .state = bench};
    return 0;
}

static int open_idle_echo(const struct hearth_harness_places *places,
                          struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_idle(true, places, ret, err);
}

static int open_idle_models(const struct hearth_harness_places *places,
                            struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_idle(false, places, ret, err);
}

const struct hearth_harness_case bench_daemon[] = {
    {.id = "daemon/health/busy",
     .help = "p99 of health probes while all cores read 2,000-token prompts; beside a raw one",
     .calls = PROBES,
     .block_quantile = 0.99,
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 1e6, false}},
     .open = open_health},
    {.id = "daemon/idle/3-models",
     .help = "CPU time of all processes with three models loaded and nothing to do",
     .unit = "% of a core",
     .kind = HEARTH_HARNESS_VALUE,
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 0.1, false}},
     .open = open_idle_models},
    {.id = "daemon/idle/3-echo",
     .help = "the same with three echo models, which need no engine",
     .unit = "% of a core",
     .kind = HEARTH_HARNESS_VALUE,
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 0.1, false}},
     .open = open_idle_echo},
    {0},
};
