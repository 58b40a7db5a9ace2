/* byte_level.c — GPT-2's alphabet: every byte is a printable character.
 *
 * The printable bytes of Latin-1 stand for themselves; the others, in order, for U+0100 and on. */

#include "normalize.h"

#define FIRST_OTHER 0x100u

static bool is_itself(uint32_t c)
{
    return (c >= '!' && c <= '~') || (c >= 0xA1 && c <= 0xAC) || (c >= 0xAE && c <= 0xFF);
}

/* The bytes that do not stand for themselves: 0-32, 127-160, 173. */
uint32_t byte_level_char(uint8_t byte)
{
    if (is_itself(byte)) {
        return byte;
    }
    return FIRST_OTHER + (byte <= 0x20 ? byte : byte == 0xAD ? 67u : byte - 0x7Fu + 33u);
}

int byte_level_byte(uint32_t c)
{
    if (c < FIRST_OTHER) {
        return is_itself(c) ? (int)c : -1;
    }
    uint32_t other = c - FIRST_OTHER;
    if (other < 33) {
        return (int)other;
    }
    return other < 67 ? (int)(other - 33 + 0x7F) : other == 67 ? 0xAD : -1;
}

int byte_level_write(const struct view *view, size_t start, size_t end, struct writer *writer)
{
    int rc = writer_reserve(writer, 2 * (end - start));
    if (rc < 0) {
        return rc;
    }
    for (size_t at = start; at < end; at++) {
        uint32_t c = byte_level_char(view->text.data[at]);
        size_t to = writer->size;
        if (c < 0x80) {
            writer->bytes[writer->size++] = (uint8_t)c;
        } else {
            writer->bytes[writer->size++] = (uint8_t)(0xC0 | c >> 6);
            writer->bytes[writer->size++] = (uint8_t)(0x80 | (c & 0x3F));
        }
        if (writer->tracks) {
            const struct hearth_token_place place = view_place(view, at);
            while (to < writer->size) {
                writer->places[to++] = place;
            }
        }
    }
    return 0;
}
