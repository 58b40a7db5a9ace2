/* trie.c — building the double array from the sorted pieces, in time linear in their bytes.
 *
 * Children are put where all of them fit into one block. Only the newest blocks are looked at, so
 * that a full array costs nothing; the holes that stay in older ones are few. */

#include "trie.h"

#include "hearth_pattern.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK         256u
#define BLOCKS_OPEN   16u
#define MOST_UNSORTED ((size_t)HEARTH_TOKENIZER_MAX_PIECE_BYTES * BLOCK)

/** A piece in byte order; its first bytes are at hand, since they settle most comparisons. */
struct sorted_piece {
    uint64_t first_bytes;
    const uint8_t *bytes;
    uint32_t size;
    uint32_t id;
};

/** Pieces [low, high) share their first @depth bytes and so the node. */
struct range {
    uint32_t node;
    uint32_t low;
    uint32_t high;
    uint32_t depth;
};

struct builder {
    struct trie trie;
    uint32_t room;
    uint64_t free[BLOCKS_OPEN][BLOCK / 64]; /* bits of the newest blocks, each at its number */
    uint32_t free_count[BLOCKS_OPEN];
    struct sorted_piece *pieces;
    struct hearth_buf ranges; /* a stack of struct range */
};

static int compare_pieces(const void *left, const void *right)
{
    const struct sorted_piece *a = left;
    const struct sorted_piece *b = right;
    if (a->first_bytes != b->first_bytes) {
        return a->first_bytes < b->first_bytes ? -1 : 1;
    }
    int order = memcmp(a->bytes, b->bytes, HEARTH_MIN(a->size, b->size));
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

static void sort_pieces(const struct vocab *vocab, struct sorted_piece *pieces)
{
    for (uint32_t id = 0; id < vocab->count; id++) {
        struct hearth_slice piece = vocab_piece(vocab, id);
        uint64_t first_bytes = 0;
        for (size_t i = 0; i < sizeof first_bytes; i++) {
            first_bytes = first_bytes << 8 | (i < piece.size ? piece.data[i] : 0);
        }
        pieces[id] = (struct sorted_piece){first_bytes, piece.data, (uint32_t)piece.size, id};
    }
    qsort(pieces, vocab->count, sizeof *pieces, compare_pieces);
}

static void take(struct builder *builder, uint32_t node)
{
    uint32_t open = node / BLOCK % BLOCKS_OPEN;
    builder->free[open][node % BLOCK / 64] &= ~(UINT64_C(1) << (node % 64));
    builder->free_count[open]--;
}

static int add_block(struct builder *builder)
{
    struct trie *trie = &builder->trie;
    if (trie->count + BLOCK > TRIE_MAX_NODES) {
        return HEARTH_E_TOO_LARGE;
    }
    if (trie->count + BLOCK > builder->room) {
        uint32_t room = HEARTH_MAX(builder->room * 2, 64 * BLOCK);
        struct trie_node *nodes = hearth_realloc(trie->nodes, room, sizeof *nodes);
        if (nodes == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
        trie->nodes = nodes;
        builder->room = room;
    }
    for (uint32_t i = 0; i < BLOCK; i++) {
        trie->nodes[trie->count + i] = (struct trie_node){0, TRIE_NOWHERE, NO_ID};
    }
    uint32_t open = trie->count / BLOCK % BLOCKS_OPEN;
    memset(builder->free[open], 0xFF, sizeof builder->free[0]);
    builder->free_count[open] = BLOCK;
    if (trie->count == TRIE_ROOT) {
        take(builder, TRIE_ROOT);
    }
    trie->count += BLOCK;
    return 0;
}

static bool is_free(const uint64_t *free_bits, uint32_t at)
{
    return (free_bits[at / 64] >> (at % 64) & 1) != 0;
}

/* Finds a base in one block under which all @labels are free. */
static bool find_base(const uint64_t *free_bits, const uint8_t *labels, uint32_t count,
                      uint32_t *ret)
{
    for (uint32_t word = 0; word < BLOCK / 64; word++) {
        for (uint64_t left = free_bits[word]; left != 0; left &= left - 1) {
            uint32_t base = (word * 64 + (uint32_t)__builtin_ctzll(left)) ^ labels[0];
            uint32_t fits = 1;
            while (fits < count && is_free(free_bits, base ^ labels[fits])) {
                fits++;
            }
            if (fits == count) {
                *ret = base;
                return true;
            }
        }
    }
    return false;
}

static int place_children(struct builder *builder, uint32_t node, const uint8_t *labels,
                          uint32_t count)
{
    struct trie *trie = &builder->trie;
    uint32_t base = 0;
    uint32_t blocks = trie->count / BLOCK;
    uint32_t block = blocks - HEARTH_MIN(blocks, BLOCKS_OPEN);
    while (block < blocks &&
           (builder->free_count[block % BLOCKS_OPEN] < count ||
            !find_base(builder->free[block % BLOCKS_OPEN], labels, count, &base))) {
        block++;
    }
    if (block == blocks) {
        int rc = add_block(builder);
        if (rc < 0) {
            return rc;
        }
        base = labels[0]; /* in a free block any base will do */
    }
    base += block * BLOCK;
    trie->nodes[node].base = base;
    for (uint32_t i = 0; i < count; i++) {
        take(builder, base ^ labels[i]);
        trie->nodes[base ^ labels[i]].parent = node;
    }
    return 0;
}

/* Gives a node its piece and its children, and leaves the children's own for later. */
static int expand(struct builder *builder, struct range range)
{
    const struct sorted_piece *pieces = builder->pieces;
    if (pieces[range.low].size == range.depth) {
        builder->trie.nodes[range.node].id = pieces[range.low++].id;
    }
    uint8_t labels[BLOCK];
    uint32_t lows[BLOCK + 1];
    uint32_t count = 0;
    for (uint32_t i = range.low; i < range.high; i++) {
        uint8_t label = pieces[i].bytes[range.depth];
        if (count == 0 || labels[count - 1] != label) {
            lows[count] = i;
            labels[count++] = label;
        }
    }
    lows[count] = range.high;
    int rc = count > 0 ? place_children(builder, range.node, labels, count) : 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        struct range child = {builder->trie.nodes[range.node].base ^ labels[i], lows[i],
                              lows[i + 1], range.depth + 1};
        rc = hearth_buf_append(&builder->ranges, &child, sizeof child);
    }
    return rc;
}

static int build(struct builder *builder, const struct vocab *vocab)
{
    sort_pieces(vocab, builder->pieces);
    int rc = add_block(builder);
    struct range range = {TRIE_ROOT, 0, vocab->count, 0};
    if (rc == 0) {
        rc = hearth_buf_append(&builder->ranges, &range, sizeof range);
    }
    while (rc == 0 && builder->ranges.size > 0) {
        builder->ranges.size -= sizeof range;
        memcpy(&range, builder->ranges.data + builder->ranges.size, sizeof range);
        rc = expand(builder, range);
    }
    return rc;
}

int trie_build(struct trie *trie, const struct vocab *vocab, struct hearth_arena *arena,
               struct hearth_error *err)
{
    struct builder builder = {.pieces = hearth_alloc(vocab->count, sizeof *builder.pieces)};
    hearth_buf_init(&builder.ranges, MOST_UNSORTED * sizeof(struct range));
    int rc = builder.pieces != NULL ? build(&builder, vocab) : HEARTH_E_NO_MEMORY;
    if (rc == 0) {
        trie->count = builder.trie.count;
        trie->nodes = hearth_arena_alloc(arena, trie->count, sizeof *trie->nodes);
        rc = trie->nodes != NULL ? 0 : HEARTH_E_NO_MEMORY;
    }
    if (rc == 0) {
        memcpy(trie->nodes, builder.trie.nodes, trie->count * sizeof *trie->nodes);
    }
    hearth_free(builder.trie.nodes);
    hearth_free(builder.pieces);
    hearth_buf_finish(&builder.ranges);
    if (rc == HEARTH_E_TOO_LARGE) {
        return hearth_fail(err, rc, "model.vocab: its pieces need more than %u nodes of a trie",
                           TRIE_MAX_NODES);
    }
    return rc < 0 ? hearth_fail_oom(err) : 0;
}
