/* test_token_ids.c — ids instead of text, and ids of what was generated, seen by a broker. */

#include "kit.h"

#include "fake_broker.h"
#include "hearth_os.h"

#include <string.h>

static int start(void **state, enum hearth_task task)
{
    static const struct fake_model echo = {.folder = "",
                                           .engine = HEARTH_ENGINE_ECHO,
                                           .labels = {"red", "green"},
                                           .label_count = 2,
                                           .option_keys = {"context_tokens"},
                                           .option_values = {"5"},
                                           .option_count = 1,
                                           .threads = 2};
    struct fake_broker *broker = hearth_alloc(1, sizeof *broker);
    struct hearth_error err = {0};
    struct fake_model model = echo;
    model.task = task;
    fake_broker_init(broker, HEARTH_TEST_WORKERS, "/tmp");
    if (fake_spawn(broker, &model, &err) != 0) {
        fail_msg("spawn: %s", err.text);
    }
    fake_lead_to_ready(broker, NULL);
    *state = broker;
    return 0;
}

static int start_generator(void **state)
{
    return start(state, HEARTH_TASK_GENERATE);
}

static int start_embedder(void **state)
{
    return start(state, HEARTH_TASK_EMBED);
}

static int tear_down(void **state)
{
    fake_broker_finish(*state);
    hearth_free(*state);
    return 0;
}

#define IDS(...)                                                                                   \
    {                                                                                              \
        .tokens = {(const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4 }  \
    }

static void ask(struct fake_broker *broker, enum hearth_task task, unsigned flags,
                const struct hearth_wire_text *texts, uint32_t count)
{
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = 1;
    request->task = (uint8_t)task;
    request->flags = (uint16_t)flags;
    request->model_id = hearth_slice_of_string("model-under-test");
    request->texts = (struct hearth_wire_list){.count = count, .items = texts};
    fake_send(broker, &message);
}

static void ask_text(struct fake_broker *broker, unsigned flags, const char *text)
{
    const struct hearth_wire_text input = {.text = hearth_slice_of_string(text)};
    ask(broker, HEARTH_TASK_GENERATE, flags, &input, 1);
}

static struct hearth_wire_inference_response expect_end(struct fake_broker *broker, int code)
{
    struct hearth_message message = fake_expect(broker, HEARTH_MSG_inference_response);
    assert_int_equal(message.as.inference_response.code, -code);
    return message.as.inference_response;
}

static struct hearth_wire_result only(struct hearth_wire_list results)
{
    struct hearth_wire_result result = {0};
    assert_int_equal(results.count, 1);
    assert_true(hearth_wire_next(&results, HEARTH_RECORD_result, &result));
    return result;
}

static void assert_ids(const struct hearth_wire_result *result, const uint32_t *wanted,
                       uint32_t count)
{
    assert_int_equal(result->token_ids.count, count);
    assert_memory_equal(result->token_ids.data, wanted, count * sizeof *wanted);
}

static void ids_come_back_with_the_text_if_they_are_asked_for(void **state)
{
    static const uint32_t wanted[] = {0x1F44B, 0xE9, 'a'};
    ask_text(*state, HEARTH_FLAG_TOKEN_IDS, "a\xc3\xa9\xf0\x9f\x91\x8b");
    struct hearth_wire_inference_response end = expect_end(*state, 0);
    struct hearth_wire_result result = only(end.results);
    assert_ids(&result, wanted, 3);
    assert_int_equal(result.tokens, 3);
    assert_int_equal(end.tokens_generated, 3);

    ask_text(*state, 0, "abc");
    result = only(expect_end(*state, 0).results);
    assert_true(hearth_slice_equals_string(result.text, "cba"));
    assert_ids(&result, NULL, 0);
}

static void each_piece_of_a_stream_has_its_own_ids(void **state)
{
    ask_text(*state, HEARTH_FLAG_TOKEN_IDS | HEARTH_FLAG_STREAM, "xyz");
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t wanted = 'z' - i;
        struct hearth_message message = fake_expect(*state, HEARTH_MSG_stream_chunk);
        struct hearth_wire_result piece = only(message.as.stream_chunk.results);
        assert_ids(&piece, &wanted, 1);
        assert_int_equal(piece.tokens, 1);
    }
    assert_int_equal(expect_end(*state, 0).tokens_generated, 3);
}

/* The second token is there, its text is not: the broker takes only ids that have been told of. */
/* Nothing tells when the first token is there, so the time until the cancel grows until one was. */
static void a_cancelled_text_has_the_ids_of_what_is_in_it(void **state)
{
    static const uint32_t wanted[] = {'b'};
    struct hearth_wire_result result = {.tokens = 0};
    unsigned wait_ms = 10;
    do {
        wait_ms *= 2;
        assert_true(wait_ms < 20000);
        ask_text(*state, HEARTH_FLAG_TOKEN_IDS, "pace:30s ab");
        assert_true(fake_is_quiet(*state, wait_ms));
        const struct hearth_message cancel = {.type = HEARTH_MSG_cancel_request,
                                              .as.cancel_request.request_id = 1};
        fake_send(*state, &cancel);
        struct hearth_wire_inference_response end = expect_end(*state, HEARTH_E_CANCELLED);
        if (end.results.count > 0) {
            result = only(end.results);
            assert_int_equal(result.tokens, result.token_ids.count);
        }
    } while (result.text.size == 0);
    assert_true(hearth_slice_equals_string(result.text, "b"));
    assert_int_equal(result.tokens, 1);
    assert_ids(&result, wanted, 1);
}

static void ids_may_stand_for_the_prompt(void **state)
{
    static const uint32_t wanted[] = {4000000000u, 0, 7};
    const struct hearth_wire_text input = IDS(7, 0, 4000000000u);
    ask(*state, HEARTH_TASK_GENERATE, HEARTH_FLAG_TOKEN_IDS, &input, 1);
    struct hearth_wire_inference_response end = expect_end(*state, 0);
    struct hearth_wire_result result = only(end.results);
    assert_int_equal(end.prompt_tokens, 3);
    assert_true(hearth_slice_equals_string(result.text, "4000000000 0 7 "));
    assert_ids(&result, wanted, 3);
}

static void ids_are_no_directives(void **state)
{
    /* "fail:   " as the bytes of two ids */
    const struct hearth_wire_text input = IDS(0x6C696166, 0x2020203A);
    ask(*state, HEARTH_TASK_GENERATE, 0, &input, 1);
    assert_int_equal(expect_end(*state, 0).tokens_generated, 2);
}

static void more_ids_than_the_model_takes_are_too_long(void **state)
{
    const struct hearth_wire_text input = IDS(1, 2, 3, 4, 5, 6);
    ask(*state, HEARTH_TASK_GENERATE, 0, &input, 1);
    struct hearth_wire_inference_response end = expect_end(*state, HEARTH_E_TOO_LONG);
    assert_true(hearth_slice_equals_string(end.error, "input 0 has 6 tokens, the model takes 5"));
}

static void texts_and_ids_share_a_batch(void **state)
{
    const struct hearth_wire_text inputs[] = {
        IDS(1, 2), {.text = hearth_slice_of_string("two")}, IDS(1, 2), IDS(2, 1)};
    ask(*state, HEARTH_TASK_EMBED, 0, inputs, 4);
    struct hearth_wire_inference_response end = expect_end(*state, 0);
    struct hearth_wire_result results[4];
    assert_int_equal(end.results.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(hearth_wire_next(&end.results, HEARTH_RECORD_result, &results[i]));
        assert_int_equal(results[i].index, i);
        assert_int_equal(results[i].tokens, i == 1 ? 3 : 2);
        assert_int_equal(results[i].vector.count, 8);
    }
    assert_memory_equal(results[0].vector.data, results[2].vector.data, 8 * sizeof(float));
    assert_memory_not_equal(results[0].vector.data, results[3].vector.data, 8 * sizeof(float));
}

#define GENERATOR(test) cmocka_unit_test_setup_teardown(test, start_generator, tear_down)
#define EMBEDDER(test)  cmocka_unit_test_setup_teardown(test, start_embedder, tear_down)

KIT_MAIN(GENERATOR(ids_come_back_with_the_text_if_they_are_asked_for),
         GENERATOR(each_piece_of_a_stream_has_its_own_ids),
         GENERATOR(a_cancelled_text_has_the_ids_of_what_is_in_it),
         GENERATOR(ids_may_stand_for_the_prompt), GENERATOR(ids_are_no_directives),
         GENERATOR(more_ids_than_the_model_takes_are_too_long),
         EMBEDDER(texts_and_ids_share_a_batch))
