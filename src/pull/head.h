/* head.h — the head of an HTTP response, line by line, as far as fetching a file needs it.
 *
 * Pure: bytes in, facts out. The lines come from whoever answers, so each is checked, and one that
 * is known and does not make sense is an error and not a guess. */

#ifndef HEARTH_PULL_HEAD_H
#define HEARTH_PULL_HEAD_H

#include "hearth_pull.h"

struct pull_head {
    unsigned status; /* 100 to 599; 0: no status line has come */
    size_t bytes;    /* of this head so far */
    bool has_length;
    uint64_t length; /* Content-Length */
    bool has_range;  /* Content-Range: bytes first-last/total; of a 416, only the total */
    bool has_total;
    uint64_t first;
    uint64_t last;
    uint64_t total;
    bool has_linked_size;
    uint64_t linked_size;               /* X-Linked-Size: of the file that a redirect leads to */
    char etag[256];                     /* a strong one, with its quotes, for If-Range; else "" */
    char sha256[PULL_SHA256_BYTES + 1]; /* X-Linked-Etag, or ETag, if it has this form; else "" */
    char git_sha1[PULL_SHA1_BYTES + 1]; /* the same: a hub's name of a small file */
    char commit[PULL_SHA1_BYTES + 1];   /* X-Repo-Commit; else "" */
    char location[PULL_MAX_URL_BYTES + 1];
};

/**
 * Takes one line, with or without its line end. A status line begins anew (answers that precede the
 * last one are forgotten). Unknown lines are left alone. HEARTH_E_MALFORMED if a known one has not
 * its form or contradicts an earlier one; HEARTH_E_TOO_LARGE over PULL_MAX_HEADER_BYTES.
 */
int pull_head_line(struct pull_head *head, struct hearth_slice line, struct hearth_error *err);

/** True for the empty line that ends a head. */
bool pull_head_is_end(struct hearth_slice line);

/** Copies @text if it is @digits lower- or upper-case hex digits, in lower case; false otherwise.
 */
bool pull_hex_copy(struct hearth_slice text, size_t digits, char *room);

#endif
