/* text_edit.c — what the methods of strings do; marks go where their bytes go. */

#include "value.h"

#include <utf8proc.h>

/* ── Case ────────────────────────────────────────────────────────────────────────────────────── */

static bool is_cased(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LT;
}

static void emit_character(struct hearth_template_context *context, uint32_t c, bool is_foreign)
{
    uint8_t room[4];
    jinja_emit(context, hearth_slice_of(room, hearth_utf8_write(c, room)), is_foreign);
}

/* One character at a time; of those that become several only the German sharp s is known. */
static void emit_upper(struct hearth_template_context *context, uint32_t c, bool is_title,
                       bool is_foreign)
{
    if (c == 0xdf) {
        jinja_emit(context, hearth_slice_of_string(is_title ? "Ss" : "SS"), is_foreign);
        return;
    }
    utf8proc_int32_t changed =
        is_title ? utf8proc_totitle((utf8proc_int32_t)c) : utf8proc_toupper((utf8proc_int32_t)c);
    emit_character(context, (uint32_t)changed, is_foreign);
}

struct value jinja_recase(struct hearth_template_context *context, struct value text,
                          enum text_case wanted)
{
    struct maker maker = jinja_text_begin(context);
    bool is_inside = false; /* of a word, for title; of the text, for capitalize */
    size_t size = 0;
    for (size_t at = 0; at < text.as.text.size && jinja_ok(context); at += size) {
        uint32_t c = jinja_character(jinja_bytes(text), at, &size);
        bool is_title = wanted >= CASE_TITLE && !is_inside;
        if (wanted == CASE_UPPER || is_title) {
            emit_upper(context, c, is_title, jinja_mark_at(text, at));
        } else {
            emit_character(context, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c),
                           jinja_mark_at(text, at));
        }
        is_inside = wanted == CASE_CAPITALIZE || is_cased(c);
    }
    return jinja_text_end(&maker);
}

/* ── Strip, replace ──────────────────────────────────────────────────────────────────────────── */

static bool is_stripped(struct value characters, struct hearth_slice text, size_t at, size_t *size)
{
    uint32_t c = jinja_character(text, at, size);
    if (characters.kind != V_TEXT) {
        return jinja_is_space(c);
    }
    return memmem(characters.as.text.data, characters.as.text.size, text.data + at, *size) != NULL;
}

struct value jinja_strip(struct hearth_template_context *context, struct value text,
                         struct value characters, enum text_side side)
{
    size_t from = 0;
    size_t to = text.as.text.size;
    size_t size = 0;
    size_t cost = characters.kind == V_TEXT ? characters.as.text.size : 1;
    struct hearth_slice bytes = jinja_bytes(text);
    while ((side & SIDE_LEFT) != 0 && from < to && jinja_spend_bytes(context, cost) &&
           is_stripped(characters, bytes, from, &size)) {
        from += size;
    }
    while ((side & SIDE_RIGHT) != 0 && from < to && jinja_spend_bytes(context, cost)) {
        size_t at = to - 1;
        while (at > from && (bytes.data[at] & 0xc0) == 0x80) {
            at--;
        }
        if (!is_stripped(characters, bytes, at, &size)) {
            break;
        }
        to = at;
    }
    return jinja_cut(text, from, to);
}

/* Between all characters and at both ends. */
static struct value interleave(struct hearth_template_context *context, struct value text,
                               struct value new, int64_t most)
{
    struct maker maker = jinja_text_begin(context);
    size_t size = 0;
    size_t at = 0;
    for (; jinja_ok(context); at += size) {
        if (most != 0) {
            jinja_emit_text(context, new);
            most -= most > 0;
        }
        if (at >= text.as.text.size) {
            break;
        }
        (void)jinja_character(jinja_bytes(text), at, &size);
        jinja_emit_part(context, text, at, size);
    }
    return jinja_text_end(&maker);
}

struct value jinja_replace(struct hearth_template_context *context, struct value text,
                           struct value old, struct value new, int64_t most)
{
    if (old.as.text.size == 0) {
        return interleave(context, text, new, most);
    }
    struct maker maker = jinja_text_begin(context);
    size_t from = 0;
    for (size_t at = jinja_find(text, old, 0); at != SIZE_MAX && most != 0 && jinja_ok(context);
         at = jinja_find(text, old, from)) {
        jinja_emit_part(context, text, from, at - from);
        jinja_emit_text(context, new);
        from = at + old.as.text.size;
        most -= most > 0;
        (void)jinja_spend(context, 1);
    }
    jinja_emit_part(context, text, from, text.as.text.size - from);
    return jinja_text_end(&maker);
}

/* ── Split, join ─────────────────────────────────────────────────────────────────────────────── */

static void split_at_space(struct hearth_template_context *context, struct value text, int64_t most,
                           struct list *list)
{
    struct value rest = jinja_strip(context, text, jinja_none(), SIDE_LEFT);
    while (rest.as.text.size > 0 && jinja_spend(context, 1)) {
        size_t at = 0;
        size_t size = 0;
        if (most-- == 0) {
            jinja_append(context, list, rest);
            return;
        }
        while (at < rest.as.text.size &&
               !jinja_is_space(jinja_character(jinja_bytes(rest), at, &size))) {
            at += size;
        }
        (void)jinja_spend_bytes(context, at);
        jinja_append(context, list, jinja_cut(rest, 0, at));
        rest =
            jinja_strip(context, jinja_cut(rest, at, rest.as.text.size), jinja_none(), SIDE_LEFT);
    }
}

static size_t start_of_last_word(struct value text)
{
    size_t start = text.as.text.size;
    while (start > 0) {
        size_t at = start - 1;
        size_t size = 0;
        while (at > 0 && (text.as.text.data[at] & 0xc0) == 0x80) {
            at--;
        }
        if (jinja_is_space(jinja_character(jinja_bytes(text), at, &size))) {
            break;
        }
        start = at;
    }
    return start;
}

static void split_at_space_from_right(struct hearth_template_context *context, struct value text,
                                      int64_t most, struct list *list)
{
    struct value rest = jinja_strip(context, text, jinja_none(), SIDE_RIGHT);
    while (rest.as.text.size > 0 && jinja_spend(context, 1)) {
        if (most-- == 0) {
            jinja_append(context, list, rest);
            return;
        }
        size_t start = start_of_last_word(rest);
        (void)jinja_spend_bytes(context, rest.as.text.size - start);
        jinja_append(context, list, jinja_cut(rest, start, rest.as.text.size));
        rest = jinja_strip(context, jinja_cut(rest, 0, start), jinja_none(), SIDE_RIGHT);
    }
}

static void split_at_text(struct hearth_template_context *context, struct value text,
                          struct value separator, int64_t most, struct list *list)
{
    size_t from = 0;
    for (size_t at = jinja_find(text, separator, 0);
         at != SIZE_MAX && most-- != 0 && jinja_spend_bytes(context, at - from);
         at = jinja_find(text, separator, from)) {
        jinja_append(context, list, jinja_cut(text, from, at));
        from = at + separator.as.text.size;
    }
    jinja_append(context, list, jinja_cut(text, from, text.as.text.size));
}

static void split_at_text_from_right(struct hearth_template_context *context, struct value text,
                                     struct value separator, int64_t most, struct list *list)
{
    size_t to = text.as.text.size;
    for (size_t at = jinja_find_last(context, text, separator, to);
         at != SIZE_MAX && most-- != 0 && jinja_spend_bytes(context, to);
         at = jinja_find_last(context, text, separator, to)) {
        jinja_append(context, list, jinja_cut(text, at + separator.as.text.size, to));
        to = at;
    }
    jinja_append(context, list, jinja_cut(text, 0, to));
}

static void reverse(struct list *list)
{
    for (size_t i = 0; i < list->count / 2; i++) {
        struct value other = list->items[list->count - 1 - i];
        list->items[list->count - 1 - i] = list->items[i];
        list->items[i] = other;
    }
}

struct value jinja_split(struct hearth_template_context *context, struct value text,
                         struct value separator, int64_t most, bool is_from_right)
{
    struct value list = jinja_new_list(context, V_LIST);
    bool is_at_space = separator.kind != V_TEXT;
    if (!is_at_space && separator.as.text.size == 0) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "split() at an empty string");
    }
    if (!jinja_ok(context)) {
        return list;
    }
    if (!is_from_right || most < 0) {
        if (is_at_space) {
            split_at_space(context, text, most, list.as.list);
        } else {
            split_at_text(context, text, separator, most, list.as.list);
        }
        return list;
    }
    if (is_at_space) {
        split_at_space_from_right(context, text, most, list.as.list);
    } else {
        split_at_text_from_right(context, text, separator, most, list.as.list);
    }
    reverse(list.as.list);
    return list;
}

static bool is_line_end(uint32_t c)
{
    return (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

struct value jinja_split_lines(struct hearth_template_context *context, struct value text)
{
    struct value list = jinja_new_list(context, V_LIST);
    size_t from = 0;
    size_t size = 0;
    (void)jinja_spend_bytes(context, text.as.text.size);
    for (size_t at = 0; at < text.as.text.size && jinja_ok(context); at += size) {
        if (!is_line_end(jinja_character(jinja_bytes(text), at, &size))) {
            continue;
        }
        jinja_append(context, list.as.list, jinja_cut(text, from, at));
        bool is_pair = text.as.text.data[at] == '\r' && at + 1 < text.as.text.size &&
                       text.as.text.data[at + 1] == '\n';
        size += is_pair;
        from = at + size;
    }
    if (from < text.as.text.size && jinja_ok(context)) {
        jinja_append(context, list.as.list, jinja_cut(text, from, text.as.text.size));
    }
    return list;
}

struct value jinja_join(struct hearth_template_context *context, struct value list,
                        struct value separator)
{
    const struct list *elements = jinja_elements(context, list);
    struct maker maker = jinja_text_begin(context);
    for (size_t i = 0; elements != NULL && i < elements->count && jinja_spend(context, 1); i++) {
        if (i > 0) {
            jinja_emit_value(context, separator);
        }
        jinja_emit_value(context, elements->items[i]);
    }
    return jinja_text_end(&maker);
}
