/* lane.h — a context of the library, and the rows of its next call.
 *
 * There are two lanes on one model. In the *shared* one all cells are one pool, so prefixes are
 * shared for nothing, rows of all sequences ride in one call, and flash attention passes over cells
 * of others. In the *exact* one each sequence has a stretch and a call of its own, prompts go in
 * chunks of a fixed grid, and flash attention is off, because on a CPU it splits a lone row's work
 * by the number of threads: there nothing beside a request changes a bit of its logits. */

#ifndef HEARTH_GGUF_LANE_H
#define HEARTH_GGUF_LANE_H

#include "hearth_engine.h"

#include <llama.h>

/* n_batch and n_ubatch of the lanes. More than 512 is no faster; 64 is 6 % slower than 128, and
 * bounds what a running stream waits for an exact neighbour's prompt to half of it. */
#define GGUF_SHARED_ROWS    512u
#define GGUF_EXACT_ROWS     64u
#define GGUF_MAX_LOGIT_ROWS 8u  /* of one sequence in one call */
#define GGUF_SPARE_LOGITS   14u /* rows with logits beyond one for each sequence */
#define GGUF_MAX_SEQUENCES  64u

struct gguf_sequence;

/* The rows of one sequence in a call. */
struct gguf_part {
    struct gguf_sequence *sequence;
    int32_t first_row;
    uint32_t rows;
};

struct gguf_lane {
    struct llama_context *context; /* NULL: there is no such lane */
    struct llama_batch batch;
    uint32_t sequences; /* that run in it at a time; their ids are below this */
    uint32_t most_rows;
    uint32_t most_logits;
    uint32_t logits; /* rows of the batch whose logits are wanted */
    struct gguf_part parts[GGUF_MAX_SEQUENCES];
    uint32_t part_count;
    uint64_t reserved; /* cells promised to sequences that run */
    uint64_t cells;
    bool must_not_abort; /* the next call moves cells first, which must not be done twice */
};

/* Makes both lanes by the engine's options. HEARTH_E_NO_MEMORY, HEARTH_E_INTERNAL. */
int gguf_make_lanes(struct hearth_engine *engine, struct hearth_error *err);
void gguf_free_lanes(struct hearth_engine *engine);

/* Empties the batch. */
void gguf_lane_begin(struct gguf_lane *lane);

/* Adds rows of @sequence for what it has to compute, guessed ones included, at most @most; returns
 * how many. 0: no room in this call. */
uint32_t gguf_lane_add(struct gguf_lane *lane, struct gguf_sequence *sequence, uint32_t most);

enum gguf_called {
    GGUF_DONE,
    GGUF_ABORTED, /* an item of the call must end; the cache is as it was */
    GGUF_FULL,    /* no cells; the cache is as it was */
    GGUF_FAILED   /* *@ret_code of the library; what the call's sequences hold is not known */
};

/* Computes the batch; again with fewer threads if cores are short. */
enum gguf_called gguf_lane_call(struct hearth_engine *engine, struct gguf_lane *lane,
                                int32_t *ret_code);

void gguf_begin_threads(struct hearth_engine *engine);
void gguf_end_threads(struct hearth_engine *engine);

#endif
