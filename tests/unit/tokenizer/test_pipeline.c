#include "kit.h"

#include "hearth_tokenizer.h"
#include "tokenizer_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Written by make_pipeline_cases.py: what the reference makes of each case. */
#define CASES "tests/unit/tokenizer/pipeline_cases.json"

static struct hearth_buf bytes;
static yyjson_doc *doc;

static int read_cases(void **state)
{
    (void)state;
    FILE *file = fopen(CASES, "rb");
    assert_non_null(file);
    hearth_buf_init(&bytes, 1 << 20);
    assert_int_equal(hearth_buf_reserve(&bytes, 1 << 19), 0);
    bytes.size = fread(bytes.data, 1, bytes.room, file);
    fclose(file);
    doc = yyjson_read((const char *)bytes.data, bytes.size, 0);
    assert_non_null(doc);
    return 0;
}

static int forget_cases(void **state)
{
    (void)state;
    yyjson_doc_free(doc);
    hearth_buf_finish(&bytes);
    return 0;
}

static struct hearth_slice text_of(yyjson_val *value)
{
    return hearth_slice_of(yyjson_get_str(value), yyjson_get_len(value));
}

/* The parts of the case and the model that all share. */
static int create(yyjson_val *test, struct hearth_tokenizer **ret, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf json;
    hearth_buf_init(&json, 1 << 20);
    struct hearth_slice spec = text_of(yyjson_obj_get(test, "spec"));
    struct hearth_slice model = text_of(yyjson_obj_get(yyjson_doc_get_root(doc), "model"));
    int rc = hearth_buf_append(&json, spec.data, spec.size - 1);
    rc = rc < 0 ? rc : hearth_buf_append(&json, ",\"model\":", 9);
    rc = rc < 0 ? rc : hearth_buf_append(&json, model.data, model.size);
    rc = rc < 0 ? rc : hearth_buf_append(&json, "}", 1);
    return rc < 0 ? hearth_fail_oom(err)
                  : hearth_tokenizer_create(hearth_buf_slice(&json), ret, err);
}

static int encode(const struct hearth_tokenizer *tokenizer, yyjson_val *test, bool wants_places,
                  struct hearth_encoding *out, struct hearth_error *err)
{
    yyjson_val *texts = yyjson_obj_get(test, "texts");
    struct hearth_encode_options options = hearth_encode_options_default();
    options.wants_places = wants_places;
    struct hearth_slice first = text_of(yyjson_arr_get(texts, 0));
    if (yyjson_arr_size(texts) == 1) {
        return hearth_tokenizer_encode(tokenizer, first, &options, out, err);
    }
    return hearth_tokenizer_encode_pair(tokenizer, first, text_of(yyjson_arr_get(texts, 1)),
                                        &options, out, err);
}

static void check_token(yyjson_val *row, const struct hearth_encoding *out, size_t i)
{
    int64_t wanted[5];
    for (size_t k = 0; k < HEARTH_COUNT(wanted); k++) {
        wanted[k] = yyjson_get_sint(yyjson_arr_get(row, k));
    }
    assert_int_equal(out->ids[i], wanted[0]);
    assert_int_equal(out->type_ids[i], wanted[1]);
    assert_int_equal(out->mask[i], 1);
    assert_int_equal(out->sequences[i], wanted[2]);
    if (out->places != NULL) {
        assert_int_equal(out->places[i].start, wanted[3]);
        assert_int_equal(out->places[i].end, wanted[4]);
    }
}

static void check_case(yyjson_val *test, bool wants_places)
{
    yyjson_val *rows = yyjson_obj_get(test, "tokens");
    struct hearth_tokenizer *tokenizer = NULL;
    struct hearth_error err = {0};
    HEARTH_AUTO(hearth_encoding) struct hearth_encoding out;
    hearth_encoding_init(&out);
    if (create(test, &tokenizer, &err) < 0 || encode(tokenizer, test, wants_places, &out, &err)) {
        fail_msg("%s: %s", yyjson_get_str(yyjson_obj_get(test, "name")), err.text);
    }
    assert_int_equal(out.count, yyjson_arr_size(rows));
    assert_int_equal(out.places != NULL, wants_places);
    for (size_t i = 0; i < out.count; i++) {
        check_token(yyjson_arr_get(rows, i), &out, i);
    }
    HEARTH_AUTO(hearth_buf) struct hearth_buf text;
    hearth_buf_init(&text, 1 << 16);
    assert_int_equal(hearth_tokenizer_decode(tokenizer, out.ids, out.count, true, &text, &err), 0);
    assert_true(
        hearth_slice_equal(hearth_buf_slice(&text), text_of(yyjson_obj_get(test, "decoded"))));
    hearth_tokenizer_destroy(tokenizer);
}

static void for_each_case(void (*check)(yyjson_val *test, bool wants_places), bool wants_places)
{
    yyjson_val *cases = yyjson_obj_get(yyjson_doc_get_root(doc), "cases");
    assert_true(yyjson_arr_size(cases) > 50);
    size_t i = 0;
    size_t max = 0;
    yyjson_val *test = NULL;
    yyjson_arr_foreach(cases, i, max, test)
    {
        check(test, wants_places);
    }
}

static void tokens_places_and_decoded_text_are_those_of_the_reference(void **state)
{
    (void)state;
    for_each_case(check_case, true);
}

static void tokens_are_the_same_without_places(void **state)
{
    (void)state;
    for_each_case(check_case, false);
}

static void check_steady(yyjson_val *test, bool wants_places)
{
    struct hearth_tokenizer *tokenizer = NULL;
    HEARTH_AUTO(hearth_encoding) struct hearth_encoding out;
    hearth_encoding_init(&out);
    assert_int_equal(create(test, &tokenizer, NULL), 0);
    assert_int_equal(encode(tokenizer, test, wants_places, &out, NULL), 0);
    uint64_t before = hearth_alloc_count();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(encode(tokenizer, test, wants_places, &out, NULL), 0);
        hearth_encoding_wipe(&out);
    }
    assert_int_equal(hearth_alloc_count(), before);
    hearth_tokenizer_destroy(tokenizer);
}

static void no_pipeline_allocates_once_it_has_seen_the_text(void **state)
{
    (void)state;
    for_each_case(check_steady, true);
}

static void check_failures(yyjson_val *test, bool wants_places)
{
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_tokenizer *tokenizer = NULL;
        struct hearth_encoding out;
        struct hearth_error err = {0};
        hearth_encoding_init(&out);
        int rc = create(test, &tokenizer, &err);
        rc = rc < 0 ? rc : encode(tokenizer, test, wants_places, &out, &err);
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        hearth_encoding_finish(&out);
        hearth_tokenizer_destroy(tokenizer);
    }
}

static void any_failed_allocation_of_any_pipeline_is_reported(void **state)
{
    (void)state;
    for_each_case(check_failures, true);
}

static yyjson_val *case_named(const char *name)
{
    yyjson_val *cases = yyjson_obj_get(yyjson_doc_get_root(doc), "cases");
    size_t i = 0;
    size_t max = 0;
    yyjson_val *test = NULL;
    yyjson_arr_foreach(cases, i, max, test)
    {
        if (yyjson_equals_str(yyjson_obj_get(test, "name"), name)) {
            return test;
        }
    }
    fail_msg("no case %s", name);
    return NULL;
}

#ifndef __SANITIZE_THREAD__ /* one thread over 64 MiB: minutes there, and nothing to find */
static void text_that_grows_past_the_limit_is_refused(void **state)
{
    (void)state;
    struct hearth_tokenizer *tokenizer = NULL;
    struct hearth_error err = {0};
    struct hearth_encoding out;
    hearth_encoding_init(&out);
    /* Each a becomes 64 bytes. */
    assert_int_equal(create(case_named("replace_long"), &tokenizer, &err), 0);
    size_t size = HEARTH_TOKENIZER_MAX_NORMAL_BYTES / 64 + 1;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'a', size);
    int rc = hearth_tokenizer_encode(tokenizer, hearth_slice_of(text, size), NULL, &out, &err);
    free(text);
    assert_int_equal(rc, HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE, "once it is normalised");
    assert_int_equal(out.count, 0);
    hearth_encoding_finish(&out);
    hearth_tokenizer_destroy(tokenizer);
}
#endif

static void strategy_that_may_not_cut_enough_is_an_error(void **state)
{
    (void)state;
    struct hearth_tokenizer *tokenizer = NULL;
    struct hearth_error err = {0};
    HEARTH_AUTO(hearth_encoding) struct hearth_encoding out;
    hearth_encoding_init(&out);
    assert_int_equal(create(case_named("cut_first"), &tokenizer, &err), 0);
    struct hearth_slice shorter = hearth_slice_of_string("ab");
    struct hearth_slice longer = hearth_slice_of_string("abcdefgh");
    int rc = hearth_tokenizer_encode_pair(tokenizer, shorter, longer, NULL, &out, &err);
    assert_int_equal(rc, HEARTH_E_TOO_LONG);
    assert_int_equal(out.count, 0);
    hearth_tokenizer_destroy(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_places_and_decoded_text_are_those_of_the_reference),
        cmocka_unit_test(tokens_are_the_same_without_places),
        cmocka_unit_test(no_pipeline_allocates_once_it_has_seen_the_text),
        cmocka_unit_test(any_failed_allocation_of_any_pipeline_is_reported),
#ifndef __SANITIZE_THREAD__
        cmocka_unit_test(text_that_grows_past_the_limit_is_refused),
#endif
        cmocka_unit_test(strategy_that_may_not_cut_enough_is_an_error),
    };
    kit_begin();
    return kit_end(
        cmocka_run_group_tests_name(kit_name(__FILE__), tests, read_cases, forget_cases));
}
