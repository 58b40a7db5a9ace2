/* texts.h — the committed list of texts whose lengths are exact; see bench/texts/make_texts.py. */

#ifndef HEARTH_BENCH_TEXTS_H
#define HEARTH_BENCH_TEXTS_H

#include "hearth_base.h"

#define TEXTS_MAX        256u
#define TEXTS_MAX_TOKENS 128u

struct bench_text {
    const char *text;
    uint32_t id_count;
    uint32_t ids[TEXTS_MAX_TOKENS]; /* of all-MiniLM-L6-v2, special ones included */
};

struct bench_texts {
    size_t count;
    size_t token_count; /* of all */
    struct bench_text items[TEXTS_MAX];
    void *document; /* holds the texts */
};

/** Reads <top>/bench/texts/lognormal256.json. The caller ends it with texts_free(). */
int texts_read(const char *top, struct bench_texts **ret, struct hearth_error *err);
void texts_free(struct bench_texts *texts);

#endif
