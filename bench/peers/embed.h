/* embed.h — embedding requests as hearthd takes them (V2) and as the servers of bench/servers do
 * (HTTP/1.1 with keep-alive), for load_run() and for one blocking connection. */

#ifndef HEARTH_BENCH_EMBED_H
#define HEARTH_BENCH_EMBED_H

#include "load.h"
#include "texts.h"

#define EMBED_WIDTH 384u /* floats of a vector of all-MiniLM-L6-v2 */

enum embed_kind { EMBED_V2_TEXTS, EMBED_V2_IDS, EMBED_HTTP };

struct embed_request {
    uint8_t *bytes;
    size_t size;
};

/** The whole list as requests of equal size; read-only once made. */
struct embed_requests {
    enum embed_kind kind;
    size_t per_request; /* texts */
    size_t count;
    size_t largest_bytes;
    struct embed_request items[TEXTS_MAX];
};

/** @per_request must divide the number of texts. Ended with embed_free(), also after a failure. */
int embed_make(const struct bench_texts *texts, enum embed_kind kind, size_t per_request,
               struct embed_requests *ret, struct hearth_error *err);
void embed_free(struct embed_requests *requests);

/** How load_run() sends them; @requests must live as long. The list is gone through in order. */
struct load_protocol embed_protocol(const struct embed_requests *requests);

/** Asks for all texts, one request after the other; @vectors has room for all. */
int embed_ask_all(int fd, const struct embed_requests *requests, float *vectors,
                  struct hearth_error *err);

/** Asks request @which and looks at the answer as load_run() does: no vectors are decoded. */
int embed_ask(int fd, const struct embed_requests *requests, size_t which,
              struct hearth_error *err);

/** The smallest cosine of @count pairs of vectors. */
double embed_least_cosine(const float *a, const float *b, size_t count);

/** HEARTH_E_INTERNAL unless each vector has a cosine of at least 0.999 with its counterpart. */
int embed_compare(const char *who, const float *found, const float *wanted, size_t count,
                  struct hearth_error *err);

#endif
