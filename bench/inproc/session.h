/* session.h — private to inproc: one session and one run of it. */

#ifndef HEARTH_INPROC_SESSION_H
#define HEARTH_INPROC_SESSION_H

#include "inproc.h"

#include <onnxruntime_c_api.h>

#define GROUP_MAX 32u

/* What one thread needs for a run. */
struct scratch {
    int64_t ids[GROUP_MAX * TEXTS_MAX_TOKENS];
    int64_t mask[GROUP_MAX * TEXTS_MAX_TOKENS];
    int64_t types[GROUP_MAX * TEXTS_MAX_TOKENS];
};

struct runtime {
    const OrtApi *api;
    OrtEnv *env;
    OrtMemoryInfo *memory;
};

int runtime_start(struct runtime *ret, struct hearth_error *err);
void runtime_end(struct runtime *runtime);

/** @spin_us: how long threads look for work, NULL: as the library likes. */
int session_make(const struct runtime *runtime, const char *model_folder, int threads,
                 const char *spin_us, OrtSession **ret, struct hearth_error *err);

/** Runs @count ≤ GROUP_MAX texts, padded to the longest; a vector goes to @vectors by the text's
 *  place in the list. May be called from several threads with a scratch each. */
int session_embed(const struct runtime *runtime, OrtSession *session,
                  const struct bench_texts *texts, const uint16_t *which, size_t count,
                  struct scratch *scratch, float *vectors, struct hearth_error *err);

#endif
