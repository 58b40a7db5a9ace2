/* memory.c — how much memory a worker takes that generates: (peak resident set - cache in use -
 * 12 MB) / file. The cache in use are the tokens of the prompt and of the answer, no more. */

#include "generation.h"

#include <stdio.h>
#include <sys/stat.h>

#define PROMPT     256u
#define TOKENS     16u
#define BASE_BYTES 12e6 /* what a worker may take beside its model */

struct memory {
    enum generation_model model;
    struct peer daemon;
    struct generate_server server;
    double file_bytes;
    uint64_t turn;
};

static int measure_peak(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct memory *bench = arg;
    uint32_t ids[PROMPT];
    struct generate_ask ask = {.ids = ids, .id_count = PROMPT, .max_tokens = TOKENS};
    for (size_t i = 0; i < calls; i++) {
        struct generate *done = NULL;
        generation_prompt(bench->turn++, ids, PROMPT);
        int rc = generate_run(&bench->server, &ask, 1, &done, err);
        generate_close(done);
        uint64_t peak = rc < 0 ? 0 : peer_worker_peak_bytes(bench->daemon.pid);
        if (rc < 0 || peak == 0) {
            return rc < 0 ? rc : hearth_fail(err, HEARTH_E_INTERNAL, "its memory cannot be read");
        }
        double cache =
            (double)generation_facts(bench->model)->kv_bytes_per_token * (PROMPT + TOKENS);
        ret[i] = ((double)peak - cache - BASE_BYTES) / bench->file_bytes;
    }
    return 0;
}

static int check(void *state, struct hearth_error *err)
{
    double ratio = 0.0;
    return measure_peak(state, &ratio, 1, err);
}

static void close_memory(void *state)
{
    struct memory *bench = state;
    peer_stop(&bench->daemon);
    hearth_free(bench);
}

static int open_memory(enum generation_model model, const struct hearth_harness_places *places,
                       struct hearth_harness_setup *ret, struct hearth_error *err)
{
    char path[4200];
    struct stat status;
    struct memory *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->model = model;
    bench->server =
        (struct generate_server){GENERATE_V2, bench->daemon.socket, generation_facts(model)->name};
    int rc = generation_start_hearthd(places, model, "sequences = 1\ncontext_tokens = 512\n",
                                      &bench->daemon, err);
    snprintf(path, sizeof path, "%s/%s", places->models, generation_facts(model)->file);
    if (rc == 0 && stat(path, &status) != 0) {
        rc = hearth_fail_errno(err, HEARTH_E_UNSUPPORTED, "%.100s", path);
    }
    if (rc < 0) {
        close_memory(bench);
        return rc;
    }
    bench->file_bytes = (double)status.st_size;
    *ret = (struct hearth_harness_setup){
        .side_count = 1,
        .check = check,
        .close = close_memory,
        .state = bench,
        .sides = {{.name = "worker", .measure = measure_peak, .arg = bench}}};
    return 0;
}

static int open_smollm2(const struct hearth_harness_places *places,
                        struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_memory(SMOLLM2, places, ret, err);
}

static int open_phi3(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                     struct hearth_error *err)
{
    return open_memory(PHI3, places, ret, err);
}

const struct hearth_harness_case bench_generation_memory[] = {
    {.id = "gguf/memory/smollm2",
     .help = "(peak resident set - cache in use - 12 MB) / file, 256 tokens and 16 more",
     .unit = "x the file",
     .kind = HEARTH_HARNESS_VALUE,
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 1.5, false}},
     .open = open_smollm2},
    {.id = "gguf/memory/phi3",
     .help = "the same with 3.8 billion weights",
     .unit = "x the file",
     .kind = HEARTH_HARNESS_VALUE,
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 1.25, false}},
     .open = open_phi3},
    {0},
};
