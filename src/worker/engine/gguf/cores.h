/* cores.h — whether others want the cores that a graph's threads run on; pace.h decides what
 * follows from it. Of the run thread alone. */

#ifndef HEARTH_GGUF_CORES_H
#define HEARTH_GGUF_CORES_H

#include "hearth_engine.h"
#include "pace.h"

/* Both clocks of the run thread at one moment. */
struct gguf_moment {
    uint64_t wall_ns;
    uint64_t cpu_ns;
};

struct gguf_cores {
    struct gguf_pace pace;
    int runnable_fd; /* see hearth_engine_plan */
    unsigned count;
    struct gguf_moment since; /* when the measurement began */
    struct gguf_looks looks;  /* in it */
    /* The call of the library that is under way. */
    struct gguf_moment call_since; /* when it began, or was found slow and let go on */
    uint64_t look_ns;              /* when it is looked at next */
    bool has_shed;                 /* it was given up to be made again with fewer threads */
};

void gguf_cores_begin(struct gguf_cores *cores, const struct hearth_engine_plan *plan,
                      unsigned most_threads);

/* The run thread was asleep: the time that went by says nothing about cores. */
void gguf_cores_wake(struct gguf_cores *cores);

/* A call with up to @cores->pace.allowed threads begins. */
void gguf_cores_call(struct gguf_cores *cores);

/* Asked between the nodes of the graph: true if cores are so short that it is quicker to give this
 * call up and make it again with fewer than its @threads. */
bool gguf_cores_must_shed(struct gguf_cores *cores, unsigned threads);

/* The call has returned; it had @threads. Changes how many the next may have. */
void gguf_cores_measure(struct gguf_cores *cores, unsigned threads);

#endif
