/* categories.c — utf8proc's categories, and the newer ones. */

#include "categories.h"

struct newer_run {
    uint32_t first;
    uint32_t last;
    utf8proc_category_t category;
};

#include "unicode_newer.h"

static const uint8_t ascii_kinds[128] = {
    ['\t' ... '\r'] = KIND_SPACE, [' '] = KIND_SPACE,          ['0' ... '9'] = KIND_NUMBER,
    ['A' ... 'Z'] = KIND_LETTER,  ['a' ... 'z'] = KIND_LETTER,
};

static const struct newer_run *find_newer(uint32_t c)
{
    size_t low = 0;
    size_t high = HEARTH_COUNT(newer_runs);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c > newer_runs[middle].last) {
            low = middle + 1;
        } else if (c < newer_runs[middle].first) {
            high = middle;
        } else {
            return &newer_runs[middle];
        }
    }
    return NULL;
}

uint32_t category_of(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    /* Newer characters were unassigned before; one nonspacing mark has become a spacing one. */
    if (category == UTF8PROC_CATEGORY_CN || category == UTF8PROC_CATEGORY_MN) {
        const struct newer_run *newer = find_newer(c);
        category = newer != NULL ? newer->category : category;
    }
    return 1u << category;
}

static enum char_kind kind_of(uint32_t c)
{
    uint32_t category = category_of(c);
    if ((category & CATEGORIES_LETTER) != 0) {
        return KIND_LETTER;
    }
    if ((category & CATEGORIES_NUMBER) != 0) {
        return KIND_NUMBER;
    }
    return (category & CATEGORIES_SPACE) != 0 || c == 0x85 ? KIND_SPACE : KIND_OTHER;
}

enum char_kind kind_at(struct hearth_slice text, size_t at, unsigned *ret_length)
{
    uint8_t first = text.data[at];
    if (first < 0x80) {
        *ret_length = 1;
        return ascii_kinds[first];
    }
    uint32_t c;
    *ret_length = hearth_utf8_read(text, at, &c);
    return kind_of(c);
}

int categories_write_newer(uint32_t set, struct hearth_buf *out)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < HEARTH_COUNT(newer_runs); i++) {
        const struct newer_run *run = &newer_runs[i];
        if ((set >> run->category & 1) != 0) {
            rc = hearth_buf_printf(out, "\\x{%X}-\\x{%X}", (unsigned)run->first,
                                   (unsigned)run->last);
        }
    }
    return rc;
}
