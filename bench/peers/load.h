/* load.h — one event loop that keeps many connections busy, in whichever of two protocols: what
 * differs between the sides of a comparison is then the server alone. */

#ifndef HEARTH_LOAD_H
#define HEARTH_LOAD_H

#include "peers.h"

#define LOAD_MAX_CONNECTIONS 64u
#define LOAD_MAX_DEPTH       64u
#define LOAD_ANSWER_BYTES    (256u * 1024u) /* room for one answer, at least */

/** How requests look and how answers are recognised. */
struct load_protocol {
    /** Writes request @id, the @number-th of all connections from 0 on, into @room; its size. */
    size_t (*make)(const void *arg, uint64_t id, uint64_t number, uint8_t *room);
    /**
     * Looks at the first answer in @bytes: returns its size, 0 if it is not whole yet, or -1 if it
     * is not a good answer; sets *@ret_id (0: answers come in order).
     */
    long (*take)(const void *arg, const uint8_t *bytes, size_t size, uint64_t *ret_id);
    const void *arg;
    size_t request_bytes; /* of the largest request; 0: PEERS_FRAME_BYTES */
};

struct load;

/** Takes @count connected descriptors over (they become non-blocking). */
int load_create(const struct load_protocol *protocol, const int *fds, size_t count,
                struct load **ret, struct hearth_error *err);

/** The same with @count ≤ LOAD_MAX_CONNECTED new V2 sessions at @socket. */
#define LOAD_MAX_CONNECTED 64u
int load_connect(const struct load_protocol *protocol, const char *socket, size_t count,
                 struct load **ret, struct hearth_error *err);
void load_destroy(struct load *load);

/**
 * Sends @total requests, each connection with @depth in flight, and waits for all answers. Every
 * answer is checked to be one that is due. HEARTH_E_INTERNAL if not, HEARTH_E_DISCONNECTED.
 */
int load_run(struct load *load, uint64_t total, unsigned depth, struct hearth_error *err);

#endif
