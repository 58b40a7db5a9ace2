/* fuzz_frames.c — a stream cut as the input says gives the same frames as the stream in one piece,
 * ends in the same error, and never holds more memory than what arrived accounts for. */

#include "frames.h"

#include <string.h>

#define MAX_FRAME 2000

int hearth_fuzz_frames(const uint8_t *data, size_t size);

/* What a stream must give, computed from the bytes alone. */
struct oracle {
    const uint8_t *at;
    size_t left;
};

static int oracle_next(struct oracle *oracle, struct hearth_slice *ret_payload)
{
    if (oracle->left < 4) {
        return HEARTH_E_NOT_READY;
    }
    uint64_t length = 0;
    for (int i = 3; i >= 0; i--) {
        length = length * 256 + oracle->at[i];
    }
    if (length == 0 || length > MAX_FRAME) {
        return length == 0 ? HEARTH_E_MALFORMED : HEARTH_E_TOO_LARGE;
    }
    if (length > oracle->left - 4) {
        return HEARTH_E_NOT_READY;
    }
    *ret_payload = hearth_slice_of(oracle->at + 4, length);
    oracle->at += 4 + length;
    oracle->left -= 4 + length;
    return 0;
}

/* Takes all frames there are; returns what ended it. */
static int take_all(struct hearth_frame_reader *reader, struct oracle *oracle)
{
    for (;;) {
        struct hearth_slice payload = {0};
        struct hearth_slice wanted = {0};
        int rc = hearth_frame_reader_next(reader, &payload);
        if (rc == HEARTH_E_NOT_READY) {
            return rc;
        }
        HEARTH_ASSERT(rc == oracle_next(oracle, &wanted));
        if (rc < 0) {
            return rc;
        }
        HEARTH_ASSERT(hearth_slice_equal(payload, wanted));
    }
}

/* The first byte seeds where the rest is cut. */
int hearth_fuzz_frames(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    uint32_t cuts = data[0] * 2654435761u + 1;
    struct oracle oracle = {data + 1, size - 1};
    struct hearth_frame_reader reader;
    hearth_frame_reader_init(&reader, MAX_FRAME);
    size_t fed = 1;
    int rc = HEARTH_E_NOT_READY;
    while (fed < size && rc == HEARTH_E_NOT_READY) {
        cuts = cuts * 1664525u + 1013904223u;
        size_t piece = 1 + (cuts >> 16) % (data[0] % 2 == 0 ? 7 : 700);
        piece = HEARTH_MIN(piece, size - fed);
        HEARTH_ASSERT(hearth_frame_reader_feed(&reader, hearth_slice_of(data + fed, piece)) == 0);
        fed += piece;
        HEARTH_ASSERT(reader.buf.room <= 2 * fed + HEARTH_FRAME_READ_BYTES);
        rc = take_all(&reader, &oracle);
    }
    if (rc == HEARTH_E_NOT_READY) {
        struct hearth_slice rest;
        HEARTH_ASSERT(oracle_next(&oracle, &rest) == HEARTH_E_NOT_READY);
        HEARTH_ASSERT(hearth_frame_reader_is_partial(&reader) == (oracle.left > 0));
    } else {
        HEARTH_ASSERT(hearth_frame_reader_feed(&reader, hearth_slice_of(data, 1)) == rc);
    }
    hearth_frame_reader_finish(&reader);
    return 0;
}
