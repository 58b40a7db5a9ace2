/* json.c — values as JSON, as Python's json.dumps() spells it, and JSON as values. */

#include "value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include <yyjson.h>

/* ── Out ─────────────────────────────────────────────────────────────────────────────────────── */

static void emit_json(struct hearth_template_context *context, struct value value,
                      const struct json_style *style, size_t depth);

static const char *escape_of(uint32_t c, bool is_ascii, char room[16])
{
    static const char from[] = "\"\\\n\r\t\f\b";
    static const char *const to[] = {"\\\"", "\\\\", "\\n", "\\r", "\\t", "\\f", "\\b"};
    const char *found = c != 0 && c < 0x80 ? strchr(from, (int)c) : NULL;
    if (found != NULL) {
        return to[found - from];
    }
    if (c >= 0x20 && (!is_ascii || c < 0x7f)) {
        return NULL;
    }
    if (c >= 0x10000) {
        c -= 0x10000;
        (void)snprintf(room, 16, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + (c >> 10),
                       0xdc00 + (c & 0x3ff));
    } else {
        (void)snprintf(room, 16, "\\u%04" PRIx32, c);
    }
    return room;
}

/* An escape is as foreign as the character that it stands for. */
static void emit_json_text(struct hearth_template_context *context, struct value text,
                           const struct json_style *style)
{
    struct hearth_slice bytes = jinja_bytes(text);
    size_t size = 0;
    size_t from = 0;
    jinja_emit_own(context, "\"");
    for (size_t at = 0; at < bytes.size && jinja_ok(context); at += size) {
        char room[16];
        uint32_t c = jinja_character(bytes, at, &size);
        const char *escape = escape_of(c, style->is_ascii, room);
        if (escape != NULL) {
            jinja_emit_part(context, text, from, at - from);
            jinja_emit(context, hearth_slice_of_string(escape), jinja_mark_at(text, at));
            from = at + size;
        }
    }
    jinja_emit_part(context, text, from, bytes.size - from);
    jinja_emit_own(context, "\"");
}

static void emit_json_number(struct hearth_template_context *context, struct value number)
{
    char room[JINJA_NUMBER_BYTES];
    size_t size = jinja_show_number(number, room);
    struct hearth_slice spelled = hearth_slice_of(room, size);
    if (number.kind == V_FLOAT && !isfinite(number.as.real)) {
        spelled = hearth_slice_of_string(isnan(number.as.real) ? "NaN"
                                         : number.as.real > 0  ? "Infinity"
                                                               : "-Infinity");
    } else if (number.kind == V_BOOL) {
        spelled = hearth_slice_of_string(number.as.is_true ? "true" : "false");
    }
    jinja_emit(context, spelled, number.is_foreign);
}

static void emit_newline(struct hearth_template_context *context, const struct json_style *style,
                         size_t depth)
{
    if (style->indent.kind == V_NONE) {
        return;
    }
    jinja_emit_own(context, "\n");
    for (size_t i = 0; i < depth && jinja_ok(context); i++) {
        int64_t spaces = style->indent.kind == V_TEXT ? 0 : jinja_as_int(style->indent);
        jinja_emit_text(context, style->indent);
        for (int64_t j = 0; j < spaces && jinja_ok(context); j++) {
            jinja_emit_own(context, " ");
        }
    }
}

static void emit_json_key(struct hearth_template_context *context, struct value key,
                          const struct json_style *style)
{
    if (key.kind == V_TEXT) {
        emit_json_text(context, key, style);
        return;
    }
    if (key.kind != V_NONE && !jinja_is_number(key)) {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s cannot be a key of JSON",
                         jinja_kind_name(key));
        return;
    }
    jinja_emit_own(context, "\"");
    emit_json(context, key, style, 0);
    jinja_emit_own(context, "\"");
}

/* Entries by key, without changing the dict. */
static struct list *sorted_keys(struct hearth_template_context *context, const struct dict *dict)
{
    struct value keys = jinja_new_list(context, V_LIST);
    for (size_t i = 0; i < dict->count && jinja_ok(context); i++) {
        jinja_append(context, keys.as.list, dict->entries[i].key);
    }
    if (!jinja_ok(context)) {
        return NULL;
    }
    struct arguments none = {0};
    none.all[0] = (struct argument){hearth_slice_of_string("case_sensitive"), jinja_bool(true)};
    none.count = 1;
    struct value sorted =
        jinja_filter(context, jinja_find_filter(hearth_slice_of_string("sort")), keys, &none);
    return jinja_ok(context) ? sorted.as.list : NULL;
}

static void emit_json_dict(struct hearth_template_context *context, const struct dict *dict,
                           const struct json_style *style, size_t depth)
{
    const struct list *keys = style->is_sorted ? sorted_keys(context, dict) : NULL;
    jinja_emit_own(context, "{");
    for (size_t i = 0; i < dict->count && jinja_ok(context); i++) {
        if (i > 0) {
            jinja_emit_text(context, style->item_separator);
        }
        emit_newline(context, style, depth + 1);
        struct value key = keys != NULL ? keys->items[i] : dict->entries[i].key;
        emit_json_key(context, key, style);
        jinja_emit_text(context, style->key_separator);
        const struct value *value =
            keys != NULL ? jinja_dict_get(context, dict, key) : &dict->entries[i].value;
        if (value != NULL) {
            emit_json(context, *value, style, depth + 1);
        }
    }
    if (dict->count > 0) {
        emit_newline(context, style, depth);
    }
    jinja_emit_own(context, "}");
}

static void emit_json_list(struct hearth_template_context *context, const struct list *list,
                           const struct json_style *style, size_t depth)
{
    jinja_emit_own(context, "[");
    for (size_t i = 0; i < list->count && jinja_ok(context); i++) {
        if (i > 0) {
            jinja_emit_text(context, style->item_separator);
        }
        emit_newline(context, style, depth + 1);
        emit_json(context, list->items[i], style, depth + 1);
    }
    if (list->count > 0) {
        emit_newline(context, style, depth);
    }
    jinja_emit_own(context, "]");
}

static void emit_json(struct hearth_template_context *context, struct value value,
                      const struct json_style *style, size_t depth)
{
    if (!jinja_enter(context)) {
        return;
    }
    if (value.kind == V_TEXT) {
        emit_json_text(context, value, style);
    } else if (value.kind == V_NONE) {
        jinja_emit(context, hearth_slice_of_string("null"), value.is_foreign);
    } else if (jinja_is_number(value)) {
        emit_json_number(context, value);
    } else if (value.kind == V_LIST || value.kind == V_TUPLE) {
        emit_json_list(context, value.as.list, style, depth);
    } else if (value.kind == V_DICT) {
        emit_json_dict(context, value.as.dict, style, depth);
    } else {
        (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s cannot become JSON",
                         jinja_kind_name(value));
    }
    jinja_leave(context);
}

struct value jinja_to_json(struct hearth_template_context *context, struct value value,
                           const struct json_style *style)
{
    struct maker maker = jinja_text_begin(context);
    emit_json(context, value, style, 0);
    return jinja_text_end(&maker);
}

/* ── In ──────────────────────────────────────────────────────────────────────────────────────── */

static struct value read_value(struct hearth_template_context *context, yyjson_val *from,
                               bool is_foreign);

/* The document goes, so texts are copied. */
static struct value read_text(struct hearth_template_context *context, yyjson_val *from,
                              bool is_foreign)
{
    struct hearth_slice text = hearth_slice_of(yyjson_get_str(from), yyjson_get_len(from));
    uint8_t *copy = jinja_alloc(context, text.size + 1, 1);
    if (copy == NULL) {
        return jinja_string("");
    }
    memcpy(copy, text.data, text.size);
    return jinja_text(hearth_slice_of(copy, text.size), is_foreign);
}

static struct value read_number(struct hearth_template_context *context, yyjson_val *from)
{
    if (yyjson_is_real(from)) {
        return jinja_float(yyjson_get_real(from));
    }
    if (yyjson_is_uint(from) && yyjson_get_uint(from) > INT64_MAX) {
        return jinja_fail(context, HEARTH_E_INPUT_INVALID, "a number does not fit into 64 bits");
    }
    return jinja_int(yyjson_get_sint(from));
}

static struct value read_list(struct hearth_template_context *context, yyjson_val *from,
                              bool is_foreign)
{
    size_t at = 0;
    size_t most = 0;
    yyjson_val *element = NULL;
    struct value list = jinja_new_list(context, V_LIST);
    yyjson_arr_foreach(from, at, most, element)
    {
        if (jinja_ok(context)) {
            jinja_append(context, list.as.list, read_value(context, element, is_foreign));
        }
    }
    return list;
}

static struct value read_object(struct hearth_template_context *context, yyjson_val *from,
                                bool is_foreign)
{
    size_t at = 0;
    size_t most = 0;
    yyjson_val *key = NULL;
    yyjson_val *element = NULL;
    struct value dict = jinja_new_dict(context, V_DICT);
    yyjson_obj_foreach(from, at, most, key, element)
    {
        if (jinja_ok(context)) {
            struct value name = read_text(context, key, is_foreign);
            struct value value = read_value(context, element, is_foreign);
            jinja_dict_set(context, dict.as.dict, name, value);
        }
    }
    return dict;
}

static struct value read_value(struct hearth_template_context *context, yyjson_val *from,
                               bool is_foreign)
{
    struct value value = jinja_none();
    if (context->calls >= context->limits.depth) {
        return jinja_fail(context, HEARTH_E_TOO_LARGE, "nested deeper than the limit (depth %u)",
                          context->limits.depth);
    }
    context->calls++;
    if (yyjson_is_str(from)) {
        value = read_text(context, from, is_foreign);
    } else if (yyjson_is_num(from)) {
        value = read_number(context, from);
    } else if (yyjson_is_bool(from)) {
        value = jinja_bool(yyjson_get_bool(from));
    } else if (yyjson_is_arr(from)) {
        value = read_list(context, from, is_foreign);
    } else if (yyjson_is_obj(from)) {
        value = read_object(context, from, is_foreign);
    }
    context->calls--;
    value.is_foreign = is_foreign;
    return value;
}

int hearth_template_json(struct hearth_template_context *context, struct hearth_slice text,
                         enum hearth_template_origin origin, struct hearth_template_value **ret,
                         struct hearth_error *err)
{
    yyjson_read_err wrong;
    if (!jinja_ok(context)) {
        *ret = NULL;
        return hearth_fail(err, context->rc, "%s", context->error.text);
    }
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text.data, text.size, 0, NULL, &wrong);
    if (doc == NULL) {
        return wrong.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION
                   ? hearth_fail_oom(err)
                   : hearth_fail(err, HEARTH_E_INPUT_INVALID, "no JSON at byte %zu: %s", wrong.pos,
                                 wrong.msg);
    }
    struct value value =
        read_value(context, yyjson_doc_get_root(doc), origin == HEARTH_TEMPLATE_FOREIGN);
    yyjson_doc_free(doc);
    struct hearth_template_value *kept = jinja_alloc(context, 1, sizeof *kept);
    if (kept == NULL) {
        return hearth_fail(err, context->rc, "%s", context->error.text);
    }
    kept->value = value;
    *ret = kept;
    return 0;
}
