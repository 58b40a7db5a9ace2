/* normalize.c — the BERT normaliser: clean, space out Chinese characters, strip accents, lower.
 *
 * First the text becomes code points, cleaned, spaced and decomposed; then runs of combining
 * characters are put in canonical order; last, marks are dropped and the rest is lowered. Marks
 * must stay until the order is settled: one of class 0 keeps its neighbours apart. */

#include "tokenizer_priv.h"

#include <string.h>

#define SHORT_RUN 16 /* longer runs are sorted by counting, so that the time stays linear */

static int put_point(struct hearth_buf *points, uint32_t c)
{
    return hearth_buf_append(points, &c, sizeof c);
}

static int put_decomposed(const struct normalizer *normalizer, struct hearth_buf *points,
                          uint32_t c)
{
    if (!normalizer->strips_accents || c < 0x80) {
        return put_point(points, c);
    }
    uint32_t parts[UNICODE_MOST_DECOMPOSED];
    unsigned count = unicode_decompose(c, parts);
    return hearth_buf_append(points, parts, count * sizeof *parts);
}

static int put_cleaned(const struct normalizer *normalizer, struct hearth_buf *points, uint32_t c)
{
    if (normalizer->cleans_text && (c < ' ' || c >= 0x7F)) {
        if (unicode_is_removed(c)) {
            return 0;
        }
        if (unicode_is_space(c)) {
            c = ' ';
        }
    }
    if (!normalizer->spaces_chinese || !unicode_is_chinese(c)) {
        return put_decomposed(normalizer, points, c);
    }
    int rc = put_point(points, ' ');
    if (rc == 0) {
        rc = put_decomposed(normalizer, points, c);
    }
    return rc == 0 ? put_point(points, ' ') : rc;
}

static void sort_short_run(uint32_t *run, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t c = run[i];
        unsigned class = unicode_combining_class(c);
        size_t to = i;
        while (to > 0 && unicode_combining_class(run[to - 1]) > class) {
            run[to] = run[to - 1];
            to--;
        }
        run[to] = c;
    }
}

static int sort_long_run(uint32_t *run, size_t count, struct hearth_buf *sorted)
{
    hearth_buf_clear(sorted);
    int rc = hearth_buf_reserve(sorted, count * sizeof *run);
    if (rc < 0) {
        return rc;
    }
    size_t next[257] = {0};
    for (size_t i = 0; i < count; i++) {
        next[(unicode_combining_class(run[i]) & 0xFF) + 1]++;
    }
    for (size_t class = 1; class < HEARTH_COUNT(next); class ++) {
        next[class] += next[class - 1];
    }
    for (size_t i = 0; i < count; i++) {
        size_t to = next[unicode_combining_class(run[i]) & 0xFF]++;
        memcpy(sorted->data + to * sizeof *run, &run[i], sizeof *run);
    }
    memcpy(run, sorted->data, count * sizeof *run);
    return 0;
}

/* Puts each run of characters of class > 0 in the order of their classes, keeping equals in place.
 */
static int order_marks(struct hearth_encoding *out)
{
    uint32_t *points = (uint32_t *)(void *)out->points.data; /* from the heap, so aligned */
    size_t count = out->points.size / sizeof *points;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        size_t end = i;
        while (end < count && unicode_combining_class(points[end]) != 0) {
            end++;
        }
        if (end - i > SHORT_RUN) {
            rc = sort_long_run(points + i, end - i, &out->sorted);
        } else if (end - i > 1) {
            sort_short_run(points + i, end - i);
        }
        i = end;
    }
    return rc;
}

static int put_lowered(const struct normalizer *normalizer, struct hearth_buf *normal, uint32_t c)
{
    uint8_t bytes[8];
    if (c < 0x80) {
        bytes[0] = (uint8_t)(normalizer->lowers && c >= 'A' && c <= 'Z' ? c + 32 : c);
        return hearth_buf_append(normal, bytes, 1);
    }
    if (normalizer->strips_accents && unicode_is_mark(c)) {
        return 0;
    }
    uint32_t lower[2] = {c};
    unsigned count = normalizer->lowers ? unicode_lower(c, lower) : 1;
    unsigned size = 0;
    for (unsigned i = 0; i < count; i++) {
        size += hearth_utf8_write(lower[i], bytes + size);
    }
    return hearth_buf_append(normal, bytes, size);
}

int normalize(const struct normalizer *normalizer, struct hearth_slice text,
              struct hearth_encoding *out)
{
    hearth_buf_clear(&out->normal);
    hearth_buf_clear(&out->points);
    int rc = hearth_buf_reserve(&out->points, text.size * sizeof(uint32_t));
    size_t at = 0;
    while (rc == 0 && at < text.size) {
        uint32_t c;
        at += hearth_utf8_read(text, at, &c);
        rc = put_cleaned(normalizer, &out->points, c);
    }
    if (rc == 0 && normalizer->strips_accents) {
        rc = order_marks(out);
    }
    for (size_t i = 0; rc == 0 && i < out->points.size; i += sizeof(uint32_t)) {
        uint32_t c;
        memcpy(&c, out->points.data + i, sizeof c);
        rc = put_lowered(normalizer, &out->normal, c);
    }
    return rc;
}
