/* template.h — the post-processor and the truncation: what is kept of each text, in which order,
 * with which special tokens and type ids around. */

#ifndef HEARTH_TOKENIZER_TEMPLATE_H
#define HEARTH_TOKENIZER_TEMPLATE_H

#include "hearth_tokenizer.h"

#include <yyjson.h>

/** A special token, or the place of a text. */
struct template_item {
    uint8_t sequence; /* HEARTH_SEQUENCE_* */
    uint32_t id;      /* of a special token */
    uint32_t type_id;
};

struct template
{
    struct template_item items[2 * HEARTH_TOKENIZER_MAX_TEMPLATE + 2];
    size_t count;
    size_t special_count;
};

struct postprocessor {
    struct template single;
    struct template pair;
    bool trims_places;  /* white space is no part of a token's place … */
    bool spares_prefix; /* … but for one at the start, which may have been added */
};

enum truncation_strategy { TRUNCATE_LONGEST_FIRST, TRUNCATE_ONLY_FIRST, TRUNCATE_ONLY_SECOND };

struct truncation {
    enum truncation_strategy strategy;
    bool keeps_last;   /* direction Left */
    size_t max_tokens; /* 0: none */
};

/** How many tokens of each text are kept: @totals are what they have, @limit what both may have.
 * HEARTH_E_TOO_LONG if the text that the strategy cuts is not long enough for that. */
HEARTH_NODISCARD int truncation_apply(const struct truncation *truncation, size_t limit,
                                      const size_t totals[2], size_t sequences, size_t kept[2]);

/** postprocessor_load.c — reads "post_processor" and "truncation", which may be missing. Ids of
 * special tokens must be below @vocabulary_size. */
HEARTH_NODISCARD int postprocessor_load(struct postprocessor *post, yyjson_val *value,
                                        size_t vocabulary_size, struct hearth_error *err);
HEARTH_NODISCARD int truncation_load(struct truncation *truncation, yyjson_val *value,
                                     struct hearth_error *err);

#endif
