/* ask.c — what the options of generate, chat and choose ask for. */

#include "answer.h"

#include "hearth_os.h"

#include <string.h>

#define FILE_BYTES_MAX 65536u /* the daemon's limit of a grammar, and of tools */

/* The text of @path in @buf, ended with NUL. */
static int read_file(const char *option, const char *path, struct hearth_buf *buf,
                     const char **ret_text, struct hearth_error *err)
{
    int rc = hearth_file_read(path, buf, err);
    if (rc == HEARTH_E_TOO_LARGE) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "--%s: %.120s has more than %u bytes", option,
                           path, FILE_BYTES_MAX);
    }
    if (rc < 0) {
        return hearth_because(err, rc, "--%s", option);
    }
    if (memchr(buf->data, '\0', buf->size) != NULL || buf->size == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "--%s: %.120s %s", option, path,
                           buf->size == 0 ? "is empty" : "is no text");
    }
    if (hearth_buf_append(buf, "", 1) < 0) {
        return hearth_fail_oom(err);
    }
    *ret_text = (const char *)buf->data;
    return 0;
}

static int read_grammar(struct cli_answer *answer, struct hearth_error *err)
{
    const struct cli_settings *settings = answer->settings;
    hearth_request_params *params = &answer->params;
    if (settings->json_schema != NULL && settings->grammar != NULL) {
        return hearth_fail(err, HEARTH_E_ARGUMENT,
                           "--json-schema and --grammar exclude each other");
    }
    if (settings->json_schema != NULL) {
        params->grammar_type = HEARTH_GRAMMAR_JSON_SCHEMA;
        return read_file("json-schema", settings->json_schema, &answer->grammar, &params->grammar,
                         err);
    }
    if (settings->grammar != NULL) {
        params->grammar_type = HEARTH_GRAMMAR_GBNF;
        return read_file("grammar", settings->grammar, &answer->grammar, &params->grammar, err);
    }
    return 0;
}

static int read_tools(struct cli_answer *answer, struct hearth_error *err)
{
    static const char *const words[] = {[HEARTH_TOOLS_AUTO] = "auto",
                                        [HEARTH_TOOLS_NONE] = "none",
                                        [HEARTH_TOOLS_REQUIRED] = "required"};
    const struct cli_settings *settings = answer->settings;
    size_t choice = HEARTH_TOOLS_AUTO;
    while (settings->tool_choice != NULL && choice < HEARTH_COUNT(words) &&
           strcmp(settings->tool_choice, words[choice]) != 0) {
        choice++;
    }
    if (choice == HEARTH_COUNT(words)) {
        return hearth_fail(err, HEARTH_E_ARGUMENT,
                           "--tool-choice: '%.60s' is not auto, none or required",
                           settings->tool_choice);
    }
    if (settings->tool_choice != NULL && settings->tools == NULL) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "--tool-choice: given without --tools");
    }
    answer->params.tool_choice = (enum hearth_tool_choice)choice;
    return settings->tools == NULL
               ? 0
               : read_file("tools", settings->tools, &answer->tools, &answer->params.tools, err);
}

static int check_counts(const struct cli_settings *settings, struct hearth_error *err)
{
    if (settings->answers < 1 || settings->answers > 8) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "--answers: %llu, wanted 1 to 8",
                           (unsigned long long)settings->answers);
    }
    if (settings->logprobs != CLI_TOP_DEFAULT && settings->logprobs > 20) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "--logprobs: %llu, wanted 0 to 20",
                           (unsigned long long)settings->logprobs);
    }
    return 0;
}

int cli_generation_params(struct cli_answer *answer, struct hearth_error *err)
{
    const struct cli_settings *settings = answer->settings;
    hearth_request_params *params = &answer->params;
    hearth_buf_init(&answer->grammar, FILE_BYTES_MAX + 1);
    hearth_buf_init(&answer->tools, FILE_BYTES_MAX + 1);
    int rc = cli_request_params(settings, params, err);
    rc = rc < 0 ? rc : check_counts(settings, err);
    if (rc < 0) {
        return rc;
    }
    params->answers = (uint32_t)settings->answers;
    params->typical_p = (float)settings->typical_p;
    params->frequency_penalty = (float)settings->frequency_penalty;
    params->presence_penalty = (float)settings->presence_penalty;
    params->logit_bias = settings->biases.values;
    params->logit_bias_count = settings->biases.count;
    params->wants_logprobs = settings->logprobs != CLI_TOP_DEFAULT;
    params->top_logprobs = params->wants_logprobs ? (uint32_t)settings->logprobs : 0;
    params->exact = settings->is_exact;
    params->shift = settings->is_shift;
    params->no_cache = settings->is_no_cache;
    params->shorten = settings->is_shorten;
    params->cache_domain = settings->cache_domain;
    rc = read_grammar(answer, err);
    return rc < 0 ? rc : read_tools(answer, err);
}

int cli_prompt_read(const char *text, struct hearth_buf *bytes, hearth_input *ret,
                    struct hearth_error *err)
{
    int rc =
        text == NULL ? cli_read_all(bytes, err) : hearth_buf_append(bytes, text, strlen(text) + 1);
    if (rc < 0) {
        return text == NULL ? rc : hearth_fail_oom(err);
    }
    *ret = (hearth_input){.text = (const char *)bytes->data};
    return ret->text[0] == '\0' ? hearth_fail(err, HEARTH_E_INPUT_INVALID, "the prompt is empty")
                                : 0;
}
