/* decode.c — the steps of a decoder: from the texts of tokens to the text they stand for. */

#include "decode.h"

#include "hearth_normal.h"

#include <string.h>

static const uint8_t replacement_bytes[] = {0xEF, 0xBF, 0xBD}; /* U+FFFD */

void texts_init(struct texts *texts)
{
    hearth_buf_init(&texts->bytes, HEARTH_TOKENIZER_MAX_DECODE_BYTES);
    hearth_buf_init(&texts->ends, HEARTH_TOKENIZER_MAX_DECODE_BYTES * sizeof(size_t));
}

void texts_finish(struct texts *texts)
{
    hearth_buf_wipe(&texts->bytes);
    hearth_buf_finish(&texts->bytes);
    hearth_buf_finish(&texts->ends);
}

void texts_clear(struct texts *texts)
{
    hearth_buf_clear(&texts->bytes);
    hearth_buf_clear(&texts->ends);
}

size_t texts_count(const struct texts *texts)
{
    return texts->ends.size / sizeof(size_t);
}

struct hearth_slice texts_at(const struct texts *texts, size_t i)
{
    const size_t *ends = (const void *)texts->ends.data; /* from the heap, so aligned */
    size_t start = i > 0 ? ends[i - 1] : 0;
    /* Of nothing but empty texts there are no bytes to point to. */
    return hearth_slice_of(ends[i] > start ? texts->bytes.data + start : NULL, ends[i] - start);
}

int texts_close(struct texts *texts)
{
    return hearth_buf_append(&texts->ends, &texts->bytes.size, sizeof texts->bytes.size);
}

static int append(struct texts *texts, struct hearth_slice bytes)
{
    return bytes.size == 0 ? 0 : hearth_buf_append(&texts->bytes, bytes.data, bytes.size);
}

int texts_add(struct texts *texts, struct hearth_slice bytes)
{
    int rc = append(texts, bytes);
    return rc < 0 ? rc : texts_close(texts);
}

static bool starts_with(struct hearth_slice text, struct hearth_slice prefix)
{
    return text.size >= prefix.size &&
           (prefix.size == 0 || memcmp(text.data, prefix.data, prefix.size) == 0);
}

/* Appends @text with each @from (not empty) replaced by @to. */
static int append_replaced(struct texts *to_texts, struct hearth_slice text,
                           struct hearth_slice from, struct hearth_slice to)
{
    size_t done = 0;
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < text.size) {
        if (starts_with(hearth_slice_of(text.data + at, text.size - at), from)) {
            rc = append(to_texts, hearth_slice_of(text.data + done, at - done));
            rc = rc < 0 ? rc : append(to_texts, to);
            at += from.size;
            done = at;
        } else {
            at++;
        }
    }
    return rc < 0 ? rc : append(to_texts, hearth_slice_of(text.data + done, text.size - done));
}

/* The spaces that a tokeniser of English put before punctuation and endings, taken out in order. */
static int clean_up(struct texts *to, size_t start)
{
    static const char *const pairs[][2] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    HEARTH_AUTO(hearth_buf) struct hearth_buf before;
    hearth_buf_init(&before, HEARTH_TOKENIZER_MAX_DECODE_BYTES);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < HEARTH_COUNT(pairs); i++) {
        hearth_buf_clear(&before);
        size_t size = to->bytes.size - start;
        rc = size == 0 ? 0 : hearth_buf_append(&before, to->bytes.data + start, size);
        to->bytes.size = start;
        rc = rc < 0 ? rc
                    : append_replaced(to, hearth_buf_slice(&before),
                                      hearth_slice_of_string(pairs[i][0]),
                                      hearth_slice_of_string(pairs[i][1]));
    }
    hearth_buf_wipe(&before);
    return rc;
}

static int decode_wordpiece(const struct decoder_step *step, struct hearth_slice text, size_t i,
                            struct texts *to)
{
    struct hearth_slice prefix = step->wordpiece.prefix;
    size_t start = to->bytes.size;
    int rc = 0;
    if (i > 0 && starts_with(text, prefix)) {
        text = hearth_slice_of(text.data + prefix.size, text.size - prefix.size);
    } else if (i > 0) {
        rc = append(to, hearth_slice_of_string(" "));
    }
    rc = rc < 0 ? rc : append(to, text);
    return rc < 0 || !step->wordpiece.cleans_up ? rc : clean_up(to, start);
}

static int decode_metaspace(const struct decoder_step *step, struct hearth_slice text, size_t i,
                            struct texts *to)
{
    uint8_t bytes[4];
    unsigned size = hearth_utf8_write(step->metaspace.replacement, bytes);
    const char *with = i == 0 && step->metaspace.drops_first ? "" : " ";
    return append_replaced(to, text, hearth_slice_of(bytes, size), hearth_slice_of_string(with));
}

static int decode_bpe(const struct decoder_step *step, struct hearth_slice text, bool is_last,
                      struct texts *to)
{
    if (step->suffix.size == 0) {
        return append(to, text);
    }
    return append_replaced(to, text, step->suffix, hearth_slice_of_string(is_last ? "" : " "));
}

static int decode_strip(const struct decoder_step *step, struct hearth_slice text, struct texts *to)
{
    uint8_t bytes[4];
    struct hearth_slice c = hearth_slice_of(bytes, hearth_utf8_write(step->strip.c, bytes));
    for (size_t i = 0; i < step->strip.start && text.size > 0 && starts_with(text, c); i++) {
        text = hearth_slice_of(text.data + c.size, text.size - c.size);
    }
    for (size_t i = 0; i < step->strip.stop && text.size >= c.size; i++) {
        if (memcmp(text.data + text.size - c.size, c.data, c.size) != 0) {
            break;
        }
        text.size -= c.size;
    }
    return append(to, text);
}

static int decode_replace(const struct decoder_step *step, struct hearth_slice text,
                          struct split_scratch *scratch, struct texts *to)
{
    struct split_scan scan = {0};
    struct split_range range;
    size_t done = 0;
    int rc;
    while ((rc = split_next(step->replace.pattern, text, scratch, &scan, &range)) > 0) {
        rc = append(to, hearth_slice_of(text.data + done, range.start - done));
        rc = rc < 0 ? rc : append(to, step->replace.content);
        if (rc < 0) {
            return rc;
        }
        done = range.end;
    }
    return rc < 0 ? rc : append(to, hearth_slice_of(text.data + done, text.size - done));
}

/* The byte that a token like <0x0A> stands for; -1 if it is no such token. */
static int fallback_byte(struct hearth_slice text)
{
    if (text.size != 6 || memcmp(text.data, "<0x", 3) != 0 || text.data[5] != '>') {
        return -1;
    }
    int byte = 0;
    for (size_t i = 3; i < 5; i++) {
        uint8_t c = text.data[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        byte = byte * 16 + digit;
    }
    return byte;
}

/* Bytes that follow each other are one text if they are UTF-8; else each is U+FFFD. */
static int close_bytes(struct texts *to, struct hearth_buf *bytes)
{
    struct hearth_slice text = hearth_buf_slice(bytes);
    int rc = 0;
    if (text.size > 0 && hearth_utf8_is_valid(text)) {
        rc = texts_add(to, text);
    } else {
        for (size_t i = 0; rc == 0 && i < text.size; i++) {
            rc = texts_add(to, hearth_slice_of(replacement_bytes, sizeof replacement_bytes));
        }
    }
    hearth_buf_clear(bytes);
    return rc;
}

static int decode_byte_fallback(const struct texts *from, struct texts *to)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf bytes;
    hearth_buf_init(&bytes, HEARTH_TOKENIZER_MAX_DECODE_BYTES);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < texts_count(from); i++) {
        struct hearth_slice text = texts_at(from, i);
        int value = fallback_byte(text);
        if (value >= 0) {
            uint8_t byte = (uint8_t)value;
            rc = hearth_buf_append(&bytes, &byte, 1);
        } else {
            rc = close_bytes(to, &bytes);
            rc = rc < 0 ? rc : texts_add(to, text);
        }
    }
    rc = rc < 0 ? rc : close_bytes(to, &bytes);
    hearth_buf_wipe(&bytes);
    return rc;
}

/* The bytes of a token of ByteLevel; a token with any other character stands for itself. */
static int append_bytes(struct texts *to, struct hearth_slice text)
{
    size_t start = to->bytes.size;
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < text.size) {
        uint32_t c;
        at += hearth_utf8_read(text, at, &c);
        int value = byte_level_byte(c);
        if (value < 0) {
            to->bytes.size = start;
            return append(to, text);
        }
        uint8_t byte = (uint8_t)value;
        rc = hearth_buf_append(&to->bytes, &byte, 1);
    }
    return rc;
}

/* Bytes of the beginning of a character at @at that could still become one; at least 1. */
static size_t broken_bytes(struct hearth_slice text, size_t at)
{
    uint8_t lead = text.data[at];
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    size_t most = lead >= 0xC2 && lead <= 0xDF   ? 2
                  : lead >= 0xE0 && lead <= 0xEF ? 3
                  : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                 : 1;
    size_t size = 1;
    while (size < most && at + size < text.size && text.data[at + size] >= low &&
           text.data[at + size] <= high) {
        low = 0x80;
        high = 0xBF;
        size++;
    }
    return size;
}

static int decode_byte_level(const struct texts *from, struct texts *to)
{
    struct texts raw;
    texts_init(&raw);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < texts_count(from); i++) {
        rc = append_bytes(&raw, texts_at(from, i));
    }
    struct hearth_slice rest = hearth_buf_slice(&raw.bytes);
    while (rc == 0 && rest.size > 0) {
        size_t valid = hearth_utf8_valid_bytes(rest);
        rc = append(to, hearth_slice_of(rest.data, valid));
        size_t used = valid;
        if (rc == 0 && valid < rest.size) {
            used += broken_bytes(rest, valid);
            rc = append(to, hearth_slice_of(replacement_bytes, sizeof replacement_bytes));
        }
        rest = hearth_slice_of(rest.data + used, rest.size - used);
    }
    texts_finish(&raw);
    return rc < 0 ? rc : texts_close(to);
}

static int decode_each(const struct decoder_step *step, const struct texts *from, struct texts *to)
{
    struct split_scratch scratch = {0};
    size_t count = texts_count(from);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct hearth_slice text = texts_at(from, i);
        switch (step->kind) {
        case DECODER_WORDPIECE: rc = decode_wordpiece(step, text, i, to); break;
        case DECODER_METASPACE: rc = decode_metaspace(step, text, i, to); break;
        case DECODER_BPE: rc = decode_bpe(step, text, i + 1 == count, to); break;
        case DECODER_STRIP: rc = decode_strip(step, text, to); break;
        case DECODER_REPLACE: rc = decode_replace(step, text, &scratch, to); break;
        case DECODER_BYTE_LEVEL:
        case DECODER_BYTE_FALLBACK:
        case DECODER_FUSE: rc = HEARTH_E_INTERNAL;
        }
        rc = rc < 0 ? rc : texts_close(to);
    }
    split_scratch_finish(&scratch);
    return rc;
}

static int run_step(const struct decoder_step *step, const struct texts *from, struct texts *to)
{
    if (step->kind == DECODER_BYTE_LEVEL) {
        return decode_byte_level(from, to);
    }
    if (step->kind == DECODER_BYTE_FALLBACK) {
        return decode_byte_fallback(from, to);
    }
    if (step->kind == DECODER_FUSE) {
        return texts_add(to, hearth_buf_slice(&from->bytes));
    }
    return decode_each(step, from, to);
}

int decoder_run(const struct decoder *decoder, struct texts *texts)
{
    struct texts other;
    texts_init(&other);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < decoder->count; i++) {
        texts_clear(&other);
        rc = run_step(&decoder->steps[i], texts, &other);
        const struct texts swapped = *texts;
        *texts = other;
        other = swapped;
    }
    texts_finish(&other);
    return rc;
}

void decoder_finish(struct decoder *decoder)
{
    for (size_t i = 0; i < decoder->count; i++) {
        if (decoder->steps[i].kind == DECODER_REPLACE) {
            splitter_finish(decoder->steps[i].replace.pattern);
        }
    }
}
