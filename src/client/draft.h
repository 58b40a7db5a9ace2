/* draft.h — a request before it is submitted: what the caller said, as a message. It lives on the
 * stack of the call and lends everything from the caller, but for descriptors.                  */

#ifndef HEARTH_CLIENT_DRAFT_H
#define HEARTH_CLIENT_DRAFT_H

#include "client_priv.h"

struct client_draft {
    struct hearth_client *client;
    struct hearth_request_params params;
    struct hearth_message message;
    struct hearth_wire_stop stops[HEARTH_MAX_STOPS];
    struct hearth_wire_bias biases[HEARTH_MAX_BIASES];
    struct hearth_wire_choice choices[HEARTH_MAX_CHOICES];
    struct client_fds fds; /* beside the message */
    size_t answers;        /* items that the result will have */
    uint64_t deadline_ns;
    hearth_done_fn *on_done;
    void *done_arg;
    bool is_waited_for;
};

/** Takes what is the same for every task. Finish it whatever was returned. */
int client_draft_begin(struct client_draft *draft, struct hearth_client *client,
                       enum hearth_task task, const struct hearth_request_params *params,
                       struct hearth_error *err);
void client_draft_finish(struct client_draft *draft);

/* What a request is about. @records (and all that @inputs, @messages and @tensors lend) outlive the
 * draft. The last thing: each checks the whole. */

int client_draft_inputs(struct client_draft *draft, const struct hearth_input *inputs, size_t count,
                        struct hearth_wire_text records[HEARTH_MAX_BATCH],
                        struct hearth_error *err);
int client_draft_chat(struct client_draft *draft, const struct hearth_chat_message *messages,
                      size_t count,
                      struct hearth_wire_chat_message records[HEARTH_MAX_CHAT_MESSAGES],
                      struct hearth_error *err);

/** For a chat, or a choice in one. */
int client_draft_turns(struct client_draft *draft, const struct hearth_turn *turns, size_t count,
                       struct hearth_wire_chat_message records[HEARTH_MAX_CHAT_MESSAGES],
                       struct hearth_error *err);

struct client_tensor_records {
    struct hearth_wire_tensor tensors[HEARTH_MAX_TENSORS];
    struct hearth_wire_name outputs[HEARTH_MAX_TENSORS];
};
int client_draft_tensors(struct client_draft *draft, const struct hearth_tensor *tensors,
                         size_t count, struct client_tensor_records *records,
                         struct hearth_error *err);

/* ── From here on (request.c) ── */

/** For programs with a loop: what cannot be done now is said so. */
int client_draft_submit(struct client_draft *draft, uint64_t *ret_id, struct hearth_error *err);

/** Submits and waits for the answer. */
int client_draft_run(struct client_draft *draft, struct hearth_result **ret_result,
                     struct hearth_error *err);

#endif
