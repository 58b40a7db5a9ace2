/* schema_string.c — strings: any, of a length, of a pattern or of a format. */

#include "schema.h"

struct escape {
    uint32_t character;
    const char *text;
};

/* As json.dumps writes them; other controls are \u00XX. */
static const struct escape escapes[] = {
    {'"', "\\\""}, {'\\', "\\\\"}, {'\b', "\\b"}, {'\f', "\\f"},
    {'\n', "\\n"}, {'\r', "\\r"},  {'\t', "\\t"},
};

/* Formats as patterns that leave out what a strict reader refuses, such as the 30th of February. */
#define YEAR "(000[1-9]|00[1-9]\\d|0[1-9]\\d\\d|[1-9]\\d{3})"
#define DAY                                                                                        \
    "((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|"                    \
    "02-(0[1-9]|1\\d|2[0-8]))"
#define HOURS       "([01]\\d|2[0-3]):[0-5]\\d"
#define TIME        HOURS ":[0-5]\\d(\\.\\d{1,6})?(Z|[+-]" HOURS ")"
#define BYTE_NUMBER "(\\d|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-5])"
static const struct {
    const char *name;
    const char *pattern;
} formats[] = {
    {"date", "^" YEAR "-" DAY "$"},
    {"time", "^" TIME "$"},
    {"date-time", "^" YEAR "-" DAY "T" TIME "$"},
    {"uuid", "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"},
    {"ipv4", "^(" BYTE_NUMBER "\\.){3}" BYTE_NUMBER "$"},
    {"email", "^[A-Za-z0-9_+-]{1,32}(\\.[A-Za-z0-9_+-]{1,32}){0,3}@"
              "([A-Za-z0-9]{1,32}(-[A-Za-z0-9]{1,32})?\\.){1,4}[A-Za-z]{2,16}$"},
};

static uint32_t hex_digits(struct draft *draft, uint32_t count)
{
    struct byte_set set = {{0}};
    byte_set_add(&set, '0', '9');
    byte_set_add(&set, 'a', 'f');
    byte_set_add(&set, 'A', 'F');
    return draft_repeat(draft, draft_set(draft, set), count, count);
}

/* Four digits that name no surrogate: one escape is one character then. */
static uint32_t four_digits(struct draft *draft)
{
    struct byte_set first = {{0}};
    byte_set_add(&first, '0', '9');
    byte_set_add(&first, 'a', 'c');
    byte_set_add(&first, 'e', 'f');
    byte_set_add(&first, 'A', 'C');
    byte_set_add(&first, 'E', 'F');
    uint32_t most = draft_sequence(draft, draft_set(draft, first), hex_digits(draft, 3));
    struct byte_set d = {{0}};
    byte_set_add(&d, 'd', 'd');
    byte_set_add(&d, 'D', 'D');
    struct byte_set low = {{0}};
    byte_set_add(&low, '0', '7');
    uint32_t below = draft_sequence(draft, draft_set(draft, d), draft_set(draft, low));
    return draft_choice(draft, most, draft_sequence(draft, below, hex_digits(draft, 2)));
}

uint32_t schema_character(struct schema *schema)
{
    struct draft *draft = schema->draft;
    if (schema->character_rule == 0) {
        uint32_t rule = draft_rule(draft, DRAFT_NO_NAME, 0);
        struct characters *set = &schema->set;
        characters_clear(set);
        characters_add(set, ' ', CHARACTERS_LAST);
        characters_remove(set, '"', '"');
        characters_remove(set, '\\', '\\');
        uint32_t plain = draft_characters(draft, set);
        struct byte_set sign = {{0}};
        for (const char *c = "\"\\/bfnrt"; *c != '\0'; c++) {
            byte_set_add(&sign, (uint8_t)*c, (uint8_t)*c);
        }
        uint32_t code = draft_sequence(draft, draft_string(draft, "u"), four_digits(draft));
        uint32_t escaped = draft_choice(draft, draft_set(draft, sign), code);
        escaped = draft_sequence(draft, draft_string(draft, "\\"), escaped);
        draft_write_rule(draft, rule, draft_choice(draft, plain, escaped));
        schema->character_rule = rule + 1;
    }
    return draft_call(draft, schema->character_rule - 1);
}

uint32_t schema_characters(struct schema *schema, struct characters *set)
{
    struct draft *draft = schema->draft;
    uint32_t all = DRAFT_NEVER;
    characters_tidy(set);
    for (size_t i = 0; i < HEARTH_COUNT(escapes); i++) {
        uint32_t character = escapes[i].character;
        if (characters_have(set, character)) {
            all = draft_choice(draft, all, draft_string(draft, escapes[i].text));
            characters_remove(set, character, character);
        }
    }
    for (uint32_t control = 0; control < ' '; control++) {
        if (characters_have(set, control)) {
            static const char digits[] = "0123456789abcdef";
            const char text[] = {'\\', 'u', '0', '0', digits[control >> 4], digits[control & 15],
                                 '\0'};
            all = draft_choice(draft, all, draft_string(draft, text));
        }
    }
    characters_remove(set, 0, ' ' - 1);
    return draft_choice(draft, draft_characters(draft, set), all);
}

/* ---- strings --------------------------------------------------------------------------------- */

static struct hearth_slice find_format(struct schema *schema, yyjson_val *value)
{
    for (size_t i = 0; i < HEARTH_COUNT(formats); i++) {
        if (yyjson_equals_str(value, formats[i].name)) {
            return hearth_slice_of_string(formats[i].pattern);
        }
    }
    schema_fail(schema, HEARTH_E_UNSUPPORTED, value, "this format is not supported");
    return hearth_slice_of(NULL, 0);
}

/* The one pattern that holds, if any: two at a time would have to be intersected. */
static yyjson_val *find_pattern(struct schema *schema, const struct constraint *constraint,
                                struct hearth_slice *ret)
{
    static const char *const names[] = {"pattern", "format"};
    yyjson_val *found = NULL;
    for (uint32_t i = 0; i < constraint->count; i++) {
        for (size_t k = 0; k < HEARTH_COUNT(names); k++) {
            yyjson_val *value = schema_keyword(constraint, i, names[k]);
            if (value == NULL || (found != NULL && yyjson_equals(found, value))) {
                continue;
            }
            if (found != NULL) {
                schema_fail(schema, HEARTH_E_UNSUPPORTED, value,
                            "a second pattern or format for one string is not supported");
            } else if (!yyjson_is_str(value)) {
                schema_fail(schema, HEARTH_E_INPUT_INVALID, value, "a string is expected");
            }
            found = value;
            *ret = k == 1 ? find_format(schema, value)
                          : hearth_slice_of(yyjson_get_str(value), yyjson_get_len(value));
        }
    }
    return found;
}

uint32_t schema_string(struct schema *schema, const struct constraint *constraint)
{
    struct draft *draft = schema->draft;
    uint32_t min = schema_count(schema, constraint, "minLength", true, 0);
    uint32_t max = schema_count(schema, constraint, "maxLength", false, DRAFT_UNLIMITED);
    struct hearth_slice text = {0};
    yyjson_val *where = find_pattern(schema, constraint, &text);
    uint32_t inside = DRAFT_NEVER;
    if (draft->code != 0) {
        return DRAFT_NEVER;
    }
    if (where == NULL) {
        inside = draft_repeat(draft, schema_character(schema), min, max);
    } else {
        struct pattern pattern = schema_pattern(schema, text, where);
        if (pattern.min < min || pattern.max > max) {
            return schema_fail(schema, HEARTH_E_UNSUPPORTED, where,
                               "minLength and maxLength are supported only where the pattern "
                               "itself keeps to them");
        }
        inside = pattern.expr;
    }
    uint32_t quote = draft_string(draft, "\"");
    return draft_sequence(draft, draft_sequence(draft, quote, inside), quote);
}
