/* wordpiece.c — normalised text to pieces: split at spaces and punctuation, then longest match.
 *
 * Longest match looks up every prefix of what is left of a word. Hashing them one by one would cost
 * the square of the word; here one pass hashes all prefixes up to the longest piece there is. */

#include "tokenizer_priv.h"

/* A word has at most this many characters, so as many ends of prefixes. */
#define MOST_ENDS HEARTH_TOKENIZER_MAX_PIECE_BYTES

struct prefix_end {
    size_t end;
    uint64_t hash;
};

int encoding_reserve(struct hearth_encoding *out, size_t more)
{
    if (more <= out->room - out->count) {
        return 0;
    }
    size_t room = HEARTH_MAX(out->count + more, out->room * 2);
    int64_t **arrays[] = {&out->ids, &out->type_ids, &out->mask};
    for (size_t i = 0; i < HEARTH_COUNT(arrays); i++) {
        int64_t *grown = hearth_realloc(*arrays[i], room, sizeof *grown);
        if (grown == NULL) {
            return HEARTH_E_NO_MEMORY; /* those that grew stay larger than room says */
        }
        *arrays[i] = grown;
    }
    out->room = room;
    return 0;
}

int sink_put(struct word_sink *sink, uint32_t id)
{
    sink->total++;
    if (sink->kept == sink->limit) {
        return 0;
    }
    int rc = encoding_reserve(sink->out, sink->out->count < 32 ? 64 : 1);
    if (rc < 0) {
        return rc;
    }
    size_t at = sink->out->count++;
    sink->out->ids[at] = id;
    sink->out->type_ids[at] = sink->type_id;
    sink->out->mask[at] = 1;
    sink->kept++;
    return 0;
}

/* Finds the longest piece at @start of @word; returns its id and where it ends. */
static uint32_t longest_piece(const struct hearth_tokenizer *tokenizer, struct hearth_slice word,
                              size_t start, size_t *ret_end)
{
    struct prefix_end ends[MOST_ENDS];
    size_t count = 0;
    const struct vocab *vocab = &tokenizer->vocab;
    struct hearth_slice prefix = start > 0 ? tokenizer->prefix : hearth_slice_of(NULL, 0);
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

/* Puts the pieces of one word, or the unknown token alone if any part of it has none. */
static int put_word(const struct hearth_tokenizer *tokenizer, struct hearth_slice word,
                    size_t chars, struct word_sink *sink)
{
    uint32_t unknown = (uint32_t)tokenizer->facts.unk_id;
    if (chars > tokenizer->max_word_chars) {
        return sink_put(sink, unknown);
    }
    uint32_t pieces[HEARTH_TOKENIZER_MAX_WORD_CHARS];
    size_t count = 0;
    size_t start = 0;
    while (start < word.size) {
        uint32_t id = longest_piece(tokenizer, word, start, &start);
        if (id == NO_ID) {
            return sink_put(sink, unknown);
        }
        pieces[count++] = id;
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = sink_put(sink, pieces[i]);
    }
    return rc;
}

int wordpiece_text(const struct hearth_tokenizer *tokenizer, struct hearth_slice text,
                   struct word_sink *sink)
{
    size_t start = 0;
    size_t chars = 0;
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < text.size) {
        uint32_t c;
        unsigned length = hearth_utf8_read(text, at, &c);
        bool is_alone = unicode_is_punctuation(c);
        if (is_alone || unicode_is_space(c)) {
            if (at > start) {
                rc = put_word(tokenizer, hearth_slice_of(text.data + start, at - start), chars,
                              sink);
            }
            if (rc == 0 && is_alone) {
                rc = put_word(tokenizer, hearth_slice_of(text.data + at, length), 1, sink);
            }
            start = at + length;
            chars = 0;
        } else {
            chars++;
        }
        at += length;
    }
    if (rc == 0 && at > start) {
        rc = put_word(tokenizer, hearth_slice_of(text.data + start, at - start), chars, sink);
    }
    return rc;
}
