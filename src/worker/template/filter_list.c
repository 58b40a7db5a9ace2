/* filter_list.c — filters that go through lists: choose, change, order and gather elements. */

#include "value.h"

#include <string.h>

/* ── Attributes named by a filter: "a.0.b" ───────────────────────────────────────────────────── */

static struct value part_of(struct hearth_template_context *context, struct value of,
                            struct value name)
{
    int64_t number = 0;
    bool is_number = name.as.text.size > 0 && name.as.text.size < 10;
    for (size_t i = 0; i < name.as.text.size && is_number; i++) {
        uint8_t c = name.as.text.data[i];
        is_number = c >= '0' && c <= '9';
        number = number * 10 + (c - '0');
    }
    return jinja_item(context, of, is_number ? jinja_int(number) : name);
}

static struct value attribute_of(struct hearth_template_context *context, struct value of,
                                 struct value path)
{
    if (path.kind == V_INT) {
        return jinja_item(context, of, path);
    }
    if (path.kind != V_TEXT) {
        return of;
    }
    size_t from = 0;
    for (size_t at = 0; at <= path.as.text.size && jinja_spend(context, 1); at++) {
        if (at == path.as.text.size || path.as.text.data[at] == '.') {
            of = part_of(context, of, jinja_cut(path, from, at));
            from = at + 1;
        }
    }
    return of;
}

/* ── Order ───────────────────────────────────────────────────────────────────────────────────── */

/* How elements are compared: by an attribute, and texts without regard to case unless told. */
struct order {
    struct hearth_template_context *context;
    struct value path;
    bool is_case_sensitive;
    bool is_reverse;
    bool asks_equality; /* equal keys need no order, as the reference's `sort` has it */
};

static struct value key_of(const struct order *order, struct value element)
{
    struct value key = attribute_of(order->context, element, order->path);
    return key.kind == V_TEXT && !order->is_case_sensitive
               ? jinja_recase(order->context, key, CASE_LOWER)
               : key;
}

/* An element beside what it is ordered by. */
struct keyed {
    struct value key;
    struct value element;
};

static int compare_keys(const struct order *order, struct value a, struct value b)
{
    bool is_equal = order->asks_equality && jinja_equal(order->context, a, b);
    return is_equal ? 0 : jinja_compare(order->context, a, b);
}

static void merge(const struct order *order, struct keyed *from, size_t half, size_t count,
                  struct keyed *to)
{
    size_t left = 0;
    size_t right = half;
    for (size_t i = 0; i < count; i++) {
        bool takes_right = left == half;
        if (left < half && right < count && jinja_ok(order->context)) {
            int compared = compare_keys(order, from[right].key, from[left].key);
            takes_right = order->is_reverse ? compared > 0 : compared < 0;
        }
        to[i] = takes_right ? from[right++] : from[left++];
    }
    memcpy(from, to, count * sizeof *to);
}

/* Merges neighbours of growing width: stable, and without recursion. */
static void sort_keyed(const struct order *order, struct keyed *all, size_t count,
                       struct keyed *room)
{
    for (size_t width = 1; width < count && jinja_ok(order->context); width *= 2) {
        for (size_t at = 0; at + width < count; at += 2 * width) {
            merge(order, all + at, width, HEARTH_MIN(2 * width, count - at), room);
        }
    }
}

static struct value sorted(const struct order *order, const struct list *list)
{
    struct hearth_template_context *context = order->context;
    struct value result = jinja_new_list(context, V_LIST);
    struct keyed *all = list == NULL ? NULL : jinja_alloc(context, 2 * list->count, sizeof *all);
    if (all == NULL) {
        return jinja_none();
    }
    for (size_t i = 0; i < list->count && jinja_spend(context, 1); i++) {
        all[i] = (struct keyed){key_of(order, list->items[i]), list->items[i]};
    }
    if (!jinja_ok(context)) {
        return jinja_none();
    }
    sort_keyed(order, all, list->count, all + list->count);
    for (size_t i = 0; i < list->count; i++) {
        jinja_append(context, result.as.list, all[i].element);
    }
    return result;
}

static struct value filter_sort(struct hearth_template_context *context, struct value value,
                                const struct arguments *arguments)
{
    struct order order = {context, jinja_argument(arguments, 2, "attribute"),
                          jinja_truth(jinja_argument(arguments, 1, "case_sensitive")),
                          jinja_truth(jinja_argument(arguments, 0, "reverse")), true};
    if (order.path.kind == V_TEXT && jinja_find(order.path, jinja_string(","), 0) != SIZE_MAX) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED,
                          "sort by several attributes is not supported");
    }
    return sorted(&order, jinja_elements(context, value));
}

static struct value items_of(struct hearth_template_context *context, struct value value,
                             const char *filter, enum value_kind kind)
{
    struct value list = jinja_new_list(context, kind);
    if (value.kind == V_UNDEFINED) {
        return list;
    }
    if (value.kind != V_DICT) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s of %s", filter,
                          jinja_kind_name(value));
    }
    for (size_t i = 0; i < value.as.dict->count && jinja_spend(context, 1); i++) {
        struct value pair = jinja_new_list(context, V_TUPLE);
        if (jinja_ok(context)) {
            jinja_append(context, pair.as.list, value.as.dict->entries[i].key);
            jinja_append(context, pair.as.list, value.as.dict->entries[i].value);
            jinja_append(context, list.as.list, pair);
        }
    }
    return list;
}

static struct value filter_items(struct hearth_template_context *context, struct value value,
                                 const struct arguments *arguments)
{
    (void)arguments;
    return items_of(context, value, "items", V_GENERATOR);
}

static struct value filter_dictsort(struct hearth_template_context *context, struct value value,
                                    const struct arguments *arguments)
{
    struct value by = jinja_argument(arguments, 1, "by");
    bool is_by_value = jinja_is_text(by, "value");
    if (value.kind == V_UNDEFINED ||
        (by.kind != V_UNDEFINED && !is_by_value && !jinja_is_text(by, "key"))) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "dictsort of %s, or not by key or value",
                          jinja_kind_name(value));
    }
    struct order order = {context, jinja_int(is_by_value),
                          jinja_truth(jinja_argument(arguments, 0, "case_sensitive")),
                          jinja_truth(jinja_argument(arguments, 2, "reverse")), false};
    struct value items = items_of(context, value, "dictsort", V_LIST);
    return jinja_ok(context) ? sorted(&order, items.as.list) : items;
}

static struct value extreme(struct hearth_template_context *context, struct value value,
                            const struct arguments *arguments, int wanted)
{
    struct order order = {context, jinja_argument(arguments, 1, "attribute"),
                          jinja_truth(jinja_argument(arguments, 0, "case_sensitive")), false,
                          false};
    const struct list *list = jinja_elements(context, value);
    if (list == NULL || list->count == 0) {
        return jinja_undefined(hearth_slice_of_string("the extreme of an empty list"));
    }
    size_t best = 0;
    struct value key = key_of(&order, list->items[0]);
    for (size_t i = 1; i < list->count && jinja_spend(context, 1); i++) {
        struct value other = key_of(&order, list->items[i]);
        if (jinja_ok(context) && jinja_compare(context, other, key) * wanted > 0) {
            best = i;
            key = other;
        }
    }
    return list->items[best];
}

static struct value filter_max(struct hearth_template_context *context, struct value value,
                               const struct arguments *arguments)
{
    return extreme(context, value, arguments, 1);
}

static struct value filter_min(struct hearth_template_context *context, struct value value,
                               const struct arguments *arguments)
{
    return extreme(context, value, arguments, -1);
}

static struct value filter_unique(struct hearth_template_context *context, struct value value,
                                  const struct arguments *arguments)
{
    struct order order = {context, jinja_argument(arguments, 1, "attribute"),
                          jinja_truth(jinja_argument(arguments, 0, "case_sensitive")), false,
                          false};
    const struct list *list = jinja_elements(context, value);
    struct value seen = jinja_new_dict(context, V_DICT);
    struct value result = jinja_new_list(context, V_GENERATOR);
    for (size_t i = 0; list != NULL && i < list->count && jinja_spend(context, 1); i++) {
        struct value key = key_of(&order, list->items[i]);
        if (jinja_ok(context) && jinja_dict_get(context, seen.as.dict, key) == NULL) {
            jinja_dict_set(context, seen.as.dict, key, jinja_none());
            jinja_append(context, result.as.list, list->items[i]);
        }
    }
    return result;
}

static struct value reverse_text(struct hearth_template_context *context, struct value text)
{
    return jinja_slice(context, text, jinja_none(), jinja_none(), jinja_int(-1));
}

static struct value filter_reverse(struct hearth_template_context *context, struct value value,
                                   const struct arguments *arguments)
{
    (void)arguments;
    if (value.kind == V_TEXT) {
        return reverse_text(context, value);
    }
    const struct list *list = jinja_elements(context, value);
    struct value result = jinja_new_list(context, V_GENERATOR);
    for (size_t i = list == NULL ? 0 : list->count; i > 0 && jinja_spend(context, 1); i--) {
        jinja_append(context, result.as.list, list->items[i - 1]);
    }
    return result;
}

/* ── Single elements, sums ───────────────────────────────────────────────────────────────────── */

static struct value filter_first(struct hearth_template_context *context, struct value value,
                                 const struct arguments *arguments)
{
    (void)arguments;
    const struct list *list = jinja_elements(context, value);
    return list != NULL && list->count > 0 ? list->items[0]
                                           : jinja_undefined(hearth_slice_of_string("first"));
}

static struct value filter_last(struct hearth_template_context *context, struct value value,
                                const struct arguments *arguments)
{
    (void)arguments;
    if (value.kind == V_GENERATOR) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "last of a generator");
    }
    const struct list *list = jinja_elements(context, value);
    return list != NULL && list->count > 0 ? list->items[list->count - 1]
                                           : jinja_undefined(hearth_slice_of_string("last"));
}

static struct value filter_sum(struct hearth_template_context *context, struct value value,
                               const struct arguments *arguments)
{
    struct value path = jinja_argument(arguments, 0, "attribute");
    struct value sum = jinja_has_argument(arguments, 1, "start")
                           ? jinja_argument(arguments, 1, "start")
                           : jinja_int(0);
    const struct list *list = jinja_elements(context, value);
    for (size_t i = 0; list != NULL && i < list->count && jinja_spend(context, 1); i++) {
        struct value part = attribute_of(context, list->items[i], path);
        sum = jinja_ok(context) ? jinja_operate(context, OP_ADD, sum, part) : sum;
    }
    return sum;
}

static struct value filter_join(struct hearth_template_context *context, struct value value,
                                const struct arguments *arguments)
{
    struct value separator = jinja_argument(arguments, 0, "d");
    struct value path = jinja_argument(arguments, 1, "attribute");
    const struct list *list = jinja_elements(context, value);
    struct value parts = jinja_new_list(context, V_LIST);
    for (size_t i = 0; list != NULL && i < list->count && jinja_spend(context, 1); i++) {
        jinja_append(context, parts.as.list, attribute_of(context, list->items[i], path));
    }
    return jinja_ok(context) ? jinja_join(context, parts, separator) : parts;
}

static struct value filter_list(struct hearth_template_context *context, struct value value,
                                const struct arguments *arguments)
{
    (void)arguments;
    struct value result = jinja_new_list(context, V_LIST);
    const struct list *list = jinja_elements(context, value);
    for (size_t i = 0; list != NULL && i < list->count && jinja_spend(context, 1); i++) {
        jinja_append(context, result.as.list, list->items[i]);
    }
    return result;
}

static struct value filter_batch(struct hearth_template_context *context, struct value value,
                                 const struct arguments *arguments)
{
    int64_t width = jinja_int_argument(context, arguments, 0, "linecount", 0);
    struct value filler = jinja_argument(arguments, 1, "fill_with");
    const struct list *list = jinja_elements(context, value);
    struct value result = jinja_new_list(context, V_GENERATOR);
    if (width < 1) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "batch of less than one");
    }
    struct value part = jinja_none();
    for (size_t i = 0; list != NULL && i < list->count && jinja_spend(context, 1); i++) {
        if (i % (uint64_t)width == 0) {
            part = jinja_new_list(context, V_LIST);
            jinja_append(context, result.as.list, part);
        }
        if (jinja_ok(context)) {
            jinja_append(context, part.as.list, list->items[i]);
        }
    }
    bool is_filled = filler.kind != V_UNDEFINED && filler.kind != V_NONE;
    while (is_filled && part.kind == V_LIST && part.as.list->count < (uint64_t)width &&
           jinja_spend(context, 1)) {
        jinja_append(context, part.as.list, filler);
    }
    return result;
}

/* ── map, select, reject ─────────────────────────────────────────────────────────────────────── */

/* The arguments behind the first @count. */
static struct arguments without_first(const struct arguments *arguments, size_t count)
{
    struct arguments rest = {.count = 0};
    for (size_t i = count; i < arguments->count; i++) {
        rest.all[rest.count++] = arguments->all[i];
    }
    rest.positional = arguments->positional - HEARTH_MIN(count, arguments->positional);
    return rest;
}

/* What is false has no elements here, though it may be no list at all. */
static const struct list *elements_if_true(struct hearth_template_context *context,
                                           struct value value)
{
    struct value none = jinja_undefined(hearth_slice_of("", 0));
    return jinja_elements(context, jinja_truth(value) ? value : none);
}

static struct value map_attribute(struct hearth_template_context *context, const struct list *list,
                                  const struct arguments *arguments)
{
    struct value path = jinja_argument(arguments, SIZE_MAX, "attribute");
    bool has_default = jinja_has_argument(arguments, SIZE_MAX, "default");
    struct value result = jinja_new_list(context, V_GENERATOR);
    if (!jinja_check_arguments(context, "map", arguments, 1, "attribute default")) {
        return result;
    }
    for (size_t i = 0; i < list->count && jinja_spend(context, 1); i++) {
        struct value part = attribute_of(context, list->items[i], path);
        bool is_replaced = has_default && part.kind == V_UNDEFINED;
        jinja_append(context, result.as.list,
                     is_replaced ? jinja_argument(arguments, SIZE_MAX, "default") : part);
    }
    return result;
}

static struct value filter_map(struct hearth_template_context *context, struct value value,
                               const struct arguments *arguments)
{
    const struct list *list = elements_if_true(context, value);
    struct value name = jinja_argument(arguments, 0, "");
    if (list == NULL) {
        return jinja_none();
    }
    if (arguments->positional == 0 && jinja_has_argument(arguments, SIZE_MAX, "attribute")) {
        return map_attribute(context, list, arguments);
    }
    const struct jinja_filter *filter =
        name.kind == V_TEXT ? jinja_find_filter(jinja_bytes(name)) : NULL;
    if (filter == NULL) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "map with a filter that is not supported");
    }
    struct arguments rest = without_first(arguments, 1);
    struct value result = jinja_new_list(context, V_GENERATOR);
    for (size_t i = 0; i < list->count && jinja_enter(context); i++) {
        jinja_append(context, result.as.list, jinja_filter(context, filter, list->items[i], &rest));
        jinja_leave(context);
    }
    return result;
}

/* What a select or reject asks of each element. */
struct question {
    struct value path; /* undefined: the element itself */
    const struct jinja_test *test;
    struct value with;
    bool is_wanted;
};

static struct value choose(struct hearth_template_context *context, struct value value,
                           const struct question *question)
{
    const struct list *list = elements_if_true(context, value);
    struct value result = jinja_new_list(context, V_GENERATOR);
    for (size_t i = 0; list != NULL && i < list->count && jinja_spend(context, 1); i++) {
        struct value asked = attribute_of(context, list->items[i], question->path);
        bool is_so =
            jinja_ok(context) &&
            (question->test == NULL ? jinja_truth(asked)
                                    : question->test->call(context, asked, question->with));
        if (is_so == question->is_wanted) {
            jinja_append(context, result.as.list, list->items[i]);
        }
    }
    return result;
}

static struct value select_by(struct hearth_template_context *context, struct value value,
                              const struct arguments *arguments, bool has_path, bool is_wanted)
{
    struct question question = {.path = jinja_undefined(hearth_slice_of("", 0)),
                                .is_wanted = is_wanted};
    size_t at = has_path;
    if (arguments->positional < arguments->count || arguments->count < at) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "select: arguments have no names");
    }
    if (has_path) {
        question.path = arguments->all[0].value;
    }
    if (arguments->count > at) {
        struct value name = arguments->all[at].value;
        question.test = name.kind == V_TEXT ? jinja_find_test(jinja_bytes(name)) : NULL;
        if (question.test == NULL || question.test->arguments != arguments->count - at - 1) {
            return jinja_fail(context, HEARTH_E_UNSUPPORTED,
                              "select with a test that is not supported so");
        }
        question.with = question.test->arguments > 0 ? arguments->all[at + 1].value : jinja_none();
    }
    return choose(context, value, &question);
}

static struct value filter_select(struct hearth_template_context *context, struct value value,
                                  const struct arguments *arguments)
{
    return select_by(context, value, arguments, false, true);
}

static struct value filter_reject(struct hearth_template_context *context, struct value value,
                                  const struct arguments *arguments)
{
    return select_by(context, value, arguments, false, false);
}

static struct value filter_selectattr(struct hearth_template_context *context, struct value value,
                                      const struct arguments *arguments)
{
    return select_by(context, value, arguments, true, true);
}

static struct value filter_rejectattr(struct hearth_template_context *context, struct value value,
                                      const struct arguments *arguments)
{
    return select_by(context, value, arguments, true, false);
}

const struct jinja_filter jinja_list_filters[] = {
    {"sort", "reverse case_sensitive attribute", 0, filter_sort},
    {"items", "", 0, filter_items},
    {"dictsort", "case_sensitive by reverse", 0, filter_dictsort},
    {"max", "case_sensitive attribute", 0, filter_max},
    {"min", "case_sensitive attribute", 0, filter_min},
    {"unique", "case_sensitive attribute", 0, filter_unique},
    {"reverse", "", 0, filter_reverse},
    {"first", "", 0, filter_first},
    {"last", "", 0, filter_last},
    {"sum", "attribute start", 0, filter_sum},
    {"join", "d attribute", 0, filter_join},
    {"list", "", 0, filter_list},
    {"batch", "linecount fill_with", 1, filter_batch},
    {"map", NULL, 0, filter_map},
    {"select", NULL, 0, filter_select},
    {"reject", NULL, 0, filter_reject},
    {"selectattr", NULL, 0, filter_selectattr},
    {"rejectattr", NULL, 0, filter_rejectattr},
    {NULL, NULL, 0, NULL},
};
