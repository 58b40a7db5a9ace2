/* Tokens and places marked (reference) were computed by the tokenizers package. */

#include "model_tests.h"

#include "unigram.h"

struct given {
    struct hearth_arena arena;
    struct vocab vocab;
    struct unigram unigram;
    struct bench bench;
};

/* @json is a whole file, as far as a model needs it: {"model": …}. */
static int build(struct given *given, const char *json, struct hearth_error *err)
{
    yyjson_doc *doc = parsed(json);
    yyjson_val *model = yyjson_obj_get(yyjson_doc_get_root(doc), "model");
    hearth_arena_init(&given->arena, (size_t)16 << 20);
    given->vocab = (struct vocab){0};
    int rc = unigram_build(&given->unigram, &given->vocab, model, &given->arena, err);
    yyjson_doc_free(doc);
    return rc < 0 ? rc : unigram_read_scores(&given->unigram, hearth_slice_of_string(json), err);
}

static void given_model(struct given *given, const char *json)
{
    struct hearth_error err;
    if (build(given, json, &err) < 0) {
        fail_msg("refused: %s", err.text);
    }
    bench_init(&given->bench);
}

static void finish(struct given *given)
{
    bench_finish(&given->bench);
    hearth_arena_finish(&given->arena);
}

static void run(struct given *given, struct hearth_slice part)
{
    bench_start(&given->bench);
    assert_int_equal(unigram_part(&given->unigram, part, &given->bench.scratch, &given->bench.sink),
                     0);
}

static void assert_part(struct given *given, const char *part, const char *wanted)
{
    run(given, hearth_slice_of_string(part));
    assert_tokens(&given->bench, wanted);
}

#define MODEL(pieces) "{\"model\":{\"unk_id\":0,\"vocab\":[[\"<unk>\",0]," pieces "]}}"
#define SMALL                                                                                      \
    MODEL("[\"a\",0.0],[\"b\",0.0],[\"c\",0.0],[\"d\",0.0],[\"cd\",1.0],[\"ab\",2.0],"             \
          "[\"abc\",5.0],[\"abcd\",10.0]")

static void best_sum_of_scores_wins(void **state)
{
    (void)state;
    struct given given;
    given_model(&given, SMALL);
    assert_part(&given, "abcdacdxx", "8:0-4 1:4-5 5:5-7 0:7-9"); /* reference */
    finish(&given);
}

static void written_unknown_token_is_unknown_text(void **state)
{
    (void)state;
    struct given given;
    given_model(&given, SMALL);
    assert_part(&given, "x<unk>ya", "0:0-7 1:7-8"); /* reference */
    assert_part(&given, "<unk>", "0:0-5");
    finish(&given);
}

static void of_equal_sums_the_first_found_stays(void **state)
{
    (void)state; /* reference; all ways through these cost one per letter */
    struct given given;
    given_model(&given, MODEL("[\"a\",-1],[\"aa\",-2],[\"aaa\",-3]"));
    assert_part(&given, "aaa", "3:0-3");
    assert_part(&given, "aaaa", "1:0-1 3:1-4");
    assert_part(&given, "aaaaa", "2:0-2 3:2-5");
    assert_part(&given, "aaaaaaa", "1:0-1 3:1-4 3:4-7");
    finish(&given);
}

static void fused_unknown_text_that_reads_like_a_piece_is_that(void **state)
{
    (void)state; /* reference; two snowmen are worth less than unknown text */
    struct given given;
    given_model(&given, "{\"model\":{\"unk_id\":0,\"vocab\":[[\"<unk>\",0.0],[\"a\",-1.0],"
                        "[\"\xE2\x98\x83\xE2\x98\x83\",-100.0]]}}");
    assert_part(&given,
                "a\xE2\x98\x83\xE2\x98\x83"
                "a\xE2\x98\x83"
                "a",
                "1:0-1 2:1-7 1:7-8 0:8-11 1:11-12");
    finish(&given);
}

static void unknown_text_becomes_bytes_if_all_have_a_piece(void **state)
{
    (void)state; /* reference: each byte has the place of the whole text */
    struct given given;
    given_model(&given,
                "{\"model\":{\"unk_id\":0,\"byte_fallback\":true,\"vocab\":[[\"<unk>\",0.0],"
                "[\"a\",-1.0],[\"<0xC3>\",-5.0],[\"<0xA9>\",-5.0]]}}");
    assert_part(&given,
                "a\xC3\xA9"
                "a",
                "1:0-1 2:1-3 3:1-3 1:3-4");
    assert_part(&given, "a\xC3\xA9xa", "1:0-1 0:1-4 1:4-5");
    finish(&given);
}

static void scores_are_rounded_as_the_reference_rounds_them(void **state)
{
    (void)state; /* what the package prints for these, read and written by it */
    struct given given;
    given_model(&given, MODEL("[\"a\",-15.985743522644043],[\"b\",-1.5386019945144653],"
                              "[\"c\",0.1234567890123456789012345],[\"d\",1e-5],[\"e\",-7],"
                              "[\"f\",-2.5]"));
    static const double wanted[] = {
        0, -15.985743522644045, -1.538601994514465, 0.12345678901234568, 1e-05, -7, -2.5};
    for (size_t i = 0; i < HEARTH_COUNT(wanted); i++) {
        assert_memory_equal(&given.unigram.scores[i], &wanted[i], sizeof wanted[i]);
    }
    finish(&given);
}

/* The best way to one place of a text. */
struct way {
    double score;
    uint32_t id;
    size_t start;
    bool is_reached;
};

#define MOST_BYTES 700

static uint32_t find(const struct given *given, struct hearth_slice part, size_t start, size_t end)
{
    return vocab_find_text(&given->vocab, hearth_slice_of(part.data + start, end - start));
}

/* Goes on from @start by every piece there is, and by the unknown token if it must. */
static void go_on(const struct given *given, struct hearth_slice part, size_t start,
                  size_t char_end, double unknown_score, struct way *ways)
{
    for (size_t end = start + 1; end <= part.size; end++) {
        uint32_t id = find(given, part, start, end);
        if (id == NO_ID && end != char_end) {
            continue;
        }
        double score =
            ways[start].score + (id == NO_ID ? unknown_score : given->unigram.scores[id]);
        if (!ways[end].is_reached || score > ways[end].score) {
            ways[end] = (struct way){score, id == NO_ID ? 0 : id, start, true};
        }
    }
}

/* All ways through the text, by the definition: pieces are looked up as text, nothing is settled
 * before the end. */
static void cut_by_the_definition(const struct given *given, struct hearth_slice part,
                                  struct bench *bench)
{
    struct way ways[MOST_BYTES + 1] = {{.is_reached = true}};
    double least = 0;
    for (uint32_t id = 0; id < given->vocab.count; id++) {
        least = HEARTH_MIN(least, given->unigram.scores[id]);
    }
    for (size_t start = 0; start < part.size;) {
        uint32_t c;
        size_t end = start + hearth_utf8_read(part, start, &c);
        go_on(given, part, start, end, least - 10, ways);
        start = end;
    }
    size_t ends[MOST_BYTES];
    size_t count = 0;
    for (size_t end = part.size; end > 0; end = ways[end].start) {
        ends[count++] = end;
    }
    bench_start(bench);
    for (size_t start = 0; count > 0;) {
        size_t end = ends[--count];
        uint32_t id = ways[end].id;
        while (id == 0 && count > 0 && ways[ends[count - 1]].id == 0) { /* unknown text is fused */
            end = ends[--count];
        }
        uint32_t found = find(given, part, start, end);
        assert_int_equal(token_put(&bench->sink, found != NO_ID ? found : id, start, end), 0);
        start = end;
    }
}

static void given_random_model(struct given *given, struct kit_random *random)
{
    static const char *const chars[] = {"a", "b", "\xC3\xA9", "\xE2\x96\x81"};
    HEARTH_AUTO(hearth_buf) struct hearth_buf json;
    hearth_buf_init(&json, 1 << 20);
    assert_int_equal(hearth_buf_printf(&json, "{\"model\":{\"unk_id\":0,\"vocab\":[[\"<unk>\",0]"),
                     0);
    char pieces[40][32] = {""};
    for (size_t count = 0; count < HEARTH_COUNT(pieces);) {
        char *piece = pieces[count];
        size_t length = kit_random_between(random, 1, 6);
        *piece = '\0';
        for (size_t i = 0; i < length; i++) {
            strncat(piece, chars[kit_random_below(random, HEARTH_COUNT(chars))],
                    sizeof pieces[0] - strlen(piece) - 1);
        }
        bool is_new = true;
        for (size_t i = 0; i < count; i++) {
            is_new = is_new && strcmp(pieces[i], piece) != 0;
        }
        if (is_new) { /* few different scores, so that many sums are equal */
            assert_int_equal(hearth_buf_printf(&json, ",[\"%s\",-%u.1]", piece,
                                               (unsigned)kit_random_below(random, 4)),
                             0);
            count++;
        }
    }
    assert_int_equal(hearth_buf_printf(&json, "]}}"), 0);
    given_model(given, (const char *)json.data);
}

static void any_part_is_cut_by_the_definition(struct kit_random *random, void *context)
{
    (void)context;
    static const char *const chars[] = {"a", "b", "\xC3\xA9", "\xE2\x96\x81", "x", "<unk>"};
    struct given given;
    struct bench other;
    given_random_model(&given, random);
    bench_init(&other);
    for (int round = 0; round < 20; round++) {
        char room[MOST_BYTES];
        size_t size = 0;
        size_t count = kit_random_between(random, 1, 100);
        size_t kinds = kit_random_between(random, 1, HEARTH_COUNT(chars));
        for (size_t i = 0; i < count; i++) {
            const char *c = chars[kit_random_below(random, kinds)];
            memcpy(room + size, c, strlen(c));
            size += strlen(c);
        }
        struct hearth_slice part = hearth_slice_of(room, size);
        run(&given, part);
        cut_by_the_definition(&given, part, &other);
        assert_same_tokens(&given.bench, &other);
    }
    bench_finish(&other);
    finish(&given);
}

static void parts_are_cut_by_the_definition(void **state)
{
    (void)state;
    kit_property(100, any_part_is_cut_by_the_definition, NULL);
}

static void every_piece_is_found_in_the_trie_and_nothing_else(void **state)
{
    (void)state;
    struct kit_random random = {kit_random_seed(5)};
    struct given given;
    given_random_model(&given, &random);
    for (uint32_t id = 0; id < given.vocab.count; id++) {
        struct hearth_slice piece = vocab_piece(&given.vocab, id);
        uint32_t node = TRIE_ROOT;
        for (size_t i = 0; i < piece.size; i++) {
            assert_int_not_equal(node, TRIE_NOWHERE);
            uint32_t found = vocab_find_text(&given.vocab, hearth_slice_of(piece.data, i));
            assert_int_equal(given.unigram.trie.nodes[node].id, found);
            node = trie_step(&given.unigram.trie, node, piece.data[i]);
        }
        assert_int_equal(given.unigram.trie.nodes[node].id, id);
        assert_int_equal(trie_step(&given.unigram.trie, node, 0xFF), TRIE_NOWHERE);
    }
    finish(&given);
}

static void one_mebibyte_without_any_settled_place_is_cut(void **state)
{
    (void)state; /* pieces reach over every place but the last */
    struct given given;
    given_model(&given, MODEL("[\"a\",-9],[\"aa\",-1],[\"aaa\",-9]"));
    char *part = malloc(LONGEST_PART);
    assert_non_null(part);
    memset(part, 'a', LONGEST_PART);
    run(&given, hearth_slice_of(part, LONGEST_PART));
    assert_int_equal(given.bench.sink.count, LONGEST_PART / 2);
    memset(part, 'x', LONGEST_PART);
    run(&given, hearth_slice_of(part, LONGEST_PART));
    assert_int_equal(given.bench.sink.count, 1);
    assert_int_equal(given.bench.sink.places[0].end, LONGEST_PART);
    free(part);
    finish(&given);
}

static void what_is_wrong_with_a_model_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int code;
        const char *says;
    } cases[] = {
        {"{\"model\":{\"unk_id\":1,\"vocab\":[[\"a\",0]]}}", HEARTH_E_MODEL_INVALID,
         "model.unk_id: not in 0 … 0"},
        {"{\"model\":{\"unk_id\":null,\"vocab\":[[\"a\",0]]}}", HEARTH_E_MODEL_INVALID,
         "model.unk_id"},
        {"{\"model\":{\"vocab\":[[\"a\",0]]}}", HEARTH_E_MODEL_INVALID, "model.unk_id"},
        {"{\"model\":{\"unk_id\":0,\"vocab\":[]}}", HEARTH_E_MODEL_INVALID, "model.vocab"},
        {"{\"model\":{\"unk_id\":0,\"vocab\":{\"a\":0}}}", HEARTH_E_MODEL_INVALID, "model.vocab"},
        {"{\"model\":{\"unk_id\":0,\"vocab\":[[\"a\"]]}}", HEARTH_E_MODEL_INVALID, "entry 0"},
        {"{\"model\":{\"unk_id\":0,\"vocab\":[[\"a\",0],[\"a\",1]]}}", HEARTH_E_MODEL_INVALID,
         "the same piece"},
        {"{\"model\":{\"unk_id\":0,\"vocab\":[[\"a\",\"0\"]]}}", HEARTH_E_MODEL_INVALID,
         "the score of entry 0"},
        {"{\"model\":{\"unk_id\":0,\"byte_fallback\":1,\"vocab\":[[\"a\",0]]}}",
         HEARTH_E_MODEL_INVALID, "byte_fallback"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        struct given given;
        struct hearth_error err;
        assert_int_equal(build(&given, cases[i].json, &err), cases[i].code);
        KIT_ASSERT_ERROR(err, cases[i].code, cases[i].says);
        hearth_arena_finish(&given.arena);
    }
}

static void any_failed_allocation_is_reported_and_harmless(void **state)
{
    (void)state;
    KIT_FOR_EACH_FAILURE(n) {
        struct given given;
        struct hearth_error err;
        bench_init(&given.bench);
        bench_start(&given.bench);
        int rc = build(&given, SMALL, &err);
        if (rc == 0) {
            rc = unigram_part(&given.unigram, hearth_slice_of_string("abcxd"), &given.bench.scratch,
                              &given.bench.sink);
        }
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        finish(&given);
    }
}

KIT_MAIN(cmocka_unit_test(best_sum_of_scores_wins),
         cmocka_unit_test(written_unknown_token_is_unknown_text),
         cmocka_unit_test(of_equal_sums_the_first_found_stays),
         cmocka_unit_test(fused_unknown_text_that_reads_like_a_piece_is_that),
         cmocka_unit_test(unknown_text_becomes_bytes_if_all_have_a_piece),
         cmocka_unit_test(scores_are_rounded_as_the_reference_rounds_them),
         cmocka_unit_test(parts_are_cut_by_the_definition),
         cmocka_unit_test(every_piece_is_found_in_the_trie_and_nothing_else),
         cmocka_unit_test(one_mebibyte_without_any_settled_place_is_cut),
         cmocka_unit_test(what_is_wrong_with_a_model_is_named),
         cmocka_unit_test(any_failed_allocation_is_reported_and_harmless))
