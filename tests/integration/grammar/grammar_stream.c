/* grammar_stream.c — grammars for a test in another language: a command a line, an answer a line.
 *
 *   schema HEX | gbnf HEX     compiles what the digits stand for     ok | error CODE TEXT
 *   accepts HEX               is it an answer?                       1 | 0
 *   walk SEED STEPS           an answer that a model could write     HEX
 *
 * A walk takes tokens that the mask allows, by lot, and then the shortest way to the end. */

#include "hearth_grammar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES  (2u * HEARTH_GRAMMAR_MAX_SOURCE_BYTES + 64u)
#define ROOM_BYTES  (256u << 10)
#define MORE_TOKENS 512u

struct stream {
    struct hearth_matcher *matcher;
    struct hearth_grammar *grammar;
    struct hearth_vocabulary *vocabulary;
    struct hearth_slice tokens[256 + MORE_TOKENS];
    uint8_t texts[256 + MORE_TOKENS][16];
    uint64_t bits[(256 + MORE_TOKENS) / 64];
    uint64_t random;
    uint8_t bytes[ROOM_BYTES];
    size_t size;
};

static uint64_t next_random(struct stream *stream)
{
    uint64_t x = stream->random += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

/* All bytes, and what tokens of JSON and of texts look like. */
static int make_vocabulary(struct stream *stream)
{
    static const char *const parts[] = {
        "\"", "\":",  " ",    ",",  "{",   "}", "[",  "]", "a", "the", "1", "23", ".5",   "-",
        "e",  "true", "null", "\\", "u00", "é", "漢", "x", "A", "0",   "😀", "id", "\\\"", "-0"};
    for (size_t id = 0; id < 256 + MORE_TOKENS; id++) {
        size_t size = 1;
        stream->texts[id][0] = (uint8_t)id;
        for (size_t i = 0; id >= 256 && i < 1 + id % 3; i++) {
            const char *part = parts[next_random(stream) % HEARTH_COUNT(parts)];
            size = (i == 0 ? 0 : size) + strlen(part);
            memcpy(stream->texts[id] + size - strlen(part), part, strlen(part));
        }
        stream->tokens[id] = hearth_slice_of(stream->texts[id], size);
    }
    return hearth_vocabulary_create(stream->tokens, 256 + MORE_TOKENS, &stream->vocabulary, NULL);
}

static void decode_hex(struct stream *stream, const char *text)
{
    stream->size = 0;
    unsigned byte = 0;
    while (stream->size < ROOM_BYTES && sscanf(text, "%2x", &byte) == 1 && text[1] != '\0') {
        stream->bytes[stream->size++] = (uint8_t)byte;
        text += 2;
    }
}

static void compile(struct stream *stream, bool is_schema)
{
    struct hearth_error err = {0};
    struct hearth_slice source = hearth_slice_of(stream->bytes, stream->size);
    hearth_grammar_destroy(stream->grammar);
    stream->grammar = NULL;
    int rc = is_schema ? hearth_grammar_schema(source, &stream->grammar, &err)
                       : hearth_grammar_gbnf(source, &stream->grammar, &err);
    if (rc == 0) {
        rc = hearth_matcher_begin(stream->matcher, stream->grammar, &err);
    }
    if (rc < 0) {
        printf("error %d %s\n", rc, err.text);
    } else {
        printf("ok\n");
    }
}

static void accepts(struct stream *stream)
{
    struct hearth_slice answer = hearth_slice_of(stream->bytes, stream->size);
    bool is = hearth_matcher_begin(stream->matcher, stream->grammar, NULL) == 0 &&
              hearth_matcher_take(stream->matcher, answer, NULL) == 0 &&
              hearth_matcher_may_end(stream->matcher);
    printf("%d\n", is);
}

static bool is_allowed(const struct stream *stream, size_t id)
{
    return (stream->bits[id / 64] >> (id % 64) & 1) != 0;
}

/* One token by lot; false if none is allowed. */
static bool take_one(struct stream *stream)
{
    HEARTH_ASSERT(hearth_matcher_mask(stream->matcher, stream->vocabulary, stream->bits, NULL) ==
                  0);
    size_t first = next_random(stream) % (256 + MORE_TOKENS);
    for (size_t i = 0; i < 256 + MORE_TOKENS; i++) {
        size_t id = (first + i) % (256 + MORE_TOKENS);
        if (is_allowed(stream, id)) {
            HEARTH_ASSERT(hearth_matcher_take(stream->matcher, stream->tokens[id], NULL) == 0);
            memcpy(stream->bytes + stream->size, stream->tokens[id].data, stream->tokens[id].size);
            stream->size += stream->tokens[id].size;
            return true;
        }
    }
    return false;
}

static void walk(struct stream *stream, uint64_t seed, unsigned steps)
{
    stream->random = seed;
    stream->size = 0;
    HEARTH_ASSERT(hearth_matcher_begin(stream->matcher, stream->grammar, NULL) == 0);
    for (unsigned i = 0; i < steps && stream->size < ROOM_BYTES / 2; i++) {
        if (hearth_matcher_may_end(stream->matcher) && next_random(stream) % 8 == 0) {
            break;
        }
        uint8_t *end = stream->bytes + stream->size;
        size_t taken =
            next_random(stream) % 3 != 0
                ? 0
                : hearth_matcher_closing(stream->matcher, end, 1 + next_random(stream) % 4);
        if (taken > 0) {
            struct hearth_slice closing = hearth_slice_of(end, taken);
            HEARTH_ASSERT(hearth_matcher_take(stream->matcher, closing, NULL) == 0);
            stream->size += taken;
        } else if (!take_one(stream)) {
            HEARTH_ASSERT(hearth_matcher_must_end(stream->matcher));
            break;
        }
    }
    stream->size += hearth_matcher_closing(stream->matcher, stream->bytes + stream->size,
                                           ROOM_BYTES - stream->size);
    for (size_t i = 0; i < stream->size; i++) {
        printf("%02x", stream->bytes[i]);
    }
    printf("\n");
}

static void obey(struct stream *stream, const char *line)
{
    uint64_t seed = 0;
    unsigned steps = 0;
    if (strncmp(line, "schema ", 7) == 0 || strncmp(line, "gbnf ", 5) == 0) {
        decode_hex(stream, strchr(line, ' ') + 1);
        compile(stream, line[0] == 's');
    } else if (strncmp(line, "accepts ", 8) == 0 && stream->grammar != NULL) {
        decode_hex(stream, line + 8);
        accepts(stream);
    } else if (sscanf(line, "walk %" SCNu64 " %u", &seed, &steps) == 2 && stream->grammar != NULL) {
        walk(stream, seed, steps);
    } else {
        printf("unknown\n");
    }
    (void)fflush(stdout);
}

int main(void)
{
    static struct stream stream;
    static char line[LINE_BYTES];
    if (hearth_matcher_create(&stream.matcher, NULL) < 0 || make_vocabulary(&stream) < 0) {
        return 1;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        obey(&stream, line);
    }
    hearth_matcher_destroy(stream.matcher);
    hearth_grammar_destroy(stream.grammar);
    hearth_vocabulary_destroy(stream.vocabulary);
    return 0;
}
