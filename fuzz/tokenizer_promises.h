/* tokenizer_promises.h — what holds of every tokenizer that was accepted and any text: asserted by
 * the targets tokenizer_json and tokenizer_text. */

#ifndef HEARTH_FUZZ_TOKENIZER_PROMISES_H
#define HEARTH_FUZZ_TOKENIZER_PROMISES_H

#include "hearth_tokenizer.h"

#include <string.h>

#define DECODED_BYTES (1u << 20)

static inline bool is_border(struct hearth_slice text, size_t place)
{
    return place == text.size || (place < text.size && (text.data[place] & 0xC0) != 0x80);
}

/* Of one token: an id that exists, a type, a stretch of whole characters of its own text. */
static inline void check_token(const struct hearth_tokenizer *tokenizer,
                               const struct hearth_encoding *encoding, size_t i,
                               const struct hearth_slice texts[2])
{
    HEARTH_ASSERT(hearth_tokenizer_piece(tokenizer, encoding->ids[i]) != NULL);
    HEARTH_ASSERT(encoding->mask[i] == 1 && encoding->type_ids[i] >= 0);
    uint8_t sequence = encoding->sequences[i];
    if (encoding->places == NULL) {
        return;
    }
    struct hearth_token_place place = encoding->places[i];
    if (sequence == HEARTH_SEQUENCE_SPECIAL) {
        HEARTH_ASSERT(place.start == 0 && place.end == 0);
        return;
    }
    HEARTH_ASSERT(sequence == HEARTH_SEQUENCE_FIRST || sequence == HEARTH_SEQUENCE_SECOND);
    HEARTH_ASSERT(place.start <= place.end);
    HEARTH_ASSERT(is_border(texts[sequence], place.start) && is_border(texts[sequence], place.end));
}

/* What was encoded decodes to text, whatever it was. */
static inline void check_decoding(const struct hearth_tokenizer *tokenizer,
                                  const struct hearth_encoding *encoding, bool skips_special)
{
    struct hearth_buf text;
    struct hearth_error err = {0};
    hearth_buf_init(&text, DECODED_BYTES);
    int rc = hearth_tokenizer_decode(tokenizer, encoding->ids, encoding->count, skips_special,
                                     &text, &err);
    HEARTH_ASSERT(rc == 0 ? hearth_utf8_is_valid(hearth_buf_slice(&text))
                          : rc == err.code && err.text[0] != '\0' && text.size == 0);
    HEARTH_ASSERT(rc != HEARTH_E_INPUT_INVALID);
    hearth_buf_finish(&text);
}

static inline int encode_texts(const struct hearth_tokenizer *tokenizer,
                               const struct hearth_slice texts[2], bool is_pair,
                               const struct hearth_encode_options *options,
                               struct hearth_encoding *encoding, struct hearth_error *err)
{
    return is_pair
               ? hearth_tokenizer_encode_pair(tokenizer, texts[0], texts[1], options, encoding, err)
               : hearth_tokenizer_encode(tokenizer, texts[0], options, encoding, err);
}

/* The same ids whether places are wanted or not, and whatever the encoding was used for before. */
static inline void check_again(const struct hearth_tokenizer *tokenizer,
                               const struct hearth_slice texts[2], bool is_pair,
                               struct hearth_encode_options options,
                               const struct hearth_encoding *wanted)
{
    struct hearth_encoding again;
    options.wants_places = !options.wants_places;
    hearth_encoding_init(&again);
    HEARTH_ASSERT(encode_texts(tokenizer, texts, is_pair, &options, &again, NULL) == 0);
    HEARTH_ASSERT(again.count == wanted->count && again.full_count == wanted->full_count);
    HEARTH_ASSERT(again.count == 0 ||
                  memcmp(again.ids, wanted->ids, again.count * sizeof *again.ids) == 0);
    hearth_encoding_finish(&again);
}

/**
 * Encodes one text or a pair with @options and checks all that is promised of the answer. @encoding
 * may have been used before. Returns what hearth_tokenizer_encode() returned.
 */
static inline int check_encoding(const struct hearth_tokenizer *tokenizer,
                                 const struct hearth_slice texts[2], bool is_pair,
                                 struct hearth_encode_options options,
                                 struct hearth_encoding *encoding)
{
    struct hearth_error err = {0};
    int rc = encode_texts(tokenizer, texts, is_pair, &options, encoding, &err);
    bool is_text = hearth_utf8_is_valid(texts[0]) && (!is_pair || hearth_utf8_is_valid(texts[1]));
    HEARTH_ASSERT(is_text ? rc != HEARTH_E_INPUT_INVALID : rc < 0);
    if (rc < 0) {
        HEARTH_ASSERT(rc == err.code && err.text[0] != '\0' && encoding->count == 0);
        return rc;
    }
    HEARTH_ASSERT(encoding->count <= encoding->full_count);
    HEARTH_ASSERT(encoding->is_truncated == (encoding->count < encoding->full_count));
    if (options.max_tokens != HEARTH_ENCODE_FILE_LIMIT) {
        HEARTH_ASSERT(encoding->count <= options.max_tokens);
    }
    for (size_t i = 0; i < encoding->count; i++) {
        check_token(tokenizer, encoding, i, texts);
    }
    check_again(tokenizer, texts, is_pair, options, encoding);
    return rc;
}

/* One text and its halves as a pair, and back. The bits of @way: 1 with a limit, 2 with special
 * tokens, 4 with places. */
static inline void check_text(const struct hearth_tokenizer *tokenizer, struct hearth_slice text,
                              size_t limit, size_t way)
{
    size_t half = text.size / 2;
    while (half < text.size && !is_border(text, half)) {
        half++;
    }
    const struct hearth_slice whole[2] = {text, hearth_slice_of(text.data, 0)};
    const struct hearth_slice halves[2] = {hearth_slice_of(text.data, half),
                                           hearth_slice_of(text.data + half, text.size - half)};
    const struct hearth_encode_options options = {
        .max_tokens = way & 1 ? limit : HEARTH_ENCODE_NO_LIMIT,
        .add_special = (way & 2) != 0,
        .wants_places = (way & 4) != 0,
    };
    struct hearth_encoding encoding;
    hearth_encoding_init(&encoding);
    (void)check_encoding(tokenizer, halves, true, options, &encoding);
    if (check_encoding(tokenizer, whole, false, options, &encoding) == 0) {
        check_decoding(tokenizer, &encoding, (way & 2) != 0);
    }
    hearth_encoding_finish(&encoding);
}

#endif
