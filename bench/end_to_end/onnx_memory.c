/* onnx_memory.c — how much memory the worker of MiniLM takes while 8 clients keep it busy. */

#include "hearth_bench.h"

#include "embed.h"
#include "hearth_os.h"

#include <stdio.h>
#include <sys/stat.h>

#define CLIENTS    8u
#define BASE_BYTES 12e6 /* what a worker may take beside its model */

struct memory {
    struct bench_texts *texts;
    struct embed_requests requests;
    struct peer daemon;
    struct load *load;
    double file_bytes;
};

/* Its high-water mark never falls, so later blocks also hold what the earlier ones took. */
static int measure_peak(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct memory *bench = arg;
    for (size_t i = 0; i < calls; i++) {
        int rc = load_run(bench->load, bench->requests.count, 1, err);
        uint64_t peak = rc < 0 ? 0 : peer_worker_peak_bytes(bench->daemon.pid);
        if (rc < 0 || peak == 0) {
            return rc < 0 ? rc : hearth_fail(err, HEARTH_E_INTERNAL, "its memory cannot be read");
        }
        ret[i] = ((double)peak - BASE_BYTES) / bench->file_bytes;
    }
    return 0;
}

static int check_memory(void *state, struct hearth_error *err)
{
    struct memory *bench = state;
    return load_run(bench->load, bench->requests.count, 1, err);
}

static void close_memory(void *state)
{
    struct memory *bench = state;
    load_destroy(bench->load);
    peer_stop(&bench->daemon);
    embed_free(&bench->requests);
    texts_free(bench->texts);
    hearth_free(bench);
}

/* Graph and weights; the tokenizer's file does not count. */
static int size_files(struct memory *bench, const char *top, struct hearth_error *err)
{
    static const char *const names[] = {"model.onnx", "model.onnx.data"};
    for (size_t i = 0; i < HEARTH_COUNT(names); i++) {
        char path[4200];
        struct stat facts;
        snprintf(path, sizeof path, "%s/models/store/all-minilm-l6-v2/%s", top, names[i]);
        if (stat(path, &facts) != 0) {
            return hearth_fail_errno(err, HEARTH_E_UNSUPPORTED, "%.100s", path);
        }
        bench->file_bytes += (double)facts.st_size;
    }
    return 0;
}

static int connect_all(struct memory *bench, struct hearth_error *err)
{
    struct load_protocol protocol = embed_protocol(&bench->requests);
    return load_connect(&protocol, bench->daemon.socket, CLIENTS, &bench->load, err);
}

static int open_memory(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                       struct hearth_error *err)
{
    struct memory *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    int rc = texts_read(places->models, &bench->texts, err);
    rc = rc < 0 ? rc : size_files(bench, places->models, err);
    rc = rc < 0 ? rc : embed_make(bench->texts, EMBED_V2_TEXTS, 32, &bench->requests, err);
    rc = rc < 0
             ? rc
             : peer_start_hearthd(places, "models/store", "all-minilm-l6-v2", &bench->daemon, err);
    rc = rc < 0 ? rc : connect_all(bench, err);
    if (rc < 0) {
        close_memory(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "worker", .measure = measure_peak, .arg = bench}},
        .side_count = 1,
        .check = check_memory,
        .close = close_memory,
        .state = bench};
    return 0;
}

const struct hearth_harness_case bench_onnx_memory[] = {
    {.id = "onnx/memory/minilm",
     .help = "(peak resident set of the worker - 12 MB) / model file, 8 clients with 32 texts each",
     .unit = "x the file",
     .kind = HEARTH_HARNESS_VALUE,
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 1.25, false}},
     .open = open_memory},
    {0},
};
