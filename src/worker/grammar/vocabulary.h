/* vocabulary.h — private to this room: the trie of all tokens, as a list to be walked forwards.
 *
 * A node is followed by all that lies below it, so a walk that leaves a subtree out goes on at
 * `skip`. The tokens of a subtree lie together too. */

#ifndef HEARTH_GRAMMAR_VOCABULARY_H
#define HEARTH_GRAMMAR_VOCABULARY_H

#include "hearth_grammar.h"

/* Groups of bytes, one bit each: where all bytes of a subtree lead the same way, as within a
 * string, the whole subtree is taken at once. */
enum byte_group {
    GROUP_LETTERS,
    GROUP_DIGITS,
    GROUP_SPACE,
    GROUP_QUOTE, /* " */
    GROUP_BACKSLASH,
    GROUP_SIGNS, /* other printable ASCII */
    GROUP_CONTROLS,
    GROUP_NOT_ASCII,
    GROUP_COUNT,
};

enum byte_group byte_group_of(uint8_t byte);

#define VOCABULARY_HIGH 63u

struct vocabulary_node {
    uint32_t skip;       /* the first node that is not below this one */
    uint32_t tokens;     /* the first token that ends here or below */
    uint16_t depth : 10; /* bytes up to and with its own: 1 for the first */
    uint16_t height : 6; /* bytes of the longest way below it, VOCABULARY_HIGH for more */
    uint8_t byte;
    uint8_t groups; /* of its own byte and of all below */
};

#define VOCABULARY_MAGIC 0x564f4342u

struct hearth_vocabulary {
    uint32_t magic;
    uint32_t size; /* tokens, those left out too */
    struct vocabulary_node *nodes;
    uint32_t node_count; /* one more follows, so that every node has a next one */
    uint32_t *tokens;    /* ids, in the order of their texts */
    uint32_t token_count;
};

#endif
