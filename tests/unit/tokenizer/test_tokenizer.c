#include "kit.h"

#include "hearth_tokenizer.h"
#include "tokenizer_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE "fixtures/models/onnx/tinybert-classifier.tokenizer.json"

static struct hearth_slice read_fixture(void)
{
    static uint8_t bytes[1 << 20];
    FILE *file = fopen(FIXTURE, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_in_range(size, 1, sizeof bytes - 1);
    return hearth_slice_of(bytes, size);
}

static struct hearth_tokenizer *given_tokenizer(void)
{
    struct hearth_tokenizer *tokenizer = NULL;
    struct hearth_error err = {0};
    int rc = hearth_tokenizer_create(read_fixture(), &tokenizer, &err);
    if (rc < 0) {
        fail_msg("%s", err.text);
    }
    return tokenizer;
}

static void facts_are_those_of_the_file(void **state)
{
    (void)state;
    struct hearth_tokenizer *tokenizer = given_tokenizer();
    const struct hearth_tokenizer_facts *facts = hearth_tokenizer_facts(tokenizer);
    assert_int_equal(facts->pad_id, 0);
    assert_int_equal(facts->unk_id, 1);
    assert_int_equal(facts->cls_id, 2);
    assert_int_equal(facts->sep_id, 3);
    assert_int_equal(facts->mask_id, 4);
    assert_int_equal(facts->special_tokens, 2);
    assert_int_equal(facts->default_max_tokens, 0);
    assert_string_equal(hearth_tokenizer_piece(tokenizer, 3), "[SEP]");
    assert_null(hearth_tokenizer_piece(tokenizer, -1));
    assert_null(hearth_tokenizer_piece(tokenizer, (int64_t)facts->vocabulary_size));
    hearth_tokenizer_destroy(tokenizer);
    hearth_tokenizer_destroy(NULL);
}

static void literal_special_token_in_the_text_is_that_token(void **state)
{
    (void)state;
    struct hearth_tokenizer *tokenizer = given_tokenizer();
    HEARTH_AUTO(hearth_encoding) struct hearth_encoding out;
    hearth_encoding_init(&out);
    assert_int_equal(hearth_tokenizer_encode(tokenizer, hearth_slice_of_string("[SEP] [MASK]"),
                                             NULL, &out, NULL),
                     0);
    const int64_t wanted[] = {2, 3, 4, 3};
    assert_int_equal(out.count, 4);
    assert_memory_equal(out.ids, wanted, sizeof wanted);
    hearth_tokenizer_destroy(tokenizer);
}

static void limit_cuts_on_the_right_and_keeps_the_special_tokens(void **state)
{
    (void)state;
    struct hearth_tokenizer *tokenizer = given_tokenizer();
    HEARTH_AUTO(hearth_encoding) struct hearth_encoding out;
    hearth_encoding_init(&out);
    struct hearth_encode_options options = {.max_tokens = 4, .add_special = true};
    struct hearth_slice text = hearth_slice_of_string("! ! ! ! ! !");
    assert_int_equal(hearth_tokenizer_encode(tokenizer, text, &options, &out, NULL), 0);
    assert_int_equal(out.count, 4);
    assert_int_equal(out.full_count, 8);
    assert_true(out.is_truncated);
    assert_int_equal(out.ids[0], 2);
    assert_int_equal(out.ids[3], 3);
    options.max_tokens = 1;
    struct hearth_error err;
    assert_int_equal(hearth_tokenizer_encode(tokenizer, text, &options, &out, &err),
                     HEARTH_E_ARGUMENT);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "max_tokens is 1, and the special tokens alone are 2");
    assert_int_equal(out.count, 0);
    hearth_tokenizer_destroy(tokenizer);
}

static void invalid_utf8_is_refused_with_its_place(void **state)
{
    (void)state;
    struct hearth_tokenizer *tokenizer = given_tokenizer();
    HEARTH_AUTO(hearth_encoding) struct hearth_encoding out;
    hearth_encoding_init(&out);
    struct hearth_error err;
    assert_int_equal(
        hearth_tokenizer_encode(tokenizer, hearth_slice_of("abc\xFF", 4), NULL, &out, &err),
        HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "not UTF-8 at byte 3");
    hearth_tokenizer_destroy(tokenizer);
}

static void steady_state_allocates_nothing(void **state)
{
    (void)state;
    struct hearth_tokenizer *tokenizer = given_tokenizer();
    HEARTH_AUTO(hearth_encoding) struct hearth_encoding out;
    hearth_encoding_init(&out);
    struct hearth_slice text =
        hearth_slice_of_string("H\xC3\xA9llo, \xE6\xBC\xA2\xE5\xAD\x97! [SEP] and more of it");
    assert_int_equal(hearth_tokenizer_encode(tokenizer, text, NULL, &out, NULL), 0);
    uint64_t before = hearth_alloc_count();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(hearth_tokenizer_encode(tokenizer, text, NULL, &out, NULL), 0);
        hearth_encoding_wipe(&out);
    }
    assert_int_equal(hearth_alloc_count(), before);
    hearth_tokenizer_destroy(tokenizer);
}

static void encode_repeated(const struct hearth_tokenizer *tokenizer, const char *unit, size_t size,
                            struct hearth_encoding *out)
{
    size_t unit_size = strlen(unit);
    size_t times = size / unit_size;
    char *text = malloc(unit_size * times);
    assert_non_null(text);
    for (size_t i = 0; i < times; i++) {
        memcpy(text + i * unit_size, unit, unit_size);
    }
    assert_int_equal(hearth_tokenizer_encode(tokenizer, hearth_slice_of(text, unit_size * times),
                                             NULL, out, NULL),
                     0);
    free(text);
}

static void two_mebibytes_of_any_one_thing_are_encoded(void **state)
{
    (void)state;
    /* Linear work is a second or so for each; a square of two million steps would run into the
     * time limit of the test program many times over. */
    static const char *const units[] = {"a", "\xCC\x81\xCC\xA3", "[",
                                        " ", "a\xCC\x81 ",       "\xDF\xBD\xE1\xBA\xBF\xCC\x81"};
    struct hearth_tokenizer *tokenizer = given_tokenizer();
    HEARTH_AUTO(hearth_encoding) struct hearth_encoding out;
    hearth_encoding_init(&out);
    for (size_t i = 0; i < HEARTH_COUNT(units); i++) {
        encode_repeated(tokenizer, units[i], (size_t)2 << 20, &out);
        assert_true(out.count >= 2); /* the special tokens at least: combining marks may all go */
    }
    hearth_tokenizer_destroy(tokenizer);
}

static void *encode_often(void *argument)
{
    const struct hearth_tokenizer *tokenizer = argument;
    struct hearth_encoding out;
    hearth_encoding_init(&out);
    intptr_t wrong = 0;
    size_t first = 0;
    for (int i = 0; i < 500; i++) {
        int rc = hearth_tokenizer_encode(tokenizer, hearth_slice_of_string("one of many, [SEP]"),
                                         NULL, &out, NULL);
        first = i == 0 ? out.count : first;
        wrong += rc != 0 || out.count != first || out.ids[out.count - 2] != 3;
    }
    hearth_encoding_finish(&out);
    return (void *)wrong;
}

static void threads_share_one_tokenizer(void **state)
{
    (void)state;
    struct hearth_tokenizer *tokenizer = given_tokenizer();
    pthread_t threads[4];
    for (size_t i = 0; i < HEARTH_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, encode_often, tokenizer), 0);
    }
    for (size_t i = 0; i < HEARTH_COUNT(threads); i++) {
        void *wrong = tokenizer;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    hearth_tokenizer_destroy(tokenizer);
}

static void any_failed_allocation_is_reported_and_harmless(void **state)
{
    (void)state;
    struct hearth_slice json = read_fixture();
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_tokenizer *tokenizer = NULL;
        struct hearth_encoding out;
        struct hearth_error err;
        hearth_encoding_init(&out);
        int rc = hearth_tokenizer_create(json, &tokenizer, &err);
        if (rc == 0) {
            rc = hearth_tokenizer_encode(
                tokenizer, hearth_slice_of_string("a\xCC\x81\xCC\xA3 [SEP] b"), NULL, &out, &err);
        }
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        hearth_encoding_finish(&out);
        hearth_tokenizer_destroy(tokenizer);
    }
}

static void wipe_leaves_no_text_behind(void **state)
{
    (void)state;
    struct hearth_tokenizer *tokenizer = given_tokenizer();
    HEARTH_AUTO(hearth_encoding) struct hearth_encoding out;
    hearth_encoding_init(&out);
    assert_int_equal(
        hearth_tokenizer_encode(tokenizer, hearth_slice_of_string("secret"), NULL, &out, NULL), 0);
    hearth_encoding_wipe(&out);
    const struct writer *normal = &out.scratch->normal.writers[0];
    assert_true(normal->room > 0);
    for (size_t i = 0; i < normal->room; i++) {
        assert_int_equal(normal->bytes[i], 0);
    }
    assert_true(out.scratch->tokens[0].room > 0);
    for (size_t i = 0; i < out.scratch->tokens[0].room; i++) {
        assert_int_equal(out.scratch->tokens[0].ids[i], 0);
    }
    for (size_t i = 0; i < out.room; i++) {
        assert_int_equal(out.ids[i], 0);
    }
    hearth_tokenizer_destroy(tokenizer);
}

static int take(const struct hearth_tokenizer *tokenizer, const uint32_t *ids, size_t count,
                size_t max_tokens, struct hearth_encoding *out, struct hearth_error *err)
{
    uint8_t bytes[64]; /* at an odd address, as in a frame */
    memcpy(bytes + 1, ids, count * sizeof *ids);
    return hearth_tokenizer_take_ids(tokenizer, bytes + 1, count, max_tokens, out, err);
}

static void ids_are_taken_as_they_are(void **state)
{
    (void)state;
    struct hearth_tokenizer *tokenizer = given_tokenizer();
    uint32_t last = (uint32_t)hearth_tokenizer_facts(tokenizer)->vocabulary_size - 1;
    const uint32_t ids[] = {last, 2, 0, 3, 3};
    HEARTH_AUTO(hearth_encoding) struct hearth_encoding out;
    hearth_encoding_init(&out);
    assert_int_equal(
        hearth_tokenizer_encode(tokenizer, hearth_slice_of_string("before"), NULL, &out, NULL), 0);
    assert_int_equal(take(tokenizer, ids, 5, 5, &out, NULL), 0);
    assert_int_equal(out.count, 5);
    assert_int_equal(out.full_count, 5);
    assert_false(out.is_truncated);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(out.ids[i], ids[i]);
        assert_int_equal(out.type_ids[i], 0);
        assert_int_equal(out.mask[i], 1);
    }
    hearth_tokenizer_destroy(tokenizer);
}

static void ids_outside_the_vocabulary_and_too_many_are_refused(void **state)
{
    (void)state;
    struct hearth_tokenizer *tokenizer = given_tokenizer();
    size_t most = hearth_tokenizer_facts(tokenizer)->vocabulary_size;
    const uint32_t ids[] = {2, (uint32_t)most, UINT32_MAX};
    char wanted[96];
    snprintf(wanted, sizeof wanted, "token id 1 of 3 is not in the vocabulary, which has %zu",
             most);
    HEARTH_AUTO(hearth_encoding) struct hearth_encoding out;
    struct hearth_error err;
    hearth_encoding_init(&out);
    assert_int_equal(take(tokenizer, ids, 3, 3, &out, &err), HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, wanted);
    assert_int_equal(out.count, 0);
    assert_int_equal(take(tokenizer, ids, 3, 2, &out, &err), HEARTH_E_TOO_LONG);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LONG, "3 token ids, the model takes 2");
    assert_int_equal(take(tokenizer, ids, 1, 1, &out, &err), 0);
    hearth_tokenizer_destroy(tokenizer);
}

KIT_MAIN(cmocka_unit_test(ids_are_taken_as_they_are),
         cmocka_unit_test(ids_outside_the_vocabulary_and_too_many_are_refused),
         cmocka_unit_test(facts_are_those_of_the_file),
         cmocka_unit_test(literal_special_token_in_the_text_is_that_token),
         cmocka_unit_test(limit_cuts_on_the_right_and_keeps_the_special_tokens),
         cmocka_unit_test(invalid_utf8_is_refused_with_its_place),
         cmocka_unit_test(steady_state_allocates_nothing),
         cmocka_unit_test(two_mebibytes_of_any_one_thing_are_encoded),
         cmocka_unit_test(threads_share_one_tokenizer),
         cmocka_unit_test(any_failed_allocation_is_reported_and_harmless),
         cmocka_unit_test(wipe_leaves_no_text_behind))
