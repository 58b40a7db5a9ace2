/* digest.c — see digest.h. */

#include "digest.h"

#include "hearth_os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES (1u << 20)

struct digests {
    EVP_MD_CTX *sha256;
    EVP_MD_CTX *git_sha1;
    uint8_t *chunk;
};

static void to_hex(const uint8_t *bytes, size_t size, char *room)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        room[2 * i] = digits[bytes[i] >> 4];
        room[2 * i + 1] = digits[bytes[i] & 15u];
    }
    room[2 * size] = '\0';
}

static bool finish(EVP_MD_CTX *context, size_t digits, char *room)
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_DigestFinal_ex(context, bytes, &size) != 1 || 2 * (size_t)size != digits) {
        return false;
    }
    to_hex(bytes, size, room);
    return true;
}

/* 1: more may come; 0: the end; negative: failed */
static int read_chunk(int fd, struct digests *digests, struct pull_digest *ret, const char *name,
                      struct pull_problem *problem)
{
    ssize_t size = pread(fd, digests->chunk, CHUNK_BYTES, (off_t)ret->size_bytes);
    if (size < 0) {
        return errno == EINTR
                   ? 1
                   : pull_fail_errno(problem, "see that the disk is well", "read %.120s", name);
    }
    if (size > 0 && (EVP_DigestUpdate(digests->sha256, digests->chunk, (size_t)size) != 1 ||
                     EVP_DigestUpdate(digests->git_sha1, digests->chunk, (size_t)size) != 1)) {
        return pull_fail(problem, HEARTH_E_INTERNAL, "report it", "libcrypto failed");
    }
    ret->size_bytes += (uint64_t)size;
    return size > 0;
}

/* git puts the size before the bytes, so a file that grows meanwhile is found by its sha256 only */
static bool begin(struct digests *digests, int fd)
{
    char start[32];
    uint64_t size_bytes = 0;
    if (digests->sha256 == NULL || digests->git_sha1 == NULL || digests->chunk == NULL ||
        hearth_file_size(fd, &size_bytes, NULL) < 0) {
        return false;
    }
    int size = snprintf(start, sizeof start, "blob %" PRIu64, size_bytes);
    return EVP_DigestInit_ex(digests->sha256, EVP_sha256(), NULL) == 1 &&
           EVP_DigestInit_ex(digests->git_sha1, EVP_sha1(), NULL) == 1 &&
           EVP_DigestUpdate(digests->git_sha1, start, (size_t)size + 1) == 1;
}

int pull_digest_fd(int fd, const char *name, struct pull_digest *ret, struct pull_problem *problem)
{
    struct digests digests = {EVP_MD_CTX_new(), EVP_MD_CTX_new(), hearth_alloc(1, CHUNK_BYTES)};
    *ret = (struct pull_digest){.size_bytes = 0};
    int rc = begin(&digests, fd) ? 1 : pull_fail_oom(problem);
    while (rc == 1) {
        rc = read_chunk(fd, &digests, ret, name, problem);
    }
    if (rc == 0 && (!finish(digests.sha256, PULL_SHA256_BYTES, ret->sha256) ||
                    !finish(digests.git_sha1, PULL_SHA1_BYTES, ret->git_sha1))) {
        rc = pull_fail(problem, HEARTH_E_INTERNAL, "report it", "libcrypto failed");
    }
    EVP_MD_CTX_free(digests.sha256);
    EVP_MD_CTX_free(digests.git_sha1);
    hearth_free(digests.chunk);
    return rc;
}

int pull_digest_path(const char *path, struct pull_digest *ret, struct pull_problem *problem)
{
    HEARTH_AUTO(hearth_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return pull_fail_errno(problem, "fetch it again", "open %.150s", path);
    }
    return pull_digest_fd(fd, path, ret, problem);
}

void pull_digest_text(const char *text, char room[PULL_SHA256_BYTES + 1])
{
    uint8_t bytes[EVP_MAX_MD_SIZE] = {0};
    unsigned size = 0;
    HEARTH_ASSERT(EVP_Digest(text, strlen(text), bytes, &size, EVP_sha256(), NULL) == 1);
    to_hex(bytes, PULL_SHA256_BYTES / 2, room);
}
