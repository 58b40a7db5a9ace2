/* servers.c — hearthd beside llama-server: how fast many are served, and how soon each begins. */

#include "generation.h"

#include "hearth_os.h"

#include <time.h>

#define SETTLE_NS    100000000L /* a block begins when the one before has left all cores */
#define SHARERS      8u
#define PREFIX       400u
#define MOST_SUFFIX  20u
#define LEAST_SUFFIX 5u

enum figure { TOKEN_TIME, FIRST_TOKEN };

struct together {
    struct generation_pair pair;
    enum figure figure;
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

static double figure_of(const struct together *bench, const struct generate *done)
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
    if (bench->figure == TOKEN_TIME) {
        return (double)(end_ns - begin_ns) / (double)HEARTH_MAX(tokens, 1u);
    }
    hearth_stats_sort(firsts, bench->clients);
    return hearth_stats_quantile(firsts, bench->clients, 0.5);
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
        ret[i] = figure_of(bench, done);
        generate_close(done);
    }
    return 0;
}

static int check(void *state, struct hearth_error *err)
{
    struct together *bench = state;
    return generation_check_pair(&bench->pair, err);
}

static void close_together(void *state)
{
    struct together *bench = state;
    generation_close_pair(&bench->pair);
    hearth_free(bench);
}

static int open_together(enum generation_model model, enum figure figure, unsigned clients,
                         bool has_prefix, const struct hearth_harness_places *places,
                         struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct together *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->figure = figure;
    bench->clients = clients;
    bench->has_prefix = has_prefix;
    int rc = generation_open_pair(places, model, "", &bench->pair, err);
    if (rc < 0) {
        close_together(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .side_count = 2, .check = check, .close = close_together, .state = bench};
    for (size_t i = 0; i < 2; i++) {
        struct generation_side *side = &bench->pair.sides[i];
        side->pair = bench;
        ret->sides[i] =
            (struct hearth_harness_side){.name = side->name, .measure = measure, .arg = side};
    }
    return 0;
}

#define OPEN(name, model, figure, clients, has_prefix)                                             \
    static int name(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,  \
                    struct hearth_error *err)                                                      \
    {                                                                                              \
        return open_together(model, figure, clients, has_prefix, places, ret, err);                \
    }
OPEN(rate_smollm2_1, SMOLLM2, TOKEN_TIME, 1, false)
OPEN(rate_smollm2_4, SMOLLM2, TOKEN_TIME, 4, false)
OPEN(rate_smollm2_8, SMOLLM2, TOKEN_TIME, 8, false)
OPEN(rate_smollm2_16, SMOLLM2, TOKEN_TIME, 16, false)
OPEN(rate_half_1, HALF_BILLION, TOKEN_TIME, 1, false)
OPEN(rate_half_4, HALF_BILLION, TOKEN_TIME, 4, false)
OPEN(rate_half_8, HALF_BILLION, TOKEN_TIME, 8, false)
OPEN(rate_half_16, HALF_BILLION, TOKEN_TIME, 16, false)
OPEN(first_smollm2_1, SMOLLM2, FIRST_TOKEN, 1, false)
OPEN(first_smollm2_4, SMOLLM2, FIRST_TOKEN, 4, false)
OPEN(first_smollm2_8, SMOLLM2, FIRST_TOKEN, 8, false)
OPEN(first_smollm2_16, SMOLLM2, FIRST_TOKEN, 16, false)
OPEN(first_half_1, HALF_BILLION, FIRST_TOKEN, 1, false)
OPEN(first_half_4, HALF_BILLION, FIRST_TOKEN, 4, false)
OPEN(first_half_8, HALF_BILLION, FIRST_TOKEN, 8, false)
OPEN(first_half_16, HALF_BILLION, FIRST_TOKEN, 16, false)
OPEN(prefix_smollm2, SMOLLM2, FIRST_TOKEN, SHARERS, true)
OPEN(prefix_half, HALF_BILLION, FIRST_TOKEN, SHARERS, true)
#undef OPEN

#define RATE(name, count, least, opener)                                                           \
    {                                                                                              \
        .id = "gguf/throughput/" name "-" #count,                                                  \
        .help = "tokens of " #count " clients, 146 of a prompt and 64 more; beside llama-server",  \
        .kind = HEARTH_HARNESS_RATE, .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, least, false}},        \
        .open = opener                                                                             \
    }
#define FIRST(name, count, most, opener)                                                           \
    {                                                                                              \
        .id = "gguf/first-token/" name "-" #count,                                                 \
        .help = "p50 of " #count " clients that come together, 146 tokens; beside llama-server",   \
        .goals = {{HEARTH_GOAL_RATIO_AT_MOST, most, false}}, .open = opener                        \
    }
#define PREFIXED(name, opener)                                                                     \
    {                                                                                              \
        .id = "gguf/shared-prefix/" name,                                                          \
        .help = "first token, p50 of 8 clients: 400 tokens in common and 5 to 20 of their own",    \
        .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 0.4, false}}, .open = opener                         \
    }

const struct hearth_harness_case bench_generation_servers[] = {
    RATE("smollm2", 1, 1.0, rate_smollm2_1),
    RATE("smollm2", 4, 1.05, rate_smollm2_4),
    RATE("smollm2", 8, 1.05, rate_smollm2_8),
    RATE("smollm2", 16, 1.05, rate_smollm2_16),
    RATE("half-billion", 1, 1.0, rate_half_1),
    RATE("half-billion", 4, 1.05, rate_half_4),
    RATE("half-billion", 8, 1.05, rate_half_8),
    RATE("half-billion", 16, 1.05, rate_half_16),
    FIRST("smollm2", 1, 1.0, first_smollm2_1),
    FIRST("smollm2", 4, 0.7, first_smollm2_4),
    FIRST("smollm2", 8, 0.7, first_smollm2_8),
    FIRST("smollm2", 16, 0.7, first_smollm2_16),
    FIRST("half-billion", 1, 1.0, first_half_1),
    FIRST("half-billion", 4, 0.7, first_half_4),
    FIRST("half-billion", 8, 0.7, first_half_8),
    FIRST("half-billion", 16, 0.7, first_half_16),
    PREFIXED("smollm2", prefix_smollm2),
    PREFIXED("half-billion", prefix_half),
    {0},
};
