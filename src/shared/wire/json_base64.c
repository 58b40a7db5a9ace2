/* json_base64.c — bytes as text (RFC 4648, section 4), and back without mercy: one text for each
 * run of bytes, so no white space, no missing padding and no bits behind the last byte. */

#include "json_priv.h"

#define NO_DIGIT 64u

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ── Writing ─────────────────────────────────────────────────────────────────────────────────── */

char *json_base64_write(char *at, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i += 3) {
        size_t some = HEARTH_MIN(size - i, (size_t)3);
        uint32_t group = (uint32_t)data[i] << 16;
        group |= some > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        group |= some > 2 ? data[i + 2] : 0;
        *at++ = digits[group >> 18];
        *at++ = digits[group >> 12 & 63];
        *at++ = some > 1 ? digits[group >> 6 & 63] : '=';
        *at++ = some > 2 ? digits[group & 63] : '=';
    }
    return at;
}

/* ── Reading ─────────────────────────────────────────────────────────────────────────────────── */

static uint32_t value_of(uint8_t digit)
{
    if (digit >= 'A' && digit <= 'Z') {
        return digit - 'A';
    }
    if (digit >= 'a' && digit <= 'z') {
        return digit - 'a' + 26u;
    }
    if (digit >= '0' && digit <= '9') {
        return digit - '0' + 52u;
    }
    return digit == '+' ? 62 : digit == '/' ? 63 : NO_DIGIT;
}

static size_t padding_of(struct hearth_slice text)
{
    const uint8_t *end = (const uint8_t *)text.data + text.size;
    return text.size == 0 || end[-1] != '=' ? 0 : end[-2] != '=' ? 1 : 2;
}

bool json_base64_measure(struct hearth_slice text, size_t *ret_bytes)
{
    *ret_bytes = text.size / 4 * 3 - (text.size % 4 == 0 ? padding_of(text) : 0);
    return text.size % 4 == 0;
}

/* @count digits of one group of four, the others being padding. */
static bool read_group(const uint8_t *text, size_t count, uint8_t *room)
{
    uint32_t group = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t value = value_of(text[i]);
        if (value == NO_DIGIT) {
            return false;
        }
        group |= value << (18 - 6 * i);
    }
    for (size_t i = 0; i + 1 < count; i++) {
        room[i] = (uint8_t)(group >> (16 - 8 * i));
    }
    return (group & (0xFFFFFFu >> (8 * (count - 1)))) == 0;
}

bool json_base64_read(struct hearth_slice text, uint8_t *room)
{
    const uint8_t *digit = text.data;
    size_t padding = padding_of(text);
    for (size_t i = 0; i < text.size; i += 4, room += 3) {
        size_t count = i + 4 < text.size ? 4 : 4 - padding;
        if (!read_group(digit + i, count, room)) {
            return false;
        }
    }
    return true;
}
