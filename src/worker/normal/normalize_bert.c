/* normalize_bert.c — the BERT normaliser: clean, space out Chinese characters, strip accents,
 * lower.
 *
 * One pass. Where accents are stripped, a run of combining marks waits until a character of class 0
 * ends it: marks are put in order before those that go are dropped, because one that stays takes
 * the place in the text of its rank in that order. */

#include "normalize.h"

struct bert {
    const struct bert_options *options;
    struct normal_scratch *scratch;
    struct writer *writer;
    struct hearth_token_place last; /* of the last character that was used up */
};

static int put_lowered(struct bert *bert, uint32_t c, struct hearth_token_place place)
{
    if (c < 0x80) {
        uint8_t byte = (uint8_t)(bert->options->lowers && c >= 'A' && c <= 'Z' ? c + 32 : c);
        return writer_put_bytes(bert->writer, hearth_slice_of(&byte, 1), place);
    }
    if (bert->options->strips_accents && unicode_is_mark(c)) {
        return 0;
    }
    uint32_t lower[2] = {c};
    unsigned count = bert->options->lowers ? unicode_lower(c, lower) : 1;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        rc = writer_put(bert->writer, lower[i], place);
    }
    return rc;
}

/* Ends the run of marks that waits. */
static int flush(struct bert *bert)
{
    struct normal_scratch *scratch = bert->scratch;
    size_t count = scratch->points.size / sizeof(struct mark);
    if (count == 0) {
        return 0;
    }
    struct mark *marks = (struct mark *)(void *)scratch->points.data; /* from the heap: aligned */
    const struct hearth_token_place *places = (const void *)scratch->places.data;
    size_t used = 0;
    int rc = marks_order(marks, count, &scratch->sorted);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (marks[i].is_first) {
            bert->last = places[used++];
        }
        rc = put_lowered(bert, marks[i].c, bert->last);
    }
    hearth_buf_clear(&scratch->points);
    hearth_buf_clear(&scratch->places);
    return rc;
}

static int put_decomposed(struct bert *bert, uint32_t c, struct hearth_token_place place)
{
    if (!bert->options->strips_accents) {
        return put_lowered(bert, c, place);
    }
    uint32_t parts[UNICODE_MOST_DECOMPOSED] = {c};
    unsigned count = c < 0x80 ? 1 : unicode_decompose(c, parts);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        const struct mark mark = {parts[i], (uint16_t)unicode_combining_class(parts[i]), i == 0};
        if (mark.class == 0) {
            rc = flush(bert);
        }
        if (rc == 0 && mark.class == 0) {
            bert->last = mark.is_first ? place : bert->last;
            rc = put_lowered(bert, mark.c, bert->last);
            continue;
        }
        rc = rc < 0 ? rc : hearth_buf_append(&bert->scratch->points, &mark, sizeof mark);
        if (rc == 0 && mark.is_first) {
            rc = hearth_buf_append(&bert->scratch->places, &place, sizeof place);
        }
    }
    return rc;
}

static int put_spaced(struct bert *bert, uint32_t c, struct hearth_token_place place)
{
    if (!bert->options->spaces_chinese || !unicode_is_chinese(c)) {
        return put_decomposed(bert, c, place);
    }
    int rc = put_decomposed(bert, ' ', place);
    if (rc == 0) {
        rc = put_decomposed(bert, c, place);
    }
    return rc == 0 ? put_decomposed(bert, ' ', place) : rc;
}

static int put_cleaned(struct bert *bert, uint32_t c, struct hearth_token_place place)
{
    if (bert->options->cleans_text && (c < ' ' || c >= 0x7F)) {
        if (unicode_is_removed(c)) {
            return 0;
        }
        if (unicode_is_space(c)) {
            c = ' ';
        }
    }
    return put_spaced(bert, c, place);
}

/* Copies the printable ASCII at @start, lowered; returns where it ends. */
static size_t copy_plain(const struct bert_options *options, const struct view *view, size_t start,
                         struct writer *writer, int *rc)
{
    const uint8_t *data = view->text.data;
    size_t end = start;
    while (end < view->text.size && data[end] >= ' ' && data[end] < 0x7F) {
        end++;
    }
    size_t from = writer->size;
    *rc = writer_copy(writer, view, start, end);
    for (size_t i = from; *rc == 0 && options->lowers && i < writer->size; i++) {
        uint8_t byte = writer->bytes[i];
        writer->bytes[i] = (uint8_t)(byte | (byte >= 'A' && byte <= 'Z') << 5);
    }
    return end;
}

int normalize_bert(const struct bert_options *options, const struct view *view,
                   struct normal_scratch *scratch, struct writer *writer, bool *has_changed)
{
    struct bert bert = {options, scratch, writer, {view->origin, view->origin}};
    int rc = 0;
    size_t at = 0;
    *has_changed = true;
    hearth_buf_clear(&scratch->points);
    hearth_buf_clear(&scratch->places);
    while (rc == 0 && at < view->text.size) {
        uint8_t byte = view->text.data[at];
        if (byte >= ' ' && byte < 0x7F) {
            rc = flush(&bert);
            if (rc == 0) {
                at = copy_plain(options, view, at, writer, &rc);
                if (writer->tracks && rc == 0) {
                    bert.last = writer->places[writer->size - 1];
                }
            }
            continue;
        }
        uint32_t c;
        unsigned length = hearth_utf8_read(view->text, at, &c);
        const struct hearth_token_place none = {0, 0};
        rc = put_cleaned(&bert, c, writer->tracks ? view_place(view, at) : none);
        at += length;
    }
    return rc == 0 ? flush(&bert) : rc;
}
