/* sse.c — a state for each part of an answer; each byte is looked at once. */

#include "sse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int take_status(struct sse *sse, struct hearth_error *err)
{
    static const char version[] = "HTTP/1.";
    if (strncmp(sse->head, version, sizeof version - 1) != 0 || sse->head_size < 12) {
        return hearth_fail(err, HEARTH_E_MALFORMED, "the answer does not begin as HTTP does");
    }
    long status = strtol(sse->head + 9, NULL, 10);
    if (status < 100 || status > 999) {
        return hearth_fail(err, HEARTH_E_MALFORMED, "the answer has no status of three digits");
    }
    sse->status = (int)status;
    sse->state = SSE_HEADERS;
    return 0;
}

static void take_header(struct sse *sse)
{
    static const char chunked[] = "transfer-encoding: chunked";
    if (sse->head_size == 0) {
        sse->state = sse->is_chunked ? SSE_SIZE : SSE_PLAIN;
    } else if (strncasecmp(sse->head, chunked, sizeof chunked - 1) == 0) {
        sse->is_chunked = true;
    }
}

static int take_chunk_size(struct sse *sse, struct hearth_error *err)
{
    /* Neither a sign nor spaces, which strtoull() would take. */
    bool is_size = isxdigit((unsigned char)sse->head[0]) && sse->head_size <= 16;
    sse->left = strtoull(sse->head, NULL, 16);
    if (!is_size) {
        return hearth_fail(err, HEARTH_E_MALFORMED, "a chunk of the answer has no size");
    }
    sse->state = sse->left == 0 ? SSE_END : SSE_CHUNK;
    return 0;
}

/* A line of the head, without its end. */
static int take_head_line(struct sse *sse, struct hearth_error *err)
{
    int rc = 0;
    sse->head[sse->head_size] = '\0';
    if (sse->state == SSE_STATUS) {
        rc = take_status(sse, err);
    } else if (sse->state == SSE_HEADERS) {
        take_header(sse);
    } else if (sse->state == SSE_SIZE) {
        rc = take_chunk_size(sse, err);
    } else { /* the empty line behind a chunk */
        sse->state = SSE_SIZE;
    }
    sse->head_size = 0;
    return rc;
}

static int take_head_byte(struct sse *sse, char byte, struct hearth_error *err)
{
    if (byte == '\n') {
        return take_head_line(sse, err);
    }
    if (byte != '\r') {
        if (sse->head_size + 1 >= sizeof sse->head) {
            return hearth_fail(err, HEARTH_E_TOO_LARGE, "a line of the answer's head is too long");
        }
        sse->head[sse->head_size++] = byte;
    }
    return 0;
}

static int end_line(struct sse *sse, sse_event_fn *tell, void *arg, struct hearth_error *err)
{
    static const char data[] = "data: ";
    size_t skip = sizeof data - 1;
    size_t size = sse->line_size;
    bool is_event = size > skip && strncmp(sse->line, data, skip) == 0;
    sse->line[size] = '\0';
    sse->line_size = 0;
    if (is_event) {
        return tell(arg, sse->line + skip, size - skip, err);
    }
    return sse->status != 200 && size > 0 ? tell(arg, sse->line, size, err) : 0;
}

/* Up to the end of a line or of what there is; returns the bytes taken, or an error. */
static long take_body(struct sse *sse, const uint8_t *bytes, size_t size, sse_event_fn *tell,
                      void *arg, struct hearth_error *err)
{
    const uint8_t *end = memchr(bytes, '\n', size);
    size_t part = end != NULL ? (size_t)(end - bytes) : size;
    if (sse->line_size + part > SSE_LINE_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "an event of the answer is too long");
    }
    memcpy(sse->line + sse->line_size, bytes, part);
    sse->line_size += part;
    if (end == NULL) {
        return (long)part;
    }
    if (sse->line_size > 0 && sse->line[sse->line_size - 1] == '\r') {
        sse->line_size--;
    }
    int rc = end_line(sse, tell, arg, err);
    return rc != 0 ? rc : (long)part + 1;
}

int sse_take(struct sse *sse, const uint8_t *bytes, size_t size, sse_event_fn *tell, void *arg,
             struct hearth_error *err)
{
    size_t at = 0;
    while (at < size && sse->state != SSE_END) {
        if (sse->state != SSE_CHUNK && sse->state != SSE_PLAIN) {
            int rc = take_head_byte(sse, (char)bytes[at++], err);
            if (rc < 0) {
                return rc;
            }
            continue;
        }
        size_t most = size - at;
        most = sse->state == SSE_CHUNK ? (size_t)HEARTH_MIN((uint64_t)most, sse->left) : most;
        long taken = take_body(sse, bytes + at, most, tell, arg, err);
        if (taken < 0) {
            return (int)taken;
        }
        at += (size_t)taken;
        if (sse->state == SSE_CHUNK) {
            sse->left -= (uint64_t)taken;
            sse->state = sse->left == 0 ? SSE_CHUNK_END : SSE_CHUNK;
        }
    }
    return 0;
}
