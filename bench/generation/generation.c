/* generation.c — models, prompts, servers. */

#include "generation.h"

#include "hearth_os.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define FIRST_TOKEN  300u /* the families have special tokens and bytes below it … */
#define TOKEN_RANGE  29000u
#define CHECK_ASKS   4u
#define CHECK_TOKENS 8u
#define LEAST_EQUAL  3u
#define LAUNCH_NS    (60 * HEARTH_NS_PER_SEC)

static const struct generation_model_facts facts[] = {
    [SMOLLM2] = {"smollm2-135m-instruct", "models/store",
                 "models/store/smollm2-135m-instruct/smollm2-135m-instruct.gguf", 30 * 2 * 192 * 2,
                 0},
    [HALF_BILLION] = {"half-billion-q4_0", "fixtures/models/gguf",
                      "fixtures/models/gguf/half-billion-q4_0.gguf", 24 * 2 * 128 * 2, 0},
    /* 32064 × 3072 values of Q4_K, in blocks of 256 values and 144 bytes, are only looked up. */
    [PHI3] = {"phi3-mini-q4km", "fixtures/models/gguf", "fixtures/models/gguf/phi3-mini-q4km.gguf",
              32 * 2 * 3072 * 2, 2393231136 - 32064ull * 3072 / 256 * 144},
};

const struct generation_model_facts *generation_facts(enum generation_model model)
{
    return &facts[model];
}

void generation_prompt(uint64_t seed, uint32_t *room, size_t count)
{
    struct hearth_stats_random random;
    hearth_stats_seed(&random, seed);
    for (size_t i = 0; i < count; i++) {
        room[i] = FIRST_TOKEN + (uint32_t)(hearth_stats_next(&random) % TOKEN_RANGE);
    }
}

/* ---- starting ------------------------------------------------------------------------------- */

static int find_model(const struct hearth_harness_places *places, enum generation_model model,
                      struct hearth_error *err)
{
    char path[4200];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", places->models, facts[model].file);
    return stat(path, &status) == 0
               ? 0
               : hearth_fail(err, HEARTH_E_UNSUPPORTED, "%.80s is missing: run %s",
                             facts[model].file,
                             model == SMOLLM2 ? "scripts/setup.sh" : "deps/bench --only gguf");
}

int generation_start_hearthd(const struct hearth_harness_places *places,
                             enum generation_model model, const char *options, struct peer *ret,
                             struct hearth_error *err)
{
    char section[512];
    snprintf(section, sizeof section, "[model %s]\n%s", facts[model].name, options);
    *ret = (struct peer){0};
    int rc = find_model(places, model, err);
    rc = rc < 0 ? rc
                : peer_start_hearthd_with(places, facts[model].folder, facts[model].name, section,
                                          ret, err);
    struct generate_server server = {GENERATE_V2, ret->socket, facts[model].name};
    rc = rc < 0 ? rc : generation_wait(ret, &server, 20 * HEARTH_NS_PER_MS, err);
    if (rc < 0) {
        peer_stop(ret);
    }
    return rc;
}

static bool may_pass(int code)
{
    return code == HEARTH_E_NOT_READY || code == HEARTH_E_DISCONNECTED ||
           code == HEARTH_E_NO_DAEMON || code == HEARTH_E_SYSTEM || code == HEARTH_E_MALFORMED;
}

int generation_wait(const struct peer *peer, const struct generate_server *server,
                    uint64_t pause_ns, struct hearth_error *err)
{
    uint32_t ids[16];
    struct generate_ask ask = {.ids = ids, .id_count = 16, .max_tokens = 1};
    struct timespec pause = {.tv_nsec = (long)pause_ns};
    uint64_t end_ns = hearth_clock_ns() + LAUNCH_NS;
    generation_prompt(UINT64_MAX, ids, 16);
    for (;;) {
        struct generate *generate = NULL;
        int rc = generate_run(server, &ask, 1, &generate, err);
        generate_close(generate);
        if (rc == 0 || !may_pass(rc) || hearth_clock_ns() > end_ns) {
            return rc;
        }
        if (waitpid(peer->pid, NULL, WNOHANG) != 0) {
            return hearth_because(err, HEARTH_E_NOT_READY, "it ended: see what it says by hand");
        }
        nanosleep(&pause, NULL);
    }
}

static int start_pair(const struct hearth_harness_places *places, enum generation_model model,
                      const char *options, struct generation_pair *ret, struct hearth_error *err)
{
    char all[256];
    snprintf(all, sizeof all, "sequences = %u\ncontext_tokens = %u\n%s", GENERATION_SLOTS,
             GENERATION_CONTEXT, options);
    struct generation_side *ours = &ret->sides[0];
    struct generation_side *theirs = &ret->sides[1];
    *ours = (struct generation_side){.name = "hearthd"};
    *theirs = (struct generation_side){.name = "llama-server"};
    int rc = find_model(places, model, err);
    rc = rc < 0 ? rc
                : peer_exec_llama_server(places, facts[model].file, GENERATION_SLOTS,
                                         GENERATION_SLOTS * GENERATION_CONTEXT, &theirs->peer, err);
    theirs->server = (struct generate_server){GENERATE_HTTP, theirs->peer.socket, NULL};
    ours->server = (struct generate_server){GENERATE_V2, ours->peer.socket, facts[model].name};
    rc = rc < 0 ? rc : generation_wait(&theirs->peer, &theirs->server, 20 * HEARTH_NS_PER_MS, err);
    return rc < 0 ? rc : generation_start_hearthd(places, model, all, &ours->peer, err);
}

/* ---- a pair as the harness sees it --------------------------------------------------------- */

static int check_pair(void *state, struct hearth_error *err)
{
    struct generation_pair *pair = state;
    uint32_t ids[CHECK_ASKS][GENERATION_PROMPT];
    struct generate_ask asks[CHECK_ASKS];
    struct generate *done[2] = {NULL, NULL};
    size_t equal = 0;
    for (size_t i = 0; i < CHECK_ASKS; i++) {
        generation_prompt(UINT64_MAX - 1 - i, ids[i], GENERATION_PROMPT);
        asks[i] = (struct generate_ask){
            .ids = ids[i], .id_count = GENERATION_PROMPT, .max_tokens = CHECK_TOKENS};
    }
    int rc = generate_run(&pair->sides[0].server, asks, CHECK_ASKS, &done[0], err);
    rc = rc < 0 ? rc : generate_run(&pair->sides[1].server, asks, CHECK_ASKS, &done[1], err);
    for (size_t i = 0; rc == 0 && i < CHECK_ASKS; i++) {
        const struct generate_answer *ours = generate_answer(done[0], i);
        const struct generate_answer *theirs = generate_answer(done[1], i);
        equal += ours->count > 0 && theirs->count > 0 && ours->ids[0] == theirs->ids[0];
    }
    generate_close(done[0]);
    generate_close(done[1]);
    return rc < 0 || equal >= LEAST_EQUAL
               ? rc
               : hearth_fail(err, HEARTH_E_INTERNAL,
                             "of %u prompts %zu go on with the same token in both servers",
                             CHECK_ASKS, equal);
}

static void close_pair(void *state)
{
    struct generation_pair *pair = state;
    peer_stop(&pair->sides[0].peer);
    peer_stop(&pair->sides[1].peer);
    hearth_free(pair);
}

static double figure_of_side(const void *arg, unsigned which)
{
    const struct generation_side *side = arg;
    return side->figures[which];
}

int generation_open_pair(const struct hearth_harness_places *places, enum generation_model model,
                         const char *options, struct generation_pair *pair,
                         hearth_harness_measure_fn *measure, struct hearth_harness_setup *ret,
                         struct hearth_error *err)
{
    int rc = start_pair(places, model, options, pair, err);
    if (rc < 0) {
        close_pair(pair);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .side_count = 2, .check = check_pair, .close = close_pair, .state = pair};
    for (size_t i = 0; i < 2; i++) {
        struct generation_side *side = &pair->sides[i];
        side->pair = pair;
        ret->sides[i] = (struct hearth_harness_side){
            .name = side->name, .measure = measure, .figure = figure_of_side, .arg = side};
    }
    return 0;
}
