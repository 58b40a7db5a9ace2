#include "scripted_server.h"

#include <hearth/hearth.h>

/* What generators are asked: several answers, scores of tokens, tools, grammars, choices. */

static hearth_client *connected(void **state)
{
    struct scripted_server *server = *state;
    hearth_connect_params params = hearth_connect_params_default();
    params.socket_path = server->path;
    hearth_client *client = NULL;
    assert_int_equal(hearth_connect(&params, &client, NULL), 0);
    return client;
}

static hearth_request_params asking(void)
{
    hearth_request_params params = hearth_request_params_default();
    params.model = "generator";
    params.timeout_ms = 10000;
    return params;
}

static const hearth_turn turns[] = {
    {HEARTH_ROLE_USER, "tell", NULL, NULL, NULL},
    {HEARTH_ROLE_ASSISTANT, "tell", "[{\"name\":\"w\"}]", NULL, NULL},
    {HEARTH_ROLE_TOOL, "tell", NULL, "w", "c0"},
};

/* ── What is asked ───────────────────────────────────────────────────────────────────────────── */

static void every_parameter_reaches_the_daemon(void **state)
{
    hearth_client *client = connected(state);
    const hearth_bias biases[] = {{77, -2.5f}, {78, 100}};
    hearth_request_params params = asking();
    params.typical_p = 0.5f;
    params.frequency_penalty = -1.5f;
    params.presence_penalty = 1.25f;
    params.logit_bias = biases;
    params.logit_bias_count = 2;
    params.wants_logprobs = 1;
    params.top_logprobs = 4;
    params.tools = "[]";
    params.tool_choice = HEARTH_TOOLS_REQUIRED;
    params.exact = params.shift = params.no_cache = 1;
    params.cache_domain = UINT64_C(1) << 40;
    hearth_result *result;
    hearth_error err = {0};
    int rc = hearth_infer_turns(client, HEARTH_TASK_CHAT, turns, 3, &params, &result, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_string_equal(hearth_result_item(result, 0)->text,
                        "flags 240 n 0 typical 0.5 frequency -1.5 presence 1.25 biases 2 77=-2.5 "
                        "top 4 grammar 0 '' tools '[]' 2 domain 1099511627776 role 3 'tell' "
                        "calls '' name 'w' id 'c0'");
    hearth_result_free(result);
    hearth_disconnect(client);
}

static void a_grammar_and_what_the_assistant_called_travel(void **state)
{
    hearth_client *client = connected(state);
    hearth_request_params params = asking();
    params.grammar_type = HEARTH_GRAMMAR_GBNF;
    params.grammar = "root ::= \"a\"";
    hearth_result *result;
    assert_int_equal(hearth_infer_turns(client, HEARTH_TASK_CHAT, turns, 2, &params, &result, NULL),
                     0);
    assert_non_null(strstr(hearth_result_item(result, 0)->text, "grammar 2 'root ::= \"a\"'"));
    assert_non_null(strstr(hearth_result_item(result, 0)->text,
                           "role 2 'tell' calls '[{\"name\":\"w\"}]' name '' id ''"));
    hearth_result_free(result);
    hearth_disconnect(client);
}

static void defaults_ask_for_nothing_of_all_this(void **state)
{
    hearth_client *client = connected(state);
    hearth_request_params params = asking();
    hearth_result *result;
    assert_int_equal(hearth_generate(client, "tell", &params, &result, NULL), 0);
    assert_string_equal(hearth_result_item(result, 0)->text,
                        "flags 0 n 0 typical 0 frequency 0 presence 0 biases 0 0=0 top 0 grammar 0 "
                        "'' tools '' 0 domain 0 role 0 '' calls '' name '' id ''");
    hearth_result_free(result);
    hearth_disconnect(client);
}

static void what_no_daemon_takes_is_refused_here(void **state)
{
    hearth_client *client = connected(state);
    const hearth_bias bias = {0, NAN};
    const char *const choices[] = {"a", "a"};
    hearth_error err = {0};
    hearth_request_params params = asking();
    params.answers = 9;
    assert_int_equal(hearth_generate(client, "x", &params, NULL, &err), HEARTH_E_ARGUMENT);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "9 answers");
    params = asking();
    params.logit_bias = &bias;
    params.logit_bias_count = 1025;
    assert_int_equal(hearth_generate(client, "x", &params, NULL, &err), HEARTH_E_ARGUMENT);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "1025 logit_bias");
    params.logit_bias_count = 1;
    assert_int_equal(hearth_generate(client, "x", &params, NULL, &err), HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "logit_bias[0].bias");
    params = asking();
    params.grammar_type = (enum hearth_grammar_type)256; /* as a byte it would be none */
    assert_int_equal(hearth_generate(client, "x", &params, NULL, &err), HEARTH_E_ARGUMENT);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "grammar_type is 256");
    params.grammar_type = HEARTH_GRAMMAR_JSON_SCHEMA;
    assert_int_equal(hearth_generate(client, "x", &params, NULL, &err), HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "grammar: is empty");
    params = asking();
    params.temperature = 2.5f;
    assert_int_equal(hearth_generate(client, "x", &params, NULL, &err), HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "temperature: 2.5");
    params = asking();
    assert_int_equal(hearth_choose(client, "x", choices, 2, &params, NULL, &err),
                     HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "choices[1]");
    assert_int_equal(hearth_choose(client, "x", choices, 1, &params, NULL, &err),
                     HEARTH_E_INPUT_INVALID);
    assert_int_equal(hearth_infer_turns(client, HEARTH_TASK_EMBED, turns, 1, &params, NULL, &err),
                     HEARTH_E_ARGUMENT);
    KIT_ASSERT_ERROR(err, HEARTH_E_ARGUMENT, "task: is embed");
    hearth_disconnect(client);
}

/* ── What comes back ─────────────────────────────────────────────────────────────────────────── */

/* Pieces as they came: "index:text" each. */
struct seen {
    char text[512];
    char calls[256];
    size_t scores;
    hearth_client *client; /* to submit from */
    bool is_done;
};

static int note(const hearth_item *item, void *arg)
{
    struct seen *seen = arg;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - used, "%u:%s|", item->index, item->text);
    for (size_t i = 0; i < item->tool_call_count; i++) {
        const hearth_tool_call *call = &item->tool_calls[i];
        used = strlen(seen->calls);
        snprintf(seen->calls + used, sizeof seen->calls - used, "%u:%s:%s:%s|", call->index,
                 call->id, call->name, call->arguments);
    }
    seen->scores += item->logprob_count;
    return 0;
}

static void check_answers(const hearth_result *result)
{
    static const char *const texts[] = {"a0 b0 c0 ", "a1 b1 c1 ", "a2 b2 c2 "};
    assert_int_equal(hearth_result_count(result), 3);
    for (uint32_t i = 0; i < 3; i++) {
        const hearth_item *item = hearth_result_item(result, i);
        assert_int_equal(item->index, i);
        assert_string_equal(item->text, texts[i]);
        assert_int_equal(item->text_bytes, 9);
        assert_int_equal(item->tokens, 3);
        assert_int_equal(item->finish_reason,
                         i == 1 ? HEARTH_FINISH_MAX_TOKENS : HEARTH_FINISH_STOP);
        assert_int_equal(item->logprob_count, 6);
        for (uint32_t j = 0; j < 6; j++) {
            const hearth_token_score *score = &item->logprobs[j];
            assert_int_equal(score->place, j / 2);
            assert_int_equal(score->is_chosen, j % 2 == 0);
            assert_true(score->logprob == (j % 2 == 0 ? -1.0f : -2.0f));
            assert_int_equal(score->id, j % 2 == 0 ? 5 : 6);
            assert_int_equal(score->text_bytes, j % 2 == 0 ? 2 : 1);
            assert_memory_equal(score->text, j % 2 == 0 ? "\xff\0" : "y", score->text_bytes + 1);
        }
    }
}

static void several_answers_grow_side_by_side(void **state)
{
    hearth_client *client = connected(state);
    struct seen seen = {{0}, {0}, 0, NULL, false};
    hearth_result *result;
    hearth_request_params params = asking();
    params.answers = 3;
    params.wants_logprobs = 1;
    params.on_item = note;
    params.arg = &seen;
    assert_int_equal(hearth_generate(client, "x", &params, &result, NULL), 0);
    assert_string_equal(seen.text, "0:a0 |1:a1 |2:a2 |0:b0 |1:b1 |2:b2 |0:c0 |1:c1 |2:c2 |");
    assert_int_equal(seen.scores, 18);
    check_answers(result);
    hearth_result_free(result);
    hearth_disconnect(client);
}

static void several_answers_come_whole(void **state)
{
    hearth_client *client = connected(state);
    hearth_result *result;
    hearth_request_params params = asking();
    params.answers = 3;
    params.wants_logprobs = 1;
    assert_int_equal(hearth_generate(client, "x", &params, &result, NULL), 0);
    check_answers(result);
    const hearth_usage *usage = hearth_result_usage(result);
    assert_int_equal(usage->prompt_tokens, 11);
    assert_int_equal(usage->cached_tokens, 7);
    assert_int_equal(usage->evicted_tokens, 3);
    assert_int_equal(usage->cache, HEARTH_CACHE_USED);
    assert_string_equal(hearth_cache_name(usage->cache), "used");
    assert_int_equal(usage->drafted_tokens, 9);
    assert_int_equal(usage->accepted_tokens, 8);
    assert_string_equal(usage->fingerprint, "f1");
    assert_int_equal(usage->left_out_tokens, 6);
    hearth_result_free(result);
    hearth_disconnect(client);
}

static void answers_of_nothing_are_empty_texts(void **state)
{
    hearth_client *client = connected(state);
    hearth_result *result;
    hearth_request_params params = asking();
    params.answers = 2;
    assert_int_equal(hearth_generate(client, "empty", &params, &result, NULL), 0);
    assert_int_equal(hearth_result_count(result), 2);
    for (uint32_t i = 0; i < 2; i++) {
        const hearth_item *item = hearth_result_item(result, i);
        assert_string_equal(item->text, "");
        assert_true(item->text_bytes == 0 && item->logprob_count == 0 && item->index == i);
    }
    hearth_result_free(result);
    hearth_disconnect(client);
}

static void check_calls(const hearth_result *result)
{
    const hearth_item *item = hearth_result_item(result, 0);
    assert_string_equal(item->text, "I look. ");
    assert_int_equal(item->finish_reason, HEARTH_FINISH_TOOL_CALLS);
    assert_string_equal(hearth_finish_name(item->finish_reason), "tool_calls");
    assert_int_equal(item->tool_call_count, 2);
    assert_string_equal(item->tool_calls[0].id, "c0");
    assert_string_equal(item->tool_calls[0].name, "weather");
    assert_string_equal(item->tool_calls[0].arguments, "{\"city\":1}");
    assert_int_equal(item->tool_calls[1].index, 1);
    assert_string_equal(item->tool_calls[1].id, "c1");
    assert_string_equal(item->tool_calls[1].name, "time");
    assert_string_equal(item->tool_calls[1].arguments, "{}");
}

static void tool_calls_come_in_parts_and_are_joined(void **state)
{
    hearth_client *client = connected(state);
    const hearth_chat_message message = {HEARTH_ROLE_USER, "calls"};
    struct seen seen = {{0}, {0}, 0, NULL, false};
    hearth_result *result;
    hearth_request_params params = asking();
    assert_int_equal(hearth_chat(client, &message, 1, &params, &result, NULL), 0);
    check_calls(result);
    hearth_result_free(result);
    params.on_item = note;
    params.arg = &seen;
    assert_int_equal(hearth_chat(client, &message, 1, &params, &result, NULL), 0);
    check_calls(result);
    assert_string_equal(seen.text, "0:I look. |0:|0:|0:|"); /* text first, calls after it */
    assert_string_equal(seen.calls, "0:c0:weather:{\"ci|0:::ty\":1}|1:c1:time:{}|");
    hearth_result_free(result);
    hearth_disconnect(client);
}

static void a_part_without_a_beginning_ends_the_connection(void **state)
{
    hearth_client *client = connected(state);
    hearth_request_params params = asking();
    assert_int_equal(hearth_generate(client, "skips", &params, NULL, NULL), HEARTH_E_DISCONNECTED);
    hearth_disconnect(client);
}

static void a_choice_has_all_choices_with_probabilities(void **state)
{
    hearth_client *client = connected(state);
    const char *const choices[] = {"red", "green", "blue"};
    const hearth_turn turn = {HEARTH_ROLE_USER, "which?", NULL, NULL, NULL};
    hearth_result *results[2];
    hearth_request_params params = asking();
    assert_int_equal(hearth_choose(client, "which?", choices, 3, &params, &results[0], NULL), 0);
    params.choices = choices;
    params.choice_count = 3;
    assert_int_equal(
        hearth_infer_turns(client, HEARTH_TASK_CHOICE, &turn, 1, &params, &results[1], NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        const hearth_item *item = hearth_result_item(results[i], 0);
        assert_int_equal(hearth_result_count(results[i]), 1);
        assert_int_equal(item->label_count, 3);
        assert_string_equal(item->labels[0].name, "blue");
        assert_true(item->labels[0].probability == 0.5f);
        assert_string_equal(item->labels[2].name, "red");
        assert_true(item->labels[2].probability == 0.125f);
        hearth_result_free(results[i]);
    }
    hearth_disconnect(client);
}

static void take(uint64_t request, hearth_result *result, const hearth_error *err, void *arg)
{
    struct seen *seen = arg;
    (void)request;
    assert_int_equal(err->code, 0);
    const hearth_item *item = hearth_result_item(result, 0);
    snprintf(seen->text, sizeof seen->text, "%s",
             item->label_count > 0 ? item->labels[0].name : "");
    seen->is_done = true;
    hearth_result_free(result);
}

static void choices_are_submitted_too(void **state)
{
    hearth_client *client = connected(state);
    const char *const choices[] = {"red", "green"};
    const hearth_input input = {.text = "which?"};
    struct seen seen[2] = {{{0}, {0}, 0, NULL, false}};
    hearth_request_params params = asking();
    params.choices = choices;
    params.choice_count = 2;
    params.on_done = take;
    params.arg = &seen[0];
    assert_int_equal(hearth_submit(client, HEARTH_TASK_CHOICE, &input, 1, &params, NULL, NULL), 0);
    params.arg = &seen[1];
    assert_int_equal(hearth_submit_turns(client, HEARTH_TASK_CHOICE, turns, 1, &params, NULL, NULL),
                     0);
    assert_int_equal(hearth_wait(client, 10000, NULL), 0);
    assert_true(seen[0].is_done && seen[1].is_done);
    assert_string_equal(seen[0].text, "green");
    assert_string_equal(seen[1].text, "green");
    hearth_disconnect(client);
}

/* ── Older programs, and memory ──────────────────────────────────────────────────────────────── */

static void a_program_that_knows_no_new_field_gets_its_answer(void **state)
{
    hearth_client *client = connected(state);
    hearth_request_params params = asking();
    params.size = offsetof(hearth_request_params, answers); /* as the release before knew it */
    params.answers = 7;                                     /* so this is no field of his */
    params.exact = 1;
    hearth_result *result;
    assert_int_equal(hearth_generate(client, "tell", &params, &result, NULL), 0);
    assert_non_null(strstr(hearth_result_item(result, 0)->text, "flags 0 n 0 "));
    hearth_result_free(result);
    hearth_disconnect(client);
}

static int story(void **state)
{
    struct scripted_server *server = *state;
    hearth_connect_params connect = hearth_connect_params_default();
    connect.socket_path = server->path;
    hearth_client *client = NULL;
    hearth_result *result = NULL;
    struct seen seen = {{0}, {0}, 0, NULL, false};
    hearth_request_params params = asking();
    params.answers = 2;
    params.wants_logprobs = 1;
    params.on_item = note;
    params.arg = &seen;
    int rc = hearth_connect(&connect, &client, NULL);
    rc = rc < 0 ? rc : hearth_generate(client, "x", &params, &result, NULL);
    hearth_result_free(result);
    result = NULL;
    rc = rc < 0 ? rc : hearth_generate(client, "calls", &params, &result, NULL);
    hearth_result_free(result);
    hearth_disconnect(client);
    return rc;
}

static void any_failed_allocation_is_an_error(void **state)
{
    KIT_FOR_EACH_FAILURE(n) {
        int rc = story(state);
        assert_int_equal(rc, hearth_alloc_has_failed() ? HEARTH_E_NO_MEMORY : 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scripted_start, scripted_stop)

KIT_MAIN(TEST(every_parameter_reaches_the_daemon),
         TEST(a_grammar_and_what_the_assistant_called_travel),
         TEST(defaults_ask_for_nothing_of_all_this), TEST(what_no_daemon_takes_is_refused_here),
         TEST(several_answers_grow_side_by_side), TEST(several_answers_come_whole),
         TEST(answers_of_nothing_are_empty_texts), TEST(tool_calls_come_in_parts_and_are_joined),
         TEST(a_part_without_a_beginning_ends_the_connection),
         TEST(a_choice_has_all_choices_with_probabilities), TEST(choices_are_submitted_too),
         TEST(a_program_that_knows_no_new_field_gets_its_answer),
         TEST(any_failed_allocation_is_an_error))
