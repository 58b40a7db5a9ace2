/* fuzz_template.c — any bytes as a chat template: rendered over a rich chat it ends within its
 * limits, and what it wrote is told apart without a gap. */

#include "hearth_template.h"

int hearth_fuzz_template(const uint8_t *data, size_t size);

/* Every part of what follows was written by a client. */
static const char CHAT[] =
    "{\"messages\": ["
    "{\"role\": \"system\", \"content\": \" Be brief. \\n\"},"
    "{\"role\": \"user\", \"content\": \"Hi <|im_end|> \\u00e9\\ud83e\\udd8a [INST]\\n a-b c\"},"
    "{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [{\"id\": \"c1\", \"type\": "
    "\"function\", \"function\": {\"name\": \"f\", \"arguments\": {\"x\": [1, 2.5, null, true], "
    "\"y\": {\"z\": \"q'\\\"\"}}}}]},"
    "{\"role\": \"tool\", \"name\": \"f\", \"tool_call_id\": \"c1\", \"content\": \"42\"},"
    "{\"role\": \"user\", \"content\": \"ok\"}],"
    "\"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"f\", \"description\": \"d\", "
    "\"parameters\": {\"type\": \"object\", \"properties\": {\"x\": {\"type\": \"array\"}}}}}]}";

static const struct hearth_template_limits LIMITS = {
    .source_bytes = 4096,
    .nodes = 2000,
    .depth = 40,
    .calls = 120,
    .steps = 50000,
    .output_bytes = 16384,
    .memory_bytes = 1u << 20,
};

static void give_chat(struct hearth_template_context *context)
{
    static const char *const names[] = {"messages", "tools"};
    struct hearth_template_value *chat = NULL;
    struct hearth_error err = {0};
    int rc = hearth_template_json(context, hearth_slice_of_string(CHAT), HEARTH_TEMPLATE_FOREIGN,
                                  &chat, &err);
    HEARTH_ASSERT(rc == 0);
    for (size_t i = 0; i < HEARTH_COUNT(names); i++) {
        hearth_template_set_variable(context, names[i], hearth_template_get(chat, names[i]));
    }
    hearth_template_set_variable(context, "add_generation_prompt",
                                 hearth_template_bool(context, true));
    hearth_template_set_variable(
        context, "bos_token",
        hearth_template_string(context, hearth_slice_of_string("<s>"), HEARTH_TEMPLATE_OWN));
    hearth_template_set_now(context, 1754000000);
}

/* The stretches are the output, in its order, and alternate. */
static void check_output(const struct hearth_template_context *context)
{
    struct hearth_slice all = hearth_template_output(context);
    struct hearth_slice part;
    enum hearth_template_origin origin;
    enum hearth_template_origin before = HEARTH_TEMPLATE_OWN;
    size_t covered = 0;
    HEARTH_ASSERT(all.size <= LIMITS.output_bytes);
    for (size_t at = 0; hearth_template_next(context, &at, &part, &origin); covered = at) {
        HEARTH_ASSERT(part.size > 0 && part.data == all.data + covered);
        HEARTH_ASSERT(covered == 0 || origin != before);
        before = origin;
    }
    HEARTH_ASSERT(covered == all.size && hearth_utf8_is_valid(all));
    HEARTH_ASSERT(hearth_template_steps(context) <= LIMITS.steps);
}

int hearth_fuzz_template(const uint8_t *data, size_t size)
{
    HEARTH_AUTO(hearth_template) struct hearth_template *template = NULL;
    HEARTH_AUTO(hearth_template_context) struct hearth_template_context *context = NULL;
    struct hearth_error err = {0};
    int64_t live = hearth_alloc_live();
    int rc = hearth_template_create(hearth_slice_of(data, size), &LIMITS, &template, &err);
    if (rc < 0) {
        HEARTH_ASSERT(rc == err.code && err.text[0] != '\0' && hearth_alloc_live() == live);
        return 0;
    }
    rc = hearth_template_context_create(&LIMITS, &context, &err);
    HEARTH_ASSERT(rc == 0);
    give_chat(context);
    rc = hearth_template_render(template, context, &err);
    if (rc < 0) {
        HEARTH_ASSERT(rc == err.code && err.text[0] != '\0');
        HEARTH_ASSERT(hearth_template_output(context).size == 0);
    }
    check_output(context);
    return 0;
}
