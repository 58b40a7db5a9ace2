/* entities.c — tags to entities. */

#include "entities.h"

#include <string.h>

static bool has_prefix(const char *label)
{
    return (label[0] == 'B' || label[0] == 'I') && label[1] == '-';
}

static const char *kind_of(const char *label)
{
    return has_prefix(label) ? label + 2 : label;
}

static bool begins(const char *label)
{
    return label[0] == 'B' && label[1] == '-';
}

void entities_begin(struct entities *entities)
{
    entities->count = 0;
    entities->last_label = UINT32_MAX;
    entities->counted = 0;
    entities->characters = 0;
}

static void update_last(struct entities *entities, const struct tagged *token)
{
    struct hearth_wire_entity *last = &entities->list[entities->count - 1];
    entities->score_sum += (double)token->score;
    entities->token_count++;
    last->end_byte = token->end;
    last->score = (float)(entities->score_sum / entities->token_count);
}

int entities_add(struct entities *entities, const struct hearth_engine_plan *plan,
                 enum aggregation aggregation, const struct tagged *token, struct hearth_error *err)
{
    const char *label = plan->labels[token->label];
    const char *before =
        entities->last_label == UINT32_MAX ? NULL : plan->labels[entities->last_label];
    bool goes_on = aggregation == AGGREGATION_SIMPLE && before != NULL && !begins(label) &&
                   strcmp(kind_of(before), kind_of(label)) == 0;
    entities->last_label = token->label;
    if (strcmp(label, "O") == 0) {
        return 0;
    }
    if (!goes_on) {
        if (entities->count == HEARTH_MAX_ENTITIES) {
            return hearth_fail(err, HEARTH_E_TOO_LARGE,
                               "the text has more than %u entities; send it in parts",
                               HEARTH_MAX_ENTITIES);
        }
        entities->list[entities->count++] = (struct hearth_wire_entity){
            .label = hearth_slice_of_string(kind_of(label)), .start_byte = token->start};
        entities->score_sum = 0;
        entities->token_count = 0;
    }
    update_last(entities, token);
    return 0;
}

static bool begins_character(struct hearth_slice text, uint32_t byte)
{
    return (text.data[byte] & 0xc0u) != 0x80u;
}

/* Counts on from the last place, or back: places rise along a text, but a tokenizer may give one
 * character to two tokens. */
static uint32_t character_at(struct entities *entities, struct hearth_slice text, uint32_t byte)
{
    while (entities->counted < byte && entities->counted < text.size) {
        entities->characters += begins_character(text, entities->counted++) ? 1 : 0;
    }
    while (entities->counted > byte) {
        entities->characters -= begins_character(text, --entities->counted) ? 1 : 0;
    }
    return entities->characters;
}

void entities_end(struct entities *entities, struct hearth_slice text)
{
    for (uint32_t i = 0; i < entities->count; i++) {
        struct hearth_wire_entity *entity = &entities->list[i];
        entity->start_char = character_at(entities, text, entity->start_byte);
        entity->end_char = character_at(entities, text, entity->end_byte);
    }
}
