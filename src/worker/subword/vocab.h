/* vocab.h — all pieces by id, and the way from text to id: one blob, one flat hash table. */

#ifndef HEARTH_SUBWORD_VOCAB_H
#define HEARTH_SUBWORD_VOCAB_H

#include "hearth_base.h"

#include <yyjson.h>

#define NO_ID UINT32_MAX

/** All pieces by id, and a flat hash table from text to id. Pieces lie in one blob, terminated. */
struct vocab {
    uint8_t *bytes;
    uint32_t *starts; /* count + 1 offsets into bytes */
    uint32_t count;
    uint32_t *slots; /* id + 1, or 0 for empty */
    uint32_t slot_mask;
    size_t longest_bytes;
};

/** Reads {"piece": id, …}; every id from 0 up must occur once (WordPiece, BPE). */
HEARTH_NODISCARD int vocab_build(struct vocab *vocab, yyjson_val *object,
                                 struct hearth_arena *arena, struct hearth_error *err);

/** Reads [["piece", score], …]; the place in the list is the id. Scores are not looked at. */
HEARTH_NODISCARD int vocab_build_list(struct vocab *vocab, yyjson_val *list,
                                      struct hearth_arena *arena, struct hearth_error *err);

/** The text of one piece, @id < count. */
static inline struct hearth_slice vocab_piece(const struct vocab *vocab, uint32_t id)
{
    size_t start = vocab->starts[id];
    return hearth_slice_of(vocab->bytes + start, vocab->starts[id + 1] - start - 1);
}

/** FNV-1a: it can go on from where a prefix ended. */
#define VOCAB_HASH_START UINT64_C(0xCBF29CE484222325)
uint64_t vocab_hash(uint64_t seed, const uint8_t *bytes, size_t size);

/** Finds the piece that is @prefix followed by @rest, whose hash the caller has; NO_ID if none. */
uint32_t vocab_find(const struct vocab *vocab, uint64_t hash, struct hearth_slice prefix,
                    struct hearth_slice rest);
uint32_t vocab_find_text(const struct vocab *vocab, struct hearth_slice text);

#endif
