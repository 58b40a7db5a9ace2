/* vocabulary.c — building the trie. See vocabulary.h. */

#include "vocabulary.h"

#include <stdlib.h>

#define MAX_TEXT_BYTES (64u << 20) /* of all tokens */

struct entry {
    struct hearth_slice text;
    uint32_t id;
};

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    int order = memcmp(a->text.data, b->text.data, HEARTH_MIN(a->text.size, b->text.size));
    if (order == 0 && a->text.size != b->text.size) {
        order = a->text.size < b->text.size ? -1 : 1;
    }
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

static size_t shared_bytes(struct hearth_slice a, struct hearth_slice b)
{
    size_t most = HEARTH_MIN(a.size, b.size);
    size_t count = 0;
    while (count < most && a.data[count] == b.data[count]) {
        count++;
    }
    return count;
}

enum byte_group byte_group_of(uint8_t byte)
{
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')) {
        return GROUP_LETTERS;
    }
    if (byte >= '0' && byte <= '9') {
        return GROUP_DIGITS;
    }
    if (byte < ' ' || byte == 0x7F) {
        return GROUP_CONTROLS;
    }
    switch (byte) {
    case ' ': return GROUP_SPACE;
    case '"': return GROUP_QUOTE;
    case '\\': return GROUP_BACKSLASH;
    default: return byte < 0x80 ? GROUP_SIGNS : GROUP_NOT_ASCII;
    }
}

/* Those that are to be found, sorted by their bytes. */
static int sort_tokens(const struct hearth_slice *tokens, size_t count, struct entry **ret,
                       uint32_t *ret_count, struct hearth_error *err)
{
    struct entry *entries = hearth_alloc(HEARTH_MAX(count, (size_t)1), sizeof *entries);
    if (entries == NULL) {
        return hearth_fail_oom(err);
    }
    uint32_t kept = 0;
    for (size_t id = 0; id < count; id++) {
        if (tokens[id].size > 0 && tokens[id].size <= HEARTH_GRAMMAR_MAX_TOKEN_BYTES) {
            entries[kept++] = (struct entry){tokens[id], (uint32_t)id};
        }
    }
    qsort(entries, kept, sizeof *entries, compare_entries);
    *ret = entries;
    *ret_count = kept;
    return 0;
}

static size_t count_nodes(const struct entry *entries, uint32_t count)
{
    size_t nodes = 0;
    struct hearth_slice before = {0};
    for (uint32_t i = 0; i < count; i++) {
        nodes += entries[i].text.size - shared_bytes(before, entries[i].text);
        before = entries[i].text;
    }
    return nodes;
}

/* Ends the open nodes deeper than @depth: what follows is not below them. */
static void close_nodes(struct hearth_vocabulary *vocabulary, const uint32_t *open, size_t deepest,
                        size_t depth)
{
    for (; deepest > depth; deepest--) {
        struct vocabulary_node *node = &vocabulary->nodes[open[deepest]];
        node->skip = vocabulary->node_count;
        if (deepest > 1) {
            struct vocabulary_node *above = &vocabulary->nodes[open[deepest - 1]];
            unsigned height = HEARTH_MIN(node->height + 1u, VOCABULARY_HIGH);
            above->groups |= node->groups;
            above->height = (uint16_t)(HEARTH_MAX((unsigned)above->height, height) & 63u);
        }
    }
}

static void fill(struct hearth_vocabulary *vocabulary, const struct entry *entries, uint32_t count)
{
    uint32_t open[HEARTH_GRAMMAR_MAX_TOKEN_BYTES + 1];
    struct hearth_slice before = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct hearth_slice text = entries[i].text;
        size_t depth = shared_bytes(before, text);
        close_nodes(vocabulary, open, before.size, depth);
        for (; depth < text.size; depth++) {
            open[depth + 1] = vocabulary->node_count;
            vocabulary->nodes[vocabulary->node_count++] = (struct vocabulary_node){
                .tokens = i,
                .depth = (uint16_t)((depth + 1) & 1023u),
                .byte = text.data[depth],
                .groups = (uint8_t)(1u << byte_group_of(text.data[depth]))};
        }
        vocabulary->tokens[i] = entries[i].id;
        before = text;
    }
    close_nodes(vocabulary, open, before.size, 0);
    vocabulary->token_count = count;
    vocabulary->nodes[vocabulary->node_count] =
        (struct vocabulary_node){.skip = vocabulary->node_count + 1, .tokens = count};
}

static int build(const struct entry *entries, uint32_t count, size_t size,
                 struct hearth_vocabulary **ret, struct hearth_error *err)
{
    size_t nodes = count_nodes(entries, count);
    if (nodes > MAX_TEXT_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "the tokens have more than %u bytes",
                           MAX_TEXT_BYTES);
    }
    struct hearth_vocabulary *vocabulary = hearth_alloc(1, sizeof *vocabulary);
    if (vocabulary == NULL) {
        return hearth_fail_oom(err);
    }
    vocabulary->magic = VOCABULARY_MAGIC;
    vocabulary->size = (uint32_t)size;
    vocabulary->nodes = hearth_alloc(nodes + 1, sizeof *vocabulary->nodes);
    vocabulary->tokens = hearth_alloc((size_t)count + 1, sizeof *vocabulary->tokens);
    if (vocabulary->nodes == NULL || vocabulary->tokens == NULL) {
        hearth_vocabulary_destroy(vocabulary);
        return hearth_fail_oom(err);
    }
    fill(vocabulary, entries, count);
    *ret = vocabulary;
    return 0;
}

int hearth_vocabulary_create(const struct hearth_slice *tokens, size_t count,
                             struct hearth_vocabulary **ret, struct hearth_error *err)
{
    if (count > HEARTH_GRAMMAR_MAX_TOKENS) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "%zu tokens, at most %u are possible", count,
                           HEARTH_GRAMMAR_MAX_TOKENS);
    }
    struct entry *entries = NULL;
    uint32_t kept = 0;
    int rc = sort_tokens(tokens, count, &entries, &kept, err);
    if (rc == 0) {
        rc = build(entries, kept, count, ret, err);
    }
    hearth_free(entries);
    return rc;
}

void hearth_vocabulary_destroy(struct hearth_vocabulary *vocabulary)
{
    if (vocabulary == NULL) {
        return;
    }
    HEARTH_CHECK(vocabulary, VOCABULARY_MAGIC);
    hearth_free(vocabulary->nodes);
    hearth_free(vocabulary->tokens);
    vocabulary->magic = 0;
    hearth_free(vocabulary);
}

size_t hearth_vocabulary_size(const struct hearth_vocabulary *vocabulary)
{
    HEARTH_CHECK(vocabulary, VOCABULARY_MAGIC);
    return vocabulary->size;
}
