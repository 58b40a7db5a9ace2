/* inproc.h — the list of texts embedded by ONNX Runtime in this process, in the ways that a program
 * without a daemon would choose. Token ids are given: nothing is tokenised here. Pooling (mean) and
 * normalising are included.
 *
 * One thread calls; all functions block. */

#ifndef HEARTH_BENCH_INPROC_H
#define HEARTH_BENCH_INPROC_H

#include "embed.h"

struct inproc;

enum inproc_way {
    INPROC_PADDED, /* groups of 32 as they come, padded to the longest; all cores in one run */
    INPROC_SORTED, /* the same of the sorted list: groups of nearly equal length */
    INPROC_FOURS,  /* sorted groups of four, each on one core, as many at once as there are cores */
    INPROC_ALONE,  /* each text alone and unpadded on one core, longest first, as many at once */
    INPROC_WAYS
};
const char *inproc_way_name(enum inproc_way way);

enum inproc_use {
    INPROC_MANY, /* sessions as their users make them: threads spin as the library likes */
    INPROC_ONE   /* one session on all cores that spins as the daemon's does */
};

/** Opens the model of folder @model_folder. HEARTH_E_UNSUPPORTED if it is not there. */
int inproc_open(const char *model_folder, const struct bench_texts *texts, enum inproc_use use,
                struct inproc **ret, struct hearth_error *err);
void inproc_close(struct inproc *inproc);

/** Embeds the whole list; @vectors has room for all. Needs INPROC_MANY. */
int inproc_run(struct inproc *inproc, enum inproc_way way, float *vectors,
               struct hearth_error *err);

/** Embeds text @which of the list on all cores; its place in @vectors. Needs INPROC_ONE. */
int inproc_run_one(struct inproc *inproc, size_t which, float *vectors, struct hearth_error *err);

/** The way that takes the least time: each runs once to warm up and then twice, the better counts.
 */
int inproc_find_best(struct inproc *inproc, float *vectors, enum inproc_way *ret,
                     struct hearth_error *err);

#endif
