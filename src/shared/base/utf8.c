/* utf8.c — strict UTF-8, after the table of well-formed sequences in RFC 3629 section 4. */

#include "utf8.h"
#include "utf8_wide.h"

#define WIDE_BYTES 64u /* shorter texts are not worth the call */

/* Length by first byte, 0 if no character starts with it. */
static unsigned length_of(uint8_t first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return 2;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        return 3;
    }
    return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

/* The second byte has a narrower range after four of the first bytes. */
static bool is_second_valid(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xE0: return second >= 0xA0 && second <= 0xBF;
    case 0xED: return second >= 0x80 && second <= 0x9F;
    case 0xF0: return second >= 0x90 && second <= 0xBF;
    case 0xF4: return second >= 0x80 && second <= 0x8F;
    default: return second >= 0x80 && second <= 0xBF;
    }
}

/* How many bytes of a character of @length are there and right, 0 < result <= length. */
static unsigned right_bytes(const uint8_t *at, size_t left, unsigned length)
{
    unsigned right = 1;
    while (right < length && right < left) {
        bool is_right = right == 1 ? is_second_valid(at[0], at[1]) : (at[right] & 0xC0) == 0x80;
        if (!is_right) {
            break;
        }
        right++;
    }
    return right;
}

/* Bytes at the start that are ASCII, eight at a time: most of most texts. */
static size_t ascii_bytes(const uint8_t *at, size_t left)
{
    size_t count = 0;
    while (left - count >= sizeof(uint64_t)) {
        uint64_t eight;
        memcpy(&eight, at + count, sizeof eight);
        if ((eight & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
        count += sizeof eight;
    }
    while (count < left && at[count] < 0x80) {
        count++;
    }
    return count;
}

/* Characters of two or three bytes whose second byte has the wide range, as many as follow. */
static size_t common_bytes(const uint8_t *at, size_t left)
{
    size_t count = 0;
    while (left - count >= 3) {
        const uint8_t *c = at + count;
        bool is_second_right = (c[1] & 0xC0) == 0x80;
        if (c[0] >= 0xC2 && c[0] <= 0xDF && is_second_right) {
            count += 2;
        } else if (c[0] >= 0xE1 && c[0] <= 0xEF && c[0] != 0xED && is_second_right &&
                   (c[2] & 0xC0) == 0x80) {
            count += 3;
        } else {
            break;
        }
    }
    return count;
}

size_t hearth_utf8_valid_bytes(struct hearth_slice text)
{
    size_t at = 0;
    if (text.size >= WIDE_BYTES && utf8_wide_is_valid(text)) {
        return text.size;
    }
    while (at < text.size) {
        size_t before = at;
        at += ascii_bytes(text.data + at, text.size - at);
        at += common_bytes(text.data + at, text.size - at);
        if (at > before) {
            continue;
        }
        unsigned length = length_of(text.data[at]);
        if (length == 0 || right_bytes(text.data + at, text.size - at, length) < length) {
            return at;
        }
        at += length;
    }
    return at;
}

bool hearth_utf8_is_valid(struct hearth_slice text)
{
    return hearth_utf8_valid_bytes(text) == text.size;
}

size_t hearth_utf8_complete_bytes(struct hearth_slice text)
{
    size_t back = 1;
    while (back < 4 && back <= text.size) {
        uint8_t byte = text.data[text.size - back];
        if ((byte & 0xC0) != 0x80) {
            unsigned length = length_of(byte);
            bool may_become_whole =
                length > back && right_bytes(text.data + text.size - back, back, length) == back;
            return may_become_whole ? text.size - back : text.size;
        }
        back++;
    }
    return text.size;
}

unsigned hearth_utf8_read(struct hearth_slice text, size_t offset, uint32_t *ret_code_point)
{
    static const uint8_t first_mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    const uint8_t *at = text.data + offset;
    unsigned length = length_of(at[0]);
    if (length == 0 || right_bytes(at, text.size - offset, length) < length) {
        return 0;
    }
    uint32_t code_point = at[0] & first_mask[length];
    for (unsigned i = 1; i < length; i++) {
        code_point = code_point << 6 | (at[i] & 0x3Fu);
    }
    *ret_code_point = code_point;
    return length;
}

unsigned hearth_utf8_write(uint32_t code_point, uint8_t *room)
{
    if (code_point < 0x80) {
        room[0] = (uint8_t)code_point;
        return 1;
    }
    static const uint8_t first_bits[] = {0, 0, 0xC0, 0xE0, 0xF0};
    unsigned length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (unsigned i = length - 1; i > 0; i--) {
        room[i] = (uint8_t)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    room[0] = (uint8_t)(first_bits[length] | code_point);
    return length;
}
