/* entities.h — from one label a token to named stretches of a text.
 *
 * Labels are tags: "B-PER" begins an entity of kind PER, "I-PER" goes on with one, "O" is none; a
 * label without such a prefix is its own kind and goes on. Aggregation is the "simple" one of the
 * field's reference pipeline: a token joins the entity before it if the kind is the same and its
 * tag does not begin one; the score is the mean of the best probability of each token. */

#ifndef HEARTH_ONNX_ENTITIES_H
#define HEARTH_ONNX_ENTITIES_H

#include "head.h"

/* One token of the text (special ones are left out) with its best label. */
struct tagged {
    uint32_t label; /* index into the plan's labels */
    float score;
    uint32_t start; /* bytes */
    uint32_t end;
};

struct entities {
    struct hearth_wire_entity *list; /* room for HEARTH_MAX_ENTITIES; labels lend the plan's */
    uint32_t count;
    /* of the last one */
    double score_sum;
    uint32_t token_count;
    uint32_t last_label; /* of the last token, UINT32_MAX before the first */
    /* characters of the text up to byte @counted */
    uint32_t counted;
    uint32_t characters;
};

/** Begins a text. */
void entities_begin(struct entities *entities);

/** Adds the next token of @text; HEARTH_E_TOO_LARGE if that makes more than HEARTH_MAX_ENTITIES. */
HEARTH_NODISCARD int entities_add(struct entities *entities, const struct hearth_engine_plan *plan,
                                  enum aggregation aggregation, const struct tagged *token,
                                  struct hearth_error *err);

/** Ends it: fills the places in characters. */
void entities_end(struct entities *entities, struct hearth_slice text);

#endif
