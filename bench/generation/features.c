/* features.c — what rules and guesses cost or gain: the same daemon, or two of them, with and
 * without. */

#include "generation.h"

#include "hearth_os.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <yyjson.h>

#define ASKS 50u
#define BLOCK_ASKS                                                                                 \
    10u /* a quad gives the same 20 to both sides, the next quad goes on behind them */
#define JSON_TOKENS 128u
#define TEXT_TOKENS 96u
#define REPEATED    24u /* tokens of the phrase that a prompt repeats */
#define REPEATS     12u
#define SETTLE_NS   50000000L

#define CHECK_ASKS   4u
#define CHECK_TOKENS 24u

struct features;

struct side {
    struct features *bench;
    struct peer daemon;
    struct generate_server server;
    bool has_it; /* rules, guesses */
    uint64_t turn;
};

struct features {
    yyjson_doc *document;
    struct generate_ask asks[ASKS];
    struct side sides[2];
    bool is_grammar;
    bool is_repetitive;
};

/* Adds the time between the first and the last token, and the tokens that came in it. */
static int run_one(struct side *side, const struct generate_ask *ask, uint64_t *ns,
                   uint64_t *tokens, struct hearth_error *err)
{
    struct generate *done = NULL;
    nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
    int rc = generate_run(&side->server, ask, 1, &done, err);
    if (rc < 0) {
        return rc;
    }
    const struct generate_answer *answer = generate_answer(done, 0);
    if (answer->count < 2) {
        rc = hearth_fail(err, HEARTH_E_INTERNAL, "an answer has %u tokens", answer->count);
    } else {
        *ns += answer->end_ns - answer->first_ns;
        *tokens += answer->count - 1;
    }
    generate_close(done);
    return rc;
}

static struct generate_ask ask_of_text(const struct features *bench, uint64_t turn, uint32_t *ids)
{
    generation_prompt(turn, ids, REPEATED * REPEATS);
    for (uint32_t i = REPEATED; bench->is_repetitive && i < REPEATED * REPEATS; i++) {
        ids[i] = ids[i - REPEATED];
    }
    return (struct generate_ask){
        .ids = ids, .id_count = REPEATED * REPEATS, .max_tokens = TEXT_TOKENS};
}

/* The mean time of a token, over prompts of all lengths of answers. */
static int measure_json(struct side *side, double *ret, struct hearth_error *err)
{
    uint64_t ns = 0;
    uint64_t tokens = 0;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < BLOCK_ASKS; i++) {
        struct generate_ask ask = side->bench->asks[side->turn++ % ASKS];
        ask.schema = side->has_it ? ask.schema : NULL;
        rc = run_one(side, &ask, &ns, &tokens, err);
    }
    *ret = (double)ns / (double)HEARTH_MAX(tokens, (uint64_t)1);
    return rc;
}

static int measure_text(struct side *side, double *ret, struct hearth_error *err)
{
    uint32_t ids[REPEATED * REPEATS];
    struct generate_ask ask = ask_of_text(side->bench, side->turn++, ids);
    uint64_t ns = 0;
    uint64_t tokens = 0;
    int rc = run_one(side, &ask, &ns, &tokens, err);
    *ret = (double)ns / (double)HEARTH_MAX(tokens, (uint64_t)1);
    return rc;
}

static int measure(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct side *side = arg;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < calls; i++) {
        rc = side->bench->is_grammar ? measure_json(side, &ret[i], err)
                                     : measure_text(side, &ret[i], err);
    }
    return rc;
}

/* Both answer; what an answer by a schema says is the concern of tests. */
static int check_json(struct features *bench, struct hearth_error *err)
{
    uint64_t ns = 0;
    uint64_t tokens = 0;
    struct generate_ask ask = bench->asks[0];
    int rc = run_one(&bench->sides[0], &ask, &ns, &tokens, err);
    ask.schema = NULL;
    return rc < 0 ? rc : run_one(&bench->sides[1], &ask, &ns, &tokens, err);
}

static bool are_equal(const struct generate_answer *one, const struct generate_answer *other)
{
    return one->count == other->count && one->count > 0 &&
           memcmp(one->ids, other->ids, one->count * sizeof *one->ids) == 0;
}

/* Guesses change no token; but rows that are computed together may turn a close choice. */
static int check_text(struct features *bench, struct hearth_error *err)
{
    unsigned equal = 0;
    for (uint64_t i = 0; i < CHECK_ASKS; i++) {
        uint32_t ids[REPEATED * REPEATS];
        struct generate_ask ask = ask_of_text(bench, UINT64_MAX - i, ids);
        struct generate *done[2] = {NULL, NULL};
        ask.max_tokens = CHECK_TOKENS;
        int rc = generate_run(&bench->sides[0].server, &ask, 1, &done[0], err);
        rc = rc < 0 ? rc : generate_run(&bench->sides[1].server, &ask, 1, &done[1], err);
        equal += rc == 0 && are_equal(generate_answer(done[0], 0), generate_answer(done[1], 0));
        generate_close(done[0]);
        generate_close(done[1]);
        if (rc < 0) {
            return rc;
        }
    }
    return equal >= CHECK_ASKS - 1
               ? 0
               : hearth_fail(err, HEARTH_E_INTERNAL, "with guesses %u of %u answers are the same",
                             equal, CHECK_ASKS);
}

static int check(void *state, struct hearth_error *err)
{
    struct features *bench = state;
    return bench->is_grammar ? check_json(bench, err) : check_text(bench, err);
}

static void close_features(void *state)
{
    struct features *bench = state;
    peer_stop(&bench->sides[0].daemon);
    peer_stop(&bench->sides[1].daemon);
    yyjson_doc_free(bench->document);
    hearth_free(bench);
}

static int read_asks(struct features *bench, const struct hearth_harness_places *places,
                     struct hearth_error *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/bench/texts/json50.json", places->models);
    bench->document = yyjson_read_file(path, 0, NULL, NULL);
    yyjson_val *root = yyjson_doc_get_root(bench->document);
    bool is_good = yyjson_arr_size(root) == ASKS;
    for (size_t i = 0; is_good && i < ASKS; i++) {
        yyjson_val *row = yyjson_arr_get(root, i);
        bench->asks[i] =
            (struct generate_ask){.chat = yyjson_get_str(yyjson_obj_get(row, "prompt")),
                                  .schema = yyjson_get_str(yyjson_obj_get(row, "schema")),
                                  .max_tokens = JSON_TOKENS};
        is_good = bench->asks[i].chat != NULL && bench->asks[i].schema != NULL;
    }
    return is_good ? 0
                   : hearth_fail(err, HEARTH_E_UNSUPPORTED,
                                 "%.100s is not there: run it in the clone, or say --models", path);
}

static int start_side(struct side *side, struct features *bench, bool has_it, const char *options,
                      const struct hearth_harness_places *places, struct hearth_error *err)
{
    side->bench = bench;
    side->has_it = has_it;
    side->server =
        (struct generate_server){GENERATE_V2, side->daemon.socket, generation_facts(SMOLLM2)->name};
    return generation_start_hearthd(places, SMOLLM2, options, &side->daemon, err);
}

static int open_features(bool is_grammar, bool is_repetitive,
                         const struct hearth_harness_places *places,
                         struct hearth_harness_setup *ret, struct hearth_error *err)
{
    struct features *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    bench->is_grammar = is_grammar;
    bench->is_repetitive = is_repetitive;
    int rc = is_grammar ? read_asks(bench, places, err) : 0;
    const char *with = is_grammar ? "" : "drafts = true\n";
    const char *without = is_grammar ? "" : "drafts = false\n";
    rc = rc < 0 ? rc : start_side(&bench->sides[0], bench, true, with, places, err);
    rc = rc < 0 ? rc : start_side(&bench->sides[1], bench, false, without, places, err);
    if (rc < 0) {
        close_features(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .side_count = 2,
        .check = check,
        .close = close_features,
        .state = bench,
        .sides = {{.name = "with", .measure = measure, .arg = &bench->sides[0]},
                  {.name = "without", .measure = measure, .arg = &bench->sides[1]}}};
    return 0;
}

static int open_grammar(const struct hearth_harness_places *places,
                        struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_features(true, false, places, ret, err);
}

static int open_repetitive(const struct hearth_harness_places *places,
                           struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_features(false, true, places, ret, err);
}

static int open_varied(const struct hearth_harness_places *places, struct hearth_harness_setup *ret,
                       struct hearth_error *err)
{
    return open_features(false, false, places, ret, err);
}

const struct hearth_harness_case bench_generation_features[] = {
    {.id = "gguf/grammar/smollm2",
     .help = "a token of an answer in JSON, 50 prompts: with its schema beside without",
     .goals = {{HEARTH_GOAL_RATIO_AT_MOST, 1.10, false}},
     .open = open_grammar},
    {.id = "gguf/drafts/repetitive",
     .help = "a token after a prompt that repeats itself: with guesses beside without",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 1.0, false}},
     .open = open_repetitive},
    {.id = "gguf/drafts/varied",
     .help = "a token after a prompt in which nothing repeats: guesses must cost nothing",
     .kind = HEARTH_HARNESS_RATE,
     .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 0.98, false}},
     .open = open_varied},
    {0},
};
