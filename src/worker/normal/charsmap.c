/* charsmap.c — the normaliser "Precompiled": sentencepiece's character map.
 *
 * The reference goes by grapheme clusters: a short one is replaced whole if any prefix of its bytes
 * is in the map (the shortest counts), else character by character. Both are done as it does them,
 * also where that loses a mark: a model was trained on what came out. */

#include "normalize.h"

#include <string.h>

#define GRAPHEME_MOST_BYTES 5 /* of one that is replaced whole */

/* A unit of the double array, as sentencepiece lays it out. */
static bool has_leaf(uint32_t unit)
{
    return (unit >> 8 & 1) != 0;
}

static uint32_t label_of(uint32_t unit)
{
    return unit & (UINT32_C(1) << 31 | 0xFF);
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & UINT32_C(1) << 9) >> 6);
}

/* The text of the leaf at @node; NULL data if the file points nowhere. */
static struct hearth_slice leaf_text(const struct charsmap *map, size_t node)
{
    const struct hearth_slice none = {NULL, 0};
    if (node >= map->unit_count) {
        return none;
    }
    size_t start = map->units[node] & ~(UINT32_C(1) << 31);
    if (start >= map->text_bytes || (map->texts[start] & 0xC0) == 0x80) {
        return none;
    }
    const uint8_t *end = memchr(map->texts + start, 0, map->text_bytes - start);
    size_t size = end != NULL ? (size_t)(end - (map->texts + start)) : map->text_bytes - start;
    return hearth_slice_of(map->texts + start, size);
}

/* What the shortest prefix of @key in the map stands for; NULL data if none is there. */
static struct hearth_slice transform(const struct charsmap *map, struct hearth_slice key)
{
    size_t node = offset_of(map->units[0]);
    for (size_t i = 0; i < key.size && key.data[i] != 0; i++) {
        node ^= key.data[i];
        if (node >= map->unit_count || label_of(map->units[node]) != key.data[i]) {
            break;
        }
        uint32_t unit = map->units[node];
        node ^= offset_of(unit);
        if (has_leaf(unit)) {
            return leaf_text(map, node);
        }
    }
    return hearth_slice_of(NULL, 0);
}

static int too_odd(struct hearth_error *err, const char *what)
{
    return hearth_fail(err, HEARTH_E_MODEL_INVALID, "normalizer.precompiled_charsmap: %s", what);
}

int charsmap_load(struct charsmap *map, struct hearth_slice bytes, struct hearth_error *err)
{
    uint32_t trie_bytes = 0;
    if (bytes.size >= sizeof trie_bytes) {
        memcpy(&trie_bytes, bytes.data, sizeof trie_bytes);
    }
    if (bytes.size < sizeof trie_bytes || trie_bytes < sizeof(uint32_t) ||
        trie_bytes % sizeof(uint32_t) != 0 || trie_bytes > bytes.size - sizeof trie_bytes) {
        return too_odd(err, "the size of its trie is not within the data");
    }
    map->units = (const uint32_t *)(const void *)(bytes.data + sizeof trie_bytes);
    map->unit_count = trie_bytes / sizeof(uint32_t);
    map->texts = bytes.data + sizeof trie_bytes + trie_bytes;
    map->text_bytes = bytes.size - sizeof trie_bytes - trie_bytes;
    if (!hearth_utf8_is_valid(hearth_slice_of(map->texts, map->text_bytes))) {
        return too_odd(err, "its texts are not UTF-8");
    }
    for (size_t c = 0; c < HEARTH_COUNT(map->maps_ascii); c++) {
        uint8_t byte = (uint8_t)c;
        map->maps_ascii[c] = transform(map, hearth_slice_of(&byte, 1)).data != NULL;
    }
    return 0;
}

/* What was put last waits, because what comes next may be dropped on its account. */
struct mapper {
    struct rewrite rewrite;
    uint32_t held;
    int64_t held_change;
    bool has_held;
};

static int put_change(struct mapper *mapper, uint32_t c, int64_t change)
{
    int rc =
        mapper->has_held ? rewrite_change(&mapper->rewrite, mapper->held, mapper->held_change) : 0;
    mapper->held = c;
    mapper->held_change = change;
    mapper->has_held = true;
    return rc;
}

static size_t count_chars(struct hearth_slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++) {
        count += (text.data[i] & 0xC0) != 0x80;
    }
    return count;
}

/* Puts @to in place of @from. Of more characters the last are insertions; for fewer the one before
 * drops the rest. */
static int put_mapped(struct mapper *mapper, struct hearth_slice from, struct hearth_slice to)
{
    size_t old_count = count_chars(from);
    size_t kept = 0;
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < to.size) {
        uint32_t c;
        at += hearth_utf8_read(to, at, &c);
        rc = put_change(mapper, c, kept++ < old_count ? 0 : 1);
    }
    if (kept < old_count) {
        mapper->held_change -= (int64_t)(old_count - kept);
    }
    return rc;
}

static int put_grapheme(struct mapper *mapper, const struct charsmap *map,
                        struct hearth_slice grapheme, bool *has_changed)
{
    if (grapheme.size <= GRAPHEME_MOST_BYTES) {
        struct hearth_slice to = transform(map, grapheme);
        if (to.data != NULL) {
            *has_changed = true;
            return put_mapped(mapper, grapheme, to);
        }
    }
    int rc = 0;
    size_t at = 0;
    while (rc == 0 && at < grapheme.size) {
        uint32_t c;
        unsigned length = hearth_utf8_read(grapheme, at, &c);
        struct hearth_slice part = hearth_slice_of(grapheme.data + at, length);
        struct hearth_slice to = transform(map, part);
        *has_changed = *has_changed || to.data != NULL;
        rc = to.data != NULL ? put_mapped(mapper, part, to) : put_change(mapper, c, 0);
        at += length;
    }
    return rc;
}

/* The end of the grapheme cluster at @start. */
static size_t grapheme_end(struct hearth_slice text, size_t start)
{
    int32_t state = 0;
    uint32_t before;
    size_t at = start + hearth_utf8_read(text, start, &before);
    while (at < text.size) {
        uint32_t after;
        unsigned length = hearth_utf8_read(text, at, &after);
        if (unicode_breaks_grapheme(before, after, &state)) {
            break;
        }
        before = after;
        at += length;
    }
    return at;
}

/* Characters of ASCII before others of it are clusters of their own; those not in the map stay. */
static size_t plain_end(const struct charsmap *map, struct hearth_slice text, size_t start)
{
    size_t at = start;
    while (at < text.size && text.data[at] < 0x80 && text.data[at] != '\r' &&
           !map->maps_ascii[text.data[at]] && (at + 1 == text.size || text.data[at + 1] < 0x80)) {
        at++;
    }
    return at;
}

static int copy_plain(struct mapper *mapper, size_t start, size_t end)
{
    if (start == end) {
        return 0;
    }
    struct rewrite *rewrite = &mapper->rewrite;
    const uint8_t *data = rewrite->view->text.data;
    int rc = put_change(mapper, data[end - 1], 0);
    if (rc == 0 && rewrite->at == start) {
        rc = writer_copy(rewrite->writer, rewrite->view, start, end - 1);
        rewrite->at = end - 1;
        return rc;
    }
    /* Where the reference's places lag behind the text, they go on doing so. */
    for (size_t at = start; rc == 0 && at + 1 < end; at++) {
        rc = rewrite_keep(rewrite, data[at]);
    }
    return rc;
}

int normalize_precompiled(const struct charsmap *map, const struct view *view,
                          struct writer *writer, bool *has_changed)
{
    struct mapper mapper = {.rewrite = {view, writer, 0}};
    struct hearth_slice text = view->text;
    size_t at = plain_end(map, text, 0);
    *has_changed = false;
    if (at == text.size) {
        return 0;
    }
    int rc = copy_plain(&mapper, 0, at);
    while (rc == 0 && at < text.size) {
        size_t plain = plain_end(map, text, at);
        if (plain > at) {
            rc = copy_plain(&mapper, at, plain);
            at = plain;
            continue;
        }
        size_t end = grapheme_end(text, at);
        rc = put_grapheme(&mapper, map, hearth_slice_of(text.data + at, end - at), has_changed);
        at = end;
    }
    if (rc == 0 && mapper.has_held) {
        rc = rewrite_change(&mapper.rewrite, mapper.held, mapper.held_change);
    }
    return rc;
}
