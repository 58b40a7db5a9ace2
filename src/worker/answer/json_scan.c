/* json_scan.c — JSON as a machine with a stack of bits, a byte at a time. */

#include "hearth_answer.h"

enum state {
    STATE_BEGIN,        /* the object itself */
    STATE_VALUE,        /* a value */
    STATE_VALUE_OR_END, /* the first value of an array, or its end */
    STATE_KEY,
    STATE_KEY_OR_END,
    STATE_COLON,
    STATE_AFTER, /* a value is complete: a comma or an end */
    STATE_STRING,
    STATE_ESCAPE,
    STATE_HEX,
    STATE_WORD, /* true, false, null */
    /* Numbers, by what was read last. */
    STATE_MINUS,
    STATE_ZERO,
    STATE_WHOLE,
    STATE_POINT,
    STATE_FRACTION,
    STATE_E,
    STATE_E_SIGN,
    STATE_EXPONENT
};

void hearth_json_scan_begin(struct hearth_json_scan *scan)
{
    *scan = (struct hearth_json_scan){.state = STATE_BEGIN};
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_hex(uint8_t byte)
{
    uint8_t lower = byte | 0x20;
    return is_digit(byte) || (lower >= 'a' && lower <= 'f');
}

static bool go(struct hearth_json_scan *scan, enum state state)
{
    scan->state = (uint8_t)state;
    return true;
}

static bool open_nested(struct hearth_json_scan *scan, bool is_object)
{
    if (scan->depth == HEARTH_JSON_SCAN_DEPTH) {
        return false;
    }
    uint64_t bit = UINT64_C(1) << scan->depth++;
    scan->is_object = is_object ? scan->is_object | bit : scan->is_object & ~bit;
    return go(scan, is_object ? STATE_KEY_OR_END : STATE_VALUE_OR_END);
}

static bool is_in_object(const struct hearth_json_scan *scan)
{
    return (scan->is_object >> (scan->depth - 1) & 1) != 0;
}

static bool close_nested(struct hearth_json_scan *scan)
{
    scan->depth--;
    return go(scan, STATE_AFTER);
}

static bool begin_string(struct hearth_json_scan *scan, bool is_key)
{
    scan->is_key = is_key;
    return go(scan, STATE_STRING);
}

static bool begin_word(struct hearth_json_scan *scan, const char *rest)
{
    scan->rest = rest;
    return go(scan, STATE_WORD);
}

static bool begin_value(struct hearth_json_scan *scan, uint8_t byte)
{
    switch (byte) {
    case '{':
    case '[': return open_nested(scan, byte == '{');
    case '"': return begin_string(scan, false);
    case 't': return begin_word(scan, "rue");
    case 'f': return begin_word(scan, "alse");
    case 'n': return begin_word(scan, "ull");
    case '-': return go(scan, STATE_MINUS);
    case '0': return go(scan, STATE_ZERO);
    default: return is_digit(byte) && go(scan, STATE_WHOLE);
    }
}

/* A comma or the end of what is open. */
static bool after_value(struct hearth_json_scan *scan, uint8_t byte)
{
    bool is_object = is_in_object(scan);
    if (byte == ',') {
        return go(scan, is_object ? STATE_KEY : STATE_VALUE);
    }
    return byte == (is_object ? '}' : ']') && close_nested(scan);
}

static bool in_string(struct hearth_json_scan *scan, uint8_t byte)
{
    if (byte == '"') {
        return go(scan, scan->is_key ? STATE_COLON : STATE_AFTER);
    }
    return byte >= 0x20 && (byte != '\\' || go(scan, STATE_ESCAPE));
}

static bool in_escape(struct hearth_json_scan *scan, uint8_t byte)
{
    if (scan->state == STATE_HEX) {
        scan->digits--;
        return is_hex(byte) && (scan->digits > 0 || go(scan, STATE_STRING));
    }
    if (byte == 'u') {
        scan->digits = 4;
        return go(scan, STATE_HEX);
    }
    return byte != '\0' && strchr("\"\\/bfnrt", byte) != NULL && go(scan, STATE_STRING);
}

static bool in_word(struct hearth_json_scan *scan, uint8_t byte)
{
    if (byte != (uint8_t)*scan->rest) {
        return false;
    }
    scan->rest++;
    return *scan->rest != '\0' || go(scan, STATE_AFTER);
}

static bool one_more_digit(struct hearth_json_scan *scan, enum state state, uint8_t byte)
{
    if (state == STATE_MINUS) {
        return go(scan, byte == '0' ? STATE_ZERO : STATE_WHOLE);
    }
    if (state == STATE_POINT || state == STATE_FRACTION) {
        return go(scan, STATE_FRACTION);
    }
    bool is_exponent = state == STATE_E || state == STATE_E_SIGN || state == STATE_EXPONENT;
    return state != STATE_ZERO && go(scan, is_exponent ? STATE_EXPONENT : STATE_WHOLE);
}

/* True: the byte goes on with the number. */
static bool in_number(struct hearth_json_scan *scan, enum state state, uint8_t byte)
{
    bool is_whole = state == STATE_ZERO || state == STATE_WHOLE;
    switch (byte) {
    case '.': return is_whole && go(scan, STATE_POINT);
    case 'e':
    case 'E': return (is_whole || state == STATE_FRACTION) && go(scan, STATE_E);
    case '-':
    case '+': return state == STATE_E && go(scan, STATE_E_SIGN);
    default: return is_digit(byte) && one_more_digit(scan, state, byte);
    }
}

static bool may_number_end(enum state state)
{
    return state == STATE_ZERO || state == STATE_WHOLE || state == STATE_FRACTION ||
           state == STATE_EXPONENT;
}

/* Between the parts of an object or an array. */
static bool between(struct hearth_json_scan *scan, enum state state, uint8_t byte)
{
    if (is_space(byte)) {
        return state != STATE_BEGIN;
    }
    switch ((int)state) {
    case STATE_BEGIN: return byte == '{' && open_nested(scan, true);
    case STATE_COLON: return byte == ':' && go(scan, STATE_VALUE);
    case STATE_AFTER: return after_value(scan, byte);
    case STATE_VALUE_OR_END: return byte == ']' ? close_nested(scan) : begin_value(scan, byte);
    case STATE_VALUE: return begin_value(scan, byte);
    default: /* a key, or the end of an object without any */
        if (byte == '}' && state == STATE_KEY_OR_END) {
            return close_nested(scan);
        }
        return byte == '"' && begin_string(scan, true);
    }
}

static bool take(struct hearth_json_scan *scan, uint8_t byte)
{
    enum state state = (enum state)scan->state;
    if (state < STATE_STRING) {
        return between(scan, state, byte);
    }
    if (state == STATE_STRING) {
        return in_string(scan, byte);
    }
    if (state < STATE_WORD) {
        return in_escape(scan, byte);
    }
    if (state == STATE_WORD) {
        return in_word(scan, byte);
    }
    if (in_number(scan, state, byte)) {
        return true;
    }
    return may_number_end(state) && go(scan, STATE_AFTER) && between(scan, STATE_AFTER, byte);
}

enum hearth_json_scan_end hearth_json_scan_feed(struct hearth_json_scan *scan,
                                                struct hearth_slice bytes, size_t *ret_used)
{
    for (size_t at = 0; at < bytes.size; at++) {
        if (!take(scan, bytes.data[at])) {
            *ret_used = at;
            return HEARTH_JSON_SCAN_BAD;
        }
        if (scan->depth == 0) {
            *ret_used = at + 1;
            return HEARTH_JSON_SCAN_DONE;
        }
    }
    *ret_used = bytes.size;
    return HEARTH_JSON_SCAN_MORE;
}
