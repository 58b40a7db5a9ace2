/* calibrate.c — see calibrate.h. */

#include "calibrate.h"

#define FIRST_TOKENS 4u
#define TRIES        3u /* of one length and session; the best counts, because noise only adds */
#define WARM_UP      4u /* wide runs first: their threads are new, their caches cold */
#define WINS         2u /* in a row, then longer runs are not tried */
/* Whose longest runs take less has nothing to gain from more threads. */
#define WORTHLESS_NS UINT64_C(1000000)
/* A run of full length takes more than its share of tokens: attention grows with the square. */
#define LONGER_TIMES 2u

struct state {
    const struct calibrate_runs *runs;
    struct run_memory *memory;
    struct choice *choice;
    uint64_t start_bytes;
    uint64_t start_ns;
};

static uint64_t elapsed_ns(const struct state *state)
{
    return state->runs->now_ns(state->runs->arg) - state->start_ns;
}

/* What was ever used of the arena is what the longest run so far took. */
static void learn_memory(const struct state *state, size_t tokens)
{
    uint64_t now = state->runs->memory_bytes(state->runs->arg);
    if (now > state->start_bytes) {
        run_memory_learn(state->memory, tokens, now - state->start_bytes);
    }
}

/* The best of a few runs, the first of which also grows the arena; 0 if one fails. */
static uint64_t best_ns(const struct state *state, size_t tokens, bool is_wide)
{
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; i < TRIES && (i < 2 || elapsed_ns(state) < CALIBRATE_NS); i++) {
        uint64_t before = elapsed_ns(state);
        if (state->runs->run(state->runs->arg, tokens, is_wide, NULL) < 0) {
            return 0;
        }
        best = HEARTH_MIN(best, HEARTH_MAX(elapsed_ns(state) - before, (uint64_t)1));
    }
    return best;
}

static void warm_up(const struct state *state, size_t tokens, uint64_t narrow_ns)
{
    for (unsigned i = 0; i < WARM_UP && WARM_UP * narrow_ns < CALIBRATE_NS / 4; i++) {
        (void)state->runs->run(state->runs->arg, tokens, true, NULL); /* the measured run says it */
    }
}

/* Of one length, both ways; 0 in either: a run failed. */
static void measure(const struct state *state, size_t tokens, bool has_wide, bool is_first,
                    uint64_t *ret_narrow_ns, uint64_t *ret_wide_ns)
{
    *ret_narrow_ns = best_ns(state, tokens, false);
    *ret_wide_ns = *ret_narrow_ns;
    if (has_wide && *ret_narrow_ns != 0) {
        if (is_first) {
            warm_up(state, tokens, *ret_narrow_ns);
        }
        *ret_wide_ns = best_ns(state, tokens, true);
    }
}

/* Lengths in turn; false if a run failed. */
static bool find_threshold(const struct state *state, size_t most, bool has_wide,
                           struct calibration *ret)
{
    unsigned wins = 0;
    size_t tokens = HEARTH_MIN(most, (size_t)FIRST_TOKENS);
    for (;; tokens = HEARTH_MIN(most, 2 * tokens)) {
        uint64_t narrow_ns = 0;
        uint64_t wide_ns = 0;
        measure(state, tokens, has_wide, ret->longest == 0, &narrow_ns, &wide_ns);
        if (wide_ns == 0) {
            return false;
        }
        learn_memory(state, tokens);
        choice_note(state->choice, tokens, false, narrow_ns);
        choice_note(state->choice, tokens, true, wide_ns);
        ret->longest = tokens;
        ret->tokens_per_second = tokens * UINT64_C(1000000000) / narrow_ns;
        bool is_won = choice_pays(narrow_ns, wide_ns);
        ret->wide_from = is_won && wins == 0 ? tokens : is_won ? ret->wide_from : CHOICE_NEVER;
        wins = is_won ? wins + 1 : 0;
        ret->is_worthless = wins == 0 && narrow_ns < WORTHLESS_NS;
        if (tokens >= most || wins == WINS || (!has_wide && tokens >= 2 * FIRST_TOKENS)) {
            return true;
        }
        /* Twice the length, at least two runs each. */
        if (elapsed_ns(state) + 4 * (narrow_ns + wide_ns) > CALIBRATE_NS) {
            return true; /* what is longer still is learned from the first requests */
        }
    }
}

void calibrate(const struct calibrate_runs *runs, size_t max_tokens, bool has_wide,
               uint64_t start_bytes, struct run_memory *memory, struct choice *choice,
               struct calibration *ret)
{
    struct state state = {.runs = runs,
                          .memory = memory,
                          .choice = choice,
                          .start_bytes = start_bytes,
                          .start_ns = runs->now_ns(runs->arg)};
    *ret = (struct calibration){.wide_from = CHOICE_NEVER};
    bool is_sound =
        find_threshold(&state, HEARTH_MIN(max_tokens, (size_t)CALIBRATE_MAX_TOKENS), has_wide, ret);
    uint64_t second = UINT64_C(1000000000);
    uint64_t foreseen_ns =
        LONGER_TIMES * max_tokens * second / HEARTH_MAX(ret->tokens_per_second, (uint64_t)1);
    if (is_sound && max_tokens > run_memory_longest(memory) &&
        foreseen_ns <= CALIBRATE_LONGEST_NS &&
        runs->run(runs->arg, max_tokens, max_tokens >= ret->wide_from, NULL) == 0) {
        learn_memory(&state, max_tokens);
    }
    ret->took_ns = elapsed_ns(&state);
}
