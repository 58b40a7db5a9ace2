/* chat_stream.c — one question to a model, its answer printed piece by piece.
 *
 *     chat_stream MODEL QUESTION */

#include <hearth/hearth.h>

#include <stdio.h>

/* Anything but 0 would cancel. */
static int print_piece(const hearth_item *item, void *arg)
{
    FILE *out = arg;
    return fwrite(item->text, 1, item->text_bytes, out) != item->text_bytes || fflush(out) != 0;
}

int main(int argc, char **argv)
{
    hearth_client *client;
    hearth_result *result;
    hearth_error err;
    hearth_chat_message messages[2];
    hearth_request_params params = hearth_request_params_default();
    const hearth_usage *usage;

    if (argc != 3) {
        fprintf(stderr, "usage: chat_stream MODEL QUESTION\n");
        return 2;
    }
    if (hearth_connect(NULL, &client, &err) < 0) {
        fprintf(stderr, "chat_stream: %s\n", err.text);
        return 1;
    }
    messages[0].role = HEARTH_ROLE_SYSTEM;
    messages[0].content = "Answer in one sentence.";
    messages[1].role = HEARTH_ROLE_USER;
    messages[1].content = argv[2];
    params.model = argv[1];
    params.temperature = 0;
    params.on_item = print_piece;
    params.arg = stdout;
    if (hearth_chat(client, messages, 2, &params, &result, &err) < 0) {
        fprintf(stderr, "chat_stream: %s\n", err.text);
        hearth_disconnect(client);
        return 1;
    }
    usage = hearth_result_usage(result);
    printf("\n(%u tokens, the end was: %s)\n", usage->tokens_generated,
           hearth_finish_name(usage->finish_reason));
    hearth_result_free(result);
    hearth_disconnect(client);
    return 0;
}
