/* trim.c — takes the white space at the ends of tokens out of their places.
 *
 * Counted are characters of the token's own text — of an added token, all that it took — and as
 * many are taken from the place: the reference does not look at what it cuts off. */

#include "tokenizer_priv.h"

#define SPACE_OF_BYTE_LEVEL 0x120u /* what the byte 0x20 is written as */

static bool is_blank(uint32_t c)
{
    return c == SPACE_OF_BYTE_LEVEL || unicode_is_space(c);
}

static size_t blanks_at_start(struct hearth_slice token, bool *ret_is_all)
{
    size_t count = 0;
    size_t at = 0;
    *ret_is_all = false;
    while (at < token.size) {
        uint32_t c;
        at += hearth_utf8_read(token, at, &c);
        if (!is_blank(c)) {
            return count;
        }
        count++;
    }
    *ret_is_all = true;
    return count;
}

static size_t step_back(struct hearth_slice text, size_t at)
{
    do {
        at--;
    } while (at > 0 && (text.data[at] & 0xC0) == 0x80);
    return at;
}

static size_t blanks_at_end(struct hearth_slice token)
{
    size_t count = 0;
    size_t at = token.size;
    while (at > 0) {
        uint32_t c;
        at = step_back(token, at);
        hearth_utf8_read(token, at, &c);
        if (!is_blank(c)) {
            break;
        }
        count++;
    }
    return count;
}

static void cut_start(struct hearth_slice text, size_t count, struct hearth_token_place *place)
{
    size_t at = place->start;
    for (; count > 0 && at < place->end; count--) {
        at += char_size(text.data + at);
    }
    place->start = HEARTH_MIN((uint32_t)at, place->end);
}

static void cut_end(struct hearth_slice text, size_t count, struct hearth_token_place *place)
{
    size_t at = place->end;
    for (; count > 0; count--) {
        if (at == 0) {
            return; /* more than there is before it: left alone */
        }
        at = step_back(text, at);
    }
    place->end = HEARTH_MAX((uint32_t)at, place->start);
}

/* Tokens that take the white space to their right may follow each other inside one stretch of it,
 * all with the same end: counting it again for each would cost its square. */
static bool count_within(const struct hearth_buf *notes, struct blanks *blanks)
{
    const struct hearth_slice taken = blanks->taken;
    if (notes->size == 0) {
        return false;
    }
    const struct blanks *last = (const void *)(notes->data + notes->size - sizeof *last);
    if (!last->is_all || taken.data < last->taken.data ||
        taken.data + taken.size != last->taken.data + last->taken.size) {
        return false;
    }
    blanks->leading = last->leading;
    for (const uint8_t *at = last->taken.data; at < taken.data; at += char_size(at)) {
        blanks->leading--;
    }
    blanks->trailing = blanks->leading;
    blanks->is_all = true;
    return true;
}

int blanks_note(struct hearth_buf *notes, size_t ordinal, struct hearth_slice taken)
{
    struct blanks blanks = {.ordinal = ordinal, .taken = taken};
    if (!count_within(notes, &blanks)) {
        blanks.leading = blanks_at_start(taken, &blanks.is_all);
        blanks.trailing = blanks.is_all ? blanks.leading : blanks_at_end(taken);
    }
    return hearth_buf_append(notes, &blanks, sizeof blanks);
}

void places_trim(const struct hearth_tokenizer *tokenizer, struct hearth_slice text,
                 const struct hearth_buf *notes, struct token_sink *tokens, size_t first,
                 size_t count)
{
    const struct blanks *note = (const void *)notes->data; /* from the heap, so aligned */
    const struct blanks *notes_end = note == NULL ? NULL : note + notes->size / sizeof *note;
    /* The ordinal of tokens->ids[0]: of many only the last may be there. */
    size_t before = tokens->keeps_last ? tokens->total - tokens->count : 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = first + i;
        while (note < notes_end && note->ordinal < before + at) {
            note++;
        }
        struct blanks blanks = {0};
        if (note < notes_end && note->ordinal == before + at) {
            blanks = *note;
        } else {
            struct hearth_slice token =
                hearth_slice_of_string(hearth_tokenizer_piece(tokenizer, tokens->ids[at]));
            blanks.leading = blanks_at_start(token, &blanks.is_all);
            blanks.trailing = blanks_at_end(token);
        }
        struct hearth_token_place *place = &tokens->places[at];
        if (blanks.leading == 1 && tokenizer->post.spares_prefix && (i == 0 || place->start == 0)) {
            blanks.leading = 0; /* it may be the one that was added */
        }
        if (blanks.is_all && blanks.leading > 0 && blanks.taken.size == place->end - place->start) {
            place->start = place->end; /* what cutting would come to, step by step */
            continue;
        }
        cut_start(text, blanks.leading, place);
        cut_end(text, blanks.trailing, place);
    }
}
