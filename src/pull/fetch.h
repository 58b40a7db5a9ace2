/* fetch.h — one file from a hub into the cache: what is there is not fetched, what is begun goes
 * on.
 *
 * The cache is <folder>/pull/: blobs/<sha256>, parts/<key> (with <key>.etag beside it), refs/<key>,
 * which notes the digest of a file that the hub told and nobody else. Two programs may use it at
 * once. */

#ifndef HEARTH_PULL_FETCH_H
#define HEARTH_PULL_FETCH_H

#include "catalogue.h"
#include "folders.h"
#include "progress.h"
#include "transfer.h"

/** How to fetch; lent for the time of a call. */
struct pull_fetcher {
    const char *cache; /* the folder above pull/ */
    const char *hub;
    struct pull_client *client; /* NULL: offline, no connection is made */
    unsigned retries;           /* after failures that brought nothing */
    bool is_quiet;
    struct pull_progress progress;
    char
        commit[PULL_SHA1_BYTES + 1]; /* of the last file that was fetched, as the hub told; or "" */
};

/** Makes the folders of the cache. */
int pull_cache_make(const struct pull_fetcher *fetcher, struct pull_problem *problem);

/** Writes the path of the blob @sha256. */
int pull_blob_path(const struct pull_fetcher *fetcher, const char *sha256,
                   char room[PULL_MAX_PATH_BYTES], struct pull_problem *problem);

/** How many bytes of @file have still to come, as far as its size is known and sizes tell. */
uint64_t pull_missing_bytes(const struct pull_fetcher *fetcher, const struct pull_file *file);

/**
 * Sees to it that the blob of @file is in the cache, and fills its digest and size if they were not
 * known. On success its bytes have been checked just now.
 *
 * HEARTH_E_DIGEST_MISMATCH if what came is not what was announced (it is thrown away);
 * HEARTH_E_NOT_READY offline if it is not there; errors of pull_client_get(); HEARTH_E_SYSTEM.
 */
int pull_fetch_file(struct pull_fetcher *fetcher, struct pull_file *file,
                    struct pull_problem *problem);

#endif
