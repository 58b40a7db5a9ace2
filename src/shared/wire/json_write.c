/* json_write.c — JSON text: brackets, names, strings, numbers. It knows nothing of messages. */

#include "json_priv.h"

#include <math.h>
#include <stdio.h>

#define NUMBER_BYTES      24 /* the longest number, with a comma and a byte to spare */
#define NUMBERS_AT_A_TIME 256
#define BYTES_AT_A_TIME   256
#define BYTES_IN_BASE64   768 /* a multiple of three: only the last piece has padding */
#define ESCAPED_BYTES     6   /* the most that one byte becomes */

/* Room for @bytes at the end of the text, or NULL; advance() says how far it was written. */
static char *begin(struct json_writer *to, size_t bytes)
{
    if (to->rc == 0) {
        to->rc = hearth_buf_reserve(to->out, bytes);
    }
    return to->rc == 0 ? (char *)to->out->data + to->out->size : NULL;
}

static void advance(struct json_writer *to, const char *end)
{
    to->out->size = (size_t)((const uint8_t *)end - to->out->data);
}

/* A comma and @size bytes as they are. */
static void put_after_comma(struct json_writer *to, const char *data, size_t size)
{
    char *at = begin(to, size + 1);
    if (at != NULL) {
        if (!to->is_first) {
            *at++ = ',';
        }
        *at = *data; /* mostly all there is */
        if (size > 1) {
            memcpy(at, data, size);
        }
        advance(to, at + size);
    }
    to->is_first = false;
}

void json_open(struct json_writer *to, char bracket)
{
    put_after_comma(to, &bracket, 1);
    to->is_first = true;
}

void json_close(struct json_writer *to, char bracket)
{
    to->is_first = true;
    put_after_comma(to, &bracket, 1);
}

void json_put_literal(struct json_writer *to, const char *literal)
{
    put_after_comma(to, literal, strlen(literal));
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

static char *format_escaped(char *at, uint8_t byte)
{
    static const char shorts[] = "\"\"\\\\\nn\rr\tt"; /* the byte and its letter */
    static const char hex[] = "0123456789abcdef";
    *at++ = '\\';
    for (size_t i = 0; i + 1 < sizeof shorts; i += 2) {
        if ((uint8_t)shorts[i] == byte) {
            *at++ = shorts[i + 1];
            return at;
        }
    }
    memcpy(at, "u00", 3);
    at[3] = hex[byte >> 4];
    at[4] = hex[byte & 15];
    return at + 5;
}

/* Eight bytes at a time while none of them is special. */
static char *format_text(char *at, const uint8_t *text, size_t size)
{
    size_t i = 0;
    while (i < size) {
        if (size - i >= 8 && is_plain(hearth_wire_load(text + i, 8))) {
            memcpy(at, text + i, 8);
            at += 8;
            i += 8;
        } else if (text[i] >= 0x20 && text[i] != '"' && text[i] != '\\') {
            *at++ = (char)text[i++];
        } else {
            at = format_escaped(at, text[i++]);
        }
    }
    return at;
}

/* @after follows the closing quote: a colon behind a name. */
static void put_quoted(struct json_writer *to, struct hearth_slice text, const char *after)
{
    put_after_comma(to, "\"", 1);
    for (size_t done = 0; done < text.size && to->rc == 0;) {
        size_t some = HEARTH_MIN(text.size - done, (size_t)BYTES_AT_A_TIME);
        char *at = begin(to, some * ESCAPED_BYTES);
        if (at != NULL) {
            advance(to, format_text(at, text.data + done, some));
        }
        done += some;
    }
    to->is_first = true;
    put_after_comma(to, after, strlen(after));
}

void json_put_string(struct json_writer *to, struct hearth_slice text)
{
    put_quoted(to, text, "\"");
}

void json_put_base64(struct json_writer *to, struct hearth_slice bytes)
{
    put_after_comma(to, "\"", 1);
    for (size_t done = 0; done < bytes.size && to->rc == 0;) {
        size_t some = HEARTH_MIN(bytes.size - done, (size_t)BYTES_IN_BASE64);
        char *at = begin(to, some / 3 * 4 + 4);
        if (at != NULL) {
            advance(to, json_base64_write(at, (const uint8_t *)bytes.data + done, some));
        }
        done += some;
    }
    to->is_first = true;
    put_after_comma(to, "\"", 1);
}

void json_put_word(struct json_writer *to, const char *word)
{
    json_put_string(to, hearth_slice_of_string(word));
}

void json_put_name(struct json_writer *to, struct hearth_slice name)
{
    put_quoted(to, name, "\":");
    to->is_first = true; /* the value follows without a comma */
}

/* ── Numbers ─────────────────────────────────────────────────────────────────────────────────── */

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static char *format_pair(char *at, uint32_t pair)
{
    memcpy(at, pairs + 2 * pair, 2);
    return at + 2;
}

static char *format_four(char *at, uint32_t four)
{
    return format_pair(format_pair(at, four / 100), four % 100);
}

/* Without a leading zero; writes two bytes all the same. */
static char *format_first_pair(char *at, uint32_t pair)
{
    unsigned zeros = pair < 10;
    memcpy(at, pairs + 2 * pair + zeros, 2);
    return at + 2 - zeros;
}

/* Ids of tokens come in thousands: the branches are few and go the same way most of the time. */
static char *format_u32(char *at, uint32_t number)
{
    if (number < 100) {
        return format_first_pair(at, number);
    }
    if (number < 10000) {
        return format_pair(format_first_pair(at, number / 100), number % 100);
    }
    if (number < 1000000) {
        return format_four(format_first_pair(at, number / 10000), number % 10000);
    }
    return format_four(format_u32(at, number / 10000), number % 10000);
}

static char *format_u64(char *at, uint64_t number)
{
    if (number <= UINT32_MAX) {
        return format_u32(at, (uint32_t)number);
    }
    return format_four(format_u64(at, number / 10000), (uint32_t)(number % 10000));
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
    if (size == 0) {
        const char *zero = signbit(number) ? "-0.0" : "0.0";
        return (char *)memcpy(at, zero, strlen(zero)) + strlen(zero);
    }
    if (size < 1e-5 || size >= 1e8) {
        return at + snprintf(at, NUMBER_BYTES - 1, "%.9g", (double)number);
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
    put_after_comma(to, room, (size_t)(format_u64(room, number) - room));
}

void json_put_f32(struct json_writer *to, float number)
{
    char room[NUMBER_BYTES];
    put_after_comma(to, room, (size_t)(format_f32_or_null(room, number) - room));
}

static char *format_ids(char *at, const uint8_t *data, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        at = format_u32(at, (uint32_t)hearth_wire_load(data + 4 * i, 4));
        *at++ = ',';
    }
    return at;
}

/* Vectors come by the ten thousand and hold what a model computed, not what people typed: nine
 * significant digits at once, zeros at the end included. Rounding here may miss the nearest ninth
 * digit by one, which is still nearer to @size than half the distance to the next float. */
static char *format_fraction(char *at, double size)
{
    unsigned zeros = (unsigned)(size < 1e-1) + (unsigned)(size < 1e-2) + (unsigned)(size < 1e-3);
    uint32_t digits = (uint32_t)(size * tens[9 + zeros] + 0.5);
    memcpy(at, "0.000", 5);
    at += 2 + zeros;
    *at = (char)('0' + digits / 100000000);
    digits %= 100000000;
    return format_four(format_four(at + 1, digits / 10000), digits % 10000);
}

static char *format_element(char *at, float number)
{
    double size = fabs((double)number);
    if (!(size >= 1e-4 && size < 1)) {
        return format_f32_or_null(at, number);
    }
    if (number < 0) {
        *at++ = '-';
    }
    return format_fraction(at, size);
}

static char *format_floats(char *at, const uint8_t *data, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float number;
        memcpy(&number, data + 4 * i, sizeof number);
        at = format_element(at, number);
        *at++ = ',';
    }
    return at;
}

/* Straight into the buf: a call an element would cost more than its digits. */
static void put_array(struct json_writer *to, const uint8_t *data, size_t count,
                      char *(*format)(char *at, const uint8_t *data, size_t count))
{
    json_open(to, '[');
    for (size_t done = 0; done < count && to->rc == 0;) {
        size_t some = HEARTH_MIN(count - done, (size_t)NUMBERS_AT_A_TIME);
        char *at = begin(to, some * NUMBER_BYTES);
        if (at != NULL) {
            advance(to, format(at, data + 4 * done, some));
        }
        done += some;
    }
    if (count > 0 && to->rc == 0) {
        to->out->size--; /* the last comma */
    }
    json_close(to, ']');
}

void json_put_u32s(struct json_writer *to, struct hearth_wire_u32s numbers)
{
    put_array(to, numbers.data, numbers.count, format_ids);
}

void json_put_f32s(struct json_writer *to, struct hearth_wire_f32s numbers)
{
    put_array(to, numbers.data, numbers.count, format_floats);
}
