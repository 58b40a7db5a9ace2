/* model_tests.h — one part through a model, its tokens as text: "id:start-end id:start-end". */

#ifndef HEARTH_MODEL_TESTS_H
#define HEARTH_MODEL_TESTS_H

#include "kit.h"

#include "hearth_subword.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_PART ((size_t)1 << 20)

/* What a model needs to run, and what it put. */
struct bench {
    struct model_scratch scratch;
    struct token_sink sink;
    struct view view;
};

/* Each byte is its own place. */
static inline const struct hearth_token_place *places_of_bytes(void)
{
    static struct hearth_token_place places[LONGEST_PART];
    for (uint32_t i = 0; places[LONGEST_PART - 1].end == 0 && i < LONGEST_PART; i++) {
        places[i] = (struct hearth_token_place){i, i + 1};
    }
    return places;
}

static inline void bench_init(struct bench *bench)
{
    *bench = (struct bench){0};
    for (size_t i = 0; i < HEARTH_COUNT(bench->scratch.bufs); i++) {
        hearth_buf_init(&bench->scratch.bufs[i], (size_t)1 << 30);
    }
    bench->view.places = places_of_bytes();
    bench->sink.view = &bench->view;
}

static inline void bench_start(struct bench *bench)
{
    token_sink_start(&bench->sink, SIZE_MAX, false, true);
    bench->sink.part_start = 0;
}

static inline void bench_finish(struct bench *bench)
{
    for (size_t i = 0; i < HEARTH_COUNT(bench->scratch.bufs); i++) {
        hearth_buf_finish(&bench->scratch.bufs[i]);
    }
    token_sink_finish(&bench->sink);
}

static inline void assert_tokens(const struct bench *bench, const char *wanted)
{
    char text[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < bench->sink.count && used < sizeof text; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%u:%u-%u", i > 0 ? " " : "",
                                 bench->sink.ids[i], bench->sink.places[i].start,
                                 bench->sink.places[i].end);
    }
    assert_string_equal(text, wanted);
}

static inline void assert_same_tokens(const struct bench *one, const struct bench *other)
{
    assert_int_equal(one->sink.count, other->sink.count);
    assert_memory_equal(one->sink.ids, other->sink.ids, one->sink.count * sizeof *one->sink.ids);
    assert_memory_equal(one->sink.places, other->sink.places,
                        one->sink.count * sizeof *one->sink.places);
}

static inline yyjson_doc *parsed(const char *json)
{
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    assert_non_null(doc);
    return doc;
}

#endif
