/* output.c — from tokens to text that may be shown, and to calls of tools.
 *
 * A token is bytes, not characters: what could still become a character is held back. What can
 * never become one leaves as U+FFFD, one for each longest part that could have begun one, as the
 * Unicode standard recommends and most decoders do. Characters go through the calls of tools, and
 * what is text of these through the stop strings: so a stop string ends no call in its middle. */

#include "gguf_engine.h"

#include <inttypes.h>

#define REPLACEMENT       "\xef\xbf\xbd"
#define REPLACEMENT_BYTES 3u
#define PENDING_ROOM      (HEARTH_GGUF_MAX_TOKEN_BYTES + 8u)
#define CLEAN_ROOM        (REPLACEMENT_BYTES * PENDING_ROOM)
#define TEXT_ROOM         (CLEAN_ROOM + HEARTH_TOOL_HEAD_BYTES + HEARTH_MAX_STOP_BYTES)
#define CALL_ID_BYTES     16u

_Static_assert(HEARTH_MAX_STOPS <= HEARTH_STOPS_MOST, "all stop strings fit");
_Static_assert(HEARTH_MAX_STOP_BYTES <= HEARTH_STOPS_MOST_BYTES, "each stop string fits");
_Static_assert(HEARTH_TOOL_MOST_CALLS <= HEARTH_MAX_TOOL_CALLS, "all calls can be told");

int gguf_output_create(struct gguf_output *output, struct hearth_error *err)
{
    hearth_buf_init(&output->pending, PENDING_ROOM);
    hearth_buf_init(&output->clean, CLEAN_ROOM);
    hearth_buf_init(&output->text, TEXT_ROOM);
    if (hearth_buf_reserve(&output->pending, PENDING_ROOM) < 0 ||
        hearth_buf_reserve(&output->clean, CLEAN_ROOM) < 0 ||
        hearth_buf_reserve(&output->text, TEXT_ROOM) < 0) {
        return hearth_fail_oom(err);
    }
    return 0;
}

void gguf_output_destroy(struct gguf_output *output)
{
    hearth_buf_finish(&output->pending);
    hearth_buf_finish(&output->clean);
    hearth_buf_finish(&output->text);
}

void gguf_output_clear(struct gguf_output *output)
{
    hearth_buf_wipe(&output->pending);
    hearth_buf_wipe(&output->clean);
    hearth_buf_wipe(&output->text);
    hearth_wipe(&output->calls, sizeof output->calls);
    hearth_stops_begin(&output->stops);
    output->item = NULL;
    output->tokens = 0;
}

/* ---- to the sink ---------------------------------------------------------------------------- */

/* Sends the first @size bytes of the text. */
static void send(struct gguf_output *output, size_t size)
{
    hearth_item_piece(output->item, hearth_slice_of(output->text.data, size), output->tokens);
    output->tokens = 0;
    hearth_buf_consume(&output->text, size);
}

static int on_text(void *arg, struct hearth_slice text)
{
    struct gguf_output *output = arg;
    size_t used = 0;
    size_t stop = 0;
    output->is_stopped = hearth_stops_feed(&output->stops, text, &used, &stop);
    int rc = hearth_buf_append(&output->text, text.data, output->is_stopped ? used : text.size);
    if (rc < 0 || !output->is_stopped) {
        return rc;
    }
    output->text.size -= stop;
    return 1;
}

static int on_part(void *arg, const struct hearth_tool_part *part)
{
    struct gguf_output *output = arg;
    char id[CALL_ID_BYTES] = "";
    hearth_stops_break(&output->stops);
    if (output->text.size > 0) {
        send(output, output->text.size);
    }
    if (part->name.size > 0) {
        (void)snprintf(id, sizeof id, "call_%" PRIu32, part->index);
    }
    hearth_item_tool_call(output->item,
                          &(struct hearth_wire_tool_call){.index = part->index,
                                                          .id = hearth_slice_of_string(id),
                                                          .name = part->name,
                                                          .arguments = part->arguments});
    return 0;
}

/* ---- from tokens to characters -------------------------------------------------------------- */

int gguf_output_begin(struct gguf_output *output, struct hearth_item *item,
                      const struct hearth_slice *names, size_t name_count)
{
    const struct hearth_tool_sink sink = {.text = on_text, .part = on_part, .arg = output};
    struct hearth_wire_list stops = hearth_job_request(item->job)->stops;
    struct hearth_wire_stop stop;
    output->item = item;
    output->is_stopped = false;
    output->has_tools = name_count > 0;
    hearth_tool_calls_begin(&output->calls, &sink, names, name_count);
    hearth_stops_begin(&output->stops);
    int rc = 0;
    while (rc == 0 && hearth_wire_next(&stops, HEARTH_RECORD_stop, &stop)) {
        rc = hearth_stops_add(&output->stops, stop.text);
    }
    return rc;
}

/* Bytes at the start of @text that are no character: the longest that could have begun one. */
static size_t bad_bytes(struct hearth_slice text)
{
    size_t most = HEARTH_MIN(text.size, 3);
    for (size_t size = most; size > 1; size--) {
        if (hearth_utf8_complete_bytes(hearth_slice_of(text.data, size)) == 0) {
            return size;
        }
    }
    return 1;
}

/* Moves the first @size bytes of what is pending on, as characters. */
static int move_on(struct gguf_output *output, size_t size)
{
    struct hearth_slice text = hearth_slice_of(output->pending.data, size);
    hearth_buf_clear(&output->clean);
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < size;) {
        struct hearth_slice rest = hearth_slice_of(text.data + at, size - at);
        size_t valid = hearth_utf8_valid_bytes(rest);
        if (valid > 0) {
            rc = hearth_buf_append(&output->clean, rest.data, valid);
            at += valid;
        } else {
            rc = hearth_buf_append(&output->clean, REPLACEMENT, REPLACEMENT_BYTES);
            at += bad_bytes(rest);
        }
    }
    hearth_buf_consume(&output->pending, size);
    if (rc < 0) {
        return rc;
    }
    struct hearth_slice clean = hearth_buf_slice(&output->clean);
    return output->has_tools ? hearth_tool_calls_feed(&output->calls, clean)
                             : on_text(output, clean);
}

static bool is_tag(const struct llama_vocab *vocab, llama_token token)
{
    const char *text = llama_vocab_get_text(vocab, token);
    return strcmp(text, HEARTH_TOOL_OPEN_TAG) == 0 || strcmp(text, HEARTH_TOOL_CLOSE_TAG) == 0;
}

int32_t gguf_piece(const struct llama_vocab *vocab, llama_token token, bool has_tools, char *room,
                   size_t room_bytes)
{
    bool is_shown = has_tools && llama_vocab_is_control(vocab, token) && is_tag(vocab, token);
    return llama_token_to_piece(vocab, token, room, (int32_t)room_bytes, 0, is_shown);
}

int gguf_output_add(struct gguf_output *output, const struct llama_vocab *vocab, llama_token token)
{
    struct hearth_buf *pending = &output->pending;
    output->tokens++;
    int32_t size = gguf_piece(vocab, token, output->has_tools,
                              (char *)pending->data + pending->size, pending->room - pending->size);
    if (size < 0) {
        return HEARTH_E_TOO_LARGE;
    }
    pending->size += (size_t)size;
    uint32_t calls = output->calls.begun;
    size_t complete = hearth_utf8_complete_bytes(hearth_buf_slice(pending));
    int rc = complete > 0 ? move_on(output, complete) : 0;
    size_t held = hearth_stops_held(&output->stops);
    if (rc == 0 && (output->text.size > held || output->calls.begun > calls)) {
        send(output, output->text.size - held);
    }
    return rc;
}

int gguf_output_end(struct gguf_output *output)
{
    int rc = 0;
    if (!output->is_stopped) {
        rc = output->pending.size > 0 ? move_on(output, output->pending.size) : 0;
        rc = rc == 0 && output->has_tools ? hearth_tool_calls_end(&output->calls) : rc;
    }
    if (rc >= 0 && (output->text.size > 0 || output->tokens > 0)) {
        send(output, output->text.size);
    }
    return rc < 0 ? rc : 0;
}
