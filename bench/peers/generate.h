/* generate.h — streams of generated tokens from hearthd (V2) and from llama-server (HTTP/1.1 with
 * server-sent events), read by one loop that notes when each token came. All is greedy.
 *
 * Connections are made, and requests written out, before the first is sent. One thread. */

#ifndef HEARTH_BENCH_GENERATE_H
#define HEARTH_BENCH_GENERATE_H

#include "peers.h"

#define GENERATE_MAX_ASKS   32u
#define GENERATE_MAX_TOKENS 1024u /* of one answer: most that may be asked for */

enum generate_kind { GENERATE_V2, GENERATE_HTTP };

struct generate_server {
    enum generate_kind kind;
    const char *socket;
    const char *model; /* V2 */
};

/** One request. The prompt is @ids, or @chat: one message of a user (V2 only). */
struct generate_ask {
    const uint32_t *ids;
    uint32_t id_count;
    const char *chat;
    const char *schema; /* JSON schema, or NULL (V2 only) */
    uint32_t max_tokens;
    uint32_t after_tokens; /* is sent when all asks with 0 here have so many tokens; 0: at once */
};

struct generate_answer {
    uint64_t begin_ns; /* sent; 0: not yet */
    uint64_t first_ns; /* the first token came; 0: none yet */
    uint64_t end_ns;   /* 0: not yet */
    uint32_t count;    /* tokens so far */
    uint32_t ids[GENERATE_MAX_TOKENS];
    uint64_t at_ns[GENERATE_MAX_TOKENS]; /* when each came */
    bool was_cancelled;
};

struct generate;

/** Connects and makes the requests; sends nothing. */
int generate_open(const struct generate_server *server, const struct generate_ask *asks,
                  size_t count, struct generate **ret, struct hearth_error *err);
void generate_close(struct generate *generate);

/**
 * Sends what is due and takes what has come; waits for something for at most @timeout_ms.
 * HEARTH_E_UNSUPPORTED: the server cannot do this; any other error: it failed or answered wrong.
 */
int generate_step(struct generate *generate, int timeout_ms, struct hearth_error *err);

/** Asks for the end of a request: a message (V2), or a closed connection. */
int generate_cancel(struct generate *generate, size_t which, struct hearth_error *err);

bool generate_is_done(const struct generate *generate);
const struct generate_answer *generate_answer(const struct generate *generate, size_t which);

/** Open and step until all are done; the answers are there until generate_close(). */
int generate_run(const struct generate_server *server, const struct generate_ask *asks,
                 size_t count, struct generate **ret, struct hearth_error *err);

#endif
