#include "kit.h"

#include "hearth_wire.h"

#include <string.h>

static void append(struct hearth_buf *buf, const void *data, size_t size)
{
    assert_int_equal(hearth_buf_append(buf, data, size), 0);
}

static void append_u32(struct hearth_buf *buf, uint32_t value)
{
    uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                        (uint8_t)(value >> 24)};
    append(buf, bytes, 4);
}

/* A load_request by hand: 12, 0, request_id 7, model_id. */
static void build_load(struct hearth_buf *buf, const char *model_id, size_t size)
{
    append(buf, "\x0c\0\0\0\x07\0\0\0\0\0\0\0", 12);
    append_u32(buf, (uint32_t)size);
    append(buf, model_id, size);
}

static void a_name_over_its_limit_keeps_the_request_answerable(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 4096);
    char name[HEARTH_MAX_MODEL_ID_BYTES + 1];
    memset(name, 'n', sizeof name);
    build_load(&frame, name, sizeof name);

    struct hearth_message message;
    struct hearth_error err;
    int rc = hearth_wire_decode(hearth_buf_slice(&frame), &message, &err);

    assert_int_equal(rc, HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE, "load_request.model_id: 129 bytes, the limit is 128");
    assert_int_equal(message.type, HEARTH_MSG_load_request);
    assert_int_equal(message.as.load_request.request_id, 7);
    assert_int_equal(message.as.load_request.model_id.size, 0);
}

static void a_name_at_its_limit_is_taken(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 4096);
    char name[HEARTH_MAX_MODEL_ID_BYTES];
    memset(name, 'n', sizeof name);
    build_load(&frame, name, sizeof name);
    struct hearth_message message;
    assert_int_equal(hearth_wire_decode(hearth_buf_slice(&frame), &message, NULL), 0);
    assert_int_equal(message.as.load_request.model_id.size, sizeof name);
}

static void text_that_is_not_utf8_is_refused_by_place(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 4096);
    build_load(&frame, "ab\xff", 3);
    struct hearth_message message;
    struct hearth_error err;
    int rc = hearth_wire_decode(hearth_buf_slice(&frame), &message, &err);
    assert_int_equal(rc, HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID,
                     "load_request.model_id: not valid UTF-8 at byte 2 of 3");
    assert_int_equal(message.as.load_request.request_id, 7);
}

static void a_soft_failure_does_not_hide_a_broken_frame(void **state)
{
    (void)state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
    hearth_buf_init(&frame, 4096);
    /* load_response: the error text is not UTF-8 and half of worker_pid is missing. */
    append(&frame, "\x0d\0\0\0\x07\0\0\0\0\0\0\0\0\0", 14);
    append_u32(&frame, 1);
    append(&frame, "\xff\0\0", 3);
    struct hearth_message message;
    struct hearth_error err;
    assert_int_equal(hearth_wire_decode(hearth_buf_slice(&frame), &message, &err),
                     HEARTH_E_MALFORMED);
    KIT_ASSERT_ERROR(err, HEARTH_E_MALFORMED, "load_response.worker_pid: 4 bytes wanted, 2 left");
}

static void a_number_over_its_limit_is_refused(void **state)
{
    (void)state;
    struct hearth_message message;
    struct hearth_error err;
    int rc = hearth_wire_decode(hearth_slice_of("\x08\0\0\0\x03", 5), &message, &err);
    assert_int_equal(rc, HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID,
                     "health_check.check_type: 3, the largest value is 2");
    assert_int_equal(hearth_wire_decode(hearth_slice_of("\x08\0\0\0\x02", 5), &message, &err), 0);
}

/* A request with @count texts, one of them of @bytes bytes. */
static void build_request(struct hearth_message *message, struct hearth_wire_text *texts,
                          uint32_t count, const char *content, size_t bytes)
{
    *message = (struct hearth_message){.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *request = &message->as.inference_request;
    hearth_wire_default_request(request);
    request->request_id = 1;
    request->model_id = hearth_slice_of_string("tiny");
    for (uint32_t i = 0; i < count; i++) {
        texts[i].text = hearth_slice_of(content, bytes);
    }
    request->texts = (struct hearth_wire_list){.count = count, .items = texts};
}

static void encode_and_check_refuse_what_decode_would(void **state)
{
    (void)state;
    static char content[HEARTH_MAX_TEXT_BYTES + 1];
    memset(content, 'x', sizeof content);
    static struct hearth_wire_text texts[HEARTH_MAX_BATCH + 1];
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, HEARTH_MAX_FRAME_BYTES);
    struct hearth_message message;
    struct hearth_error err;

    build_request(&message, texts, HEARTH_MAX_BATCH, content, HEARTH_MAX_TEXT_BYTES);
    assert_int_equal(hearth_wire_check_fields(&message, &err), 0);
    assert_int_equal(hearth_wire_encode(&message, &out), 0);
    assert_true(out.size <= HEARTH_MAX_RING_MESSAGE_BYTES);
    hearth_buf_clear(&out);

    build_request(&message, texts, HEARTH_MAX_BATCH + 1, content, 1);
    assert_int_equal(hearth_wire_check_fields(&message, &err), HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE,
                     "inference_request.texts: 33 elements, the limit is 32");
    assert_int_equal(hearth_wire_encode(&message, &out), HEARTH_E_TOO_LARGE);

    build_request(&message, texts, 3, content, 1);
    texts[2].text = hearth_slice_of(content, sizeof content);
    assert_int_equal(hearth_wire_check_fields(&message, &err), HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE,
                     "inference_request.texts[2].text: 65537 bytes, the limit is 65536");
    assert_int_equal(hearth_wire_encode(&message, &out), HEARTH_E_TOO_LARGE);
    assert_int_equal(out.size, 0);

    texts[2].text = hearth_slice_of("\xc3", 1);
    assert_int_equal(hearth_wire_check_fields(&message, &err), HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID,
                     "inference_request.texts[2].text: not valid UTF-8 at byte 0 of 1");
}

static void decode_refuses_a_batch_of_33(void **state)
{
    (void)state;
    /* The count sits behind the header, request_id, task, priority, flags, timeout and model_id. */
    static struct hearth_wire_text texts[HEARTH_MAX_BATCH];
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, HEARTH_MAX_FRAME_BYTES);
    struct hearth_message message;
    build_request(&message, texts, HEARTH_MAX_BATCH, "x", 1);
    assert_int_equal(hearth_wire_encode(&message, &out), 0);
    const size_t list_at = 4 + 8 + 1 + 1 + 2 + 4 + (4 + 4);
    /* Its size, a text of 1 byte, no token ids, no pair. */
    const size_t record_bytes = 4 + (4 + 1) + 4 + 4;
    size_t after = list_at + 8 + HEARTH_MAX_BATCH * record_bytes;

    HEARTH_AUTO(hearth_buf) struct hearth_buf more;
    hearth_buf_init(&more, HEARTH_MAX_FRAME_BYTES);
    append(&more, out.data, list_at);
    append_u32(&more, HEARTH_MAX_BATCH + 1);
    append_u32(&more, (uint32_t)((HEARTH_MAX_BATCH + 1) * record_bytes));
    append(&more, out.data + list_at + 8, HEARTH_MAX_BATCH * record_bytes);
    append(&more, out.data + list_at + 8, record_bytes);
    append(&more, out.data + after, out.size - after);

    struct hearth_error err;
    assert_int_equal(hearth_wire_decode(hearth_buf_slice(&more), &message, &err),
                     HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(err, HEARTH_E_TOO_LARGE,
                     "inference_request.texts: 33 elements, the limit is 32");
    assert_int_equal(message.as.inference_request.request_id, 1);
}

static void a_count_that_the_bytes_cannot_hold_costs_nothing(void **state)
{
    (void)state;
    static const uint8_t frame[] = {5, 0, 0,    0,    9,    0,    0, 0, 0, 0,
                                    0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0};
    struct hearth_message message;
    assert_int_equal(hearth_wire_decode(hearth_slice_of(frame, sizeof frame), &message, NULL),
                     HEARTH_E_MALFORMED);
}

static void floats_survive_an_odd_address(void **state)
{
    (void)state;
    const float in[3] = {1.5f, -2.25f, 3e-20f};
    uint8_t bytes[13];
    memcpy(bytes + 1, in, sizeof in);
    float out[3] = {0};
    hearth_wire_copy_floats((struct hearth_wire_f32s){bytes + 1, 3}, out, 3);
    assert_memory_equal(out, in, sizeof in);
}

static void numbers_of_a_newer_peer_have_a_word(void **state)
{
    (void)state;
    assert_string_equal(hearth_task_name(HEARTH_TASK_CHAT), "chat");
    assert_string_equal(hearth_priority_name(HEARTH_CRITICAL), "critical");
    assert_string_equal(hearth_role_name(HEARTH_ROLE_ASSISTANT), "assistant");
    assert_string_equal(hearth_engine_name(HEARTH_ENGINE_GGUF), "gguf");
    assert_string_equal(hearth_finish_name(HEARTH_FINISH_MAX_TOKENS), "max_tokens");
    assert_string_equal(hearth_model_state_name(HEARTH_MODEL_RESTARTING), "restarting");
    assert_string_equal(hearth_model_state_name((enum hearth_model_state)200), "unknown");
    assert_string_equal(hearth_engine_name((enum hearth_engine_kind)3), "unknown");
    assert_string_equal(hearth_task_name(HEARTH_TASK_TENSORS), "tensors");
    assert_string_equal(hearth_vector_type_name(HEARTH_VECTOR_INT8), "int8");
    assert_string_equal(hearth_vector_type_name((enum hearth_vector_type)3), "unknown");
    assert_string_equal(hearth_tensor_type_name(HEARTH_TENSOR_FLOAT32), "float32");
    assert_string_equal(hearth_tensor_type_name(HEARTH_TENSOR_UINT64), "uint64");
    assert_string_equal(hearth_tensor_type_name((enum hearth_tensor_type)14), "unknown");
}

KIT_MAIN(cmocka_unit_test(a_name_over_its_limit_keeps_the_request_answerable),
         cmocka_unit_test(a_name_at_its_limit_is_taken),
         cmocka_unit_test(text_that_is_not_utf8_is_refused_by_place),
         cmocka_unit_test(a_soft_failure_does_not_hide_a_broken_frame),
         cmocka_unit_test(a_number_over_its_limit_is_refused),
         cmocka_unit_test(encode_and_check_refuse_what_decode_would),
         cmocka_unit_test(decode_refuses_a_batch_of_33),
         cmocka_unit_test(a_count_that_the_bytes_cannot_hold_costs_nothing),
         cmocka_unit_test(floats_survive_an_odd_address),
         cmocka_unit_test(numbers_of_a_newer_peer_have_a_word))
