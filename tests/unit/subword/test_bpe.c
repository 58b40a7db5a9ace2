/* Tokens and places marked (reference) were computed by the tokenizers package; others follow from
 * the rule that of all pairs the one of the lowest rank is merged next, the leftmost first. */

#include "model_tests.h"

#include "bpe.h"

struct given {
    struct hearth_arena arena;
    struct vocab vocab;
    struct bpe bpe;
    struct bench bench;
};

static int build(struct given *given, const char *json, struct hearth_error *err)
{
    yyjson_doc *doc = parsed(json);
    hearth_arena_init(&given->arena, (size_t)16 << 20);
    given->vocab = (struct vocab){0};
    int rc = bpe_build(&given->bpe, &given->vocab, yyjson_doc_get_root(doc), &given->arena, err);
    yyjson_doc_free(doc); /* the model keeps nothing of it */
    return rc;
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

static void run(const struct given *given, struct hearth_slice part, struct bench *bench)
{
    bench_start(bench);
    assert_int_equal(bpe_part(&given->bpe, part, &bench->scratch, &bench->sink), 0);
}

static void assert_part(struct given *given, const char *part, const char *wanted)
{
    run(given, hearth_slice_of_string(part), &given->bench);
    assert_tokens(&given->bench, wanted);
}

static void one_case(const char *json, const char *part, const char *wanted)
{
    struct given given;
    given_model(&given, json);
    assert_part(&given, part, wanted);
    finish(&given);
}

#define ABC "\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4,\"abc\":5}"

static void lowest_rank_is_merged_first_and_then_the_leftmost(void **state)
{
    (void)state;
    one_case("{" ABC ",\"merges\":[\"b c\",\"a b\"]}", "abc", "0:0-1 4:1-3");
    one_case("{" ABC ",\"merges\":[\"b c\",\"a b\",\"a bc\"]}", "abcab", "5:0-3 3:3-5");
    one_case("{\"vocab\":{\"a\":0,\"aa\":1},\"merges\":[\"a a\"]}", "aaa", "1:0-2 0:2-3");
}

static void both_spellings_of_merges_mean_the_same(void **state)
{
    (void)state;
    one_case("{" ABC ",\"merges\":[[\"b\",\"c\"],[\"a\",\"b\"]]}", "abc", "0:0-1 4:1-3");
    one_case("{" ABC ",\"merges\":[\"#version: 0.2\",\"b c\",\"a b\"]}", "abc", "0:0-1 4:1-3");
    one_case("{" ABC ",\"merges\":[]}", "abc", "0:0-1 1:1-2 2:2-3");
}

static void of_two_equal_merges_the_later_rank_holds(void **state)
{
    (void)state;
    one_case("{" ABC ",\"merges\":[\"a b\",\"b c\",\"a b\"]}", "abc",
             "0:0-1 4:1-3"); /* reference */
}

#define UNKNOWN                                                                                    \
    "{\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"ab\":3},"                   \
    "\"merges\":[\"a b\"]"

static void unknown_characters_are_fused_only_if_asked(void **state)
{
    (void)state; /* reference */
    one_case(UNKNOWN "}",
             "x\xC3\xA9"
             "ab\xE2\x98\x83y",
             "0:0-1 0:1-3 3:3-5 0:5-8 0:8-9");
    one_case(UNKNOWN ",\"fuse_unk\":true}",
             "x\xC3\xA9"
             "ab\xE2\x98\x83y",
             "0:0-3 3:3-5 0:5-9");
}

static void piece_of_unknown_characters_is_never_reached(void **state)
{
    (void)state; /* reference */
    one_case("{\"unk_token\":\"?\",\"fuse_unk\":true,\"vocab\":{\"?\":0,\"xy\":1},\"merges\":[]}",
             "xy", "0:0-2");
}

static void without_unknown_token_unknown_characters_vanish(void **state)
{
    (void)state; /* reference: what is left are neighbours, and the places count what is left */
    one_case("{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}",
             "ax\xC3\xA9"
             "b",
             "2:0-2");
}

#define BYTES                                                                                      \
    "{\"unk_token\":\"<unk>\",\"byte_fallback\":true,"                                             \
    "\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"<0xC3>\":3,\"<0xA9>\":4},\"merges\":[]"

static void unknown_characters_become_bytes_if_all_have_a_piece(void **state)
{
    (void)state; /* reference: bytes overtake unknown text that came before them */
    one_case(BYTES "}",
             "a\xC3\xA9"
             "b",
             "1:0-1 3:1-2 4:2-3 2:3-4");
    one_case(BYTES "}", "a\xE2\x98\x83\xC3\xA9xb", "1:0-1 3:1-2 4:2-3 0:3-6 0:6-7 2:7-8");
    one_case(BYTES ",\"fuse_unk\":true}", "a\xE2\x98\x83\xC3\xA9xb",
             "1:0-1 3:1-2 4:2-3 0:3-7 2:7-8");
}

static void unknown_token_may_be_merged_with_its_neighbours(void **state)
{
    (void)state; /* reference */
    one_case("{\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"<unk>a\":2},"
             "\"merges\":[[\"<unk>\",\"a\"]]}",
             "xaa", "2:0-2 1:2-3");
}

static void prefix_and_suffix_dress_characters_by_their_place(void **state)
{
    (void)state; /* reference */
    one_case("{\"unk_token\":\"<unk>\",\"continuing_subword_prefix\":\"##\",\"vocab\":{\"<unk>\":0,"
             "\"a\":1,\"##b\":2,\"ab\":3,\"##a\":4,\"##c\":5},\"merges\":[[\"a\",\"##b\"]]}",
             "abac", "3:0-2 4:2-3 5:3-4");
    const char *suffix = "{\"unk_token\":\"<unk>\",\"end_of_word_suffix\":\"</w>\",\"vocab\":{"
                         "\"<unk>\":0,\"a\":1,\"b</w>\":2,\"ab</w>\":3,\"b\":4},"
                         "\"merges\":[[\"a\",\"b</w>\"]]}";
    one_case(suffix, "bab", "4:0-1 3:1-3");
    one_case(suffix, "aba", "1:0-1 4:1-2 0:2-3");
}

static void whole_part_wins_over_merges_only_if_asked(void **state)
{
    (void)state; /* reference */
    const char *vocab = "\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"abc\":3},\"merges\":[]";
    char json[256];
    snprintf(json, sizeof json, "{\"ignore_merges\":true,%s}", vocab);
    one_case(json, "abc", "3:0-3");
    one_case(json, "abcc", "0:0-1 1:1-2 2:2-3 2:3-4");
    snprintf(json, sizeof json, "{%s}", vocab);
    one_case(json, "abc", "0:0-1 1:1-2 2:2-3");
}

/* A model of random merges over four characters of one to three bytes. */
static void given_random_model(struct given *given, struct kit_random *random)
{
    static const char *const chars[] = {"a", "b", "\xC3\xA9", "\xE2\x96\x81"};
    static char pieces[64][48];
    HEARTH_AUTO(hearth_buf) struct hearth_buf merges;
    HEARTH_AUTO(hearth_buf) struct hearth_buf json;
    hearth_buf_init(&merges, 1 << 20);
    hearth_buf_init(&json, 1 << 20);
    assert_int_equal(hearth_buf_printf(&json, "{\"unk_token\":\"?\",\"vocab\":{\"?\":0"), 0);
    size_t count = 0;
    for (; count < HEARTH_COUNT(chars); count++) {
        snprintf(pieces[count], sizeof pieces[0], "%s", chars[count]);
    }
    while (count < HEARTH_COUNT(pieces)) {
        const char *left = pieces[kit_random_below(random, count)];
        const char *right = pieces[kit_random_below(random, count)];
        bool is_new = strlen(left) + strlen(right) < 40;
        char product[2 * sizeof pieces[0]];
        snprintf(product, sizeof product, "%.47s%.47s", left, right);
        for (size_t i = 0; i < count; i++) {
            is_new = is_new && strcmp(pieces[i], product) != 0;
        }
        if (is_new) {
            memcpy(pieces[count++], product, strlen(product) + 1);
            assert_int_equal(hearth_buf_printf(&merges, "%s[\"%s\",\"%s\"]",
                                               merges.size > 0 ? "," : "", left, right),
                             0);
        }
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(hearth_buf_printf(&json, ",\"%s\":%zu", pieces[i], i + 1), 0);
    }
    assert_int_equal(hearth_buf_printf(&json, "},\"merges\":[%.*s]}", (int)merges.size,
                                       (const char *)merges.data),
                     0);
    given_model(given, (const char *)json.data);
}

static struct hearth_slice random_part(struct kit_random *random, char *room, size_t most_chars)
{
    static const char *const chars[] = {"a", "b", "\xC3\xA9", "\xE2\x96\x81", "x", "?"};
    size_t count = kit_random_between(random, 1, most_chars);
    size_t kinds = kit_random_between(random, 1, HEARTH_COUNT(chars));
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        const char *c = chars[kit_random_below(random, kinds)];
        memcpy(room + size, c, strlen(c));
        size += strlen(c);
    }
    return hearth_slice_of(room, size);
}

/* The rule itself, at the cost of the square: look at all pairs, merge the best, begin again. */
static void merge_by_the_rule(const struct bpe *bpe, struct hearth_slice part, struct bench *bench)
{
    uint32_t ids[400];
    uint32_t ends[400];
    size_t count = 0;
    for (size_t at = 0; at < part.size;) {
        uint32_t c;
        unsigned length = hearth_utf8_read(part, at, &c);
        uint32_t id = vocab_find_text(bpe->vocab, hearth_slice_of(part.data + at, length));
        at += length;
        ids[count] = id == NO_ID ? bpe->unknown_id : id;
        ends[count++] = (uint32_t)at;
    }
    for (;;) {
        const struct merge_slot *best = NULL;
        size_t place = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            for (size_t j = 0; j <= bpe->merges.slot_mask; j++) {
                const struct merge_slot *slot = &bpe->merges.slots[j];
                if (slot->rank != NO_RANK && slot->left == ids[i] && slot->right == ids[i + 1] &&
                    (best == NULL || slot->rank < best->rank)) {
                    best = slot;
                    place = i;
                }
            }
        }
        if (best == NULL) {
            break;
        }
        ids[place] = bpe->merges.products[best->rank];
        count--;
        memmove(ends + place, ends + place + 1, (count - place) * sizeof *ends);
        memmove(ids + place + 1, ids + place + 2, (count - place - 1) * sizeof *ids);
    }
    bench_start(bench);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(token_put(&bench->sink, ids[i], i > 0 ? ends[i - 1] : 0, ends[i]), 0);
    }
}

static void any_row_is_merged_by_the_rule(struct kit_random *random, void *context)
{
    (void)context;
    struct given given;
    struct bench other;
    char room[1024];
    given_random_model(&given, random);
    bench_init(&other);
    for (int i = 0; i < 12; i++) {
        struct hearth_slice part = random_part(random, room, i % 2 == 0 ? 12 : 120);
        run(&given, part, &given.bench);
        merge_by_the_rule(&given.bpe, part, &other);
        assert_same_tokens(&given.bench, &other);
    }
    bench_finish(&other);
    finish(&given);
}

static void short_and_long_rows_are_merged_by_the_rule(void **state)
{
    (void)state; /* rows of up to 120 symbols go both ways: by scanning and by the heap */
    kit_property(40, any_row_is_merged_by_the_rule, NULL);
}

static void any_part_is_the_same_without_short_cuts(struct kit_random *random, void *context)
{
    (void)context;
    struct given given;
    struct bench other;
    char room[4096];
    given_random_model(&given, random);
    bench_init(&other);
    uint64_t nothing_is_whole[4] = {0};
    assert_true(given.bpe.has_segments);
    struct given plain = given;
    plain.bpe.has_segments = false;
    plain.bpe.whole = nothing_is_whole;
    for (int i = 0; i < 50; i++) {
        struct hearth_slice part = random_part(random, room, 300);
        run(&given, part, &given.bench);
        run(&plain, part, &other);
        assert_same_tokens(&given.bench, &other);
    }
    bench_finish(&other);
    finish(&given);
}

static void segments_and_whole_pieces_change_no_token(void **state)
{
    (void)state;
    kit_property(50, any_part_is_the_same_without_short_cuts, NULL);
}

static void one_mebibyte_of_one_letter_is_one_row(void **state)
{
    (void)state;
    struct given given;
    given_model(&given, "{\"vocab\":{\"a\":0,\"aa\":1,\"aaaa\":2},\"merges\":[\"a a\",\"aa aa\"]}");
    char *part = malloc(LONGEST_PART);
    assert_non_null(part);
    memset(part, 'a', LONGEST_PART);
    run(&given, hearth_slice_of(part, LONGEST_PART), &given.bench);
    assert_int_equal(given.bench.sink.count, LONGEST_PART / 4);
    for (size_t i = 0; i < given.bench.sink.count; i++) {
        assert_int_equal(given.bench.sink.ids[i], 2);
    }
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
        {"{" ABC ",\"merges\":[\"a b\"],\"dropout\":0.1}", HEARTH_E_UNSUPPORTED, "model.dropout"},
        {"{" ABC ",\"merges\":[\"a x\"]}", HEARTH_E_MODEL_INVALID,
         "model.merges: entry 0: a part of it is not in the vocabulary"},
        {"{" ABC ",\"merges\":[\"a b\",\"c a\"]}", HEARTH_E_MODEL_INVALID,
         "entry 1: what it makes is not in the vocabulary"},
        {"{" ABC ",\"merges\":[\"a b c\"]}", HEARTH_E_MODEL_INVALID, "entry 0: it is not a pair"},
        {"{" ABC ",\"merges\":[\"ab\"]}", HEARTH_E_MODEL_INVALID, "entry 0: it is not a pair"},
        {"{" ABC ",\"merges\":[\"a b\",[\"b\",\"c\"]]}", HEARTH_E_MODEL_INVALID, "entry 1"},
        {"{" ABC ",\"merges\":[[\"a\",\"b\",\"c\"]]}", HEARTH_E_MODEL_INVALID, "entry 0"},
        {"{" ABC ",\"merges\":{}}", HEARTH_E_MODEL_INVALID, "model.merges: it is not a list"},
        {"{" ABC "}", HEARTH_E_MODEL_INVALID, "model.merges: it is not a list"},
        {"{\"merges\":[]}", HEARTH_E_MODEL_INVALID, "model.vocab"},
        {"{" ABC ",\"merges\":[],\"unk_token\":\"x\"}", HEARTH_E_MODEL_INVALID, "model.unk_token"},
        {"{" ABC ",\"merges\":[],\"fuse_unk\":1}", HEARTH_E_MODEL_INVALID, "fuse_unk"},
        {"{" ABC ",\"merges\":[],\"end_of_word_suffix\":\"12345678901234567\"}",
         HEARTH_E_MODEL_INVALID, "model.end_of_word_suffix"},
        {"{" ABC ",\"merges\":[],\"byte_fallback\":true,\"end_of_word_suffix\":\"c\"}",
         HEARTH_E_UNSUPPORTED, "model.byte_fallback"},
        {"{" ABC ",\"merges\":[\"a b\"],\"continuing_subword_prefix\":\"b\"}",
         HEARTH_E_MODEL_INVALID, "no longer than the prefix"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        struct given given;
        struct hearth_error err;
        assert_int_equal(build(&given, cases[i].json, &err), cases[i].code);
        KIT_ASSERT_ERROR(err, cases[i].code, cases[i].says);
        hearth_arena_finish(&given.arena);
    }
}

/* Where a pair is looked for first; a file that is made to collide is made with this. */
static uint32_t first_slot(const struct merge_table *table, uint32_t left, uint32_t right)
{
    uint64_t hash = ((uint64_t)left << 32 | right) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 32 ^ hash >> 15) & table->slot_mask;
}

/* Puts @count pairs that look for their slots from @slot on, all at one or each at the next. */
static bool put_colliding(struct merge_table *table, uint32_t count, uint32_t step)
{
    bool is_put = true;
    uint32_t left = 0;
    for (uint32_t i = 0; is_put && i < count; i++) {
        uint32_t right = 0;
        do {
            right++;
            left += right % 4096 == 0 ? 1 : 0;
        } while (first_slot(table, left, right) != 7 + i * step);
        is_put = merge_table_put(table, left++, right, i, i);
    }
    return is_put;
}

static void pairs_that_are_made_to_collide_are_noticed(void **state)
{
    (void)state;
    struct hearth_arena arena;
    struct merge_table table;
    hearth_arena_init(&arena, 1 << 20);
    assert_int_equal(merge_table_init(&table, 2048, &arena), 0);
    assert_false(put_colliding(&table, 2048, 0)); /* all at one slot */
    assert_int_equal(merge_table_init(&table, 2048, &arena), 0);
    assert_true(put_colliding(&table, 1000, 1)); /* one slot each, side by side */
    assert_true(merge_table_is_even(&table));
    assert_int_equal(merge_table_init(&table, 2048, &arena), 0);
    assert_true(put_colliding(&table, 1100, 1));
    assert_false(merge_table_is_even(&table));
    hearth_arena_finish(&arena);
}

/* Where a piece of a vocabulary of 4096 slots is looked for first. */
static uint32_t first_vocab_slot(const char *piece)
{
    uint64_t hash = vocab_hash(VOCAB_HASH_START, (const uint8_t *)piece, strlen(piece));
    hash ^= hash >> 32;
    hash *= UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)(hash ^ hash >> 32) & 4095;
}

static void vocabulary_that_is_made_to_collide_is_refused(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf json;
    struct given given;
    struct hearth_error err;
    unsigned number = 0;
    hearth_buf_init(&json, 1 << 20);
    assert_int_equal(hearth_buf_printf(&json, "{\"merges\":[],\"vocab\":{"), 0);
    for (uint32_t id = 0; id < 1100; id++) { /* one slot each, side by side */
        char piece[16];
        do {
            snprintf(piece, sizeof piece, "%u", number++);
        } while (first_vocab_slot(piece) != 7 + id);
        assert_int_equal(hearth_buf_printf(&json, "%s\"%s\":%u", id > 0 ? "," : "", piece, id), 0);
    }
    assert_int_equal(hearth_buf_printf(&json, "}}"), 0);
    assert_int_equal(build(&given, (const char *)json.data, &err), HEARTH_E_MODEL_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_MODEL_INVALID, "model.vocab: its pieces collide");
    hearth_arena_finish(&given.arena);
}

static void any_failed_allocation_is_reported_and_harmless(void **state)
{
    (void)state;
    KIT_FOR_EACH_FAILURE(n) {
        struct given given;
        struct hearth_error err;
        bench_init(&given.bench);
        bench_start(&given.bench);
        int rc = build(&given, UNKNOWN "}", &err);
        if (rc == 0) {
            rc = bpe_part(&given.bpe, hearth_slice_of_string("abxba"), &given.bench.scratch,
                          &given.bench.sink);
        }
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        finish(&given);
    }
}

KIT_MAIN(cmocka_unit_test(lowest_rank_is_merged_first_and_then_the_leftmost),
         cmocka_unit_test(both_spellings_of_merges_mean_the_same),
         cmocka_unit_test(of_two_equal_merges_the_later_rank_holds),
         cmocka_unit_test(unknown_characters_are_fused_only_if_asked),
         cmocka_unit_test(piece_of_unknown_characters_is_never_reached),
         cmocka_unit_test(without_unknown_token_unknown_characters_vanish),
         cmocka_unit_test(unknown_characters_become_bytes_if_all_have_a_piece),
         cmocka_unit_test(unknown_token_may_be_merged_with_its_neighbours),
         cmocka_unit_test(prefix_and_suffix_dress_characters_by_their_place),
         cmocka_unit_test(whole_part_wins_over_merges_only_if_asked),
         cmocka_unit_test(short_and_long_rows_are_merged_by_the_rule),
         cmocka_unit_test(segments_and_whole_pieces_change_no_token),
         cmocka_unit_test(one_mebibyte_of_one_letter_is_one_row),
         cmocka_unit_test(what_is_wrong_with_a_model_is_named),
         cmocka_unit_test(vocabulary_that_is_made_to_collide_is_refused),
         cmocka_unit_test(pairs_that_are_made_to_collide_are_noticed),
         cmocka_unit_test(any_failed_allocation_is_reported_and_harmless))
