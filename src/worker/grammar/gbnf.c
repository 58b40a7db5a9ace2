/* gbnf.c — reads llama.cpp's notation of grammars.
 *
 *   root ::= "yes" | "no" reason?        # a comment
 *   reason ::= ", " [a-zäöü ]{1,40} ("." | "!")
 *
 * Literals and classes know \n \r \t \\ \" \[ \] \xHH \uHHHH \UHHHHHHHH; `.` is any character. A
 * rule ends with its line, unless a group is open or the line ends with `|` or `::=`. */

#include "automaton.h"
#include "characters.h"

#define NAME_SLOTS (2 * HEARTH_GRAMMAR_MAX_RULES)
#define MAX_NAME   128u

struct reader {
    struct draft *draft;
    struct hearth_slice text;
    size_t at;
    uint32_t line;
    uint32_t group;  /* open ones */
    uint32_t *slots; /* of names: rule + 1 */
    struct characters set;
};

static uint32_t wrong(struct reader *reader, const char *what)
{
    return draft_fail(reader->draft, HEARTH_E_INPUT_INVALID, "line %u: %s", reader->line, what);
}

static int peek(const struct reader *reader)
{
    return reader->at < reader->text.size ? reader->text.data[reader->at] : -1;
}

static bool take(struct reader *reader, char wanted)
{
    bool is_there = peek(reader) == (uint8_t)wanted;
    reader->at += is_there;
    return is_there;
}

/* Blanks and comments; line ends too, where the rule cannot be over. */
static void skip(struct reader *reader, bool over_lines)
{
    for (;; reader->at++) {
        int byte = peek(reader);
        if (byte == '#') {
            while (peek(reader) >= 0 && peek(reader) != '\n' && peek(reader) != '\r') {
                reader->at++;
            }
            byte = peek(reader);
        }
        bool is_line_end = byte == '\n' || byte == '\r';
        if (byte != ' ' && byte != '\t' && !(is_line_end && over_lines)) {
            return;
        }
        reader->line += byte == '\n';
    }
}

static bool is_name_byte(int byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '-' ||
           byte == '_' || (byte >= '0' && byte <= '9');
}

static struct hearth_slice read_name(struct reader *reader)
{
    size_t from = reader->at;
    while (is_name_byte(peek(reader))) {
        reader->at++;
    }
    struct hearth_slice name = hearth_slice_of(reader->text.data + from, reader->at - from);
    if (name.size == 0 || name.size > MAX_NAME) {
        wrong(reader, name.size == 0 ? "a name of a rule is expected" : "a name is too long");
    }
    return name;
}

/* The rule of that name; it may be written later. */
static uint32_t find_rule(struct reader *reader, struct hearth_slice name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ name.data[i]) * 16777619u;
    }
    uint32_t at = hash % NAME_SLOTS;
    for (; reader->slots[at] != 0; at = (at + 1) % NAME_SLOTS) {
        uint32_t rule = reader->slots[at] - 1;
        if (hearth_slice_equal(reader->draft->rules[rule].name, name)) {
            return rule;
        }
    }
    uint32_t rule = draft_rule(reader->draft, name, reader->line);
    if (reader->draft->code == 0) {
        reader->slots[at] = rule + 1;
    }
    return rule;
}

/* ---- characters ------------------------------------------------------------------------------ */

static uint32_t read_hex(struct reader *reader, unsigned digits)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < digits; i++) {
        int byte = peek(reader);
        int digit = byte >= '0' && byte <= '9'   ? byte - '0'
                    : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                    : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                                 : -1;
        if (digit < 0) {
            return wrong(reader, "an escape has too few hexadecimal digits");
        }
        value = value << 4 | (uint32_t)digit;
        reader->at++;
    }
    if (value > CHARACTERS_LAST || (value >= 0xD800 && value <= 0xDFFF)) {
        return wrong(reader, "an escape names no character");
    }
    return value;
}

static uint32_t read_character(struct reader *reader)
{
    uint32_t character = 0;
    if (!take(reader, '\\')) {
        if (reader->at >= reader->text.size) {
            return wrong(reader, "the text ends too early");
        }
        unsigned size = hearth_utf8_read(reader->text, reader->at, &character);
        if (size == 0) {
            return wrong(reader, "not valid UTF-8");
        }
        if (character == '\n') {
            return wrong(reader, "a line ends within quotes or brackets; write \\n");
        }
        reader->at += size;
        return character;
    }
    int byte = peek(reader);
    reader->at += byte >= 0;
    switch (byte) {
    case 'x': return read_hex(reader, 2);
    case 'u': return read_hex(reader, 4);
    case 'U': return read_hex(reader, 8);
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case '\\':
    case '"':
    case '[':
    case ']':
    case '^':
    case '-': return (uint32_t)byte;
    default: return wrong(reader, "an unknown escape");
    }
}

static uint32_t read_literal(struct reader *reader)
{
    struct draft *draft = reader->draft;
    struct hearth_buf text;
    hearth_buf_init(&text, HEARTH_GRAMMAR_MAX_SOURCE_BYTES);
    while (draft->code == 0 && !take(reader, '"')) {
        uint8_t bytes[4];
        unsigned size = hearth_utf8_write(read_character(reader), bytes);
        if (hearth_buf_append(&text, bytes, size) < 0) {
            draft_fail(draft, HEARTH_E_NO_MEMORY, "out of memory");
        }
    }
    uint32_t expr = draft_text(draft, hearth_buf_slice(&text));
    hearth_buf_finish(&text);
    return expr;
}

static uint32_t read_class(struct reader *reader)
{
    struct characters *set = &reader->set;
    characters_clear(set);
    bool is_inverted = take(reader, '^');
    while (reader->draft->code == 0 && !take(reader, ']')) {
        uint32_t first = read_character(reader);
        uint32_t last = first;
        bool is_range = peek(reader) == '-' && reader->at + 1 < reader->text.size &&
                        reader->text.data[reader->at + 1] != ']';
        if (is_range) {
            reader->at++;
            last = read_character(reader);
        }
        if (last < first) {
            return wrong(reader, "a range of characters runs backwards");
        }
        characters_add(set, first, last);
    }
    if (is_inverted) {
        characters_invert(set);
    }
    return draft_characters(reader->draft, set);
}

/* ---- structure ------------------------------------------------------------------------------- */

static uint32_t read_choice(struct reader *reader);

static uint32_t read_group(struct reader *reader)
{
    if (++reader->group > HEARTH_GRAMMAR_MAX_NESTING) {
        return draft_fail(reader->draft, HEARTH_E_TOO_LARGE,
                          "line %u: groups nest more than %u deep", reader->line,
                          HEARTH_GRAMMAR_MAX_NESTING);
    }
    skip(reader, true);
    uint32_t expr = read_choice(reader);
    reader->group--;
    if (!take(reader, ')')) {
        return wrong(reader, "`)` is expected");
    }
    return expr;
}

static uint32_t read_number(struct reader *reader)
{
    uint32_t value = 0;
    if (peek(reader) < '0' || peek(reader) > '9') {
        return wrong(reader, "a number is expected between { and }");
    }
    while (peek(reader) >= '0' && peek(reader) <= '9') {
        value = value * 10 + (uint32_t)(peek(reader) - '0');
        reader->at++;
        if (value > HEARTH_GRAMMAR_MAX_COUNT) {
            return draft_fail(reader->draft, HEARTH_E_TOO_LARGE,
                              "line %u: repeated more than %u times", reader->line,
                              HEARTH_GRAMMAR_MAX_COUNT);
        }
    }
    return value;
}

static uint32_t read_counts(struct reader *reader, uint32_t expr)
{
    skip(reader, reader->group > 0);
    uint32_t min = peek(reader) == ',' ? 0 : read_number(reader);
    uint32_t max = min;
    skip(reader, reader->group > 0);
    if (take(reader, ',')) {
        skip(reader, reader->group > 0);
        max = peek(reader) == '}' ? DRAFT_UNLIMITED : read_number(reader);
        skip(reader, reader->group > 0);
    }
    if (!take(reader, '}')) {
        return wrong(reader, "`}` is expected");
    }
    if (max < min) {
        return wrong(reader, "the counts of a repetition run backwards");
    }
    return draft_repeat(reader->draft, expr, min, max);
}

/* One element without what repeats it; DRAFT_EMPTY and false where none begins. */
static bool read_element(struct reader *reader, uint32_t *ret)
{
    if (take(reader, '"')) {
        *ret = read_literal(reader);
    } else if (take(reader, '[')) {
        *ret = read_class(reader);
    } else if (take(reader, '(')) {
        *ret = read_group(reader);
    } else if (take(reader, '.')) {
        characters_clear(&reader->set);
        characters_add(&reader->set, 0, CHARACTERS_LAST);
        *ret = draft_characters(reader->draft, &reader->set);
    } else if (is_name_byte(peek(reader))) {
        uint32_t rule = find_rule(reader, read_name(reader));
        *ret = draft_call(reader->draft, rule);
    } else if (peek(reader) == '<' || peek(reader) == '!') {
        *ret = draft_fail(reader->draft, HEARTH_E_UNSUPPORTED,
                          "line %u: tokens (`<…>`, `!<…>`) are not supported", reader->line);
    } else {
        return false;
    }
    return true;
}

static uint32_t read_repetition(struct reader *reader, uint32_t expr)
{
    for (;;) {
        if (reader->draft->code != 0) {
            return DRAFT_NEVER;
        }
        if (take(reader, '*')) {
            expr = draft_repeat(reader->draft, expr, 0, DRAFT_UNLIMITED);
        } else if (take(reader, '+')) {
            expr = draft_repeat(reader->draft, expr, 1, DRAFT_UNLIMITED);
        } else if (take(reader, '?')) {
            expr = draft_optional(reader->draft, expr);
        } else if (take(reader, '{')) {
            expr = read_counts(reader, expr);
        } else {
            return expr;
        }
        skip(reader, reader->group > 0);
    }
}

static uint32_t read_sequence(struct reader *reader)
{
    uint32_t all = DRAFT_EMPTY;
    uint32_t element = DRAFT_EMPTY;
    while (reader->draft->code == 0 && read_element(reader, &element)) {
        skip(reader, reader->group > 0);
        all = draft_sequence(reader->draft, all, read_repetition(reader, element));
    }
    return all;
}

static uint32_t read_choice(struct reader *reader)
{
    uint32_t all = read_sequence(reader);
    while (reader->draft->code == 0 && take(reader, '|')) {
        skip(reader, true);
        all = draft_choice(reader->draft, all, read_sequence(reader));
    }
    return all;
}

static void read_rule(struct reader *reader, bool *written)
{
    uint32_t line = reader->line;
    struct hearth_slice name = read_name(reader);
    uint32_t rule = find_rule(reader, name);
    skip(reader, false);
    if (!take(reader, ':') || !take(reader, ':') || !take(reader, '=')) {
        wrong(reader, "`::=` is expected");
    }
    skip(reader, true);
    uint32_t expr = read_choice(reader);
    if (reader->draft->code != 0) {
        return;
    }
    if (peek(reader) >= 0 && peek(reader) != '\n' && peek(reader) != '\r') {
        wrong(reader, "the end of the line is expected");
    } else if (written[rule]) {
        draft_fail(reader->draft, HEARTH_E_INPUT_INVALID, "line %u: rule \"%.*s\" is written twice",
                   line, HEARTH_SLICE_ARGS(name));
    }
    draft_write_rule(reader->draft, rule, expr);
    reader->draft->rules[rule].line = line;
    written[rule] = true;
    skip(reader, true);
}

static void check_written(struct reader *reader, const bool *written)
{
    struct draft *draft = reader->draft;
    for (uint32_t rule = 0; rule < draft->rule_count && draft->code == 0; rule++) {
        if (!written[rule]) {
            const struct draft_rule *found = &draft->rules[rule];
            draft_fail(draft, HEARTH_E_INPUT_INVALID, "line %u: no rule \"%.*s\"", found->line,
                       HEARTH_SLICE_ARGS(found->name));
        }
    }
}

int hearth_grammar_gbnf(struct hearth_slice text, struct hearth_grammar **ret,
                        struct hearth_error *err)
{
    if (text.size > HEARTH_GRAMMAR_MAX_SOURCE_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "a grammar of more than %u bytes",
                           HEARTH_GRAMMAR_MAX_SOURCE_BYTES);
    }
    struct hearth_error own;
    HEARTH_AUTO(draft) struct draft draft;
    draft_init(&draft, err != NULL ? err : &own);
    HEARTH_AUTO(hearth_block) void *block = hearth_alloc(1, sizeof(struct reader));
    HEARTH_AUTO(hearth_block) void *slots = hearth_alloc(NAME_SLOTS, sizeof(uint32_t));
    HEARTH_AUTO(hearth_block) void *written = hearth_alloc(HEARTH_GRAMMAR_MAX_RULES, sizeof(bool));
    struct reader *reader = block;
    if (reader == NULL || slots == NULL || written == NULL) {
        return hearth_fail_oom(err);
    }
    *reader = (struct reader){.draft = &draft, .text = text, .line = 1, .slots = slots};
    find_rule(reader, hearth_slice_of_string("root")); /* rule 0: an answer follows it */
    skip(reader, true);
    while (draft.code == 0 && reader->at < text.size) {
        read_rule(reader, written);
    }
    check_written(reader, written);
    return grammar_compile(&draft, ret);
}
