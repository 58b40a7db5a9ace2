/* transfer.h — one GET over HTTPS, with its redirects. The only file that knows libcurl is
 * transfer.c.
 *
 * Where it may go is decided here: https only, and plain http only on this machine (127.0.0.0/8,
 * ::1) and only if the hub itself is there. The token goes to the hub, never to where it redirects.
 */

#ifndef HEARTH_PULL_TRANSFER_H
#define HEARTH_PULL_TRANSFER_H

#include "head.h"
#include "problem.h"

struct pull_client;

struct pull_network {
    const char *hub;     /* its address; outlives the client, as all of these */
    const char *token;   /* or NULL */
    const char *ca_file; /* certificates to trust instead of the system's, or NULL */
    unsigned stall_secs; /* less than 1 kB/s for so long is a connection that has died */
};

/** What the answers on the way said of the file. */
struct pull_facts {
    char sha256[PULL_SHA256_BYTES + 1];
    char git_sha1[PULL_SHA1_BYTES + 1];
    char commit[PULL_SHA1_BYTES + 1];
    bool has_size;
    uint64_t size_bytes;
};

/** Where the bytes go. Both fill the problem and return a negative number to end the transfer. */
struct pull_sink {
    /** Called before the first byte of a 200 or 206. */
    int (*begin)(void *self, const struct pull_head *head, const struct pull_facts *facts,
                 struct pull_problem *problem);
    int (*take)(void *self, const void *data, size_t size, struct pull_problem *problem);
    /** Called now and then, also while nothing comes. */
    void (*tick)(void *self);
    void *self;
};

/** The caller owns *@ret. HEARTH_E_ARGUMENT if the hub's address is of no use, HEARTH_E_NO_MEMORY.
 */
int pull_client_create(const struct pull_network *network, struct pull_client **ret,
                       struct pull_problem *problem);
void pull_client_destroy(struct pull_client *client);

/**
 * Fetches @url from byte @from on (with @if_range, an entity tag or "", if that is not 0). Sets
 * *@ret_status to 200, 206 or 416.
 *
 * HEARTH_E_DISCONNECTED, HEARTH_E_EXPIRED (stalled) and HEARTH_E_NOT_READY (the server is busy) may
 * be otherwise the next time; HEARTH_E_DENIED, HEARTH_E_NO_REQUEST (no such file),
 * HEARTH_E_MALFORMED, HEARTH_E_TOO_LARGE may not. HEARTH_E_CANCELLED if a signal came; else what
 * the sink returned.
 */
int pull_client_get(struct pull_client *client, const char *url, uint64_t from,
                    const char *if_range, const struct pull_sink *sink, unsigned *ret_status,
                    struct pull_problem *problem);

#endif
