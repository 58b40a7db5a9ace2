/* template.c — the life of a template, and what can be asked of its source. */

#include "node.h"

/* What a template keeps: its lines, its strings and its nodes. */
#define BYTES_KEPT_BESIDE_NODES(source) (4 * (source) + 65536)

struct hearth_template_limits hearth_template_default_limits(void)
{
    return (struct hearth_template_limits){
        .source_bytes = 256u << 10,
        .nodes = 65536,
        .depth = 100,
        .calls = 400,
        .steps = 2000000,
        .output_bytes = 1u << 20,
        .memory_bytes = 64u << 20,
    };
}

int hearth_template_create(struct hearth_slice source, const struct hearth_template_limits *limits,
                           struct hearth_template **ret, struct hearth_error *err)
{
    if (source.size > limits->source_bytes) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "a template of %zu bytes, the limit is %zu",
                           source.size, limits->source_bytes);
    }
    size_t valid = hearth_utf8_valid_bytes(source);
    if (valid < source.size) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "byte %zu of the template is not UTF-8",
                           valid);
    }
    HEARTH_AUTO(hearth_template)
    struct hearth_template *template = hearth_alloc(1, sizeof *template);
    if (template == NULL) {
        return hearth_fail_oom(err);
    }
    template->limits = *limits;
    /* Neighbouring strings are joined one by one, so they may count several times. */
    hearth_arena_init(&template->arena, BYTES_KEPT_BESIDE_NODES(source.size) +
                                            limits->nodes * (sizeof(struct node) + 16) +
                                            limits->memory_bytes);
    int rc = jinja_parse(template, source, err);
    if (rc == 0) {
        *ret = HEARTH_TAKE(template);
    }
    return rc;
}

void hearth_template_destroy(struct hearth_template *template)
{
    if (template != NULL) {
        hearth_arena_finish(&template->arena);
        hearth_free(template);
    }
}

bool hearth_template_mentions(const struct hearth_template *template, const char *name)
{
    for (const struct node *node = template->newest; node != NULL; node = node->earlier) {
        if (node->kind == N_NAME && hearth_slice_equals_string(node->name, name)) {
            return true;
        }
    }
    return false;
}

bool hearth_template_spells(const struct hearth_template *template, const char *text)
{
    size_t size = strlen(text);
    for (const struct node *node = template->newest; node != NULL; node = node->earlier) {
        bool is_text = (node->kind == N_TEXT || node->kind == N_CONSTANT) &&
                       node->constant.kind == V_TEXT && node->constant.as.text.size >= size;
        if (is_text &&
            memmem(node->constant.as.text.data, node->constant.as.text.size, text, size) != NULL) {
            return true;
        }
    }
    return false;
}
