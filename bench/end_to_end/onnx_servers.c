/* onnx_servers.c — the committed list of texts through the daemon and through servers that embed
 * with libraries of a package registry: same weights, same texts, same client, Unix sockets all. */

#include "hearth_bench.h"

#include "embed.h"
#include "hearth_os.h"

#include <time.h>

#define CLIENTS   8u
#define PROCESSES 4u
#define SETTLE_NS 150000000L /* threads of the library spin for 0.1 s after their last run */

enum server { FASTEMBED, FASTEMBED_PROCESSES, TRANSFORMERS_JS };

struct contender {
    const char *name;
    struct peer peer;
    struct embed_requests requests;
    struct load *load;
    float *vectors;
    const struct bench_texts *texts;
};

struct servers {
    struct bench_texts *texts;
    struct contender sides[2];
};

static int measure(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct contender *side = arg;
    for (size_t i = 0; i < calls; i++) {
        nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
        uint64_t begin_ns = hearth_clock_ns();
        int rc = load_run(side->load, side->requests.count, 1, err);
        if (rc < 0) {
            return rc;
        }
        ret[i] = (double)(hearth_clock_ns() - begin_ns) / (double)side->texts->count;
    }
    return 0;
}

static int connect_to(const struct contender *side, int *ret_fd, struct hearth_error *err)
{
    return side->requests.kind == EMBED_HTTP ? peer_connect(side->peer.socket, ret_fd, err)
                                             : peer_connect_v2(side->peer.socket, ret_fd, err);
}

/* Both answer all texts, alike, before the load is connected: a server may not be ready before. */
static int check_servers(void *state, struct hearth_error *err)
{
    struct servers *bench = state;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        struct contender *side = &bench->sides[i];
        struct load_protocol protocol = embed_protocol(&side->requests);
        int fds[CLIENTS] = {-1};
        rc = connect_to(side, &fds[0], err);
        rc = rc < 0 ? rc : embed_ask_all(fds[0], &side->requests, side->vectors, err);
        hearth_fd_close(&fds[0]);
        for (size_t j = 0; rc == 0 && j < CLIENTS; j++) {
            rc = connect_to(side, &fds[j], err);
        }
        rc = rc < 0 ? rc : load_create(&protocol, fds, CLIENTS, &side->load, err);
        rc = rc < 0 ? rc : load_run(side->load, side->requests.count, 1, err);
    }
    return rc < 0 ? rc
                  : embed_compare(bench->sides[1].name, bench->sides[1].vectors,
                                  bench->sides[0].vectors, bench->texts->count, err);
}

static void close_servers(void *state)
{
    struct servers *bench = state;
    for (size_t i = 0; i < 2; i++) {
        struct contender *side = &bench->sides[i];
        load_destroy(side->load);
        peer_stop(&side->peer);
        embed_free(&side->requests);
        hearth_free(side->vectors);
    }
    texts_free(bench->texts);
    hearth_free(bench);
}

static int prepare(struct contender *side, const char *name, enum embed_kind kind,
                   unsigned per_request, const struct bench_texts *texts, struct hearth_error *err)
{
    side->name = name;
    side->texts = texts;
    side->vectors = hearth_alloc(texts->count * EMBED_WIDTH, sizeof(float));
    return side->vectors == NULL ? hearth_fail_oom(err)
                                 : embed_make(texts, kind, per_request, &side->requests, err);
}

static int start_server(enum server server, const struct hearth_harness_places *places,
                        struct peer *ret, struct hearth_error *err)
{
    switch (server) {
    case FASTEMBED: return peer_start_fastembed(places, 0, ret, err);
    case FASTEMBED_PROCESSES: return peer_start_fastembed(places, PROCESSES, ret, err);
    case TRANSFORMERS_JS: return peer_start_transformers_js(places, ret, err);
    }
    HEARTH_UNREACHABLE();
}

static int open_server(enum server server, unsigned per_request,
                       const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                       struct hearth_error *err)
{
    static const char *const names[] = {"fastembed, uvicorn", "fastembed, 4 processes",
                                        "transformers.js, node"};
    struct servers *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    struct contender *sides = bench->sides;
    int rc = texts_read(places->models, &bench->texts, err);
    rc =
        rc < 0 ? rc : prepare(&sides[0], "hearthd", EMBED_V2_TEXTS, per_request, bench->texts, err);
    rc =
        rc < 0 ? rc : prepare(&sides[1], names[server], EMBED_HTTP, per_request, bench->texts, err);
    rc = rc < 0 ? rc : start_server(server, places, &sides[1].peer, err);
    rc = rc < 0
             ? rc
             : peer_start_hearthd(places, "models/store", "all-minilm-l6-v2", &sides[0].peer, err);
    if (rc < 0) {
        close_servers(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .side_count = 2, .check = check_servers, .close = close_servers, .state = bench};
    for (size_t i = 0; i < 2; i++) {
        ret->sides[i] = (struct hearth_harness_side){
            .name = sides[i].name, .measure = measure, .arg = &sides[i]};
    }
    return 0;
}

static int open_fastembed_1(const struct hearth_harness_places *places,
                            struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_server(FASTEMBED, 1, places, ret, err);
}

static int open_fastembed_32(const struct hearth_harness_places *places,
                             struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_server(FASTEMBED, 32, places, ret, err);
}

static int open_processes_1(const struct hearth_harness_places *places,
                            struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_server(FASTEMBED_PROCESSES, 1, places, ret, err);
}

static int open_processes_32(const struct hearth_harness_places *places,
                             struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_server(FASTEMBED_PROCESSES, 32, places, ret, err);
}

static int open_transformers_1(const struct hearth_harness_places *places,
                               struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_server(TRANSFORMERS_JS, 1, places, ret, err);
}

static int open_transformers_32(const struct hearth_harness_places *places,
                                struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_server(TRANSFORMERS_JS, 32, places, ret, err);
}

#define AHEAD                                                                                      \
    {                                                                                              \
        {                                                                                          \
            HEARTH_GOAL_RATIO_AT_LEAST, 1.5, false                                                 \
        }                                                                                          \
    }

const struct hearth_harness_case bench_onnx_servers[] = {
    {.id = "onnx/servers/fastembed-8x1",
     .help = "texts of 8 clients, one a request; beside fastembed behind uvicorn, same weights",
     .kind = HEARTH_HARNESS_RATE,
     .goals = AHEAD,
     .open = open_fastembed_1},
    {.id = "onnx/servers/fastembed-8x32",
     .help = "the same with 32 texts a request",
     .kind = HEARTH_HARNESS_RATE,
     .goals = AHEAD,
     .open = open_fastembed_32},
    {.id = "onnx/servers/transformers-8x1",
     .help = "texts of 8 clients, one a request; beside transformers.js behind node, same weights",
     .kind = HEARTH_HARNESS_RATE,
     .goals = AHEAD,
     .open = open_transformers_1},
    {.id = "onnx/servers/transformers-8x32",
     .help = "the same with 32 texts a request",
     .kind = HEARTH_HARNESS_RATE,
     .goals = AHEAD,
     .open = open_transformers_32},
    {.id = "onnx/servers/processes-8x1",
     .help = "beside fastembed tuned by hand: four processes of one thread, four times the memory",
     .kind = HEARTH_HARNESS_RATE,
     .open = open_processes_1},
    {.id = "onnx/servers/processes-8x32",
     .help = "the same with 32 texts a request",
     .kind = HEARTH_HARNESS_RATE,
     .open = open_processes_32},
    {0},
};
