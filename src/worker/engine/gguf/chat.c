/* chat.c — a chat through the model's own template, in which no message can forge a turn.
 *
 * Rendering the messages and reading special tokens out of the whole would let a message that
 * spells
 * "<|im_end|>" end its turn. So the renderer tells which bytes a client wrote, whatever the
 * template did to them; special tokens are looked for in the others alone. Between two special
 * tokens everything is tokenized as one *run*, the messages included, because that is how the model
 * saw it in training: cutting at the edges of a message would give other tokens than the library's
 * own way does. For messages without special tokens the two agree, which a test shows. */

#include "gguf_engine.h"

#include "hearth_os.h"
#include "hearth_template.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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

/* ── The template ────────────────────────────────────────────────────────────────────────────── */

/* For models of the ChatML family whose template knows no tools. It stands in front of the
 * template, leaves nothing behind, and changes the messages: the system's describes the tools,
 * calls and answers are written out, in the form that such models are trained with. */
static const char TOOLS_FOR_CHATML[] =
    "{%- set tools_text -%}"
    "# Tools\n\n"
    "These functions may be called to answer the user. Each line between <tools> and </tools> "
    "describes one:\n"
    "<tools>{% for tool in tools or [] %}{{ '\\n' }}{{ tool | tojson }}{% endfor +%}\n</tools>\n\n"
    "To call a function, answer with its name and its arguments as JSON between <tool_call> and "
    "</tool_call>:\n"
    "<tool_call>\n{\"name\": <name>, \"arguments\": <object of arguments>}\n</tool_call>"
    "{%- endset -%}"
    "{%- set told = namespace(messages=[]) -%}"
    "{%- if tools and messages[0].role != 'system' -%}"
    "{%- set told.messages = [{'role': 'system', 'content': tools_text}] -%}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- set text = message.content -%}"
    "{%- if tools and message.role == 'system' -%}"
    "{%- set text = text + '\\n\\n' + tools_text -%}"
    "{%- elif message.role == 'tool' -%}"
    "{%- set text = '<tool_response>\\n' + text + '\\n</tool_response>' -%}"
    "{%- endif -%}"
    "{%- for call in message.tool_calls or [] -%}"
    "{%- set made = {'name': call.name, 'arguments': call.arguments} | tojson -%}"
    "{%- set told.calls = (told.calls if loop.index0 else '') + ('\\n' if text or loop.index0 "
    "else '') + '<tool_call>\\n' + made + '\\n</tool_call>' -%}"
    "{%- endfor -%}"
    "{%- set text = text + (told.calls if message.tool_calls else '') -%}"
    "{%- set told.messages = told.messages + [{'role': message.role, 'content': text}] -%}"
    "{%- endfor -%}"
    "{%- set messages = told.messages %}\n";

static struct hearth_template_limits limits_of_chats(void)
{
    struct hearth_template_limits limits = hearth_template_default_limits();
    limits.output_bytes = GGUF_MAX_PROMPT_BYTES;
    return limits;
}

/* The template with what it lacks in front; the model's own stays as it is. */
static int add_tools(struct hearth_engine *engine, struct hearth_slice source,
                     struct hearth_error *err)
{
    struct hearth_template_limits limits = limits_of_chats();
    limits.source_bytes += sizeof TOOLS_FOR_CHATML;
    HEARTH_AUTO(hearth_buf) struct hearth_buf whole;
    hearth_buf_init(&whole, limits.source_bytes);
    if (hearth_buf_append(&whole, TOOLS_FOR_CHATML, sizeof TOOLS_FOR_CHATML - 1) < 0 ||
        hearth_buf_append(&whole, source.data, source.size) < 0) {
        return hearth_fail_oom(err);
    }
    int rc =
        hearth_template_create(hearth_buf_slice(&whole), &limits, &engine->tools_template, err);
    return rc == HEARTH_E_NO_MEMORY ? rc : 0;
}

/* A model whose template is refused loads all the same; chats are told why. */
static int read_template(struct hearth_engine *engine, struct hearth_error *err)
{
    struct hearth_template_limits limits = limits_of_chats();
    const char *text = llama_model_chat_template(engine->model, NULL);
    if (text == NULL) {
        engine->template_code =
            hearth_fail(&engine->template_error, HEARTH_E_UNSUPPORTED,
                        "the model file has no chat template; use a plain prompt");
        return 0;
    }
    struct hearth_slice source = hearth_slice_of_string(text);
    int rc =
        hearth_template_create(source, &limits, &engine->chat_template, &engine->template_error);
    if (rc == HEARTH_E_NO_MEMORY) {
        return hearth_fail_oom(err);
    }
    if (rc < 0) {
        engine->template_code =
            hearth_because(&engine->template_error, HEARTH_E_UNSUPPORTED,
                           "the model's chat template cannot be used, use a plain prompt");
        return 0;
    }
    engine->template_takes_tools = hearth_template_mentions(engine->chat_template, "tools");
    bool is_chatml = hearth_template_spells(engine->chat_template, "<|im_start|>");
    return engine->template_takes_tools || !is_chatml ? 0 : add_tools(engine, source, err);
}

int gguf_prepare_chat(struct hearth_engine *engine, struct hearth_error *err)
{
    struct hearth_template_limits limits = limits_of_chats();
    int rc = hearth_template_context_create(&limits, &engine->template_context, err);
    rc = rc < 0 ? rc : read_template(engine, err);
    return rc < 0 ? rc : collect_specials(engine, err);
}

void gguf_finish_chat(struct hearth_engine *engine)
{
    hearth_template_destroy(engine->chat_template);
    hearth_template_destroy(engine->tools_template);
    hearth_template_context_destroy(engine->template_context);
    hearth_free(engine->specials);
}

/* Which template a chat goes through. */
static int choose_template(const struct hearth_engine *engine, bool uses_tools,
                           const struct hearth_template **ret, struct hearth_error *err)
{
    if (engine->chat_template == NULL) {
        return hearth_fail(err, engine->template_code, "%s", engine->template_error.text);
    }
    *ret = engine->chat_template;
    if (uses_tools && !engine->template_takes_tools) {
        *ret = engine->tools_template;
    }
    return *ret != NULL ? 0
                        : hearth_fail(err, HEARTH_E_UNSUPPORTED,
                                      "tools: the model's chat template does not know them");
}

static void set_token(struct hearth_engine *engine, const char *name, llama_token id)
{
    struct hearth_template_context *context = engine->template_context;
    const char *text = id >= 0 ? llama_vocab_get_text(engine->vocab, id) : NULL;
    hearth_template_set_variable(
        context, name,
        hearth_template_string(context, hearth_slice_of_string(text), HEARTH_TEMPLATE_OWN));
}

#define DAY_S 86400

/* Renders into the context. The only date that a template sees is the day, so that chats of one day
 * have a prefix in common. */
static int render(struct hearth_engine *engine, const struct hearth_wire_inference_request *request,
                  struct hearth_error *err)
{
    struct hearth_template_context *context = engine->template_context;
    const struct hearth_template *template = NULL;
    bool uses_tools = false;
    int64_t now_s = (int64_t)(hearth_clock_wall_ns() / HEARTH_NS_PER_SEC);
    hearth_template_begin(context);
    hearth_template_set_now(context, now_s - now_s % DAY_S);
    int rc = gguf_give_chat(context, request, &uses_tools, err);
    rc = rc < 0 ? rc : choose_template(engine, uses_tools, &template, err);
    if (rc < 0) {
        return rc;
    }
    set_token(engine, "bos_token", llama_vocab_bos(engine->vocab));
    set_token(engine, "eos_token", llama_vocab_eos(engine->vocab));
    rc = hearth_template_render(template, context, err);
    return rc < 0 ? hearth_because(err, rc, "the model's chat template") : 0;
}

/* ── Tokens ──────────────────────────────────────────────────────────────────────────────────── */

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

static int write_chat(struct writer *writer)
{
    struct hearth_slice part;
    enum hearth_template_origin origin;
    for (size_t at = 0;
         hearth_template_next(writer->engine->template_context, &at, &part, &origin);) {
        if (origin == HEARTH_TEMPLATE_OWN) {
            add_literal(writer, part, 0);
        } else {
            add_text(writer, part);
        }
    }
    end_run(writer, false);
    return writer->rc;
}

int gguf_tokenize_chat(struct hearth_engine *engine,
                       const struct hearth_wire_inference_request *request,
                       struct gguf_tokens *tokens, struct hearth_error *err)
{
    int rc = render(engine, request, err);
    if (rc == 0) {
        if (llama_vocab_get_add_bos(engine->vocab)) {
            gguf_add_token(tokens, llama_vocab_bos(engine->vocab));
        }
        hearth_buf_clear(&engine->run);
        struct writer writer = {.engine = engine, .tokens = tokens, .err = err};
        rc = write_chat(&writer);
    }
    hearth_template_begin(engine->template_context); /* nothing of a client stays */
    return rc;
}
