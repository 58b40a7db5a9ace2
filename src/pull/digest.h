/* digest.h — what a file's bytes are called. */

#ifndef HEARTH_PULL_DIGEST_H
#define HEARTH_PULL_DIGEST_H

#include "hearth_pull.h"
#include "problem.h"

struct pull_digest {
    char sha256[PULL_SHA256_BYTES + 1];
    char git_sha1[PULL_SHA1_BYTES + 1]; /* git's name of a blob with these bytes */
    uint64_t size_bytes;
};

/** Reads all of @fd from its start. @name is for the error text. Blocks on the file system. */
int pull_digest_fd(int fd, const char *name, struct pull_digest *ret, struct pull_problem *problem);

/** The sha256 of a text. */
void pull_digest_text(const char *text, char room[PULL_SHA256_BYTES + 1]);

/** As pull_digest_fd() for the regular file @path. HEARTH_E_SYSTEM with sys_errno ENOENT. */
int pull_digest_path(const char *path, struct pull_digest *ret, struct pull_problem *problem);

#endif
