/* global.c — the functions that every template has. */

#include "value.h"

#include <stdio.h>

#define MOST_OF_RANGE 100000 /* as the reference environment has it */

/* A template says why it takes no such chat. Of what it says only its own words go into an error.
 */
static struct value raise_exception(struct hearth_template_context *context,
                                    const struct arguments *arguments)
{
    char words[96];
    size_t size = 0;
    if (!jinja_check_arguments(context, "raise_exception", arguments, 1, "message")) {
        return jinja_none();
    }
    struct value message = jinja_to_text(context, arguments->all[0].value);
    for (size_t i = 0; i < message.as.text.size && size < sizeof words - 1; i++) {
        uint8_t c = message.as.text.data[i];
        bool is_shown = c >= ' ' && c < 0x7f && !jinja_mark_at(message, i);
        if (is_shown || size == 0 || words[size - 1] != '?') {
            words[size++] = is_shown ? (char)c : '?';
        }
    }
    words[size] = '\0';
    return jinja_fail(context, HEARTH_E_INPUT_INVALID,
                      "the chat template refuses these messages: %s", words);
}

static struct value range(struct hearth_template_context *context,
                          const struct arguments *arguments)
{
    if (!jinja_check_arguments(context, "range", arguments, 1, "- - -")) {
        return jinja_none();
    }
    int64_t first = jinja_int_argument(context, arguments, 0, "-", 0);
    bool has_start = arguments->count > 1;
    int64_t at = has_start ? first : 0;
    int64_t end = has_start ? jinja_int_argument(context, arguments, 1, "-", 0) : first;
    int64_t step = jinja_int_argument(context, arguments, 2, "-", 1);
    struct value list = jinja_new_list(context, V_RANGE);
    if (step == 0) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "range with the step 0");
    }
    while ((step > 0 ? at < end : at > end) && jinja_spend(context, 1)) {
        if (list.as.list->count == MOST_OF_RANGE) {
            return jinja_fail(context, HEARTH_E_TOO_LARGE, "range of more than %d numbers",
                              MOST_OF_RANGE);
        }
        jinja_append(context, list.as.list, jinja_int(at));
        if (__builtin_add_overflow(at, step, &at)) {
            break;
        }
    }
    return list;
}

static void set_pair(struct hearth_template_context *context, struct dict *dict, struct value pair)
{
    const struct list *parts = jinja_elements(context, pair);
    if (parts == NULL || parts->count != 2) {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "dict() of what are no pairs");
        return;
    }
    jinja_dict_set(context, dict, parts->items[0], parts->items[1]);
}

/* From one dict or list of pairs, and from arguments with names. */
static struct value fill(struct hearth_template_context *context, enum value_kind kind,
                         const struct arguments *arguments)
{
    struct value result = jinja_new_dict(context, kind);
    if (arguments->positional > 1 ||
        (arguments->positional == 1 && arguments->all[0].value.kind == V_UNDEFINED)) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "dict() of more than one, or undefined");
    }
    if (arguments->positional == 1 && arguments->all[0].value.kind == V_DICT) {
        const struct dict *from = arguments->all[0].value.as.dict;
        for (size_t i = 0; i < from->count && jinja_ok(context); i++) {
            jinja_dict_set(context, result.as.dict, from->entries[i].key, from->entries[i].value);
        }
    } else if (arguments->positional == 1) {
        const struct list *pairs = jinja_elements(context, arguments->all[0].value);
        for (size_t i = 0; pairs != NULL && i < pairs->count && jinja_ok(context); i++) {
            set_pair(context, result.as.dict, pairs->items[i]);
        }
    }
    for (size_t i = arguments->positional; i < arguments->count && jinja_ok(context); i++) {
        jinja_dict_set(context, result.as.dict, jinja_text(arguments->all[i].name, false),
                       arguments->all[i].value);
    }
    return result;
}

static struct value new_namespace(struct hearth_template_context *context,
                                  const struct arguments *arguments)
{
    return fill(context, V_NAMESPACE, arguments);
}

static struct value new_dict(struct hearth_template_context *context,
                             const struct arguments *arguments)
{
    return fill(context, V_DICT, arguments);
}

static const struct function FUNCTIONS[] = {
    {"raise_exception", raise_exception}, {"range", range},
    {"namespace", new_namespace},         {"dict", new_dict},
    {"strftime_now", jinja_strftime_now},
};

const struct function *jinja_find_function(struct hearth_slice name)
{
    for (size_t i = 0; i < HEARTH_COUNT(FUNCTIONS); i++) {
        if (hearth_slice_equals_string(name, FUNCTIONS[i].name)) {
            return &FUNCTIONS[i];
        }
    }
    return NULL;
}
