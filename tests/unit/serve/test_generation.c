/* test_generation.c — several answers, their scores, calls of tools and choices, by the real worker
 * of the null engine, seen by a broker. Expectations are what generate.h promises. */

#include "kit.h"

#include "fake_broker.h"
#include "hearth_os.h"

#include <stdio.h>
#include <string.h>

#define TOOLS "[{\"type\":\"function\",\"function\":{\"name\":\"warm\"}}]"

static int start(void **state)
{
    static const struct fake_model model = {.folder = "",
                                            .engine = HEARTH_ENGINE_ECHO,
                                            .task = HEARTH_TASK_GENERATE,
                                            .option_keys = {"context_tokens"},
                                            .option_values = {"100000"},
                                            .option_count = 1,
                                            .threads = 2};
    struct fake_broker *broker = hearth_alloc(1, sizeof *broker);
    struct hearth_error err = {0};
    fake_broker_init(broker, HEARTH_TEST_WORKERS, "/tmp");
    if (fake_spawn(broker, &model, &err) != 0) {
        fail_msg("spawn: %s", err.text);
    }
    fake_lead_to_ready(broker, NULL);
    *state = broker;
    return 0;
}

static int tear_down(void **state)
{
    fake_broker_finish(*state);
    hearth_free(*state);
    return 0;
}

static struct hearth_wire_text input;
static struct hearth_wire_chat_message turn;

static struct hearth_message asking(const char *text, unsigned flags, uint32_t answers)
{
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = 1;
    request->task = HEARTH_TASK_GENERATE;
    request->flags = (uint16_t)flags;
    request->answers = answers;
    request->model_id = hearth_slice_of_string("model-under-test");
    input = (struct hearth_wire_text){.text = hearth_slice_of_string(text)};
    request->texts = (struct hearth_wire_list){.count = 1, .items = &input};
    return message;
}

static struct hearth_message chatting(const char *text, unsigned flags)
{
    struct hearth_message message = asking("", flags, 0);
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    request->task = HEARTH_TASK_CHAT;
    request->texts.count = 0;
    turn = (struct hearth_wire_chat_message){.role = HEARTH_ROLE_USER,
                                             .content = hearth_slice_of_string(text)};
    request->messages = (struct hearth_wire_list){.count = 1, .items = &turn};
    request->tools = hearth_slice_of_string(TOOLS);
    return message;
}

static struct hearth_wire_inference_response take_end(struct fake_broker *broker, int code)
{
    struct hearth_message message = fake_expect(broker, HEARTH_MSG_inference_response);
    assert_int_equal(message.as.inference_response.code, -code);
    return message.as.inference_response;
}

static struct hearth_wire_inference_response answer_to(struct fake_broker *broker,
                                                       const struct hearth_message *asked)
{
    fake_send(broker, asked);
    return take_end(broker, 0);
}

/* ---- several answers ----------------------------------------------------------------------- */

static void each_answer_has_its_own_text_and_end_and_the_prompt_counts_once(void **state)
{
    struct hearth_message asked =
        asking("cached:2 evicted:5 pushed:4 drafted:9 accepted:3 abc", 0, 3);
    asked.as.inference_request.max_tokens = 4;
    struct hearth_wire_inference_response end = answer_to(*state, &asked);
    static const char *const texts[] = {"cba", "cba+", "cba+"};
    static const enum hearth_finish_reason ends[] = {HEARTH_FINISH_STOP, HEARTH_FINISH_STOP,
                                                     HEARTH_FINISH_MAX_TOKENS};
    struct hearth_wire_result result;
    assert_int_equal(end.results.count, 3);
    for (uint32_t i = 0; hearth_wire_next(&end.results, HEARTH_RECORD_result, &result); i++) {
        assert_int_equal(result.index, i);
        assert_true(hearth_slice_equals_string(result.text, texts[i]));
        assert_int_equal(result.tokens, strlen(texts[i]));
        assert_int_equal(result.finish_reason, ends[i]);
    }
    assert_int_equal(end.finish_reason, HEARTH_FINISH_STOP);
    assert_int_equal(end.prompt_tokens, 3);
    assert_int_equal(end.tokens_generated, 11);
    assert_int_equal(end.cached_tokens, 2);
    assert_int_equal(end.evicted_tokens, 15);
    assert_int_equal(end.evicted_of_others, 12);
    assert_int_equal(end.cache, HEARTH_CACHE_USED);
    assert_int_equal(end.drafted_tokens, 27);
    assert_int_equal(end.accepted_tokens, 9);
    assert_true(hearth_slice_equals_string(end.fingerprint, "echo seed=42"));
}

static void ids_of_answers_do_not_mix(void **state)
{
    const struct hearth_message asked = asking("ab", HEARTH_FLAG_TOKEN_IDS, 2);
    struct hearth_wire_inference_response end = answer_to(*state, &asked);
    static const uint32_t ids[] = {'b', 'a', '+'};
    struct hearth_wire_result result;
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(hearth_wire_next(&end.results, HEARTH_RECORD_result, &result));
        assert_int_equal(result.token_ids.count, 2 + i);
        assert_memory_equal(result.token_ids.data, ids, (2 + i) * sizeof *ids);
    }
}

static void a_stream_of_answers_tells_the_end_of_each(void **state)
{
    const struct hearth_message asked = asking("pace:1ms abcd", HEARTH_FLAG_STREAM, 3);
    char texts[3][16] = {""};
    uint32_t tokens[3] = {0};
    unsigned ends[3] = {0};
    fake_send(*state, &asked);
    for (unsigned ended = 0; ended < 3;) {
        struct hearth_message chunk = fake_expect(*state, HEARTH_MSG_stream_chunk);
        struct hearth_wire_result piece;
        assert_true(hearth_wire_next(&chunk.as.stream_chunk.results, HEARTH_RECORD_result, &piece));
        assert_in_range(piece.index, 0, 2);
        assert_int_equal(ends[piece.index], HEARTH_FINISH_NONE);
        char *text = texts[piece.index];
        size_t used = strlen(text);
        snprintf(text + used, sizeof texts[0] - used, "%.*s", HEARTH_SLICE_ARGS(piece.text));
        tokens[piece.index] += piece.tokens;
        ends[piece.index] = piece.finish_reason;
        ended += piece.finish_reason != HEARTH_FINISH_NONE;
    }
    struct hearth_wire_inference_response end = take_end(*state, 0);
    assert_int_equal(end.results.count, 0);
    assert_int_equal(end.tokens_generated, 15);
    static const char *const wanted[] = {"dcba", "dcba+", "dcba++"};
    for (uint32_t i = 0; i < 3; i++) {
        assert_string_equal(texts[i], wanted[i]);
        assert_int_equal(tokens[i], strlen(wanted[i]));
        assert_int_equal(ends[i], HEARTH_FINISH_STOP);
    }
}

static void a_deadline_gives_what_there_is_of_each_answer(void **state)
{
    struct hearth_message asked = asking("pace:60s ab", 0, 2);
    asked.as.inference_request.timeout_ms = 200;
    fake_send(*state, &asked);
    struct hearth_wire_inference_response end = take_end(*state, HEARTH_E_EXPIRED);
    struct hearth_wire_result result;
    assert_int_equal(end.finish_reason, HEARTH_FINISH_TIMEOUT);
    assert_in_range(end.results.count, 0, 2); /* as far as a busy machine came */
    while (hearth_wire_next(&end.results, HEARTH_RECORD_result, &result)) {
        assert_true(hearth_slice_equals_string(result.text, "b"));
        assert_int_equal(result.tokens, 1);
        assert_in_range(result.finish_reason, HEARTH_FINISH_TIMEOUT, HEARTH_FINISH_CANCELLED);
    }
}

/* ---- scores --------------------------------------------------------------------------------- */

static void check_scores(struct hearth_wire_list scores, uint32_t from, const char *tokens)
{
    struct hearth_wire_token_score score;
    assert_int_equal(scores.count, 3 * strlen(tokens));
    for (uint32_t i = 0; hearth_wire_next(&scores, HEARTH_RECORD_token_score, &score); i++) {
        uint32_t place = from + i / 3;
        const char text[] = {i % 3 == 0 ? tokens[i / 3] : (char)('a' + i % 3 - 1), '\0'};
        assert_int_equal(score.place, place);
        assert_int_equal(score.id, text[0]);
        assert_int_equal(score.is_chosen, i % 3 == 0);
        assert_true(score.logprob == -(float)(place + 1) / 64.0f - (float)(i % 3));
        assert_true(hearth_slice_equals_string(score.text, text));
    }
}

static void scores_stand_beside_their_text(void **state)
{
    struct hearth_message asked = asking("xyz", HEARTH_FLAG_LOGPROBS, 2);
    asked.as.inference_request.top_logprobs = 2;
    struct hearth_wire_inference_response end = answer_to(*state, &asked);
    struct hearth_wire_result result;
    assert_true(hearth_wire_next(&end.results, HEARTH_RECORD_result, &result));
    check_scores(result.logprobs, 0, "zyx");
    assert_true(hearth_wire_next(&end.results, HEARTH_RECORD_result, &result));
    check_scores(result.logprobs, 0, "zyx+");
}

static void each_piece_of_a_stream_has_its_own_scores(void **state)
{
    struct hearth_message asked = asking("xyz", HEARTH_FLAG_LOGPROBS | HEARTH_FLAG_STREAM, 0);
    asked.as.inference_request.top_logprobs = 2;
    fake_send(*state, &asked);
    for (uint32_t i = 0; i < 3; i++) {
        const char token[] = {(char)('z' - i), '\0'};
        struct hearth_message chunk = fake_expect(*state, HEARTH_MSG_stream_chunk);
        struct hearth_wire_result piece;
        assert_true(hearth_wire_next(&chunk.as.stream_chunk.results, HEARTH_RECORD_result, &piece));
        assert_true(hearth_slice_equals_string(piece.text, token));
        check_scores(piece.logprobs, i, token);
    }
    assert_int_equal(take_end(*state, 0).tokens_generated, 3);
}

/* 60000 tokens with 20 beside each are more than a message takes; a stream takes them all. */
static void what_no_message_takes_is_to_be_streamed(void **state)
{
    static char text[60001];
    memset(text, 'x', sizeof text - 1);
    struct hearth_message asked = asking(text, HEARTH_FLAG_LOGPROBS, 0);
    asked.as.inference_request.top_logprobs = 20;
    asked.as.inference_request.max_tokens = 60000;
    fake_send(*state, &asked);
    struct hearth_wire_inference_response end = take_end(*state, HEARTH_E_TOO_LARGE);
    assert_true(
        hearth_slice_equals_string(end.error, "the answer is too long for one message: stream it"));
    const struct hearth_message next = asking("ab", 0, 0);
    assert_int_equal(answer_to(*state, &next).tokens_generated, 2); /* nothing is left of it */
}

/* ---- tools and choices ---------------------------------------------------------------------- */

static void calls_come_whole_behind_the_text(void **state)
{
    const struct hearth_message asked = chatting("tool:warm tool:cold ab", 0);
    struct hearth_wire_inference_response end = answer_to(*state, &asked);
    struct hearth_wire_result result;
    struct hearth_wire_tool_call call;
    assert_int_equal(end.finish_reason, HEARTH_FINISH_TOOL_CALLS);
    assert_true(hearth_wire_next(&end.results, HEARTH_RECORD_result, &result));
    assert_true(hearth_slice_equals_string(result.text, "ba"));
    assert_int_equal(result.finish_reason, HEARTH_FINISH_TOOL_CALLS);
    static const char *const wanted[][3] = {{"call_0", "warm", "{\"n\":0}"},
                                            {"call_1", "cold", "{\"n\":1}"}};
    assert_int_equal(result.tool_calls.count, 2);
    for (uint32_t i = 0; hearth_wire_next(&result.tool_calls, HEARTH_RECORD_tool_call, &call);
         i++) {
        assert_int_equal(call.index, i);
        assert_true(hearth_slice_equals_string(call.id, wanted[i][0]));
        assert_true(hearth_slice_equals_string(call.name, wanted[i][1]));
        assert_true(hearth_slice_equals_string(call.arguments, wanted[i][2]));
    }
}

static void parts_of_calls_are_streamed_behind_the_text(void **state)
{
    const struct hearth_message asked = chatting("tool:warm a", HEARTH_FLAG_STREAM);
    static const char *const arguments[] = {"", "{\"n\":", "0}"};
    fake_send(*state, &asked);
    struct hearth_message chunk = fake_expect(*state, HEARTH_MSG_stream_chunk);
    struct hearth_wire_result piece;
    assert_true(hearth_wire_next(&chunk.as.stream_chunk.results, HEARTH_RECORD_result, &piece));
    assert_true(hearth_slice_equals_string(piece.text, "a"));
    for (uint32_t i = 0; i < 3; i++) {
        struct hearth_wire_tool_call part;
        chunk = fake_expect(*state, HEARTH_MSG_stream_chunk);
        assert_true(hearth_wire_next(&chunk.as.stream_chunk.results, HEARTH_RECORD_result, &piece));
        assert_int_equal(piece.tool_calls.count, 1);
        assert_true(hearth_wire_next(&piece.tool_calls, HEARTH_RECORD_tool_call, &part));
        assert_true(hearth_slice_equals_string(part.name, i == 0 ? "warm" : ""));
        assert_true(hearth_slice_equals_string(part.arguments, arguments[i]));
    }
    assert_int_equal(take_end(*state, 0).finish_reason, HEARTH_FINISH_TOOL_CALLS);
}

static void choices_come_by_name_best_first(void **state)
{
    static const struct hearth_wire_choice choices[] = {{{(const uint8_t *)"one", 3}, 0},
                                                        {{(const uint8_t *)"two", 3}, 0},
                                                        {{(const uint8_t *)"three", 5}, 0}};
    struct hearth_message asked = asking("which?", 0, 0);
    asked.as.inference_request.task = HEARTH_TASK_CHOICE;
    asked.as.inference_request.choices =
        (struct hearth_wire_list){.count = HEARTH_COUNT(choices), .items = choices};
    struct hearth_wire_inference_response end = answer_to(*state, &asked);
    struct hearth_wire_result result;
    struct hearth_wire_label label;
    float last = 1.0f;
    float sum = 0;
    unsigned seen = 0;
    assert_int_equal(end.finish_reason, HEARTH_FINISH_NONE);
    assert_true(hearth_wire_next(&end.results, HEARTH_RECORD_result, &result));
    assert_int_equal(result.labels.count, HEARTH_COUNT(choices));
    assert_int_equal(result.text.size, 0);
    while (hearth_wire_next(&result.labels, HEARTH_RECORD_label, &label)) {
        assert_true(label.score <= last);
        last = label.score;
        sum += label.score;
        for (unsigned i = 0; i < HEARTH_COUNT(choices); i++) {
            seen |= hearth_slice_equal(label.name, choices[i].text) ? 1u << i : 0u;
        }
    }
    assert_int_equal(seen, 7);
    assert_true(sum > 0.999f && sum < 1.001f);
}

#define WORKER(test) cmocka_unit_test_setup_teardown(test, start, tear_down)

KIT_MAIN(WORKER(each_answer_has_its_own_text_and_end_and_the_prompt_counts_once),
         WORKER(ids_of_answers_do_not_mix), WORKER(a_stream_of_answers_tells_the_end_of_each),
         WORKER(a_deadline_gives_what_there_is_of_each_answer),
         WORKER(scores_stand_beside_their_text), WORKER(each_piece_of_a_stream_has_its_own_scores),
         WORKER(what_no_message_takes_is_to_be_streamed), WORKER(calls_come_whole_behind_the_text),
         WORKER(parts_of_calls_are_streamed_behind_the_text),
         WORKER(choices_come_by_name_best_first))
