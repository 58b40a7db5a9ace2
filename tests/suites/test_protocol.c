#include "kit.h"

#include "json.h"

#include <string.h>

/* The predecessor's round trips, through JSON and through our binary encoding. */

#define ROOM_BYTES (1u << 20)

struct trip {
    struct hearth_json_room room;
    struct hearth_buf out;
    struct hearth_error err;
};

static int setup(void **state)
{
    static struct trip trip;
    memset(&trip, 0, sizeof trip);
    hearth_json_room_init(&trip.room, ROOM_BYTES);
    hearth_buf_init(&trip.out, HEARTH_MAX_FRAME_BYTES);
    *state = &trip;
    return 0;
}

static int teardown(void **state)
{
    struct trip *trip = *state;
    hearth_json_room_finish(&trip->room);
    hearth_buf_finish(&trip->out);
    return 0;
}

static struct hearth_message through(struct trip *trip, const struct hearth_message *message,
                                     bool is_json)
{
    struct hearth_message back;
    hearth_buf_clear(&trip->out);
    int rc = is_json ? hearth_json_encode(message, &trip->room, &trip->out)
                     : hearth_wire_encode(message, &trip->out);
    assert_int_equal(rc, 0);
    struct hearth_slice bytes = hearth_buf_slice(&trip->out);
    rc = is_json ? hearth_json_decode(bytes, &trip->room, &back, &trip->err)
                 : hearth_wire_decode(bytes, &back, &trip->err);
    if (rc < 0) {
        fail_msg("%s", trip->err.text);
    }
    assert_int_equal(back.type, message->type);
    return back;
}

static void handshake_roundtrip(void **state)
{
    struct hearth_message message = {.type = HEARTH_MSG_handshake};
    message.as.handshake.version_min = 1;
    message.as.handshake.version_max = 2;
    message.as.handshake.token = hearth_slice_of_string("secret");
    for (int is_json = 0; is_json < 2; is_json++) {
        struct hearth_message back = through(*state, &message, is_json != 0);
        assert_int_equal(back.as.handshake.version_max, 2);
        assert_true(hearth_slice_equals_string(back.as.handshake.token, "secret"));
    }
}

static struct hearth_message a_request(const struct hearth_wire_text *text, const char *model)
{
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message.as.inference_request;
    request->request_id = 42;
    request->model_id = hearth_slice_of_string(model);
    request->task = HEARTH_TASK_GENERATE;
    request->max_tokens = 256;
    request->temperature = 0.7f;
    request->top_k = 40;
    request->top_p = 0.9f;
    request->repetition_penalty = 1.1f;
    request->texts = (struct hearth_wire_list){.count = text != NULL, .items = text};
    return message;
}

static void inference_request_roundtrip(void **state)
{
    const struct hearth_wire_text text = {.text = hearth_slice_of_string("hello")};
    struct hearth_message message = a_request(&text, "phi");
    for (int is_json = 0; is_json < 2; is_json++) {
        struct hearth_message back = through(*state, &message, is_json != 0);
        struct hearth_wire_list texts = back.as.inference_request.texts;
        struct hearth_wire_text found;
        assert_int_equal(back.as.inference_request.request_id, 42);
        assert_int_equal(back.as.inference_request.max_tokens, 256);
        assert_true(hearth_slice_equals_string(back.as.inference_request.model_id, "phi"));
        assert_true(hearth_wire_next(&texts, HEARTH_RECORD_text, &found));
        assert_true(hearth_slice_equals_string(found.text, "hello"));
    }
}

static void inference_params_serialization(void **state)
{
    const struct hearth_wire_text text = {.text = hearth_slice_of_string("hello")};
    struct hearth_message message = a_request(&text, "phi");
    struct trip *trip = *state;
    through(trip, &message, true);
    assert_int_equal(hearth_buf_append(&trip->out, "", 1), 0);
    assert_non_null(strstr((const char *)trip->out.data, "\"max_tokens\":256"));
}

static void inference_response_success(void **state)
{
    const struct hearth_wire_result result = {.text = hearth_slice_of_string("olleh")};
    struct hearth_message message = {.type = HEARTH_MSG_inference_response};
    message.as.inference_response.request_id = 42;
    message.as.inference_response.finish_reason = HEARTH_FINISH_STOP;
    message.as.inference_response.results = (struct hearth_wire_list){.count = 1, .items = &result};
    for (int is_json = 0; is_json < 2; is_json++) {
        struct hearth_message back = through(*state, &message, is_json != 0);
        struct hearth_wire_list results = back.as.inference_response.results;
        struct hearth_wire_result found;
        assert_int_equal(back.as.inference_response.code, 0);
        assert_int_equal(back.as.inference_response.finish_reason, HEARTH_FINISH_STOP);
        assert_true(hearth_wire_next(&results, HEARTH_RECORD_result, &found));
        assert_true(hearth_slice_equals_string(found.text, "olleh"));
    }
}

static void inference_response_error(void **state)
{
    struct hearth_message message = {.type = HEARTH_MSG_inference_response};
    message.as.inference_response.request_id = 42;
    message.as.inference_response.code = -HEARTH_E_NO_MODEL;
    message.as.inference_response.error = hearth_slice_of_string("no such model");
    message.as.inference_response.finish_reason = HEARTH_FINISH_FAILED;
    for (int is_json = 0; is_json < 2; is_json++) {
        struct hearth_message back = through(*state, &message, is_json != 0);
        assert_int_equal(back.as.inference_response.code, -HEARTH_E_NO_MODEL);
        assert_int_equal(back.as.inference_response.results.count, 0);
        assert_int_equal(back.as.inference_response.finish_reason, HEARTH_FINISH_FAILED);
        assert_true(hearth_slice_equals_string(back.as.inference_response.error, "no such model"));
    }
}

static int checked(const struct hearth_message *message)
{
    struct hearth_error err = {0};
    int rc = hearth_wire_check_request(&message->as.inference_request, &err);
    assert_true(rc == 0 || err.text[0] != '\0');
    return rc;
}

static void request_validation_requires_model_id(void **state)
{
    const struct hearth_wire_text text = {.text = hearth_slice_of_string("hello")};
    struct hearth_message named = a_request(&text, "phi");
    struct hearth_message nameless = a_request(&text, "");
    (void)state;
    assert_int_equal(checked(&named), 0);
    assert_int_equal(checked(&nameless), HEARTH_E_INPUT_INVALID);
}

static void request_validation_requires_tokens(void **state)
{
    static const uint32_t ids[] = {1, 2};
    const struct hearth_wire_text filled = {.tokens = {ids, 2}};
    const struct hearth_wire_text empty = {.tokens = {NULL, 0}};
    struct hearth_message right = a_request(&filled, "phi");
    struct hearth_message without = a_request(&empty, "phi");
    struct hearth_message nothing = a_request(NULL, "phi");
    (void)state;
    assert_int_equal(checked(&right), 0);
    assert_int_equal(checked(&without), HEARTH_E_INPUT_INVALID);
    assert_int_equal(checked(&nothing), HEARTH_E_INPUT_INVALID);
}

/* The three kinds of probe, and a full answer: every field comes back. */
static void check_type_goes_around(struct trip *trip, uint8_t kind)
{
    struct hearth_message message = {.type = HEARTH_MSG_health_check};
    message.as.health_check.check_type = kind;
    for (int is_json = 0; is_json < 2; is_json++) {
        struct hearth_message back = through(trip, &message, is_json != 0);
        assert_int_equal(back.as.health_check.check_type, kind);
    }
}

static void health_check_liveness_roundtrip(void **state)
{
    check_type_goes_around(*state, HEARTH_CHECK_LIVENESS);
}

static void health_check_readiness_roundtrip(void **state)
{
    check_type_goes_around(*state, HEARTH_CHECK_READINESS);
}

static void health_check_full_roundtrip(void **state)
{
    check_type_goes_around(*state, HEARTH_CHECK_FULL);
}

static void health_response_roundtrip(void **state)
{
    struct hearth_message message = {.type = HEARTH_MSG_health_response};
    message.as.health_response.check_type = HEARTH_CHECK_FULL;
    message.as.health_response.ok = 1;
    message.as.health_response.accepting_requests = 1;
    message.as.health_response.models_loaded = 2;
    message.as.health_response.memory_used_bytes = 1024;
    message.as.health_response.queue_depth = 5;
    message.as.health_response.uptime_secs = 61;
    for (int is_json = 0; is_json < 2; is_json++) {
        struct hearth_message back = through(*state, &message, is_json != 0);
        assert_int_equal(back.as.health_response.ok, 1);
        assert_int_equal(back.as.health_response.accepting_requests, 1);
        assert_int_equal(back.as.health_response.models_loaded, 2);
        assert_int_equal(back.as.health_response.memory_used_bytes, 1024);
        assert_int_equal(back.as.health_response.queue_depth, 5);
        assert_int_equal(back.as.health_response.uptime_secs, 61);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
KIT_MAIN(TEST(handshake_roundtrip), TEST(inference_request_roundtrip),
         TEST(inference_params_serialization), TEST(inference_response_success),
         TEST(inference_response_error), TEST(request_validation_requires_model_id),
         TEST(request_validation_requires_tokens), TEST(health_check_liveness_roundtrip),
         TEST(health_check_readiness_roundtrip), TEST(health_check_full_roundtrip),
         TEST(health_response_roundtrip))
