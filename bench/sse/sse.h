/* sse.h — reads the answer of an HTTP/1.1 server that streams events: status line, headers, a body
 * in chunks or until the end, and in it lines "data: <JSON>". No allocation, no descriptor. */

#ifndef HEARTH_BENCH_SSE_H
#define HEARTH_BENCH_SSE_H

#include "hearth_base.h"

#define SSE_LINE_BYTES (256u << 10) /* the longest line, which ends an answer with its settings */

/** Told each event's data; not 0 ends reading with that error. */
typedef int sse_event_fn(void *arg, const char *data, size_t size, struct hearth_error *err);

enum sse_state { SSE_STATUS, SSE_HEADERS, SSE_SIZE, SSE_CHUNK, SSE_CHUNK_END, SSE_PLAIN, SSE_END };

/** One answer being read; all zero to begin with. */
struct sse {
    enum sse_state state;
    int status; /* 200 … once the first line is there */
    bool is_chunked;
    uint64_t left;    /* bytes of the chunk */
    size_t head_size; /* of a line of the head or of a chunk's size */
    size_t line_size; /* of a line of the body */
    char head[1024];
    char line[SSE_LINE_BYTES + 1];
};

/**
 * Takes @size bytes as they came, in pieces of any size. HEARTH_E_MALFORMED: no such answer;
 * HEARTH_E_TOO_LARGE: a line over its limit. A body that is no event stream gives its lines too.
 */
int sse_take(struct sse *sse, const uint8_t *bytes, size_t size, sse_event_fn *tell, void *arg,
             struct hearth_error *err);

#endif
