/* context.c — the values of one rendering as those see them who call this room; its limits. */

#include "value.h"

#include <stdarg.h>
#include <stdio.h>

#define BYTES_A_STEP 16u /* of a text that is gone over */

/* ── Errors and limits ───────────────────────────────────────────────────────────────────────── */

struct value jinja_fail(struct hearth_template_context *context, int code, const char *format, ...)
{
    char text[HEARTH_ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (context->rc == 0 && context->line > 0) {
        context->rc = hearth_fail(&context->error, code, "line %u: %s", context->line, text);
    } else if (context->rc == 0) {
        context->rc = hearth_fail(&context->error, code, "%s", text);
    }
    return jinja_undefined(hearth_slice_of("", 0));
}

bool jinja_spend(struct hearth_template_context *context, uint64_t steps)
{
    if (context->rc < 0) {
        return false;
    }
    if (steps > context->limits.steps - context->steps) {
        (void)jinja_fail(context, HEARTH_E_TOO_LARGE,
                         "rendering takes more than the limit (steps %llu)",
                         (unsigned long long)context->limits.steps);
        return false;
    }
    context->steps += steps;
    return true;
}

bool jinja_spend_bytes(struct hearth_template_context *context, size_t bytes)
{
    return jinja_spend(context, 1 + bytes / BYTES_A_STEP);
}

void *jinja_alloc(struct hearth_template_context *context, size_t count, size_t size)
{
    if (!jinja_ok(context)) {
        return NULL;
    }
    size_t bytes;
    bool is_too_much = __builtin_mul_overflow(count, size, &bytes) ||
                       bytes > context->arena.cap - context->arena.used_bytes;
    void *memory = is_too_much ? NULL : hearth_arena_alloc(&context->arena, count, size);
    if (memory == NULL) {
        (void)jinja_fail(context, is_too_much ? HEARTH_E_TOO_LARGE : HEARTH_E_NO_MEMORY,
                         is_too_much ? "values take more than the limit (memory %zu bytes)"
                                     : "out of memory within the limit of %zu bytes",
                         context->limits.memory_bytes);
    }
    return memory;
}

bool jinja_enter(struct hearth_template_context *context)
{
    if (!jinja_spend(context, 1)) {
        return false;
    }
    if (context->calls >= context->limits.calls) {
        (void)jinja_fail(context, HEARTH_E_TOO_LARGE,
                         "nested deeper than the limit while rendering (calls %u)",
                         context->limits.calls);
        return false;
    }
    context->calls++;
    return true;
}

void jinja_leave(struct hearth_template_context *context)
{
    context->calls--;
}

/* ── Life ────────────────────────────────────────────────────────────────────────────────────── */

int hearth_template_context_create(const struct hearth_template_limits *limits,
                                   struct hearth_template_context **ret, struct hearth_error *err)
{
    struct hearth_template_context *context = hearth_alloc(1, sizeof *context);
    if (context == NULL) {
        return hearth_fail_oom(err);
    }
    context->limits = *limits;
    hearth_arena_init(&context->arena, limits->memory_bytes);
    hearth_buf_init(&context->out, limits->output_bytes);
    hearth_buf_init(&context->marks, limits->output_bytes);
    hearth_template_begin(context);
    *ret = context;
    return 0;
}

void hearth_template_context_destroy(struct hearth_template_context *context)
{
    if (context == NULL) {
        return;
    }
    hearth_buf_wipe(&context->out);
    hearth_buf_finish(&context->out);
    hearth_buf_finish(&context->marks);
    hearth_arena_finish(&context->arena);
    hearth_free(context);
}

void hearth_template_begin(struct hearth_template_context *context)
{
    hearth_arena_reset(&context->arena);
    hearth_buf_wipe(&context->out);
    hearth_buf_clear(&context->marks);
    context->rc = 0;
    context->line = 0;
    context->steps = 0;
    context->calls = 0;
    context->has_now = false;
    struct value variables = jinja_new_dict(context, V_DICT);
    context->variables = jinja_ok(context) ? variables.as.dict : NULL;
}

void hearth_template_set_now(struct hearth_template_context *context, int64_t now_s)
{
    context->now_s = now_s;
    context->has_now = true;
}

/* ── Values ──────────────────────────────────────────────────────────────────────────────────── */

static struct hearth_template_value *keep(struct hearth_template_context *context,
                                          struct value value)
{
    struct hearth_template_value *kept = jinja_alloc(context, 1, sizeof *kept);
    if (kept != NULL) {
        kept->value = value;
    }
    return kept;
}

struct hearth_template_value *hearth_template_none(struct hearth_template_context *context)
{
    return keep(context, jinja_none());
}

struct hearth_template_value *hearth_template_bool(struct hearth_template_context *context,
                                                   bool is_true)
{
    return keep(context, jinja_bool(is_true));
}

struct hearth_template_value *hearth_template_string(struct hearth_template_context *context,
                                                     struct hearth_slice text,
                                                     enum hearth_template_origin origin)
{
    return keep(context, jinja_text(text, origin == HEARTH_TEMPLATE_FOREIGN));
}

struct hearth_template_value *hearth_template_list(struct hearth_template_context *context)
{
    return keep(context, jinja_new_list(context, V_LIST));
}

struct hearth_template_value *hearth_template_object(struct hearth_template_context *context)
{
    return keep(context, jinja_new_dict(context, V_DICT));
}

void hearth_template_append(struct hearth_template_context *context,
                            struct hearth_template_value *list,
                            const struct hearth_template_value *element)
{
    if (jinja_ok(context) && list != NULL && element != NULL) {
        HEARTH_ASSERT(list->value.kind == V_LIST);
        jinja_append(context, list->value.as.list, element->value);
    }
}

void hearth_template_set(struct hearth_template_context *context,
                         struct hearth_template_value *object, const char *key,
                         const struct hearth_template_value *value)
{
    if (jinja_ok(context) && object != NULL && value != NULL) {
        HEARTH_ASSERT(object->value.kind == V_DICT);
        jinja_dict_set(context, object->value.as.dict, jinja_string(key), value->value);
    }
}

void hearth_template_set_variable(struct hearth_template_context *context, const char *name,
                                  const struct hearth_template_value *value)
{
    if (jinja_ok(context) && value != NULL) {
        jinja_dict_set(context, context->variables, jinja_string(name), value->value);
    }
}

/* A value inside another is seen through the same pointer type: the struct holds nothing else. */
static const struct hearth_template_value *seen(const struct value *value)
{
    return (const struct hearth_template_value *)(const void *)value;
}

const struct hearth_template_value *hearth_template_get(const struct hearth_template_value *object,
                                                        const char *key)
{
    if (object == NULL || object->value.kind != V_DICT) {
        return NULL;
    }
    return seen(jinja_dict_find(object->value.as.dict, hearth_slice_of_string(key)));
}

size_t hearth_template_count(const struct hearth_template_value *value)
{
    if (value == NULL) {
        return 0;
    }
    return value->value.kind == V_LIST   ? value->value.as.list->count
           : value->value.kind == V_DICT ? value->value.as.dict->count
                                         : 0;
}

const struct hearth_template_value *hearth_template_element(
    const struct hearth_template_value *list, size_t index)
{
    bool is_there = hearth_template_is_list(list) && index < list->value.as.list->count;
    return is_there ? seen(&list->value.as.list->items[index]) : NULL;
}

bool hearth_template_is_string(const struct hearth_template_value *value)
{
    return value != NULL && value->value.kind == V_TEXT;
}

bool hearth_template_is_object(const struct hearth_template_value *value)
{
    return value != NULL && value->value.kind == V_DICT;
}

bool hearth_template_is_list(const struct hearth_template_value *value)
{
    return value != NULL && value->value.kind == V_LIST;
}

/* ── What was rendered ───────────────────────────────────────────────────────────────────────── */

struct hearth_slice hearth_template_output(const struct hearth_template_context *context)
{
    return hearth_buf_slice(&context->out);
}

bool hearth_template_next(const struct hearth_template_context *context, size_t *at,
                          struct hearth_slice *ret, enum hearth_template_origin *ret_origin)
{
    size_t start = *at;
    if (start >= context->out.size) {
        return false;
    }
    const uint8_t *marks = context->marks.data;
    size_t end = start + 1;
    while (end < context->out.size && marks[end] == marks[start]) {
        end++;
    }
    *at = end;
    *ret = hearth_slice_of(context->out.data + start, end - start);
    *ret_origin = marks[start] != 0 ? HEARTH_TEMPLATE_FOREIGN : HEARTH_TEMPLATE_OWN;
    return true;
}

uint64_t hearth_template_steps(const struct hearth_template_context *context)
{
    return context->steps;
}
