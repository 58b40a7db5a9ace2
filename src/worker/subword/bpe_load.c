/* bpe_load.c — the object "model" of type BPE: settings, vocabulary, merges, and what follows. */

#include "bpe.h"

#include "hearth_pattern.h"

#include <stdio.h>
#include <string.h>

#define MOST_JOIN_BITS (1u << 18) /* 32 KiB: stays near the processor; more pairs only blur it */

static int load_affix(yyjson_val *object, const char *key, struct hearth_arena *arena,
                      struct hearth_slice *ret, struct hearth_error *err)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    struct hearth_slice text = {0};
    if (json_is_absent(value)) {
        return 0;
    }
    if (!json_string(value, &text) || text.size > HEARTH_TOKENIZER_MAX_PREFIX_BYTES) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "model.%s: not a text of at most %u bytes",
                           key, HEARTH_TOKENIZER_MAX_PREFIX_BYTES);
    }
    char *copy = hearth_arena_copy(arena, text);
    if (copy == NULL) {
        return hearth_fail_oom(err);
    }
    *ret = hearth_slice_of(copy, text.size);
    return 0;
}

static int load_settings(struct bpe *bpe, yyjson_val *object, struct hearth_arena *arena,
                         struct hearth_error *err)
{
    yyjson_val *dropout = yyjson_obj_get(object, "dropout");
    if (!json_is_absent(dropout) && !(yyjson_is_num(dropout) && yyjson_get_num(dropout) == 0)) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "model.dropout: tokens drawn by lot are not supported");
    }
    const struct {
        const char *key;
        bool *to;
    } flags[] = {{"fuse_unk", &bpe->fuses_unknown},
                 {"byte_fallback", &bpe->falls_back},
                 {"ignore_merges", &bpe->ignores_merges}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < HEARTH_COUNT(flags); i++) {
        rc = json_bool_or(object, flags[i].key, "model", false, flags[i].to, err);
    }
    if (rc == 0) {
        rc = load_affix(object, "continuing_subword_prefix", arena, &bpe->prefix, err);
    }
    if (rc == 0) {
        rc = load_affix(object, "end_of_word_suffix", arena, &bpe->suffix, err);
    }
    if (rc == 0 && bpe->falls_back && (bpe->prefix.size > 0 || bpe->suffix.size > 0)) {
        rc = hearth_fail(err, HEARTH_E_UNSUPPORTED,
                         "model.byte_fallback: not supported with a prefix or suffix of words");
    }
    return rc;
}

static int load_known_ids(struct bpe *bpe, yyjson_val *object, struct hearth_error *err)
{
    bpe->unknown_id = NO_ID;
    yyjson_val *unknown = yyjson_obj_get(object, "unk_token");
    if (!json_is_absent(unknown)) {
        struct hearth_slice text;
        bpe->unknown_id = json_string(unknown, &text) ? vocab_find_text(bpe->vocab, text) : NO_ID;
        if (bpe->unknown_id == NO_ID) {
            return tokenizer_invalid(err, "model.unk_token", "it is not in the vocabulary");
        }
    }
    for (unsigned c = 0; c < HEARTH_COUNT(bpe->ascii_ids); c++) {
        uint8_t byte = (uint8_t)c;
        bpe->ascii_ids[c] = vocab_find_text(bpe->vocab, hearth_slice_of(&byte, 1));
    }
    for (unsigned byte = 0; byte < HEARTH_COUNT(bpe->byte_ids); byte++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", byte);
        bpe->byte_ids[byte] = vocab_find_text(bpe->vocab, hearth_slice_of_string(name));
    }
    return 0;
}

/* One merge is "a b" or ["a", "b"]; the first one tells which of the two all are. */
static bool read_pair(yyjson_val *merge, bool is_text, struct hearth_slice *left,
                      struct hearth_slice *right)
{
    if (!is_text) {
        return yyjson_arr_size(merge) == 2 && json_string(yyjson_arr_get_first(merge), left) &&
               json_string(yyjson_arr_get_last(merge), right);
    }
    struct hearth_slice text;
    if (!json_string(merge, &text)) {
        return false;
    }
    const uint8_t *space = text.size > 0 ? memchr(text.data, ' ', text.size) : NULL;
    if (space == NULL) {
        return false;
    }
    *left = hearth_slice_of(text.data, (size_t)(space - text.data));
    *right = hearth_slice_of(space + 1, text.size - left->size - 1);
    return right->size == 0 || memchr(right->data, ' ', right->size) == NULL;
}

/* Old files open their merges with a line that is none. */
static bool is_version_line(yyjson_val *merge, bool is_text)
{
    const char *text = is_text ? yyjson_get_str(merge) : NULL;
    return text != NULL && strncmp(text, "#version", strlen("#version")) == 0;
}

static int merge_invalid(struct hearth_error *err, size_t entry, const char *what)
{
    return hearth_fail(err, HEARTH_E_MODEL_INVALID, "model.merges: entry %zu: %s", entry, what);
}

static int merges_collide(struct hearth_error *err)
{
    return tokenizer_invalid(err, "model.merges", "its pairs collide, as if made to");
}

static int put_merge(struct bpe *bpe, struct hearth_slice left, struct hearth_slice right,
                     size_t entry, uint32_t rank, struct hearth_error *err)
{
    uint32_t left_id = vocab_find_text(bpe->vocab, left);
    uint32_t right_id = vocab_find_text(bpe->vocab, right);
    if (left_id == NO_ID || right_id == NO_ID) {
        return merge_invalid(err, entry, "a part of it is not in the vocabulary");
    }
    if (right.size <= bpe->prefix.size) {
        return merge_invalid(err, entry, "its second part is no longer than the prefix of words");
    }
    struct hearth_slice rest =
        hearth_slice_of(right.data + bpe->prefix.size, right.size - bpe->prefix.size);
    uint64_t hash = vocab_hash(VOCAB_HASH_START, left.data, left.size);
    uint32_t product = vocab_find(bpe->vocab, vocab_hash(hash, rest.data, rest.size), left, rest);
    if (product == NO_ID) {
        return merge_invalid(err, entry, "what it makes is not in the vocabulary");
    }
    if (!merge_table_put(&bpe->merges, left_id, right_id, rank, product)) {
        return merges_collide(err);
    }
    return 0;
}

static int load_merges(struct bpe *bpe, yyjson_val *merges, struct hearth_arena *arena,
                       struct hearth_error *err)
{
    size_t count = yyjson_arr_size(merges);
    if (!yyjson_is_arr(merges)) {
        return tokenizer_invalid(err, "model.merges", "it is not a list");
    }
    if (count > BPE_MAX_MERGES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "model.merges: %zu entries, at most %u", count,
                           BPE_MAX_MERGES);
    }
    if (merge_table_init(&bpe->merges, (uint32_t)count, arena) < 0) {
        return hearth_fail_oom(err);
    }
    bool is_text = yyjson_is_str(yyjson_arr_get_first(merges));
    uint32_t rank = 0;
    size_t i = 0;
    size_t max = 0;
    yyjson_val *merge = NULL;
    yyjson_arr_foreach(merges, i, max, merge)
    {
        struct hearth_slice left;
        struct hearth_slice right;
        if (is_version_line(merge, is_text)) {
            continue;
        }
        int rc = read_pair(merge, is_text, &left, &right)
                     ? put_merge(bpe, left, right, i, rank++, err)
                     : merge_invalid(err, i, "it is not a pair of pieces like the others");
        if (rc < 0) {
            return rc;
        }
    }
    return merge_table_is_even(&bpe->merges) ? 0 : merges_collide(err);
}

/* Sets the bits of what a character without a piece can become. */
static void mark_stand_ins(const struct bpe *bpe, uint64_t *bits)
{
    for (size_t i = 0; bpe->falls_back && i < HEARTH_COUNT(bpe->byte_ids); i++) {
        uint32_t id = bpe->byte_ids[i];
        if (id != NO_ID) {
            bits[id / 64] |= UINT64_C(1) << (id % 64);
        }
    }
    if (bpe->unknown_id != NO_ID) {
        bits[bpe->unknown_id / 64] |= UINT64_C(1) << (bpe->unknown_id % 64);
    }
}

static bool drops_unknown(const struct bpe *bpe)
{
    bool has_bytes = bpe->falls_back;
    for (size_t i = 0; has_bytes && i < HEARTH_COUNT(bpe->byte_ids); i++) {
        has_bytes = bpe->byte_ids[i] != NO_ID;
    }
    return bpe->unknown_id == NO_ID && !has_bytes;
}

static uint32_t last_char(struct hearth_slice text)
{
    size_t at = text.size - 1;
    while (at > 0 && (text.data[at] & 0xC0) == 0x80) {
        at--;
    }
    uint32_t c = 0;
    hearth_utf8_read(text, at, &c);
    return c;
}

/* Notes which characters a merge can join. Segments would be wrong if characters were dressed by
 * their place, if one between two others could vanish, or if what stands for unknown text were
 * merged with its neighbours. */
static void note_joins(struct bpe *bpe, const uint64_t *stand_ins)
{
    bpe->has_segments = bpe->prefix.size == 0 && bpe->suffix.size == 0 && !drops_unknown(bpe);
    for (uint32_t i = 0; i <= bpe->merges.slot_mask; i++) {
        const struct merge_slot *slot = &bpe->merges.slots[i];
        if (slot->rank == NO_RANK) {
            continue;
        }
        if (bit_is_set(stand_ins, slot->left) || bit_is_set(stand_ins, slot->right)) {
            bpe->has_segments = false;
        }
        uint32_t first;
        hearth_utf8_read(vocab_piece(bpe->vocab, slot->right), 0, &first);
        uint32_t bit = bpe_join_bit(bpe, last_char(vocab_piece(bpe->vocab, slot->left)), first);
        bpe->joins[bit / 64] |= UINT64_C(1) << (bit % 64);
    }
}

static int build_joins(struct bpe *bpe, struct hearth_arena *arena, struct hearth_error *err)
{
    uint32_t bits = 1u << 12;
    while (bits < MOST_JOIN_BITS && bits / 2 <= bpe->merges.slot_mask) {
        bits *= 2;
    }
    bpe->join_mask = bits - 1;
    bpe->joins = hearth_arena_alloc(arena, bits / 64, sizeof *bpe->joins);
    HEARTH_AUTO(hearth_block)
    void *stand_ins = hearth_alloc(bpe->vocab->count / 64 + 1, sizeof(uint64_t));
    if (bpe->joins == NULL || stand_ins == NULL) {
        return hearth_fail_oom(err);
    }
    mark_stand_ins(bpe, stand_ins);
    note_joins(bpe, stand_ins);
    return 0;
}

static int build_whole(struct bpe *bpe, struct hearth_arena *arena, struct hearth_error *err)
{
    bpe->whole = hearth_arena_alloc(arena, bpe->vocab->count / 64 + 1, sizeof *bpe->whole);
    struct model_scratch scratch;
    for (size_t i = 0; i < HEARTH_COUNT(scratch.bufs); i++) {
        hearth_buf_init(&scratch.bufs[i], (size_t)1 << 20); /* for one piece */
    }
    int rc = bpe->whole != NULL ? 0 : HEARTH_E_NO_MEMORY;
    for (uint32_t id = 0; rc == 0 && id < bpe->vocab->count; id++) {
        bool is_whole = false;
        rc = bpe_is_whole(bpe, id, &scratch, &is_whole);
        bpe->whole[id / 64] |= (uint64_t)is_whole << (id % 64);
    }
    for (size_t i = 0; i < HEARTH_COUNT(scratch.bufs); i++) {
        hearth_buf_finish(&scratch.bufs[i]);
    }
    return rc < 0 ? hearth_fail(err, rc, "%s", hearth_error_sentence(rc)) : 0;
}

int bpe_build(struct bpe *bpe, struct vocab *vocab, yyjson_val *object, struct hearth_arena *arena,
              struct hearth_error *err)
{
    *bpe = (struct bpe){.vocab = vocab, .unknown_id = NO_ID};
    int rc = load_settings(bpe, object, arena, err);
    if (rc == 0) {
        rc = vocab_build(vocab, yyjson_obj_get(object, "vocab"), arena, err);
    }
    if (rc == 0) {
        rc = load_known_ids(bpe, object, err);
    }
    if (rc == 0) {
        rc = load_merges(bpe, yyjson_obj_get(object, "merges"), arena, err);
    }
    if (rc == 0) {
        rc = build_joins(bpe, arena, err);
    }
    return rc < 0 ? rc : build_whole(bpe, arena, err);
}
