/* fuzz_wire_json.c — any bytes → V1 (JSON), and any message of V2 → V1.
 *
 * What is accepted as JSON can be written in V2 and in V1, and each comes back as the same message.
 * What V2 accepts and V1 has can be written as JSON, and comes back as the same JSON. */

#include "hearth_wire.h"

#include <math.h>

#define ROOM_BYTES (32u << 20)

int hearth_fuzz_wire_json(const uint8_t *data, size_t size);

/* One message with what it lives in. */
struct copy {
    struct hearth_json_room room;
    struct hearth_buf binary;
    struct hearth_buf json;
    struct hearth_message message;
};

static void copy_init(struct copy *copy)
{
    hearth_json_room_init(&copy->room, ROOM_BYTES);
    hearth_buf_init(&copy->binary, HEARTH_MAX_FRAME_BYTES);
    hearth_buf_init(&copy->json, 2 * HEARTH_MAX_FRAME_BYTES);
}

static void copy_finish(struct copy *copy)
{
    hearth_json_room_finish(&copy->room);
    hearth_buf_finish(&copy->binary);
    hearth_buf_finish(&copy->json);
}

/* Writes the message in both encodings, which what was decoded from either must allow. */
static void write_both(struct copy *copy)
{
    struct hearth_json_room room;
    hearth_json_room_init(&room, ROOM_BYTES);
    HEARTH_ASSERT(hearth_wire_encode(&copy->message, &copy->binary) == 0);
    HEARTH_ASSERT(hearth_json_encode(&copy->message, &room, &copy->json) == 0);
    HEARTH_ASSERT(hearth_wire_is_json(hearth_buf_slice(&copy->json)));
    hearth_json_room_finish(&room);
}

static void must_be_equal(const struct copy *one, const struct copy *other)
{
    HEARTH_ASSERT(hearth_slice_equal(hearth_buf_slice(&one->json), hearth_buf_slice(&other->json)));
    HEARTH_ASSERT(
        hearth_slice_equal(hearth_buf_slice(&one->binary), hearth_buf_slice(&other->binary)));
}

/* The message that was read as JSON, by way of V2 and by way of JSON again. */
static void check_message_of_json(struct copy *first)
{
    struct copy second;
    copy_init(&second);
    write_both(first);
    HEARTH_ASSERT(hearth_wire_decode(hearth_buf_slice(&first->binary), &second.message, NULL) == 0);
    write_both(&second);
    must_be_equal(first, &second);
    copy_finish(&second);
    copy_init(&second);
    HEARTH_ASSERT(hearth_json_decode(hearth_buf_slice(&first->json), &second.room, &second.message,
                                     NULL) == 0);
    write_both(&second);
    must_be_equal(first, &second);
    copy_finish(&second);
}

static void take_json(struct hearth_slice input)
{
    struct copy copy;
    struct hearth_error err = {0};
    copy_init(&copy);
    int rc = hearth_json_decode(input, &copy.room, &copy.message, &err);
    if (rc < 0) {
        HEARTH_ASSERT(rc == err.code && err.text[0] != '\0');
    } else {
        check_message_of_json(&copy);
        if (copy.message.type == HEARTH_MSG_inference_request) {
            rc = hearth_wire_check_request(&copy.message.as.inference_request, &err);
            HEARTH_ASSERT(rc == 0 || rc == err.code);
        }
    }
    copy_finish(&copy);
}

static bool are_biases_finite(struct hearth_wire_list biases)
{
    struct hearth_wire_bias bias;
    bool are_finite = true;
    while (hearth_wire_next(&biases, HEARTH_RECORD_bias, &bias)) {
        are_finite = are_finite && isfinite(bias.bias);
    }
    return are_finite;
}

static bool is_sampling_finite(const struct hearth_wire_inference_request *request)
{
    const float numbers[] = {request->temperature,     request->top_p,
                             request->min_p,           request->repetition_penalty,
                             request->typical_p,       request->frequency_penalty,
                             request->presence_penalty};
    bool are_finite = are_biases_finite(request->logit_bias);
    for (size_t i = 0; i < HEARTH_COUNT(numbers); i++) {
        are_finite = are_finite && isfinite(numbers[i]);
    }
    return are_finite;
}

/* JSON has no bytes that are not text and no number that is not finite. */
static bool is_sayable(const struct hearth_message *message)
{
    if (message->type == HEARTH_MSG_handshake) {
        return hearth_utf8_is_valid(message->as.handshake.token);
    }
    const struct hearth_wire_inference_request *request = &message->as.inference_request;
    return message->type != HEARTH_MSG_inference_request || is_sampling_finite(request);
}

static void take_binary(struct hearth_slice input)
{
    struct copy first;
    struct copy second;
    copy_init(&first);
    copy_init(&second);
    if (hearth_wire_decode(input, &first.message, NULL) == 0) {
        enum hearth_direction direction = hearth_wire_message_layout(first.message.type)->direction;
        bool is_public = direction == HEARTH_TO_DAEMON || direction == HEARTH_TO_CLIENT;
        int rc = hearth_json_encode(&first.message, &second.room, &first.json);
        HEARTH_ASSERT(is_public || rc < 0);
        if (is_public && is_sayable(&first.message)) {
            HEARTH_ASSERT(rc == 0);
            rc = hearth_json_decode(hearth_buf_slice(&first.json), &second.room, &second.message,
                                    NULL);
            HEARTH_ASSERT(rc == 0);
            write_both(&second);
            HEARTH_ASSERT(
                hearth_slice_equal(hearth_buf_slice(&first.json), hearth_buf_slice(&second.json)));
        }
    }
    copy_finish(&first);
    copy_finish(&second);
}

int hearth_fuzz_wire_json(const uint8_t *data, size_t size)
{
    struct hearth_slice input = hearth_slice_of(data, size);
    if (size > 0 && data[0] < 64) {
        take_binary(
            input); /* the number of a message of V2; JSON begins with a space at the least */
    } else {
        take_json(input);
    }
    return 0;
}
