/* shorten.c — a prompt that is too long loses its oldest part, if its client allows that.
 *
 * What is left, and the answer that was asked for, fit into the context (but no answer takes more
 * than half of it). Of a chat whole turns go, the oldest first: a user's message and all up to the
 * next; the system's message and the last turn stay. Of a plain prompt, text or ids, the middle
 * goes: a quarter of what is left is its beginning, the rest its end. */

#include "gguf_engine.h"

#include <inttypes.h>
#include <string.h>

#define HEAD_PART 4u /* of a plain prompt, one of so many parts is its beginning */

static size_t room_for_prompt(const struct hearth_engine *engine,
                              const struct hearth_wire_inference_request *request)
{
    uint64_t context = engine->options.context_tokens;
    uint64_t answer = request->max_tokens > 0 ? request->max_tokens : GGUF_DEFAULT_TOKENS;
    return (size_t)(context - HEARTH_MAX(1u, HEARTH_MIN(answer, context / 2)));
}

/* ---- chats ---------------------------------------------------------------------------------- */

/* The messages of one chat, and where its turns begin. */
struct turns {
    struct hearth_wire_chat_message messages[HEARTH_MAX_CHAT_MESSAGES];
    struct hearth_wire_chat_message kept[HEARTH_MAX_CHAT_MESSAGES];
    uint32_t count;
    uint32_t begins[HEARTH_MAX_CHAT_MESSAGES]; /* index of the user's message */
    uint32_t turn_count;
};

static void read_turns(struct hearth_wire_list messages, struct turns *turns)
{
    while (
        turns->count < HEARTH_MAX_CHAT_MESSAGES &&
        hearth_wire_next(&messages, HEARTH_RECORD_chat_message, &turns->messages[turns->count])) {
        if (turns->messages[turns->count].role == HEARTH_ROLE_USER) {
            turns->begins[turns->turn_count++] = turns->count;
        }
        turns->count++;
    }
}

/* Tokens of the chat without its first @left_out turns. */
static int tokenize_without(struct hearth_engine *engine,
                            const struct hearth_wire_inference_request *request,
                            struct turns *turns, uint32_t left_out, struct gguf_tokens *tokens,
                            struct hearth_error *err)
{
    struct hearth_wire_inference_request shorter = *request;
    uint32_t before = turns->begins[0];
    uint32_t from = turns->begins[left_out];
    memcpy(turns->kept, turns->messages, before * sizeof turns->kept[0]);
    memcpy(turns->kept + before, turns->messages + from,
           (turns->count - from) * sizeof turns->kept[0]);
    shorter.messages =
        (struct hearth_wire_list){.count = before + turns->count - from, .items = turns->kept};
    tokens->count = 0;
    return gguf_tokenize_chat(engine, &shorter, tokens, err);
}

/* The fewest turns that must go, by bisection: each step renders the chat once. */
static int shorten_chat(struct hearth_engine *engine,
                        const struct hearth_wire_inference_request *request, size_t room,
                        struct gguf_tokens *tokens, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_block) struct turns *turns = hearth_alloc(1, sizeof *turns);
    if (turns == NULL) {
        return hearth_fail_oom(err);
    }
    read_turns(request->messages, turns);
    uint32_t few = 0;                    /* so many are not enough … */
    uint32_t enough = turns->turn_count; /* … and so many would be, or all that may go */
    if (turns->turn_count < 2) {
        return 0;
    }
    while (few + 1 < enough) {
        uint32_t middle = few + (enough - few) / 2;
        int rc = tokenize_without(engine, request, turns, middle, tokens, err);
        if (rc < 0) {
            return rc;
        }
        *(tokens->count > room ? &few : &enough) = middle;
    }
    uint32_t left_out = HEARTH_MIN(enough, turns->turn_count - 1);
    return tokenize_without(engine, request, turns, left_out, tokens, err);
}

/* ---- plain prompts -------------------------------------------------------------------------- */

static void cut_middle(const llama_token *all, size_t count, size_t room,
                       struct gguf_tokens *tokens)
{
    size_t head = room / HEAD_PART;
    size_t tail = room - head;
    memcpy(tokens->data, all, head * sizeof *all);
    memcpy(tokens->data + head, all + count - tail, tail * sizeof *all);
    tokens->count = room;
}

static int shorten_plain(struct hearth_engine *engine, const struct hearth_item *item, size_t room,
                         struct gguf_tokens *tokens, struct hearth_error *err)
{
    struct gguf_tokens all = {.room = tokens->count};
    HEARTH_AUTO(hearth_block) llama_token *data = hearth_alloc(all.room, sizeof *data);
    if (data == NULL) {
        return hearth_fail_oom(err);
    }
    all.data = data;
    if (item->tokens.count > 0) {
        hearth_wire_copy_u32s(item->tokens, (uint32_t *)all.data, (uint32_t)all.room);
        all.count = all.room;
    } else {
        int rc = gguf_tokenize(engine, item->text, true, &all, err);
        if (rc < 0) {
            return rc;
        }
    }
    HEARTH_ASSERT(all.count == all.room);
    cut_middle(all.data, all.count, room, tokens);
    hearth_wipe(data, all.room * sizeof *data);
    return 0;
}

int gguf_shorten(struct hearth_engine *engine, struct gguf_sequence *sequence,
                 struct gguf_tokens *tokens, struct hearth_error *err)
{
    const struct hearth_wire_inference_request *request = hearth_job_request(sequence->item->job);
    size_t before = tokens->count;
    size_t room = room_for_prompt(engine, request);
    int rc = request->messages.count > 0 ? shorten_chat(engine, request, room, tokens, err)
                                         : shorten_plain(engine, sequence->item, room, tokens, err);
    sequence->left_out_tokens = (uint32_t)(before - HEARTH_MIN(before, tokens->count));
    return rc;
}
