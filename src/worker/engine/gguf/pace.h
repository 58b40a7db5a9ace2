/* pace.h — how many threads a graph may have, by how much of the time its own thread really ran.
 * Pure: times come in, the number goes out.
 *
 * The threads of a graph wait for each other by spinning, so one that the kernel has put aside for
 * a neighbour holds up all the others, who burn the very core it waits for: four threads on four
 * busy cores are far slower than two. The thread that calls never sleeps inside a graph; when it
 * ran for much less than the time that went by, cores are short and half the threads go; when it
 * ran nearly all the time for a while, one comes back. Answers do not depend on the number.      */

#ifndef HEARTH_GGUF_PACE_H
#define HEARTH_GGUF_PACE_H

#include "hearth_base.h"

#define GGUF_PACE_NS       50000000u /* of one measurement */
#define GGUF_SHORT_PERCENT 75u
#define GGUF_CALM_PERCENT  95u
#define GGUF_CALM_PACES    20u /* calm measurements before a thread comes back: about a second */
#define GGUF_STALL_NS      100000000u /* of one call before it is asked whether cores are short */

struct gguf_pace {
    unsigned most;    /* threads: never more, never less than 1 */
    unsigned allowed; /* now */
    unsigned calm;    /* measurements since the last short one */
};

/** Begins with all threads allowed. */
void gguf_pace_begin(struct gguf_pace *pace, unsigned most);

/** True if a thread that ran for @ran_ns of @wall_ns was kept from a core. */
bool gguf_pace_is_short(uint64_t wall_ns, uint64_t ran_ns);

/** Allows half of the @threads that are in force. */
void gguf_pace_shed(struct gguf_pace *pace, unsigned threads);

/** Takes one measurement with @threads in force; returns false, and does nothing, if @wall_ns is
 *  too short to be one. */
bool gguf_pace_measure(struct gguf_pace *pace, unsigned threads, uint64_t wall_ns, uint64_t ran_ns);

#endif
