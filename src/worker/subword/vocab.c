/* vocab.c — the pieces and the way from text to id: one blob, one flat table, built once. */

#include "vocab.h"

#include "hearth_pattern.h"

#include <stdlib.h>
#include <string.h>

/* A longer search than this means a file made to collide; honest ones stay far below. */
#define MOST_PROBES 256
#define MOST_RUN    1024 /* of slots without an empty one; chance makes some dozens of them */

/* FNV-1a, because it can go on from where a prefix ended; the finish spreads it over the table. */
uint64_t vocab_hash(uint64_t seed, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        seed = (seed ^ bytes[i]) * UINT64_C(0x100000001B3);
    }
    return seed;
}

static uint32_t first_slot(const struct vocab *vocab, uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= UINT64_C(0xD6E8FEB86659FD93);
    hash ^= hash >> 32;
    return (uint32_t)hash & vocab->slot_mask;
}

uint32_t vocab_find(const struct vocab *vocab, uint64_t hash, struct hearth_slice prefix,
                    struct hearth_slice rest)
{
    uint32_t slot = first_slot(vocab, hash);
    while (vocab->slots[slot] != 0) {
        uint32_t id = vocab->slots[slot] - 1;
        struct hearth_slice piece = vocab_piece(vocab, id);
        if (piece.size == prefix.size + rest.size &&
            (prefix.size == 0 || memcmp(piece.data, prefix.data, prefix.size) == 0) &&
            (rest.size == 0 || memcmp(piece.data + prefix.size, rest.data, rest.size) == 0)) {
            return id;
        }
        slot = (slot + 1) & vocab->slot_mask;
    }
    return NO_ID;
}

uint32_t vocab_find_text(const struct vocab *vocab, struct hearth_slice text)
{
    return vocab_find(vocab, vocab_hash(VOCAB_HASH_START, text.data, text.size),
                      hearth_slice_of(NULL, 0), text);
}

/* Notes that @key is piece @id; every id from 0 up must occur once. */
static int note_key(const char **keys, uint32_t count, yyjson_val *key, size_t entry, uint64_t id,
                    size_t *bytes, struct hearth_error *err)
{
    struct hearth_slice piece;
    if (!json_string(key, &piece) || piece.size == 0 ||
        piece.size > HEARTH_TOKENIZER_MAX_PIECE_BYTES) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "model.vocab: entry %zu is empty, holds a NUL or is longer than %u "
                           "bytes",
                           entry, HEARTH_TOKENIZER_MAX_PIECE_BYTES);
    }
    if (id >= count) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                           "model.vocab: the id of entry %zu is not in 0 … %u", entry, count - 1);
    }
    if (keys[id] != NULL) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "model.vocab: id %u occurs twice",
                           (unsigned)id);
    }
    keys[id] = (const char *)piece.data;
    *bytes += piece.size + 1; /* in all at most the file's own size, so it fits 32 bits */
    return 0;
}

/* Orders the keys of an object, whose values are their ids. */
static int order_object(yyjson_val *object, const char **keys, uint32_t count, size_t *bytes,
                        struct hearth_error *err)
{
    size_t i = 0;
    size_t max = 0;
    yyjson_val *key = NULL;
    yyjson_val *value = NULL;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        uint64_t id = yyjson_is_uint(value) ? yyjson_get_uint(value) : UINT64_MAX;
        int rc = note_key(keys, count, key, i, id, bytes, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* The keys of a list of pairs, whose places are their ids. */
static int order_list(yyjson_val *list, const char **keys, uint32_t count, size_t *bytes,
                      struct hearth_error *err)
{
    size_t i = 0;
    size_t max = 0;
    yyjson_val *pair = NULL;
    yyjson_arr_foreach(list, i, max, pair)
    {
        if (yyjson_arr_size(pair) != 2) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "model.vocab: entry %zu is not a pair of text and score", i);
        }
        int rc = note_key(keys, count, yyjson_arr_get_first(pair), i, i, bytes, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int insert(struct vocab *vocab, uint32_t id, struct hearth_error *err)
{
    struct hearth_slice piece = vocab_piece(vocab, id);
    uint32_t slot = first_slot(vocab, vocab_hash(VOCAB_HASH_START, piece.data, piece.size));
    unsigned probes = 0;
    while (vocab->slots[slot] != 0) {
        if (hearth_slice_equal(vocab_piece(vocab, vocab->slots[slot] - 1), piece)) {
            return hearth_fail(err, HEARTH_E_MODEL_INVALID,
                               "model.vocab: ids %u and %u are the same piece",
                               (unsigned)vocab->slots[slot] - 1, (unsigned)id);
        }
        if (++probes > MOST_PROBES) {
            return tokenizer_invalid(err, "model.vocab", "its pieces collide, as if made to");
        }
        slot = (slot + 1) & vocab->slot_mask;
    }
    vocab->slots[slot] = id + 1;
    return 0;
}

/* A search for what is not there ends at an empty slot. Twice around: a run may go over the end. */
static bool has_long_run(const struct vocab *vocab)
{
    uint32_t run = 0;
    for (uint64_t i = 0; i < ((uint64_t)vocab->slot_mask + 1) * 2 && run <= MOST_RUN; i++) {
        run = vocab->slots[i & vocab->slot_mask] == 0 ? 0 : run + 1;
    }
    return run > MOST_RUN;
}

static int fill(struct vocab *vocab, const char **keys, struct hearth_arena *arena,
                struct hearth_error *err)
{
    uint32_t slots = 16;
    while (slots < vocab->count * 2) {
        slots *= 2;
    }
    vocab->slot_mask = slots - 1;
    vocab->slots = hearth_arena_alloc(arena, slots, sizeof *vocab->slots);
    if (vocab->slots == NULL) {
        return hearth_fail_oom(err);
    }
    uint32_t at = 0;
    for (uint32_t id = 0; id < vocab->count; id++) {
        size_t size = strlen(keys[id]);
        memcpy(vocab->bytes + at, keys[id], size + 1);
        vocab->longest_bytes = HEARTH_MAX(vocab->longest_bytes, size);
        vocab->starts[id] = at;
        at += (uint32_t)size + 1;
        vocab->starts[id + 1] = at;
        int rc = insert(vocab, id, err);
        if (rc < 0) {
            return rc;
        }
    }
    return has_long_run(vocab)
               ? tokenizer_invalid(err, "model.vocab", "its pieces collide, as if made to")
               : 0;
}

static int build(struct vocab *vocab, yyjson_val *entries, size_t count, struct hearth_arena *arena,
                 struct hearth_error *err)
{
    if (count == 0) {
        return tokenizer_invalid(err, "model.vocab", "it has no entries");
    }
    if (count > HEARTH_TOKENIZER_MAX_PIECES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "model.vocab: %zu entries, at most %u", count,
                           HEARTH_TOKENIZER_MAX_PIECES);
    }
    vocab->count = (uint32_t)count;
    HEARTH_AUTO(hearth_block) void *block = hearth_alloc(count, sizeof(char *));
    const char **keys = block;
    if (keys == NULL) {
        return hearth_fail_oom(err);
    }
    size_t bytes = 0;
    int rc = yyjson_is_obj(entries) ? order_object(entries, keys, vocab->count, &bytes, err)
                                    : order_list(entries, keys, vocab->count, &bytes, err);
    if (rc < 0) {
        return rc;
    }
    vocab->bytes = hearth_arena_alloc(arena, bytes, 1);
    vocab->starts = hearth_arena_alloc(arena, count + 1, sizeof *vocab->starts);
    if (vocab->bytes == NULL || vocab->starts == NULL) {
        return hearth_fail_oom(err);
    }
    return fill(vocab, keys, arena, err);
}

int vocab_build(struct vocab *vocab, yyjson_val *object, struct hearth_arena *arena,
                struct hearth_error *err)
{
    if (!yyjson_is_obj(object)) {
        return tokenizer_invalid(err, "model.vocab", "it is not an object of pieces and ids");
    }
    return build(vocab, object, yyjson_obj_size(object), arena, err);
}

int vocab_build_list(struct vocab *vocab, yyjson_val *list, struct hearth_arena *arena,
                     struct hearth_error *err)
{
    if (!yyjson_is_arr(list)) {
        return tokenizer_invalid(err, "model.vocab", "it is not a list of pieces and scores");
    }
    return build(vocab, list, yyjson_arr_size(list), arena, err);
}
