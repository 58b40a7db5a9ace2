/* kit_random.c — splitmix64 and what is drawn from it. */

#include "kit_random.h"

#include "hearth_base.h"

#include <stdlib.h>
#include <string.h>

uint64_t kit_random_seed(uint64_t otherwise)
{
    const char *wanted = getenv("HEARTH_TEST_SEED");
    return wanted != NULL ? strtoull(wanted, NULL, 0) : otherwise;
}

uint64_t kit_random_u64(struct kit_random *random)
{
    random->state += 0x9E3779B97F4A7C15u;
    uint64_t mixed = random->state;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return mixed ^ (mixed >> 31);
}

uint64_t kit_random_below(struct kit_random *random, uint64_t bound)
{
    HEARTH_ASSERT(bound > 0);
    return kit_random_u64(random) % bound; /* the bias is far below what a test could notice */
}

uint64_t kit_random_between(struct kit_random *random, uint64_t low, uint64_t high)
{
    HEARTH_ASSERT(low <= high);
    uint64_t span = high - low;
    return span == UINT64_MAX ? kit_random_u64(random) : low + kit_random_below(random, span + 1);
}

bool kit_random_once_in(struct kit_random *random, uint64_t times)
{
    return kit_random_below(random, times) == 0;
}

uint64_t kit_random_edge(struct kit_random *random)
{
    uint64_t power = UINT64_C(1) << kit_random_below(random, 64);
    switch (kit_random_below(random, 4)) {
    case 0: return kit_random_below(random, 16);
    case 1: return UINT64_MAX - kit_random_below(random, 4);
    default: return power - 1 + kit_random_below(random, 3);
    }
}

void kit_random_bytes(struct kit_random *random, void *room, size_t size)
{
    uint8_t *bytes = room;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)kit_random_u64(random);
    }
}

uint32_t kit_random_code_point(struct kit_random *random)
{
    static const uint32_t first[] = {0, 0x80, 0x800, 0x10000, 0x110000};
    size_t length = kit_random_below(random, 4);
    uint32_t code_point =
        (uint32_t)kit_random_between(random, first[length], first[length + 1] - 1);
    return code_point >= 0xD800 && code_point <= 0xDFFF ? 0xFFFD : code_point;
}

size_t kit_random_utf8(struct kit_random *random, uint8_t *room, size_t room_bytes)
{
    size_t used = 0;
    for (;;) {
        uint8_t one[4];
        unsigned length = hearth_utf8_write(kit_random_code_point(random), one);
        if (length > room_bytes - used) {
            return used;
        }
        memcpy(room + used, one, length);
        used += length;
    }
}
