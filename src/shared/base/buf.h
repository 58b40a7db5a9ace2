/* buf.h — bytes that grow up to a cap. Hitting the cap is an ordinary error. */

#ifndef HEARTH_BUF_H
#define HEARTH_BUF_H

#include "lang.h"
#include "slice.h"

/** Owns @room bytes of which @size are used; never grows past @cap. */
struct hearth_buf {
    uint8_t *data;
    size_t size;
    size_t room;
    size_t cap;
};

/** Prepares an empty buf that may grow to @cap bytes; allocates nothing yet. */
void hearth_buf_init(struct hearth_buf *buf, size_t cap);

/** Gives the memory back; the buf may be used again as if just initialised. */
void hearth_buf_finish(struct hearth_buf *buf);

/** Forgets the content and keeps the memory. */
void hearth_buf_clear(struct hearth_buf *buf);

/** Overwrites the used bytes and forgets them: for content that another client must not see. */
void hearth_buf_wipe(struct hearth_buf *buf);

/** Makes room for @extra more bytes. HEARTH_E_TOO_LARGE at the cap, HEARTH_E_NO_MEMORY. */
HEARTH_NODISCARD int hearth_buf_reserve(struct hearth_buf *buf, size_t extra);

/** Appends bytes; errors as hearth_buf_reserve(), and then nothing was appended. */
HEARTH_NODISCARD int hearth_buf_append(struct hearth_buf *buf, const void *data, size_t size);

/** Appends formatted text (no terminator counted in size; one is kept behind the last byte). */
HEARTH_NODISCARD int hearth_buf_printf(struct hearth_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Drops the first @count bytes and moves the rest down. */
void hearth_buf_consume(struct hearth_buf *buf, size_t count);

static inline struct hearth_slice hearth_buf_slice(const struct hearth_buf *buf)
{
    return hearth_slice_of(buf->data, buf->size);
}

static inline void hearth_buf_cleanup(struct hearth_buf *buf)
{
    hearth_buf_finish(buf); /* HEARTH_AUTO(hearth_buf) struct hearth_buf b; */
}

#endif
