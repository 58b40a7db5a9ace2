/* trie.h — all pieces that start at a place of a text, found in one walk over it.
 *
 * A double array: the child of a node by a byte is one look-up away. The children of a node lie in
 * one block of 256 nodes, at the node's base with the byte's bits turned over. */

#ifndef HEARTH_SUBWORD_TRIE_H
#define HEARTH_SUBWORD_TRIE_H

#include "vocab.h"

#define TRIE_MAX_NODES (1u << 24)
#define TRIE_ROOT      0u
#define TRIE_NOWHERE   UINT32_MAX

struct trie_node {
    uint32_t base;
    uint32_t parent; /* TRIE_NOWHERE: the node is free, or the root */
    uint32_t id;     /* of the piece that ends here, or NO_ID */
};

struct trie {
    struct trie_node *nodes;
    uint32_t count; /* whole blocks */
};

/** Builds the trie of all pieces. HEARTH_E_NO_MEMORY, or HEARTH_E_TOO_LARGE past TRIE_MAX_NODES. */
HEARTH_NODISCARD int trie_build(struct trie *trie, const struct vocab *vocab,
                                struct hearth_arena *arena, struct hearth_error *err);

/** The node behind @node by @byte, or TRIE_NOWHERE. */
static inline uint32_t trie_step(const struct trie *trie, uint32_t node, uint8_t byte)
{
    uint32_t child = trie->nodes[node].base ^ byte;
    return trie->nodes[child].parent == node ? child : TRIE_NOWHERE;
}

#endif
