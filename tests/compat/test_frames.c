#include "kit.h"

#include "hearth_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Frames recorded from an encoder that is not ours (v2_samples.py); the file only ever grows. */
#define FRAMES     "tests/compat/v2_frames.txt"
#define LINE_BYTES 16384

struct recorded {
    char name[64];
    uint8_t bytes[LINE_BYTES / 2];
    size_t size;
};

/* One line: a name, a space, hex digits. */
static bool read_recorded(FILE *file, struct recorded *ret)
{
    static char line[LINE_BYTES];
    if (fgets(line, sizeof line, file) == NULL) {
        return false;
    }
    size_t name_size = HEARTH_MIN(strcspn(line, " "), sizeof ret->name - 1);
    assert_int_equal(line[name_size], ' ');
    memcpy(ret->name, line, name_size);
    ret->name[name_size] = '\0';
    const char *hex = line + name_size + 1;
    ret->size = strcspn(hex, "\n") / 2;
    for (size_t i = 0; i < ret->size; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        char *end;
        ret->bytes[i] = (uint8_t)strtoul(digits, &end, 16);
        assert_int_equal(*end, '\0');
    }
    return true;
}

/* Finds the @nth recorded frame called @name and decodes it. */
static void decode_recorded(const char *name, int nth, struct recorded *room,
                            struct hearth_message *ret)
{
    FILE *file = fopen(FRAMES, "r");
    assert_non_null(file);
    do {
        assert_true(read_recorded(file, room));
        nth -= strcmp(room->name, name) == 0;
    } while (nth > 0);
    fclose(file);
    assert_int_equal(hearth_wire_decode(hearth_slice_of(room->bytes, room->size), ret, NULL), 0);
}

/* Encoded again it is the same bytes, then zeroes for the fields that it did not have. */
static void must_encode_to_itself(const struct hearth_message *message,
                                  const struct recorded *frame)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf again;
    hearth_buf_init(&again, HEARTH_MAX_FRAME_BYTES);
    assert_int_equal(hearth_wire_encode(message, &again), 0);
    assert_in_range(again.size, frame->size, frame->size + 128);
    assert_memory_equal(again.data, frame->bytes, frame->size);
    for (size_t i = frame->size; i < again.size; i++) {
        assert_int_equal(again.data[i], 0);
    }
}

static void every_recorded_frame_decodes_and_encodes_to_itself(void **state)
{
    (void)state;
    static struct recorded frame;
    FILE *file = fopen(FRAMES, "r");
    assert_non_null(file);
    unsigned count = 0;
    while (read_recorded(file, &frame)) {
        struct hearth_message message;
        struct hearth_error err = {0};
        int rc = hearth_wire_decode(hearth_slice_of(frame.bytes, frame.size), &message, &err);
        assert_string_equal(err.text, "");
        assert_int_equal(rc, 0);
        assert_string_equal(hearth_wire_message_layout(message.type)->name, frame.name);
        must_encode_to_itself(&message, &frame);
        count++;
    }
    fclose(file);
    assert_int_equal(count, 69);
}

static void fields_that_an_old_frame_does_not_have_are_zero(void **state)
{
    (void)state;
    static struct recorded frame;
    struct hearth_message message;
    decode_recorded("handshake_ack", 1, &frame, &message);
    assert_int_equal(message.as.handshake_ack.max_frame_bytes, 16u << 20);
    assert_int_equal(message.as.handshake_ack.idle_timeout_ms, 0);
    decode_recorded("handshake_ack", 2, &frame, &message);
    assert_int_equal(message.as.handshake_ack.idle_timeout_ms, 3600000);

    decode_recorded("inference_request", 2, &frame, &message);
    struct hearth_wire_list cursor = message.as.inference_request.texts;
    struct hearth_wire_text text;
    memset(&text, 0xFF, sizeof text);
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_text, &text));
    assert_true(hearth_slice_equals_string(text.text, "one"));
    assert_int_equal(text.tokens.count, 0);
}

static void recorded_token_ids_read_as_they_were_meant(void **state)
{
    (void)state;
    static struct recorded frame;
    struct hearth_message message;
    uint32_t ids[3];
    decode_recorded("inference_request", 3, &frame, &message);
    struct hearth_wire_list cursor = message.as.inference_request.texts;
    struct hearth_wire_text text;
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_text, &text));
    assert_int_equal(text.tokens.count, 3);
    hearth_wire_copy_u32s(text.tokens, ids, 3);
    assert_true(ids[0] == 1 && ids[1] == 0 && ids[2] == UINT32_MAX);
}

static void a_recorded_chat_request_reads_as_it_was_meant(void **state)
{
    (void)state;
    static struct recorded frame;
    struct hearth_message message;
    decode_recorded("inference_request", 1, &frame, &message);
    const struct hearth_wire_inference_request *request = &message.as.inference_request;
    assert_int_equal(request->request_id, 42);
    assert_int_equal(request->task, HEARTH_TASK_CHAT);
    assert_int_equal(request->priority, HEARTH_HIGH);
    assert_int_equal(request->flags, HEARTH_FLAG_STREAM);
    assert_true(request->temperature == 0.5f && request->top_p == 0.75f);
    assert_true(request->seed == UINT64_MAX);
    struct hearth_wire_list cursor = request->messages;
    struct hearth_wire_chat_message turn;
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_chat_message, &turn));
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_chat_message, &turn));
    assert_int_equal(turn.role, HEARTH_ROLE_USER);
    assert_true(hearth_slice_equals_string(turn.content, "Grüße 👋"));
    assert_false(hearth_wire_next(&cursor, HEARTH_RECORD_chat_message, &turn));
}

static void a_recorded_answer_reads_as_it_was_meant(void **state)
{
    (void)state;
    static struct recorded frame;
    struct hearth_message message;
    decode_recorded("inference_response", 1, &frame, &message);
    const struct hearth_wire_inference_response *response = &message.as.inference_response;
    assert_int_equal(response->prompt_tokens, 519);
    struct hearth_wire_list cursor = response->results;
    struct hearth_wire_result result;
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_result, &result));
    struct hearth_wire_label label;
    assert_true(hearth_wire_next(&result.labels, HEARTH_RECORD_label, &label));
    assert_true(hearth_slice_equals_string(label.name, "alarm") && label.score == 0.75f);
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_result, &result));
    float vector[4];
    assert_int_equal(result.vector.count, 4);
    hearth_wire_copy_floats(result.vector, vector, 4);
    assert_true(vector[0] == 0.5f && vector[1] == -0.25f && vector[3] == 1.0f);
}

static void recorded_tensors_read_as_they_were_meant(void **state)
{
    (void)state;
    static struct recorded frame;
    struct hearth_message message;
    decode_recorded("inference_request", 7, &frame, &message);
    const struct hearth_wire_inference_request *request = &message.as.inference_request;
    assert_int_equal(request->task, HEARTH_TASK_TENSORS);
    assert_int_equal(request->flags, HEARTH_FLAG_MEMFDS);
    struct hearth_wire_list cursor = request->tensors;
    struct hearth_wire_tensor tensor;
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &tensor));
    uint32_t shape[2];
    float data[2];
    assert_int_equal(tensor.type, HEARTH_TENSOR_FLOAT32);
    assert_int_equal(tensor.shape.count, 2);
    hearth_wire_copy_u32s(tensor.shape, shape, 2);
    assert_true(shape[0] == 1 && shape[1] == 2);
    assert_int_equal(tensor.data.size, sizeof data);
    memcpy(data, tensor.data.data, sizeof data);
    assert_true(data[0] == 0.5f && data[1] == -2.0f);
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &tensor));
    assert_int_equal(tensor.memfd_bytes, 8u << 20);
    assert_int_equal(tensor.data.size, 0);
}

KIT_MAIN(cmocka_unit_test(every_recorded_frame_decodes_and_encodes_to_itself),
         cmocka_unit_test(fields_that_an_old_frame_does_not_have_are_zero),
         cmocka_unit_test(recorded_token_ids_read_as_they_were_meant),
         cmocka_unit_test(a_recorded_chat_request_reads_as_it_was_meant),
         cmocka_unit_test(recorded_tensors_read_as_they_were_meant),
         cmocka_unit_test(a_recorded_answer_reads_as_it_was_meant))
