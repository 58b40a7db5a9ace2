/* decode.c — one stream through the daemon beside a loop in one process, and beside what the
 * machine's memory can deliver. */

#include "generation.h"

#include "hearth_os.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define PROMPT       16u
#define TOKENS       64u
#define CHECK_TOKENS 2u
#define CONTEXT      "1024"
#define NICE         "10" /* worker_nice, unless hearthd is told otherwise */
#define SETTLE_NS    300000000L
#define BUFFER_BYTES (UINT64_C(1) << 30) /* far more than caches hold */
#define MOST_THREADS 64u

struct decode {
    enum generation_model model;
    struct peer daemon;
    struct generate_server server;
    struct peer loop;
    FILE *to;
    FILE *from;
    uint64_t turns[2];
    uint32_t first[2]; /* token, of the last run of each side */
    uint64_t *buffer;  /* of bandwidth alone */
    unsigned cores;
};

static void settle(void)
{
    nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
}

/* ---- hearthd -------------------------------------------------------------------------------- */

static int decode_hearthd(struct decode *bench, uint32_t tokens, double *ret,
                          struct hearth_error *err)
{
    uint32_t ids[PROMPT];
    struct generate_ask ask = {.ids = ids, .id_count = PROMPT, .max_tokens = tokens};
    struct generate *done = NULL;
    generation_prompt(bench->turns[0]++, ids, PROMPT);
    settle();
    int rc = generate_run(&bench->server, &ask, 1, &done, err);
    if (rc < 0) {
        return rc;
    }
    const struct generate_answer *answer = generate_answer(done, 0);
    bench->first[0] = answer->ids[0];
    if (answer->count < 2) {
        rc = hearth_fail(err, HEARTH_E_INTERNAL, "%u tokens came", answer->count);
    } else {
        *ret = (double)(answer->at_ns[answer->count - 1] - answer->first_ns) / (answer->count - 1);
    }
    generate_close(done);
    return rc;
}

static int measure_hearthd(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < calls; i++) {
        rc = decode_hearthd(arg, TOKENS, &ret[i], err);
    }
    return rc;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void exec_loop(int fd, const char *program, const char *model)
{
    char threads[12];
    snprintf(threads, sizeof threads, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(fd, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    execl(program, program, model, threads, NICE, CONTEXT, (char *)NULL);
    _exit(127);
}

static int start_loop(struct decode *bench, const struct hearth_harness_places *places,
                      struct hearth_error *err)
{
    char program[4200];
    char model[4200];
    int fds[2];
    snprintf(program, sizeof program, "%s/hearth-bench-decode-loop", places->bin);
    snprintf(model, sizeof model, "%s/%s", places->models, generation_facts(bench->model)->file);
    if (access(program, X_OK) != 0) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "%.100s is missing: build it", program);
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return hearth_fail_errno(err, HEARTH_E_SYSTEM, "socketpair");
    }
    fflush(NULL);
    bench->loop.pid = fork();
    if (bench->loop.pid == 0) {
        exec_loop(fds[1], program, model);
    }
    close(fds[1]);
    bench->to = fdopen(fds[0], "we");
    bench->from = fdopen(dup(fds[0]), "re");
    return bench->loop.pid < 0 || bench->to == NULL || bench->from == NULL
               ? hearth_fail_errno(err, HEARTH_E_SYSTEM, "start %.100s", program)
               : 0;
}

static int decode_loop(struct decode *bench, uint32_t tokens, double *ret, struct hearth_error *err)
{
    char line[80];
    char *end = NULL;
    settle();
    fprintf(bench->to, "%u %u %lu\n", PROMPT, tokens, (unsigned long)bench->turns[1]++);
    if (fflush(bench->to) != 0 || fgets(line, sizeof line, bench->from) == NULL) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "the loop in one process ended");
    }
    *ret = strtod(line, &end);
    bench->first[1] = (uint32_t)strtoul(end, NULL, 10);
    return 0;
}

static int measure_loop(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < calls; i++) {
        rc = decode_loop(arg, TOKENS, &ret[i], err);
    }
    return rc;
}

/* ---- memory --------------------------------------------------------------------------------- */

struct reader {
    const uint64_t *words;
    size_t count;
    uint64_t sum;
    pthread_t thread;
};

static void *read_words(void *arg)
{
    struct reader *reader = arg;
    uint64_t sums[8] = {0};
    for (size_t i = 0; i + 8 <= reader->count; i += 8) {
        for (size_t j = 0; j < 8; j++) {
            sums[j] += reader->words[i + j];
        }
    }
    for (size_t j = 0; j < 8; j++) {
        reader->sum += sums[j];
    }
    return NULL;
}

/* Nanoseconds for a million bytes, all cores reading. */
static int read_memory(struct decode *bench, double *ret, struct hearth_error *err)
{
    struct reader readers[MOST_THREADS];
    size_t each = BUFFER_BYTES / sizeof(uint64_t) / bench->cores;
    uint64_t begin_ns = hearth_clock_ns();
    uint64_t sum = 0;
    for (unsigned i = 0; i < bench->cores; i++) {
        readers[i] = (struct reader){.words = bench->buffer + i * each, .count = each};
        if (pthread_create(&readers[i].thread, NULL, read_words, &readers[i]) != 0) {
            return hearth_fail(err, HEARTH_E_SYSTEM, "no thread can be made");
        }
    }
    for (unsigned i = 0; i < bench->cores; i++) {
        pthread_join(readers[i].thread, NULL);
        sum += readers[i].sum;
    }
    *ret = (double)(hearth_clock_ns() - begin_ns) * 1e6 / (double)BUFFER_BYTES;
    return sum == each / 8 * 8 * bench->cores
               ? 0
               : hearth_fail(err, HEARTH_E_INTERNAL, "what was read is not what was written");
}

static int measure_memory(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < calls; i++) {
        settle();
        rc = read_memory(arg, &ret[i], err);
    }
    return rc;
}

/* The daemon's decoding, a million bytes of weights. */
static int measure_weights(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct decode *bench = arg;
    int rc = measure_hearthd(arg, ret, calls, err);
    for (size_t i = 0; rc == 0 && i < calls; i++) {
        ret[i] *= 1e6 / (double)generation_facts(bench->model)->read_bytes;
    }
    return rc;
}

static int make_buffer(struct decode *bench, struct hearth_error *err)
{
    bench->buffer = malloc(BUFFER_BYTES);
    if (bench->buffer == NULL) {
        return hearth_fail_oom(err);
    }
    for (size_t i = 0; i < BUFFER_BYTES / sizeof *bench->buffer; i++) {
        bench->buffer[i] = 1;
    }
    return 0;
}

/* ---- cases ---------------------------------------------------------------------------------- */

/* Of four prompts three must go on with the same token, as chunks may be cut otherwise. */
static int check_decode(void *state, struct hearth_error *err)
{
    struct decode *bench = state;
    unsigned equal = 0;
    int rc = 0;
    double took = 0.0;
    for (unsigned i = 0; rc == 0 && i < 4; i++) {
        rc = decode_hearthd(bench, CHECK_TOKENS, &took, err);
        rc = rc < 0 ? rc : decode_loop(bench, CHECK_TOKENS, &took, err);
        equal += bench->first[0] == bench->first[1];
    }
    return rc < 0 || equal >= 3
               ? rc
               : hearth_fail(err, HEARTH_E_INTERNAL, "%u of 4 prompts go on alike", equal);
}

static int check_bandwidth(void *state, struct hearth_error *err)
{
    double took = 0.0;
    int rc = decode_hearthd(state, CHECK_TOKENS, &took, err);
    return rc < 0 ? rc : read_memory(state, &took, err);
}

static void close_decode(void *state)
{
    struct decode *bench = state;
    if (bench->to != NULL) {
        fclose(bench->to);
    }
    if (bench->from != NULL) {
        fclose(bench->from);
    }
    peer_stop(&bench->loop);
    peer_stop(&bench->daemon);
    free(bench->buffer);
    hearth_free(bench);
}

static int open_decode(enum generation_model model, bool is_bandwidth,
                       const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                       struct hearth_error *err)
{
    struct decode *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->model = model;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    bench->cores = (unsigned)HEARTH_MIN(HEARTH_MAX(cores, 1L), (long)MOST_THREADS);
    int rc = generation_start_hearthd(
        places, model, "sequences = 1\ncontext_tokens = " CONTEXT "\n", &bench->daemon, err);
    bench->server =
        (struct generate_server){GENERATE_V2, bench->daemon.socket, generation_facts(model)->name};
    if (rc == 0) {
        rc = is_bandwidth ? make_buffer(bench, err) : start_loop(bench, places, err);
    }
    if (rc < 0) {
        close_decode(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .side_count = 2,
        .check = is_bandwidth ? check_bandwidth : check_decode,
        .close = close_decode,
        .state = bench,
        .sides = {{.name = "hearthd", .measure = measure_hearthd, .arg = bench},
                  {.name = "in one process", .measure = measure_loop, .arg = bench}}};
    if (is_bandwidth) {
        ret->sides[0].measure = measure_weights;
        ret->sides[1] =
            (struct hearth_harness_side){.name = "memory", .measure = measure_memory, .arg = bench};
    }
    return 0;
}

#define OPEN(name, model, is_bandwidth)                                                            \
    static int name(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,  \
                    struct hearth_error *err)                                                      \
    {                                                                                              \
        return open_decode(model, is_bandwidth, places, ret, err);                                 \
    }
OPEN(open_smollm2, SMOLLM2, false)
OPEN(open_half, HALF_BILLION, false)
OPEN(open_phi3, PHI3, false)
OPEN(open_bandwidth, PHI3, true)
#undef OPEN

const struct hearth_harness_case bench_generation_decode[] = {
    {.id = "gguf/decode/smollm2",
     .help = "one stream, a token of the answer; beside llama.h in one process",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 0.93, false}},
     .open = open_smollm2},
    {.id = "gguf/decode/half-billion",
     .help = "the same with half a billion weights",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 0.97, false}},
     .open = open_half},
    {.id = "gguf/decode/phi3",
     .help = "the same with 3.8 billion weights; more than 10 tokens a second",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 0.97, false},
               {HEARTH_GOAL_MEDIAN_AT_MOST, 100e6, false}},
     .open = open_phi3},
    {.id = "gguf/bandwidth/phi3",
     .help = "a million bytes of weights while decoding; beside all cores reading memory",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 0.85, false}},
     .open = open_bandwidth},
    {0},
};
