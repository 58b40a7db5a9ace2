/* show.c — values as text, as Python's str() and repr() spell them. */

#include "value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <utf8proc.h>

static void emit_shown(struct hearth_template_context *context, struct value value);

/* ── Numbers ─────────────────────────────────────────────────────────────────────────────────── */

/* "d.ddde±xx" with as few digits as give the same number back. */
static void shortest(double real, char room[JINJA_NUMBER_BYTES])
{
    for (int digits = 0; digits <= 16; digits++) {
        (void)snprintf(room, JINJA_NUMBER_BYTES, "%.*e", digits, real);
        if (strtod(room, NULL) == real) {
            return;
        }
    }
}

/* Numbers from 1e-4 up to 1e16 are written without an exponent. */
static size_t show_float(double real, char room[JINJA_NUMBER_BYTES])
{
    if (!isfinite(real)) {
        return (size_t)snprintf(room, JINJA_NUMBER_BYTES, "%s",
                                isnan(real) ? "nan"
                                : real > 0  ? "inf"
                                            : "-inf");
    }
    char spelled[JINJA_NUMBER_BYTES];
    shortest(real, spelled);
    char *e = strchr(spelled, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    int digits = (int)(e - spelled) - (spelled[0] == '-');
    digits -= digits > 1; /* the point */
    if (exponent < -4 || exponent >= 16) {
        return (size_t)snprintf(room, JINJA_NUMBER_BYTES, "%.*se%c%02d", (int)(e - spelled),
                                spelled, exponent < 0 ? '-' : '+', abs(exponent));
    }
    return (size_t)snprintf(room, JINJA_NUMBER_BYTES, "%.*f", HEARTH_MAX(digits - 1 - exponent, 1),
                            real);
}

size_t jinja_show_number(struct value number, char room[JINJA_NUMBER_BYTES])
{
    if (number.kind == V_FLOAT) {
        return show_float(number.as.real, room);
    }
    return (size_t)snprintf(room, JINJA_NUMBER_BYTES, "%" PRId64, jinja_as_int(number));
}

/* ── Strings inside others ───────────────────────────────────────────────────────────────────── */

/* Letters, marks, numbers, punctuation and symbols, which follow each other in the enumeration. */
static bool is_printable(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return c == ' ' || (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_SO);
}

static const char *short_escape(uint32_t c, char quote)
{
    switch (c) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\\': return "\\\\";
    case '\'': return quote == '\'' ? "\\'" : NULL;
    default: return NULL;
    }
}

static void emit_quoted(struct hearth_template_context *context, struct value text)
{
    struct hearth_slice bytes = jinja_bytes(text);
    bool has_single = memchr(bytes.data, '\'', bytes.size) != NULL;
    bool has_double = memchr(bytes.data, '"', bytes.size) != NULL;
    char quote[2] = {has_single && !has_double ? '"' : '\'', '\0'};
    size_t size = 0;
    jinja_emit_own(context, quote);
    for (size_t at = 0; at < bytes.size && jinja_spend(context, 1); at += size) {
        uint32_t c = jinja_character(bytes, at, &size);
        const char *escape = short_escape(c, quote[0]);
        char room[16];
        if (escape == NULL && !is_printable(c)) {
            (void)snprintf(room, sizeof room,
                           c < 0x100     ? "\\x%02" PRIx32
                           : c < 0x10000 ? "\\u%04" PRIx32
                                         : "\\U%08" PRIx32,
                           c);
            escape = room;
        }
        if (escape != NULL) {
            jinja_emit(context, hearth_slice_of_string(escape), jinja_mark_at(text, at));
        } else {
            jinja_emit_part(context, text, at, size);
        }
    }
    jinja_emit_own(context, quote);
}

/* ── Containers ──────────────────────────────────────────────────────────────────────────────── */

static void emit_list(struct hearth_template_context *context, const struct list *list,
                      const char *open, const char *close)
{
    jinja_emit_own(context, open);
    for (size_t i = 0; i < list->count && jinja_ok(context); i++) {
        jinja_emit_own(context, i > 0 ? ", " : "");
        emit_shown(context, list->items[i]);
    }
    jinja_emit_own(context, close);
}

static void emit_dict(struct hearth_template_context *context, const struct dict *dict)
{
    jinja_emit_own(context, "{");
    for (size_t i = 0; i < dict->count && jinja_ok(context); i++) {
        jinja_emit_own(context, i > 0 ? ", " : "");
        emit_shown(context, dict->entries[i].key);
        jinja_emit_own(context, ": ");
        emit_shown(context, dict->entries[i].value);
    }
    jinja_emit_own(context, "}");
}

static void emit_container(struct hearth_template_context *context, struct value value)
{
    switch (value.kind) {
    case V_LIST: emit_list(context, value.as.list, "[", "]"); return;
    case V_TUPLE:
        emit_list(context, value.as.list, "(", value.as.list->count == 1 ? ",)" : ")");
        return;
    case V_DICT: emit_dict(context, value.as.dict); return;
    case V_UNDEFINED:
    case V_NONE:
    case V_BOOL:
    case V_INT:
    case V_FLOAT:
    case V_TEXT:
    case V_RANGE:
    case V_GENERATOR:
    case V_VIEW:
    case V_NAMESPACE:
    case V_LOOP:
    case V_MACRO:
    case V_METHOD:
    case V_FUNCTION: break;
    }
    (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "%s cannot be shown", jinja_kind_name(value));
}

static void emit_simple(struct hearth_template_context *context, struct value value)
{
    char room[JINJA_NUMBER_BYTES];
    if (value.kind == V_NONE) {
        jinja_emit(context, hearth_slice_of_string("None"), value.is_foreign);
    } else if (value.kind == V_BOOL) {
        jinja_emit(context, hearth_slice_of_string(value.as.is_true ? "True" : "False"),
                   value.is_foreign);
    } else {
        jinja_emit(context, hearth_slice_of(room, jinja_show_number(value, room)),
                   value.is_foreign);
    }
}

/* As repr(). */
static void emit_shown(struct hearth_template_context *context, struct value value)
{
    if (!jinja_enter(context)) {
        return;
    }
    if (value.kind == V_TEXT) {
        emit_quoted(context, value);
    } else if (value.kind == V_UNDEFINED) {
        jinja_emit_own(context, "Undefined");
    } else if (value.kind == V_NONE || jinja_is_number(value)) {
        emit_simple(context, value);
    } else {
        emit_container(context, value);
    }
    jinja_leave(context);
}

void jinja_emit_value(struct hearth_template_context *context, struct value value)
{
    if (value.kind == V_TEXT) {
        jinja_emit_text(context, value);
    } else if (value.kind != V_UNDEFINED) {
        emit_shown(context, value);
    }
}

struct value jinja_to_text(struct hearth_template_context *context, struct value value)
{
    if (value.kind == V_TEXT) {
        return value;
    }
    struct maker maker = jinja_text_begin(context);
    jinja_emit_value(context, value);
    return jinja_text_end(&maker);
}
