/* value.c — making values and asking them: truth, equality, order, what they contain. */

#include "value.h"

struct value jinja_undefined(struct hearth_slice name)
{
    return (struct value){.kind = V_UNDEFINED, .as.name = name};
}

struct value jinja_none(void)
{
    return (struct value){.kind = V_NONE};
}

struct value jinja_bool(bool is_true)
{
    return (struct value){.kind = V_BOOL, .as.is_true = is_true};
}

struct value jinja_int(int64_t number)
{
    return (struct value){.kind = V_INT, .as.number = number};
}

struct value jinja_float(double real)
{
    return (struct value){.kind = V_FLOAT, .as.real = real};
}

struct value jinja_text(struct hearth_slice text, bool is_foreign)
{
    struct value value = {.kind = V_TEXT, .is_foreign = is_foreign};
    value.as.text.data = text.size > 0 ? text.data : (const uint8_t *)"";
    value.as.text.size = text.size;
    return value;
}

struct value jinja_string(const char *text)
{
    return jinja_text(hearth_slice_of_string(text), false);
}

struct value jinja_new_list(struct hearth_template_context *context, enum value_kind kind)
{
    struct list *list = jinja_alloc(context, 1, sizeof *list);
    return list == NULL ? jinja_undefined(hearth_slice_of("", 0))
                        : (struct value){.kind = kind, .as.list = list};
}

void jinja_append(struct hearth_template_context *context, struct list *list, struct value value)
{
    if (!jinja_ok(context)) {
        return;
    }
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 4 : 2 * list->room;
        struct value *items = jinja_alloc(context, room, sizeof *items);
        if (items == NULL) {
            return;
        }
        if (list->count > 0) {
            memcpy(items, list->items, list->count * sizeof *items);
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = value;
}

/* ── Kinds ───────────────────────────────────────────────────────────────────────────────────── */

bool jinja_is_number(struct value value)
{
    return value.kind == V_BOOL || value.kind == V_INT || value.kind == V_FLOAT;
}

bool jinja_is_text(struct value value, const char *text)
{
    return value.kind == V_TEXT && hearth_slice_equals_string(jinja_bytes(value), text);
}

bool jinja_is_sequence(struct value value)
{
    return value.kind >= V_LIST && value.kind <= V_VIEW;
}

double jinja_as_real(struct value number)
{
    return number.kind == V_FLOAT ? number.as.real : (double)jinja_as_int(number);
}

int64_t jinja_as_int(struct value number)
{
    return number.kind == V_BOOL ? number.as.is_true : number.as.number;
}

const char *jinja_kind_name(struct value value)
{
    static const char *const names[] = {
        "undefined",   "none",    "a boolean", "an integer",  "a float",          "a string",
        "a list",      "a tuple", "a range",   "a generator", "a view of a dict", "a dict",
        "a namespace", "a loop",  "a macro",   "a method",    "a function"};
    return names[value.kind];
}

bool jinja_truth(struct value value)
{
    switch (value.kind) {
    case V_UNDEFINED:
    case V_NONE: return false;
    case V_BOOL: return value.as.is_true;
    case V_INT: return value.as.number != 0;
    case V_FLOAT: return value.as.real != 0;
    case V_TEXT: return value.as.text.size > 0;
    case V_LIST:
    case V_TUPLE:
    case V_RANGE:
    case V_VIEW: return value.as.list->count > 0;
    case V_DICT: return value.as.dict->count > 0;
    case V_GENERATOR:
    case V_NAMESPACE:
    case V_LOOP:
    case V_MACRO:
    case V_METHOD:
    case V_FUNCTION: return true;
    }
    HEARTH_UNREACHABLE();
}

/* ── Equality and order ──────────────────────────────────────────────────────────────────────── */

/* Exact for all pairs: a long double holds any int64_t. */
static int compare_numbers(struct value a, struct value b)
{
    long double left = a.kind == V_FLOAT ? (long double)a.as.real : (long double)jinja_as_int(a);
    long double right = b.kind == V_FLOAT ? (long double)b.as.real : (long double)jinja_as_int(b);
    return (left > right) - (left < right);
}

static bool is_nan(struct value value)
{
    return value.kind == V_FLOAT && value.as.real != value.as.real;
}

static bool lists_equal(struct hearth_template_context *context, const struct list *a,
                        const struct list *b)
{
    bool is_equal = a->count == b->count;
    for (size_t i = 0; i < a->count && is_equal; i++) {
        is_equal = jinja_equal(context, a->items[i], b->items[i]);
    }
    return is_equal;
}

static bool dicts_equal(struct hearth_template_context *context, const struct dict *a,
                        const struct dict *b)
{
    bool is_equal = a->count == b->count;
    for (size_t i = 0; i < a->count && is_equal; i++) {
        const struct value *other = jinja_dict_get(context, b, a->entries[i].key);
        is_equal = other != NULL && jinja_equal(context, a->entries[i].value, *other);
    }
    return is_equal;
}

static bool equal_of_one_kind(struct hearth_template_context *context, struct value a,
                              struct value b)
{
    switch (a.kind) {
    case V_UNDEFINED:
    case V_NONE: return true;
    case V_TEXT:
        (void)jinja_spend_bytes(context, HEARTH_MIN(a.as.text.size, b.as.text.size));
        return hearth_slice_equal(jinja_bytes(a), jinja_bytes(b));
    case V_LIST:
    case V_TUPLE:
    case V_RANGE: return a.as.list == b.as.list || lists_equal(context, a.as.list, b.as.list);
    case V_DICT: return a.as.dict == b.as.dict || dicts_equal(context, a.as.dict, b.as.dict);
    case V_GENERATOR:
    case V_VIEW: return a.as.list == b.as.list;
    case V_NAMESPACE: return a.as.dict == b.as.dict;
    case V_LOOP: return a.as.loop == b.as.loop;
    case V_MACRO: return a.as.macro == b.as.macro;
    case V_METHOD: return a.as.bound == b.as.bound;
    case V_FUNCTION: return a.as.function == b.as.function;
    case V_BOOL:
    case V_INT:
    case V_FLOAT: break;
    }
    HEARTH_UNREACHABLE();
}

bool jinja_equal(struct hearth_template_context *context, struct value a, struct value b)
{
    if (jinja_is_number(a) && jinja_is_number(b)) {
        return !is_nan(a) && !is_nan(b) && compare_numbers(a, b) == 0;
    }
    if (a.kind != b.kind || !jinja_enter(context)) {
        return false;
    }
    bool is_equal = equal_of_one_kind(context, a, b);
    jinja_leave(context);
    return is_equal;
}

static int compare_lists(struct hearth_template_context *context, const struct list *a,
                         const struct list *b)
{
    size_t count = HEARTH_MIN(a->count, b->count);
    for (size_t i = 0; i < count && jinja_ok(context); i++) {
        if (!jinja_equal(context, a->items[i], b->items[i])) {
            return jinja_compare(context, a->items[i], b->items[i]);
        }
    }
    return (a->count > b->count) - (a->count < b->count);
}

int jinja_compare(struct hearth_template_context *context, struct value a, struct value b)
{
    int order = 0;
    if (!jinja_enter(context)) {
        return 0;
    }
    if (jinja_is_number(a) && jinja_is_number(b)) {
        order = compare_numbers(a, b);
    } else if (a.kind == V_TEXT && b.kind == V_TEXT) { /* UTF-8 sorts as its characters do */
        size_t size = HEARTH_MIN(a.as.text.size, b.as.text.size);
        (void)jinja_spend_bytes(context, size);
        order = memcmp(a.as.text.data, b.as.text.data, size);
        order = order != 0 ? order
                           : (a.as.text.size > b.as.text.size) - (a.as.text.size < b.as.text.size);
    } else if (a.kind == b.kind && (a.kind == V_LIST || a.kind == V_TUPLE)) {
        order = compare_lists(context, a.as.list, b.as.list);
    } else {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s and %s have no order",
                         jinja_kind_name(a), jinja_kind_name(b));
    }
    jinja_leave(context);
    return order;
}

/* ── Containing ──────────────────────────────────────────────────────────────────────────────── */

bool jinja_contains(struct hearth_template_context *context, struct value in, struct value what)
{
    if (in.kind == V_UNDEFINED) {
        return false;
    }
    if (in.kind == V_DICT) {
        return jinja_dict_get(context, in.as.dict, what) != NULL;
    }
    if (in.kind == V_TEXT && what.kind == V_TEXT) {
        (void)jinja_spend_bytes(context, in.as.text.size);
        return jinja_find(in, what, 0) != SIZE_MAX;
    }
    if (!jinja_is_sequence(in)) {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s cannot be in %s", jinja_kind_name(what),
                         jinja_kind_name(in));
        return false;
    }
    const struct list *list = jinja_elements(context, in);
    for (size_t i = 0; list != NULL && i < list->count && jinja_spend(context, 1); i++) {
        if (jinja_equal(context, list->items[i], what)) {
            return true;
        }
    }
    return false;
}

static struct list *characters_of(struct hearth_template_context *context, struct value text)
{
    struct value list = jinja_new_list(context, V_LIST);
    size_t size = 0;
    for (size_t at = 0; at < text.as.text.size && jinja_spend(context, 1); at += size) {
        (void)jinja_character(jinja_bytes(text), at, &size);
        jinja_append(context, list.as.list, jinja_cut(text, at, at + size));
    }
    return jinja_ok(context) ? list.as.list : NULL;
}

static struct list *keys_of(struct hearth_template_context *context, const struct dict *dict)
{
    struct value list = jinja_new_list(context, V_LIST);
    for (size_t i = 0; i < dict->count && jinja_spend(context, 1); i++) {
        jinja_append(context, list.as.list, dict->entries[i].key);
    }
    return jinja_ok(context) ? list.as.list : NULL;
}

struct list *jinja_elements(struct hearth_template_context *context, struct value value)
{
    if (!jinja_ok(context)) {
        return NULL;
    }
    if (value.kind == V_GENERATOR) {
        struct list *all = value.as.list;
        if (all->is_used_up) {
            return jinja_new_list(context, V_LIST).as.list;
        }
        all->is_used_up = true;
        return all;
    }
    if (jinja_is_sequence(value)) {
        return value.as.list;
    }
    if (value.kind == V_TEXT) {
        return characters_of(context, value);
    }
    if (value.kind == V_DICT) {
        return keys_of(context, value.as.dict);
    }
    if (value.kind == V_UNDEFINED) {
        struct value list = jinja_new_list(context, V_LIST);
        return jinja_ok(context) ? list.as.list : NULL;
    }
    (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s cannot be gone through",
                     jinja_kind_name(value));
    return NULL;
}

bool jinja_index(int64_t index, size_t count, size_t *ret)
{
    int64_t at = index < 0 ? index + (int64_t)count : index;
    if (at < 0 || at >= (int64_t)count) {
        return false;
    }
    *ret = (size_t)at;
    return true;
}
