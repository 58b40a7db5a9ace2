/* answer.h — what generate and chat share: one question to one model. */

#ifndef HEARTH_CLI_ANSWER_H
#define HEARTH_CLI_ANSWER_H

#include "json.h"

struct cli_answer {
    const struct cli_settings *settings;
    hearth_client *client;
    hearth_request_params params;
    struct cli_stream stream; /* of the last question */
    char model[129];
    bool is_streamed;
};

/** Connects and chooses the model. On failure too, answer->client is to be disconnected. */
int cli_answer_open(struct cli_answer *answer, const struct cli_settings *settings,
                    enum hearth_task task, struct hearth_error *err);

/** Asks @prompt (a text or ids), or the chat if it is NULL; prints the answer and adds it to @keep
 * (or NULL). */
int cli_answer_ask(struct cli_answer *answer, const hearth_chat_message *messages, size_t count,
                   const hearth_input *prompt, struct hearth_buf *keep, struct hearth_error *err);

#endif
