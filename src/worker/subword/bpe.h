/* bpe.h — the model BPE: characters, merged pair by pair in the order of the file.
 *
 * Two facts are worked out at load so that encoding is quick and still exact. A piece is *whole* if
 * a part that reads the same becomes that one token: then one look-up does it. And the merges say
 * which two characters can ever be joined at a boundary: between others a part falls into
 * *segments* that do not know of each other. */

#ifndef HEARTH_SUBWORD_BPE_H
#define HEARTH_SUBWORD_BPE_H

#include "bpe_merge.h"
#include "model.h"

#define BPE_MAX_MERGES 2000000u

struct bpe {
    uint32_t unknown_id;
    const struct vocab *vocab;
    struct merge_table merges;
    struct hearth_slice prefix; /* of every character but the first of a part */
    struct hearth_slice suffix; /* of the last */
    bool fuses_unknown;
    bool falls_back; /* a character without a piece becomes its bytes, if all of them have one */
    bool ignores_merges;
    bool has_segments;
    uint32_t ascii_ids[128];
    uint32_t byte_ids[256]; /* of <0x00> … <0xFF> */
    uint64_t *joins;        /* bits by the hash of two characters: they may be joined */
    uint32_t join_mask;
    uint64_t *whole; /* bits by id */
};

/** As model.h says. A dropout is refused: its tokens would be drawn by lot. */
HEARTH_NODISCARD int bpe_build(struct bpe *bpe, struct vocab *vocab, yyjson_val *object,
                               struct hearth_arena *arena, struct hearth_error *err);

HEARTH_NODISCARD int bpe_part(const struct bpe *bpe, struct hearth_slice part,
                              struct model_scratch *scratch, struct token_sink *sink);

/* Between bpe_load.c and bpe.c. */
static inline bool bit_is_set(const uint64_t *bits, uint32_t at)
{
    return (bits[at / 64] >> (at % 64) & 1) != 0;
}
uint32_t bpe_join_bit(const struct bpe *bpe, uint32_t left, uint32_t right);
/** True if a part that reads like piece @id becomes that one token. */
HEARTH_NODISCARD int bpe_is_whole(const struct bpe *bpe, uint32_t id, struct model_scratch *scratch,
                                  bool *ret);

#endif
