/* chat.c — a chat through the model's own template, in which no message can forge a turn.
 *
 * Rendering the messages and reading special tokens out of the whole would let a message that
 * spells
 * "<|im_end|>" end its turn. So the template is rendered around *places*, strings that no message
 * contains; special tokens are looked for in what the template itself wrote, and the messages go in
 * as plain text. Between two special tokens everything is tokenized as one *run*, the messages
 * included, because that is how the model saw it in training: cutting at the edges of a message
 * would give other tokens than the library's own way does. For messages without special tokens the
 * two agree, which a test shows. */

#include "gguf_engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A place is a number between two marks. The vertical tabs around it tell whether the template
 * trims its messages: those that it took away were white space of a message. */
#define MARK       '\x1e'
#define EDGE       '\v'
#define MARK_BYTES 5u /* mark, three digits, mark */

static int by_length_down(const void *left, const void *right)
{
    const struct gguf_special *a = left;
    const struct gguf_special *b = right;
    int longer = (a->size < b->size) - (a->size > b->size);
    return longer != 0 ? longer : (a->id > b->id) - (a->id < b->id);
}

static bool is_special(enum llama_token_attr attributes)
{
    return (attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0;
}

/* Those that the library would read only when asked to (user-defined tokens it always reads). */
static int collect_specials(struct hearth_engine *engine, struct hearth_error *err)
{
    size_t count = 0;
    for (llama_token id = 0; id < engine->vocab_size; id++) {
        count += is_special(llama_vocab_get_attr(engine->vocab, id));
    }
    engine->specials = hearth_alloc(count + 1, sizeof *engine->specials);
    if (engine->specials == NULL) {
        return hearth_fail_oom(err);
    }
    for (llama_token id = 0; id < engine->vocab_size; id++) {
        enum llama_token_attr attributes = llama_vocab_get_attr(engine->vocab, id);
        const char *text = llama_vocab_get_text(engine->vocab, id);
        if (is_special(attributes) && text != NULL && text[0] != '\0') {
            engine->specials[engine->special_count++] =
                (struct gguf_special){id, text, strlen(text), attributes};
        }
    }
    qsort(engine->specials, engine->special_count, sizeof *engine->specials, by_length_down);
    return 0;
}

int gguf_prepare_chat(struct hearth_engine *engine, struct hearth_error *err)
{
    for (unsigned i = 0; i < HEARTH_MAX_CHAT_MESSAGES; i++) {
        (void)snprintf(engine->places[i], GGUF_PLACE_BYTES, "%c%c%03u%c%c", EDGE, MARK, i, MARK,
                       EDGE);
    }
    engine->chat_template = llama_model_chat_template(engine->model, NULL);
    if (engine->chat_template != NULL) {
        struct llama_chat_message probe = {"user", "x"};
        engine->is_template_known =
            llama_chat_apply_template(engine->chat_template, &probe, 1, true, NULL, 0) >= 0;
    }
    return collect_specials(engine, err);
}

static int check_template(const struct hearth_engine *engine, struct hearth_error *err)
{
    if (engine->chat_template == NULL) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "the model file has no chat template; use a plain prompt");
    }
    if (!engine->is_template_known) {
        char start[41] = {0};
        for (size_t i = 0; i < sizeof start - 1 && engine->chat_template[i] != '\0'; i++) {
            char c = engine->chat_template[i];
            start[i] = c >= 0x20 && c < 0x7f ? c : ' ';
        }
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "the model's chat template, which begins with \"%s\", is not one that "
                           "llama.cpp knows; use a plain prompt",
                           start);
    }
    return 0;
}

/* A chat is: a system message if wanted, then user and assistant in turn, a user's last. */
static int read_messages(struct hearth_engine *engine,
                         const struct hearth_wire_inference_request *request, size_t *ret_count,
                         struct hearth_error *err)
{
    struct hearth_wire_list list = request->messages;
    struct hearth_wire_chat_message message;
    enum hearth_role expected = HEARTH_ROLE_USER;
    size_t count = 0;
    for (; count < HEARTH_MAX_CHAT_MESSAGES &&
           hearth_wire_next(&list, HEARTH_RECORD_chat_message, &message);
         count++) {
        bool is_system = message.role == HEARTH_ROLE_SYSTEM;
        if (is_system ? count > 0 : message.role != expected) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "messages[%zu] has the role %s; %s",
                               count, hearth_role_name((enum hearth_role)message.role),
                               is_system ? "only the first may be the system's"
                                         : "user and assistant alternate, the user begins");
        }
        if (!is_system) {
            expected = message.role == HEARTH_ROLE_USER ? HEARTH_ROLE_ASSISTANT : HEARTH_ROLE_USER;
        }
        engine->contents[count] = message.content;
        engine->turns_of_chat[count] = (struct llama_chat_message){
            hearth_role_name((enum hearth_role)message.role), engine->places[count]};
    }
    if (count == 0 || expected != HEARTH_ROLE_ASSISTANT) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "messages[%zu] must be the user's: it is the last of %zu",
                           count > 0 ? count - 1 : 0, count);
    }
    *ret_count = count;
    return 0;
}

static int render(struct hearth_engine *engine, size_t count, struct hearth_error *err)
{
    hearth_buf_clear(&engine->rendered);
    size_t room = engine->rendered.room;
    int32_t size = llama_chat_apply_template(engine->chat_template, engine->turns_of_chat, count,
                                             true, (char *)engine->rendered.data, (int32_t)room);
    if (size >= 0 && (size_t)size > room) {
        if (hearth_buf_reserve(&engine->rendered, (size_t)size) < 0) {
            return hearth_fail(err, HEARTH_E_TOO_LARGE,
                               "the template makes %" PRId32 " bytes around %zu messages", size,
                               count);
        }
        size = llama_chat_apply_template(engine->chat_template, engine->turns_of_chat, count, true,
                                         (char *)engine->rendered.data,
                                         (int32_t)engine->rendered.room);
    }
    if (size < 0) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "the model's chat template cannot be applied to these messages");
    }
    engine->rendered.size = (size_t)size;
    return 0;
}

/* One chat while it becomes tokens. */
struct writer {
    struct hearth_engine *engine;
    struct gguf_tokens *tokens;
    struct hearth_error *err;
    bool strips_next; /* the special token before the run takes the white space after it */
    int rc;
};

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static struct hearth_slice strip(struct hearth_slice text, bool at_start, bool at_end)
{
    while (at_start && text.size > 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (at_end && text.size > 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

static void add_text(struct writer *writer, struct hearth_slice text)
{
    if (writer->rc == 0 && text.size > 0 &&
        hearth_buf_append(&writer->engine->run, text.data, text.size) < 0) {
        writer->rc =
            hearth_fail(writer->err, HEARTH_E_TOO_LARGE,
                        "the chat has more than %u bytes with its template", GGUF_MAX_PROMPT_BYTES);
    }
}

static void end_run(struct writer *writer, bool strips_end)
{
    struct hearth_slice run =
        strip(hearth_buf_slice(&writer->engine->run), writer->strips_next, strips_end);
    if (writer->rc == 0 && run.size > 0) {
        writer->rc = gguf_tokenize(writer->engine, run, false, writer->tokens, writer->err);
    }
    hearth_buf_wipe(&writer->engine->run);
    writer->strips_next = false;
}

static void add_special(struct writer *writer, const struct gguf_special *special)
{
    const struct hearth_engine *engine = writer->engine;
    end_run(writer, (special->attributes & LLAMA_TOKEN_ATTR_LSTRIP) != 0);
    writer->strips_next = (special->attributes & LLAMA_TOKEN_ATTR_RSTRIP) != 0;
    bool is_second_bos = writer->tokens->count == 1 && llama_vocab_get_add_bos(engine->vocab) &&
                         special->id == llama_vocab_bos(engine->vocab);
    if (!is_second_bos) { /* a template that writes it itself */
        gguf_add_token(writer->tokens, special->id);
    }
}

/* Splits what the template wrote at the special tokens, longest first, as the library does. */
static void add_literal(struct writer *writer, struct hearth_slice text, size_t first_special)
{
    const struct hearth_engine *engine = writer->engine;
    for (size_t i = first_special; i < engine->special_count && text.size > 0; i++) {
        const struct gguf_special *special = &engine->specials[i];
        const uint8_t *found = memmem(text.data, text.size, special->text, special->size);
        while (found != NULL) {
            size_t before = (size_t)(found - text.data);
            add_literal(writer, hearth_slice_of(text.data, before), i + 1);
            add_special(writer, special);
            text.data += before + special->size;
            text.size -= before + special->size;
            found = memmem(text.data, text.size, special->text, special->size);
        }
    }
    add_text(writer, text);
}

/* The number in the place that starts at @at of what was rendered; false if none does. */
static bool read_place(struct hearth_slice text, size_t at, size_t *ret)
{
    const uint8_t *p = text.data + at;
    if (text.size - at < MARK_BYTES || p[0] != MARK || p[4] != MARK) {
        return false;
    }
    *ret = 0;
    for (size_t i = 1; i <= 3; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
        *ret = *ret * 10 + (size_t)(p[i] - '0');
    }
    return true;
}

static int write_chat(struct writer *writer, size_t count)
{
    struct hearth_slice text = hearth_buf_slice(&writer->engine->rendered);
    size_t start = 0; /* of the literal that is being gone through */
    for (size_t at = 0; at < text.size; at++) {
        size_t index = 0;
        if (!read_place(text, at, &index) || index >= count) {
            continue;
        }
        bool has_left = at > start && text.data[at - 1] == EDGE;
        bool has_right = at + MARK_BYTES < text.size && text.data[at + MARK_BYTES] == EDGE;
        add_literal(writer, hearth_slice_of(text.data + start, at - start - has_left), 0);
        add_text(writer, strip(writer->engine->contents[index], !has_left, !has_right));
        start = at + MARK_BYTES + has_right;
        at = start - 1;
    }
    add_literal(writer, hearth_slice_of(text.data + start, text.size - start), 0);
    end_run(writer, false);
    return writer->rc;
}

int gguf_tokenize_chat(struct hearth_engine *engine,
                       const struct hearth_wire_inference_request *request,
                       struct gguf_tokens *tokens, struct hearth_error *err)
{
    size_t count = 0;
    int rc = check_template(engine, err);
    rc = rc < 0 ? rc : read_messages(engine, request, &count, err);
    rc = rc < 0 ? rc : render(engine, count, err);
    if (rc < 0) {
        return rc;
    }
    if (llama_vocab_get_add_bos(engine->vocab)) {
        gguf_add_token(tokens, llama_vocab_bos(engine->vocab));
    }
    hearth_buf_clear(&engine->run);
    struct writer writer = {.engine = engine, .tokens = tokens, .err = err};
    rc = write_chat(&writer, count);
    memset(engine->contents, 0, count * sizeof *engine->contents);
    return rc;
}
