/* test_plan.c — options are read strictly. */

#include "kit.h"

#include "hearth_engine.h"

#include <stdio.h>

static struct hearth_engine_plan plan_with(const char *key, const char *value)
{
    struct hearth_engine_plan plan = {.option_count = 1};
    snprintf(plan.model_id, sizeof plan.model_id, "m");
    snprintf(plan.options[0].key, sizeof plan.options[0].key, "%s", key);
    snprintf(plan.options[0].value, sizeof plan.options[0].value, "%s", value);
    return plan;
}

static void a_number_in_range_is_read(void **state)
{
    (void)state;
    uint64_t number = 1;
    struct hearth_engine_plan plan = plan_with("n", "18446744073709551615");
    assert_int_equal(hearth_plan_number(&plan, "n", 0, UINT64_MAX, &number, NULL), 0);
    assert_true(number == UINT64_MAX);
}

static void an_absent_key_keeps_the_default(void **state)
{
    (void)state;
    uint64_t number = 7;
    bool truth = true;
    struct hearth_engine_plan plan = plan_with("n", "3");
    assert_int_equal(hearth_plan_number(&plan, "other", 0, 9, &number, NULL), 0);
    assert_int_equal(hearth_plan_bool(&plan, "other", &truth, NULL), 0);
    assert_int_equal(number, 7);
    assert_true(truth);
    assert_null(hearth_plan_string(&plan, "other"));
}

static void an_option_that_no_engine_knows_is_refused_by_name(void **state)
{
    (void)state;
    static const struct hearth_engine_option known[] = {
        {"capacity", HEARTH_EVERY_TASK}, {"fail", HEARTH_EVERY_TASK}, {NULL, 0}};
    struct hearth_error err = {0};
    struct hearth_engine_plan plan = plan_with("fail", "load");
    assert_int_equal(hearth_plan_check_options(&plan, known, &err), 0);
    plan = plan_with("capasity", "3");
    assert_int_equal(hearth_plan_check_options(&plan, known, &err), HEARTH_E_CONFIG);
    KIT_ASSERT_ERROR(err, HEARTH_E_CONFIG, "no option capasity; known are capacity, fail");
}

static void an_option_of_another_task_is_refused_with_what_would_be_right(void **state)
{
    (void)state;
    static const struct hearth_engine_option known[] = {
        {"pooling", 1u << HEARTH_TASK_EMBED},
        {"threshold", 1u << HEARTH_TASK_CLASSIFY | 1u << HEARTH_TASK_RERANK},
        {"wide", HEARTH_EVERY_TASK},
        {NULL, 0}};
    const struct {
        const char *key;
        enum hearth_task task;
        const char *wrong; /* NULL: it is right */
    } rows[] = {
        {"pooling", HEARTH_TASK_EMBED, NULL},
        {"pooling", HEARTH_TASK_CLASSIFY,
         "option pooling has no meaning for the task classify of model \"m\"; known are threshold, "
         "wide"},
        {"threshold", HEARTH_TASK_RERANK, NULL},
        {"threshold", HEARTH_TASK_EMBED,
         "option threshold has no meaning for the task embed of model \"m\"; known are pooling, "
         "wide"},
        {"threshold", HEARTH_TASK_TENSORS, "known are wide"},
        {"wide", HEARTH_TASK_TENSORS, NULL},
        {"tall", HEARTH_TASK_EMBED, "model \"m\" has no option tall; known are pooling, wide"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        struct hearth_error err = {0};
        struct hearth_engine_plan plan = plan_with(rows[i].key, "1");
        plan.task = rows[i].task;
        int rc = hearth_plan_check_options(&plan, known, &err);
        assert_int_equal(rc, rows[i].wrong == NULL ? 0 : HEARTH_E_CONFIG);
        if (rows[i].wrong != NULL) {
            KIT_ASSERT_ERROR(err, HEARTH_E_CONFIG, rows[i].wrong);
        }
    }
    struct hearth_error err = {0};
    struct hearth_engine_plan plan = plan_with("pooling", "1");
    plan.task = HEARTH_TASK_TENSORS;
    assert_int_equal(hearth_plan_check_options(&plan, known + 3, &err), HEARTH_E_CONFIG);
    KIT_ASSERT_ERROR(err, HEARTH_E_CONFIG, "known are none");
}

static void what_is_not_a_whole_number_in_range_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "-1", "+5", " 5", "5 ", "0x5", "5k", "1e3", "4", "101", "18446744073709551616"};
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        struct hearth_error err = {0};
        uint64_t number = 7;
        struct hearth_engine_plan plan = plan_with("n", wrong[i]);
        assert_int_equal(hearth_plan_number(&plan, "n", 5, 100, &number, &err), HEARTH_E_CONFIG);
        assert_int_equal(number, 7);
        KIT_ASSERT_ERROR(err, HEARTH_E_CONFIG, "from 5 to 100");
    }
}

static void a_bool_is_true_or_false_and_nothing_else(void **state)
{
    (void)state;
    bool truth = false;
    struct hearth_error err = {0};
    struct hearth_engine_plan yes = plan_with("b", "true");
    struct hearth_engine_plan odd = plan_with("b", "yes");
    assert_int_equal(hearth_plan_bool(&yes, "b", &truth, &err), 0);
    assert_true(truth);
    assert_int_equal(hearth_plan_bool(&odd, "b", &truth, &err), HEARTH_E_CONFIG);
}

static void a_file_is_found_by_its_role(void **state)
{
    (void)state;
    struct hearth_engine_plan plan = {.file_count = 2};
    plan.files[1].role = HEARTH_FILE_TOKENIZER;
    assert_ptr_equal(hearth_plan_file(&plan, HEARTH_FILE_TOKENIZER), &plan.files[1]);
    assert_null(hearth_plan_file(&plan, HEARTH_FILE_WEIGHTS));
}

KIT_MAIN(cmocka_unit_test(a_number_in_range_is_read),
         cmocka_unit_test(an_absent_key_keeps_the_default),
         cmocka_unit_test(an_option_that_no_engine_knows_is_refused_by_name),
         cmocka_unit_test(an_option_of_another_task_is_refused_with_what_would_be_right),
         cmocka_unit_test(what_is_not_a_whole_number_in_range_is_refused),
         cmocka_unit_test(a_bool_is_true_or_false_and_nothing_else),
         cmocka_unit_test(a_file_is_found_by_its_role))
