/* request.h — calls that ask a model and wait for the answer. Included by hearth.h. */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_REQUEST_H
#define HEARTH_REQUEST_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Classifies or embeds 1 to 32 texts, finds what is named in them, or tells how well each answers a
 * query (see hearth_result_ranked()); generates from a prompt; answers a chat of up to 256 messages
 * with the template of the model. hearth_infer() does any but the chat, with texts or token ids;
 * for rerank it takes params->query, for a choice params->choices.
 *
 * Nothing passed in is kept. *@ret_result (@ret_result may be NULL) is owned by the caller until
 * hearth_result_free(); it is complete also when on_item has seen its parts before. on_done is not
 * called. Blocks until the answer is there, params->timeout_ms (and 2 s for the daemon to say so)
 * is over, or the request is cancelled. An expired or cancelled request ends at the daemon too.
 * Meanwhile the callbacks of submitted requests of the same client come from here.
 *
 * Returns HEARTH_E_NO_MODEL, HEARTH_E_NOT_READY, HEARTH_E_INPUT_INVALID, HEARTH_E_TOO_LARGE (over
 * 64 KiB or 32 texts), HEARTH_E_TOO_LONG (in tokens), HEARTH_E_QUEUE_FULL, HEARTH_E_EXPIRED,
 * HEARTH_E_CANCELLED, HEARTH_E_WORKER_LOST, HEARTH_E_ENGINE_FAILED, HEARTH_E_SHUTTING_DOWN,
 * HEARTH_E_DISCONNECTED (see hearth_reconnect()), HEARTH_E_BUSY (in a callback), HEARTH_E_ARGUMENT,
 * HEARTH_E_NO_MEMORY, or what hearth_connect() returns if it had to connect again.
 */
HEARTH_API int hearth_classify(hearth_client *client, const char *const *texts, size_t count,
                               const hearth_request_params *params, hearth_result **ret_result,
                               hearth_error *err);
HEARTH_API int hearth_embed(hearth_client *client, const char *const *texts, size_t count,
                            const hearth_request_params *params, hearth_result **ret_result,
                            hearth_error *err);
HEARTH_API int hearth_rerank(hearth_client *client, const char *query, const char *const *texts,
                             size_t count, const hearth_request_params *params,
                             hearth_result **ret_result, hearth_error *err);
HEARTH_API int hearth_entities(hearth_client *client, const char *const *texts, size_t count,
                               const hearth_request_params *params, hearth_result **ret_result,
                               hearth_error *err);
HEARTH_API int hearth_generate(hearth_client *client, const char *prompt,
                               const hearth_request_params *params, hearth_result **ret_result,
                               hearth_error *err);
HEARTH_API int hearth_chat(hearth_client *client, const hearth_chat_message *messages, size_t count,
                           const hearth_request_params *params, hearth_result **ret_result,
                           hearth_error *err);
HEARTH_API int hearth_infer(hearth_client *client, enum hearth_task task,
                            const hearth_input *inputs, size_t count,
                            const hearth_request_params *params, hearth_result **ret_result,
                            hearth_error *err);

/**
 * hearth_infer_turns() answers a chat in which tools may have been called: @task is
 * HEARTH_TASK_CHAT, or HEARTH_TASK_CHOICE with params->choices. hearth_choose() tells which of
 * @choices the model finds likeliest to follow @prompt: labels of item 0, best first, with
 * probabilities that add up to 1. It generates nothing, and sampling parameters do not count.
 * Both block, own and fail as those above.
 */
HEARTH_API int hearth_infer_turns(hearth_client *client, enum hearth_task task,
                                  const hearth_turn *turns, size_t count,
                                  const hearth_request_params *params, hearth_result **ret_result,
                                  hearth_error *err);
HEARTH_API int hearth_choose(hearth_client *client, const char *prompt, const char *const *choices,
                             size_t count, const hearth_request_params *params,
                             hearth_result **ret_result, hearth_error *err);

/**
 * Asks the daemon to end the request for which a call on @client waits; that call then returns
 * HEARTH_E_CANCELLED, or its result if that came first. Any thread; not a signal handler. Returns
 * at once; within a second if the daemon does not read. HEARTH_E_NO_REQUEST if none waits,
 * HEARTH_E_DISCONNECTED.
 */
HEARTH_API int hearth_cancel(hearth_client *client, hearth_error *err);

#ifdef __cplusplus
}
#endif

#endif
