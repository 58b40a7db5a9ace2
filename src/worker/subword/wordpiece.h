/* wordpiece.h — the model WordPiece: the longest piece first, from left to right. */

#ifndef HEARTH_SUBWORD_WORDPIECE_H
#define HEARTH_SUBWORD_WORDPIECE_H

#include "model.h"

struct wordpiece {
    uint32_t unknown_id;
    const struct vocab *vocab;
    struct hearth_slice prefix; /* "##" */
    size_t max_word_chars;
};

/** As model.h says. */
HEARTH_NODISCARD int wordpiece_build(struct wordpiece *wordpiece, struct vocab *vocab,
                                     yyjson_val *object, struct hearth_arena *arena,
                                     struct hearth_error *err);
HEARTH_NODISCARD int wordpiece_part(const struct wordpiece *wordpiece, struct hearth_slice part,
                                    struct model_scratch *scratch, struct token_sink *sink);

#endif
