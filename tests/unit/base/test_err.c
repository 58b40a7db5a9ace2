#include "kit.h"

#include <errno.h>

static void numbers_are_frozen(void **state)
{
    (void)state;
    /* Clients compiled years ago know these; a change here is a break of the protocol. */
    assert_int_equal(HEARTH_E_NO_ROOM, -1);
    assert_int_equal(HEARTH_E_NO_MODEL, -2);
    assert_int_equal(HEARTH_E_MALFORMED, -4);
    assert_int_equal(HEARTH_E_WORKER_LOST, -13);
    assert_int_equal(HEARTH_E_UNSUPPORTED, -18);
    assert_int_equal(HEARTH_E_ARGUMENT, -32);
}

#define CODE(NAME, number, name, retryable, v1, http, sentence, remedy) -(number),
static const int codes[] = {HEARTH_ERRORS(CODE)};

static void every_error_has_all_facts_and_its_own_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(codes); i++) {
        assert_true(hearth_error_is_known(codes[i]));
        assert_true(strlen(hearth_error_name(codes[i])) > 0);
        assert_true(strlen(hearth_error_sentence(codes[i])) > 0);
        assert_true(strlen(hearth_error_remedy(codes[i])) > 0);
        assert_true(strlen(hearth_error_v1(codes[i])) > 0);
        assert_in_range(hearth_error_http(codes[i]), 400, 599);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(hearth_error_name(codes[i]), hearth_error_name(codes[j]));
            assert_int_not_equal(codes[i], codes[j]);
        }
    }
}

static void unknown_code_is_described_as_internal(void **state)
{
    (void)state;
    assert_false(hearth_error_is_known(-999));
    assert_string_equal(hearth_error_name(-999), "internal");
    assert_string_equal(hearth_error_name(7), "internal");
}

static void clauses_gather_in_front(void **state)
{
    (void)state;
    struct hearth_error err;
    errno = EACCES;
    int rc = hearth_fail_errno(&err, HEARTH_E_SYSTEM, "open %s", "weights");
    rc = hearth_because(&err, rc, "load \"%s\"", "tiny");
    assert_int_equal(rc, HEARTH_E_SYSTEM);
    assert_int_equal(err.sys_errno, EACCES);
    assert_string_equal(err.text, "load \"tiny\": open weights: Permission denied");
}

static void changed_code_drops_the_errno(void **state)
{
    (void)state;
    struct hearth_error err;
    errno = ENOENT;
    hearth_fail_errno(&err, HEARTH_E_SYSTEM, "open");
    assert_int_equal(hearth_because(&err, HEARTH_E_NO_MODEL, "find"), HEARTH_E_NO_MODEL);
    assert_int_equal(err.code, HEARTH_E_NO_MODEL);
    assert_int_equal(err.sys_errno, 0);
}

static void long_text_is_cut_and_terminated(void **state)
{
    (void)state;
    char text[2 * HEARTH_ERROR_TEXT_BYTES];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    struct hearth_error err;
    hearth_fail(&err, HEARTH_E_INTERNAL, "%s", text);
    assert_int_equal(strlen(err.text), HEARTH_ERROR_TEXT_BYTES - 1);
    hearth_because(&err, HEARTH_E_INTERNAL, "why");
    assert_memory_equal(err.text, "why: xx", 7);
    assert_int_equal(strlen(err.text), HEARTH_ERROR_TEXT_BYTES - 1);
}

static void record_may_be_null(void **state)
{
    (void)state;
    assert_int_equal(hearth_fail(NULL, HEARTH_E_BUSY, "x"), HEARTH_E_BUSY);
    assert_int_equal(hearth_fail_errno(NULL, HEARTH_E_BUSY, "x"), HEARTH_E_BUSY);
    assert_int_equal(hearth_fail_oom(NULL), HEARTH_E_NO_MEMORY);
    assert_int_equal(hearth_because(NULL, HEARTH_E_BUSY, "x"), HEARTH_E_BUSY);
}

KIT_MAIN(cmocka_unit_test(numbers_are_frozen),
         cmocka_unit_test(every_error_has_all_facts_and_its_own_name),
         cmocka_unit_test(unknown_code_is_described_as_internal),
         cmocka_unit_test(clauses_gather_in_front), cmocka_unit_test(changed_code_drops_the_errno),
         cmocka_unit_test(long_text_is_cut_and_terminated), cmocka_unit_test(record_may_be_null))
