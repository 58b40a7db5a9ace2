#include "scripted_server.h"

#include <hearth/hearth.h>

#include <pthread.h>

static hearth_client *connected(void **state)
{
    struct scripted_server *server = *state;
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = server->path;
    params.program = "test";
    hearth_client *client = NULL;
    hearth_error err = {0};
    hearth_connect(&params, &client, &err);
    assert_string_equal(err.text, "");
    assert_non_null(client);
    return client;
}

static hearth_request_params asking(const char *model)
{
    hearth_request_params params = hearth_request_params_default();
    params.model = model;
    params.timeout_ms = 10000;
    return params;
}

static int generate(hearth_client *client, const char *prompt, hearth_result **ret,
                    hearth_error *err)
{
    hearth_request_params params = asking("mirror");
    return hearth_generate(client, prompt, &params, ret, err);
}

/* ── Answers ─────────────────────────────────────────────────────────────────────────────────── */

static void classify_answers_each_text(void **state)
{
    hearth_client *client = connected(state);
    assert_string_equal(hearth_client_server(client), "scripted 1");
    const char *texts[] = {"ab", "abc", "ä"};
    hearth_request_params params = asking("parity");
    hearth_result *result;
    hearth_error err;
    assert_int_equal(hearth_classify(client, texts, 3, &params, &result, &err), 0);
    static const char *const labels[] = {"even", "odd", "even"};
    assert_int_equal(hearth_result_count(result), 3);
    for (size_t i = 0; i < 3; i++) {
        const hearth_item *item = hearth_result_item(result, i);
        assert_int_equal(item->index, i);
        assert_int_equal(item->label_count, 2);
        assert_string_equal(item->labels[0].name, labels[i]);
        assert_true(item->labels[0].probability == 0.75f);
    }
    assert_null(hearth_result_item(result, 3));
    assert_int_equal(hearth_result_usage(result)->prompt_tokens, 11);
    hearth_result_free(result);
    hearth_disconnect(client);
}

struct seen {
    uint32_t indexes[32];
    size_t count;
    char text[64];
    size_t stop_after;
    hearth_client *client;
};

static int see(const hearth_item *item, void *arg)
{
    struct seen *seen = arg;
    seen->indexes[seen->count++] = item->index;
    strncat(seen->text, item->text, sizeof seen->text - strlen(seen->text) - 1);
    return seen->count == seen->stop_after;
}

static void a_streamed_batch_comes_as_it_finishes_and_is_kept_in_order(void **state)
{
    hearth_client *client = connected(state);
    const char *texts[] = {"a", "bb", "ccc"};
    struct seen seen = {0};
    hearth_request_params params = asking("lengths");
    params.on_item = see;
    params.arg = &seen;
    hearth_result *result;
    assert_int_equal(hearth_embed(client, texts, 3, &params, &result, NULL), 0);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.indexes[0], 2);
    assert_int_equal(seen.indexes[2], 0);
    for (size_t i = 0; i < 3; i++) {
        const hearth_item *item = hearth_result_item(result, i);
        assert_int_equal(item->dimensions, 3);
        assert_true(item->vector[0] == (float)(i + 1) && item->vector[1] == (float)i);
    }
    hearth_result_free(result);
    hearth_disconnect(client);
}

static void streamed_pieces_join_to_the_text(void **state)
{
    hearth_client *client = connected(state);
    struct seen seen = {0};
    hearth_request_params params = asking("mirror");
    params.on_item = see;
    params.arg = &seen;
    hearth_result *result;
    assert_int_equal(hearth_generate(client, "hello", &params, &result, NULL), 0);
    assert_int_equal(seen.count, 5);
    assert_string_equal(seen.text, "olleh");
    assert_string_equal(hearth_result_item(result, 0)->text, "olleh");
    assert_int_equal(hearth_result_item(result, 0)->text_bytes, 5);
    assert_int_equal(hearth_result_item(result, 0)->tokens, 5);
    assert_int_equal(hearth_result_usage(result)->finish_reason, HEARTH_FINISH_STOP);
    hearth_result_free(result);
    hearth_disconnect(client);
}

static void a_chat_is_answered_whole(void **state)
{
    hearth_client *client = connected(state);
    const hearth_chat_message messages[] = {{HEARTH_ROLE_SYSTEM, "be brief"},
                                            {HEARTH_ROLE_USER, "abc"}};
    hearth_request_params params = asking("mirror");
    hearth_result *result;
    assert_int_equal(hearth_chat(client, messages, 2, &params, &result, NULL), 0);
    assert_string_equal(hearth_result_item(result, 0)->text, "cba");
    hearth_result_free(result);
    assert_int_equal(hearth_chat(client, messages, 2, &params, NULL, NULL), 0);
    hearth_disconnect(client);
}

/* ── Cancel ──────────────────────────────────────────────────────────────────────────────────── */

static void a_callback_that_says_stop_cancels(void **state)
{
    hearth_client *client = connected(state);
    struct seen seen = {.stop_after = 1};
    hearth_request_params params = asking("mirror");
    params.on_item = see;
    params.arg = &seen;
    hearth_error err;
    assert_int_equal(hearth_generate(client, "slow", &params, NULL, &err), HEARTH_E_CANCELLED);
    assert_string_equal(err.text, "cancelled by the client");
    assert_int_equal(seen.count, 1);
    hearth_result *result;
    assert_int_equal(generate(client, "ok", &result, &err), 0);
    assert_string_equal(hearth_result_item(result, 0)->text, "ko");
    hearth_result_free(result);
    hearth_disconnect(client);
}

static int cancel_from_another(const hearth_item *item, void *arg);

static void *cancel_it(void *arg)
{
    hearth_error err;
    assert_int_equal(hearth_cancel(arg, &err), 0);
    return NULL;
}

static int cancel_from_another(const hearth_item *item, void *arg)
{
    (void)item;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_it, arg), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return 0;
}

static void another_thread_cancels(void **state)
{
    hearth_client *client = connected(state);
    hearth_request_params params = asking("mirror");
    params.on_item = cancel_from_another;
    params.arg = client;
    assert_int_equal(hearth_generate(client, "slow", &params, NULL, NULL), HEARTH_E_CANCELLED);
    hearth_error err;
    assert_int_equal(hearth_cancel(client, &err), HEARTH_E_NO_REQUEST);
    hearth_disconnect(client);
}

static void cancel_what_waits(uint64_t request, hearth_result *result, const hearth_error *err,
                              void *arg)
{
    (void)request;
    (void)err;
    hearth_result_free(result);
    int rc = hearth_cancel(arg, NULL); /* the first has found it, or a later one */
    assert_true(rc == 0 || rc == HEARTH_E_NO_REQUEST);
}

/* The daemon is stopped until more waits than fits, so the call begins with waiting for room. */
static void a_call_that_waits_for_room_is_cancelled_too(void **state)
{
    struct scripted_server *server = *state;
    hearth_client *client = connected(state);
    static char large[HEARTH_MAX_TEXT_BYTES + 1];
    memset(large, 'x', sizeof large - 1);
    hearth_request_params params = asking("parity");
    hearth_input inputs[HEARTH_MAX_BATCH];
    for (size_t i = 0; i < HEARTH_COUNT(inputs); i++) {
        inputs[i] = (hearth_input){.text = large};
    }
    params.on_done = cancel_what_waits;
    params.arg = client;
    assert_int_equal(kill(server->pid, SIGSTOP), 0);
    while (hearth_submit(client, HEARTH_TASK_CLASSIFY, inputs, 1, &params, NULL, NULL) == 0) {
    }
    assert_int_equal(kill(server->pid, SIGCONT), 0);
    hearth_error err;
    hearth_infer(client, HEARTH_TASK_CLASSIFY, inputs, HEARTH_COUNT(inputs), &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_CANCELLED, "cancelled before it was sent");
    assert_int_equal(hearth_wait(client, 20000, NULL), 0);
    hearth_result *result;
    assert_int_equal(generate(client, "ok", &result, &err), 0); /* the wish was for that call */
    hearth_result_free(result);
    hearth_disconnect(client);
}

/* ── What goes wrong ─────────────────────────────────────────────────────────────────────────── */

static void no_daemon_is_said_so(void **state)
{
    (void)state;
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = "/tmp/hearth-there-is-none/sock";
    hearth_client *client = NULL;
    hearth_error err;
    assert_int_equal(hearth_connect(&params, &client, &err), HEARTH_E_NO_DAEMON);
    assert_non_null(strstr(err.text, "/tmp/hearth-there-is-none/sock"));
    assert_non_null(strstr(hearth_error_remedy(err.code), "hearthd"));
    assert_null(client);
}

static void refusals_of_the_handshake_keep_their_code(void **state)
{
    struct scripted_server *server = *state;
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = server->path;
    hearth_client *client = NULL;
    hearth_error err;
    params.program = "newer";
    assert_int_equal(hearth_connect(&params, &client, &err), HEARTH_E_VERSION);
    params.program = "crowd";
    assert_int_equal(hearth_connect(&params, &client, &err), HEARTH_E_TOO_MANY_CONNECTIONS);
    assert_string_equal(err.text, "64 connections are open");
    assert_null(client);
}

static void a_daemon_that_breaks_the_protocol_is_left(void **state)
{
    static const struct {
        const char *prompt;
        const char *text;
    } cases[] = {{"die", "the daemon closed the connection"},
                 {"junk", "wrong message"},
                 {"index", "answered input 7 out of turn"}};
    for (size_t i = 0; i < HEARTH_COUNT(cases); i++) {
        hearth_client *client = connected(state);
        hearth_result *result = NULL;
        hearth_error err;
        generate(client, cases[i].prompt, &result, &err);
        KIT_ASSERT_ERROR(err, HEARTH_E_DISCONNECTED, cases[i].text);
        assert_null(result);
        assert_int_equal(generate(client, "ok", &result, &err), HEARTH_E_DISCONNECTED);
        hearth_model_list *list;
        assert_int_equal(hearth_models(client, &list, &err), HEARTH_E_DISCONNECTED);
        hearth_disconnect(client);
    }
}

static void an_input_left_out_is_noticed(void **state)
{
    hearth_client *client = connected(state);
    const char *texts[] = {"none", "b"};
    hearth_request_params params = asking("lengths");
    hearth_error err;
    hearth_embed(client, texts, 2, &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_DISCONNECTED, "left inputs without an answer");
    hearth_disconnect(client);
}

static void a_typed_error_leaves_the_connection_usable(void **state)
{
    hearth_client *client = connected(state);
    hearth_result *result;
    hearth_error err;
    generate(client, "fail", &result, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_ENGINE_FAILED, "the engine gave up");
    assert_int_equal(generate(client, "ok", &result, &err), 0);
    hearth_result_free(result);
    hearth_disconnect(client);
}

static void a_silent_daemon_does_not_hold_the_caller(void **state)
{
    hearth_client *client = connected(state);
    hearth_request_params params = asking("mirror");
    params.timeout_ms = 50;
    hearth_error err;
    uint64_t start_ns = hearth_clock_ns();
    assert_int_equal(hearth_generate(client, "silent", &params, NULL, &err), HEARTH_E_EXPIRED);
    assert_true(hearth_clock_ns() - start_ns >= 50 * HEARTH_NS_PER_MS);
    hearth_result *result;
    assert_int_equal(generate(client, "ok", &result, &err), 0); /* the late terminal is skipped */
    assert_string_equal(hearth_result_item(result, 0)->text, "ko");
    hearth_result_free(result);
    hearth_disconnect(client);
}

static void inputs_over_the_limits_do_not_leave_the_process(void **state)
{
    hearth_client *client = connected(state);
    static char large[HEARTH_MAX_TEXT_BYTES + 2];
    memset(large, 'x', sizeof large - 1);
    const char *texts[33];
    for (size_t i = 0; i < 33; i++) {
        texts[i] = "x";
    }
    hearth_request_params params = asking("parity");
    hearth_error err;
    hearth_classify(client, texts, 33, &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE, "texts: 33 given, 1 to 32 wanted");
    hearth_classify(client, texts, 0, &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "texts: 0 given");
    texts[3] = large;
    hearth_classify(client, texts, 4, &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE, "texts[3].text: 65537 bytes, the limit is 65536");
    texts[3] = "\xff";
    hearth_classify(client, texts, 4, &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "texts[3].text: not valid UTF-8 at byte 0");
    params.temperature = 3;
    hearth_generate(client, "x", &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "temperature: 3, wanted 0 <= temperature <= 2");
    hearth_disconnect(client);
}

/* ── Parameters ──────────────────────────────────────────────────────────────────────────────── */

static void params_of_other_releases_are_understood_or_refused(void **state)
{
    hearth_client *client = connected(state);
    hearth_error err;
    hearth_request_params params = asking("mirror");
    params.size = offsetof(hearth_request_params, max_tokens); /* an older caller */
    params.temperature = 99;                                   /* which it has never heard of */
    assert_int_equal(hearth_generate(client, "ok", &params, NULL, &err), 0);
    params.size = 0;
    hearth_generate(client, "ok", &params, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "start from hearth_request_params_default()");
    struct {
        hearth_request_params known;
        uint64_t unknown;
    } newer = {asking("mirror"), 0};
    newer.known.size = sizeof newer;
    assert_int_equal(hearth_generate(client, "ok", &newer.known, NULL, &err), 0);
    newer.unknown = 1;
    hearth_generate(client, "ok", &newer.known, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "fields of a newer libhearth");
    hearth_generate(client, "ok", NULL, NULL, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "params: is NULL");
    hearth_disconnect(client);
}

static void the_socket_is_found_by_one_rule(void **state)
{
    (void)state;
    char path[108];
    setenv("HEARTH_SOCKET", "/a/b", 1);
    assert_int_equal(hearth_default_socket(path, sizeof path, NULL), 0);
    assert_string_equal(path, "/a/b");
    unsetenv("HEARTH_SOCKET");
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    assert_int_equal(hearth_default_socket(path, sizeof path, NULL), 0);
    assert_string_equal(path, "/run/user/7/hearth/hearthd.sock");
    unsetenv("XDG_RUNTIME_DIR");
    assert_int_equal(hearth_default_socket(path, sizeof path, NULL), 0);
    char wanted[64] = "/run/hearth/hearthd.sock";
    if (geteuid() != 0) {
        snprintf(wanted, sizeof wanted, "/tmp/hearth-%u/hearthd.sock", (unsigned)geteuid());
    }
    assert_string_equal(path, wanted);
    assert_int_equal(hearth_default_socket(path, 5, NULL), HEARTH_E_ARGUMENT);
}

/* ── Control ─────────────────────────────────────────────────────────────────────────────────── */

static void models_are_listed_loaded_and_unloaded(void **state)
{
    hearth_client *client = connected(state);
    hearth_model_list *list;
    hearth_error err;
    assert_int_equal(hearth_models(client, &list, &err), 0);
    assert_int_equal(hearth_model_list_count(list), 4);
    const hearth_model *model = hearth_model_list_at(list, 0);
    assert_string_equal(model->name, "parity");
    assert_int_equal(model->label_count, 2);
    assert_string_equal(model->labels[1], "odd");
    assert_int_equal(hearth_model_list_at(list, 3)->state, HEARTH_MODEL_ABSENT);
    assert_null(hearth_model_list_at(list, 4));
    hearth_model_list_free(list);
    uint32_t pid = 0;
    assert_int_equal(hearth_load(client, "shelf", 5000, &pid, &err), 0);
    assert_int_equal(pid, 1003);
    hearth_load(client, "nothing", 5000, &pid, &err);
    KIT_ASSERT_ERROR(err, HEARTH_E_NO_MODEL, "no model of that name in the roots");
    assert_int_equal(hearth_unload(client, "shelf", 5000, &err), 0);
    assert_int_equal(hearth_unload(client, "", 5000, &err), HEARTH_E_ARGUMENT);
    hearth_disconnect(client);
}

static void health_tells_what_was_asked(void **state)
{
    hearth_client *client = connected(state);
    const hearth_health_report *report;
    assert_int_equal(hearth_health(client, HEARTH_CHECK_READINESS, &report, NULL), 0);
    assert_int_equal(report->ok, 0);
    assert_int_equal(hearth_health(client, HEARTH_CHECK_FULL, &report, NULL), 0);
    assert_int_equal(report->ok, 1);
    assert_int_equal(report->pid, 99);
    assert_string_equal(report->version, "1");
    hearth_disconnect(client);
}

/* ── Failing allocations ─────────────────────────────────────────────────────────────────────── */

static int story(struct scripted_server *server, hearth_error *err)
{
    hearth_connect_params connect = hearth_connect_params_default();
    connect.socket_path = server->path;
    hearth_request_params params = asking("parity");
    const char *texts[] = {"a", "bb"};
    hearth_client *client = NULL;
    hearth_result *result = NULL;
    hearth_model_list *list = NULL;
    int rc = hearth_connect(&connect, &client, err);
    rc = rc < 0 ? rc : hearth_classify(client, texts, 2, &params, &result, err);
    rc = rc < 0 ? rc : hearth_models(client, &list, err);
    hearth_result_free(result);
    result = NULL;
    rc = rc < 0 ? rc : hearth_generate(client, "hello", &params, &result, err);
    hearth_result_free(result);
    hearth_model_list_free(list);
    hearth_disconnect(client);
    return rc;
}

static void any_failed_allocation_is_an_error_and_nothing_leaks(void **state)
{
    KIT_FOR_EACH_FAILURE(n) {
        hearth_error err = {0};
        int rc = story(*state, &err);
        if (hearth_alloc_has_failed()) {
            assert_int_equal(rc, HEARTH_E_NO_MEMORY);
        } else {
            assert_string_equal(err.text, "");
            assert_int_equal(rc, 0);
        }
    }
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, scripted_start, scripted_stop)

KIT_MAIN(WITH_SERVER(classify_answers_each_text),
         WITH_SERVER(a_streamed_batch_comes_as_it_finishes_and_is_kept_in_order),
         WITH_SERVER(streamed_pieces_join_to_the_text), WITH_SERVER(a_chat_is_answered_whole),
         WITH_SERVER(a_callback_that_says_stop_cancels), WITH_SERVER(another_thread_cancels),
         WITH_SERVER(a_call_that_waits_for_room_is_cancelled_too),
         cmocka_unit_test(no_daemon_is_said_so),
         WITH_SERVER(refusals_of_the_handshake_keep_their_code),
         WITH_SERVER(a_daemon_that_breaks_the_protocol_is_left),
         WITH_SERVER(an_input_left_out_is_noticed),
         WITH_SERVER(a_typed_error_leaves_the_connection_usable),
         WITH_SERVER(a_silent_daemon_does_not_hold_the_caller),
         WITH_SERVER(inputs_over_the_limits_do_not_leave_the_process),
         WITH_SERVER(params_of_other_releases_are_understood_or_refused),
         cmocka_unit_test(the_socket_is_found_by_one_rule),
         WITH_SERVER(models_are_listed_loaded_and_unloaded),
         WITH_SERVER(health_tells_what_was_asked),
         WITH_SERVER(any_failed_allocation_is_an_error_and_nothing_leaks))
