/* pattern.c — regular expressions of JSON schemas, as far as they are regular.
 *
 * Known: characters, `.`, classes, \d \w \s and their opposites, groups, `|`, * + ? {m,n} (a `?`
 * behind them changes nothing), ^ at the beginning and $ at the end of an alternative. All else is
 * refused. \d, \w and \s are of ASCII, as in ECMAScript (whose \s has more). What is built is the
 * text of the string as JSON: a quote is an escape there. */

#include "schema.h"

struct reader {
    struct schema *schema;
    struct hearth_slice text;
    size_t at;
    uint32_t group; /* open ones */
    const yyjson_val *where;
};

static struct pattern nothing(void)
{
    return (struct pattern){DRAFT_EMPTY, 0, 0};
}

static struct pattern wrong(struct reader *reader, int code, const char *what)
{
    schema_fail(reader->schema, code, reader->where, "byte %zu of the pattern: %s", reader->at,
                what);
    return (struct pattern){DRAFT_NEVER, 0, 0};
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

static bool failed(const struct reader *reader)
{
    return reader->schema->draft->code != 0;
}

static uint32_t sum(uint32_t a, uint32_t b)
{
    return a > DRAFT_UNLIMITED - b ? DRAFT_UNLIMITED : a + b;
}

static uint32_t times(uint32_t a, uint32_t b)
{
    uint64_t product = (uint64_t)a * b;
    return a == 0 || b == 0 ? 0 : (uint32_t)HEARTH_MIN(product, (uint64_t)DRAFT_UNLIMITED);
}

static struct pattern join(struct reader *reader, struct pattern a, struct pattern b)
{
    return (struct pattern){draft_sequence(reader->schema->draft, a.expr, b.expr),
                            sum(a.min, b.min), sum(a.max, b.max)};
}

static struct pattern either(struct reader *reader, struct pattern a, struct pattern b)
{
    return (struct pattern){draft_choice(reader->schema->draft, a.expr, b.expr),
                            HEARTH_MIN(a.min, b.min), HEARTH_MAX(a.max, b.max)};
}

static struct pattern repeat(struct reader *reader, struct pattern a, uint32_t min, uint32_t max)
{
    return (struct pattern){draft_repeat(reader->schema->draft, a.expr, min, max),
                            times(a.min, min), times(a.max, max)};
}

/* ---- characters ------------------------------------------------------------------------------ */

static void add_named(struct characters *set, int name)
{
    switch (name) {
    case 'd': characters_add(set, '0', '9'); break;
    case 'w':
        characters_add(set, '0', '9');
        characters_add(set, 'A', 'Z');
        characters_add(set, '_', '_');
        characters_add(set, 'a', 'z');
        break;
    case 's':
        characters_add(set, '\t', '\r');
        characters_add(set, ' ', ' ');
        break;
    default: break;
    }
}

/* What some reader counts to a named class beyond ASCII. */
static void add_foreign(struct characters *set, int name)
{
    if (name != 's') {
        characters_add(set, 0x80, CHARACTERS_LAST);
        return;
    }
    static const struct character_range spaces[] = {
        {0x1C, 0x1F},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
        {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
    };
    for (size_t i = 0; i < HEARTH_COUNT(spaces); i++) {
        characters_add(set, spaces[i].first, spaces[i].last);
    }
}

/* Adds one of \d \w \s \D \W \S; false if @name is none. Readers differ on what is a digit beyond
 * ASCII: the class has only what all agree on, or, if it @is_inverted, what any of them counts in.
 */
static bool add_class(struct characters *set, int name, bool is_inverted)
{
    int lower = name >= 'A' && name <= 'Z' ? name - 'A' + 'a' : name;
    if (lower != 'd' && lower != 'w' && lower != 's') {
        return false;
    }
    struct characters named;
    characters_clear(&named);
    add_named(&named, lower);
    if ((lower == name) == is_inverted) {
        add_foreign(&named, lower);
    }
    if (lower != name) {
        characters_invert(&named);
    }
    for (uint32_t i = 0; i < named.count; i++) {
        characters_add(set, named.ranges[i].first, named.ranges[i].last);
    }
    return true;
}

static uint32_t read_hex(struct reader *reader, unsigned digits)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < digits; i++, reader->at++) {
        int byte = peek(reader);
        int digit = byte >= '0' && byte <= '9'   ? byte - '0'
                    : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                    : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                                 : -1;
        if (digit < 0) {
            wrong(reader, HEARTH_E_INPUT_INVALID, "hexadecimal digits are expected");
            return 0;
        }
        value = value << 4 | (uint32_t)digit;
    }
    return value;
}

/* Behind a backslash: one character. */
static uint32_t read_escape(struct reader *reader)
{
    static const char signs[] = "^$\\.*+?()[]{}|/-\"'#&,:;<=>@_`~!% ";
    int byte = peek(reader);
    reader->at += byte >= 0;
    switch (byte) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'f': return '\f';
    case 'v': return '\v';
    case 'x': return read_hex(reader, 2);
    case 'u': return read_hex(reader, 4);
    default: break;
    }
    if (byte <= 0 || strchr(signs, byte) == NULL) {
        wrong(reader, HEARTH_E_UNSUPPORTED, "this escape is not supported");
        return 0;
    }
    return (uint32_t)byte;
}

static uint32_t read_plain(struct reader *reader)
{
    uint32_t character = 0;
    unsigned size =
        reader->at < reader->text.size ? hearth_utf8_read(reader->text, reader->at, &character) : 0;
    if (size == 0) {
        wrong(reader, HEARTH_E_INPUT_INVALID, "it ends too early");
    }
    reader->at += size;
    return character;
}

/* One element of a class: a character, a range, or a named class. */
static void read_class_element(struct reader *reader, struct characters *set, bool is_inverted)
{
    if (take(reader, '\\')) {
        if (add_class(set, peek(reader), is_inverted)) {
            reader->at++;
            return;
        }
        reader->at--;
    }
    uint32_t first = take(reader, '\\') ? read_escape(reader) : read_plain(reader);
    uint32_t last = first;
    bool is_range = peek(reader) == '-' && reader->at + 1 < reader->text.size &&
                    reader->text.data[reader->at + 1] != ']';
    if (is_range) {
        reader->at++;
        last = take(reader, '\\') ? read_escape(reader) : read_plain(reader);
    }
    if (last < first) {
        wrong(reader, HEARTH_E_INPUT_INVALID, "a range runs backwards");
    }
    characters_add(set, first, last);
}

static struct pattern one_of(struct reader *reader, struct characters *set)
{
    return (struct pattern){schema_characters(reader->schema, set), 1, 1};
}

static struct pattern read_class(struct reader *reader)
{
    struct characters *set = &reader->schema->set;
    characters_clear(set);
    bool is_inverted = take(reader, '^');
    if (peek(reader) == ']') {
        return wrong(reader, HEARTH_E_UNSUPPORTED, "an empty class is not supported");
    }
    while (!failed(reader) && !take(reader, ']')) {
        read_class_element(reader, set, is_inverted);
    }
    if (is_inverted) {
        characters_invert(set);
    }
    return one_of(reader, set);
}

static struct pattern read_single(struct reader *reader)
{
    struct characters *set = &reader->schema->set;
    characters_clear(set);
    if (take(reader, '[')) {
        return read_class(reader);
    }
    if (take(reader, '.')) {
        characters_add(set, '\n', '\n');
        characters_add(set, '\r', '\r');
        characters_add(set, 0x2028, 0x2029);
        characters_invert(set);
        return one_of(reader, set);
    }
    if (take(reader, '\\')) {
        if (add_class(set, peek(reader), false)) {
            reader->at++;
            return one_of(reader, set);
        }
        uint32_t character = read_escape(reader);
        characters_add(set, character, character);
        return one_of(reader, set);
    }
    if (peek(reader) == '*' || peek(reader) == '+' || peek(reader) == '?' || peek(reader) == '{') {
        return wrong(reader, HEARTH_E_INPUT_INVALID, "there is nothing to repeat");
    }
    if (peek(reader) == '^' || peek(reader) == '$') {
        return wrong(reader, HEARTH_E_UNSUPPORTED,
                     "^ and $ are supported only at the ends of the pattern");
    }
    uint32_t character = read_plain(reader);
    characters_add(set, character, character);
    return one_of(reader, set);
}

/* ---- structure ------------------------------------------------------------------------------- */

static struct pattern read_choice(struct reader *reader);

static struct pattern read_group(struct reader *reader)
{
    if (++reader->group > HEARTH_GRAMMAR_MAX_NESTING) {
        return wrong(reader, HEARTH_E_TOO_LARGE, "groups nest too deep");
    }
    if (take(reader, '?') && !take(reader, ':')) {
        return wrong(reader, HEARTH_E_UNSUPPORTED, "of groups with (? only (?: is supported");
    }
    struct pattern all = read_choice(reader);
    reader->group--;
    if (!failed(reader) && !take(reader, ')')) {
        return wrong(reader, HEARTH_E_INPUT_INVALID, "`)` is expected");
    }
    return all;
}

static uint32_t read_number(struct reader *reader)
{
    uint32_t value = 0;
    if (peek(reader) < '0' || peek(reader) > '9') {
        wrong(reader, HEARTH_E_UNSUPPORTED, "a number is expected behind {");
        return 0;
    }
    for (; peek(reader) >= '0' && peek(reader) <= '9'; reader->at++) {
        value = value * 10 + (uint32_t)(peek(reader) - '0');
        if (value > HEARTH_GRAMMAR_MAX_COUNT) {
            wrong(reader, HEARTH_E_TOO_LARGE, "too many repetitions");
            return 0;
        }
    }
    return value;
}

static struct pattern read_repetition(struct reader *reader, struct pattern one)
{
    uint32_t min = 0;
    uint32_t max = DRAFT_UNLIMITED;
    if (take(reader, '{')) {
        min = read_number(reader);
        max = min;
        if (take(reader, ',')) {
            max = peek(reader) == '}' ? DRAFT_UNLIMITED : read_number(reader);
        }
        if (!failed(reader) && (!take(reader, '}') || max < min)) {
            return wrong(reader, HEARTH_E_INPUT_INVALID, "a repetition is {m}, {m,} or {m,n}");
        }
    } else if (take(reader, '+')) {
        min = 1;
    } else if (take(reader, '?')) {
        max = 1;
    } else if (!take(reader, '*')) {
        return one;
    }
    (void)take(reader, '?');
    if (peek(reader) == '+' || peek(reader) == '*' || peek(reader) == '{') {
        return wrong(reader, HEARTH_E_UNSUPPORTED, "a repetition of a repetition is not supported");
    }
    return repeat(reader, one, min, max);
}

static bool is_end(const struct reader *reader)
{
    int byte = peek(reader);
    return byte < 0 || byte == '|' || byte == ')';
}

static struct pattern read_sequence(struct reader *reader)
{
    struct pattern all = nothing();
    while (!failed(reader) && !is_end(reader) && !(peek(reader) == '$' && reader->group == 0)) {
        struct pattern one = take(reader, '(') ? read_group(reader) : read_single(reader);
        if (!failed(reader)) {
            all = join(reader, all, read_repetition(reader, one));
        }
    }
    return all;
}

/* Any text, as a pattern that is not anchored allows it in front and behind. */
static struct pattern anything(struct reader *reader)
{
    struct characters *set = &reader->schema->set;
    characters_clear(set);
    characters_add(set, 0, CHARACTERS_LAST);
    return repeat(reader, one_of(reader, set), 0, DRAFT_UNLIMITED);
}

static struct pattern read_alternative(struct reader *reader)
{
    if (reader->group > 0) {
        return read_sequence(reader);
    }
    bool is_at_begin = take(reader, '^');
    struct pattern all = read_sequence(reader);
    bool is_at_end = take(reader, '$');
    if (!is_at_begin) {
        all = join(reader, anything(reader), all);
    }
    return is_at_end ? all : join(reader, all, anything(reader));
}

static struct pattern read_choice(struct reader *reader)
{
    struct pattern all = read_alternative(reader);
    while (!failed(reader) && take(reader, '|')) {
        all = either(reader, all, read_alternative(reader));
    }
    return all;
}

struct pattern schema_pattern(struct schema *schema, struct hearth_slice text,
                              const yyjson_val *where)
{
    struct reader reader = {.schema = schema, .text = text, .where = where};
    struct pattern all = read_choice(&reader);
    if (!failed(&reader) && reader.at < text.size) {
        return wrong(&reader, HEARTH_E_INPUT_INVALID, "the end is expected here");
    }
    return all;
}
