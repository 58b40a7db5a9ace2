/* kit_random.h — repeatable random input for properties. The same seed gives the same sequence on
 * every machine. */

#ifndef HEARTH_KIT_RANDOM_H
#define HEARTH_KIT_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kit_random {
    uint64_t state;
};

/** The seed that HEARTH_TEST_SEED names in the environment, or @otherwise. */
uint64_t kit_random_seed(uint64_t otherwise);

uint64_t kit_random_u64(struct kit_random *random);

/** 0 … @bound - 1; @bound > 0. */
uint64_t kit_random_below(struct kit_random *random, uint64_t bound);

/** @low … @high, both possible. */
uint64_t kit_random_between(struct kit_random *random, uint64_t low, uint64_t high);

/** True once in @times calls on average. */
bool kit_random_once_in(struct kit_random *random, uint64_t times);

/** Small numbers, numbers around powers of two, and the extremes: where bugs in lengths live. */
uint64_t kit_random_edge(struct kit_random *random);

void kit_random_bytes(struct kit_random *random, void *room, size_t size);

/** A code point that UTF-8 can hold; all lengths are equally likely, never a surrogate. */
uint32_t kit_random_code_point(struct kit_random *random);

/** Fills up to @room_bytes with valid UTF-8 and returns how many were used; no terminator. */
size_t kit_random_utf8(struct kit_random *random, uint8_t *room, size_t room_bytes);

#endif
