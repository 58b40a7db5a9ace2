/* An HTTP answer with a stream of events: the same events whatever pieces it comes in, each a line
 * without its end and within its limit.
 *
 * Input: the size of the first piece and of all others, a byte each; then the answer. */

#include "sse.h"

#include <string.h>

int hearth_fuzz_sse(const uint8_t *data, size_t size);

#define SEEN_BYTES 8192u

/* Each event and a line end behind it. */
struct seen {
    size_t size;
    uint8_t bytes[SEEN_BYTES];
};

static int note_event(void *arg, const char *data, size_t size, struct hearth_error *err)
{
    struct seen *seen = arg;
    (void)err;
    HEARTH_ASSERT(size > 0 && size <= SSE_LINE_BYTES && data[size] == '\0');
    HEARTH_ASSERT(memchr(data, '\n', size) == NULL);
    if (size + 1 > SEEN_BYTES - seen->size) {
        return HEARTH_E_TOO_LARGE; /* as an event that its taker refuses */
    }
    memcpy(seen->bytes + seen->size, data, size);
    seen->size += size;
    seen->bytes[seen->size++] = '\n';
    return 0;
}

/* Takes all in pieces of @first and then @others bytes. */
static int read_all(struct sse *sse, struct hearth_slice answer, size_t first, size_t others,
                    struct seen *seen)
{
    struct hearth_error err = {0};
    size_t at = 0;
    size_t piece = first;
    int rc = 0;
    memset(sse, 0, sizeof *sse);
    seen->size = 0;
    while (rc == 0 && at < answer.size) {
        size_t taken = HEARTH_MIN(piece, answer.size - at);
        rc = sse_take(sse, answer.data + at, taken, note_event, seen, &err);
        at += taken;
        piece = others;
    }
    return rc;
}

int hearth_fuzz_sse(const uint8_t *data, size_t size)
{
    static struct sse whole;
    static struct sse parts;
    static struct seen of_whole;
    static struct seen of_parts;
    if (size < 3) {
        return 0;
    }
    struct hearth_slice answer = hearth_slice_of(data + 2, size - 2);
    int rc = read_all(&whole, answer, answer.size, answer.size, &of_whole);
    HEARTH_ASSERT(read_all(&parts, answer, data[0] + 1u, data[1] + 1u, &of_parts) == rc);
    HEARTH_ASSERT(of_whole.size == of_parts.size &&
                  memcmp(of_whole.bytes, of_parts.bytes, of_whole.size) == 0);
    HEARTH_ASSERT(rc <= 0 && whole.state == parts.state && whole.status == parts.status);
    HEARTH_ASSERT(rc < 0 || whole.state == SSE_STATUS ||
                  (whole.status >= 100 && whole.status <= 999));
    return 0;
}
