/* filter.c — filters of single values; those of lists are in filter_list.c. */

#include "value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct value wrong(struct hearth_template_context *context, const char *filter,
                          struct value value)
{
    if (value.kind == V_UNDEFINED) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s of \"%.*s\", which is undefined",
                          filter, HEARTH_SLICE_ARGS(value.as.name));
    }
    return jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s of %s", filter, jinja_kind_name(value));
}

/* ── Texts ───────────────────────────────────────────────────────────────────────────────────── */

static struct value recase(struct hearth_template_context *context, struct value value,
                           enum text_case wanted)
{
    return jinja_recase(context, jinja_to_text(context, value), wanted);
}

static struct value filter_upper(struct hearth_template_context *context, struct value value,
                                 const struct arguments *arguments)
{
    (void)arguments;
    return recase(context, value, CASE_UPPER);
}

static struct value filter_lower(struct hearth_template_context *context, struct value value,
                                 const struct arguments *arguments)
{
    (void)arguments;
    return recase(context, value, CASE_LOWER);
}

static struct value filter_capitalize(struct hearth_template_context *context, struct value value,
                                      const struct arguments *arguments)
{
    (void)arguments;
    return recase(context, value, CASE_CAPITALIZE);
}

static bool is_before_word(uint32_t c)
{
    return jinja_is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
}

/* Words begin after blanks, dashes and opening brackets, not after apostrophes: each stretch up to
 * the next beginning is capitalized by itself. */
static struct value filter_title(struct hearth_template_context *context, struct value value,
                                 const struct arguments *arguments)
{
    (void)arguments;
    struct value text = jinja_to_text(context, value);
    struct maker maker = jinja_text_begin(context);
    size_t from = 0;
    while (from < text.as.text.size && jinja_spend(context, 1)) {
        size_t size = 0;
        size_t to = from;
        bool is_word = !is_before_word(jinja_character(jinja_bytes(text), from, &size));
        while (to < text.as.text.size &&
               is_before_word(jinja_character(jinja_bytes(text), to, &size)) != is_word) {
            to += size;
        }
        struct value part = jinja_cut(text, from, to);
        (void)jinja_character(jinja_bytes(part), 0, &size);
        jinja_emit_text(context, jinja_recase(context, jinja_cut(part, 0, size), CASE_UPPER));
        jinja_emit_text(context,
                        jinja_recase(context, jinja_cut(part, size, to - from), CASE_LOWER));
        from = to;
    }
    return jinja_text_end(&maker);
}

static struct value filter_trim(struct hearth_template_context *context, struct value value,
                                const struct arguments *arguments)
{
    struct value characters = jinja_argument(arguments, 0, "chars");
    if (characters.kind != V_TEXT && characters.kind != V_NONE &&
        jinja_has_argument(arguments, 0, "chars")) {
        return wrong(context, "trim", characters);
    }
    return jinja_strip(context, jinja_to_text(context, value), characters, SIDE_BOTH);
}

static struct value filter_replace(struct hearth_template_context *context, struct value value,
                                   const struct arguments *arguments)
{
    struct value old = jinja_to_text(context, jinja_argument(arguments, 0, "old"));
    struct value new = jinja_to_text(context, jinja_argument(arguments, 1, "new"));
    struct value count = jinja_argument(arguments, 2, "count");
    int64_t most =
        count.kind == V_NONE ? -1 : jinja_int_argument(context, arguments, 2, "count", -1);
    struct value text = jinja_to_text(context, value);
    return jinja_ok(context) ? jinja_replace(context, text, old, new, most) : text;
}

static struct value filter_string(struct hearth_template_context *context, struct value value,
                                  const struct arguments *arguments)
{
    (void)arguments;
    return jinja_to_text(context, value);
}

/* Lines but the first get @width in front, empty ones only if `blank` says so. */
static struct value filter_indent(struct hearth_template_context *context, struct value value,
                                  const struct arguments *arguments)
{
    struct value width = jinja_argument(arguments, 0, "width");
    if (width.kind != V_TEXT) {
        int64_t spaces = jinja_int_argument(context, arguments, 0, "width", 4);
        width = jinja_operate(context, OP_MULTIPLY, jinja_string(" "), jinja_int(spaces));
    }
    bool has_first = jinja_truth(jinja_argument(arguments, 1, "first"));
    bool has_blank = jinja_truth(jinja_argument(arguments, 2, "blank"));
    if (value.kind != V_TEXT) {
        return wrong(context, "indent", value);
    }
    struct value all =
        jinja_ok(context) ? jinja_operate(context, OP_ADD, value, jinja_string("\n")) : value;
    struct value lines = jinja_split_lines(context, all);
    struct maker maker = jinja_text_begin(context);
    for (size_t i = 0; jinja_ok(context) && i < lines.as.list->count; i++) {
        struct value line = lines.as.list->items[i];
        jinja_emit_own(context, i > 0 ? "\n" : "");
        if (i == 0 ? has_first : has_blank || line.as.text.size > 0) {
            jinja_emit_text(context, width);
        }
        jinja_emit_text(context, line);
    }
    return jinja_text_end(&maker);
}

/* ── Numbers ─────────────────────────────────────────────────────────────────────────────────── */

static struct value filter_abs(struct hearth_template_context *context, struct value value,
                               const struct arguments *arguments)
{
    (void)arguments;
    if (!jinja_is_number(value)) {
        return wrong(context, "abs", value);
    }
    if (value.kind == V_FLOAT) {
        value.as.real = fabs(value.as.real);
        return value;
    }
    return jinja_as_int(value) < 0 ? jinja_unary(context, OP_NEGATE, value)
                                   : jinja_unary(context, OP_PLUS, value);
}

/* The text without white space around it, as a string of C; false if it is too long for a number.
 */
static bool number_text(struct hearth_template_context *context, struct value value, char *room,
                        size_t room_bytes)
{
    struct value text = jinja_strip(context, value, jinja_none(), SIDE_BOTH);
    bool is_plain = text.as.text.size > 0;
    for (size_t i = 0; i < text.as.text.size && is_plain; i++) {
        uint8_t c = text.as.text.data[i];
        is_plain = c > ' ' && c < 0x7f && c != '_' && c != 'x' && c != 'X' && c != 'p' && c != '(';
    }
    return is_plain && hearth_slice_to_string(jinja_bytes(text), room, room_bytes);
}

static bool to_real(struct hearth_template_context *context, struct value value, double *ret)
{
    char room[128];
    char *end = NULL;
    if (jinja_is_number(value)) {
        *ret = jinja_as_real(value);
        return true;
    }
    if (value.kind != V_TEXT || !number_text(context, value, room, sizeof room)) {
        return false;
    }
    *ret = strtod(room, &end);
    return *end == '\0';
}

static bool has_foreign_part(struct value value)
{
    return value.is_foreign || (value.kind == V_TEXT && value.as.text.marks != NULL);
}

static struct value filter_float(struct hearth_template_context *context, struct value value,
                                 const struct arguments *arguments)
{
    double real = 0;
    if (value.kind == V_UNDEFINED) {
        return wrong(context, "float", value);
    }
    if (!to_real(context, value, &real)) {
        return jinja_has_argument(arguments, 0, "default") ? jinja_argument(arguments, 0, "default")
                                                           : jinja_float(0);
    }
    struct value result = jinja_float(real);
    result.is_foreign = has_foreign_part(value);
    return result;
}

static bool to_int(struct hearth_template_context *context, struct value value, int64_t base,
                   int64_t *ret)
{
    char room[128];
    char *end = NULL;
    double real = 0;
    if (value.kind == V_INT || value.kind == V_BOOL) {
        *ret = jinja_as_int(value);
        return true;
    }
    if (value.kind == V_TEXT && number_text(context, value, room, sizeof room)) {
        errno = 0;
        *ret = strtoll(room, &end, (int)base);
        if (end != room && *end == '\0') {
            return errno == 0;
        }
    }
    if (!to_real(context, value, &real) || !(fabs(real) < 9.2e18)) {
        return false;
    }
    *ret = (int64_t)real;
    return true;
}

static struct value filter_int(struct hearth_template_context *context, struct value value,
                               const struct arguments *arguments)
{
    int64_t number = 0;
    int64_t base = jinja_int_argument(context, arguments, 1, "base", 10);
    if (value.kind == V_UNDEFINED || base < 2 || base > 36) {
        return wrong(context, "int", value);
    }
    if (!to_int(context, value, base, &number)) {
        return jinja_has_argument(arguments, 0, "default") ? jinja_argument(arguments, 0, "default")
                                                           : jinja_int(0);
    }
    struct value result = jinja_int(number);
    result.is_foreign = has_foreign_part(value);
    return result;
}

/* The digits of a float are exact when printed, so printing rounds it right: halves to even. */
static struct value round_commonly(struct hearth_template_context *context, struct value value,
                                   int64_t digits)
{
    char room[400];
    if (value.kind != V_FLOAT) {
        return digits >= 0 ? jinja_unary(context, OP_PLUS, value) : wrong(context, "round", value);
    }
    if (digits < 0 || !isfinite(value.as.real)) {
        return wrong(context, "round", value);
    }
    (void)snprintf(room, sizeof room, "%.*f", (int)HEARTH_MIN(digits, (int64_t)40), value.as.real);
    value.as.real = strtod(room, NULL);
    return value;
}

static struct value filter_round(struct hearth_template_context *context, struct value value,
                                 const struct arguments *arguments)
{
    int64_t digits = jinja_int_argument(context, arguments, 0, "precision", 0);
    struct value method = jinja_argument(arguments, 1, "method");
    if (!jinja_is_number(value) || digits > 100 || digits < -100) {
        return wrong(context, "round", value);
    }
    if (method.kind == V_UNDEFINED || jinja_is_text(method, "common")) {
        return round_commonly(context, value, digits);
    }
    bool is_up = jinja_is_text(method, "ceil");
    if (!is_up && !jinja_is_text(method, "floor")) {
        return wrong(context, "round with a method", method);
    }
    double unit = pow(10, (double)digits);
    double scaled = jinja_as_real(value) * unit;
    if (!isfinite(scaled)) {
        return wrong(context, "round", value);
    }
    double whole = (is_up ? ceil(scaled) : floor(scaled)) + 0.0; /* an integer has no -0 */
    struct value result = jinja_float(whole / unit);
    result.is_foreign = value.is_foreign;
    return result;
}

/* ── Any value ───────────────────────────────────────────────────────────────────────────────── */

static struct value filter_default(struct hearth_template_context *context, struct value value,
                                   const struct arguments *arguments)
{
    (void)context;
    bool is_missing = value.kind == V_UNDEFINED ||
                      (jinja_truth(jinja_argument(arguments, 1, "boolean")) && !jinja_truth(value));
    if (!is_missing) {
        return value;
    }
    return jinja_has_argument(arguments, 0, "default_value")
               ? jinja_argument(arguments, 0, "default_value")
               : jinja_string("");
}

static struct value filter_length(struct hearth_template_context *context, struct value value,
                                  const struct arguments *arguments)
{
    (void)arguments;
    switch (value.kind) {
    case V_UNDEFINED: return jinja_int(0);
    case V_TEXT:
        (void)jinja_spend_bytes(context, value.as.text.size);
        return jinja_int((int64_t)jinja_count_characters(value));
    case V_LIST:
    case V_TUPLE:
    case V_RANGE:
    case V_VIEW: return jinja_int((int64_t)value.as.list->count);
    case V_DICT: return jinja_int((int64_t)value.as.dict->count);
    case V_LOOP: return jinja_int((int64_t)value.as.loop->items->count);
    case V_NONE:
    case V_BOOL:
    case V_INT:
    case V_FLOAT:
    case V_GENERATOR:
    case V_NAMESPACE:
    case V_MACRO:
    case V_METHOD:
    case V_FUNCTION: break;
    }
    return wrong(context, "length", value);
}

/* The separators of json.dumps() depend on whether there is an indent. */
static void set_separators(struct hearth_template_context *context, struct json_style *style,
                           struct value given)
{
    bool is_pair = (given.kind == V_TUPLE || given.kind == V_LIST) && given.as.list->count == 2;
    if (is_pair && given.as.list->items[0].kind == V_TEXT &&
        given.as.list->items[1].kind == V_TEXT) {
        style->item_separator = given.as.list->items[0];
        style->key_separator = given.as.list->items[1];
    } else if (given.kind != V_NONE && given.kind != V_UNDEFINED) {
        (void)wrong(context, "tojson with separators", given);
    }
}

static struct value filter_tojson(struct hearth_template_context *context, struct value value,
                                  const struct arguments *arguments)
{
    struct json_style style = {.indent = jinja_none(), .key_separator = jinja_string(": ")};
    style.is_ascii = jinja_truth(jinja_argument(arguments, 0, "ensure_ascii"));
    struct value indent = jinja_argument(arguments, 1, "indent");
    if (indent.kind == V_TEXT || indent.kind == V_INT || indent.kind == V_BOOL) {
        style.indent = indent;
    } else if (indent.kind != V_NONE && indent.kind != V_UNDEFINED) {
        return wrong(context, "tojson with an indent", indent);
    }
    style.item_separator = jinja_string(style.indent.kind == V_NONE ? ", " : ",");
    set_separators(context, &style, jinja_argument(arguments, 2, "separators"));
    style.is_sorted = jinja_truth(jinja_argument(arguments, 3, "sort_keys"));
    return jinja_ok(context) ? jinja_to_json(context, value, &style) : value;
}

static struct value filter_safe(struct hearth_template_context *context, struct value value,
                                const struct arguments *arguments)
{
    (void)arguments;
    (void)value;
    return jinja_fail(context, HEARTH_E_UNSUPPORTED,
                      "the filter \"safe\" is only supported last in an output");
}

/* ── The table ───────────────────────────────────────────────────────────────────────────────── */

static const struct jinja_filter FILTERS[] = {
    {"upper", "", 0, filter_upper},
    {"lower", "", 0, filter_lower},
    {"capitalize", "", 0, filter_capitalize},
    {"title", "", 0, filter_title},
    {"trim", "chars", 0, filter_trim},
    {"replace", "old new count", 2, filter_replace},
    {"string", "", 0, filter_string},
    {"indent", "width first blank", 0, filter_indent},
    {"abs", "", 0, filter_abs},
    {"float", "default", 0, filter_float},
    {"int", "default base", 0, filter_int},
    {"round", "precision method", 0, filter_round},
    {"default", "default_value boolean", 0, filter_default},
    {"d", "default_value boolean", 0, filter_default},
    {"length", "", 0, filter_length},
    {"count", "", 0, filter_length},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, filter_tojson},
    {"safe", "", 0, filter_safe},
    {NULL, NULL, 0, NULL},
};

static const struct jinja_filter *find_in(const struct jinja_filter *filters,
                                          struct hearth_slice name)
{
    for (; filters->name != NULL; filters++) {
        if (hearth_slice_equals_string(name, filters->name)) {
            return filters;
        }
    }
    return NULL;
}

const struct jinja_filter *jinja_find_filter(struct hearth_slice name)
{
    const struct jinja_filter *found = find_in(FILTERS, name);
    return found != NULL ? found : find_in(jinja_list_filters, name);
}

struct value jinja_filter(struct hearth_template_context *context,
                          const struct jinja_filter *filter, struct value value,
                          const struct arguments *arguments)
{
    if (!jinja_ok(context) ||
        (filter->names != NULL &&
         !jinja_check_arguments(context, filter->name, arguments, filter->least, filter->names))) {
        return jinja_none();
    }
    return filter->call(context, value, arguments);
}
