/* schema_array.c — elements of arrays: first those with a schema each, then all others alike. */

#include "schema.h"

#define MAX_PREFIX 256u

struct elements {
    struct schema *schema;
    const struct constraint *constraint;
    uint32_t prefix; /* elements with a schema of their own */
    uint32_t min;
    uint32_t max;
    uint32_t comma;
};

/* What holds for the element @index; @index = prefix for all behind. */
static uint32_t element(const struct elements *elements, uint32_t index)
{
    struct constraint value = {0};
    const struct constraint *constraint = elements->constraint;
    for (uint32_t i = 0; i < constraint->count; i++) {
        yyjson_val *first = schema_keyword(constraint, i, "prefixItems");
        yyjson_val *holds = yyjson_arr_get(first, index);
        if (holds == NULL) {
            holds = schema_keyword(constraint, i, "items");
        }
        if (yyjson_is_arr(holds)) {
            return schema_fail(elements->schema, HEARTH_E_UNSUPPORTED, holds,
                               "a list of items is not supported: write prefixItems");
        }
        if (holds != NULL && !yyjson_is_true(holds)) {
            schema_hold(elements->schema, &value, holds);
        }
    }
    return schema_value(elements->schema, &value);
}

static void count_prefix(struct elements *elements)
{
    for (uint32_t i = 0; i < elements->constraint->count; i++) {
        yyjson_val *first = schema_keyword(elements->constraint, i, "prefixItems");
        if (first != NULL && (!yyjson_is_arr(first) || yyjson_arr_size(first) == 0)) {
            schema_fail(elements->schema, HEARTH_E_INPUT_INVALID, first,
                        "a list of schemas is expected");
        } else if (yyjson_arr_size(first) > MAX_PREFIX) {
            schema_fail(elements->schema, HEARTH_E_TOO_LARGE, first, "more than %u schemas",
                        MAX_PREFIX);
        } else {
            elements->prefix = HEARTH_MAX(elements->prefix, (uint32_t)yyjson_arr_size(first));
        }
    }
}

/* What follows when @count elements stand. */
static uint32_t alike(const struct elements *elements, uint32_t count)
{
    struct draft *draft = elements->schema->draft;
    if (elements->max <= count) {
        return DRAFT_EMPTY;
    }
    uint32_t min = elements->min > count ? elements->min - count : 0;
    uint32_t max = elements->max == DRAFT_UNLIMITED ? DRAFT_UNLIMITED : elements->max - count;
    uint32_t one = draft_sequence(draft, elements->comma, element(elements, elements->prefix));
    return draft_repeat(draft, one, min, max);
}

static uint32_t all_elements(const struct elements *elements)
{
    struct draft *draft = elements->schema->draft;
    if (elements->max == 0) {
        return DRAFT_EMPTY;
    }
    uint32_t after = alike(elements, HEARTH_MAX(elements->prefix, 1u));
    for (uint32_t i = elements->prefix; i > 1 && draft->code == 0; i--) {
        uint32_t one = draft_sequence(draft, elements->comma, element(elements, i - 1));
        uint32_t rule = draft_rule(draft, DRAFT_NO_NAME, 0);
        uint32_t rest = draft_sequence(draft, one, after);
        rest = i <= elements->max ? rest : DRAFT_EMPTY;
        rest = i > elements->min ? draft_optional(draft, rest) : rest;
        draft_write_rule(draft, rule, rest);
        after = draft_call(draft, rule);
    }
    uint32_t all = draft_sequence(draft, element(elements, 0), after);
    return elements->min == 0 ? draft_optional(draft, all) : all;
}

uint32_t schema_array(struct schema *schema, const struct constraint *constraint)
{
    struct draft *draft = schema->draft;
    struct elements elements = {
        .schema = schema,
        .constraint = constraint,
        .min = schema_count(schema, constraint, "minItems", true, 0),
        .max = schema_count(schema, constraint, "maxItems", false, DRAFT_UNLIMITED),
        .comma = schema_separator(schema, ','),
    };
    count_prefix(&elements);
    if (elements.min > elements.max) {
        return DRAFT_NEVER;
    }
    uint32_t open = draft_sequence(draft, draft_string(draft, "["), all_elements(&elements));
    return draft_sequence(draft, open, draft_string(draft, "]"));
}
