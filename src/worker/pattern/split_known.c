/* split_known.c — GPT-2's pattern and its heirs, alternative by alternative. */

#include "split_known.h"

#include "categories.h"

#define HEIR(digits)                                                                               \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits                           \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct {
    const char *text;
    enum known_pattern pattern;
} known[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     KNOWN_GPT2},
    {HEIR("\\p{N}"), KNOWN_QWEN2},
    {HEIR("\\p{N}{1,3}"), KNOWN_LLAMA3},
};

enum known_pattern known_pattern(struct hearth_slice pattern)
{
    for (size_t i = 0; i < HEARTH_COUNT(known); i++) {
        if (hearth_slice_equals_string(pattern, known[i].text)) {
            return known[i].pattern;
        }
    }
    return KNOWN_NONE;
}

/* The end of the run of one kind that starts at @at. */
static size_t run_end(struct hearth_slice text, size_t at, enum char_kind kind)
{
    unsigned length = 0;
    while (at < text.size && kind_at(text, at, &length) == kind) {
        at += length;
    }
    return at;
}

/* The byte at @at, a small letter if @folds and it is a large one; 0 behind the end. */
static uint8_t letter_at(struct hearth_slice text, size_t at, bool folds)
{
    uint8_t byte = at < text.size ? text.data[at] : 0;
    return folds && byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

/* 's 't 're 've 'm 'll 'd: the length of what is at the apostrophe at @at, or 0. */
static size_t contraction(struct hearth_slice text, size_t at, bool folds)
{
    uint8_t first = letter_at(text, at + 1, folds);
    uint8_t second = letter_at(text, at + 2, folds);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') {
        return 2;
    }
    if (((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l')) {
        return 3;
    }
    return folds && first == 0xC5 && second == 0xBF ? 3 : 0; /* the long s is an s as well */
}

/* \s+(?!\S)|\s+: a run leaves its last character to what follows, unless it has no other. */
static size_t space_end(struct hearth_slice text, size_t at)
{
    unsigned length = 0;
    kind_at(text, at, &length);
    size_t last = at;
    size_t end = at + length;
    while (end < text.size && kind_at(text, end, &length) == KIND_SPACE) {
        last = end;
        end += length;
    }
    return end == text.size || last == at ? end : last;
}

static size_t match_gpt2(struct hearth_slice text, size_t at)
{
    if (text.data[at] == '\'') {
        size_t length = contraction(text, at, false);
        if (length > 0) {
            return at + length;
        }
    }
    unsigned length = 1;
    size_t start = text.data[at] == ' ' ? at + 1 : at;
    enum char_kind kind = start < text.size ? kind_at(text, start, &length) : KIND_SPACE;
    return kind != KIND_SPACE ? run_end(text, start + length, kind) : space_end(text, at);
}

static bool is_line_end(uint8_t byte)
{
    return byte == '\r' || byte == '\n';
}

/* White space: up to the last line end in the run, or else as above. */
static size_t heir_space_end(struct hearth_slice text, size_t at)
{
    size_t end = run_end(text, at, KIND_SPACE);
    while (end > at && !is_line_end(text.data[end - 1])) {
        end--;
    }
    return end > at ? end : space_end(text, at);
}

static size_t numbers_end(struct hearth_slice text, size_t at, unsigned most)
{
    unsigned length = 0;
    for (unsigned i = 0; i < most && at < text.size; i++) {
        if (kind_at(text, at, &length) != KIND_NUMBER) {
            break;
        }
        at += length;
    }
    return at;
}

static size_t match_heir(struct hearth_slice text, size_t at, unsigned most_digits)
{
    size_t apostrophe = text.data[at] == '\'' ? contraction(text, at, true) : 0;
    if (apostrophe > 0) {
        return at + apostrophe;
    }
    unsigned length = 0;
    enum char_kind kind = kind_at(text, at, &length);
    size_t next = at + length;
    if (kind == KIND_LETTER) {
        return run_end(text, next, KIND_LETTER);
    }
    if (kind == KIND_NUMBER) {
        return numbers_end(text, at, most_digits);
    }
    unsigned next_length = 0;
    enum char_kind next_kind = next < text.size ? kind_at(text, next, &next_length) : KIND_SPACE;
    if (next_kind == KIND_LETTER && !is_line_end(text.data[at])) {
        return run_end(text, next + next_length, KIND_LETTER);
    }
    if (kind == KIND_SPACE && (text.data[at] != ' ' || next_kind != KIND_OTHER)) {
        return heir_space_end(text, at);
    }
    size_t end = run_end(text, next, KIND_OTHER);
    while (end < text.size && is_line_end(text.data[end])) {
        end++;
    }
    return end;
}

size_t known_match(enum known_pattern pattern, struct hearth_slice text, size_t at)
{
    switch (pattern) {
    case KNOWN_GPT2: return match_gpt2(text, at);
    case KNOWN_QWEN2: return match_heir(text, at, 1);
    case KNOWN_LLAMA3: return match_heir(text, at, 3);
    case KNOWN_NONE: break;
    }
    HEARTH_UNREACHABLE();
}
