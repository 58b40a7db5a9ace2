/* pace.h — what a step may cost: how many threads a graph may have, how many rows of a prompt ride
 * along, and whether guessed rows pay. Pure: times come in, numbers go out.
 *
 * How many threads goes by two things. The threads of a graph wait for each other by spinning, so
 * one that the kernel has put aside for a neighbour holds up all the others, who burn the very core
 * it waits for: four threads on four busy cores are far slower than two. The thread that calls
 * never sleeps inside a graph; when it ran for much less than the time that went by, somebody took
 * its core. That may have been the host of a virtual machine, whom fewer threads do not move: so
 * cores are *short* only if, besides, more threads are runnable on this machine than it has cores.
 * Then half the threads go; when there was a core to spare for a while, one comes back. Answers do
 * not depend on the number. */

#ifndef HEARTH_GGUF_PACE_H
#define HEARTH_GGUF_PACE_H

#include "hearth_base.h"

#define GGUF_PACE_NS       50000000u /* of one measurement */
#define GGUF_SHORT_PERCENT 75u
#define GGUF_CALM_PERCENT  95u
#define GGUF_CALM_PACES    4u /* calm measurements before a thread comes back: 200 ms and more */
#define GGUF_STALL_NS      100000000u /* of one call before it is asked whether cores are short */

struct gguf_pace {
    unsigned most;    /* threads: never more, never less than 1 */
    unsigned allowed; /* now */
    unsigned calm;    /* measurements since the last short one */
};

/* How many threads were runnable on the machine, looked at in the middle of graphs. */
struct gguf_looks {
    unsigned count;
    unsigned crowded; /* more than there are cores */
    unsigned spare;   /* fewer */
};

/* What one measurement saw of the thread that calls. */
struct gguf_seen {
    uint64_t wall_ns;
    uint64_t ran_ns;
    struct gguf_looks looks; /* count 0: it cannot be told */
};

/** Begins with all threads allowed. */
void gguf_pace_begin(struct gguf_pace *pace, unsigned most);

/** True if the thread was kept from a core by others of this machine. */
bool gguf_pace_is_short(const struct gguf_seen *seen);

/** Allows half of the @threads that are in force. */
void gguf_pace_shed(struct gguf_pace *pace, unsigned threads);

/** Takes one measurement with @threads in force; returns false, and does nothing, if it is of less
 * than GGUF_PACE_NS: go on with the same one. */
bool gguf_pace_measure(struct gguf_pace *pace, unsigned threads, const struct gguf_seen *seen);

/* ---- rows of a prompt ------------------------------------------------------------------------ */

#define GGUF_AIM_PERCENT 90u /* of the time between two tokens: what a step may take */
#define GGUF_LEAST_CHUNK 8u  /* rows of a prompt in a step, however slow: it must come to an end */
#define GGUF_FIRST_CHUNK 32u /* while nothing was measured */
#define GGUF_ROW_GROUP   4u  /* rows that go by the weights together; the rest goes row by row */

/* A step takes a time that does not depend on its rows (the weights go by once) and some for each
 * row. Both are learnt from the steps as they come: each moves both numbers a part of the way to
 * what would have been right, by their shares, so neither ever falls below 0, and one that the step
 * says little about hardly moves (normalised exponentiated gradient; Kivinen and Warmuth, 1997). */
struct gguf_tempo {
    double fixed_ns;
    double row_ns;     /* 0: nothing was measured */
    uint64_t base_ns;  /* of a step without a prompt; 0: not known */
    uint64_t guess_ns; /* that a guessed row adds */
};

/** Takes the time of a step with @streams sequences that decode and @prompt_rows of prompts,
 *  without guesses. */
void gguf_tempo_measure(struct gguf_tempo *tempo, uint64_t wall_ns, uint32_t streams,
                        uint32_t prompt_rows);

/** Takes the time of a step without a prompt, with @guesses rows more than there are streams. */
void gguf_tempo_measure_guesses(struct gguf_tempo *tempo, uint64_t wall_ns, uint32_t guesses);

/** How many rows of prompts may ride along with @streams so that a step stays under @target_ns. If
 *  the streams alone take more than half of it, prompts have as much time as they: with many
 *  streams on a slow machine they would hardly come to an end. All rows together are a multiple of
 *  GGUF_ROW_GROUP if that leaves enough. From GGUF_LEAST_CHUNK (less only if @most is) to @most. */
uint32_t gguf_tempo_chunk(const struct gguf_tempo *tempo, uint64_t target_ns, uint32_t streams,
                          uint32_t most);

/* ---- guesses --------------------------------------------------------------------------------- */

#define GGUF_LUCK_ONE   1024u /* every guess was right */
#define GGUF_LUCK_REST  48u   /* steps without guesses after they did not pay */
#define GGUF_LUCK_PROBE 2u    /* rows to try again with */

/* Whether the guesses of one sequence are worth their rows. */
struct gguf_luck {
    uint32_t right; /* moving average of the share that was right, in GGUF_LUCK_ONE */
    uint32_t rest;  /* steps until they are tried again */
};

void gguf_luck_begin(struct gguf_luck *luck);

/** How many rows to guess now, at most @most: 0 while it does not pay. Counts a step of rest. */
uint32_t gguf_luck_rows(struct gguf_luck *luck, const struct gguf_tempo *tempo, uint32_t most);

/** @right of @guessed rows were right. */
void gguf_luck_measure(struct gguf_luck *luck, const struct gguf_tempo *tempo, uint32_t guessed,
                       uint32_t right);

#endif
