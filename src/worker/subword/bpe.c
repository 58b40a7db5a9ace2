/* bpe.c — one part to tokens: whole pieces by look-up, the rest by segments and merges. */

#include "bpe.h"

/* A row that is being filled. */
struct filling {
    struct merge_row row;
    uint32_t unknown_size; /* of unknown text that is not in the row yet */
};

uint32_t bpe_join_bit(const struct bpe *bpe, uint32_t left, uint32_t right)
{
    uint64_t hash = ((uint64_t)left << 32 | right) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 40) & bpe->join_mask;
}

static uint32_t find(const struct bpe *bpe, struct hearth_slice text)
{
    return text.size <= bpe->vocab->longest_bytes ? vocab_find_text(bpe->vocab, text) : NO_ID;
}

/* The piece of one character, dressed as its place in the part asks for. */
static uint32_t char_id(const struct bpe *bpe, struct hearth_slice part, size_t at, size_t length)
{
    const uint8_t *bytes = part.data + at;
    if (bpe->prefix.size == 0 && bpe->suffix.size == 0) {
        return length == 1 ? bpe->ascii_ids[*bytes] : find(bpe, hearth_slice_of(bytes, length));
    }
    uint8_t room[4 + HEARTH_TOKENIZER_MAX_PREFIX_BYTES];
    struct hearth_slice prefix = at > 0 ? bpe->prefix : hearth_slice_of(NULL, 0);
    memcpy(room, bytes, length);
    if (at + length == part.size && bpe->suffix.size > 0) {
        memcpy(room + length, bpe->suffix.data, bpe->suffix.size);
        length += bpe->suffix.size;
    }
    uint64_t hash = vocab_hash(VOCAB_HASH_START, prefix.data, prefix.size);
    return vocab_find(bpe->vocab, vocab_hash(hash, room, length), prefix,
                      hearth_slice_of(room, length));
}

static void add(struct filling *filling, uint32_t id, uint32_t size)
{
    filling->row.ids[filling->row.count] = id;
    filling->row.sizes[filling->row.count++] = size;
}

static void end_unknown(const struct bpe *bpe, struct filling *filling)
{
    if (filling->unknown_size > 0) {
        add(filling, bpe->unknown_id, filling->unknown_size);
        filling->unknown_size = 0;
    }
}

/* A character without a piece: its bytes, the unknown token, or nothing at all. Unknown text waits
 * for the next known character; that bytes overtake it is the reference's way. */
static void add_unknown(const struct bpe *bpe, const uint8_t *bytes, unsigned length,
                        struct filling *filling)
{
    bool has_bytes = bpe->falls_back;
    for (unsigned i = 0; has_bytes && i < length; i++) {
        has_bytes = bpe->byte_ids[bytes[i]] != NO_ID;
    }
    for (unsigned i = 0; has_bytes && i < length; i++) {
        add(filling, bpe->byte_ids[bytes[i]], 1);
    }
    if (has_bytes || bpe->unknown_id == NO_ID) {
        return;
    }
    if (!bpe->fuses_unknown) {
        end_unknown(bpe, filling);
    }
    filling->unknown_size += length;
}

/* Fills the row with the symbols of one segment, the whole part if there are none; returns where
 * it ends. Known and unknown characters never share a segment. */
static size_t take_segment(const struct bpe *bpe, struct hearth_slice part, size_t from,
                           struct filling *filling)
{
    filling->row.count = 0;
    uint32_t previous = 0;
    bool was_known = false;
    size_t at = from;
    while (at < part.size) {
        uint32_t c;
        unsigned length = hearth_utf8_read(part, at, &c);
        uint32_t id = char_id(bpe, part, at, length);
        bool is_known = id != NO_ID;
        if (bpe->has_segments && at > from &&
            (is_known != was_known ||
             (is_known && !bit_is_set(bpe->joins, bpe_join_bit(bpe, previous, c))))) {
            break;
        }
        if (is_known) {
            end_unknown(bpe, filling);
            add(filling, id, length);
        } else {
            add_unknown(bpe, part.data + at, length, filling);
        }
        previous = c;
        was_known = is_known;
        at += length;
    }
    end_unknown(bpe, filling);
    return at;
}

/* A part has at most as many symbols as bytes. */
static int prepare(struct filling *filling, size_t bytes, struct model_scratch *scratch)
{
    for (size_t i = 0; i < 2; i++) {
        hearth_buf_clear(&scratch->bufs[i]);
        int rc = hearth_buf_reserve(&scratch->bufs[i], bytes * sizeof(uint32_t));
        if (rc < 0) {
            return rc;
        }
    }
    filling->row.ids = (uint32_t *)(void *)scratch->bufs[0].data;
    filling->row.sizes = (uint32_t *)(void *)scratch->bufs[1].data;
    filling->unknown_size = 0;
    return 0;
}

int bpe_is_whole(const struct bpe *bpe, uint32_t id, struct model_scratch *scratch, bool *ret)
{
    struct hearth_slice text = vocab_piece(bpe->vocab, id);
    struct filling filling;
    int rc =
        hearth_utf8_is_valid(text) ? prepare(&filling, text.size, scratch) : HEARTH_E_MODEL_INVALID;
    if (rc < 0) {
        return rc;
    }
    bool is_one = take_segment(bpe, text, 0, &filling) == text.size;
    if (is_one) {
        rc = merge_all(&bpe->merges, &filling.row, scratch);
    }
    *ret = is_one && filling.row.count == 1 && filling.row.ids[0] == id;
    return rc;
}

static int put_row(const struct merge_row *row, size_t start, struct token_sink *sink)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < row->count; i++) {
        rc = token_put(sink, row->ids[i], start, start + row->sizes[i]);
        start += row->sizes[i];
    }
    return rc;
}

int bpe_part(const struct bpe *bpe, struct hearth_slice part, struct model_scratch *scratch,
             struct token_sink *sink)
{
    uint32_t id = find(bpe, part);
    if (id != NO_ID && (bpe->ignores_merges || bit_is_set(bpe->whole, id))) {
        return token_put(sink, id, 0, part.size);
    }
    struct filling filling;
    int rc = prepare(&filling, part.size, scratch);
    size_t end = 0;
    while (rc == 0 && end < part.size) {
        size_t start = end;
        end = take_segment(bpe, part, start, &filling);
        struct hearth_slice segment = hearth_slice_of(part.data + start, end - start);
        id = segment.size < part.size && filling.row.count > 1 ? find(bpe, segment) : NO_ID;
        if (id != NO_ID && bit_is_set(bpe->whole, id)) {
            rc = token_put(sink, id, start, end);
            continue;
        }
        rc = merge_all(&bpe->merges, &filling.row, scratch);
        if (rc == 0) {
            rc = put_row(&filling.row, start, sink);
        }
    }
    return rc;
}
