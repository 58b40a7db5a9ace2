/* Calls of tools in any bytes: the same in one piece as byte by byte, nothing twice, nothing lost.
 *
 * Input: the size of the parts of a third run, then the text. The tools are "a" and "bc". */

#include "hearth_answer.h"

#include <string.h>

#include <yyjson.h>

int hearth_fuzz_tool_calls(const uint8_t *data, size_t size);

#define INPUT_MOST 4096u

/* What was told, with marks of two bytes that no input holds: names and arguments in order. */
struct told {
    uint8_t bytes[2 * INPUT_MOST + 4 * HEARTH_TOOL_MOST_CALLS];
    size_t size;
    size_t content; /* of it: bytes of the input */
    uint32_t calls;
    bool is_in_call;
    struct hearth_slice input; /* in which it must be found in order */
    size_t found_at;
};

static void mark(struct told *told, uint8_t what)
{
    told->bytes[told->size++] = 0xff;
    told->bytes[told->size++] = what;
}

/* Every byte that is told comes from the input, in order, once. */
static void add(struct told *told, struct hearth_slice bytes)
{
    HEARTH_ASSERT(told->size + bytes.size + 4 <= sizeof told->bytes);
    const uint8_t *found = memmem(told->input.data + told->found_at,
                                  told->input.size - told->found_at, bytes.data, bytes.size);
    HEARTH_ASSERT(found != NULL);
    told->found_at = (size_t)(found - told->input.data) + bytes.size;
    memcpy(told->bytes + told->size, bytes.data, bytes.size);
    told->size += bytes.size;
    told->content += bytes.size;
}

static int on_text(void *arg, struct hearth_slice text)
{
    struct told *told = arg;
    HEARTH_ASSERT(text.size > 0);
    if (told->is_in_call) {
        mark(told, 'e');
    }
    told->is_in_call = false;
    add(told, text);
    return 0;
}

static int on_part(void *arg, const struct hearth_tool_part *part)
{
    struct told *told = arg;
    if (part->name.size > 0) {
        HEARTH_ASSERT(part->index == told->calls && part->arguments.size == 0);
        HEARTH_ASSERT(told->calls < HEARTH_TOOL_MOST_CALLS);
        told->calls++;
        mark(told, told->is_in_call ? 'n' : 'b');
        told->is_in_call = true;
        add(told, part->name);
        mark(told, 'a');
        return 0;
    }
    HEARTH_ASSERT(told->is_in_call && part->index + 1 == told->calls && part->arguments.size > 0);
    add(told, part->arguments);
    return 0;
}

static uint32_t run(struct hearth_slice text, size_t part, struct told *told)
{
    const struct hearth_slice names[] = {hearth_slice_of("a", 1), hearth_slice_of("bc", 2)};
    const struct hearth_tool_sink sink = {.text = on_text, .part = on_part, .arg = told};
    struct hearth_tool_calls calls;
    memset(told, 0, offsetof(struct told, input));
    told->input = text;
    told->found_at = 0;
    hearth_tool_calls_begin(&calls, &sink, names, 2);
    for (size_t at = 0; at < text.size; at += part) {
        size_t size = HEARTH_MIN(part, text.size - at);
        HEARTH_ASSERT(hearth_tool_calls_feed(&calls, hearth_slice_of(text.data + at, size)) == 0);
        HEARTH_ASSERT(told->content + calls.held_bytes <= at + size);
    }
    HEARTH_ASSERT(hearth_tool_calls_end(&calls) == 0);
    HEARTH_ASSERT(calls.complete <= calls.begun && calls.begun == told->calls);
    return calls.complete;
}

/* Arguments that are told to be complete are an object to another parser too. */
static void check_arguments(const struct told *told, uint32_t complete)
{
    const uint8_t *at = told->bytes;
    const uint8_t *end = told->bytes + told->size;
    if (complete < told->calls || complete == 0) {
        return; /* which of them broke is not told */
    }
    while ((at = memmem(at, (size_t)(end - at), "\xff\x61", 2)) != NULL) {
        at += 2;
        const uint8_t *stop = memchr(at, 0xff, (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        /* A number that no double holds is JSON all the same. */
        yyjson_read_flag flags = YYJSON_READ_ALLOW_INVALID_UNICODE | YYJSON_READ_BIGNUM_AS_RAW;
        yyjson_doc *doc = yyjson_read((const char *)at, (size_t)(stop - at), flags);
        HEARTH_ASSERT(yyjson_is_obj(yyjson_doc_get_root(doc)));
        yyjson_doc_free(doc);
    }
}

int hearth_fuzz_tool_calls(const uint8_t *data, size_t size)
{
    static struct told whole;
    static struct told parts;
    if (size < 1 || size > INPUT_MOST || memchr(data, 0xff, size) != NULL) {
        return 0; /* 0xff is in no text: it marks what is told */
    }
    struct hearth_slice text = hearth_slice_of(data + 1, size - 1);
    uint32_t complete = run(text, HEARTH_MAX(text.size, 1), &whole);
    size_t sizes[] = {1, (size_t)data[0] + 1};
    for (size_t i = 0; i < HEARTH_COUNT(sizes); i++) {
        HEARTH_ASSERT(run(text, sizes[i], &parts) == complete);
        HEARTH_ASSERT(parts.size == whole.size);
        HEARTH_ASSERT(memcmp(parts.bytes, whole.bytes, whole.size) == 0);
    }
    if (whole.calls == 0) { /* then all of it is text */
        HEARTH_ASSERT(whole.size == text.size && memcmp(whole.bytes, text.data, text.size) == 0);
    }
    check_arguments(&whole, complete);
    return 0;
}
