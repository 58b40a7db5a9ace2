/* generation.h — what the cases of generation share: models, prompts, and hearthd beside
 * llama-server with the same model file, threads, slots and size of the key-value cache. */

#ifndef HEARTH_BENCH_GENERATION_H
#define HEARTH_BENCH_GENERATION_H

#include "hearth_bench.h"

#include "generate.h"

#define GENERATION_SLOTS   16u
#define GENERATION_CONTEXT 2304u /* tokens of a slot: the longest prompt and its answer */
#define GENERATION_TOKENS  64u
#define GENERATION_PROMPT  146u

enum generation_model { SMOLLM2, HALF_BILLION, PHI3 };

/** Facts that cannot be read from outside of the file are written out here. */
struct generation_model_facts {
    const char *name;
    const char *folder; /* that the daemon is given */
    const char *file;
    uint32_t kv_bytes_per_token; /* in half precision */
    uint64_t read_bytes;         /* of the file a token: without the embedding, if it is apart */
};
const struct generation_model_facts *generation_facts(enum generation_model model);

/** @count tokens that mean nothing, drawn by @seed; none of them is special to any of the models.
 */
void generation_prompt(uint64_t seed, uint32_t *room, size_t count);

/** Starts hearthd with the model and @options ("key = value\n", maybe ""), and waits for it. */
int generation_start_hearthd(const struct hearth_harness_places *places,
                             enum generation_model model, const char *options, struct peer *ret,
                             struct hearth_error *err);

/** Asks until the server is ready and has answered a short prompt. HEARTH_E_NOT_READY: it never
 *  was. @pause_ns: between two tries. */
int generation_wait(const struct peer *peer, const struct generate_server *server,
                    uint64_t pause_ns, struct hearth_error *err);

/* ---- two servers ---------------------------------------------------------------------------- */

#define GENERATION_FIGURES 3u

struct generation_side {
    const char *name;
    struct peer peer;
    struct generate_server server;
    uint64_t turn; /* of its blocks: both sides get the same prompts in order */
    double figures[GENERATION_FIGURES]; /* of the block measured last, for cases that share a run */
    void *pair;
};

/** What a case of two servers keeps begins with this. */
struct generation_pair {
    struct generation_side sides[2]; /* hearthd, llama-server */
};

/**
 * Starts both, with 16 slots of 2,304 tokens, and warms them. @options: more for hearthd. @pair
 * begins what hearth_alloc() gave, and is freed by the close of the setup, or here if this fails.
 * @measure is given a side, sets its figures and returns the first.
 *
 * The check: both continue four prompts; most first tokens must agree (their batches differ, so
 * that a close choice may fall otherwise).
 */
int generation_open_pair(const struct hearth_harness_places *places, enum generation_model model,
                         const char *options, struct generation_pair *pair,
                         hearth_harness_measure_fn *measure, struct hearth_harness_setup *ret,
                         struct hearth_error *err);

#endif
