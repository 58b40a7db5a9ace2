/* json_write.c — JSON text: brackets, names, strings, numbers. It knows nothing of messages. */

#include "json_priv.h"

#include <math.h>
#include <stdio.h>

#define NUMBER_BYTES      24 /* the longest number, with a comma */
#define NUMBERS_AT_A_TIME 256

static void put(struct json_writer *to, const void *data, size_t size)
{
    if (to->rc == 0) {
        to->rc = hearth_buf_append(to->out, data, size);
    }
}

static void put_byte(struct json_writer *to, char byte)
{
    put(to, &byte, 1);
}

static void put_comma(struct json_writer *to)
{
    if (!to->is_first) {
        put_byte(to, ',');
    }
    to->is_first = false;
}

void json_open(struct json_writer *to, char bracket)
{
    put_comma(to);
    put_byte(to, bracket);
    to->is_first = true;
}

void json_close(struct json_writer *to, char bracket)
{
    put_byte(to, bracket);
    to->is_first = false;
}

void json_put_literal(struct json_writer *to, const char *literal)
{
    put_comma(to);
    put(to, literal, strlen(literal));
}

/* ── Strings ─────────────────────────────────────────────────────────────────────────────────── */

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

static uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* True if none of the eight bytes must be escaped. */
static bool is_plain(uint64_t word)
{
    uint64_t control = (word - EACH_BYTE(0x20)) & ~word & EACH_BYTE(0x80);
    return (control | zero_bytes(word ^ EACH_BYTE('"')) | zero_bytes(word ^ EACH_BYTE('\\'))) == 0;
}

static size_t plain_bytes(const uint8_t *at, size_t size)
{
    size_t i = 0;
    while (size - i >= 8 && is_plain(hearth_wire_load(at + i, 8))) {
        i += 8;
    }
    while (i < size && at[i] >= 0x20 && at[i] != '"' && at[i] != '\\') {
        i++;
    }
    return i;
}

static void put_escaped(struct json_writer *to, uint8_t byte)
{
    static const char shorts[] = "\"\"\\\\\nn\rr\tt"; /* the byte and its letter */
    for (size_t i = 0; i + 1 < sizeof shorts; i += 2) {
        if ((uint8_t)shorts[i] == byte) {
            put(to, (char[]){'\\', shorts[i + 1]}, 2);
            return;
        }
    }
    static const char hex[] = "0123456789abcdef";
    put(to, (char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6);
}

static void put_quoted(struct json_writer *to, struct hearth_slice text)
{
    put_byte(to, '"');
    for (size_t at = 0; at < text.size && to->rc == 0;) {
        size_t plain = plain_bytes(text.data + at, text.size - at);
        put(to, text.data + at, plain);
        at += plain;
        if (at < text.size) {
            put_escaped(to, text.data[at++]);
        }
    }
    put_byte(to, '"');
}

void json_put_string(struct json_writer *to, struct hearth_slice text)
{
    put_comma(to);
    put_quoted(to, text);
}

void json_put_word(struct json_writer *to, const char *word)
{
    json_put_string(to, hearth_slice_of_string(word));
}

void json_put_name(struct json_writer *to, struct hearth_slice name)
{
    json_put_string(to, name);
    put_byte(to, ':');
    to->is_first = true; /* the value follows without a comma */
}

/* ── Numbers ─────────────────────────────────────────────────────────────────────────────────── */

static char *format_u64(char *at, uint64_t number)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

/* @digits with the point in front of the last @decimals of them, at most 13. */
static char *format_point(char *at, uint64_t digits, unsigned decimals)
{
    while (decimals > 1 && digits % 10 == 0) {
        digits /= 10;
        decimals--;
    }
    char room[NUMBER_BYTES];
    char *end = format_u64(room, digits);
    size_t count = (size_t)(end - room);
    size_t whole = count > decimals ? count - decimals : 0;
    if (whole == 0) {
        *at++ = '0';
    }
    memcpy(at, room, whole);
    at += whole;
    *at++ = '.';
    for (size_t zeros = count < decimals ? decimals - count : 0; zeros > 0; zeros--) {
        *at++ = '0';
    }
    memcpy(at, room + whole, count - whole);
    return at + (count - whole);
}

static const double tens[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                              1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};

/* Tries seven significant digits, which is what people type, then nine, which always suffice. Both
 * operands of the division are exact in a double, so it is rounded as a reader of the text rounds:
 * what comes back here is what comes back there. */
static char *format_f32(char *at, float number)
{
    double size = fabs((double)number);
    if (size == 0 || size < 1e-5 || size >= 1e8) {
        int n = snprintf(at, NUMBER_BYTES - 1, size == 0 ? "%.1f" : "%.9g", (double)number);
        return at + n;
    }
    unsigned whole = 0; /* digits in front of the point; -4 … 8, counted from -4 */
    static const double borders[] = {1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2,
                                     1e3,  1e4,  1e5,  1e6,  1e7, 1e8};
    while (size >= borders[whole]) {
        whole++;
    }
    if (number < 0) {
        *at++ = '-';
    }
    unsigned decimals = 7 + 4 > whole ? 7 + 4 - whole : 1;
    uint64_t digits = (uint64_t)(size * tens[decimals] + 0.5);
    if ((float)((double)digits / tens[decimals]) != (float)size) {
        decimals = 9 + 4 - whole;
        digits = (uint64_t)(size * tens[decimals] + 0.5);
    }
    return format_point(at, digits, decimals);
}

static char *format_f32_or_null(char *at, float number)
{
    if (!isfinite(number)) {
        memcpy(at, "null", 4);
        return at + 4;
    }
    return format_f32(at, number);
}

void json_put_u64(struct json_writer *to, uint64_t number)
{
    char room[NUMBER_BYTES];
    put_comma(to);
    put(to, room, (size_t)(format_u64(room, number) - room));
}

void json_put_f32(struct json_writer *to, float number)
{
    char room[NUMBER_BYTES];
    put_comma(to);
    put(to, room, (size_t)(format_f32_or_null(room, number) - room));
}

static char *format_element(char *at, const void *element, bool is_float)
{
    if (is_float) {
        float number;
        memcpy(&number, element, sizeof number);
        return format_f32_or_null(at, number);
    }
    return format_u64(at, hearth_wire_load(element, 4));
}

/* Straight into the buf: a call an element would cost more than its digits. */
static void put_array(struct json_writer *to, const void *data, size_t count, bool is_float)
{
    json_open(to, '[');
    for (size_t i = 0; i < count && to->rc == 0;) {
        size_t end = HEARTH_MIN(count, i + NUMBERS_AT_A_TIME);
        to->rc = hearth_buf_reserve(to->out, (end - i) * NUMBER_BYTES);
        if (to->rc < 0) {
            return;
        }
        char *at = (char *)to->out->data + to->out->size;
        for (; i < end; i++) {
            at = format_element(at, (const char *)data + 4 * i, is_float);
            *at++ = ',';
        }
        to->out->size = (size_t)((uint8_t *)at - to->out->data);
    }
    if (count > 0 && to->rc == 0) {
        to->out->size--; /* the last comma */
    }
    json_close(to, ']');
}

void json_put_u32s(struct json_writer *to, struct hearth_wire_u32s numbers)
{
    put_array(to, numbers.data, numbers.count, false);
}

void json_put_f32s(struct json_writer *to, struct hearth_wire_f32s numbers)
{
    put_array(to, numbers.data, numbers.count, true);
}
