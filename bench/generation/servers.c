/* servers.c — hearthd beside llama-server: how fast many are served, and how soon each begins. */

#include "generation.h"

#include "hearth_os.h"

#include <time.h>

/* A block begins when the one before has left all cores: for a tenth of a second the threads of
 * llama.cpp, as it is by default, look for more to do. */
#define SETTLE_NS    300000000L
#define SHARERS      8u
#define PREFIX       400u
#define MOST_SUFFIX  20u
#define LEAST_SUFFIX 5u
/* Where rows are slow, what streams may wait for prompts decides who waits for whom. */
#define RELAXED "inter_token_ms = 300\n"

enum figure { TOKEN_TIME, FIRST_TOKEN };

struct together {
    struct generation_pair pair;
    unsigned clients;
    bool has_prefix; /* PREFIX tokens that all of a block share, and a few of their own */
    uint32_t ids[GENERATION_SLOTS][PREFIX + MOST_SUFFIX];
    struct generate_ask asks[GENERATION_SLOTS];
};

/* No prompt is ever asked twice of one server, unless it is meant to find a prefix. */
static void make_asks(struct together *bench, uint64_t turn)
{
    for (unsigned i = 0; i < bench->clients; i++) {
        uint32_t *ids = bench->ids[i];
        uint64_t seed = turn * GENERATION_SLOTS + i;
        size_t count = GENERATION_PROMPT;
        if (bench->has_prefix) {
            count = PREFIX + LEAST_SUFFIX + seed % (MOST_SUFFIX - LEAST_SUFFIX + 1);
            generation_prompt(turn * GENERATION_SLOTS + GENERATION_SLOTS - 1, ids, PREFIX);
            generation_prompt(~seed / 2, ids + PREFIX, count - PREFIX);
        } else {
            generation_prompt(seed, ids, count);
        }
        bench->asks[i] = (struct generate_ask){
            .ids = ids, .id_count = (uint32_t)count, .max_tokens = GENERATION_TOKENS};
    }
}

static void find_figures(const struct together *bench, const struct generate *done, double *ret)
{
    double firsts[GENERATION_SLOTS];
    uint64_t begin_ns = UINT64_MAX;
    uint64_t end_ns = 0;
    uint32_t tokens = 0;
    for (unsigned i = 0; i < bench->clients; i++) {
        const struct generate_answer *answer = generate_answer(done, i);
        firsts[i] = (double)(answer->first_ns - answer->begin_ns);
        begin_ns = HEARTH_MIN(begin_ns, answer->begin_ns);
        end_ns = HEARTH_MAX(end_ns, answer->end_ns);
        tokens += answer->count;
    }
    hearth_stats_sort(firsts, bench->clients);
    ret[TOKEN_TIME] = (double)(end_ns - begin_ns) / (double)HEARTH_MAX(tokens, 1u);
    ret[FIRST_TOKEN] = hearth_stats_quantile(firsts, bench->clients, 0.5);
}

static int measure(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct generation_side *side = arg;
    struct together *bench = side->pair;
    for (size_t i = 0; i < calls; i++) {
        struct generate *done = NULL;
        make_asks(bench, side->turn++);
        nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
        int rc = generate_run(&side->server, bench->asks, bench->clients, &done, err);
        if (rc < 0) {
            return rc;
        }
        find_figures(bench, done, side->figures);
        ret[i] = side->figures[TOKEN_TIME];
        generate_close(done);
    }
    return 0;
}

static int open_together(enum generation_model model, unsigned clients, bool has_prefix,
                         const char *options, const struct hearth_harness_places *places,
                         struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct together *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->clients = clients;
    bench->has_prefix = has_prefix;
    return generation_open_pair(places, model, options, &bench->pair, measure, ret, err);
}

#define OPEN(name, model, clients, has_prefix, options)                                            \
    static int name(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,  \
                    struct hearth_error *err)                                                      \
    {                                                                                              \
        return open_together(model, clients, has_prefix, options, places, ret, err);               \
    }
OPEN(smollm2_1, SMOLLM2, 1, false, "")
OPEN(smollm2_4, SMOLLM2, 4, false, "")
OPEN(smollm2_8, SMOLLM2, 8, false, "")
OPEN(smollm2_16, SMOLLM2, 16, false, "")
OPEN(half_1, HALF_BILLION, 1, false, "")
OPEN(half_4, HALF_BILLION, 4, false, "")
OPEN(half_8, HALF_BILLION, 8, false, "")
OPEN(half_16, HALF_BILLION, 16, false, "")
OPEN(half_8_relaxed, HALF_BILLION, 8, false, RELAXED)
OPEN(half_16_relaxed, HALF_BILLION, 16, false, RELAXED)
OPEN(prefix_smollm2, SMOLLM2, SHARERS, true, "")
OPEN(prefix_half, HALF_BILLION, SHARERS, true, "")
#undef OPEN

/* Rate and first token of the same runs. */
#define BOTH(name, count, least, most, opener)                                                     \
    {.id = "gguf/throughput/" name "-" #count,                                                     \
     .help = "tokens of " #count " clients, 146 of a prompt and 64 more; beside llama-server",     \
     .kind = HEARTH_HARNESS_RATE,                                                                  \
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, least, false}},                                        \
     .figure = TOKEN_TIME,                                                                         \
     .open = opener},                                                                              \
    {                                                                                              \
        .id = "gguf/first-token/" name "-" #count,                                                 \
        .help = "p50 of " #count " clients that come together, 146 tokens; beside llama-server",   \
        .goals = {{HEARTH_GOAL_RATIO_AT_MOST, most, false}}, .figure = FIRST_TOKEN,                \
        .shares_run = true, .open = opener                                                         \
    }
#define PREFIXED(name, opener)                                                                     \
    {                                                                                              \
        .id = "gguf/shared-prefix/" name,                                                          \
        .help = "first token, p50 of 8 clients: 400 tokens in common and 5 to 20 of their own",    \
        .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 0.4, false}}, .figure = FIRST_TOKEN, .open = opener  \
    }

const struct hearth_harness_case bench_generation_servers[] = {
    BOTH("smollm2", 1, 1.0, 1.0, smollm2_1),
    BOTH("smollm2", 4, 1.05, 0.7, smollm2_4),
    BOTH("smollm2", 8, 1.05, 0.7, smollm2_8),
    BOTH("smollm2", 16, 1.05, 0.7, smollm2_16),
    BOTH("half-billion", 1, 1.0, 1.0, half_1),
    BOTH("half-billion", 4, 1.05, 0.7, half_4),
    BOTH("half-billion", 8, 1.05, 0.7, half_8),
    BOTH("half-billion", 16, 1.05, 0.7, half_16),
    BOTH("half-billion-300ms", 8, 1.05, 0.7, half_8_relaxed),
    BOTH("half-billion-300ms", 16, 1.05, 0.7, half_16_relaxed),
    PREFIXED("smollm2", prefix_smollm2),
    PREFIXED("half-billion", prefix_half),
    {0},
};
