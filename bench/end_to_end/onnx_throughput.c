/* onnx_throughput.c — the committed list of texts embedded through the daemon from 8 connections,
 * beside what a program does with the same library in its own process.
 *
 * The daemon is given texts and tokenises them; the other side is given token ids. Only `8x1-ids`
 * gives ids to both. */

#include "hearth_bench.h"

#include "embed.h"
#include "hearth_os.h"
#include "inproc.h"

#include <string.h>
#include <time.h>

#define CLIENTS   8u
#define SETTLE_NS 150000000L /* threads of the library spin for 0.1 s after their last run */

struct variant {
    enum embed_kind kind;
    unsigned per_request;
    unsigned passes;     /* over the list, a block */
    enum inproc_way way; /* that it is beside; INPROC_WAYS: the best one */
};

struct throughput {
    struct variant variant;
    struct bench_texts *texts;
    struct embed_requests requests;
    struct peer daemon;
    struct load *load;
    struct inproc *inproc;
    enum inproc_way way;
    float *vectors[2]; /* of the daemon, of the other */
};

static void settle(void)
{
    nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
}

static double per_text(const struct throughput *bench, uint64_t begin_ns)
{
    return (double)(hearth_clock_ns() - begin_ns) /
           (double)(bench->variant.passes * bench->texts->count);
}

static int measure_daemon(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct throughput *bench = arg;
    for (size_t i = 0; i < calls; i++) {
        settle();
        uint64_t begin_ns = hearth_clock_ns();
        int rc = load_run(bench->load, bench->variant.passes * bench->requests.count, 1, err);
        if (rc < 0) {
            return rc;
        }
        ret[i] = per_text(bench, begin_ns);
    }
    return 0;
}

static int measure_inproc(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct throughput *bench = arg;
    for (size_t i = 0; i < calls; i++) {
        settle();
        uint64_t begin_ns = hearth_clock_ns();
        for (unsigned j = 0; j < bench->variant.passes; j++) {
            int rc = inproc_run(bench->inproc, bench->way, bench->vectors[1], err);
            if (rc < 0) {
                return rc;
            }
        }
        ret[i] = per_text(bench, begin_ns);
    }
    return 0;
}

static int check_throughput(void *state, struct hearth_error *err)
{
    struct throughput *bench = state;
    int fd = -1;
    int rc = peer_connect_v2(bench->daemon.socket, &fd, err);
    rc = rc < 0 ? rc : embed_ask_all(fd, &bench->requests, bench->vectors[0], err);
    hearth_fd_close(&fd);
    rc = rc < 0 ? rc : inproc_run(bench->inproc, bench->way, bench->vectors[1], err);
    rc = rc < 0 ? rc
                : embed_compare("hearthd", bench->vectors[0], bench->vectors[1],
                                bench->texts->count, err);
    return rc < 0 ? rc : load_run(bench->load, bench->requests.count, 1, err);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void close_throughput(void *state)
{
    struct throughput *bench = state;
    load_destroy(bench->load);
    peer_stop(&bench->daemon);
    inproc_close(bench->inproc);
    embed_free(&bench->requests);
    texts_free(bench->texts);
    hearth_free(bench->vectors[0]);
    hearth_free(bench->vectors[1]);
    hearth_free(bench);
}

static int connect_all(struct throughput *bench, struct hearth_error *err)
{
    struct load_protocol protocol = embed_protocol(&bench->requests);
    return load_connect(&protocol, bench->daemon.socket, CLIENTS, &bench->load, err);
}

/* The best way is looked for before the daemon is there. */
static int open_inproc(struct throughput *bench, const struct hearth_harness_places *places,
                       struct hearth_error *err)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/models/store/all-minilm-l6-v2", places->models);
    for (size_t i = 0; i < 2; i++) {
        bench->vectors[i] = hearth_alloc(bench->texts->count * EMBED_WIDTH, sizeof(float));
        if (bench->vectors[i] == NULL) {
            return hearth_fail_oom(err);
        }
    }
    int rc = inproc_open(folder, bench->texts, INPROC_MANY, &bench->inproc, err);
    return rc < 0 || bench->way != INPROC_WAYS
               ? rc
               : inproc_find_best(bench->inproc, bench->vectors[1], &bench->way, err);
}

static int open_variant(struct variant variant, const struct hearth_harness_places *places,
                        struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct throughput *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->variant = variant;
    bench->way = variant.way;
    int rc = texts_read(places->models, &bench->texts, err);
    rc = rc < 0
             ? rc
             : embed_make(bench->texts, variant.kind, variant.per_request, &bench->requests, err);
    rc = rc < 0 ? rc : open_inproc(bench, places, err);
    rc = rc < 0
             ? rc
             : peer_start_hearthd(places, "models/store", "all-minilm-l6-v2", &bench->daemon, err);
    rc = rc < 0 ? rc : connect_all(bench, err);
    if (rc < 0) {
        close_throughput(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "hearthd", .measure = measure_daemon, .arg = bench},
                  {.name = inproc_way_name(bench->way), .measure = measure_inproc, .arg = bench}},
        .side_count = 2,
        .check = check_throughput,
        .close = close_throughput,
        .state = bench};
    return 0;
}

static int open_1_padded(const struct hearth_harness_places *places,
                         struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_variant((struct variant){EMBED_V2_TEXTS, 1, 1, INPROC_PADDED}, places, ret, err);
}

static int open_32_padded(const struct hearth_harness_places *places,
                          struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_variant((struct variant){EMBED_V2_TEXTS, 32, 1, INPROC_PADDED}, places, ret, err);
}

static int open_1_best(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                       struct hearth_error *err)
{
    return open_variant((struct variant){EMBED_V2_TEXTS, 1, 2, INPROC_WAYS}, places, ret, err);
}

static int open_32_best(const struct hearth_harness_places *places,
                        struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_variant((struct variant){EMBED_V2_TEXTS, 32, 2, INPROC_WAYS}, places, ret, err);
}

static int open_1_alone(const struct hearth_harness_places *places,
                        struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_variant((struct variant){EMBED_V2_TEXTS, 1, 2, INPROC_ALONE}, places, ret, err);
}

static int open_1_ids(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                      struct hearth_error *err)
{
    return open_variant((struct variant){EMBED_V2_IDS, 1, 2, INPROC_WAYS}, places, ret, err);
}

const struct hearth_harness_case bench_onnx_throughput[] = {
    {.id = "onnx/throughput/8x1-padded",
     .help = "texts of 8 clients, one a request; beside padded groups of 32 in one process",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 2.5, false}, {HEARTH_GOAL_RATIO_AT_LEAST, 3.0, true}},
     .open = open_1_padded},
    {.id = "onnx/throughput/8x32-padded",
     .help = "the same with 32 texts a request",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 2.5, false}, {HEARTH_GOAL_RATIO_AT_LEAST, 3.0, true}},
     .open = open_32_padded},
    {.id = "onnx/throughput/8x1-best",
     .help = "texts of 8 clients, one a request; beside the best of four ways in one process",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 0.95, false}},
     .open = open_1_best},
    {.id = "onnx/throughput/8x32-best",
     .help = "the same with 32 texts a request",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 0.95, false}},
     .open = open_32_best},
    {.id = "onnx/throughput/8x1-alone",
     .help = "beside each text alone and unpadded on one core, as the daemon does it",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 0.95, false}},
     .open = open_1_alone},
    {.id = "onnx/throughput/8x1-ids",
     .help = "as 8x1-best, but the daemon is given token ids too",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 0.95, false}},
     .open = open_1_ids},
    {0},
};
