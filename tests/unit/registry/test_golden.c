#include "kit.h"

#include "hearth_registry.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct hearth_golden *parsed(const char *json, enum hearth_task task)
{
    struct hearth_golden *golden = NULL;
    struct hearth_error err = {0};
    int rc = hearth_golden_parse(hearth_slice_of_string(json), task, &golden, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    return golden;
}

struct refusal {
    const char *json;
    enum hearth_task task;
    int code;
    const char *part;
};
static const struct refusal refusals[] = {
    {"", HEARTH_TASK_EMBED, HEARTH_E_MODEL_INVALID, "not JSON at byte"},
    {"{}", HEARTH_TASK_EMBED, HEARTH_E_MODEL_INVALID, "\"inputs\" must be an array of 1 to 32"},
    {"{\"inputs\":[]}", HEARTH_TASK_EMBED, HEARTH_E_MODEL_INVALID, "array of 1 to 32"},
    {"{\"inputs\":[{}]}", HEARTH_TASK_EMBED, HEARTH_E_MODEL_INVALID,
     "inputs[0]: \"text\" must be there"},
    {"{\"inputs\":[{\"text\":\"a\"},{\"text\":\"\"}]}", HEARTH_TASK_EMBED, HEARTH_E_MODEL_INVALID,
     "inputs[1]: \"text\" must be a string of 1 to 8192"},
    {"{\"inputs\":[{\"text\":\"a\\u0000\"}]}", HEARTH_TASK_EMBED, HEARTH_E_MODEL_INVALID,
     "\"text\""},
    {"{\"inputs\":[{\"text\":\"a\",\"vector\":[1,\"x\"]}]}", HEARTH_TASK_EMBED,
     HEARTH_E_MODEL_INVALID, "\"vector\" must be an array of finite numbers"},
    {"{\"inputs\":[{\"text\":\"a\",\"vector\":[1e31]}]}", HEARTH_TASK_EMBED, HEARTH_E_MODEL_INVALID,
     "finite"},
    {"{\"inputs\":[{\"text\":\"a\",\"scores\":{}}]}", HEARTH_TASK_CLASSIFY, HEARTH_E_MODEL_INVALID,
     "\"scores\" must be an object of 1 to 1024"},
    {"{\"inputs\":[{\"text\":\"a\",\"scores\":{\"\":1}}]}", HEARTH_TASK_CLASSIFY,
     HEARTH_E_MODEL_INVALID, "labels and finite numbers"},
    {"{\"inputs\":[{\"text\":\"a\",\"tolerance\":1.5}]}", HEARTH_TASK_CLASSIFY,
     HEARTH_E_MODEL_INVALID, "\"tolerance\" must be a number from 0 to 1"},
    {"{\"tolerance\":\"x\",\"inputs\":[{\"text\":\"a\"}]}", HEARTH_TASK_CLASSIFY,
     HEARTH_E_MODEL_INVALID, "tolerance"},
    {"{\"inputs\":[{\"text\":\"a\",\"max_tokens\":257}]}", HEARTH_TASK_GENERATE,
     HEARTH_E_MODEL_INVALID, "\"max_tokens\" must be a whole number from 1 to 256"},
    {"{\"inputs\":[{\"text\":\"a\"}]}", HEARTH_TASK_RERANK, HEARTH_E_MODEL_INVALID,
     "\"query\" must be there for a reranker"},
    {"{\"inputs\":[{\"text\":\"a\",\"query\":\"q\"}]}", HEARTH_TASK_EMBED, HEARTH_E_MODEL_INVALID,
     "\"query\" must be there for a reranker, and for nothing else"},
    {"{\"inputs\":[{\"text\":\"a\",\"pair\":\"q\"}]}", HEARTH_TASK_EMBED, HEARTH_E_MODEL_INVALID,
     "only classifiers take pairs"},
    {"{\"inputs\":[{\"text\":\"a\"}]}", HEARTH_TASK_TENSORS, HEARTH_E_UNSUPPORTED,
     "a model of task tensors has none"},
};

static void each_mistake_is_named_with_its_input(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(refusals); i++) {
        struct hearth_golden *golden = NULL;
        struct hearth_error err = {0};
        assert_int_equal(hearth_golden_parse(hearth_slice_of_string(refusals[i].json),
                                             refusals[i].task, &golden, &err),
                         refusals[i].code);
        KIT_ASSERT_ERROR(err, refusals[i].code, refusals[i].part);
        assert_null(golden);
    }
}

static void a_file_over_the_limit_is_not_parsed(void **state)
{
    (void)state;
    struct hearth_golden *golden = NULL;
    struct hearth_error err = {0};
    size_t size = HEARTH_MAX_GOLDEN_BYTES + 1;
    char *text = hearth_alloc(size, 1);
    memset(text, ' ', size);
    assert_int_equal(
        hearth_golden_parse(hearth_slice_of(text, size), HEARTH_TASK_EMBED, &golden, &err),
        HEARTH_E_TOO_LARGE);
    hearth_free(text);
}

static int compare(const struct hearth_golden *golden, const struct hearth_wire_result *result,
                   struct hearth_error *err)
{
    *err = (struct hearth_error){0};
    return hearth_golden_compare(golden, 0, result, err);
}

static void scores_may_differ_by_the_tolerance(void **state)
{
    (void)state;
    struct hearth_error err;
    struct hearth_golden *golden = parsed("{\"tolerance\":0.25,\"inputs\":[{\"text\":\"a\","
                                          "\"label\":\"x\",\"scores\":{\"x\":0.5,\"y\":0.25}}]}",
                                          HEARTH_TASK_CLASSIFY);
    struct hearth_wire_label labels[] = {{.name = hearth_slice_of_string("x"), .score = 0.75f},
                                         {.name = hearth_slice_of_string("y"), .score = 0.0f}};
    struct hearth_wire_result result = {.labels = {.count = 2, .items = labels}};
    assert_int_equal(compare(golden, &result, &err), 0); /* both at the very edge */
    labels[0].score = 0.8125f;
    assert_int_equal(compare(golden, &result, &err), HEARTH_E_MODEL_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_MODEL_INVALID,
                     "golden input 0: x is 0.8125, wanted 0.5 within 0.25");
    labels[0].score = NAN;
    assert_int_equal(compare(golden, &result, &err), HEARTH_E_MODEL_INVALID);
    labels[0].score = 0.5f;
    labels[1].name = hearth_slice_of_string("z");
    assert_int_equal(compare(golden, &result, &err), HEARTH_E_MODEL_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_MODEL_INVALID, "the model has no label \"y\"");
    labels[0].name = hearth_slice_of_string("y");
    assert_int_equal(compare(golden, &result, &err), HEARTH_E_MODEL_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_MODEL_INVALID, "the best label is \"y\", wanted \"x\"");
    hearth_golden_destroy(golden);
}

static void vectors_are_compared_by_their_cosine(void **state)
{
    (void)state;
    struct hearth_error err;
    struct hearth_golden *golden = parsed(
        "{\"tolerance\":0.5,\"inputs\":[{\"text\":\"a\",\"vector\":[2,0]}]}", HEARTH_TASK_EMBED);
    float vector[] = {5.0f, 0.0f};
    struct hearth_wire_result result = {.vector = {vector, 2}};
    assert_int_equal(compare(golden, &result, &err), 0);
    vector[0] = 3.0f;
    vector[1] = 4.0f; /* a cosine of 0.6 */
    assert_int_equal(compare(golden, &result, &err), 0);
    vector[0] = 4.0f;
    vector[1] = 8.0f; /* of 0.447 */
    assert_int_equal(compare(golden, &result, &err), HEARTH_E_MODEL_INVALID);
    vector[0] = vector[1] = 0.0f; /* of none */
    assert_int_equal(compare(golden, &result, &err), HEARTH_E_MODEL_INVALID);
    result.vector.count = 1;
    assert_int_equal(compare(golden, &result, &err), HEARTH_E_MODEL_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_MODEL_INVALID, "1 dimensions, wanted 2");
    hearth_golden_destroy(golden);
}

static void texts_must_be_the_same_and_are_never_told(void **state)
{
    (void)state;
    struct hearth_error err;
    struct hearth_golden *golden =
        parsed("{\"inputs\":[{\"text\":\"a\",\"answer\":\"secret\"}]}", HEARTH_TASK_GENERATE);
    struct hearth_wire_result result = {.text = hearth_slice_of_string("secret")};
    assert_int_equal(golden->inputs[0].max_tokens, 32);
    assert_int_equal(compare(golden, &result, &err), 0);
    result.text = hearth_slice_of_string("secretly");
    assert_int_equal(compare(golden, &result, &err), HEARTH_E_MODEL_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_MODEL_INVALID, "another text of 8 bytes, wanted one of 6");
    assert_null(strstr(err.text, "secret"));
    hearth_golden_destroy(golden);
}

static void what_one_answers_is_what_the_other_must_answer(void **state)
{
    (void)state;
    struct hearth_error err = {0};
    struct hearth_golden *golden =
        parsed("{\"inputs\":[{\"query\":\"q\",\"text\":\"a\"}]}", HEARTH_TASK_RERANK);
    struct hearth_wire_result result = {.score = -3.5f};
    assert_true(hearth_golden_has_gaps(golden));
    assert_int_equal(hearth_golden_keep(golden, 0, &result, &err), 0);
    assert_false(hearth_golden_has_gaps(golden));
    assert_int_equal(compare(golden, &result, &err), 0);
    result.score = -3.25f;
    assert_int_equal(compare(golden, &result, &err), HEARTH_E_MODEL_INVALID);
    hearth_golden_destroy(golden);
}

static void an_answer_without_anything_cannot_be_kept(void **state)
{
    (void)state;
    struct hearth_error err = {0};
    struct hearth_golden *golden = parsed("{\"inputs\":[{\"text\":\"a\"}]}", HEARTH_TASK_CLASSIFY);
    const struct hearth_wire_result nothing = {0};
    assert_int_equal(hearth_golden_keep(golden, 0, &nothing, &err), HEARTH_E_MODEL_INVALID);
    hearth_golden_destroy(golden);
}

KIT_MAIN(cmocka_unit_test(each_mistake_is_named_with_its_input),
         cmocka_unit_test(a_file_over_the_limit_is_not_parsed),
         cmocka_unit_test(scores_may_differ_by_the_tolerance),
         cmocka_unit_test(vectors_are_compared_by_their_cosine),
         cmocka_unit_test(texts_must_be_the_same_and_are_never_told),
         cmocka_unit_test(what_one_answers_is_what_the_other_must_answer),
         cmocka_unit_test(an_answer_without_anything_cannot_be_kept))
