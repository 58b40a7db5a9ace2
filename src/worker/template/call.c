/* call.c — attributes, indices, slices and calls. */

#include "value.h"

#include <string.h>

/* ── Arguments ───────────────────────────────────────────────────────────────────────────────── */

static const struct argument *find_argument(const struct arguments *arguments, size_t index,
                                            const char *name)
{
    if (index < arguments->positional) {
        return &arguments->all[index];
    }
    for (size_t i = arguments->positional; i < arguments->count; i++) {
        if (hearth_slice_equals_string(arguments->all[i].name, name)) {
            return &arguments->all[i];
        }
    }
    return NULL;
}

struct value jinja_argument(const struct arguments *arguments, size_t index, const char *name)
{
    const struct argument *found = find_argument(arguments, index, name);
    return found != NULL ? found->value : jinja_undefined(hearth_slice_of_string(name));
}

bool jinja_has_argument(const struct arguments *arguments, size_t index, const char *name)
{
    return find_argument(arguments, index, name) != NULL;
}

/* The place of @name in @names, or their number. */
static size_t place_of(struct hearth_slice name, const char *names, size_t *ret_count)
{
    size_t place = SIZE_MAX;
    size_t count = 0;
    while (*names != '\0') {
        size_t size = strcspn(names, " ");
        if (hearth_slice_equal(name, hearth_slice_of(names, size))) {
            place = count;
        }
        count++;
        names += size + (names[size] == ' ');
    }
    *ret_count = count;
    return place;
}

bool jinja_check_arguments(struct hearth_template_context *context, const char *what,
                           const struct arguments *arguments, size_t least, const char *names)
{
    size_t count = 0;
    (void)place_of(hearth_slice_of("", 0), names, &count);
    bool is_right = arguments->positional <= count && arguments->count <= count;
    for (size_t i = arguments->positional; i < arguments->count && is_right; i++) {
        size_t place = place_of(arguments->all[i].name, names, &count);
        is_right = place != SIZE_MAX && place >= arguments->positional;
    }
    if (!is_right || arguments->count < least) {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED,
                         "%s: %zu arguments, or one of a name that it does not have", what,
                         arguments->count);
        return false;
    }
    return true;
}

int64_t jinja_int_argument(struct hearth_template_context *context,
                           const struct arguments *arguments, size_t index, const char *name,
                           int64_t otherwise)
{
    const struct argument *found = find_argument(arguments, index, name);
    if (found == NULL) {
        return otherwise;
    }
    if (found->value.kind != V_INT && found->value.kind != V_BOOL) {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s is %s, an integer is wanted", name,
                         jinja_kind_name(found->value));
        return otherwise;
    }
    return jinja_as_int(found->value);
}

/* ── Attributes ──────────────────────────────────────────────────────────────────────────────── */

/* Own names are told in errors, keys that may be a client's are not. */
static struct value missing(struct value key)
{
    bool is_tellable = key.kind == V_TEXT && key.as.text.marks == NULL && !key.is_foreign;
    return jinja_undefined(is_tellable ? jinja_bytes(key) : hearth_slice_of("", 0));
}

static struct value bind(struct hearth_template_context *context, struct value of,
                         struct value name)
{
    struct bound *bound = jinja_alloc(context, 1, sizeof *bound);
    if (bound == NULL) {
        return of;
    }
    *bound = (struct bound){of, jinja_bytes(name)};
    return (struct value){.kind = V_METHOD, .as.bound = bound};
}

static struct value neighbour(const struct loop *loop, bool is_next)
{
    bool is_there = is_next ? loop->index + 1 < loop->items->count : loop->index > 0;
    if (!is_there) {
        return jinja_undefined(hearth_slice_of_string(is_next ? "nextitem" : "previtem"));
    }
    return loop->items->items[is_next ? loop->index + 1 : loop->index - 1];
}

static struct value loop_attribute(const struct loop *loop, struct value name)
{
    const struct {
        const char *name;
        size_t number;
    } numbers[] = {{"index", loop->index + 1},
                   {"index0", loop->index},
                   {"revindex", loop->items->count - loop->index},
                   {"revindex0", loop->items->count - loop->index - 1},
                   {"length", loop->items->count},
                   {"depth", 1}, /* only recursive loops go deeper */
                   {"depth0", 0}};
    for (size_t i = 0; i < HEARTH_COUNT(numbers); i++) {
        if (jinja_is_text(name, numbers[i].name)) {
            return jinja_int((int64_t)numbers[i].number);
        }
    }
    if (jinja_is_text(name, "first") || jinja_is_text(name, "last")) {
        bool is_first = jinja_is_text(name, "first");
        return jinja_bool(is_first ? loop->index == 0 : loop->index + 1 == loop->items->count);
    }
    if (jinja_is_text(name, "previtem") || jinja_is_text(name, "nextitem")) {
        return neighbour(loop, jinja_is_text(name, "nextitem"));
    }
    return missing(name);
}

static struct value own_attribute(struct hearth_template_context *context, struct value of,
                                  struct value name)
{
    if (jinja_has_method(of, jinja_bytes(name))) {
        return bind(context, of, name);
    }
    if (of.kind == V_LOOP) {
        return loop_attribute(of.as.loop, name);
    }
    if (of.kind == V_NAMESPACE) {
        const struct value *found = jinja_dict_get(context, of.as.dict, name);
        return found != NULL ? *found : missing(name);
    }
    return missing(name);
}

static struct value of_undefined(struct hearth_template_context *context, struct value of)
{
    return jinja_fail(context, HEARTH_E_UNSUPPORTED, "\"%.*s\" is undefined",
                      HEARTH_SLICE_ARGS(of.as.name));
}

struct value jinja_attribute(struct hearth_template_context *context, struct value of,
                             struct value name)
{
    if (!jinja_ok(context) || of.kind == V_UNDEFINED) {
        return of_undefined(context, of);
    }
    if (of.kind == V_DICT && !jinja_has_method(of, jinja_bytes(name))) {
        const struct value *found = jinja_dict_get(context, of.as.dict, name);
        return found != NULL ? *found : missing(name);
    }
    return own_attribute(context, of, name);
}

/* ── Indices ─────────────────────────────────────────────────────────────────────────────────── */

static bool is_index(struct value key)
{
    return key.kind == V_INT || key.kind == V_BOOL;
}

static struct value text_item(struct hearth_template_context *context, struct value text,
                              int64_t index)
{
    size_t at = 0;
    size_t size = 0;
    if (!jinja_spend_bytes(context, text.as.text.size) ||
        !jinja_index(index, jinja_count_characters(text), &at)) {
        return jinja_undefined(hearth_slice_of("", 0));
    }
    size_t from = jinja_byte_of(text, at);
    (void)jinja_character(jinja_bytes(text), from, &size);
    return jinja_cut(text, from, from + size);
}

struct value jinja_item(struct hearth_template_context *context, struct value of, struct value key)
{
    size_t at = 0;
    if (of.kind == V_UNDEFINED) {
        return of_undefined(context, of);
    }
    if (of.kind == V_DICT && key.kind != V_LIST && key.kind != V_DICT) {
        const struct value *found = jinja_dict_get(context, of.as.dict, key);
        if (found != NULL) {
            return *found;
        }
    }
    if (of.kind == V_TEXT && is_index(key)) {
        return text_item(context, of, jinja_as_int(key));
    }
    bool has_indices = of.kind == V_LIST || of.kind == V_TUPLE || of.kind == V_RANGE;
    if (has_indices && is_index(key)) {
        bool is_there = jinja_index(jinja_as_int(key), of.as.list->count, &at);
        return is_there ? of.as.list->items[at] : missing(key);
    }
    return key.kind == V_TEXT && jinja_ok(context) ? own_attribute(context, of, key) : missing(key);
}

/* ── Slices ──────────────────────────────────────────────────────────────────────────────────── */

/* A bound of a slice within [@low, @high], as Python clamps it. */
static int64_t clamp(struct value bound, int64_t otherwise, int64_t count, int64_t low,
                     int64_t high)
{
    if (bound.kind == V_NONE) {
        return otherwise;
    }
    int64_t at = jinja_as_int(bound);
    at = at < 0 ? at + count : at;
    return at < low ? low : at > high ? high : at;
}

static bool is_bound(struct value value)
{
    return value.kind == V_NONE || is_index(value);
}

static struct value pick(struct hearth_template_context *context, struct value of, int64_t from,
                         int64_t to, int64_t step)
{
    struct value result = jinja_new_list(context, of.kind);
    const struct list *list = of.as.list;
    for (int64_t at = from; (step > 0 ? at < to : at > to) && jinja_spend(context, 1);) {
        jinja_append(context, result.as.list, list->items[at]);
        if (__builtin_add_overflow(at, step, &at)) {
            break;
        }
    }
    return result;
}

static struct value slice_text(struct hearth_template_context *context, struct value text,
                               int64_t from, int64_t to, int64_t step)
{
    (void)jinja_spend_bytes(context, text.as.text.size);
    if (step == 1) {
        size_t start = jinja_byte_of(text, (size_t)from);
        return jinja_cut(text, start, from < to ? jinja_byte_of(text, (size_t)to) : start);
    }
    struct list *characters = jinja_elements(context, text);
    struct value list = {.kind = V_LIST, .as.list = characters};
    return characters == NULL
               ? text
               : jinja_join(context, pick(context, list, from, to, step), jinja_string(""));
}

static struct value slice_by(struct hearth_template_context *context, struct value of,
                             struct value start, struct value stop, int64_t by)
{
    int64_t count = (int64_t)(of.kind == V_TEXT ? jinja_count_characters(of) : of.as.list->count);
    int64_t low = by > 0 ? 0 : -1;
    int64_t high = by > 0 ? count : count - 1;
    int64_t from = clamp(start, by > 0 ? 0 : count - 1, count, low, high);
    int64_t to = clamp(stop, by > 0 ? count : -1, count, low, high);
    return of.kind == V_TEXT ? slice_text(context, of, from, to, by)
                             : pick(context, of, from, to, by);
}

struct value jinja_slice(struct hearth_template_context *context, struct value of,
                         struct value start, struct value stop, struct value step)
{
    if (of.kind == V_UNDEFINED) {
        return of_undefined(context, of);
    }
    bool has_indices =
        of.kind == V_TEXT || of.kind == V_LIST || of.kind == V_TUPLE || of.kind == V_RANGE;
    if (!has_indices || !is_bound(start) || !is_bound(stop) || !is_bound(step)) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "a slice of %s, or not by integers",
                          jinja_kind_name(of));
    }
    int64_t by = step.kind == V_NONE ? 1 : jinja_as_int(step);
    if (by == 0) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "a slice with the step 0");
    }
    return slice_by(context, of, start, stop, by);
}

/* ── Calls ───────────────────────────────────────────────────────────────────────────────────── */

struct value jinja_call(struct hearth_template_context *context, struct value callee,
                        const struct arguments *arguments)
{
    if (callee.kind == V_MACRO) {
        return jinja_call_macro(context, callee.as.macro, arguments);
    }
    if (callee.kind == V_METHOD) {
        return jinja_call_method(context, callee.as.bound, arguments);
    }
    if (callee.kind == V_FUNCTION) {
        return callee.as.function->call(context, arguments);
    }
    if (callee.kind == V_UNDEFINED) {
        return of_undefined(context, callee);
    }
    return jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s cannot be called",
                      jinja_kind_name(callee));
}
