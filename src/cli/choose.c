/* choose.c — which of some texts a model finds likeliest. */

#include "answer.h"

#include <stdio.h>

static void print(const struct cli_answer *answer)
{
    const hearth_item *item = hearth_result_item(answer->result, 0);
    for (size_t i = 0; i < item->label_count; i++) {
        printf("%.4f  %s\n", (double)item->labels[i].probability, item->labels[i].name);
    }
}

static void print_json(const struct cli_answer *answer)
{
    const hearth_item *item = hearth_result_item(answer->result, 0);
    HEARTH_AUTO(cli_json) struct cli_json json;
    cli_json_begin(&json);
    yyjson_mut_obj_add_strcpy(json.doc, json.root, "model", answer->model);
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(json.doc, json.root, "choices");
    for (size_t i = 0; i < item->label_count; i++) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(json.doc, array);
        yyjson_mut_obj_add_strcpy(json.doc, o, "text", item->labels[i].name);
        yyjson_mut_obj_add_real(json.doc, o, "probability", (double)item->labels[i].probability);
    }
    cli_generated_add_usage(&json, hearth_result_usage(answer->result));
    cli_json_print(&json);
}

static int ask_message(struct cli_answer *answer, struct hearth_error *err)
{
    const struct cli_settings *settings = answer->settings;
    hearth_turn turns[2] = {{HEARTH_ROLE_SYSTEM, settings->system, NULL, NULL, NULL},
                            {HEARTH_ROLE_USER, settings->message, NULL, NULL, NULL}};
    size_t skipped = settings->system == NULL;
    return hearth_infer_turns(answer->client, HEARTH_TASK_CHOICE, turns + skipped, 2 - skipped,
                              &answer->params, &answer->result, err);
}

static int choose(struct cli_answer *answer, int argc, char **argv, struct hearth_error *err)
{
    const struct cli_settings *settings = answer->settings;
    HEARTH_AUTO(hearth_buf) struct hearth_buf bytes;
    hearth_buf_init(&bytes, (size_t)16 << 20);
    hearth_input prompt = {0};
    answer->params.choices = (const char *const *)argv;
    answer->params.choice_count = (size_t)argc;
    int rc = 0;
    if (settings->message == NULL) {
        rc = cli_prompt_read(settings->prompt, &bytes, &prompt, err);
        rc = rc < 0 ? rc
                    : hearth_infer(answer->client, HEARTH_TASK_CHOICE, &prompt, 1, &answer->params,
                                   &answer->result, err);
    } else {
        rc = ask_message(answer, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (settings->is_json) {
        print_json(answer);
    } else {
        print(answer);
    }
    if (settings->is_stats) {
        cli_stream_stats(&answer->stream, hearth_result_usage(answer->result));
    }
    return 0;
}

int cli_run_choose(const struct cli_settings *settings, int argc, char **argv)
{
    const struct cli_command *command = cli_command_find("choose");
    if (argc < 2 || argc > 128) {
        return cli_usage(command, "%d choices given, wanted 2 to 128", argc);
    }
    if (settings->prompt != NULL && settings->message != NULL) {
        return cli_usage(command, "--prompt and --message exclude each other");
    }
    if (settings->system != NULL && settings->message == NULL) {
        return cli_usage(command, "--system: given without --message");
    }
    struct hearth_error err;
    struct cli_answer answer;
    int rc = cli_answer_open(&answer, settings, HEARTH_TASK_CHOICE, &err);
    rc = rc < 0 ? rc : choose(&answer, argc, argv, &err);
    cli_answer_close(&answer);
    return rc < 0 ? cli_report(settings, &err) : CLI_DONE;
}
