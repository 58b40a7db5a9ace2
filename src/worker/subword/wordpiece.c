/* wordpiece.c — the longest piece at each place of a word.
 *
 * Longest match looks up every prefix of what is left of a word. Hashing them one by one would cost
 * the square of the word; here one pass hashes all prefixes up to the longest piece there is. */

#include "wordpiece.h"

#include "hearth_pattern.h"

/* A word has at most this many characters, so as many ends of prefixes. */
#define MOST_ENDS HEARTH_TOKENIZER_MAX_PIECE_BYTES

struct prefix_end {
    size_t end;
    uint64_t hash;
};

struct piece {
    uint32_t id;
    size_t end;
};

/* Characters of @text, or more than @enough. */
static size_t count_chars(struct hearth_slice text, size_t enough)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size && count <= enough; i++) {
        count += (text.data[i] & 0xC0) != 0x80;
    }
    return count;
}

/* Finds the longest piece at @start of @word; returns its id and where it ends. */
static uint32_t longest_piece(const struct wordpiece *wordpiece, struct hearth_slice word,
                              size_t start, size_t *ret_end)
{
    struct prefix_end ends[MOST_ENDS];
    size_t count = 0;
    const struct vocab *vocab = wordpiece->vocab;
    struct hearth_slice prefix = start > 0 ? wordpiece->prefix : hearth_slice_of(NULL, 0);
    uint64_t hash = vocab_hash(VOCAB_HASH_START, prefix.data, prefix.size);
    size_t longest = vocab->longest_bytes > prefix.size ? vocab->longest_bytes - prefix.size : 0;
    size_t at = start;
    while (at < word.size) {
        uint32_t c;
        unsigned length = hearth_utf8_read(word, at, &c);
        if (at + length - start > longest) {
            break;
        }
        hash = vocab_hash(hash, word.data + at, length);
        at += length;
        ends[count++] = (struct prefix_end){at, hash};
    }
    while (count > 0) {
        const struct prefix_end *prefix_end = &ends[--count];
        uint32_t id = vocab_find(vocab, prefix_end->hash, prefix,
                                 hearth_slice_of(word.data + start, prefix_end->end - start));
        if (id != NO_ID) {
            *ret_end = prefix_end->end;
            return id;
        }
    }
    return NO_ID;
}

int wordpiece_part(const struct wordpiece *wordpiece, struct hearth_slice part,
                   struct model_scratch *scratch, struct token_sink *sink)
{
    (void)scratch;
    struct piece pieces[HEARTH_TOKENIZER_MAX_WORD_CHARS];
    size_t count = 0;
    size_t start = 0;
    /* The unknown token alone stands for a word that is too long or has a part without a piece. */
    if (part.size > wordpiece->max_word_chars &&
        count_chars(part, wordpiece->max_word_chars) > wordpiece->max_word_chars) {
        return token_put(sink, wordpiece->unknown_id, 0, part.size);
    }
    while (start < part.size) {
        struct piece *piece = &pieces[count++];
        piece->id = longest_piece(wordpiece, part, start, &piece->end);
        if (piece->id == NO_ID) {
            return token_put(sink, wordpiece->unknown_id, 0, part.size);
        }
        start = piece->end;
    }
    int rc = 0;
    start = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = token_put(sink, pieces[i].id, start, pieces[i].end);
        start = pieces[i].end;
    }
    return rc;
}

int wordpiece_build(struct wordpiece *wordpiece, struct vocab *vocab, yyjson_val *object,
                    struct hearth_arena *arena, struct hearth_error *err)
{
    wordpiece->vocab = vocab;
    int rc = vocab_build(vocab, yyjson_obj_get(object, "vocab"), arena, err);
    if (rc < 0) {
        return rc;
    }
    struct hearth_slice prefix;
    if (!json_string(yyjson_obj_get(object, "continuing_subword_prefix"), &prefix) ||
        prefix.size > HEARTH_TOKENIZER_MAX_PREFIX_BYTES) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "model.continuing_subword_prefix: not a text of at most %u bytes",
                           HEARTH_TOKENIZER_MAX_PREFIX_BYTES);
    }
    char *copy = hearth_arena_copy(arena, prefix);
    if (copy == NULL) {
        return hearth_fail_oom(err);
    }
    wordpiece->prefix = hearth_slice_of(copy, prefix.size);
    yyjson_val *longest = yyjson_obj_get(object, "max_input_chars_per_word");
    if (!yyjson_is_uint(longest) || yyjson_get_uint(longest) > HEARTH_TOKENIZER_MAX_WORD_CHARS) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "model.max_input_chars_per_word: not a number up to %u",
                           HEARTH_TOKENIZER_MAX_WORD_CHARS);
    }
    wordpiece->max_word_chars = yyjson_get_uint(longest);
    struct hearth_slice unknown;
    wordpiece->unknown_id = json_string(yyjson_obj_get(object, "unk_token"), &unknown)
                                ? vocab_find_text(vocab, unknown)
                                : NO_ID;
    if (wordpiece->unknown_id == NO_ID) {
        return tokenizer_invalid(err, "model.unk_token", "it is not in the vocabulary");
    }
    return 0;
}
