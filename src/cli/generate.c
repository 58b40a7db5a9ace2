/* generate.c — a prompt, or one message of a chat, and its answer: the single-shot commands. */

#include "answer.h"

#include <stdio.h>
#include <string.h>

/* Text comes as it is made unless somebody wants it whole; JSON is whole unless asked otherwise. */
static bool is_streamed(const struct cli_settings *settings)
{
    return settings->is_json ? settings->is_stream : !settings->is_no_stream;
}

static void print_ids(const hearth_item *item)
{
    fputs("ids", stdout);
    for (size_t i = 0; i < item->token_id_count; i++) {
        printf(" %u", item->token_ids[i]);
    }
    fputs("\n", stdout);
}

static void print_whole(const struct cli_answer *answer, const hearth_result *result)
{
    const hearth_item *item = hearth_result_item(result, 0);
    if (!answer->settings->is_json) {
        bool ends = answer->is_streamed
                        ? answer->stream.ends_with_newline
                        : item->text_bytes > 0 && item->text[item->text_bytes - 1] == '\n';
        fwrite(item->text, 1, answer->is_streamed ? 0 : item->text_bytes, stdout);
        fputs(ends ? "" : "\n", stdout);
        if (answer->settings->is_ids) {
            print_ids(item);
        }
        fflush(stdout);
        return;
    }
    HEARTH_AUTO(cli_json) struct cli_json json;
    cli_json_begin(&json);
    yyjson_mut_obj_add_strcpy(json.doc, json.root, "model", answer->model);
    yyjson_mut_obj_add_strncpy(json.doc, json.root, "text", item->text, item->text_bytes);
    if (answer->settings->is_ids) {
        cli_json_add_ids(&json, item);
    }
    cli_json_add_usage(&json, hearth_result_usage(result));
    cli_json_print(&json);
}

int cli_answer_open(struct cli_answer *answer, const struct cli_settings *settings,
                    enum hearth_task task, struct hearth_error *err)
{
    *answer = (struct cli_answer){.settings = settings, .is_streamed = is_streamed(settings)};
    if (settings->is_stream && settings->is_no_stream) {
        return hearth_fail(err, HEARTH_E_ARGUMENT, "--stream and --no-stream exclude each other");
    }
    int rc = cli_request_params(settings, &answer->params, err);
    rc = rc < 0 ? rc : cli_connect(settings, &answer->client, err);
    rc = rc < 0 ? rc
                : cli_choose_model(answer->client, settings, task, answer->model,
                                   sizeof answer->model, err);
    answer->params.model = answer->model;
    return rc;
}

int cli_answer_ask(struct cli_answer *answer, const hearth_chat_message *messages, size_t count,
                   const hearth_input *prompt, struct hearth_buf *keep, struct hearth_error *err)
{
    hearth_result *result;
    cli_stream_begin(&answer->stream, answer->settings->is_json);
    answer->stream.keep = keep;
    if (answer->is_streamed) {
        answer->params.on_item = cli_stream_piece;
        answer->params.arg = &answer->stream;
    }
    int rc = prompt != NULL
                 ? hearth_infer(answer->client, HEARTH_TASK_GENERATE, prompt, 1, &answer->params,
                                &result, err)
                 : hearth_chat(answer->client, messages, count, &answer->params, &result, err);
    if (rc < 0) {
        if (answer->stream.pieces > 0 && !answer->settings->is_json) {
            printf("\n"); /* what came stays on a line of its own */
        }
        return rc;
    }
    print_whole(answer, result);
    if (answer->settings->is_stats) {
        cli_stream_stats(&answer->stream, hearth_result_usage(result));
    }
    const hearth_item *item = hearth_result_item(result, 0);
    if (keep != NULL && !answer->is_streamed) {
        rc = hearth_buf_append(keep, item->text, item->text_bytes);
    }
    hearth_result_free(result);
    return rc < 0 ? hearth_fail_oom(err) : 0;
}

static int read_prompt(const struct cli_settings *settings, int argc, char **argv,
                       struct hearth_buf *bytes, hearth_input *ret, struct hearth_error *err)
{
    if (settings->token_ids != NULL) {
        return cli_ids_read(settings->token_ids, bytes, ret, err);
    }
    bool is_input = argc == 0 || strcmp(argv[0], "-") == 0;
    int rc = is_input ? cli_read_all(bytes, err)
                      : hearth_buf_append(bytes, argv[0], strlen(argv[0]) + 1);
    if (rc < 0) {
        return is_input ? rc : hearth_fail_oom(err);
    }
    *ret = (hearth_input){.text = (const char *)bytes->data};
    return ret->text[0] == '\0' ? hearth_fail(err, HEARTH_E_INPUT_INVALID, "the prompt is empty")
                                : 0;
}

static int generate(const struct cli_settings *settings, int argc, char **argv,
                    struct hearth_buf *bytes, struct hearth_error *err)
{
    hearth_input prompt;
    struct cli_answer answer;
    int rc = read_prompt(settings, argc, argv, bytes, &prompt, err);
    if (rc < 0) {
        return rc;
    }
    rc = cli_answer_open(&answer, settings, HEARTH_TASK_GENERATE, err);
    rc = rc < 0 ? rc : cli_answer_ask(&answer, NULL, 0, &prompt, NULL, err);
    hearth_disconnect(answer.client);
    return rc;
}

int cli_run_generate(const struct cli_settings *settings, int argc, char **argv)
{
    if (argc > 1) {
        return cli_usage(cli_command_find("generate"),
                         "%d arguments given, wanted one prompt (put it in quotes)", argc);
    }
    if (argc > 0 && settings->token_ids != NULL) {
        return cli_usage(cli_command_find("generate"),
                         "--token-ids and a prompt exclude each other");
    }
    struct hearth_error err;
    HEARTH_AUTO(hearth_buf) struct hearth_buf prompt;
    hearth_buf_init(&prompt, (size_t)16 << 20);
    int rc = generate(settings, argc, argv, &prompt, &err);
    return rc < 0 ? cli_report(settings, &err) : CLI_DONE;
}
