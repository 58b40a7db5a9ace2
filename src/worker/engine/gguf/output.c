/* output.c — from tokens to text that may be shown.
 *
 * A token is bytes, not characters: what could still become a character, or a stop string, is held
 * back. What can never become a character leaves as U+FFFD, one for each longest part that could
 * have begun one, as the Unicode standard recommends and most decoders do.                       */

#include "gguf_engine.h"

#define REPLACEMENT       "\xef\xbf\xbd"
#define REPLACEMENT_BYTES 3u
#define PENDING_ROOM      (2u * HEARTH_GGUF_MAX_TOKEN_BYTES + HEARTH_MAX_STOP_BYTES)

int gguf_output_create(struct gguf_output *output, struct hearth_error *err)
{
    hearth_buf_init(&output->pending, PENDING_ROOM);
    hearth_buf_init(&output->clean, REPLACEMENT_BYTES * PENDING_ROOM);
    if (hearth_buf_reserve(&output->pending, PENDING_ROOM) < 0 ||
        hearth_buf_reserve(&output->clean, REPLACEMENT_BYTES * PENDING_ROOM) < 0) {
        return hearth_fail_oom(err);
    }
    return 0;
}

void gguf_output_destroy(struct gguf_output *output)
{
    hearth_buf_finish(&output->pending);
    hearth_buf_finish(&output->clean);
}

void gguf_output_begin(struct gguf_output *output,
                       const struct hearth_wire_inference_request *request)
{
    struct hearth_wire_list stops = request->stops;
    struct hearth_wire_stop stop;
    output->stop_count = 0;
    while (output->stop_count < HEARTH_MAX_STOPS &&
           hearth_wire_next(&stops, HEARTH_RECORD_stop, &stop)) {
        if (stop.text.size > 0) {
            output->stops[output->stop_count++] = stop.text;
        }
    }
}

void gguf_output_clear(struct gguf_output *output)
{
    hearth_buf_wipe(&output->pending);
    hearth_buf_wipe(&output->clean);
    output->stop_count = 0;
    output->tokens = 0;
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

/* Sends the first @size bytes of what is pending. */
static int send(struct gguf_output *output, size_t size, struct hearth_item *item)
{
    struct hearth_slice text = hearth_slice_of(output->pending.data, size);
    hearth_buf_clear(&output->clean);
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < size;) {
        uint32_t code_point = 0;
        struct hearth_slice rest = hearth_slice_of(text.data + at, size - at);
        size_t valid = hearth_utf8_valid_bytes(rest);
        if (valid > 0) {
            rc = hearth_buf_append(&output->clean, rest.data, valid);
            at += valid;
        } else if (hearth_utf8_read(rest, 0, &code_point) == 0) {
            rc = hearth_buf_append(&output->clean, REPLACEMENT, REPLACEMENT_BYTES);
            at += bad_bytes(rest);
        }
    }
    if (rc < 0) {
        return rc;
    }
    hearth_item_piece(item, hearth_buf_slice(&output->clean), output->tokens);
    output->tokens = 0;
    hearth_buf_consume(&output->pending, size);
    return 0;
}

/* Where the first stop string starts, or SIZE_MAX. */
static size_t find_stop(const struct gguf_output *output)
{
    size_t first = SIZE_MAX;
    for (size_t i = 0; i < output->stop_count; i++) {
        const uint8_t *found = memmem(output->pending.data, output->pending.size,
                                      output->stops[i].data, output->stops[i].size);
        if (found != NULL) {
            first = HEARTH_MIN(first, (size_t)(found - output->pending.data));
        }
    }
    return first;
}

/* How many bytes at the end could be the beginning of a stop string. */
static size_t held_bytes(const struct gguf_output *output)
{
    size_t held = 0;
    for (size_t i = 0; i < output->stop_count; i++) {
        struct hearth_slice stop = output->stops[i];
        for (size_t size = HEARTH_MIN(stop.size - 1, output->pending.size); size > held; size--) {
            if (memcmp(output->pending.data + output->pending.size - size, stop.data, size) == 0) {
                held = size;
            }
        }
    }
    return held;
}

int gguf_output_add(struct gguf_output *output, const struct llama_vocab *vocab, llama_token token,
                    struct hearth_item *item)
{
    output->tokens++;
    size_t room = output->pending.room - output->pending.size;
    int32_t size = llama_token_to_piece(
        vocab, token, (char *)output->pending.data + output->pending.size, (int32_t)room, 0, false);
    if (size < 0) {
        return HEARTH_E_TOO_LARGE;
    }
    output->pending.size += (size_t)size;
    size_t stop = find_stop(output);
    if (stop != SIZE_MAX) {
        output->pending.size = stop;
        return 1;
    }
    struct hearth_slice ready =
        hearth_slice_of(output->pending.data, output->pending.size - held_bytes(output));
    size_t complete = hearth_utf8_complete_bytes(ready);
    return complete > 0 ? send(output, complete, item) : 0;
}

int gguf_output_end(struct gguf_output *output, struct hearth_item *item)
{
    bool is_anything_left = output->pending.size > 0 || output->tokens > 0;
    return is_anything_left ? send(output, output->pending.size, item) : 0;
}
