/* compat_json.c — prints one message in V1 for another JSON reader to judge: floats beside their
 * bits as numbers, and a text with every character below U+0800 and some above. */

#include "hearth_wire.h"

#include <stdio.h>
#include <string.h>

#define FLOATS     20000u
#define TEXT_BYTES 8192u

static uint32_t bits[FLOATS];
static float floats[FLOATS];
static uint8_t text[TEXT_BYTES];

/* Any finite float; every other one is of the size that embeddings and probabilities have. */
static void fill_floats(void)
{
    uint64_t state = 42;
    for (size_t i = 0; i < FLOATS; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        bits[i] = (uint32_t)(state >> 32);
        if ((bits[i] & 0x7F800000u) == 0x7F800000u) {
            bits[i] &= ~0x40000000u; /* NaN and infinity have no number */
        }
        memcpy(&floats[i], &bits[i], sizeof floats[i]);
        if (i % 2 == 1) {
            floats[i] = (float)((double)(state >> 44) / 1048576.0 - 0.5);
            memcpy(&bits[i], &floats[i], sizeof bits[i]);
        }
    }
}

static size_t fill_text(void)
{
    static const uint32_t above[] = {0x800, 0xFFFF, 0x10000, 0x1F44B, 0x10FFFF};
    size_t size = 0;
    for (uint32_t c = 0; c < 0x800; c++) {
        size += hearth_utf8_write(c, text + size);
    }
    for (size_t i = 0; i < HEARTH_COUNT(above); i++) {
        size += hearth_utf8_write(above[i], text + size);
    }
    return size;
}

int main(void)
{
    fill_floats();
    static uint8_t bytes[1000]; /* every value, and no multiple of three */
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    }
    struct hearth_wire_result result = {.index = UINT32_MAX,
                                        .packed = hearth_slice_of(bytes, sizeof bytes),
                                        .text = hearth_slice_of(text, fill_text()),
                                        .vector = {floats, FLOATS},
                                        .token_ids = {bits, FLOATS}};
    struct hearth_message message = {.type = HEARTH_MSG_stream_chunk};
    message.as.stream_chunk = (struct hearth_wire_stream_chunk){
        .request_id = UINT64_MAX, .results = {.count = 1, .items = &result}};
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, HEARTH_MAX_FRAME_BYTES);
    if (hearth_json_encode(&message, NULL, &out) < 0) {
        return 1;
    }
    return fwrite(out.data, 1, out.size, stdout) != out.size;
}
