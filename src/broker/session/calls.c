/* calls.c — what one request holds from its admission to its end, and the limits of that.
 *
 * It holds its own bytes, the memfds of its tensors, and in a generator the cells that its tokens
 * may take. Tokens are not counted here: a token stands for a byte at least, and no sequence has
 * more than the context, so what is counted is never too little.                               */

#include "session_priv.h"

#define DEFAULT_MAX_TOKENS 256u

static uint64_t prompt_tokens(const struct hearth_wire_inference_request *asked)
{
    struct hearth_wire_list texts = asked->texts;
    struct hearth_wire_list messages = asked->messages;
    struct hearth_wire_text text;
    struct hearth_wire_chat_message message;
    uint64_t most = 0;
    uint64_t chat = asked->tools.size;
    while (hearth_wire_next(&texts, HEARTH_RECORD_text, &text)) {
        most = HEARTH_MAX(most, text.tokens.count + text.text.size);
    }
    while (hearth_wire_next(&messages, HEARTH_RECORD_chat_message, &message)) {
        chat += message.content.size + message.tool_calls.size;
    }
    return HEARTH_MAX(most, chat);
}

static uint64_t cell_bytes(const struct request *request,
                           const struct hearth_wire_inference_request *asked)
{
    struct hearth_worker_info info;
    if (!hearth_wire_is_generation(asked)) {
        return 0;
    }
    hearth_pool_info(request->server->pool, request->slot, &info);
    uint64_t answer = asked->max_tokens != 0 ? asked->max_tokens : DEFAULT_MAX_TOKENS;
    uint64_t tokens = HEARTH_MIN(prompt_tokens(asked) + answer, info.context_tokens);
    return tokens * info.token_bytes * request->ticket.inputs;
}

int call_admit(struct request *request, const struct hearth_wire_inference_request *asked,
               struct hearth_error *err)
{
    uint64_t of_memfds[HEARTH_MAX_TENSORS];
    uint32_t count = hearth_wire_memfds(asked->tensors, of_memfds);
    uint64_t bytes = request->bytes.size + cell_bytes(request, asked);
    for (uint32_t i = 0; i < count; i++) {
        bytes += of_memfds[i];
    }
    int rc = hearth_calls_admit(&request->server->calls, bytes, err);
    request->is_call = rc == 0;
    request->call_bytes = rc == 0 ? bytes : 0;
    return rc;
}

void call_end(struct request *request)
{
    if (request->is_call) {
        hearth_calls_end(&request->server->calls, request->call_bytes);
        request->is_call = false;
    }
}
