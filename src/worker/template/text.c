/* text.c — texts whose every byte knows whether a client wrote it.
 *
 * A text is made at the end of the output buffer, byte by byte with its marks, and taken from
 * there; so texts being collected and the output itself share one limit. */

#include "value.h"

struct hearth_slice jinja_bytes(struct value text)
{
    return hearth_slice_of(text.as.text.data, text.as.text.size);
}

bool jinja_mark_at(struct value text, size_t at)
{
    return text.as.text.marks != NULL ? text.as.text.marks[at] != 0 : text.is_foreign;
}

struct value jinja_cut(struct value text, size_t from, size_t to)
{
    text.as.text.data += from;
    text.as.text.size = to - from;
    text.as.text.marks = text.as.text.marks == NULL ? NULL : text.as.text.marks + from;
    return text;
}

/* ── Emitting ────────────────────────────────────────────────────────────────────────────────── */

static bool has_room(struct hearth_template_context *context, size_t size)
{
    if (!jinja_spend_bytes(context, size)) {
        return false;
    }
    int rc = hearth_buf_reserve(&context->out, size);
    rc = rc < 0 ? rc : hearth_buf_reserve(&context->marks, size);
    if (rc == HEARTH_E_TOO_LARGE) {
        (void)jinja_fail(context, rc, "the output is larger than the limit (output %zu bytes)",
                         context->limits.output_bytes);
    } else if (rc < 0) {
        (void)jinja_fail(context, HEARTH_E_NO_MEMORY, "out of memory");
    }
    return rc == 0;
}

void jinja_emit(struct hearth_template_context *context, struct hearth_slice bytes, bool is_foreign)
{
    if (bytes.size == 0 || !has_room(context, bytes.size)) {
        return;
    }
    memcpy(context->out.data + context->out.size, bytes.data, bytes.size);
    memset(context->marks.data + context->marks.size, is_foreign, bytes.size);
    context->out.size += bytes.size;
    context->marks.size += bytes.size;
}

void jinja_emit_own(struct hearth_template_context *context, const char *text)
{
    jinja_emit(context, hearth_slice_of_string(text), false);
}

void jinja_emit_part(struct hearth_template_context *context, struct value text, size_t from,
                     size_t size)
{
    size_t start = context->marks.size;
    jinja_emit(context, hearth_slice_of(text.as.text.data + from, size), text.is_foreign);
    if (text.as.text.marks != NULL && jinja_ok(context) && size > 0) {
        memcpy(context->marks.data + start, text.as.text.marks + from, size);
    }
}

void jinja_emit_text(struct hearth_template_context *context, struct value text)
{
    if (text.kind == V_TEXT) {
        jinja_emit_part(context, text, 0, text.as.text.size);
    }
}

struct maker jinja_text_begin(struct hearth_template_context *context)
{
    return (struct maker){context, context->out.size};
}

struct value jinja_text_end(struct maker *maker)
{
    struct hearth_template_context *context = maker->context;
    size_t size = context->out.size - maker->start;
    struct value text = jinja_string("");
    if (jinja_ok(context) && size > 0) {
        const uint8_t *marks = context->marks.data + maker->start;
        uint8_t *copy = jinja_alloc(context, size, 1);
        bool is_mixed = memchr(marks, !marks[0], size) != NULL;
        uint8_t *kept_marks = is_mixed ? jinja_alloc(context, size, 1) : NULL;
        if (jinja_ok(context)) {
            memcpy(copy, context->out.data + maker->start, size);
            text = jinja_text(hearth_slice_of(copy, size), marks[0] != 0);
            if (is_mixed) {
                memcpy(kept_marks, marks, size);
                text.as.text.marks = kept_marks;
            }
        }
    }
    context->out.size = maker->start;
    context->marks.size = maker->start;
    return text;
}

/* ── Characters ──────────────────────────────────────────────────────────────────────────────── */

/* Everything in a template is valid UTF-8; a byte that were not would be a character of its own. */
uint32_t jinja_character(struct hearth_slice text, size_t at, size_t *ret_size)
{
    uint32_t c = text.data[at];
    *ret_size = 1;
    if (c >= 0x80) {
        unsigned size = hearth_utf8_read(text, at, &c);
        *ret_size = size > 0 ? size : 1;
    }
    return c;
}

size_t jinja_count_characters(struct value text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.as.text.size; i++) {
        count += (text.as.text.data[i] & 0xc0) != 0x80;
    }
    return count;
}

size_t jinja_byte_of(struct value text, size_t index)
{
    size_t at = 0;
    for (; at < text.as.text.size; at++) {
        if ((text.as.text.data[at] & 0xc0) != 0x80 && index-- == 0) {
            break;
        }
    }
    return at;
}

size_t jinja_find(struct value text, struct value what, size_t from)
{
    if (what.as.text.size == 0) {
        return from;
    }
    const uint8_t *found = memmem(text.as.text.data + from, text.as.text.size - from,
                                  what.as.text.data, what.as.text.size);
    return found == NULL ? SIZE_MAX : (size_t)(found - text.as.text.data);
}

/* From the end on; each place that could be one costs what comparing it may. */
size_t jinja_find_last(struct hearth_template_context *context, struct value text,
                       struct value what, size_t to)
{
    size_t size = what.as.text.size;
    const uint8_t *data = text.as.text.data;
    if (size == 0) {
        return to;
    }
    size_t end = size <= to ? to - size + 1 : 0; /* of the places where it could begin */
    while (end > 0 && jinja_spend_bytes(context, size)) {
        const uint8_t *found = memrchr(data, what.as.text.data[0], end);
        if (found == NULL) {
            break;
        }
        if (memcmp(found, what.as.text.data, size) == 0) {
            return (size_t)(found - data);
        }
        end = (size_t)(found - data);
    }
    return SIZE_MAX;
}

bool jinja_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}
