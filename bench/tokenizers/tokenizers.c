/* tokenizers.c — our tokenizer beside the reference package, each on one thread, both over the same
 * texts: ids alone, as inference needs them, and ids with their places in the text. */

#include "hearth_bench.h"

#include "hearth_os.h"
#include "hearth_tokenizer.h"
#include "peers.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include <yyjson.h>

#define TEXTS        "fixtures/texts/varied200.json"
#define MOST_BYTES   ((size_t)1 << 20)
#define WANTS_DIGEST 0x80000000u
#define BLOCK_NS     20000000.0 /* a block of either side takes about as long */

struct bench {
    struct peer reference;
    int fd;
    struct hearth_tokenizer *tokenizer;
    struct hearth_encoding encoding;
    yyjson_doc *texts;
    size_t bytes; /* of all texts */
    bool wants_places;
    uint32_t passes[2]; /* a block */
};

/* ---- ours ----------------------------------------------------------------------------------- */

static int encode_all(struct bench *bench, uint64_t *digest, struct hearth_error *err)
{
    const struct hearth_encode_options options = {.max_tokens = HEARTH_ENCODE_NO_LIMIT,
                                                  .add_special = true,
                                                  .wants_places = bench->wants_places};
    yyjson_arr_iter iter = yyjson_arr_iter_with(yyjson_doc_get_root(bench->texts));
    for (yyjson_val *row = yyjson_arr_iter_next(&iter); row != NULL;
         row = yyjson_arr_iter_next(&iter)) {
        yyjson_val *text = yyjson_obj_get(row, "text");
        struct hearth_slice slice = hearth_slice_of(yyjson_get_str(text), yyjson_get_len(text));
        int rc = hearth_tokenizer_encode(bench->tokenizer, slice, &options, &bench->encoding, err);
        if (rc < 0) {
            return rc;
        }
        for (size_t i = 0; digest != NULL && i < bench->encoding.count; i++) {
            *digest = (*digest ^ (uint64_t)bench->encoding.ids[i]) * UINT64_C(0x100000001B3);
        }
    }
    return 0;
}

/* Nanoseconds for a megabyte of text. */
static double per_megabyte(const struct bench *bench, uint64_t ns, uint32_t passes)
{
    return (double)ns / (double)passes * 1e6 / (double)bench->bytes;
}

static int measure_ours(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct bench *bench = arg;
    for (size_t i = 0; i < calls; i++) {
        uint64_t begin_ns = hearth_clock_ns();
        for (uint32_t pass = 0; pass < bench->passes[0]; pass++) {
            int rc = encode_all(bench, NULL, err);
            if (rc < 0) {
                return rc;
            }
        }
        ret[i] = per_megabyte(bench, hearth_clock_ns() - begin_ns, bench->passes[0]);
    }
    return 0;
}

/* ---- theirs --------------------------------------------------------------------------------- */

static int ask_reference(const struct bench *bench, uint32_t passes, uint64_t ret[2],
                         struct hearth_error *err)
{
    int rc = peer_write(bench->fd, (const uint8_t *)&passes, sizeof passes, err);
    return rc < 0 ? rc : peer_read(bench->fd, (uint8_t *)ret, 2 * sizeof *ret, err);
}

static int measure_theirs(void *arg, double *ret, size_t calls, struct hearth_error *err)
{
    struct bench *bench = arg;
    for (size_t i = 0; i < calls; i++) {
        uint64_t answer[2];
        int rc = ask_reference(bench, bench->passes[1], answer, err);
        if (rc < 0) {
            return rc;
        }
        ret[i] = per_megabyte(bench, answer[0], bench->passes[1]);
    }
    return 0;
}

/* ---- a case --------------------------------------------------------------------------------- */

/* Both find the same ids; and how many passes make a block is found on the way. */
static int check(void *state, struct hearth_error *err)
{
    struct bench *bench = state;
    uint64_t digest = UINT64_C(0xCBF29CE484222325);
    uint64_t answer[2];
    int rc = encode_all(bench, &digest, err);
    rc = rc < 0 ? rc : ask_reference(bench, 1 | WANTS_DIGEST, answer, err);
    if (rc == 0 && digest != answer[1]) {
        return hearth_fail(err, HEARTH_E_INTERNAL, "the ids are not those of the reference");
    }
    double took = 0.0;
    for (unsigned side = 0; side < 2 && rc == 0; side++) {
        bench->passes[side] = 1;
        rc = side == 0 ? measure_ours(bench, &took, 1, err) : measure_theirs(bench, &took, 1, err);
        double pass_ns = took * (double)bench->bytes / 1e6;
        bench->passes[side] = (uint32_t)HEARTH_MAX(1.0, BLOCK_NS / HEARTH_MAX(pass_ns, 1e3));
    }
    return rc;
}

static void close_bench(void *state)
{
    struct bench *bench = state;
    hearth_fd_close(&bench->fd);
    peer_stop(&bench->reference);
    yyjson_doc_free(bench->texts);
    hearth_encoding_finish(&bench->encoding);
    hearth_tokenizer_destroy(bench->tokenizer);
    hearth_free(bench);
}

static int read_texts(struct bench *bench, const char *path, struct hearth_error *err)
{
    bench->texts = yyjson_read_file(path, 0, NULL, NULL);
    yyjson_arr_iter iter = yyjson_arr_iter_with(yyjson_doc_get_root(bench->texts));
    for (yyjson_val *row = yyjson_arr_iter_next(&iter); row != NULL;
         row = yyjson_arr_iter_next(&iter)) {
        bench->bytes += yyjson_get_len(yyjson_obj_get(row, "text"));
    }
    return bench->bytes > 0
               ? 0
               : hearth_fail(err, HEARTH_E_UNSUPPORTED, "%.100s has no texts: say --models", path);
}

static int read_tokenizer(struct bench *bench, const char *path, struct hearth_error *err)
{
    char *json = hearth_alloc(1, MOST_BYTES);
    size_t size = 0;
    if (json == NULL) {
        return hearth_fail_oom(err);
    }
    int rc = hearth_file_read_text(path, json, MOST_BYTES, &size, err);
    rc = rc < 0 ? hearth_because(err, HEARTH_E_UNSUPPORTED, "run scripts/setup.sh")
                : hearth_tokenizer_create(hearth_slice_of(json, size), &bench->tokenizer, err);
    hearth_free(json);
    return rc;
}

static int start_reference(struct bench *bench, const struct hearth_harness_places *places,
                           char *tokenizer, char *texts, struct hearth_error *err)
{
    char python[4096];
    char script[4096];
    snprintf(python, sizeof python, "%s/.deps/venv/bin/python", places->models);
    snprintf(script, sizeof script, "%s/bench/tokenizers/reference.py", places->models);
    if (access(python, X_OK) != 0) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "%.100s is missing: run scripts/setup.sh",
                           python);
    }
    int rc = peer_make_folder(&bench->reference, err);
    snprintf(bench->reference.socket, sizeof bench->reference.socket, "%s/socket",
             bench->reference.folder);
    char *const argv[] = {python,    script, bench->reference.socket,
                          tokenizer, texts,  bench->wants_places ? "places" : "fast",
                          NULL};
    rc = rc < 0 ? rc : peer_start(&bench->reference, argv, err);
    rc = rc < 0 ? rc : peer_wait(&bench->reference, err);
    return rc < 0 ? rc : peer_connect(bench->reference.socket, &bench->fd, err);
}

static int open_case(const struct hearth_harness_places *places, const char *tokenizer_path,
                     bool wants_places, struct hearth_harness_setup *ret, struct hearth_error *err)
{
    char tokenizer[4096];
    char texts[4096];
    struct bench *bench = hearth_alloc(1, sizeof *bench);
    if (bench == NULL) {
        return hearth_fail_oom(err);
    }
    *bench = (struct bench){.fd = -1, .wants_places = wants_places};
    hearth_encoding_init(&bench->encoding);
    snprintf(tokenizer, sizeof tokenizer, "%s/%s", places->models, tokenizer_path);
    snprintf(texts, sizeof texts, "%s/%s", places->models, TEXTS);
    int rc = read_texts(bench, texts, err);
    rc = rc < 0 ? rc : read_tokenizer(bench, tokenizer, err);
    rc = rc < 0 ? rc : start_reference(bench, places, tokenizer, texts, err);
    if (rc < 0) {
        close_bench(bench);
        return rc;
    }
    *ret = (struct hearth_harness_setup){
        .sides = {{.name = "hearth", .measure = measure_ours, .arg = bench},
                  {.name = "reference", .measure = measure_theirs, .arg = bench}},
        .side_count = 2,
        .check = check,
        .close = close_bench,
        .state = bench};
    return 0;
}

/* A case has no argument of its own: one function each. */
#define CASES(name, path)                                                                          \
    static int open_##name(const struct hearth_harness_places *places,                             \
                           struct hearth_harness_setup *ret, struct hearth_error *err)             \
    {                                                                                              \
        return open_case(places, path, false, ret, err);                                           \
    }                                                                                              \
    static int open_##name##_places(const struct hearth_harness_places *places,                    \
                                    struct hearth_harness_setup *ret, struct hearth_error *err)    \
    {                                                                                              \
        return open_case(places, path, true, ret, err);                                            \
    }

CASES(wordpiece, "models/store/all-minilm-l6-v2/tokenizer.json")
CASES(byte_level, "fixtures/tokenizers/roberta.json")
CASES(byte_fallback, "fixtures/tokenizers/llama.json")
CASES(unigram, "fixtures/tokenizers/xlm-roberta.json")

#define IDS    "encoding 200 texts to ids on one thread; beside the reference package"
#define PLACES "the same with the place of each token"
#define CASE(case_id, text, function)                                                              \
    {                                                                                              \
        .id = "tokenizers/" case_id, .help = text, .kind = HEARTH_HARNESS_RATE,                    \
        .goals = {{HEARTH_GOAL_RATIO_AT_LEAST, 1.0, false}}, .open = (function)                    \
    }

const struct hearth_harness_case bench_tokenizers[] = {
    CASE("wordpiece/ids", IDS, open_wordpiece),
    CASE("wordpiece/places", PLACES, open_wordpiece_places),
    CASE("byte-level-bpe/ids", IDS, open_byte_level),
    CASE("byte-level-bpe/places", PLACES, open_byte_level_places),
    CASE("byte-fallback-bpe/ids", IDS, open_byte_fallback),
    CASE("byte-fallback-bpe/places", PLACES, open_byte_fallback_places),
    CASE("unigram/ids", IDS, open_unigram),
    CASE("unigram/places", PLACES, open_unigram_places),
    {0},
};
