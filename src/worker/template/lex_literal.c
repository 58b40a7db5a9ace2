/* lex_literal.c — strings and numbers inside tags, spelled as in Python. */

#include "node.h"

#include <errno.h>
#include <stdlib.h>

/* ── Strings ─────────────────────────────────────────────────────────────────────────────────── */

/* The string literal while its escapes are replaced. */
struct literal {
    struct lexer *lexer;
    struct hearth_slice raw; /* between the quotes */
    size_t at;
    uint8_t *out;
    size_t size;
};

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    uint8_t low = c | 0x20;
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : 16;
}

/* A character by its number, of @least to @most digits of @base; false if it is none. */
static bool put_number(struct literal *literal, size_t least, size_t most, int base)
{
    uint32_t c = 0;
    size_t count = 0;
    while (count < most && literal->at < literal->raw.size &&
           digit_of(literal->raw.data[literal->at]) < base) {
        c = c * (uint32_t)base + (uint32_t)digit_of(literal->raw.data[literal->at]);
        literal->at++;
        count++;
    }
    if (count < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return false;
    }
    literal->size += hearth_utf8_write(c, literal->out + literal->size);
    return true;
}

static bool put_escape(struct literal *literal)
{
    static const char from[] = "\\'\"abfnrtv";
    static const char to[] = "\\'\"\a\b\f\n\r\t\v";
    uint8_t c = literal->raw.data[literal->at];
    const char *simple = c == '\0' ? NULL : strchr(from, c);
    if (simple != NULL) {
        literal->out[literal->size++] = (uint8_t)to[simple - from];
        literal->at++;
        return true;
    }
    if (c >= '0' && c <= '7') {
        return put_number(literal, 1, 3, 8);
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        literal->at++;
        return put_number(literal, digits, digits, 16);
    }
    if (c == 'N' || c >= 0x80) {
        return false;
    }
    if (c == '\n') {
        literal->at++;
        return true;
    }
    literal->out[literal->size++] = '\\';
    return true;
}

struct token jinja_lex_string(struct lexer *lexer)
{
    const uint8_t *data = lexer->source.data;
    size_t start = lexer->at + 1;
    size_t end = start;
    while (end < lexer->source.size && data[end] != data[start - 1]) {
        end += data[end] == '\\' ? 2 : 1;
    }
    if (end >= lexer->source.size) {
        return jinja_lex_fail(lexer, "a string has no end");
    }
    struct literal literal = {lexer, hearth_slice_of(data + start, end - start), 0, NULL, 0};
    literal.out = jinja_keep(lexer, end - start + 1, 1); /* no escape is shorter than what it is */
    while (literal.out != NULL && literal.at < literal.raw.size) {
        uint8_t c = literal.raw.data[literal.at++];
        if (c != '\\') {
            literal.out[literal.size++] = c;
        } else if (!put_escape(&literal)) {
            return jinja_lex_fail(lexer, "an escape sequence that is not known");
        }
    }
    struct token token = {.kind = T_STRING, .line = lexer->line};
    token.text = hearth_slice_of(literal.out, literal.size);
    for (; lexer->at <= end; lexer->at++) {
        lexer->line += data[lexer->at] == '\n';
    }
    return lexer->rc < 0 ? jinja_lex_fail(lexer, "") : token;
}

/* ── Numbers ─────────────────────────────────────────────────────────────────────────────────── */

#define NUMBER_BYTES 64u

/* Digits of @base with single underscores between them, copied without these. */
static size_t copy_digits(const struct lexer *lexer, size_t at, int base, char *room, size_t *size)
{
    const struct hearth_slice source = lexer->source;
    while (at < source.size && *size < NUMBER_BYTES) {
        bool is_joint = source.data[at] == '_' && at + 1 < source.size;
        if (digit_of(source.data[at + is_joint]) >= base) {
            break;
        }
        at += is_joint;
        room[(*size)++] = (char)source.data[at++];
    }
    return at;
}

static bool is_digit_at(const struct lexer *lexer, size_t at)
{
    return at < lexer->source.size && digit_of(lexer->source.data[at]) < 10;
}

/* The part of a float behind its whole digits; returns @at if there is none. */
static size_t copy_fraction(const struct lexer *lexer, size_t at, char *room, size_t *size)
{
    const uint8_t *data = lexer->source.data;
    if (at < lexer->source.size && data[at] == '.' && is_digit_at(lexer, at + 1)) {
        room[(*size)++] = '.';
        at = copy_digits(lexer, at + 1, 10, room, size);
    }
    if (at < lexer->source.size && (data[at] | 0x20) == 'e') {
        size_t digits = at + 1;
        digits += digits < lexer->source.size && (data[digits] == '+' || data[digits] == '-');
        if (is_digit_at(lexer, digits)) {
            room[(*size)++] = 'e';
            if (digits > at + 1) {
                room[(*size)++] = (char)data[at + 1];
            }
            at = copy_digits(lexer, digits, 10, room, size);
        }
    }
    return at;
}

static int base_at(const struct lexer *lexer)
{
    if (lexer->source.data[lexer->at] != '0' || lexer->at + 1 >= lexer->source.size) {
        return 10;
    }
    switch (lexer->source.data[lexer->at + 1] | 0x20) {
    case 'x': return 16;
    case 'o': return 8;
    case 'b': return 2;
    default: return 10;
    }
}

struct token jinja_lex_number(struct lexer *lexer)
{
    char room[NUMBER_BYTES + 8] = {0};
    size_t size = 0;
    struct token token = {.kind = T_INT, .line = lexer->line};
    int base = base_at(lexer);
    bool is_after_dot = lexer->at > 0 && lexer->source.data[lexer->at - 1] == '.';
    size_t at = copy_digits(lexer, lexer->at + (base == 10 ? 0 : 2), base, room, &size);
    size_t end = base == 10 && !is_after_dot ? copy_fraction(lexer, at, room, &size) : at;
    if (size == 0 || size >= NUMBER_BYTES) {
        return jinja_lex_fail(lexer, "a number that is not known");
    }
    errno = 0;
    if (end > at) {
        token.kind = T_FLOAT;
        token.real = strtod(room, NULL);
    } else {
        token.number = strtoll(room, NULL, base);
        if (errno != 0) {
            return jinja_lex_fail(lexer, "a number that does not fit into 64 bits");
        }
        if (base == 10 && room[0] == '0' && token.number != 0) {
            return jinja_lex_fail(lexer, "a number that begins with 0");
        }
    }
    lexer->at = end;
    return token;
}
