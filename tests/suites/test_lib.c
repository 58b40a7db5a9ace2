#include "kit.h"

#include "json.h"

#include <stdio.h>
#include <string.h>

/* The predecessor's token codec V1: ids as an array of decimal numbers. Ours stand in the messages
 * that have ids; expected texts are typed by hand. */

#define ROOM_BYTES (1u << 20)

struct codec {
    struct hearth_json_room room;
    struct hearth_buf out;
    struct hearth_message message;
    struct hearth_error err;
};

static int setup(void **state)
{
    static struct codec codec;
    memset(&codec, 0, sizeof codec);
    hearth_json_room_init(&codec.room, ROOM_BYTES);
    hearth_buf_init(&codec.out, HEARTH_MAX_FRAME_BYTES);
    *state = &codec;
    return 0;
}

static int teardown(void **state)
{
    struct codec *codec = *state;
    hearth_json_room_finish(&codec->room);
    hearth_buf_finish(&codec->out);
    return 0;
}

/* A piece of a stream with these ids, as text. */
static const char *written(struct codec *codec, const uint32_t *ids, uint32_t count)
{
    struct hearth_wire_result result = {.token_ids = {ids, count}};
    struct hearth_message message = {.type = HEARTH_MSG_stream_chunk};
    message.as.stream_chunk.results = (struct hearth_wire_list){.count = 1, .items = &result};
    hearth_buf_clear(&codec->out);
    assert_int_equal(hearth_json_encode(&message, &codec->room, &codec->out), 0);
    assert_int_equal(hearth_buf_append(&codec->out, "", 1), 0);
    return (const char *)codec->out.data;
}

static int read_ids(struct codec *codec, const char *ids)
{
    char text[256];
    snprintf(text, sizeof text,
             "{\"type\":\"inference_request\",\"request_id\":1,\"model_id\":\"m\","
             "\"prompt_tokens\":%s,\"max_tokens\":3}",
             ids);
    return hearth_json_decode(hearth_slice_of_string(text), &codec->room, &codec->message,
                              &codec->err);
}

static void v1_encode_empty(void **state)
{
    /* An empty list says no more than none: the member is left out, and means the same. */
    assert_null(strstr(written(*state, NULL, 0), "token_ids"));
    struct codec *codec = *state;
    const struct hearth_wire_inference_request *request = &codec->message.as.inference_request;
    assert_int_equal(read_ids(codec, "[]"), 0);
    assert_int_equal(hearth_wire_check_request(request, &codec->err), HEARTH_E_INPUT_INVALID);
}

static void v1_encode_single(void **state)
{
    const uint32_t ids[] = {42};
    assert_non_null(strstr(written(*state, ids, 1), "\"token_ids\":[42]"));
}

static void v1_roundtrip(void **state)
{
    static const uint32_t ids[] = {1, 2, 3, 100, 1000, 65535};
    struct codec *codec = *state;
    uint32_t back[HEARTH_COUNT(ids)];
    struct hearth_wire_text text;
    assert_non_null(strstr(written(codec, ids, HEARTH_COUNT(ids)), "[1,2,3,100,1000,65535]"));
    assert_int_equal(read_ids(codec, "[1,2,3,100,1000,65535]"), 0);
    struct hearth_wire_list texts = codec->message.as.inference_request.texts;
    assert_true(hearth_wire_next(&texts, HEARTH_RECORD_text, &text));
    assert_int_equal(text.tokens.count, HEARTH_COUNT(ids));
    hearth_wire_copy_u32s(text.tokens, back, HEARTH_COUNT(ids));
    assert_memory_equal(back, ids, sizeof ids);
}

static void v1_decode_invalid(void **state)
{
    static const char *const wrong[] = {"1,2",  "[1,",          "\"1\"",   "[1.5]",
                                        "[-1]", "[4294967296]", "[\"1\"]", "nothing"};
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        assert_int_not_equal(read_ids(*state, wrong[i]), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
KIT_MAIN(TEST(v1_encode_empty), TEST(v1_encode_single), TEST(v1_roundtrip), TEST(v1_decode_invalid))
