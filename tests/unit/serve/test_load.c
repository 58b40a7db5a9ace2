/* test_load.c — the two phases of loading, seen by a broker. */

#include "kit.h"

#include "fake_broker.h"

#include <stdio.h>
#include <string.h>

static const struct fake_model echo = {
    .folder = "", .engine = HEARTH_ENGINE_ECHO, .task = HEARTH_TASK_GENERATE, .threads = 2};

static int set_up(void **state)
{
    struct fake_broker *broker = hearth_alloc(1, sizeof *broker);
    fake_broker_init(broker, HEARTH_TEST_WORKERS, "/tmp");
    *state = broker;
    return 0;
}

static int tear_down(void **state)
{
    fake_broker_finish(*state);
    hearth_free(*state);
    return 0;
}

static void spawn(struct fake_broker *broker, const struct fake_model *model)
{
    struct hearth_error err = {0};
    if (fake_spawn(broker, model, &err) != 0) {
        fail_msg("spawn: %s", err.text);
    }
}

static struct fake_model with_option(const char *key, const char *value)
{
    struct fake_model model = echo;
    model.option_keys[0] = key;
    model.option_values[0] = value;
    model.option_count = 1;
    return model;
}

static void nothing_is_loaded_before_proceed(void **state)
{
    struct fake_broker *broker = *state;
    struct fake_model model = with_option("need_bytes", "12345");
    spawn(broker, &model);
    fake_expect(broker, HEARTH_MSG_worker_hello);
    struct hearth_message need = fake_expect(broker, HEARTH_MSG_worker_need);
    assert_int_equal(need.as.worker_need.compute_bytes, 12345);
    assert_true(fake_is_quiet(broker, 200));

    fake_send_plain(broker, HEARTH_MSG_worker_proceed);
    struct hearth_message ready = fake_expect(broker, HEARTH_MSG_worker_ready);
    assert_int_equal(ready.as.worker_ready.capacity, 4);
    assert_int_equal(ready.as.worker_ready.context_tokens, 4096);
    assert_true(ready.as.worker_ready.memory_bytes > 0);
}

static void expect_failure(struct fake_broker *broker, int code, const char *part)
{
    char text[HEARTH_MAX_ERROR_BYTES + 1];
    struct hearth_message failed = fake_expect(broker, HEARTH_MSG_worker_failed);
    assert_int_equal(failed.as.worker_failed.code, -code);
    assert_true(hearth_slice_to_string(failed.as.worker_failed.error, text, sizeof text));
    assert_non_null(strstr(text, part));
    struct hearth_wire_spawn_exit end = fake_await_exit(broker);
    assert_int_equal(end.exit_code, 1);
    assert_int_equal(end.signal, 0);
}

static void a_model_that_fails_inspection_is_told_before_need(void **state)
{
    struct fake_model model = with_option("fail", "inspect");
    spawn(*state, &model);
    fake_expect(*state, HEARTH_MSG_worker_hello);
    expect_failure(*state, HEARTH_E_MODEL_INVALID, "inspect");
}

static void a_model_that_fails_to_load_is_told(void **state)
{
    struct fake_model model = with_option("fail", "load");
    spawn(*state, &model);
    fake_expect(*state, HEARTH_MSG_worker_hello);
    fake_expect(*state, HEARTH_MSG_worker_need);
    fake_send_plain(*state, HEARTH_MSG_worker_proceed);
    expect_failure(*state, HEARTH_E_MODEL_INVALID, "load");
}

static void a_crash_while_loading_is_an_exit_by_signal(void **state)
{
    struct fake_model model = with_option("fail", "crash");
    spawn(*state, &model);
    fake_expect(*state, HEARTH_MSG_worker_hello);
    fake_expect(*state, HEARTH_MSG_worker_need);
    fake_send_plain(*state, HEARTH_MSG_worker_proceed);
    assert_int_equal(fake_await_exit(*state).signal, 6);
}

static void a_bad_option_names_key_value_and_range(void **state)
{
    struct fake_model model = with_option("capacity", "65");
    spawn(*state, &model);
    fake_expect(*state, HEARTH_MSG_worker_hello);
    fake_expect(*state, HEARTH_MSG_worker_need);
    fake_send_plain(*state, HEARTH_MSG_worker_proceed);
    expect_failure(*state, HEARTH_E_CONFIG, "capacity = \"65\"");
}

static void stop_before_proceed_ends_the_worker(void **state)
{
    spawn(*state, &echo);
    fake_expect(*state, HEARTH_MSG_worker_hello);
    fake_expect(*state, HEARTH_MSG_worker_need);
    fake_send_plain(*state, HEARTH_MSG_worker_stop);
    expect_failure(*state, HEARTH_E_SHUTTING_DOWN, "stop");
}

KIT_MAIN(cmocka_unit_test_setup_teardown(nothing_is_loaded_before_proceed, set_up, tear_down),
         cmocka_unit_test_setup_teardown(a_model_that_fails_inspection_is_told_before_need, set_up,
                                         tear_down),
         cmocka_unit_test_setup_teardown(a_model_that_fails_to_load_is_told, set_up, tear_down),
         cmocka_unit_test_setup_teardown(a_crash_while_loading_is_an_exit_by_signal, set_up,
                                         tear_down),
         cmocka_unit_test_setup_teardown(a_bad_option_names_key_value_and_range, set_up, tear_down),
         cmocka_unit_test_setup_teardown(stop_before_proceed_ends_the_worker, set_up, tear_down))
