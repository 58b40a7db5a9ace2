#include "kit.h"

#include "hearth_wire.h"

#include <stdio.h>
#include <string.h>

/* Base64 as it stands in a message. The expectations are those of RFC 4648, and the reasoning that
 * a run of bytes has exactly one text: what is read must be what would be written. */

#define BEFORE "{\"type\":\"inference_request\",\"tensors\":[{\"data\":\""
#define BEHIND "\"}]}"

struct base64_world {
    struct hearth_json_room room;
    struct hearth_message message;
    struct hearth_error err;
};

static int setup(void **state)
{
    static struct base64_world world;
    memset(&world, 0, sizeof world);
    hearth_json_room_init(&world.room, HEARTH_JSON_ROOM_BYTES);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct base64_world *w = *state;
    hearth_json_room_finish(&w->room);
    return 0;
}

/* The bytes that @text stands for live in the room. */
static int read_base64(struct base64_world *w, const char *text, size_t size,
                       struct hearth_slice *ret)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf json;
    hearth_buf_init(&json, 1u << 24);
    assert_int_equal(hearth_buf_append(&json, BEFORE, strlen(BEFORE)), 0);
    assert_int_equal(hearth_buf_append(&json, text, size), 0);
    assert_int_equal(hearth_buf_append(&json, BEHIND, strlen(BEHIND)), 0);
    int rc = hearth_json_decode(hearth_buf_slice(&json), &w->room, &w->message, &w->err);
    struct hearth_wire_list cursor = w->message.as.inference_request.tensors;
    struct hearth_wire_tensor tensor = {0};
    if (rc == 0) {
        assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &tensor));
    }
    *ret = tensor.data;
    return rc;
}

static void assert_text_of(const void *data, size_t size, const char *wanted)
{
    struct hearth_wire_result result = {.packed = hearth_slice_of(data, size)};
    struct hearth_message message = {.type = HEARTH_MSG_stream_chunk};
    message.as.stream_chunk.results = (struct hearth_wire_list){.count = 1, .items = &result};
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, HEARTH_MAX_FRAME_BYTES);
    assert_int_equal(hearth_json_encode(&message, NULL, &out), 0);
    assert_int_equal(hearth_buf_append(&out, "", 1), 0);
    char member[64];
    snprintf(member, sizeof member, "\"packed\":\"%s\"", wanted);
    assert_non_null(strstr((const char *)out.data, member));
}

static void the_vectors_of_the_rfc_hold_both_ways(void **state)
{
    static const char *const pairs[][2] = {{"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xfb\xff\xfe", "+//+"},
                                           {"\x01\x02\x03", "AQID"}};
    for (size_t i = 0; i < HEARTH_COUNT(pairs); i++) {
        struct hearth_slice bytes;
        assert_int_equal(read_base64(*state, pairs[i][1], strlen(pairs[i][1]), &bytes), 0);
        assert_true(hearth_slice_equals_string(bytes, pairs[i][0]));
        assert_text_of(pairs[i][0], strlen(pairs[i][0]), pairs[i][1]);
    }
    struct hearth_slice bytes;
    assert_int_equal(read_base64(*state, "", 0, &bytes), 0);
    assert_int_equal(bytes.size, 0);
}

static void what_is_not_quite_base64_is_refused(void **state)
{
    struct base64_world *w = *state;
    static const char *const texts[] = {
        "Z",          "Zg",          "Zg=",      "Zm9",      "=",    "==",    "===",
        "====",       "Z===",        "Zg==Zg==", "Zm8=Zg==", "Zg=a", "=g==",  "Z=g=",
        " Zg==",      "Zg== ",       "Zm 9v",    "Zm9v\\n",  "Zm9-", "Zm9_",  "Zm9.",
        "Zm9\\u0000", "Zm9\xc3\xa9", "Zh==",     "Zn==",     "Zm9=", "ZmA1=", "Zg===="};
    for (size_t i = 0; i < HEARTH_COUNT(texts); i++) {
        struct hearth_slice bytes;
        int rc = read_base64(w, texts[i], strlen(texts[i]), &bytes);
        if (rc != HEARTH_E_INPUT_INVALID) {
            fail_msg("%s: %d", texts[i], rc);
        }
        KIT_ASSERT_ERROR(w->err, HEARTH_E_INPUT_INVALID, "tensors[0].data: base64 with padding");
    }
}

/* Of the 64^2 texts "xx==" those with four zeros at the end stand for a byte each: 256. Of the 64^3
 * texts "xxx=" those with two: 65536 (here: one first digit, so 1024). */
static void each_run_of_bytes_has_one_text(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t singles = 0;
    size_t pairs = 0;
    for (size_t i = 0; i < 64 * 64; i++) {
        struct hearth_slice bytes;
        char single[] = {digits[i / 64], digits[i % 64], '=', '='};
        char pair[] = {'Q', digits[i / 64], digits[i % 64], '='};
        singles += read_base64(*state, single, 4, &bytes) == 0;
        pairs += read_base64(*state, pair, 4, &bytes) == 0;
    }
    assert_int_equal(singles, 256);
    assert_int_equal(pairs, 1024);
}

static void no_other_byte_is_a_digit(void **state)
{
    for (unsigned byte = 0x20; byte < 0x7f; byte++) { /* others are no text of one byte */
        bool is_digit = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                        (byte >= '0' && byte <= '9') || byte == '+' || byte == '/';
        for (size_t at = 0; at < 4 && byte != '"' && byte != '\\'; at++) {
            char text[] = "QQQQ";
            text[at] = (char)byte;
            struct hearth_slice bytes;
            int rc = read_base64(*state, text, 4, &bytes);
            bool is_padding = byte == '=' && at == 3; /* QQQ= is two bytes */
            assert_int_equal(rc, is_digit || is_padding ? 0 : HEARTH_E_INPUT_INVALID);
        }
    }
}

static void the_limit_counts_bytes_and_not_digits(void **state)
{
    struct base64_world *w = *state;
    size_t digits = (HEARTH_MAX_TENSOR_BYTES + 2) / 3 * 4; /* 2 bytes over a multiple of three */
    char *text = hearth_alloc(digits + 4, 1);
    assert_non_null(text);
    memset(text, 'A', digits + 4);
    text[digits - 1] = '=';
    struct hearth_slice bytes;
    /* The room of a daemon reads frames of HEARTH_MAX_JSON_BYTES only; this one is for the test. */
    hearth_json_room_finish(&w->room);
    hearth_json_room_init(&w->room, 64u << 20);
    assert_int_equal(HEARTH_MAX_TENSOR_BYTES % 3, 2);
    assert_int_equal(read_base64(w, text, digits, &bytes), 0);
    assert_int_equal(bytes.size, HEARTH_MAX_TENSOR_BYTES);
    text[digits - 1] = 'A';
    assert_int_equal(read_base64(w, text, digits, &bytes), HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_TOO_LARGE, "data: 2097153 bytes, the limit is 2097152");
    hearth_free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

KIT_MAIN(TEST(the_vectors_of_the_rfc_hold_both_ways), TEST(what_is_not_quite_base64_is_refused),
         TEST(each_run_of_bytes_has_one_text), TEST(no_other_byte_is_a_digit),
         TEST(the_limit_counts_bytes_and_not_digits))
