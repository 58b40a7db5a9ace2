/* unigram.h — the model Unigram: of all ways to cut a part into pieces, the one of the best score.
 */

#ifndef HEARTH_SUBWORD_UNIGRAM_H
#define HEARTH_SUBWORD_UNIGRAM_H

#include "model.h"
#include "trie.h"

struct unigram {
    uint32_t unknown_id;
    const struct vocab *vocab;
    double *scores;       /* by id */
    double unknown_score; /* of one character without a piece */
    bool falls_back;      /* unknown text becomes its bytes, if all of them have a piece */
    uint32_t byte_ids[256];
    struct trie trie;
};

/** As model.h says. A file without unk_id is refused: the reference fails on unknown text then. */
HEARTH_NODISCARD int unigram_build(struct unigram *unigram, struct vocab *vocab, yyjson_val *object,
                                   struct hearth_arena *arena, struct hearth_error *err);

/**
 * Reads the scores again from @json, the bytes of the whole tokenizer.json, the way the reference
 * reads numbers: it rounds twice, so that one in eight differs in the last bit from the number that
 * is written. Sums of such scores decide between ways to cut that are equal on paper.
 */
HEARTH_NODISCARD int unigram_read_scores(struct unigram *unigram, struct hearth_slice json,
                                         struct hearth_error *err);

HEARTH_NODISCARD int unigram_part(const struct unigram *unigram, struct hearth_slice part,
                                  struct model_scratch *scratch, struct token_sink *sink);

#endif
