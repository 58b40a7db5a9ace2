/* inproc.c — the ways to embed a list without a daemon. */

#include "inproc.h"

#include "hearth_os.h"
#include "session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define MAX_THREADS 64u
/* As src/worker/engine/onnx/session.h has it: a lonely text is compared under the same setting. */
#define DAEMON_SPIN_US "500"

struct inproc {
    const struct bench_texts *texts;
    struct runtime runtime;
    OrtSession *wide;   /* all cores in one run */
    OrtSession *narrow; /* one core a run */
    unsigned threads;
    struct scratch *scratch; /* one a thread */
    uint16_t given[TEXTS_MAX];
    uint16_t sorted[TEXTS_MAX]; /* longest first */
};

static const struct {
    const char *name;
    size_t group;
    bool is_sorted;
    bool is_narrow;
} ways[INPROC_WAYS] = {
    [INPROC_PADDED] = {"padded groups of 32", GROUP_MAX, false, false},
    [INPROC_SORTED] = {"sorted groups of 32", GROUP_MAX, true, false},
    [INPROC_FOURS] = {"sorted fours, a core each", 4, true, true},
    [INPROC_ALONE] = {"unpadded, a core each", 1, true, true},
};

const char *inproc_way_name(enum inproc_way way)
{
    return ways[way].name;
}

/* ---- opening -------------------------------------------------------------------------------- */

static int by_length(const void *a, const void *b, void *arg)
{
    const struct bench_texts *texts = arg;
    uint32_t left = texts->items[*(const uint16_t *)a].id_count;
    uint32_t right = texts->items[*(const uint16_t *)b].id_count;
    return (left < right) - (left > right);
}

static void sort_texts(struct inproc *inproc)
{
    size_t count = inproc->texts->count;
    for (size_t i = 0; i < count; i++) {
        inproc->given[i] = (uint16_t)i;
        inproc->sorted[i] = (uint16_t)i;
    }
    qsort_r(inproc->sorted, count, sizeof *inproc->sorted, by_length,
            (void *)(uintptr_t)inproc->texts);
}

int inproc_open(const char *model_folder, const struct bench_texts *texts, enum inproc_use use,
                struct inproc **ret, struct hearth_error *err)
{
    struct hearth_cpu_count cores;
    struct inproc *inproc = hearth_alloc(1, sizeof *inproc);
    if (inproc == NULL) {
        return hearth_fail_oom(err);
    }
    hearth_cpu_count(&cores);
    inproc->texts = texts;
    inproc->threads = HEARTH_MIN(cores.available, MAX_THREADS);
    sort_texts(inproc);
    inproc->scratch = hearth_alloc(inproc->threads, sizeof *inproc->scratch);
    int rc = inproc->scratch == NULL ? hearth_fail_oom(err) : runtime_start(&inproc->runtime, err);
    rc = rc < 0 ? rc
                : session_make(&inproc->runtime, model_folder, (int)inproc->threads,
                               use == INPROC_ONE ? DAEMON_SPIN_US : NULL, &inproc->wide, err);
    if (rc == 0 && use == INPROC_MANY) {
        rc = session_make(&inproc->runtime, model_folder, 1, NULL, &inproc->narrow, err);
    }
    if (rc < 0) {
        inproc_close(inproc);
        return rc;
    }
    *ret = inproc;
    return 0;
}

void inproc_close(struct inproc *inproc)
{
    if (inproc == NULL) {
        return;
    }
    if (inproc->wide != NULL) {
        inproc->runtime.api->ReleaseSession(inproc->wide);
    }
    if (inproc->narrow != NULL) {
        inproc->runtime.api->ReleaseSession(inproc->narrow);
    }
    runtime_end(&inproc->runtime);
    hearth_free(inproc->scratch);
    hearth_free(inproc);
}

/* ---- running -------------------------------------------------------------------------------- */

/* One pass over the list that several threads share. */
struct pass {
    struct inproc *inproc;
    const uint16_t *order;
    OrtSession *session;
    size_t group;
    float *vectors;
    atomic_size_t next;      /* text */
    atomic_uint next_thread; /* which scratch */
    atomic_bool has_failed;  /* then @err tells */
    struct hearth_error *err;
};

static void *work(void *arg)
{
    struct pass *pass = arg;
    struct inproc *inproc = pass->inproc;
    struct scratch *scratch = &inproc->scratch[atomic_fetch_add(&pass->next_thread, 1)];
    size_t count = inproc->texts->count;
    for (size_t at; (at = atomic_fetch_add(&pass->next, pass->group)) < count;) {
        struct hearth_error err = {0};
        int rc = session_embed(&inproc->runtime, pass->session, inproc->texts, &pass->order[at],
                               HEARTH_MIN(pass->group, count - at), scratch, pass->vectors, &err);
        if (rc < 0 && !atomic_exchange(&pass->has_failed, true) && pass->err != NULL) {
            *pass->err = err;
        }
    }
    return NULL;
}

int inproc_run(struct inproc *inproc, enum inproc_way way, float *vectors, struct hearth_error *err)
{
    pthread_t threads[MAX_THREADS];
    struct pass pass = {.inproc = inproc,
                        .order = ways[way].is_sorted ? inproc->sorted : inproc->given,
                        .session = ways[way].is_narrow ? inproc->narrow : inproc->wide,
                        .group = ways[way].group,
                        .vectors = vectors,
                        .err = err};
    unsigned others = 0;
    while (ways[way].is_narrow && others < inproc->threads - 1 &&
           pthread_create(&threads[others], NULL, work, &pass) == 0) {
        others++;
    }
    work(&pass);
    for (unsigned i = 0; i < others; i++) {
        pthread_join(threads[i], NULL);
    }
    return atomic_load(&pass.has_failed) ? HEARTH_E_INTERNAL : 0;
}

int inproc_run_one(struct inproc *inproc, size_t which, float *vectors, struct hearth_error *err)
{
    return session_embed(&inproc->runtime, inproc->wide, inproc->texts, &inproc->given[which], 1,
                         inproc->scratch, vectors, err);
}

int inproc_find_best(struct inproc *inproc, float *vectors, enum inproc_way *ret,
                     struct hearth_error *err)
{
    uint64_t best_ns = UINT64_MAX;
    for (unsigned way = 0; way < INPROC_WAYS; way++) {
        for (unsigned i = 0; i < 3; i++) {
            uint64_t begin_ns = hearth_clock_ns();
            int rc = inproc_run(inproc, (enum inproc_way)way, vectors, err);
            uint64_t took_ns = hearth_clock_ns() - begin_ns;
            if (rc < 0) {
                return rc;
            }
            if (i > 0 && took_ns < best_ns) {
                best_ns = took_ns;
                *ret = (enum inproc_way)way;
            }
        }
    }
    return 0;
}
