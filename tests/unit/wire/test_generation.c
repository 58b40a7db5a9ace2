/* test_generation.c — requests of generators as clients of V1 type them: what they mean, and which
 * field a refusal names. */

#include "kit.h"

#include "hearth_wire.h"

#include <string.h>

#define START    "{\"type\":\"inference_request\",\"request_id\":7,\"model_id\":\"m\","
#define PROMPT   START "\"prompt\":\"x\","
#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"
#define CHAT     START MESSAGES ","
#define TOOLS    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"

struct world {
    struct hearth_json_room room;
    struct hearth_message message;
    struct hearth_error err;
};

static int setup(void **state)
{
    struct world *w = hearth_alloc(1, sizeof *w);
    hearth_json_room_init(&w->room, HEARTH_JSON_ROOM_BYTES);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    hearth_json_room_finish(&w->room);
    hearth_free(w);
    return 0;
}

/* Decodes and checks; the request is valid until the next. */
static int ask(struct world *w, const char *json)
{
    w->err = (struct hearth_error){0};
    int rc = hearth_json_decode(hearth_slice_of_string(json), &w->room, &w->message, &w->err);
    return rc < 0 ? rc : hearth_wire_check_request(&w->message.as.inference_request, &w->err);
}

static const struct hearth_wire_inference_request *sound(struct world *w, const char *json)
{
    if (ask(w, json) < 0) {
        fail_msg("%s: %s", json, w->err.text);
    }
    return &w->message.as.inference_request;
}

static void refusals_name_the_field(void **state)
{
    static const struct {
        const char *json;
        const char *part;
    } rows[] = {
        {PROMPT "\"choices\":[\"a\"]}", "choices: 1 given, 2 to 128 wanted"},
        {PROMPT "\"choices\":[\"a\",\"\"]}", "choices[1]: is empty"},
        {PROMPT "\"choices\":[\"a\",\"b\",\"a\"]}", "choices[2]: is there already"},
        {PROMPT "\"task\":\"generate\",\"choices\":[\"a\",\"b\"]}",
         "choices: given, but only choice takes it"},
        {PROMPT "\"choices\":[\"a\",\"b\"],\"n\":2}",
         "answers: given, but only generate and chat take it"},
        {PROMPT "\"choices\":[\"a\",\"b\"],\"grammar_type\":\"gbnf\",\"grammar\":\"x\"}",
         "grammar: given, but only generate and chat take it"},
        {PROMPT "\"task\":\"embed\",\"n\":2}", "answers: given, but only generate and chat"},
        {PROMPT "\"n\":9}", "inference_request.n: a whole number from 0 to 8 is wanted"},
        {PROMPT "\"typical_p\":1.5}", "typical_p: 1.5, wanted 0 <= typical_p <= 1"},
        {PROMPT "\"typical_p\":-0.5}", "typical_p: -0.5"},
        {PROMPT "\"frequency_penalty\":2.5}", "frequency_penalty: 2.5, wanted -2 <= freq"},
        {PROMPT "\"presence_penalty\":-2.5}", "presence_penalty: -2.5"},
        {PROMPT "\"logit_bias\":[{\"token\":1,\"bias\":1},{\"token\":2,\"bias\":100.5}]}",
         "logit_bias[1].bias: 100.5, wanted -100 <= bias <= 100"},
        {PROMPT "\"top_logprobs\":2}", "top_logprobs: 2, but logprobs are not asked for (flag 16)"},
        {PROMPT "\"logprobs\":true,\"top_logprobs\":21}", "top_logprobs: a whole number from 0 to"},
        {PROMPT "\"grammar_type\":\"regex\"}", "grammar_type: wanted is none, json_schema or gbnf"},
        {PROMPT "\"grammar_type\":\"gbnf\"}", "grammar: is empty, grammar_type wants one"},
        {PROMPT "\"grammar\":\"root\"}", "grammar: given, but grammar_type does not say"},
        {PROMPT TOOLS "}", "tools: given, but only chat takes it"},
        {CHAT "\"tool_choice\":\"required\"}", "tool_choice: given, but there are no tools"},
        {CHAT "\"tool_choice\":\"maybe\"}", "tool_choice: wanted is auto, none or required"},
        {CHAT TOOLS ",\"grammar_type\":\"json_schema\",\"grammar\":{}}",
         "grammar: given together with tools"},
        {START "\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"tool_calls\":[]}]}",
         "messages[0].tool_calls: given, but only the assistant calls"},
        {START "\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"name\":\"f\"}]}",
         "messages[0].name: given, but only a tool has one"},
        {START "\"messages\":[{\"role\":\"tool\",\"name\":\"f\"}]}",
         "messages[0].content: is empty"},
        {START MESSAGES ",\"prompt\":\"x\",\"choices\":[\"a\",\"b\"]}", "texts: "},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        struct world *w = *state;
        assert_int_equal(ask(w, rows[i].json), HEARTH_E_INPUT_INVALID);
        if (strstr(w->err.text, rows[i].part) == NULL) {
            fail_msg("%s: %s", rows[i].json, w->err.text);
        }
        assert_int_equal(w->message.as.inference_request.request_id, 7);
    }
}

static void choices_tell_the_task_with_a_prompt_or_a_chat(void **state)
{
    const struct hearth_wire_inference_request *request =
        sound(*state, PROMPT "\"choices\":[\"yes\",{\"text\":\"no\"}]}");
    struct hearth_wire_list cursor = request->choices;
    struct hearth_wire_choice choice;
    assert_int_equal(request->task, HEARTH_TASK_CHOICE);
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_choice, &choice));
    assert_true(hearth_slice_equals_string(choice.text, "yes"));
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_choice, &choice));
    assert_true(hearth_slice_equals_string(choice.text, "no"));
    request = sound(*state, CHAT "\"choices\":[\"yes\",\"no\"]}");
    assert_int_equal(request->task, HEARTH_TASK_CHOICE);
    assert_int_equal(request->messages.count, 1);
}

static void what_is_not_said_is_off(void **state)
{
    const struct hearth_wire_inference_request *request = sound(*state, START MESSAGES "}");
    assert_int_equal(request->answers, 0);
    assert_int_equal(hearth_wire_answers(request), 1);
    assert_true(request->typical_p == 0 && request->frequency_penalty == 0);
    assert_true(request->presence_penalty == 0 && request->cache_domain == 0);
    assert_int_equal(request->grammar_type, HEARTH_GRAMMAR_NONE);
    assert_int_equal(request->tool_choice, HEARTH_TOOLS_AUTO);
    assert_int_equal(request->flags, 0);
    sound(*state, PROMPT "\"typical_p\":1,\"frequency_penalty\":-2,\"presence_penalty\":2,\"n\":8,"
                         "\"logprobs\":true,\"top_logprobs\":20,"
                         "\"logit_bias\":[{\"token\":0,\"bias\":-100}]}");
}

static void json_may_be_a_string_or_itself(void **state)
{
    static const char *const rows[][2] = {
        {CHAT "\"tools\":[ {\"type\" : \"function\"} ]}", "[{\"type\":\"function\"}]"},
        {CHAT "\"tools\":\"[ {} ]\"}", "[ {} ]"},
        {CHAT "\"tools\":[{\"\\u00fc\":[1,-2,0.5,true,null,\"\\n\\ud83d\\udc4b\"]}]}",
         "[{\"\xc3\xbc\":[1,-2,0.5,true,null,\"\\n\xf0\x9f\x91\x8b\"]}]"},
    };
    for (size_t i = 0; i < HEARTH_COUNT(rows); i++) {
        assert_true(hearth_slice_equals_string(sound(*state, rows[i][0])->tools, rows[i][1]));
    }
    const struct hearth_wire_inference_request *request =
        sound(*state, PROMPT "\"grammar_type\":\"json_schema\",\"parameters\":{\"grammar\":"
                             "{\"type\":\"object\",\"required\":[\"a\"]}}}");
    assert_true(
        hearth_slice_equals_string(request->grammar, "{\"type\":\"object\",\"required\":[\"a\"]}"));
    assert_int_equal(ask(*state, CHAT "\"tools\":5}"), HEARTH_E_MALFORMED);
    KIT_ASSERT_ERROR(((struct world *)*state)->err, HEARTH_E_MALFORMED,
                     "inference_request.tools: a string is wanted");
}

static void json_itself_meets_depth_and_size(void **state)
{
    struct world *w = *state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf json;
    hearth_buf_init(&json, 1u << 20);
    static const char deep[] = CHAT "\"tools\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}";
    assert_int_equal(ask(w, deep), HEARTH_E_MALFORMED);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_MALFORMED, "inside each other");
    static const char start[] = CHAT "\"tools\":[1";
    assert_int_equal(hearth_buf_append(&json, start, sizeof start - 1), 0);
    for (unsigned i = 1; i < HEARTH_MAX_TOOLS_BYTES / 2; i++) {
        assert_int_equal(hearth_buf_append(&json, ",1", 2), 0);
    }
    assert_int_equal(hearth_buf_append(&json, "]}", 3), 0);
    assert_int_equal(ask(w, (const char *)json.data), HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_TOO_LARGE,
                     "inference_request.tools: 65537 bytes, the limit is 65536");
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

KIT_MAIN(WORLD(refusals_name_the_field), WORLD(choices_tell_the_task_with_a_prompt_or_a_chat),
         WORLD(what_is_not_said_is_off), WORLD(json_may_be_a_string_or_itself),
         WORLD(json_itself_meets_depth_and_size))
