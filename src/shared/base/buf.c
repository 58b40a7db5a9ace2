/* buf.c — bytes that grow up to a cap. */

#include "buf.h"

#include "alloc.h"
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_ROOM_BYTES 256

void hearth_buf_init(struct hearth_buf *buf, size_t cap)
{
    *buf = (struct hearth_buf){.cap = cap};
}

void hearth_buf_finish(struct hearth_buf *buf)
{
    hearth_free(buf->data);
    hearth_buf_init(buf, buf->cap);
}

void hearth_buf_clear(struct hearth_buf *buf)
{
    buf->size = 0;
}

void hearth_buf_wipe(struct hearth_buf *buf)
{
    hearth_wipe(buf->data, buf->size);
    buf->size = 0;
}

int hearth_buf_reserve(struct hearth_buf *buf, size_t extra)
{
    if (extra <= buf->room - buf->size) {
        return 0;
    }
    if (extra > buf->cap - buf->size) {
        return HEARTH_E_TOO_LARGE;
    }
    size_t needed = buf->size + extra;
    size_t room = HEARTH_MAX(buf->room, (size_t)FIRST_ROOM_BYTES);
    while (room < needed) {
        room = room > buf->cap / 2 ? buf->cap : room * 2;
    }
    room = HEARTH_MAX(HEARTH_MIN(room, buf->cap), needed);
    uint8_t *grown = hearth_realloc(buf->data, room, 1);
    if (grown == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    buf->data = grown;
    buf->room = room;
    return 0;
}

int hearth_buf_append(struct hearth_buf *buf, const void *data, size_t size)
{
    int rc = hearth_buf_reserve(buf, size);
    if (rc == 0 && size > 0) {
        memcpy(buf->data + buf->size, data, size);
        buf->size += size;
    }
    return rc;
}

int hearth_buf_printf(struct hearth_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        return HEARTH_E_INTERNAL;
    }
    size_t bytes = (size_t)length;
    int rc = hearth_buf_reserve(buf, bytes + 1);
    if (rc < 0) {
        return rc;
    }
    va_start(args, format);
    vsnprintf((char *)buf->data + buf->size, bytes + 1, format, args);
    va_end(args);
    buf->size += bytes;
    return 0;
}

void hearth_buf_consume(struct hearth_buf *buf, size_t count)
{
    HEARTH_ASSERT(count <= buf->size);
    buf->size -= count;
    if (buf->size > 0 && count > 0) {
        memmove(buf->data, buf->data + count, buf->size);
    }
}
