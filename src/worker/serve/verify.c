/* verify.c — the digest of every file, from its descriptor, before any parser sees a byte of it. */

#include "serve_priv.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CHUNK_BYTES (256u * 1024u)

/* libcrypto reads configuration files at its first use, which the closed door would not permit. */
void verify_preload(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL) {
        EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    }
    EVP_MD_CTX_free(context);
}

static int hash_fd(EVP_MD_CTX *context, int fd, uint8_t *chunk, const char *path,
                   struct hearth_error *err)
{
    for (uint64_t at = 0;;) {
        ssize_t size = pread(fd, chunk, CHUNK_BYTES, (off_t)at);
        if (size == 0) {
            return 0;
        }
        if (size < 0 && errno != EINTR) {
            return hearth_fail_errno(err, HEARTH_E_SYSTEM, "read %.96s", path);
        }
        if (size > 0 && EVP_DigestUpdate(context, chunk, (size_t)size) != 1) {
            return hearth_fail(err, HEARTH_E_INTERNAL, "libcrypto failed on %.96s", path);
        }
        at += size > 0 ? (uint64_t)size : 0;
    }
}

static void to_hex(const uint8_t *bytes, size_t size, char *room)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        room[2 * i] = digits[bytes[i] >> 4];
        room[2 * i + 1] = digits[bytes[i] & 15u];
    }
    room[2 * size] = '\0';
}

static int check_digest(EVP_MD_CTX *context, const char *wanted, const char *path,
                        struct hearth_error *err)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    char found[2 * EVP_MAX_MD_SIZE + 1];
    if (EVP_DigestFinal_ex(context, digest, &size) != 1) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "libcrypto failed on %.96s", path);
    }
    to_hex(digest, size, found);
    if (strcmp(found, wanted) != 0) {
        return hearth_fail(err, HEARTH_E_DIGEST_MISMATCH,
                           "%.96s has SHA-256 %.16s…, the manifest says %.16s…", path, found,
                           wanted);
    }
    return 0;
}

static int verify_file(EVP_MD_CTX *context, const struct hearth_worker *worker, size_t index,
                       uint8_t *chunk, struct hearth_error *err)
{
    const struct hearth_engine_file *file = &worker->plan.files[index];
    if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "libcrypto has no SHA-256");
    }
    int rc = hash_fd(context, file->fd, chunk, file->path, err);
    return rc != 0 ? rc : check_digest(context, worker->digests[index], file->path, err);
}

int verify_files(const struct hearth_worker *worker, struct hearth_error *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t *chunk = hearth_alloc(1, CHUNK_BYTES);
    int rc = context == NULL || chunk == NULL ? hearth_fail_oom(err) : 0;
    for (size_t i = 0; i < worker->plan.file_count && rc == 0; i++) {
        rc = verify_file(context, worker, i, chunk, err);
    }
    hearth_free(chunk);
    EVP_MD_CTX_free(context);
    return rc;
}
