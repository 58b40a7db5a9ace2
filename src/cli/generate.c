/* generate.c — a prompt, or one message of a chat, and its answer: the single-shot commands. */

#include "answer.h"

#include <stdio.h>
#include <string.h>

/* Text comes as it is made unless somebody wants it whole, or several, whose pieces would mix; JSON
 * is whole unless asked otherwise. */
static bool is_streamed(const struct cli_settings *settings)
{
    return settings->is_json ? settings->is_stream
                             : !settings->is_no_stream && settings->answers <= 1;
}

static void print_whole(const struct cli_answer *answer)
{
    if (!answer->settings->is_json) {
        cli_generated_print(answer->settings, answer->result,
                            answer->is_streamed ? &answer->stream : NULL);
        return;
    }
    HEARTH_AUTO(cli_json) struct cli_json json;
    cli_json_begin(&json);
    yyjson_mut_obj_add_strcpy(json.doc, json.root, "model", answer->model);
    cli_generated_add(&json, answer->settings, answer->result);
    cli_json_print(&json);
}

int cli_answer_open(struct cli_answer *answer, const struct cli_settings *settings,
                    enum hearth_task task, struct hearth_error *err)
{
    *answer = (struct cli_answer){.settings = settings, .is_streamed = is_streamed(settings)};
    int rc = cli_generation_params(answer, err);
    if (rc == 0 && settings->is_stream && settings->is_no_stream) {
        rc = hearth_fail(err, HEARTH_E_ARGUMENT, "--stream and --no-stream exclude each other");
    }
    if (rc == 0 && settings->answers > 1 && settings->is_stream && !settings->is_json) {
        rc = hearth_fail(err, HEARTH_E_ARGUMENT,
                         "--stream: several answers are streamed with --json alone");
    }
    cli_stream_begin(&answer->stream, settings->is_json);
    rc = rc < 0 ? rc : cli_connect(settings, &answer->client, err);
    rc = rc < 0 ? rc
                : cli_choose_model(answer->client, settings, task, answer->model,
                                   sizeof answer->model, err);
    answer->params.model = answer->model;
    return rc;
}

void cli_answer_close(struct cli_answer *answer)
{
    hearth_result_free(answer->result);
    hearth_disconnect(answer->client);
    hearth_buf_finish(&answer->grammar);
    hearth_buf_finish(&answer->tools);
}

int cli_answer_ask(struct cli_answer *answer, const hearth_turn *turns, size_t count,
                   const hearth_input *prompt, struct hearth_buf *keep, struct hearth_error *err)
{
    hearth_result_free(HEARTH_TAKE(answer->result));
    cli_stream_begin(&answer->stream, answer->settings->is_json);
    answer->stream.has_many = answer->params.answers > 1;
    answer->stream.keep = keep;
    if (answer->is_streamed) {
        answer->params.on_item = cli_stream_piece;
        answer->params.arg = &answer->stream;
    }
    int rc = prompt != NULL ? hearth_infer(answer->client, HEARTH_TASK_GENERATE, prompt, 1,
                                           &answer->params, &answer->result, err)
                            : hearth_infer_turns(answer->client, HEARTH_TASK_CHAT, turns, count,
                                                 &answer->params, &answer->result, err);
    if (rc < 0) {
        if (answer->stream.pieces > 0 && !answer->settings->is_json) {
            printf("\n"); /* what came stays on a line of its own */
        }
        return rc;
    }
    print_whole(answer);
    if (answer->settings->is_stats) {
        cli_stream_stats(&answer->stream, hearth_result_usage(answer->result));
    }
    const hearth_item *item = hearth_result_item(answer->result, 0);
    if (keep != NULL && !answer->is_streamed) {
        rc = hearth_buf_append(keep, item->text, item->text_bytes);
    }
    return rc < 0 ? hearth_fail_oom(err) : 0;
}

static int generate(const struct cli_settings *settings, int argc, char **argv,
                    struct hearth_buf *bytes, struct hearth_error *err)
{
    hearth_input prompt;
    struct cli_answer answer;
    bool is_input = argc == 0 || strcmp(argv[0], "-") == 0;
    int rc = settings->token_ids != NULL
                 ? cli_ids_read(settings->token_ids, bytes, &prompt, err)
                 : cli_prompt_read(is_input ? NULL : argv[0], bytes, &prompt, err);
    if (rc < 0) {
        return rc;
    }
    rc = cli_answer_open(&answer, settings, HEARTH_TASK_GENERATE, err);
    rc = rc < 0 ? rc : cli_answer_ask(&answer, NULL, 0, &prompt, NULL, err);
    cli_answer_close(&answer);
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
