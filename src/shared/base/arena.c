/* arena.c — bump allocation in a chain of blocks. */

#include "arena.h"

#include "alloc.h"

#include <stdalign.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)16 << 10)

struct hearth_arena_block {
    struct hearth_arena_block *next;
    size_t used;
    size_t room;
    alignas(max_align_t) uint8_t bytes[];
};

void hearth_arena_init(struct hearth_arena *arena, size_t cap)
{
    *arena = (struct hearth_arena){.cap = cap};
}

void hearth_arena_finish(struct hearth_arena *arena)
{
    struct hearth_arena_block *block = arena->blocks;
    while (block != NULL) {
        struct hearth_arena_block *next = block->next;
        hearth_wipe(block->bytes, block->used);
        hearth_free(block);
        block = next;
    }
    hearth_arena_init(arena, arena->cap);
}

void hearth_arena_reset(struct hearth_arena *arena)
{
    struct hearth_arena_block *block = arena->blocks;
    if (block == NULL) {
        return;
    }
    /* The newest block stays: it is the one that the last request needed. */
    struct hearth_arena rest = {.blocks = block->next, .cap = arena->cap};
    hearth_arena_finish(&rest);
    hearth_wipe(block->bytes, block->used);
    block->used = 0;
    block->next = NULL;
    arena->used_bytes = 0;
}

static struct hearth_arena_block *add_block(struct hearth_arena *arena, size_t bytes)
{
    size_t room = HEARTH_MAX(bytes, BLOCK_BYTES);
    struct hearth_arena_block *block = hearth_alloc(1, sizeof *block + room);
    if (block != NULL) {
        block->room = room;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

void *hearth_arena_alloc(struct hearth_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    const size_t mask = alignof(max_align_t) - 1;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2) {
        return NULL;
    }
    bytes = (HEARTH_MAX(bytes, (size_t)1) + mask) & ~mask;
    if (bytes > arena->cap - arena->used_bytes) {
        return NULL;
    }
    struct hearth_arena_block *block = arena->blocks;
    if (block == NULL || bytes > block->room - block->used) {
        block = add_block(arena, bytes);
        if (block == NULL) {
            return NULL;
        }
    }
    void *memory = block->bytes + block->used;
    block->used += bytes;
    arena->used_bytes += bytes;
    return memory;
}

char *hearth_arena_copy(struct hearth_arena *arena, struct hearth_slice slice)
{
    size_t bytes;
    if (__builtin_add_overflow(slice.size, (size_t)1, &bytes)) {
        return NULL;
    }
    char *copy = hearth_arena_alloc(arena, bytes, 1);
    if (copy != NULL && slice.size > 0) {
        memcpy(copy, slice.data, slice.size);
    }
    return copy;
}
