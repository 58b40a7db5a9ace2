/* answer.h — what generate, chat and choose share: one question to one model. */

#ifndef HEARTH_CLI_ANSWER_H
#define HEARTH_CLI_ANSWER_H

#include "json.h"

struct cli_answer {
    const struct cli_settings *settings;
    hearth_client *client;
    hearth_request_params params;
    hearth_result *result;    /* of the last question, or NULL */
    struct cli_stream stream; /* of the last question */
    struct hearth_buf grammar;
    struct hearth_buf tools;
    char model[129];
    bool is_streamed;
};

/** Reads the files that options name, connects and chooses the model. To be closed on failure too.
 */
int cli_answer_open(struct cli_answer *answer, const struct cli_settings *settings,
                    enum hearth_task task, struct hearth_error *err);
void cli_answer_close(struct cli_answer *answer);

/** Asks @prompt (a text or ids), or the chat if it is NULL; prints the answer and adds its text to
 * @keep (or NULL). answer->result is then what came. */
int cli_answer_ask(struct cli_answer *answer, const hearth_turn *turns, size_t count,
                   const hearth_input *prompt, struct hearth_buf *keep, struct hearth_error *err);

/* ── What options ask for (ask.c) ── */

/** Fills the parameters of generation; files that they name are read into answer->grammar and
 * answer->tools. HEARTH_E_ARGUMENT. */
int cli_generation_params(struct cli_answer *answer, struct hearth_error *err);

/** All of standard input, or @text, as one prompt in @bytes. HEARTH_E_INPUT_INVALID if it is empty.
 */
int cli_prompt_read(const char *text, struct hearth_buf *bytes, hearth_input *ret,
                    struct hearth_error *err);

/* ── What came (generated.c) ── */

/** Prints a whole answer for a person, but for @is_shown texts, which the stream has shown. */
void cli_generated_print(const struct cli_settings *settings, const hearth_result *result,
                         const struct cli_stream *shown);
/** Adds text, ids, log-probabilities, tool calls and end of an answer or a piece to @object. */
void cli_generated_fill(struct cli_json *json, yyjson_mut_val *object, const hearth_item *item);
/** Adds answers and usage to the object itself. */
void cli_generated_add(struct cli_json *json, const struct cli_settings *settings,
                       const hearth_result *result);
/** Adds "usage" with what generators tell of cache, drafts and fingerprint. */
void cli_generated_add_usage(struct cli_json *json, const hearth_usage *usage);

#endif
