/* domain.c — who may share a prefix with whom. A worker gets a number made of the client's user and
 * of the number that the client chose, with a key that nobody knows: so a client can neither name
 * the domain of another user nor learn from a number which one that is. Its upper bits are the same
 * for all numbers of a user: what a worker keeps for each user is divided by these.
 *
 * SipHash-2-4 by J.-P. Aumasson and D. J. Bernstein, 2012: made for short inputs and a secret key.
 */

#include "session_priv.h"

#define INPUT_BYTES 12u /* u32 user, u64 number; little-endian */

static uint64_t turned(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = turned(v[1], 13) ^ v[0];
    v[3] = turned(v[3], 16) ^ v[2];
    v[0] = turned(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = turned(v[1], 17) ^ v[2];
    v[3] = turned(v[3], 21) ^ v[0];
    v[2] = turned(v[2], 32);
}

static void take_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    mix(v);
    mix(v);
    v[0] ^= word;
}

uint64_t domain_hash(const uint64_t key[2], uint32_t user, uint64_t number)
{
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    take_word(v, user | number << 32);
    take_word(v, number >> 32 | (uint64_t)INPUT_BYTES << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) {
        mix(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t domain_of(const struct hearth_server *server, const struct hearth_peer *peer,
                   uint64_t number)
{
    const uint64_t of_user = UINT64_MAX << HEARTH_DOMAIN_USER_BIT;
    uint64_t user = domain_hash(server->domain_key, (uint32_t)peer->uid, 0);
    uint64_t domain = domain_hash(server->domain_key, (uint32_t)peer->uid, number);
    domain = (user & of_user) | (domain & ~of_user);
    return domain != 0 ? domain : 1; /* 0 would be none */
}
