#include "kit.h"

#include "hearth_wire.h"

#include <stdio.h>
#include <string.h>

/* Every way in which JSON can be wrong has one outcome, and a text that names the member and not
 * what was in it. */

#define REQUEST "{\"type\":\"inference_request\",\"request_id\":7,"

struct refusal {
    const char *json;
    int code;
    const char *text; /* a part of it */
};

static const struct refusal no_json[] = {
    {"{", HEARTH_E_MALFORMED, "message: no JSON: "},
    {"", HEARTH_E_MALFORMED, "message: is empty"},
    {"{\"type\":\"models_request\"} x", HEARTH_E_MALFORMED, "content after document at byte 26"},
    {"{\"type\":\"models_request\"}{}", HEARTH_E_MALFORMED, "content after document at byte 25"},
    {"{\"type\":\"models_request\",}", HEARTH_E_MALFORMED, "message: no JSON: "},
    {"{'type':'models_request'}", HEARTH_E_MALFORMED, "message: no JSON: "},
    {"{\"type\":\"models_request\",\"x\":NaN}", HEARTH_E_MALFORMED, "message: no JSON: "},
    {"{\"type\":\"models_request\",\"x\":01}", HEARTH_E_MALFORMED, "message: no JSON: "},
    {"{\"type\":\"models_request\",\"x\":\"\xff\"}", HEARTH_E_MALFORMED, "UTF-8"},
    {"{\"type\":\"models_request\",\"x\":\"\xc0\x80\"}", HEARTH_E_MALFORMED, "UTF-8"},
    {"{\"type\":\"models_request\",\"x\":\"\xed\xa0\x80\"}", HEARTH_E_MALFORMED, "UTF-8"},
    {"{\"type\":\"models_request\",\"x\":\"\\ud800\"}", HEARTH_E_MALFORMED, "message: no JSON: "},
    {"{\"type\":\"models_request\",\"x\":\"\\udc00\"}", HEARTH_E_MALFORMED, "message: no JSON: "},
    {"{\"type\":\"models_request\",\"x\":\"\n\"}", HEARTH_E_MALFORMED, "message: no JSON: "},
};

static const struct refusal no_message[] = {
    {"[]", HEARTH_E_MALFORMED, "message: no object with a known \"type\""},
    {"7", HEARTH_E_MALFORMED, "message: no object with a known \"type\""},
    {"{}", HEARTH_E_MALFORMED, "message: no object with a known \"type\""},
    {"{\"type\":null}", HEARTH_E_MALFORMED, "message: no object with a known \"type\""},
    {"{\"type\":10}", HEARTH_E_MALFORMED, "message: no object with a known \"type\""},
    {"{\"type\":\"Models_request\"}", HEARTH_E_MALFORMED, "known \"type\""},
    {"{\"type\":\"models_request\\u0000\"}", HEARTH_E_MALFORMED, "known \"type\""},
    {"{\"type\":\"spawn_request\"}", HEARTH_E_MALFORMED, "known \"type\""},
    {"{\"type\":\"models_request\",\"type\":\"models_request\"}", HEARTH_E_MALFORMED,
     "message: \"type\" is there twice"},
};

static const struct refusal wrong_types[] = {
    {REQUEST "\"model_id\":5}", HEARTH_E_MALFORMED,
     "inference_request.model_id: a string is wanted"},
    {REQUEST "\"timeout_ms\":\"5\"}", HEARTH_E_MALFORMED,
     "inference_request.timeout_ms: a number is wanted"},
    {REQUEST "\"temperature\":\"hot\"}", HEARTH_E_MALFORMED,
     "inference_request.temperature: a number is wanted"},
    {REQUEST "\"parameters\":[]}", HEARTH_E_MALFORMED,
     "inference_request.parameters: an object is wanted"},
    {REQUEST "\"stream\":1}", HEARTH_E_MALFORMED, "inference_request.stream: true or false"},
    {REQUEST "\"prompt\":[1]}", HEARTH_E_MALFORMED, "inference_request.prompt: a string is wanted"},
    {REQUEST "\"prompt_tokens\":\"1\"}", HEARTH_E_MALFORMED,
     "inference_request.prompt_tokens: an array of numbers is wanted"},
    {REQUEST "\"prompt_tokens\":[1,\"2\"]}", HEARTH_E_MALFORMED,
     "inference_request.prompt_tokens: an array of numbers is wanted"},
    {REQUEST "\"prompt_tokens\":[null]}", HEARTH_E_MALFORMED,
     "inference_request.prompt_tokens: an array of numbers is wanted"},
    {REQUEST "\"texts\":\"x\"}", HEARTH_E_MALFORMED, "inference_request.texts: an array is wanted"},
    {REQUEST "\"texts\":{\"x\":1}}", HEARTH_E_MALFORMED, "inference_request.texts: an array"},
    {REQUEST "\"texts\":[\"a\",5]}", HEARTH_E_MALFORMED,
     "inference_request.texts[1].text: a string is wanted"},
    {REQUEST "\"messages\":[\"hi\"]}", HEARTH_E_MALFORMED,
     "inference_request.messages[0]: an object is wanted"},
    {REQUEST "\"messages\":[{\"role\":[],\"content\":\"x\"}]}", HEARTH_E_MALFORMED,
     "inference_request.messages[0].role: a number is wanted"},
    {REQUEST "\"tensors\":[{\"data\":[1,2]}]}", HEARTH_E_MALFORMED,
     "inference_request.tensors[0].data: a string of base64 is wanted"},
    {"{\"type\":\"model_response\",\"facts\":{\"a\":5}}", HEARTH_E_MALFORMED,
     "model_response.facts[0].value: a string is wanted"},
    {"{\"type\":\"handshake\",\"token\":5}", HEARTH_E_MALFORMED, "handshake.token: a string"},
};

static const struct refusal wrong_values[] = {
    {REQUEST "\"timeout_ms\":-1}", HEARTH_E_INPUT_INVALID,
     "inference_request.timeout_ms: a whole number from 0 to 86400000 is wanted"},
    {REQUEST "\"timeout_ms\":1.5}", HEARTH_E_INPUT_INVALID, "timeout_ms: a whole number"},
    {REQUEST "\"timeout_ms\":1.0}", HEARTH_E_INPUT_INVALID, "timeout_ms: a whole number"},
    {REQUEST "\"timeout_ms\":1e400}", HEARTH_E_INPUT_INVALID, "timeout_ms: a whole number"},
    {REQUEST "\"timeout_ms\":86400001}", HEARTH_E_INPUT_INVALID, "timeout_ms: a whole number"},
    {REQUEST "\"top_k\":4294967296}", HEARTH_E_INPUT_INVALID, "from 0 to 4294967295 is wanted"},
    {REQUEST "\"seed\":18446744073709551616}", HEARTH_E_INPUT_INVALID,
     "from 0 to 18446744073709551615 is wanted"},
    {REQUEST "\"priority\":4}", HEARTH_E_INPUT_INVALID, "inference_request.priority: a whole"},
    {REQUEST "\"priority\":\"urgent\"}", HEARTH_E_INPUT_INVALID,
     "inference_request.priority: wanted is low, normal, high or critical"},
    {REQUEST "\"task\":\"Embed\"}", HEARTH_E_INPUT_INVALID,
     "inference_request.task: wanted is classify, embed, generate, chat, rerank, entities, "
     "tensors or choice"},
    {REQUEST "\"vector_type\":\"f16\"}", HEARTH_E_INPUT_INVALID,
     "inference_request.vector_type: wanted is float32, float16 or int8"},
    {REQUEST "\"parameters\":{\"normalize\":\"maybe\"}}", HEARTH_E_INPUT_INVALID,
     "inference_request.normalize: wanted is default, yes or no"},
    {REQUEST "\"tensors\":[{\"type\":\"float\"}]}", HEARTH_E_INPUT_INVALID,
     "inference_request.tensors[0].type: wanted is undefined, float32, uint8, int8, uint16, int16, "
     "int32, int64, string, bool, float16, float64, uint32 or uint64"},
    {REQUEST "\"tensors\":[{\"data\":\"AAA\"}]}", HEARTH_E_INPUT_INVALID,
     "inference_request.tensors[0].data: base64 with padding is wanted (RFC 4648)"},
    {REQUEST "\"tensors\":[{\"memfd_bytes\":1073741825}]}", HEARTH_E_INPUT_INVALID,
     "inference_request.tensors[0].memfd_bytes: a whole number from 0 to 1073741824"},
    {REQUEST "\"temperature\":null}", HEARTH_E_INPUT_INVALID,
     "inference_request.temperature: a number is wanted, not null"},
    {REQUEST "\"temperature\":1e39}", HEARTH_E_INPUT_INVALID,
     "inference_request.temperature: the number is too large"},
    {REQUEST "\"temperature\":-1e400}", HEARTH_E_INPUT_INVALID,
     "inference_request.temperature: the number is too large"},
    {REQUEST "\"prompt_tokens\":[1,-2]}", HEARTH_E_INPUT_INVALID,
     "inference_request.prompt_tokens: whole numbers from 0 to 4294967295 are wanted"},
    {REQUEST "\"prompt_tokens\":[4294967296]}", HEARTH_E_INPUT_INVALID, "whole numbers from 0"},
    {REQUEST "\"prompt_tokens\":[1.0]}", HEARTH_E_INPUT_INVALID, "whole numbers from 0"},
    {REQUEST "\"prompt_tokens\":[99999999999999999999]}", HEARTH_E_INPUT_INVALID, "whole numbers"},
    {REQUEST "\"texts\":[\"a\"]}", HEARTH_E_INPUT_INVALID,
     "inference_request.task: is missing, texts do not tell it"},
    {REQUEST "\"messages\":[{\"content\":\"x\"}]}", HEARTH_E_INPUT_INVALID,
     "inference_request.messages[0].role: is missing"},
    {REQUEST "\"request_id\":7}", HEARTH_E_INPUT_INVALID,
     "inference_request.request_id: is there twice"},
    {REQUEST "\"top_k\":1,\"parameters\":{\"top_k\":1}}", HEARTH_E_INPUT_INVALID,
     "inference_request.top_k: is there twice"},
    {REQUEST "\"stream\":true,\"stream\":true}", HEARTH_E_INPUT_INVALID, "stream: is there twice"},
    {REQUEST "\"prompt\":\"a\",\"prompt_tokens\":[1]}", HEARTH_E_INPUT_INVALID,
     "inference_request.prompt_tokens: is there twice"},
    {REQUEST "\"prompt\":\"a\",\"task\":\"embed\",\"texts\":[]}", HEARTH_E_INPUT_INVALID,
     "inference_request.texts: is there twice"},
    {REQUEST "\"parameters\":{},\"parameters\":{}}", HEARTH_E_INPUT_INVALID,
     "inference_request.parameters: is there twice"},
    {"{\"type\":\"health_check\",\"check_type\":\"full\"}", HEARTH_E_INPUT_INVALID,
     "health_check.check_type: wanted is Liveness, Readiness or Full"},
    {"{\"type\":\"handshake\",\"protocol_version\":\"2\"}", HEARTH_E_INPUT_INVALID,
     "handshake.protocol_version: V1 or V2 is wanted"},
    {"{\"type\":\"handshake\",\"protocol_version\":\"V65536\"}", HEARTH_E_INPUT_INVALID,
     "handshake.protocol_version: V1 or V2 is wanted"},
    {"{\"type\":\"handshake\",\"protocol_version\":\"V1x\"}", HEARTH_E_INPUT_INVALID,
     "handshake.protocol_version: V1 or V2 is wanted"},
};

static int decode(struct hearth_slice json, struct hearth_message *ret, struct hearth_error *err)
{
    struct hearth_json_room room;
    hearth_json_room_init(&room, HEARTH_JSON_ROOM_BYTES);
    int rc = hearth_json_decode(json, &room, ret, err);
    hearth_json_room_finish(&room);
    return rc;
}

static void assert_refused(const struct refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct hearth_message message;
        struct hearth_error err = {0};
        int rc = decode(hearth_slice_of_string(refusals[i].json), &message, &err);
        if (rc != refusals[i].code || strstr(err.text, refusals[i].text) == NULL) {
            fail_msg("%s: %d, %s", refusals[i].json, rc, err.text);
        }
        assert_int_equal(err.code, rc);
        if (rc == HEARTH_E_INPUT_INVALID && message.type == HEARTH_MSG_inference_request) {
            assert_int_equal(message.as.inference_request.request_id, 7); /* answerable */
        }
    }
}

static void what_is_no_json_is_malformed(void **state)
{
    (void)state;
    assert_refused(no_json, HEARTH_COUNT(no_json));
}

static void what_is_no_message_is_malformed(void **state)
{
    (void)state;
    assert_refused(no_message, HEARTH_COUNT(no_message));
}

static void a_member_of_the_wrong_type_is_malformed(void **state)
{
    (void)state;
    assert_refused(wrong_types, HEARTH_COUNT(wrong_types));
}

static void a_wrong_value_leaves_the_request_answerable(void **state)
{
    (void)state;
    assert_refused(wrong_values, HEARTH_COUNT(wrong_values));
}

static void append(struct hearth_buf *buf, const char *text)
{
    assert_int_equal(hearth_buf_append(buf, text, strlen(text)), 0);
}

/* start, then @count times @each, then end. */
static int decode_repeated(const char *start, const char *each, size_t count, const char *end,
                           struct hearth_error *err)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf json;
    hearth_buf_init(&json, 32u << 20);
    append(&json, start);
    for (size_t i = 0; i < count; i++) {
        append(&json, each);
    }
    append(&json, end);
    struct hearth_message message;
    return decode(hearth_buf_slice(&json), &message, err);
}

static void limits_are_those_of_the_list(void **state)
{
    (void)state;
    struct hearth_error err;
    const char *start = REQUEST "\"model_id\":\"";
    assert_int_equal(decode_repeated(start, "n", HEARTH_MAX_MODEL_ID_BYTES, "\"}", &err), 0);
    assert_int_equal(decode_repeated(start, "n", HEARTH_MAX_MODEL_ID_BYTES + 1, "\"}", &err),
                     HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE,
                     "inference_request.model_id: 129 bytes, the limit is 128");
    start = REQUEST "\"task\":\"embed\",\"texts\":[\"x\"";
    assert_int_equal(decode_repeated(start, ",\"x\"", HEARTH_MAX_BATCH - 1, "]}", &err), 0);
    assert_int_equal(decode_repeated(start, ",\"x\"", HEARTH_MAX_BATCH, "]}", &err),
                     HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE,
                     "inference_request.texts: 33 elements, the limit is 32");
    start = REQUEST "\"prompt_tokens\":[1";
    assert_int_equal(decode_repeated(start, ",1", HEARTH_MAX_INPUT_TOKENS - 1, "]}", &err), 0);
    assert_int_equal(decode_repeated(start, ",1", HEARTH_MAX_INPUT_TOKENS, "]}", &err),
                     HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE,
                     "inference_request.prompt_tokens: 262145 elements, the limit is 262144");
}

static void an_object_with_too_many_members_is_refused(void **state)
{
    (void)state;
    struct hearth_error err;
    const char *start = REQUEST "\"a\":0";
    assert_int_equal(decode_repeated(start, ",\"a\":0", 125, "}", &err), 0);
    assert_int_equal(decode_repeated(start, ",\"a\":0", 126, "}", &err), HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE, "inference_request: 129 members, the limit is 128");
}

static void depth_ends_at_its_limit(void **state)
{
    (void)state;
    struct hearth_error err;
    const char *start = "{\"type\":\"models_request\",\"x\":";
    assert_int_equal(
        decode_repeated(start, "[", HEARTH_MAX_JSON_DEPTH - 1, "]]]]]]]]]]]]]]]}", &err), 0);
    assert_int_equal(decode_repeated(start, "[", HEARTH_MAX_JSON_DEPTH, "]]]]]]]]]]]]]]]]}", &err),
                     HEARTH_E_MALFORMED);
    KIT_ASSERT_ERROR(err, HEARTH_E_MALFORMED, "inside each other");
    assert_int_equal(decode_repeated("{\"type\":\"models_response\",\"models\":[{\"x\":", "[",
                                     HEARTH_MAX_JSON_DEPTH - 2, "]]]]]]]]]]]]]]}]}", &err),
                     HEARTH_E_MALFORMED);
    assert_int_equal(decode_repeated("", "[", HEARTH_MAX_JSON_BYTES, "", &err), HEARTH_E_MALFORMED);
}

/* The texts of refusals come from a table of words and numbers; none may hold what the client sent.
 */
static void a_refusal_never_quotes_content(void **state)
{
    (void)state;
    static const char *const shapes[] = {
        REQUEST "\"task\":\"SECRET\"}",
        REQUEST "\"SECRET\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}",
        REQUEST "\"prompt\":\"SECRET\",\"x\":}",
        REQUEST "\"prompt\":\"SECRET\",\"prompt\":\"SECRET\"}",
        REQUEST "\"prompt_tokens\":\"SECRET\"}",
        "{\"type\":\"SECRET\"}",
        "{\"type\":\"handshake\",\"protocol_version\":\"SECRET\"}",
        REQUEST "\"prompt\":\"SECRET\\ud800\"}",
        "{\"type\":\"handshake\",\"token\":[\"SECRET\"]}",
        REQUEST "\"tensors\":[{\"data\":\"SECRET!!\"}]}",
    };
    for (size_t i = 0; i < HEARTH_COUNT(shapes); i++) {
        struct hearth_message message;
        struct hearth_error err = {0};
        assert_true(decode(hearth_slice_of_string(shapes[i]), &message, &err) < 0);
        assert_null(strstr(err.text, "SECRET"));
        assert_true(err.text[0] != '\0');
    }
}

static void bytes_that_are_no_text_cannot_be_written(void **state)
{
    (void)state;
    struct hearth_message message = {.type = HEARTH_MSG_handshake};
    message.as.handshake.token = hearth_slice_of("\xff", 1);
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, 4096);
    append(&out, "kept");
    assert_int_equal(hearth_json_encode(&message, NULL, &out), HEARTH_E_INPUT_INVALID);
    assert_int_equal(out.size, 4);
    message.as.handshake.token = hearth_slice_of_string("");
    message.as.handshake.client = hearth_slice_of("\xff", 1);
    assert_int_equal(hearth_json_encode(&message, NULL, &out), HEARTH_E_INPUT_INVALID);
    assert_int_equal(out.size, 4);
}

KIT_MAIN(cmocka_unit_test(what_is_no_json_is_malformed),
         cmocka_unit_test(what_is_no_message_is_malformed),
         cmocka_unit_test(a_member_of_the_wrong_type_is_malformed),
         cmocka_unit_test(a_wrong_value_leaves_the_request_answerable),
         cmocka_unit_test(limits_are_those_of_the_list),
         cmocka_unit_test(an_object_with_too_many_members_is_refused),
         cmocka_unit_test(depth_ends_at_its_limit),
         cmocka_unit_test(a_refusal_never_quotes_content),
         cmocka_unit_test(bytes_that_are_no_text_cannot_be_written))
