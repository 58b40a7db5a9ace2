/* lex.c — template source → tokens: text, tags, and what is inside tags.
 *
 * White space around tags is taken away here, as the reference environment does with trim_blocks
 * and lstrip_blocks: a newline after a block goes, and so do blanks before a block that begins a
 * line; a minus sign in a tag takes all white space, a plus sign none. */

#include "node.h"

#include <stdio.h>

struct token jinja_lex_fail(struct lexer *lexer, const char *what)
{
    if (lexer->rc == 0) {
        lexer->rc = hearth_fail(lexer->err, HEARTH_E_UNSUPPORTED, "line %u: %s", lexer->line, what);
    }
    return (struct token){.kind = T_END, .line = lexer->line};
}

void *jinja_keep(struct lexer *lexer, size_t count, size_t size)
{
    struct hearth_arena *arena = &lexer->template->arena;
    bool has_room = count * size <= arena->cap - arena->used_bytes;
    void *memory = hearth_arena_alloc(arena, count, size);
    if (memory == NULL && lexer->rc == 0) {
        lexer->rc = has_room ? hearth_fail_oom(lexer->err)
                             : hearth_fail(lexer->err, HEARTH_E_TOO_LARGE,
                                           "line %u: the template takes more memory than the limit",
                                           lexer->line);
    }
    return memory;
}

/* One newline at the end is not part of a template. */
int jinja_lex_begin(struct lexer *lexer, struct hearth_template *template,
                    struct hearth_slice source, struct hearth_error *err)
{
    *lexer = (struct lexer){.template = template, .line = 1, .inside = T_END, .err = err};
    uint8_t *lines = jinja_keep(lexer, source.size, 1);
    if (lines == NULL) {
        return lexer->rc;
    }
    size_t size = 0;
    for (size_t i = 0; i < source.size; i++) {
        bool is_return = source.data[i] == '\r';
        lines[size++] = is_return ? '\n' : source.data[i];
        i += is_return && i + 1 < source.size && source.data[i + 1] == '\n';
    }
    size -= size > 0 && lines[size - 1] == '\n';
    lexer->source = hearth_slice_of(lines, size);
    return 0;
}

static bool is_at(const struct lexer *lexer, size_t at, const char *text)
{
    size_t size = strlen(text);
    return at <= lexer->source.size && lexer->source.size - at >= size &&
           memcmp(lexer->source.data + at, text, size) == 0;
}

static void move_to(struct lexer *lexer, size_t at)
{
    for (size_t i = lexer->at; i < at; i++) {
        lexer->line += lexer->source.data[i] == '\n';
    }
    lexer->at = at;
}

static size_t skip_space(const struct lexer *lexer, size_t at)
{
    size_t size = 0;
    while (at < lexer->source.size && jinja_is_space(jinja_character(lexer->source, at, &size))) {
        at += size;
    }
    return at;
}

/* Where white space at the end of source[start, end) begins. */
static size_t back_over_space(const struct lexer *lexer, size_t start, size_t end)
{
    while (end > start) {
        size_t at = end - 1;
        size_t size = 0;
        while (at > start && (lexer->source.data[at] & 0xc0) == 0x80) {
            at--;
        }
        if (!jinja_is_space(jinja_character(lexer->source, at, &size))) {
            break;
        }
        end = at;
    }
    return end;
}

/* What is left of the text source[start, end) in front of a tag with this sign. */
static size_t end_of_text(const struct lexer *lexer, size_t start, size_t end, char sign,
                          bool is_output)
{
    if (sign == '-') {
        return back_over_space(lexer, start, end);
    }
    if (sign == '+' || is_output) {
        return end;
    }
    size_t line = end;
    while (line > start && lexer->source.data[line - 1] != '\n') {
        line--;
    }
    bool begins_line = line > start || start == 0 || lexer->source.data[start - 1] == '\n';
    return begins_line && back_over_space(lexer, line, end) == line ? line : end;
}

/* After the end of a tag: @sign stood in front of it. */
static size_t after_tag(const struct lexer *lexer, size_t at, char sign, bool takes_newline)
{
    if (sign == '-') {
        return skip_space(lexer, at);
    }
    return at + (takes_newline && sign != '+' && is_at(lexer, at, "\n"));
}

static char sign_at(const struct lexer *lexer, size_t at)
{
    char c = at < lexer->source.size ? (char)lexer->source.data[at] : '\0';
    return c == '-' || c == '+' ? c : '\0';
}

static bool skip_comment(struct lexer *lexer, size_t begin)
{
    size_t at = begin + 2;
    at += sign_at(lexer, at) != '\0';
    for (size_t end = at; end < lexer->source.size; end++) {
        if (is_at(lexer, end, "#}")) {
            char sign = end > at ? sign_at(lexer, end - 1) : '\0';
            move_to(lexer, after_tag(lexer, end + 2, sign, true));
            return true;
        }
    }
    (void)jinja_lex_fail(lexer, "a comment has no end");
    return false;
}

/* Where the tag "{% NAME %}" at @at ends, or 0 if there is another one. */
static size_t lone_tag(const struct lexer *lexer, size_t at, const char *name, char *ret_sign)
{
    if (!is_at(lexer, at, "{%")) {
        return 0;
    }
    at += 2;
    at = skip_space(lexer, at + (sign_at(lexer, at) != '\0'));
    if (!is_at(lexer, at, name)) {
        return 0;
    }
    at = skip_space(lexer, at + strlen(name));
    *ret_sign = sign_at(lexer, at);
    at += *ret_sign != '\0';
    return is_at(lexer, at, "%}") ? at + 2 : 0;
}

static struct token text_token(struct lexer *lexer, size_t start, size_t end, uint32_t line)
{
    return (struct token){.kind = T_TEXT,
                          .line = line,
                          .text = hearth_slice_of(lexer->source.data + start, end - start)};
}

static struct token lex_raw(struct lexer *lexer, size_t start, char sign)
{
    uint32_t line = lexer->line;
    start = sign == '-' ? skip_space(lexer, start) : start;
    for (size_t at = start; at < lexer->source.size; at++) {
        size_t end = lone_tag(lexer, at, "endraw", &sign);
        if (end > 0) {
            size_t stop = end_of_text(lexer, start, at, sign_at(lexer, at + 2), false);
            move_to(lexer, after_tag(lexer, end, sign, true));
            return text_token(lexer, start, HEARTH_MAX(stop, start), line);
        }
    }
    return jinja_lex_fail(lexer, "raw has no endraw");
}

static size_t find_tag(const struct lexer *lexer)
{
    size_t at = lexer->at;
    while (at < lexer->source.size && !is_at(lexer, at, "{{") && !is_at(lexer, at, "{%") &&
           !is_at(lexer, at, "{#")) {
        at++;
    }
    return at;
}

/* The tag at the current place, which one of the three begins. */
static struct token lex_tag(struct lexer *lexer)
{
    char sign = '\0';
    size_t raw = lone_tag(lexer, lexer->at, "raw", &sign);
    if (raw > 0 && sign != '+') {
        return lex_raw(lexer, raw, sign);
    }
    bool is_output = is_at(lexer, lexer->at, "{{");
    struct token token = {.kind = is_output ? T_OUTPUT_BEGIN : T_BLOCK_BEGIN, .line = lexer->line};
    size_t at = lexer->at + 2;
    move_to(lexer, at + (sign_at(lexer, at) != '\0'));
    lexer->inside = is_output ? T_OUTPUT_END : T_BLOCK_END;
    lexer->bracket_count = 0;
    return token;
}

static struct token lex_text(struct lexer *lexer)
{
    while (lexer->at < lexer->source.size) {
        size_t start = lexer->at;
        uint32_t line = lexer->line;
        size_t tag = find_tag(lexer);
        size_t end = tag;
        if (tag < lexer->source.size) {
            end = end_of_text(lexer, start, tag, sign_at(lexer, tag + 2), is_at(lexer, tag, "{{"));
        }
        bool is_comment = is_at(lexer, tag, "{#");
        move_to(lexer, tag);
        if (is_comment && !skip_comment(lexer, tag)) {
            break;
        }
        if (end > start) {
            return text_token(lexer, start, end, line);
        }
        if (!is_comment) {
            return lex_tag(lexer);
        }
    }
    return (struct token){.kind = T_END, .line = lexer->line};
}

/* ── Inside tags ─────────────────────────────────────────────────────────────────────────────── */

static bool end_tag(struct lexer *lexer, struct token *ret)
{
    bool is_block = lexer->inside == T_BLOCK_END;
    size_t at = lexer->at;
    char sign = sign_at(lexer, at);
    sign = sign == '+' && !is_block ? '\0' : sign;
    if (!is_at(lexer, at + (sign != '\0'), is_block ? "%}" : "}}")) {
        return false;
    }
    *ret = (struct token){.kind = lexer->inside, .line = lexer->line};
    move_to(lexer, after_tag(lexer, at + (sign != '\0') + 2, sign, is_block));
    lexer->inside = T_END;
    return true;
}

static bool is_name_start(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static struct token lex_name(struct lexer *lexer)
{
    size_t end = lexer->at;
    const uint8_t *data = lexer->source.data;
    while (end < lexer->source.size && (is_name_start(data[end]) || is_digit(data[end]))) {
        end++;
    }
    struct token token = text_token(lexer, lexer->at, end, lexer->line);
    token.kind = T_NAME;
    lexer->at = end;
    return token;
}

static bool balance(struct lexer *lexer, char c)
{
    const char *open = "([{";
    const char *close = ")]}";
    const char *opened = strchr(open, c);
    if (opened != NULL) {
        if (lexer->bracket_count == JINJA_MAX_BRACKETS) {
            return false;
        }
        lexer->brackets[lexer->bracket_count++] = close[opened - open];
        return true;
    }
    if (strchr(close, c) == NULL) {
        return true;
    }
    return lexer->bracket_count > 0 && lexer->brackets[--lexer->bracket_count] == c;
}

static struct token lex_sign(struct lexer *lexer)
{
    static const char *const signs[] = {"**", "//", "==", "!=", ">=", "<=", "+", "-", "*",
                                        "/",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                        ">",  "<",  "=",  ".",  ":",  "|",  ","};
    for (size_t i = 0; i < HEARTH_COUNT(signs); i++) {
        if (is_at(lexer, lexer->at, signs[i])) {
            if (signs[i][1] == '\0' && !balance(lexer, signs[i][0])) {
                return jinja_lex_fail(lexer, "brackets do not match, or too many are open");
            }
            struct token token =
                text_token(lexer, lexer->at, lexer->at + strlen(signs[i]), lexer->line);
            token.kind = T_SIGN;
            lexer->at += token.text.size;
            return token;
        }
    }
    return jinja_lex_fail(lexer, "a character that no tag can contain");
}

struct token jinja_lex(struct lexer *lexer)
{
    struct token token = {.kind = T_END, .line = lexer->line};
    if (lexer->rc < 0) {
        return token;
    }
    if (lexer->inside == T_END) {
        return lex_text(lexer);
    }
    move_to(lexer, skip_space(lexer, lexer->at));
    if (lexer->at >= lexer->source.size) {
        return jinja_lex_fail(lexer, "a tag has no end");
    }
    if (lexer->bracket_count == 0 && end_tag(lexer, &token)) {
        return token;
    }
    uint8_t c = lexer->source.data[lexer->at];
    if (is_digit(c)) {
        return jinja_lex_number(lexer);
    }
    if (is_name_start(c)) {
        return lex_name(lexer);
    }
    return c == '"' || c == '\'' ? jinja_lex_string(lexer) : lex_sign(lexer);
}
