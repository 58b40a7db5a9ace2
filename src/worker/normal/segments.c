/* segments.c — the matches of a pattern and the text between them. */

#include "pretokenize.h"

static bool matches(const struct pattern *pattern, uint32_t c)
{
    switch (pattern->kind) {
    case PATTERN_CHAR: return c == pattern->c;
    case PATTERN_SPACE: return unicode_is_space(c);
    case PATTERN_PUNCTUATION: return unicode_is_punctuation(c);
    case PATTERN_NUMBER: return unicode_is_numeric(c);
    case PATTERN_SPLITTER: break;
    }
    return false;
}

/* The next match; 0 if there is none. */
static int find(struct segments *segments, struct segment *ret)
{
    const struct pattern *pattern = segments->pattern;
    ret->is_match = true;
    if (pattern->kind == PATTERN_SPLITTER) {
        struct split_range range;
        int rc = split_next(pattern->splitter, segments->text, segments->scratch, &segments->scan,
                            &range);
        if (rc > 0) {
            ret->start = range.start;
            ret->end = range.end;
        }
        return rc;
    }
    size_t at = segments->done;
    while (at < segments->text.size) {
        uint32_t c;
        unsigned length = hearth_utf8_read(segments->text, at, &c);
        if (matches(pattern, c)) {
            ret->start = at;
            ret->end = at + length;
            return 1;
        }
        at += length;
    }
    return 0;
}

static int give(struct segments *segments, struct segment *ret)
{
    if (segments->has_match) {
        segments->has_match = false;
        *ret = segments->match;
        segments->done = ret->end;
        return 1;
    }
    if (segments->is_at_end) {
        return 0;
    }
    int rc = find(segments, &segments->match);
    if (rc < 0) {
        return rc;
    }
    segments->has_match = rc > 0;
    segments->is_at_end = rc == 0;
    size_t end = rc > 0 ? segments->match.start : segments->text.size;
    if (end == segments->done) {
        return give(segments, ret); /* once: the match, or the end */
    }
    *ret = (struct segment){segments->done, end, false};
    segments->done = end;
    return 1;
}

int segments_next(struct segments *segments, struct segment *ret)
{
    int rc = give(segments, ret);
    ret->is_match = ret->is_match != segments->pattern->is_inverted;
    return rc;
}
