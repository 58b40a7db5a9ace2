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

enum figure { GAP_P99, GAP_WORST, FIRST_TOKEN }; /* of one run */

struct intruded {
    struct generation_pair pair;
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

static int find_figures(struct intruded *bench, const struct generate *done, double *ret,
                        struct hearth_error *err)
{
    const struct generate_answer *newcomer = generate_answer(done, STREAMS);
    size_t count = collect_gaps(bench, done);
    if (count == 0) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "no stream ran beside the long prompt");
    }
    hearth_stats_sort(bench->gaps, count);
    ret[GAP_P99] = hearth_stats_quantile(bench->gaps, count, 0.99);
    ret[GAP_WORST] = bench->gaps[count - 1];
    ret[FIRST_TOKEN] = (double)(newcomer->first_ns - newcomer->begin_ns);
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
        rc = rc < 0 ? rc : find_figures(bench, done, side->figures, err);
        generate_close(done); /* ends the streams */
        if (rc < 0) {
            return rc;
        }
        ret[i] = side->figures[GAP_P99];
        nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
    }
    return 0;
}

#define OPEN(name, model, target)                                                                  \
    static int name(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,  \
                    struct hearth_error *err)                                                      \
    {                                                                                              \
        struct intruded *bench = hearth_alloc(1, sizeof *bench);                                   \
        return bench == NULL                                                                       \
                   ? hearth_fail_oom(err)                                                          \
                   : generation_open_pair(places, model, "inter_token_ms = " #target "\n",         \
                                          &bench->pair, measure, ret, err);                        \
    }
OPEN(half_100, HALF_BILLION, 100)
OPEN(half_300, HALF_BILLION, 300)
OPEN(smollm2_100, SMOLLM2, 100)
OPEN(smollm2_300, SMOLLM2, 300)
#undef OPEN

#define CASES(model, of)                                                                           \
    {.id = "gguf/long-prompt/" model "-100-ms-gap",                                                \
     .help = "p99 pause of 4 streams while 2,000 tokens are read, target 100 ms",                  \
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 120e6, false}},                                        \
     .figure = GAP_P99,                                                                            \
     .open = of##_100},                                                                            \
        {.id = "gguf/long-prompt/" model "-100-ms-first",                                          \
         .help = "when those 2,000 tokens get their first token; beside llama-server",             \
         .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 1.4, false}},                                       \
         .figure = FIRST_TOKEN,                                                                    \
         .shares_run = true,                                                                       \
         .open = of##_100},                                                                        \
        {.id = "gguf/long-prompt/" model "-300-ms-gap",                                            \
         .help = "longest pause of 4 streams meanwhile, target 300 ms; beside llama-server",       \
         .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 0.12, false}},                                      \
         .figure = GAP_WORST,                                                                      \
         .open = of##_300},                                                                        \
    {                                                                                              \
        .id = "gguf/long-prompt/" model "-300-ms-first",                                           \
        .help = "when the 2,000 tokens get their first token, target 300 ms; beside llama-server", \
        .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 1.1, false}}, .figure = FIRST_TOKEN,                 \
        .shares_run = true, .open = of##_300                                                       \
    }

const struct hearth_harness_case bench_generation_long_prompt[] = {
    CASES("half-billion", half),
    CASES("smollm2", smollm2),
    {0},
};
