#include "kit.h"

#include "catalogue.h"

#include "hearth_os.h"

#include <string.h>
#include <yyjson.h>

/* The working directory of a unit test is the tree; that the manifests are those which the makers
 * write is compared byte by byte in tests/end_to_end/pull.py. */

static struct pull_problem problem;

static struct pull_catalogue *open_ours(void)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf json;
    struct pull_catalogue *catalogue = NULL;
    hearth_buf_init(&json, PULL_MAX_CATALOGUE_BYTES);
    assert_int_equal(hearth_file_read("models/catalogue.json", &json, NULL), 0);
    assert_int_equal(pull_catalogue_open(hearth_buf_slice(&json), &catalogue, &problem), 0);
    return catalogue;
}

static void every_fetched_model_of_our_catalogue_is_pinned_and_has_digests(void **state)
{
    struct pull_catalogue *catalogue = open_ours();
    unsigned fetched = 0;
    (void)state;
    for (size_t i = 0; i < pull_catalogue_count(catalogue); i++) {
        struct pull_entry entry;
        struct pull_model model;
        pull_catalogue_entry(catalogue, i, &entry);
        pull_model_init(&model);
        int rc = pull_catalogue_find(catalogue, entry.name, &model, &problem);
        assert_int_equal(rc, entry.is_fetched ? 0 : HEARTH_E_UNSUPPORTED);
        for (uint32_t f = 0; f < (rc == 0 ? model.file_count : 0); f++) {
            assert_true(pull_source_is_pinned(&model.files[f].source));
            assert_int_equal(strlen(model.files[f].sha256), PULL_SHA256_BYTES);
            assert_true(model.files[f].size_bytes > 0);
        }
        assert_true(rc < 0 || model.size_bytes == entry.size_bytes);
        fetched += entry.is_fetched;
        pull_model_finish(&model);
    }
    assert_int_equal(fetched, 3);
    pull_catalogue_close(catalogue);
}

static void a_name_that_is_not_there_is_told(void **state)
{
    struct pull_catalogue *catalogue = open_ours();
    struct pull_model model;
    (void)state;
    pull_model_init(&model);
    assert_int_equal(pull_catalogue_find(catalogue, "nobody", &model, &problem), HEARTH_E_NO_MODEL);
    assert_non_null(strstr(problem.err.text, "nobody"));
    pull_model_finish(&model);
    pull_catalogue_close(catalogue);
}

static int open_text(const char *json)
{
    struct pull_catalogue *catalogue = NULL;
    int rc = pull_catalogue_open(hearth_slice_of_string(json), &catalogue, &problem);
    pull_catalogue_close(catalogue);
    return rc;
}

static void what_is_no_catalogue_is_refused(void **state)
{
    (void)state;
    assert_int_equal(open_text(""), HEARTH_E_MALFORMED);
    assert_int_equal(open_text("[]"), HEARTH_E_MALFORMED);
    assert_int_equal(open_text("{\"models\": []}"), HEARTH_E_MALFORMED);
    assert_int_equal(open_text("{\"catalogue_version\": 2, \"models\": []}"), HEARTH_E_MALFORMED);
    assert_int_equal(open_text("{\"catalogue_version\": 1, \"models\": {}}"), HEARTH_E_MALFORMED);
    assert_int_equal(open_text("{\"catalogue_version\": 1, \"models\": []}"), 0);
}

static void a_model_of_one_file_gets_a_manifest_with_its_origin(void **state)
{
    struct pull_model model;
    (void)state;
    pull_model_init(&model);
    memcpy(model.name, "tiny", 5);
    assert_int_equal(pull_source_parse("o/r/x.gguf", &model.files[0].source, &problem), 0);
    memcpy(model.files[0].role, "model", 6);
    memcpy(model.files[0].path, "x.gguf", 7);
    memset(model.files[0].sha256, 'a', PULL_SHA256_BYTES);
    model.files[0].size_bytes = 5;
    model.file_count = 1;
    assert_int_equal(pull_manifest_of_gguf(&model, "MIT", "", &problem), 0);
    yyjson_doc *doc = yyjson_read((const char *)model.manifest.data, model.manifest.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *from = yyjson_obj_get(root, "source");
    assert_true(yyjson_equals_str(yyjson_obj_get(root, "model_id"), "tiny"));
    assert_true(yyjson_equals_str(yyjson_obj_get(root, "license"), "MIT"));
    assert_true(yyjson_equals_str(yyjson_obj_get(from, "hub"), "o/r"));
    assert_true(yyjson_equals_str(yyjson_obj_get(from, "revision"), "main"));
    yyjson_doc_free(doc);

    struct pull_model again;
    pull_model_init(&again);
    assert_int_equal(pull_manifest_read(hearth_buf_slice(&model.manifest), &again, &problem), 0);
    assert_int_equal(again.file_count, 1);
    assert_string_equal(again.files[0].path, "x.gguf");
    assert_int_equal(again.files[0].size_bytes, 5);
    pull_model_finish(&again);
    pull_model_finish(&model);
}

static void each_failing_allocation_is_an_error_and_leaves_nothing(void **state)
{
    static const char json[] =
        "{\"catalogue_version\": 1, \"models\": [{\"name\": \"a\", \"task\": "
        "\"tensors\", \"files\": "
        "[{\"role\": \"model\", \"path\": \"m\", \"size_bytes\": 1, \"sha256\": "
        "\"6fd5d72fe4589f189f8ebc006442dbb529bb7ce38f8082112682524616046452\", "
        "\"source\": {\"hub\": \"o/r\", \"revision\": \"main\", \"file\": \"m\"}}]}]}";
    (void)state;
    KIT_FOR_EACH_FAILURE(n) {
        struct pull_catalogue *catalogue = NULL;
        struct pull_model model;
        pull_model_init(&model);
        int rc = pull_catalogue_open(hearth_slice_of_string(json), &catalogue, &problem);
        rc = rc < 0 ? rc : pull_catalogue_find(catalogue, "a", &model, &problem);
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
        pull_model_finish(&model);
        pull_catalogue_close(catalogue);
    }
}

KIT_MAIN(cmocka_unit_test(each_failing_allocation_is_an_error_and_leaves_nothing),
         cmocka_unit_test(every_fetched_model_of_our_catalogue_is_pinned_and_has_digests),
         cmocka_unit_test(a_name_that_is_not_there_is_told),
         cmocka_unit_test(what_is_no_catalogue_is_refused),
         cmocka_unit_test(a_model_of_one_file_gets_a_manifest_with_its_origin))
