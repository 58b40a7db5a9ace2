/* split_regex.c — one pass over the pattern: each construct is written anew, or refused. */

#include "split_regex.h"

#include "categories.h"

#include <ctype.h>
#include <stdio.h>

#define MOST_DEPTH  32u
#define MOST_REPEAT 1000u

#define SPACES                                                                                     \
    "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}"    \
    "\\x{205F}\\x{3000}"
#define NO_SPACES                                                                                  \
    "\\x{0}-\\x{8}\\x{E}-\\x{1F}\\x{21}-\\x{84}\\x{86}-\\x{9F}\\x{A1}-\\x{167F}"                   \
    "\\x{1681}-\\x{1FFF}\\x{200B}-\\x{2027}\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}"                 \
    "\\x{2060}-\\x{2FFF}\\x{3001}-\\x{10FFFF}"
/* Letters, marks, digits, connectors, and what Unicode calls alphabetic besides; outside of a class
 * Oniguruma takes a few digits of Latin-1 for word characters as well. */
#define WORDS                                                                                      \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24B6}-\\x{24E9}"                                         \
    "\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}"
#define WORDS_ALONE "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"
#define CATEGORIES_WORD                                                                            \
    (CATEGORIES_LETTER | CATEGORIES_MARK | CATEGORY(ND) | CATEGORY(NL) | CATEGORY(PC))

/** A set of characters: what PCRE2 says for it, and the categories whose newer members it lacks. */
struct set {
    const char *name;
    const char *members;
    uint32_t categories;
    const char *alone; /* members outside of a class only */
};

static const struct set escapes[] = {
    {"s", SPACES, 0, ""},
    {"d", "\\p{Nd}", CATEGORY(ND), ""},
    {"w", WORDS, CATEGORIES_WORD, WORDS_ALONE},
};

/* Not \p{Mn}: one character has left it, and PCRE2 may not know. */
#define PROPERTY(name, set)                                                                        \
    {                                                                                              \
        name, "\\p{" name "}", set, ""                                                             \
    }
#define SINGLE(name, upper) PROPERTY(name, CATEGORY(upper))
static const struct set properties[] = {
    PROPERTY("L", CATEGORIES_LETTER),
    PROPERTY("M", CATEGORIES_MARK),
    PROPERTY("N", CATEGORIES_NUMBER),
    PROPERTY("P", CATEGORIES_PUNCTUATION),
    PROPERTY("S", CATEGORIES_SYMBOL),
    PROPERTY("Z", CATEGORIES_SPACE),
    SINGLE("Lu", LU),
    SINGLE("Ll", LL),
    SINGLE("Lt", LT),
    SINGLE("Lm", LM),
    SINGLE("Lo", LO),
    SINGLE("Nd", ND),
    SINGLE("Nl", NL),
    SINGLE("No", NO),
    SINGLE("Pc", PC),
    SINGLE("Pd", PD),
    SINGLE("Ps", PS),
    SINGLE("Pe", PE),
    SINGLE("Pi", PI),
    SINGLE("Pf", PF),
    SINGLE("Po", PO),
    SINGLE("Sm", SM),
    SINGLE("Sc", SC),
    SINGLE("Sk", SK),
    SINGLE("So", SO),
    SINGLE("Zs", ZS),
    SINGLE("Zl", ZL),
    SINGLE("Zp", ZP),
    SINGLE("Cc", CC),
};

/** A group that is open; lengths are the fewest characters that match. */
struct group {
    bool is_look;
    size_t start;      /* in what is written */
    uint32_t length;   /* of the alternative at hand */
    uint32_t shortest; /* of those before; UINT32_MAX: none */
};

struct translation {
    struct hearth_slice pattern;
    size_t at;
    struct hearth_buf *out;
    struct group groups[MOST_DEPTH];
    unsigned depth;
    bool has_atom;        /* what came last can be repeated */
    uint32_t atom_length; /* fewest characters that it matches */
    size_t atom_start;    /* in what is written */
};

static char peek(const struct translation *to, size_t ahead)
{
    return to->at + ahead < to->pattern.size ? (char)to->pattern.data[to->at + ahead] : '\0';
}

static bool skip(struct translation *to, const char *text)
{
    size_t size = strlen(text);
    if (to->pattern.size - to->at < size || memcmp(to->pattern.data + to->at, text, size) != 0) {
        return false;
    }
    to->at += size;
    return true;
}

static int put(struct translation *to, const char *text)
{
    return hearth_buf_append(to->out, text, strlen(text));
}

/* What is written from @start on can be repeated. */
static void atom(struct translation *to, size_t start, uint32_t length)
{
    to->has_atom = true;
    to->atom_start = start;
    to->atom_length = length;
    to->groups[to->depth].length += length; /* in all no more than the pattern is long */
}

static int put_set(struct translation *to, const struct set *set, bool is_negated, bool is_in_class)
{
    if (is_in_class && is_negated) { /* only the rest of white space is short enough to list */
        return set->categories == 0 ? put(to, NO_SPACES) : HEARTH_E_UNSUPPORTED;
    }
    int rc = is_in_class ? 0 : put(to, is_negated ? "[^" : "[");
    rc = rc < 0 ? rc : put(to, set->members);
    rc = rc < 0 ? rc : categories_write_newer(set->categories, to->out);
    if (rc == 0 && !is_in_class) {
        rc = put(to, set->alone);
        rc = rc < 0 ? rc : put(to, "]");
    }
    return rc;
}

/* \p{…}, behind the p. */
static int put_property(struct translation *to, bool is_negated, bool is_in_class)
{
    if (!skip(to, "{")) {
        return HEARTH_E_UNSUPPORTED;
    }
    is_negated = skip(to, "^") ? !is_negated : is_negated;
    for (size_t i = 0; i < HEARTH_COUNT(properties); i++) {
        char name[8];
        snprintf(name, sizeof name, "%s}", properties[i].name);
        if (skip(to, name)) {
            return put_set(to, &properties[i], is_negated, is_in_class);
        }
    }
    return HEARTH_E_UNSUPPORTED;
}

/* Up to @most hexadecimal digits; false if there are none. */
static bool read_hex(struct translation *to, unsigned most, uint32_t *ret)
{
    uint32_t value = 0;
    unsigned count = 0;
    for (; count < most && isxdigit((unsigned char)peek(to, 0)); count++) {
        char c = peek(to, 0);
        value = value * 16 + (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        to->at++;
    }
    *ret = value;
    return count > 0;
}

/* The character behind \x or \u. A byte of a longer character is none. */
static bool read_code(struct translation *to, bool is_short, uint32_t *ret)
{
    bool is_good;
    if (is_short && skip(to, "{")) {
        is_good = read_hex(to, 6, ret) && skip(to, "}");
    } else if (is_short) {
        is_good = read_hex(to, 2, ret) && *ret < 0x80;
    } else {
        size_t start = to->at;
        is_good = read_hex(to, 4, ret) && to->at == start + 4;
    }
    return is_good && *ret <= 0x10FFFF && (*ret < 0xD800 || *ret > 0xDFFF);
}

/* A single character, escaped or not; false (and nothing moved) if it is something else. */
static bool read_char(struct translation *to, uint32_t *ret)
{
    size_t start = to->at;
    if (peek(to, 0) != '\\') {
        to->at += hearth_utf8_read(to->pattern, to->at, ret);
        return true;
    }
    char c = peek(to, 1);
    to->at += 2;
    static const char simple[] = "nrtfae";
    static const char meant[] = "\n\r\t\f\a\x1B";
    const char *found = c != '\0' ? strchr(simple, c) : NULL;
    bool is_char = true;
    if (found != NULL) {
        *ret = (uint32_t)meant[found - simple];
    } else if (c == 'x' || c == 'u') {
        is_char = read_code(to, c == 'x', ret);
    } else {
        *ret = (uint8_t)c;
        is_char = c == ' ' || ispunct((unsigned char)c);
    }
    to->at = is_char ? to->at : start;
    return is_char;
}

static int put_char(struct translation *to, uint32_t c)
{
    return hearth_buf_printf(to->out, "\\x{%X}", (unsigned)c);
}

/* \s \S \d \D \w \W \p{…} \P{…}; whether it is one of them at all is *@ret_is_set. */
static int put_escaped_set(struct translation *to, bool is_in_class, bool *ret_is_set)
{
    char c = peek(to, 0) == '\\' ? peek(to, 1) : '\0';
    bool is_negated = c >= 'A' && c <= 'Z';
    *ret_is_set = true;
    if (c == 'p' || c == 'P') {
        to->at += 2;
        return put_property(to, is_negated, is_in_class);
    }
    for (size_t i = 0; c != '\0' && i < HEARTH_COUNT(escapes); i++) {
        if ((c | 0x20) == *escapes[i].name) {
            to->at += 2;
            return put_set(to, &escapes[i], is_negated, is_in_class);
        }
    }
    *ret_is_set = false;
    return 0;
}

/* A character of a class, or a range of them. */
static int put_range(struct translation *to)
{
    uint32_t first;
    uint32_t last;
    char c = peek(to, 0);
    bool is_plain =
        c != '[' && !(c == '&' && peek(to, 1) == '&') && (c != '-' || peek(to, 1) == ']');
    if (!is_plain || !read_char(to, &first)) {
        return HEARTH_E_UNSUPPORTED;
    }
    int rc = put_char(to, first);
    if (rc < 0 || peek(to, 0) != '-' || peek(to, 1) == ']') {
        return rc;
    }
    to->at++;
    c = peek(to, 0);
    if (c == '[' || c == '-' || !read_char(to, &last) || last < first) {
        return HEARTH_E_UNSUPPORTED;
    }
    rc = put(to, "-");
    return rc < 0 ? rc : put_char(to, last);
}

/* […], behind the bracket. */
static int put_class(struct translation *to)
{
    int rc = put(to, "[");
    if (rc == 0 && skip(to, "^")) {
        rc = put(to, "^");
    }
    if (rc == 0 && peek(to, 0) == ']') {
        rc = HEARTH_E_UNSUPPORTED;
    }
    if (rc == 0 && skip(to, "-")) {
        rc = put_char(to, '-');
    }
    while (rc == 0 && !skip(to, "]")) {
        bool is_set = false;
        if (to->at == to->pattern.size) {
            return HEARTH_E_UNSUPPORTED;
        }
        rc = put_escaped_set(to, true, &is_set);
        if (rc == 0 && !is_set) {
            rc = put_range(to);
        }
    }
    return rc < 0 ? rc : put(to, "]");
}

/* (?i:…), behind the colon. Two letters that fold into one character together are refused. */
static int put_caseless(struct translation *to)
{
    static const char *const folded[] = {"ff", "fi", "fl", "ss", "st"};
    size_t start = to->out->size;
    int rc = put(to, "(?i:");
    uint32_t shortest = UINT32_MAX;
    uint32_t length = 0;
    for (; rc == 0 && peek(to, 0) != ')'; to->at++) {
        char c = peek(to, 0);
        if (c != '|' && c != '\'' && !isalpha((unsigned char)c)) {
            return HEARTH_E_UNSUPPORTED;
        }
        for (size_t i = 0; i < HEARTH_COUNT(folded); i++) {
            if ((c | 0x20) == folded[i][0] && (peek(to, 1) | 0x20) == folded[i][1]) {
                return HEARTH_E_UNSUPPORTED;
            }
        }
        shortest = c == '|' ? HEARTH_MIN(shortest, length) : shortest;
        length = c == '|' ? 0 : length + 1;
        rc = hearth_buf_append(to->out, &c, 1);
    }
    to->at++;
    atom(to, start, HEARTH_MIN(shortest, length));
    return rc < 0 ? rc : put(to, ")");
}

static int open_group(struct translation *to)
{
    static const struct {
        const char *text;
        const char *written;
        bool is_look;
    } kinds[] = {{"?:", "(?:", false},
                 {"?=", "(?=", true},
                 {"?!", "(?!", true},
                 {"?>", "(?>", false},
                 {"", "(?:", false}};
    if (skip(to, "?i:")) {
        return put_caseless(to);
    }
    size_t i = 0;
    while (!skip(to, kinds[i].text)) {
        i++;
    }
    if (peek(to, 0) == '?' || peek(to, 0) == '*' || to->depth + 1 == MOST_DEPTH) {
        return HEARTH_E_UNSUPPORTED;
    }
    to->groups[++to->depth] =
        (struct group){.is_look = kinds[i].is_look, .start = to->out->size, .shortest = UINT32_MAX};
    to->has_atom = false;
    return put(to, kinds[i].written);
}

static int close_group(struct translation *to)
{
    if (to->depth == 0) {
        return HEARTH_E_UNSUPPORTED;
    }
    struct group group = to->groups[to->depth--];
    atom(to, group.start, group.is_look ? 0 : HEARTH_MIN(group.length, group.shortest));
    to->has_atom = !group.is_look;
    return put(to, ")");
}

static bool read_number(struct translation *to, uint32_t *ret)
{
    uint32_t value = 0;
    size_t start = to->at;
    while (isdigit((unsigned char)peek(to, 0)) && value <= MOST_REPEAT) {
        value = value * 10 + (uint32_t)(peek(to, 0) - '0');
        to->at++;
    }
    *ret = value;
    return to->at > start && value <= MOST_REPEAT;
}

/* {n} {n,} {n,m}, behind the brace. */
static int put_interval(struct translation *to, bool *ret_is_endless, uint32_t *ret_least)
{
    uint32_t most = 0;
    size_t start = to->at - 1;
    bool is_good = read_number(to, ret_least);
    if (is_good && skip(to, ",")) {
        *ret_is_endless = peek(to, 0) == '}';
        is_good = *ret_is_endless || (read_number(to, &most) && most >= *ret_least);
    }
    if (!is_good || !skip(to, "}") || peek(to, 0) == '?' || peek(to, 0) == '+') {
        return HEARTH_E_UNSUPPORTED;
    }
    return hearth_buf_append(to->out, to->pattern.data + start, to->at - start);
}

/* One in front of what is repeated, one behind. */
static int put_callouts(struct translation *to)
{
    static const char before[] = "(?C1)";
    const size_t size = sizeof before - 1;
    size_t end = to->out->size;
    int rc = put(to, before);
    if (rc == 0) {
        uint8_t *start = to->out->data + to->atom_start;
        memmove(start + size, start, end - to->atom_start);
        memcpy(start, before, size);
        rc = put(to, "(?C2)");
    }
    return rc;
}

static int put_quantifier(struct translation *to, char c)
{
    bool is_endless = c == '*' || c == '+';
    uint32_t least = c == '+' ? 1 : 0;
    if (!to->has_atom) {
        return HEARTH_E_UNSUPPORTED;
    }
    int rc = c == '{' ? put_interval(to, &is_endless, &least) : hearth_buf_append(to->out, &c, 1);
    if (rc == 0 && c != '{' && (peek(to, 0) == '?' || peek(to, 0) == '+')) {
        char how = peek(to, 0);
        to->at++;
        rc = hearth_buf_append(to->out, &how, 1);
    }
    if (rc == 0 && is_endless && to->atom_length == 0) {
        rc = HEARTH_E_UNSUPPORTED;
    }
    if (least == 0) {
        to->groups[to->depth].length -= to->atom_length;
    }
    to->has_atom = false;
    return rc == 0 && is_endless ? put_callouts(to) : rc;
}

/* What begins with a backslash, outside of classes. */
static int put_escape(struct translation *to)
{
    bool is_set = false;
    uint32_t c;
    if (skip(to, "\\A") || skip(to, "\\z")) {
        to->has_atom = false;
        return hearth_buf_append(to->out, to->pattern.data + to->at - 2, 2);
    }
    atom(to, to->out->size, 1);
    int rc = put_escaped_set(to, false, &is_set);
    if (rc == 0 && !is_set) {
        rc = read_char(to, &c) ? put_char(to, c) : HEARTH_E_UNSUPPORTED;
    }
    return rc;
}

static int put_anchor(struct translation *to, char c)
{
    to->has_atom = false;
    return hearth_buf_printf(to->out, "(?m:%c)", c);
}

static int next_alternative(struct translation *to)
{
    struct group *group = &to->groups[to->depth];
    group->shortest = HEARTH_MIN(group->shortest, group->length);
    group->length = 0;
    to->has_atom = false;
    return put(to, "|");
}

static int put_next(struct translation *to)
{
    char c = peek(to, 0);
    if (c == '\\') {
        return put_escape(to);
    }
    uint32_t literal;
    if (strchr("|()[]{}*+?^$.", c) == NULL) {
        read_char(to, &literal);
        atom(to, to->out->size, 1);
        return put_char(to, literal);
    }
    to->at++;
    switch (c) {
    case '|': return next_alternative(to);
    case '(': return open_group(to);
    case ')': return close_group(to);
    case '[': atom(to, to->out->size, 1); return put_class(to);
    case '^':
    case '$': return put_anchor(to, c);
    case '.': atom(to, to->out->size, 1); return put(to, ".");
    case ']':
    case '}': return HEARTH_E_UNSUPPORTED;
    default: return put_quantifier(to, c);
    }
}

int split_regex_translate(struct hearth_slice pattern, const char *where, struct hearth_buf *out,
                          struct hearth_error *err)
{
    struct translation to = {.pattern = pattern, .out = out};
    to.groups[0].shortest = UINT32_MAX;
    int rc = memchr(pattern.data, 0, pattern.size) == NULL ? 0 : HEARTH_E_UNSUPPORTED;
    size_t start = 0;
    while (rc == 0 && to.at < pattern.size) {
        start = to.at;
        rc = put_next(&to);
    }
    if (rc == 0 && to.depth > 0) {
        rc = HEARTH_E_UNSUPPORTED;
    }
    if (rc == HEARTH_E_UNSUPPORTED) {
        return hearth_fail(err, rc, "%s: the regular expression is not supported at byte %zu",
                           where, start);
    }
    return rc < 0 ? hearth_fail(err, rc, "%s: %s", where, hearth_error_sentence(rc)) : 0;
}
