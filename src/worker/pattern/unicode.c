/* unicode.c — the reference's view of one code point: utf8proc, corrected where they disagree. */

#include "unicode.h"

#include "hearth_base.h"

#include <utf8proc.h>

struct range {
    uint32_t first;
    uint32_t last;
};
struct lower_run {
    uint32_t first;
    uint32_t last;
    int32_t distance;
};

#include "unicode_differences.h"

static bool is_in(const struct range *ranges, size_t count, uint32_t c)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c > ranges[middle].last) {
            low = middle + 1;
        } else if (c < ranges[middle].first) {
            high = middle;
        } else {
            return true;
        }
    }
    return false;
}
#define IS_IN(ranges, c) is_in(ranges, HEARTH_COUNT(ranges), c)

static utf8proc_category_t category(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c);
}

bool unicode_is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

/* Controls, formats and private use; unassigned code points stay. Tab and line ends become spaces
 * later, and U+FFFD is dropped by name. */
bool unicode_is_removed(uint32_t c)
{
    if (c == '\t' || c == '\n' || c == '\r') {
        return false;
    }
    utf8proc_category_t is = category(c);
    return c == 0xFFFD || ((is == UTF8PROC_CATEGORY_CC || is == UTF8PROC_CATEGORY_CF ||
                            is == UTF8PROC_CATEGORY_CO) &&
                           !IS_IN(not_removed, c));
}

/* The blocks that the reference lists; not the whole of Han. */
bool unicode_is_chinese(uint32_t c)
{
    return (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0x2F800 && c <= 0x2FA1F);
}

bool unicode_is_mark(uint32_t c)
{
    return category(c) == UTF8PROC_CATEGORY_MN ? !IS_IN(not_mark, c) : IS_IN(old_mark, c);
}

static bool is_category_p(uint32_t c)
{
    utf8proc_category_t is = category(c);
    return is == UTF8PROC_CATEGORY_PC || is == UTF8PROC_CATEGORY_PD || is == UTF8PROC_CATEGORY_PS ||
           is == UTF8PROC_CATEGORY_PE || is == UTF8PROC_CATEGORY_PI || is == UTF8PROC_CATEGORY_PF ||
           is == UTF8PROC_CATEGORY_PO;
}

bool unicode_is_punctuation(uint32_t c)
{
    if (c < 0x80) { /* with the symbols of ASCII, such as $ and ~ */
        return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
               (c >= '{' && c <= '~');
    }
    return is_category_p(c) ? !IS_IN(not_punctuation, c) : IS_IN(old_punctuation, c);
}

bool unicode_is_word(uint32_t c)
{
    utf8proc_category_t is = category(c);
    return (is >= UTF8PROC_CATEGORY_LU && is <= UTF8PROC_CATEGORY_LO) ||
           (is >= UTF8PROC_CATEGORY_MN && is <= UTF8PROC_CATEGORY_ME) ||
           is == UTF8PROC_CATEGORY_ND || is == UTF8PROC_CATEGORY_NL || is == UTF8PROC_CATEGORY_PC ||
           IS_IN(more_word, c);
}

unsigned unicode_combining_class(uint32_t c)
{
    if (c < 0x300) {
        return 0;
    }
    unsigned class =
        (unsigned)(uint16_t)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
    return class != 0 && IS_IN(not_combining, c) ? 0 : class;
}

/* Decomposes by utf8proc; a character that is left alone is its own decomposition. */
static unsigned decompose(uint32_t c, bool is_left_alone, utf8proc_option_t options, uint32_t *room,
                          unsigned most)
{
    utf8proc_int32_t points[UNICODE_MOST_COMPATIBLE];
    int last_class = 0;
    utf8proc_ssize_t count =
        is_left_alone ? 0
                      : utf8proc_decompose_char((utf8proc_int32_t)c, points,
                                                UNICODE_MOST_COMPATIBLE, options, &last_class);
    if (count < 1 || count > (utf8proc_ssize_t)most) {
        room[0] = c;
        return 1;
    }
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        room[i] = (uint32_t)points[i];
    }
    return (unsigned)count;
}

unsigned unicode_decompose(uint32_t c, uint32_t room[UNICODE_MOST_DECOMPOSED])
{
    return decompose(c, c < 0xC0 || IS_IN(not_decomposed, c), UTF8PROC_DECOMPOSE, room,
                     UNICODE_MOST_DECOMPOSED);
}

unsigned unicode_decompose_compatible(uint32_t c, uint32_t room[UNICODE_MOST_COMPATIBLE])
{
    return decompose(c, c < 0xA0 || IS_IN(not_compatible, c), UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
                     room, UNICODE_MOST_COMPATIBLE);
}

uint32_t unicode_compose(uint32_t first, uint32_t second)
{
    if (second < 0x300) {
        return 0;
    }
    utf8proc_int32_t pair[2] = {(utf8proc_int32_t)first, (utf8proc_int32_t)second};
    utf8proc_ssize_t count = utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    uint32_t composed = (uint32_t)pair[0];
    return count == 1 && !IS_IN(not_decomposed, composed) ? composed : 0;
}

bool unicode_is_combining(uint32_t c)
{
    if (c < 0x300) {
        return false;
    }
    utf8proc_category_t is = category(c);
    bool is_mark =
        is == UTF8PROC_CATEGORY_MN || is == UTF8PROC_CATEGORY_MC || is == UTF8PROC_CATEGORY_ME;
    return is_mark ? !IS_IN(not_combining_mark, c) : IS_IN(old_combining_mark, c);
}

bool unicode_is_numeric(uint32_t c)
{
    if (c < 0x80) {
        return c >= '0' && c <= '9';
    }
    utf8proc_category_t is = category(c);
    bool is_number =
        is == UTF8PROC_CATEGORY_ND || is == UTF8PROC_CATEGORY_NL || is == UTF8PROC_CATEGORY_NO;
    return is_number ? !IS_IN(not_numeric, c) : IS_IN(newer_numeric, c);
}

/* A character that utf8proc takes for what the reference takes @c for, at the edges of clusters. */
static utf8proc_int32_t cluster_proxy(uint32_t c)
{
    if (c < 0x300) {
        return (utf8proc_int32_t)c;
    }
    if (IS_IN(more_extending, c)) {
        return 0x300;
    }
    if (IS_IN(more_prepending, c)) {
        return 0x600;
    }
    return IS_IN(not_prepending, c) ? 'a' : (utf8proc_int32_t)c;
}

bool unicode_breaks_grapheme(uint32_t before, uint32_t after, int32_t *state)
{
    return utf8proc_grapheme_break_stateful(cluster_proxy(before), cluster_proxy(after), state);
}

unsigned unicode_lower(uint32_t c, uint32_t room[2])
{
    if (c == 0x130) { /* the one letter whose full lower case is two code points */
        room[0] = 'i';
        room[1] = 0x307;
        return 2;
    }
    room[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    if (room[0] == c) {
        for (size_t i = 0; i < HEARTH_COUNT(newer_lower); i++) {
            if (c >= newer_lower[i].first && c <= newer_lower[i].last) {
                room[0] = (uint32_t)((int32_t)c + newer_lower[i].distance);
            }
        }
    }
    return 1;
}
