/* cancel.c — from the message that cancels to the moment at which no thread of the daemon and its
 * workers computes any more. */

#include "generation.h"

#include "hearth_os.h"

#include <time.h>

#define LONG_PROMPT  2000u
#define SHORT_PROMPT 16u
#define CALLS        10u
#define STEP_MS      5
#define SAMPLE_NS    200000L
#define QUIET_NS     (40 * HEARTH_NS_PER_MS) /* the kernel books running threads every 4 ms or so */
#define LIMIT_NS     (10 * HEARTH_NS_PER_SEC)
#define LEAST_NS     (20 * HEARTH_NS_PER_MS)  /* after the request … */
#define SPREAD_NS    (200 * HEARTH_NS_PER_MS) /* … by lot */
#define SETTLE_NS    300000000L

struct cancel {
    struct peer daemon;
    struct generate_server server;
    struct hearth_stats_random random;
    bool is_decoding; /* cancelled behind a few tokens, else before the first */
    uint64_t turn;
    uint64_t longest_step_ns; /* between two tokens of the stream that was cancelled last */
};

/* The last moment at which the CPU time of the daemon's processes was seen to have grown. */
static int wait_until_free(struct cancel *bench, struct generate *running, uint64_t *ret_ns,
                           struct hearth_error *err)
{
    uint64_t begin_ns = hearth_clock_ns();
    uint64_t used_ns = peer_tree_cpu_ns(bench->daemon.pid);
    *ret_ns = begin_ns;
    for (;;) {
        nanosleep(&(struct timespec){.tv_nsec = SAMPLE_NS}, NULL);
        uint64_t now_used_ns = peer_tree_cpu_ns(bench->daemon.pid);
        uint64_t now_ns = hearth_clock_ns();
        int rc = generate_is_done(running) ? 0 : generate_step(running, 0, err);
        if (rc < 0) {
            return rc;
        }
        if (now_used_ns != used_ns) {
            used_ns = now_used_ns;
            *ret_ns = now_ns;
        } else if (now_ns - *ret_ns > QUIET_NS && generate_is_done(running)) {
            return 0;
        }
        if (now_ns - begin_ns > LIMIT_NS) {
            return hearth_fail(err, HEARTH_E_EXPIRED, "cores are busy 10 s after a cancel");
        }
    }
}

static int run_until_due(struct cancel *bench, struct generate *running, struct hearth_error *err)
{
    uint64_t wait_ns = LEAST_NS + hearth_stats_next(&bench->random) % SPREAD_NS;
    uint64_t tokens = 4 + hearth_stats_next(&bench->random) % 16;
    int rc = generate_step(running, 0, err); /* sends it */
    const struct generate_answer *answer = generate_answer(running, 0);
    uint64_t end_ns = answer->begin_ns + wait_ns;
    while (rc == 0 && (bench->is_decoding ? answer->count < tokens : hearth_clock_ns() < end_ns)) {
        rc = generate_step(running, STEP_MS, err);
    }
    if (rc == 0 && (answer->end_ns != 0 || (!bench->is_decoding && answer->count > 0))) {
        rc = hearth_fail(err, HEARTH_E_INTERNAL, "it was over before it was cancelled");
    }
    if (rc == 0 && bench->is_decoding) { /* at any moment of a step */
        uint64_t step_ns = answer->at_ns[answer->count - 1] - answer->at_ns[answer->count - 2];
        long part_ns = (long)(hearth_stats_unit(&bench->random) * (double)step_ns);
        nanosleep(&(struct timespec){.tv_nsec = HEARTH_MIN(part_ns, 900000000L)}, NULL);
    }
    return rc;
}

static int cancel_once(struct cancel *bench, double *ret, struct hearth_error *err)
{
    uint32_t ids[LONG_PROMPT];
    uint32_t count = bench->is_decoding ? SHORT_PROMPT : LONG_PROMPT;
    struct generate_ask ask = {.ids = ids, .id_count = count, .max_tokens = 512};
    struct generate *running = NULL;
    uint64_t free_ns = 0;
    generation_prompt(bench->turn++, ids, count);
    nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
    int rc = generate_open(&bench->server, &ask, 1, &running, err);
    rc = rc < 0 ? rc : run_until_due(bench, running, err);
    uint64_t begin_ns = hearth_clock_ns();
    rc = rc < 0 ? rc : generate_cancel(running, 0, err);
    rc = rc < 0 ? rc : wait_until_free(bench, running, &free_ns, err);
    if (rc == 0) {
        const struct generate_answer *answer = generate_answer(running, 0);
        *ret = (double)(free_ns - begin_ns);
        bench->longest_step_ns = 0;
        for (uint32_t i = 1; i < answer->count; i++) {
            uint64_t step_ns = answer->at_ns[i] - answer->at_ns[i - 1];
            bench->longest_step_ns = HEARTH_MAX(bench->longest_step_ns, step_ns);
        }
        if (!answer->was_cancelled) {
            rc = hearth_fail(err, HEARTH_E_INTERNAL, "it did not end as cancelled");
        }
    }
    generate_close(running);
    return rc;
}

static int measure_cancel(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < calls; i++) {
        rc = cancel_once(arg, &ret[i], err);
    }
    return rc;
}

static int measure_step(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct cancel *bench = arg;
    double took = 0.0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < calls; i++) {
        rc = cancel_once(bench, &took, err);
        ret[i] = (double)bench->longest_step_ns;
    }
    return rc;
}

static int check(void *state, struct hearth_error *err)
{
    double took = 0.0;
    return cancel_once(state, &took, err);
}

static void close_cancel(void *state)
{
    struct cancel *bench = state;
    peer_stop(&bench->daemon);
    hearth_free(bench);
}

static int open_cancel(bool is_decoding, const struct hearth_harness_places *places,
                       struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct cancel *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->is_decoding = is_decoding;
    hearth_stats_seed(&bench->random, 5);
    int rc = generation_start_hearthd(
        places, HALF_BILLION, "sequences = 4\ncontext_tokens = 2560\n", &bench->daemon, err);
    bench->server = (struct generate_server){GENERATE_V2, bench->daemon.socket,
                                             generation_facts(HALF_BILLION)->name};
    if (rc < 0) {
        close_cancel(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .side_count = is_decoding ? 2 : 1,
        .check = check,
        .close = close_cancel,
        .state = bench,
        .sides = {{.name = "cores free", .measure = measure_cancel, .arg = bench},
                  {.name = "longest step", .measure = measure_step, .arg = bench}}};
    return 0;
}

static int open_prefill(const struct hearth_harness_places *places,
                        struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_cancel(false, places, ret, err);
}

static int open_decoding(const struct hearth_harness_places *places,
                         struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_cancel(true, places, ret, err);
}

const struct hearth_harness_case bench_generation_cancel[] = {
    {.id = "gguf/cancel/prefill",
     .help = "p95 from the cancel to free cores, while a prompt of 2,000 tokens is read",
     .calls = CALLS,
     .block_quantile = 0.95,
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 50e6, false}},
     .open = open_prefill},
    {.id = "gguf/cancel/decoding",
     .help = "the same while tokens come; beside the longest step between them",
     .calls = CALLS,
     .block_quantile = 0.95,
     .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 1.0, false}},
     .open = open_decoding},
    {0},
};
