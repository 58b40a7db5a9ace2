/* grammar.c — what a grammar costs a token: compiling, checking one token, masking a vocabulary.
 *
 * The vocabulary is made: 151,936 texts with the lengths, spaces and shares of other scripts that
 * large vocabularies have. A mask is timed at places where most of it fits, where little does, and
 * where nothing can be left out; one value is the slowest of them. */

#include "hearth_bench.h"

#include "hearth_grammar.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOKENS      151936u
#define TOKEN_BYTES 24u
#define PLACES      8u

static const char schema_text[] =
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"code\":{\"type\":"
    "\"string\",\"maxLength\":2000},\"date\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"note\":{\"type\":\"string\",\"pattern\":\"(foo|bar[a-z]*)+x\"},\"tree\":{\"$ref\":\"#/"
    "$defs/tree\"},\"any\":true},\"required\":[\"name\"],\"$defs\":{\"tree\":{\"type\":\"obje"
    "ct\",\"properties\":{\"value\":{\"type\":\"number\"},\"children\":{\"type\":\"array\",\""
    "items\":{\"$ref\":\"#/$defs/tree\"}}},\"required\":[\"value\"]}}}";

/* Where answers stand when they are masked. */
static const char *const begun[PLACES] = {
    "",
    "{\"name\":\"Ann",
    "{\"name\":\"",
    "{\"name\":\"A\",\"code\":\"x",
    "{\"name\":\"A\",\"note\":\"fo",
    "{\"name\":\"A\",\"tree\":{\"value\":1",
    "{\"name\":\"A\",\"any\":[",
    "{\"name\":\"A\"",
};

struct grammar_bench {
    struct hearth_grammar *grammar;
    struct hearth_matcher *matchers[PLACES];
    struct hearth_vocabulary *vocabulary;
    uint8_t (*texts)[TOKEN_BYTES];
    struct hearth_slice *tokens;
    uint64_t *bits;
    uint64_t random;
    uint64_t wrong;
    unsigned next;
};

static uint32_t lot(struct grammar_bench *bench, uint32_t bound)
{
    bench->random = bench->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(bench->random >> 33) % bound;
}

/* One text: a byte, a word of syllables, digits, signs, or characters of another script. */
static size_t make_text(struct grammar_bench *bench, uint32_t id, uint8_t *text)
{
    static const char letters[] = "etaoinshrdlucmfwypvbgkjqxz";
    static const char signs[] = "(){}[]<>;:,.=+-*/\"'\\_#$&|!?\n\t";
    uint32_t kind = lot(bench, 100);
    size_t size = 0;
    if (id < 256) {
        text[size++] = (uint8_t)id;
    } else if (kind < 60) {
        if (lot(bench, 2) == 0) {
            text[size++] = ' ';
        }
        for (uint32_t left = 2 + lot(bench, 5) + lot(bench, 6); left > 0; left--) {
            uint32_t rank = lot(bench, 26);
            text[size++] = (uint8_t)letters[HEARTH_MIN(rank, lot(bench, 26))];
        }
        text[size - 1] ^= lot(bench, 16) == 0 ? 0x20 : 0;
    } else if (kind < 70) {
        for (uint32_t left = 1 + lot(bench, 6); left > 0; left--) {
            text[size++] = (uint8_t)signs[lot(bench, sizeof signs - 1)];
        }
    } else if (kind < 72) {
        for (uint32_t left = 1 + lot(bench, 3); left > 0; left--) {
            text[size++] = (uint8_t)('0' + lot(bench, 10));
        }
    } else {
        for (uint32_t left = 1 + lot(bench, 4); left > 0; left--) {
            uint32_t character = kind < 90 ? 0x4E00 + lot(bench, 3000) : 0x400 + lot(bench, 96);
            size += hearth_utf8_write(character, text + size);
        }
    }
    return size;
}

static void turn_compile(void *arg, uint64_t times)
{
    struct grammar_bench *bench = arg;
    for (uint64_t i = 0; i < times; i++) {
        struct hearth_grammar *grammar = NULL;
        bench->wrong +=
            hearth_grammar_schema(hearth_slice_of_string(schema_text), &grammar, NULL) != 0;
        hearth_grammar_destroy(grammar);
    }
}

static void turn_check(void *arg, uint64_t times)
{
    struct grammar_bench *bench = arg;
    struct hearth_matcher *matcher = bench->matchers[1];
    for (uint64_t i = 0; i < times; i++) {
        struct hearth_slice token = bench->tokens[256 + bench->next++ % 4096];
        bench->bits[0] += hearth_matcher_fits(matcher, token);
    }
}

static double now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* A matcher that knows nothing yet, as at the first token of a schema that is new. */
static int stand_anew(struct grammar_bench *bench, unsigned place, struct hearth_error *err)
{
    struct hearth_grammar *other = NULL;
    struct hearth_slice one = hearth_slice_of_string("x");
    int rc = hearth_grammar_choices(&one, 1, &other, err);
    if (rc == 0) {
        rc = hearth_matcher_begin(bench->matchers[place], other, err);
        hearth_grammar_destroy(other);
    }
    if (rc == 0) {
        rc = hearth_matcher_begin(bench->matchers[place], bench->grammar, err);
    }
    return rc < 0 ? rc
                  : hearth_matcher_take(bench->matchers[place],
                                        hearth_slice_of_string(begun[place]), err);
}

/* Each value is one mask of one place that was never masked before; the places take turns. */
static int measure_mask(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct grammar_bench *bench = arg;
    for (size_t i = 0; i < calls; i++) {
        unsigned place = bench->next++ % PLACES;
        int rc = stand_anew(bench, place, err);
        double before = now_ns();
        if (rc == 0) {
            rc = hearth_matcher_mask(bench->matchers[place], bench->vocabulary, bench->bits, err);
        }
        if (rc < 0) {
            return rc;
        }
        ret[i] = now_ns() - before;
    }
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int check_grammar(void *state, struct hearth_error *err)
{
    struct grammar_bench *bench = state;
    turn_compile(bench, 1);
    for (unsigned place = 0; place < PLACES; place++) {
        struct hearth_matcher *matcher = bench->matchers[place];
        int rc = stand_anew(bench, place, err);
        if (rc == 0) {
            rc = hearth_matcher_mask(matcher, bench->vocabulary, bench->bits, err);
        }
        if (rc < 0) {
            return rc;
        }
        for (uint32_t id = 0; id < TOKENS; id++) {
            bool is_allowed = (bench->bits[id / 64] >> (id % 64) & 1) != 0;
            bench->wrong += is_allowed != hearth_matcher_fits(matcher, bench->tokens[id]);
        }
    }
    return bench->wrong == 0 ? 0
                             : hearth_fail(err, HEARTH_E_INTERNAL, "%lu tokens were judged wrongly",
                                           (unsigned long)bench->wrong);
}

static void close_grammar(void *state)
{
    struct grammar_bench *bench = state;
    for (unsigned place = 0; place < PLACES; place++) {
        hearth_matcher_destroy(bench->matchers[place]);
    }
    hearth_vocabulary_destroy(bench->vocabulary);
    hearth_grammar_destroy(bench->grammar);
    hearth_free(bench->texts);
    hearth_free(bench->tokens);
    hearth_free(bench->bits);
    hearth_free(bench);
}

static int fill(struct grammar_bench *bench, struct hearth_error *err)
{
    bench->texts = hearth_alloc(TOKENS, sizeof *bench->texts);
    bench->tokens = hearth_alloc(TOKENS, sizeof *bench->tokens);
    bench->bits = hearth_alloc((TOKENS + 63) / 64, sizeof *bench->bits);
    if (bench->texts == NULL || bench->tokens == NULL || bench->bits == NULL) {
        return hearth_fail_oom(err);
    }
    for (uint32_t id = 0; id < TOKENS; id++) {
        bench->tokens[id] =
            hearth_slice_of(bench->texts[id], make_text(bench, id, bench->texts[id]));
    }
    int rc = hearth_vocabulary_create(bench->tokens, TOKENS, &bench->vocabulary, err);
    if (rc == 0) {
        rc = hearth_grammar_schema(hearth_slice_of_string(schema_text), &bench->grammar, err);
    }
    for (unsigned place = 0; place < PLACES && rc == 0; place++) {
        rc = hearth_matcher_create(&bench->matchers[place], err);
        rc = rc < 0 ? rc : stand_anew(bench, place, err);
    }
    return rc;
}

static int open_side(struct hearth_harness_side side, struct hearth_harness_setup *ret,
                     struct hearth_error *err)
{
    struct grammar_bench *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    int rc = fill(bench, err);
    if (rc < 0) {
        close_grammar(bench);
        return rc;
    }
    side.arg = bench;
    *ret = (struct hearth_harness_setup){.sides = {side},
                                         .side_count = 1,
                                         .check = check_grammar,
                                         .close = close_grammar,
                                         .state = bench};
    return 0;
}

static int open_compile(const struct hearth_harness_places *places HEARTH_UNUSED,
                        struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_side((struct hearth_harness_side){.name = "compile", .loop = turn_compile}, ret,
                     err);
}

static int open_check(const struct hearth_harness_places *places HEARTH_UNUSED,
                      struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_side((struct hearth_harness_side){.name = "one token", .loop = turn_check}, ret,
                     err);
}

static int open_mask(const struct hearth_harness_places *places HEARTH_UNUSED,
                     struct hearth_harness_setup *ret, struct hearth_error *err)
{
    return open_side((struct hearth_harness_side){.name = "a first mask", .measure = measure_mask},
                     ret, err);
}

const struct hearth_harness_case bench_grammar[] = {
    {.id = "grammar/compile",
     .help = "a schema of six members, one of them a tree",
     .open = open_compile},
    {.id = "grammar/check",
     .help = "whether one token of text fits within a string",
     .open = open_check},
    {.id = "grammar/mask/152k",
     .help = "the first mask at each of 8 places of a schema; the 99th percentile",
     .calls = 800,
     .block_quantile = 0.99,
     .goals = {{HEARTH_GOAL_MEDIAN_AT_MOST, 3e6, false}},
     .open = open_mask},
    {0},
};
