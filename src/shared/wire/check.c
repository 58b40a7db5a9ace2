/* check.c — what a request must hold beyond its shape, and how a refusal says where. */

#include "wire_priv.h"

#include <stdarg.h>
#include <stdio.h>

/* ── Where ───────────────────────────────────────────────────────────────────────────────────── */

static size_t append_place(char *room, size_t room_bytes, const struct hearth_wire_place *place)
{
    const char *name = place->member != NULL ? place->member : place->field->name;
    const char *dot = name[0] != '\0' ? "." : "";
    size_t used = 0;
    int more;
    if (place->outer != NULL) {
        used = append_place(room, room_bytes, place->outer);
        more = snprintf(room + used, room_bytes - used, "[%u]%s%s", place->index, dot, name);
    } else {
        more = snprintf(room, room_bytes, "%s%s%s", place->layout->name, dot, name);
    }
    used += more > 0 ? (size_t)more : 0;
    return HEARTH_MIN(used, room_bytes - 1);
}

int hearth_wire_refuse(struct hearth_error *err, int code, const struct hearth_wire_place *place,
                       const char *format, ...)
{
    if (err == NULL) {
        return code;
    }
    char where[128];
    char what[128];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (place == NULL) {
        return hearth_fail(err, code, "%s", what);
    }
    append_place(where, sizeof where, place);
    return hearth_fail(err, code, "%s: %s", where, what);
}

/* ── Inputs ──────────────────────────────────────────────────────────────────────────────────── */

/* What is put around a pair, or where a token stands in the text, ids alone do not say. */
static bool needs_text(enum hearth_task task)
{
    return task == HEARTH_TASK_RERANK || task == HEARTH_TASK_ENTITIES;
}

/* Each input is a text or token ids. */
static int check_inputs(struct hearth_wire_list cursor, enum hearth_task task,
                        struct hearth_error *err)
{
    struct hearth_wire_text input;
    size_t tokens = 0;
    for (unsigned i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_text, &input); i++) {
        if (input.text.size == 0 && input.tokens.count == 0) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "texts[%u]: is empty", i);
        }
        if (input.text.size > 0 && input.tokens.count > 0) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "texts[%u]: has both text and tokens, one of them is wanted", i);
        }
        if (input.pair.size > 0 && (input.tokens.count > 0 || task != HEARTH_TASK_CLASSIFY)) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "texts[%u].pair: given, but only a text to classify has one", i);
        }
        if (input.tokens.count > 0 && needs_text(task)) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                               "texts[%u].tokens: given, but %s needs the text", i,
                               hearth_task_name(task));
        }
        tokens += input.tokens.count;
    }
    if (tokens > HEARTH_MAX_INPUT_TOKENS) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE,
                           "texts: %zu token ids in all inputs, the limit is %u", tokens,
                           HEARTH_MAX_INPUT_TOKENS);
    }
    return 0;
}

static int check_texts(const struct hearth_wire_inference_request *request,
                       struct hearth_error *err)
{
    if (request->messages.count > 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "messages: %u given, but only chat takes them", request->messages.count);
    }
    if (request->texts.count == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "texts: none given, 1 to %u wanted",
                           HEARTH_MAX_BATCH);
    }
    if (request->task == HEARTH_TASK_RERANK && request->query.size == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "query: is empty, rerank needs one");
    }
    bool is_sole = request->task == HEARTH_TASK_GENERATE || request->task == HEARTH_TASK_CHOICE;
    if (is_sole && request->texts.count != 1) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "texts: %u given, %s takes exactly one",
                           request->texts.count, hearth_task_name((enum hearth_task)request->task));
    }
    return check_inputs(request->texts, (enum hearth_task)request->task, err);
}

static int check_tensors(const struct hearth_wire_inference_request *request,
                         struct hearth_error *err)
{
    if (request->texts.count > 0 || request->messages.count > 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "texts: given, but this task takes tensors");
    }
    if (request->tensors.count == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "tensors: none given, 1 to %u wanted",
                           HEARTH_MAX_TENSORS);
    }
    int rc = hearth_wire_check_tensors(request->tensors, err);
    return rc < 0 ? rc : hearth_wire_check_outputs(request->outputs, err);
}

/* What only one task takes must not be lost in another without a word. */
static int check_strays(const struct hearth_wire_inference_request *request,
                        struct hearth_error *err)
{
    const struct {
        const char *name;
        bool is_given;
        enum hearth_task owner;
    } fields[] = {
        {"query", request->query.size > 0, HEARTH_TASK_RERANK},
        {"normalize", request->normalize != 0, HEARTH_TASK_EMBED},
        {"dimensions", request->dimensions != 0, HEARTH_TASK_EMBED},
        {"vector_type", request->vector_type != HEARTH_VECTOR_FLOAT32, HEARTH_TASK_EMBED},
        {"tensors", request->tensors.count > 0, HEARTH_TASK_TENSORS},
        {"outputs", request->outputs.count > 0, HEARTH_TASK_TENSORS},
        {"choices", request->choices.count > 0, HEARTH_TASK_CHOICE},
        {"tools", request->tools.size > 0, HEARTH_TASK_CHAT},
    };
    for (size_t i = 0; i < HEARTH_COUNT(fields); i++) {
        if (fields[i].is_given && request->task != fields[i].owner) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "%s: given, but only %s takes it",
                               fields[i].name, hearth_task_name(fields[i].owner));
        }
    }
    return 0;
}

/* The same of what both tasks that write a text take, and no other. */
static int check_text_strays(const struct hearth_wire_inference_request *request,
                             struct hearth_error *err)
{
    bool has_grammar = request->grammar_type != HEARTH_GRAMMAR_NONE || request->grammar.size > 0;
    bool is_taken = request->task == HEARTH_TASK_GENERATE || request->task == HEARTH_TASK_CHAT;
    if (is_taken || (request->answers <= 1 && !has_grammar)) {
        return 0;
    }
    return hearth_fail(err, HEARTH_E_INPUT_INVALID, "%s: given, but only generate and chat take it",
                       has_grammar ? "grammar" : "answers");
}

static int check_message(const struct hearth_wire_chat_message *message, unsigned i,
                         struct hearth_error *err)
{
    if (message->tool_calls.size > 0 && message->role != HEARTH_ROLE_ASSISTANT) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "messages[%u].tool_calls: given, but only the assistant calls", i);
    }
    if ((message->name.size > 0 || message->tool_call_id.size > 0) &&
        message->role != HEARTH_ROLE_TOOL) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "messages[%u].%s: given, but only a tool has one", i,
                           message->name.size > 0 ? "name" : "tool_call_id");
    }
    if (message->content.size == 0 && message->tool_calls.size == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "messages[%u].content: is empty", i);
    }
    return 0;
}

static int check_chat(const struct hearth_wire_inference_request *request, struct hearth_error *err)
{
    if (request->texts.count > 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "texts: %u given, but chat takes messages",
                           request->texts.count);
    }
    if (request->messages.count == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "messages: none given, 1 to %u wanted",
                           HEARTH_MAX_CHAT_MESSAGES);
    }
    struct hearth_wire_list cursor = request->messages;
    struct hearth_wire_chat_message message;
    size_t bytes = 0;
    for (unsigned i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_chat_message, &message); i++) {
        int rc = check_message(&message, i, err);
        if (rc < 0) {
            return rc;
        }
        bytes += message.content.size + message.tool_calls.size;
    }
    if (bytes > HEARTH_MAX_TEXT_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE,
                           "messages: %zu bytes in all contents, the limit is %u", bytes,
                           HEARTH_MAX_TEXT_BYTES);
    }
    return 0;
}

/* ── The whole ───────────────────────────────────────────────────────────────────────────────── */

static int check_envelope(const struct hearth_wire_inference_request *request,
                          struct hearth_error *err)
{
    if (request->request_id == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "request_id: is 0");
    }
    if (request->model_id.size == 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "model_id: is empty");
    }
    if ((request->flags & ~HEARTH_FLAGS_KNOWN) != 0) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID, "flags: 0x%x has bits that are not known",
                           (unsigned)request->flags);
    }
    return 0;
}

int hearth_wire_check_request(const struct hearth_wire_inference_request *request,
                              struct hearth_error *err)
{
    int rc = check_envelope(request, err);
    if (rc < 0) {
        return rc;
    }
    rc = check_strays(request, err);
    rc = rc < 0 ? rc : check_text_strays(request, err);
    if (rc < 0) {
        return rc;
    }
    bool is_chat = request->task == HEARTH_TASK_CHAT ||
                   (request->task == HEARTH_TASK_CHOICE && request->messages.count > 0);
    if (request->task == HEARTH_TASK_TENSORS) {
        return check_tensors(request, err);
    }
    rc = is_chat ? check_chat(request, err) : check_texts(request, err);
    if (rc < 0 || !hearth_wire_is_generation(request)) {
        return rc; /* the other tasks do not sample */
    }
    return hearth_wire_check_generation(request, err);
}

void hearth_wire_default_request(struct hearth_wire_inference_request *request)
{
    request->priority = HEARTH_NORMAL;
    request->max_tokens = 256;
    request->temperature = 0.7f;
    request->top_k = 40;
    request->top_p = 0.9f;
    request->min_p = 0;
    request->repetition_penalty = 1.1f;
    request->repetition_window = 64;
    request->seed = 42;
}
