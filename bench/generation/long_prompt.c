/* long_prompt.c — four streams are running when a prompt of 2,000 tokens arrives: how long the
 * streams then pause, and when the newcomer gets its first token. */

#include "generation.h"

#include "hearth_os.h"

#include <stdlib.h>
#include <time.h>

#define STREAMS       4u
#define STREAM_PROMPT 32u
#define STREAM_TOKENS 1000u /* more than they come to before the newcomer's first token */
#define RUNNING       16u   /* tokens of each stream before the newcomer is sent */
#define LONG_PROMPT   2000u
#define SETTLE_NS     300000000L /* what was cancelled is over */
#define WAIT_MS       1000
#define LIMIT_NS      (120 * HEARTH_NS_PER_SEC)

enum figure { GAP_P99, GAP_WORST, FIRST_TOKEN };

struct intruded {
    struct generation_pair pair;
    enum figure figure;
    uint32_t ids[STREAMS + 1][LONG_PROMPT];
    double gaps[STREAMS * STREAM_TOKENS];
};

static void make_asks(struct intruded *bench, uint64_t turn, struct generate_ask *asks)
{
    for (unsigned i = 0; i <= STREAMS; i++) {
        bool is_long = i == STREAMS;
        uint32_t count = is_long ? LONG_PROMPT : STREAM_PROMPT;
        generation_prompt(turn * (STREAMS + 1) + i, bench->ids[i], count);
        asks[i] = (struct generate_ask){.ids = bench->ids[i],
                                        .id_count = count,
                                        .max_tokens = is_long ? 1 : STREAM_TOKENS,
                                        .after_tokens = is_long ? RUNNING : 0};
    }
}

/* Pauses of the streams that were not over before the newcomer came; one that has not ended when
 * its first token is there counts as long as it has lasted. */
static size_t collect_gaps(struct intruded *bench, const struct generate *done)
{
    const struct generate_answer *newcomer = generate_answer(done, STREAMS);
    size_t count = 0;
    for (unsigned i = 0; i < STREAMS; i++) {
        const struct generate_answer *stream = generate_answer(done, i);
        uint64_t last_ns = 0;
        for (uint32_t j = 0; j < stream->count; j++) {
            if (last_ns != 0 && stream->at_ns[j] > newcomer->begin_ns) {
                bench->gaps[count++] = (double)(stream->at_ns[j] - last_ns);
            }
            last_ns = stream->at_ns[j];
        }
        if (stream->end_ns == 0 && last_ns != 0 && last_ns < newcomer->first_ns) {
            bench->gaps[count++] = (double)(newcomer->first_ns - last_ns);
        }
    }
    return count;
}

static int figure_of(struct intruded *bench, const struct generate *done, double *ret,
                     struct hearth_error *err)
{
    const struct generate_answer *newcomer = generate_answer(done, STREAMS);
    if (bench->figure == FIRST_TOKEN) {
        *ret = (double)(newcomer->first_ns - newcomer->begin_ns);
        return 0;
    }
    size_t count = collect_gaps(bench, done);
    if (count == 0) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "no stream ran beside the long prompt");
    }
    hearth_stats_sort(bench->gaps, count);
    *ret = hearth_stats_quantile(bench->gaps, count, bench->figure == GAP_P99 ? 0.99 : 1.0);
    return 0;
}

static int run_until_first(const struct generate_server *server, const struct generate_ask *asks,
                           struct generate **ret, struct hearth_error *err)
{
    uint64_t end_ns = hearth_clock_ns() + LIMIT_NS;
    int rc = generate_open(server, asks, STREAMS + 1, ret, err);
    while (rc == 0 && generate_answer(*ret, STREAMS)->first_ns == 0) {
        rc = hearth_clock_ns() > end_ns
                 ? hearth_fail(err, HEARTH_E_EXPIRED, "no first token for two minutes")
                 : generate_step(*ret, WAIT_MS, err);
        if (rc == 0 && generate_answer(*ret, STREAMS)->end_ns != 0 &&
            generate_answer(*ret, STREAMS)->first_ns == 0) {
            rc = hearth_fail(err, HEARTH_E_INTERNAL, "the long prompt got no token");
        }
    }
    return rc;
}

static int measure(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct generation_side *side = arg;
    struct intruded *bench = side->pair;
    for (size_t i = 0; i < calls; i++) {
        struct generate_ask asks[STREAMS + 1];
        struct generate *done = NULL;
        make_asks(bench, side->turn++, asks);
        int rc = run_until_first(&side->server, asks, &done, err);
        rc = rc < 0 ? rc : figure_of(bench, done, &ret[i], err);
        generate_close(done); /* ends the streams */
        if (rc < 0) {
            return rc;
        }
        nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
    }
    return 0;
}

static int check(void *state, struct hearth_error *err)
{
    struct intruded *bench = state;
    return generation_check_pair(&bench->pair, err);
}

static void close_intruded(void *state)
{
    struct intruded *bench = state;
    generation_close_pair(&bench->pair);
    hearth_free(bench);
}

static int open_intruded(enum generation_model model, const char *options, enum figure figure,
                         const struct hearth_harness_places *places,
                         struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct intruded *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->figure = figure;
    int rc = generation_open_pair(places, model, options, &bench->pair, err);
    if (rc < 0) {
        close_intruded(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .side_count = 2, .check = check, .close = close_intruded, .state = bench};
    for (size_t i = 0; i < 2; i++) {
        struct generation_side *side = &bench->pair.sides[i];
        side->pair = bench;
        ret->sides[i] =
            (struct hearth_harness_side){.name = side->name, .measure = measure, .arg = side};
    }
    return 0;
}

#define OPEN(name, model, target, figure)                                                          \
    static int name(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,  \
                    struct hearth_error *err)                                                      \
    {                                                                                              \
        return open_intruded(model, "inter_token_ms = " #target "\n", figure, places, ret, err);   \
    }
OPEN(half_100_gap, HALF_BILLION, 100, GAP_P99)
OPEN(half_100_first, HALF_BILLION, 100, FIRST_TOKEN)
OPEN(half_300_gap, HALF_BILLION, 300, GAP_WORST)
OPEN(half_300_first, HALF_BILLION, 300, FIRST_TOKEN)
OPEN(smollm2_100_gap, SMOLLM2, 100, GAP_P99)
OPEN(smollm2_100_first, SMOLLM2, 100, FIRST_TOKEN)
OPEN(smollm2_300_gap, SMOLLM2, 300, GAP_WORST)
OPEN(smollm2_300_first, SMOLLM2, 300, FIRST_TOKEN)
#undef OPEN

#define CASES(model, of)                                                                           \
    {.id = "gguf/long-prompt/" model "-100-ms-gap",                                                \
     .help = "p99 pause of 4 streams while 2,000 tokens are read, target 100 ms",                  \
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 120e6, false}},                                        \
     .open = of##_100_gap},                                                                        \
        {.id = "gguf/long-prompt/" model "-100-ms-first",                                          \
         .help = "when those 2,000 tokens get their first token; beside llama-server",             \
         .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 1.4, false}},                                       \
         .open = of##_100_first},                                                                  \
        {.id = "gguf/long-prompt/" model "-300-ms-gap",                                            \
         .help = "longest pause of 4 streams meanwhile, target 300 ms; beside llama-server",       \
         .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 0.12, false}},                                      \
         .open = of##_300_gap},                                                                    \
    {                                                                                              \
        .id = "gguf/long-prompt/" model "-300-ms-first",                                           \
        .help = "when the 2,000 tokens get their first token, target 300 ms; beside llama-server", \
        .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 1.1, false}}, .open = of##_300_first                 \
    }

const struct hearth_harness_case bench_generation_long_prompt[] = {
    CASES("half-billion", half),
    CASES("smollm2", smollm2),
    {0},
};
