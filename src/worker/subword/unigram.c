/* unigram.c — the best cut of one part, found from left to right.
 *
 * Of each place the best way to get there is kept. As soon as no piece reaches beyond a place, the
 * way to it is settled: its tokens are put, and the memory starts anew from there. */

#include "unigram.h"

#define NO_PLACE UINT32_MAX

/** The best way to one place of the part: its score, the last piece and where that starts. */
struct best {
    double score;
    uint32_t id;
    uint32_t start; /* NO_PLACE: not reached yet */
};

/** The stretch of a part that is not settled yet; places count from its start. */
struct stretch {
    const struct unigram *unigram;
    struct hearth_slice part;
    size_t from;
    struct hearth_buf *buf;
    struct best *places;
    uint32_t reached;     /* the furthest place */
    size_t unknown_start; /* unknown text that is not put yet, because more may follow */
    size_t unknown_end;
};

/* Unknown text becomes one token, but if it reads like a piece, it is that. */
static int put_unknown(struct stretch *stretch, struct token_sink *sink)
{
    const struct unigram *unigram = stretch->unigram;
    size_t start = stretch->unknown_start;
    size_t end = stretch->unknown_end;
    stretch->unknown_start = end;
    if (start == end) {
        return 0;
    }
    struct hearth_slice text = hearth_slice_of(stretch->part.data + start, end - start);
    uint32_t id =
        text.size <= unigram->vocab->longest_bytes ? vocab_find_text(unigram->vocab, text) : NO_ID;
    bool has_bytes = id == NO_ID && unigram->falls_back;
    for (size_t i = 0; has_bytes && i < text.size; i++) {
        has_bytes = unigram->byte_ids[text.data[i]] != NO_ID;
    }
    if (!has_bytes) {
        return token_put(sink, id != NO_ID ? id : unigram->unknown_id, start, end);
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < text.size; i++) {
        rc = token_put(sink, unigram->byte_ids[text.data[i]], start, end);
    }
    return rc;
}

static int put_piece(struct stretch *stretch, uint32_t id, size_t start, size_t end,
                     struct token_sink *sink)
{
    if (id == stretch->unigram->unknown_id) {
        if (stretch->unknown_start == stretch->unknown_end) {
            stretch->unknown_start = start;
        }
        stretch->unknown_end = end;
        return 0;
    }
    int rc = put_unknown(stretch, sink);
    return rc < 0 ? rc : token_put(sink, id, start, end);
}

/* Puts the pieces of the way to the furthest place, and starts a new stretch there. */
static int settle(struct stretch *stretch, struct token_sink *sink)
{
    struct best *places = stretch->places;
    struct best last = places[stretch->reached];
    double score = last.score;
    /* The way is known backwards; each piece is written down where it starts, to go forwards. */
    uint32_t end = stretch->reached;
    for (;;) {
        uint32_t start = last.start;
        struct best before = places[start];
        places[start].id = last.id;
        places[start].start = end;
        if (start == 0) {
            break;
        }
        end = start;
        last = before;
    }
    int rc = 0;
    for (uint32_t at = 0; rc == 0 && at < stretch->reached; at = places[at].start) {
        rc = put_piece(stretch, places[at].id, stretch->from + at, stretch->from + places[at].start,
                       sink);
    }
    stretch->from += stretch->reached;
    stretch->reached = 0;
    places[0].score = score;
    return rc;
}

/* Makes places up to @furthest. */
static int reach(struct stretch *stretch, size_t furthest)
{
    size_t bytes = (furthest + 1) * sizeof(struct best);
    if (bytes <= stretch->buf->room) {
        return 0;
    }
    /* What is there is kept, all of it. */
    stretch->buf->size = stretch->buf->room;
    int rc = hearth_buf_reserve(stretch->buf, bytes);
    stretch->places = (struct best *)(void *)stretch->buf->data;
    return rc;
}

static void offer(struct stretch *stretch, uint32_t start, uint32_t end, uint32_t id, double score)
{
    while (stretch->reached < end) {
        stretch->places[++stretch->reached].start = NO_PLACE;
    }
    struct best *best = &stretch->places[end];
    if (best->start == NO_PLACE || score > best->score) {
        *best = (struct best){score, id, start};
    }
}

/* Offers every piece that starts at @at, and the unknown token if none is one character long. */
static void look_at(struct stretch *stretch, uint32_t at, unsigned length)
{
    const struct unigram *unigram = stretch->unigram;
    const struct trie *trie = &unigram->trie;
    const uint8_t *bytes = stretch->part.data + stretch->from;
    size_t size = stretch->part.size - stretch->from;
    double score = stretch->places[at].score;
    bool has_one = false;
    uint32_t node = TRIE_ROOT;
    for (uint32_t end = at; end < size;) {
        node = trie_step(trie, node, bytes[end]);
        if (node == TRIE_NOWHERE) {
            break;
        }
        end++;
        uint32_t id = trie->nodes[node].id;
        if (id != NO_ID) {
            has_one = has_one || end == at + length;
            offer(stretch, at, end, id, unigram->scores[id] + score);
        }
    }
    if (!has_one) {
        offer(stretch, at, at + length, unigram->unknown_id, unigram->unknown_score + score);
    }
}

static unsigned char_length(uint8_t first_byte)
{
    return first_byte < 0x80 ? 1 : first_byte < 0xE0 ? 2 : first_byte < 0xF0 ? 3 : 4;
}

int unigram_part(const struct unigram *unigram, struct hearth_slice part,
                 struct model_scratch *scratch, struct token_sink *sink)
{
    struct stretch stretch = {.unigram = unigram, .part = part, .buf = &scratch->bufs[0]};
    const size_t longest = HEARTH_MAX(unigram->vocab->longest_bytes, (size_t)4);
    uint32_t at = 0;
    int rc = reach(&stretch, longest);
    stretch.places = (struct best *)(void *)stretch.buf->data;
    if (rc == 0) {
        stretch.places[0] = (struct best){0};
    }
    while (rc == 0 && stretch.from + at < part.size) {
        rc = reach(&stretch, at + longest);
        if (rc < 0) {
            break;
        }
        unsigned length = char_length(part.data[stretch.from + at]);
        look_at(&stretch, at, length);
        at += length;
        if (at == stretch.reached) {
            rc = settle(&stretch, sink);
            at = 0;
        }
    }
    return rc < 0 ? rc : put_unknown(&stretch, sink);
}
