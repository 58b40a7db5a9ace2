/* start.c — from exec() to the first token of a prompt of 16 tokens. */

#include "generation.h"

#include "hearth_os.h"

#include <stdio.h>

#define PAUSE_NS 1000000u /* between two tries to be answered */

struct start {
    const struct hearth_harness_places *places;
    enum generation_model model;
};

static int start_hearthd(const struct start *bench, double *ret, struct hearth_error *err)
{
    const struct generation_model_facts *facts = generation_facts(bench->model);
    struct peer peer;
    char section[160];
    snprintf(section, sizeof section, "[model %s]\nsequences = %u\ncontext_tokens = %u\n",
             facts->name, GENERATION_SLOTS, GENERATION_CONTEXT);
    uint64_t begin_ns = hearth_clock_ns();
    int rc = peer_exec_hearthd(bench->places, facts->folder, facts->name, section, &peer, err);
    struct generate_server server = {GENERATE_V2, peer.socket, facts->name};
    rc = rc < 0 ? rc : generation_wait(&peer, &server, PAUSE_NS, err);
    *ret = (double)(hearth_clock_ns() - begin_ns);
    peer_stop(&peer);
    return rc;
}

static int start_llama_server(const struct start *bench, double *ret, struct hearth_error *err)
{
    const struct generation_model_facts *facts = generation_facts(bench->model);
    struct peer peer;
    uint64_t begin_ns = hearth_clock_ns();
    int rc = peer_exec_llama_server(bench->places, facts->file, GENERATION_SLOTS,
                                    GENERATION_SLOTS * GENERATION_CONTEXT, &peer, err);
    struct generate_server server = {GENERATE_HTTP, peer.socket, NULL};
    rc = rc < 0 ? rc : generation_wait(&peer, &server, PAUSE_NS, err);
    *ret = (double)(hearth_clock_ns() - begin_ns);
    peer_stop(&peer);
    return rc;
}

static int measure_hearthd(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < calls; i++) {
        rc = start_hearthd(arg, &ret[i], err);
    }
    return rc;
}

static int measure_llama_server(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < calls; i++) {
        rc = start_llama_server(arg, &ret[i], err);
    }
    return rc;
}

/* Both are answered once; what they answer is compared by the other cases. */
static int check(void *state, struct hearth_error *err)
{
    double took = 0.0;
    int rc = start_hearthd(state, &took, err);
    return rc < 0 ? rc : start_llama_server(state, &took, err);
}

static void close_start(void *state)
{
    hearth_free(state);
}

static int open_start(enum generation_model model, const struct hearth_harness_places *places,
                      struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct start *bench = hearth_alloc(1, sizeof *bench);
    double took = 0.0;
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    *bench = (struct start){places, model};
    int rc = start_llama_server(bench, &took, err); /* is it here? */
    if (rc < 0) {
        close_start(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "hearthd", .measure = measure_hearthd, .arg = bench},
                  {.name = "llama-server", .measure = measure_llama_server, .arg = bench}},
        .side_count = 2,
        .check = check,
        .close = close_start,
        .state = bench};
    return 0;
}

static int open_smollm2(const struct hearth_harness_places *places,
                        struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_start(SMOLLM2, places, ret, err);
}

static int open_half(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                     struct hearth_error *err)
{
    return open_start(HALF_BILLION, places, ret, err);
}

const struct hearth_harness_case bench_generation_start[] = {
    {.id = "gguf/start/smollm2",
     .help = "exec to the first token of a prompt of 16; beside llama-server",
     .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 0.7, false}},
     .open = open_smollm2},
    {.id = "gguf/start/half-billion",
     .help = "the same with half a billion weights",
     .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 0.7, false}},
     .open = open_half},
    {0},
};
