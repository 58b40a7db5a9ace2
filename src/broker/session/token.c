/* token.c — the token that a client shows beside being the right user, if one is configured.
 *
 * Only its digest is known here; the comparison takes the same time wherever the two differ. Who
 * guesses is held up by user, so that one user's wrong program does not lock out another's. Nothing
 * of a token is logged. */

#include "session_priv.h"

#include "hearth_log.h"
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#define MAX_FAILURES 5u
#define WINDOW_NS    (60 * HEARTH_NS_PER_SEC)
#define BLOCK_NS     (30 * HEARTH_NS_PER_SEC)

/* libcrypto reads configuration files at its first use, which the closed door would not permit. */
void token_preload(void)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
    (void)EVP_Digest("", 0, digest, NULL, EVP_sha256(), NULL); /* used again with its result read */
}

static unsigned hex_digit(char digit)
{
    return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)((digit | 0x20) - 'a' + 10);
}

/* @hex is 64 hex digits: the configuration saw to that. */
static bool is_right(struct hearth_slice token, const char *hex)
{
    uint8_t wanted[SHA256_DIGEST_LENGTH];
    uint8_t shown[SHA256_DIGEST_LENGTH];
    for (size_t i = 0; i < sizeof wanted; i++) {
        wanted[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    }
    return token.size > 0 &&
           EVP_Digest(token.data, token.size, shown, NULL, EVP_sha256(), NULL) == 1 &&
           CRYPTO_memcmp(wanted, shown, sizeof wanted) == 0;
}

/* The record of a user; one that is not there yet takes the place that was used least lately. */
static struct token_guard *guard_of(struct hearth_server *server, uid_t uid)
{
    struct token_guard *oldest = &server->guards[0];
    for (size_t i = 0; i < HEARTH_COUNT(server->guards); i++) {
        struct token_guard *guard = &server->guards[i];
        if (guard->first_ns != 0 && guard->uid == uid) {
            return guard;
        }
        if (HEARTH_MAX(guard->first_ns, guard->blocked_until_ns) <
            HEARTH_MAX(oldest->first_ns, oldest->blocked_until_ns)) {
            oldest = guard;
        }
    }
    *oldest = (struct token_guard){.uid = uid};
    return oldest;
}

static void note_failure(struct token_guard *guard, uint64_t now_ns)
{
    if (guard->first_ns == 0 || now_ns - guard->first_ns >= WINDOW_NS) {
        guard->first_ns = now_ns;
        guard->failures = 0;
    }
    guard->failures++;
    if (guard->failures >= MAX_FAILURES) {
        guard->blocked_until_ns = now_ns + BLOCK_NS;
        guard->failures = 0;
        hearth_log(HEARTH_LOG_WARN, "handshake.held_up", "uid", hearth_log_u(guard->uid), "seconds",
                   hearth_log_u(BLOCK_NS / HEARTH_NS_PER_SEC), NULL);
    }
}

int token_check(struct hearth_server *server, const struct hearth_peer *peer,
                struct hearth_slice token, struct hearth_error *err)
{
    const char *hex = server->parts.config->token_sha256;
    uint64_t now_ns = hearth_loop_now_ns(server->parts.loop);
    if (hex == NULL) {
        return 0; /* a token that nobody asked for says nothing */
    }
    struct token_guard *guard = guard_of(server, peer->uid);
    if (guard->blocked_until_ns > now_ns) {
        uint64_t left_s = (guard->blocked_until_ns - now_ns) / HEARTH_NS_PER_SEC + 1;
        return hearth_fail(
            err, HEARTH_E_UNAUTHENTICATED,
            "5 handshakes of this user had no right token; try again in %" PRIu64 " s", left_s);
    }
    if (is_right(token, hex)) {
        *guard = (struct token_guard){0};
        return 0;
    }
    if (token.size > 0) { /* who shows none is no guesser: a program that was not told of it */
        note_failure(guard, now_ns);
    }
    hearth_log(HEARTH_LOG_WARN, "handshake.denied", "uid", hearth_log_u(peer->uid), "pid",
               hearth_log_i(peer->pid), NULL);
    return hearth_fail(err, HEARTH_E_UNAUTHENTICATED,
                       "%s; give it in HEARTH_TOKEN or as the handshake's token",
                       token.size == 0 ? "this daemon asks for a token" : "the token is wrong");
}
