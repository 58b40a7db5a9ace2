#include "kit.h"

#include "hearth_registry.h"
#include <stdio.h>
#include <string.h>

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FILES                                                                                      \
    "\"files\":[{\"role\":\"model\",\"path\":\"m.onnx\",\"sha256\":\"" DIGEST                      \
    "\",\"size_bytes\":10},{\"role\":\"tokenizer\",\"path\":\"t.json\",\"sha256\":\"" DIGEST       \
    "\",\"size_bytes\":5}]"
#define HEAD     "{\"model_id\":\"m\",\"architecture\":\"onnx\","
#define CLASSIFY "\"capabilities\":[\"text_classification\"],\"labels\":[\"a\",\"b\"],"
#define EMBED    "\"capabilities\":[\"embedding\"],"

static int parse(const char *json, struct hearth_manifest **ret, struct hearth_error *err)
{
    return hearth_manifest_parse(hearth_slice_of_string(json), "m", ret, err);
}

static void all_fields_arrive(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_manifest) struct hearth_manifest *m = NULL;
    struct hearth_error err = {0};
    assert_int_equal(parse(HEAD CLASSIFY "\"name\":\"N\",\"version\":\"1.2\","
                                         "\"task\":\"text-classification\"," FILES
                                         ",\"options\":{\"max_tokens\":128,\"x\":true,\"y\":\"z\","
                                         "\"n\":-3,\"r\":0.5},\"more\":{\"unknown\":[1]}}",
                           &m, &err),
                     0);
    assert_string_equal(m->model_id, "m");
    assert_string_equal(m->name, "N");
    assert_string_equal(m->version, "1.2");
    assert_int_equal(m->engine, HEARTH_ENGINE_ONNX);
    assert_int_equal(m->task, HEARTH_TASK_CLASSIFY);
    assert_int_equal(m->label_count, 2);
    assert_string_equal(m->labels[1], "b");
    assert_int_equal(m->file_count, 2);
    assert_int_equal(m->size_bytes, 15);
    assert_string_equal(hearth_manifest_file(m, HEARTH_FILE_TOKENIZER)->path, "t.json");
    assert_string_equal(hearth_manifest_file(m, HEARTH_FILE_MODEL)->sha256, DIGEST);
    assert_null(hearth_manifest_file(m, HEARTH_FILE_WEIGHTS));
    static const char *const values[] = {"128", "true", "z", "-3", "0.5"};
    assert_int_equal(m->option_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(m->options[i].value, values[i]);
    }
}

static void echo_needs_no_files(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_manifest) struct hearth_manifest *m = NULL;
    assert_int_equal(parse("{\"model_id\":\"m\",\"architecture\":\"echo\","
                           "\"capabilities\":[\"text_generation\"]}",
                           &m, NULL),
                     0);
    assert_int_equal(m->file_count, 0);
}

struct refusal {
    const char *json;
    const char *part;
};

#define ONE_FILE(fields) HEAD EMBED "\"files\":[{" fields "}]}"
static const struct refusal refusals[] = {
    {"", "not JSON"},
    {"[]", "one JSON object"},
    {"{\"model_id\":\"m\"", "not JSON at byte"},
    {"{}", "\"model_id\" must be a string"},
    {"{\"model_id\":7}", "\"model_id\""},
    {"{\"model_id\":\"other\"}", "they must be equal"},
    {"{\"model_id\":\"../m\"}", "must be of A-Z"},
    {"{\"model_id\":\"m\\u0000\"}", "\"model_id\""},
    {"{\"model_id\":\"m\"}", "\"architecture\""},
    {"{\"model_id\":\"m\",\"architecture\":\"safetensors\"}", "\"architecture\""},
    {HEAD "\"capabilities\":[]}", "exactly one capability"},
    {HEAD "\"capabilities\":[\"embedding\",\"text_classification\"]}", "exactly one capability"},
    {HEAD "\"capabilities\":[\"vision\"]}", "\"capabilities\""},
    {HEAD EMBED "\"task\":\"text-generation\"}", "\"task\""},
    {HEAD "\"capabilities\":[\"text_classification\"]," FILES "}", "\"labels\""},
    {HEAD "\"capabilities\":[\"text_classification\"],\"labels\":[]," FILES "}", "\"labels\""},
    {HEAD "\"capabilities\":[\"text_classification\"],\"labels\":[1]," FILES "}", "\"labels[]\""},
    {HEAD EMBED "\"labels\":[\"a\"]," FILES "}", "absent: only text_classification"},
    {HEAD "\"capabilities\":[\"reranking\"],\"labels\":[\"a\"]," FILES "}", "absent: only"},
    {HEAD "\"capabilities\":[\"tensors\"],\"labels\":[\"a\"]," FILES "}", "absent: only"},
    {HEAD "\"capabilities\":[\"named_entity_recognition\"]," FILES "}",
     "named_entity_recognition need one for each column"},
    {HEAD "\"capabilities\":[\"reranking\"],\"task\":\"token-classification\"," FILES "}",
     "\"task\""},
    {HEAD EMBED "\"files\":{}}", "\"files\""},
    {HEAD EMBED "\"files\":[]}", "role \"model\""},
    {HEAD EMBED "\"files\":[7]}", "\"files[]\""},
    {ONE_FILE("\"role\":\"model\",\"path\":\"m\",\"sha256\":\"" DIGEST "\",\"size_bytes\":1"),
     "role \"tokenizer\""},
    {ONE_FILE("\"role\":\"code\",\"path\":\"m\",\"sha256\":\"" DIGEST "\",\"size_bytes\":1"),
     "\"files[].role\""},
    {ONE_FILE("\"role\":\"model\",\"path\":\"../m\",\"sha256\":\"" DIGEST "\",\"size_bytes\":1"),
     "plain file name"},
    {ONE_FILE("\"role\":\"model\",\"path\":\"..\",\"sha256\":\"" DIGEST "\",\"size_bytes\":1"),
     "plain file name"},
    {ONE_FILE("\"role\":\"model\",\"path\":\"/m\",\"sha256\":\"" DIGEST "\",\"size_bytes\":1"),
     "plain file name"},
    {ONE_FILE("\"role\":\"model\",\"path\":\"a\\u0000b\",\"sha256\":\"" DIGEST
              "\",\"size_bytes\":1"),
     "\"files[].path\""},
    {ONE_FILE("\"role\":\"model\",\"path\":\"m\",\"sha256\":\"abc\",\"size_bytes\":1"),
     "64 lower-case hex"},
    {ONE_FILE("\"role\":\"model\",\"path\":\"m\",\"sha256\":\"" DIGEST "\",\"size_bytes\":0"),
     "\"files[].size_bytes\""},
    {ONE_FILE("\"role\":\"model\",\"path\":\"m\",\"sha256\":\"" DIGEST "\",\"size_bytes\":-1"),
     "\"files[].size_bytes\""},
    {ONE_FILE("\"role\":\"model\",\"path\":\"m\",\"sha256\":\"" DIGEST
              "\",\"size_bytes\":18446744073709551615"),
     "\"files[].size_bytes\""},
    {HEAD EMBED FILES ",\"options\":{\"a\":[1]}}", "\"options{}\""},
    {HEAD EMBED FILES ",\"options\":{\"a\":null}}", "\"options{}\""},
    {HEAD EMBED FILES ",\"options\":[]}", "\"options\""},
};

#define MODEL_ONLY                                                                                 \
    "\"files\":[{\"role\":\"model\",\"path\":\"m\",\"sha256\":\"" DIGEST "\",\"size_bytes\":1}]}"

static void each_capability_has_its_task_and_files(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        enum hearth_task task;
        uint32_t labels;
    } sound[] = {
        {HEAD "\"capabilities\":[\"reranking\"],\"task\":\"text-ranking\"," FILES "}",
         HEARTH_TASK_RERANK, 0},
        {HEAD "\"capabilities\":[\"named_entity_recognition\"],\"task\":\"token-classification\","
              "\"labels\":[\"O\",\"B-PER\"]," FILES "}",
         HEARTH_TASK_ENTITIES, 2},
        {HEAD "\"capabilities\":[\"tensors\"],\"task\":\"tensors\"," MODEL_ONLY,
         HEARTH_TASK_TENSORS, 0},
    };
    for (size_t i = 0; i < HEARTH_COUNT(sound); i++) {
        HEARTH_AUTO(hearth_manifest) struct hearth_manifest *m = NULL;
        assert_int_equal(parse(sound[i].json, &m, NULL), 0);
        assert_int_equal(m->task, sound[i].task);
        assert_int_equal(m->label_count, sound[i].labels);
    }
    struct hearth_manifest *m = NULL;
    struct hearth_error err = {0};
    assert_int_equal(parse(HEAD "\"capabilities\":[\"reranking\"]," MODEL_ONLY, &m, &err),
                     HEARTH_E_MODEL_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_MODEL_INVALID, "every task but tensors");
}

static void each_wrong_field_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(refusals); i++) {
        struct hearth_manifest *m = NULL;
        struct hearth_error err = {0};
        int rc = parse(refusals[i].json, &m, &err);
        if (rc != HEARTH_E_MODEL_INVALID) {
            print_error("case %zu: %s\n", i, refusals[i].json);
        }
        assert_int_equal(rc, HEARTH_E_MODEL_INVALID);
        KIT_ASSERT_ERROR(err, HEARTH_E_MODEL_INVALID, refusals[i].part);
        assert_null(m);
    }
}

static void a_role_is_given_once(void **state)
{
    (void)state;
    struct hearth_manifest *m = NULL;
    struct hearth_error err = {0};
    static const char file[] =
        "{\"role\":\"model\",\"path\":\"m\",\"sha256\":\"" DIGEST "\",\"size_bytes\":1}";
    char json[600];
    snprintf(json, sizeof json, "%s\"files\":[%s,%s]}", HEAD EMBED, file, file);
    assert_int_equal(parse(json, &m, &err), HEARTH_E_MODEL_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_MODEL_INVALID, "given once");
}

static void a_manifest_over_the_limit_is_not_parsed(void **state)
{
    (void)state;
    static char json[HEARTH_MAX_MANIFEST_BYTES + 2];
    struct hearth_manifest *m = NULL;
    struct hearth_error err = {0};
    memset(json, ' ', sizeof json - 1);
    assert_int_equal(parse(json, &m, &err), HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE, "262145 bytes, at most 262144");
}

static void model_ids_are_plain_names(void **state)
{
    (void)state;
    char id[HEARTH_MAX_MODEL_ID_BYTES + 2];
    memset(id, 'x', sizeof id);
    id[HEARTH_MAX_MODEL_ID_BYTES] = '\0';
    assert_true(hearth_model_id_is_valid(id));
    id[HEARTH_MAX_MODEL_ID_BYTES] = 'x';
    id[HEARTH_MAX_MODEL_ID_BYTES + 1] = '\0';
    assert_false(hearth_model_id_is_valid(id));
    assert_true(hearth_model_id_is_valid("all-MiniLM_l6.v2"));
    static const char *const wrong[] = {"", ".", "..", ".a", "-a", "a/b", "a b", "a\n", "\xc3\xa9"};
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        assert_false(hearth_model_id_is_valid(wrong[i]));
    }
}

#define AGREEMENT(mean, least, rest)                                                               \
    ",\"precision\":\"int8\",\"agreement\":{\"mean_cosine\":" mean ",\"min_cosine\":" least        \
    ",\"texts\":200,\"source_sha256\":\"" DIGEST "\"" rest "}"

static void int8_tells_how_far_it_agrees(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_manifest) struct hearth_manifest *m = NULL;
    struct hearth_error err = {0};
    assert_int_equal(
        parse(HEAD CLASSIFY FILES AGREEMENT("0.9995", "0.98", ",\"label_agreement\":0.995") "}", &m,
              &err),
        0);
    assert_string_equal(hearth_precision_name(m->precision), "int8");
    assert_true(m->agreement.mean_cosine == 0.9995);
    assert_true(m->agreement.min_cosine == 0.98);
    assert_true(m->agreement.label_agreement == 0.995);
    assert_int_equal(m->agreement.texts, 200);
    assert_string_equal(m->agreement.source_sha256, DIGEST);
    assert_false(m->is_default);
}

static void a_manifest_may_leave_the_precision_open(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_manifest) struct hearth_manifest *m = NULL;
    assert_int_equal(parse(HEAD EMBED FILES "}", &m, NULL), 0);
    assert_string_equal(hearth_precision_name(m->precision), "");
    assert_int_equal(m->agreement.texts, 0);
}

static const struct refusal int8_refusals[] = {
    {HEAD EMBED FILES ",\"precision\":\"int4\"}", "\"precision\" must be"},
    {HEAD EMBED FILES ",\"precision\":\"int8\"}", "scripts/quantize.sh measures it"},
    {HEAD EMBED FILES ",\"precision\":\"int8\",\"agreement\":[]}", "\"agreement\" must be"},
    {HEAD EMBED FILES AGREEMENT("1.01", "0.9", "") "}", "mean_cosine"},
    {HEAD EMBED FILES AGREEMENT("\"1\"", "0.9", "") "}", "mean_cosine"},
    {HEAD EMBED FILES AGREEMENT("0.9", "0.91", "") "}", "min_cosine"},
    {HEAD EMBED FILES AGREEMENT("0.9", "-2", "") "}", "min_cosine"},
    {HEAD EMBED FILES AGREEMENT("1", "1", ",\"label_agreement\":1.5") "}", "label_agreement"},
    {HEAD CLASSIFY FILES AGREEMENT("1", "1", "") "}", "label_agreement"},
    {HEAD EMBED FILES ",\"precision\":\"int8\",\"agreement\":{\"mean_cosine\":1,\"min_cosine\":1,"
                      "\"texts\":0,\"source_sha256\":\"" DIGEST "\"}}",
     "agreement.texts"},
    {HEAD EMBED FILES ",\"precision\":\"int8\",\"agreement\":{\"mean_cosine\":1,\"min_cosine\":1,"
                      "\"texts\":1,\"source_sha256\":\"abc\"}}",
     "agreement.source_sha256"},
    {HEAD EMBED FILES ",\"default\":1}", "\"default\" must be true or false"},
};

static void int8_without_a_sound_agreement_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(int8_refusals); i++) {
        struct hearth_manifest *m = NULL;
        struct hearth_error err = {0};
        assert_int_equal(parse(int8_refusals[i].json, &m, &err), HEARTH_E_MODEL_INVALID);
        KIT_ASSERT_ERROR(err, HEARTH_E_MODEL_INVALID, int8_refusals[i].part);
        assert_null(m);
    }
}

#define DEFAULT ",\"default\":true}"

static void int8_is_a_default_only_within_the_limits(void **state)
{
    (void)state;
    static const char *const low[] = {
        HEAD EMBED FILES AGREEMENT("0.99899", "0.995", "") DEFAULT,
        HEAD EMBED FILES AGREEMENT("0.9995", "0.98999", "") DEFAULT,
        HEAD CLASSIFY FILES AGREEMENT("0.9995", "0.995", ",\"label_agreement\":0.9899") DEFAULT,
    };
    for (size_t i = 0; i < HEARTH_COUNT(low); i++) {
        struct hearth_manifest *m = NULL;
        struct hearth_error err = {0};
        assert_int_equal(parse(low[i], &m, &err), HEARTH_E_MODEL_INVALID);
        KIT_ASSERT_ERROR(err, HEARTH_E_MODEL_INVALID, "too low for a \"default\"");
    }
    HEARTH_AUTO(hearth_manifest) struct hearth_manifest *m = NULL;
    assert_int_equal(
        parse(HEAD CLASSIFY FILES AGREEMENT("0.999", "0.99", ",\"label_agreement\":0.99") DEFAULT,
              &m, NULL),
        0);
    assert_true(m->is_default);
}

static void parsing_survives_any_failed_allocation(void **state)
{
    (void)state;
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_manifest *m = NULL;
        struct hearth_error err = {0};
        int rc = parse(HEAD CLASSIFY FILES ",\"options\":{\"a\":1}}", &m, &err);
        if (hearth_alloc_has_failed()) {
            assert_int_equal(rc, HEARTH_E_NO_MEMORY);
            assert_null(m);
        } else {
            assert_int_equal(rc, 0);
        }
        hearth_manifest_destroy(m);
    }
}

KIT_MAIN(cmocka_unit_test(all_fields_arrive), cmocka_unit_test(echo_needs_no_files),
         cmocka_unit_test(each_capability_has_its_task_and_files),
         cmocka_unit_test(each_wrong_field_is_named), cmocka_unit_test(a_role_is_given_once),
         cmocka_unit_test(a_manifest_over_the_limit_is_not_parsed),
         cmocka_unit_test(model_ids_are_plain_names),
         cmocka_unit_test(int8_tells_how_far_it_agrees),
         cmocka_unit_test(a_manifest_may_leave_the_precision_open),
         cmocka_unit_test(int8_without_a_sound_agreement_is_refused),
         cmocka_unit_test(int8_is_a_default_only_within_the_limits),
         cmocka_unit_test(parsing_survives_any_failed_allocation))
