#include "kit.h"

#include "random_messages.h"

/* A copy in memory of exactly its size, so that a sanitizer sees the first byte too far. */
static void *exact_copy(const void *data, size_t size)
{
    void *copy = hearth_alloc(size > 0 ? size : 1, 1);
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

static int decode_cut(const struct hearth_buf *frame, size_t size, struct hearth_message *ret)
{
    void *copy = exact_copy(frame->data, size);
    int rc = hearth_wire_decode(hearth_slice_of(copy, size), ret, NULL);
    hearth_free(copy);
    return rc;
}

static void each_message(struct kit_random *random,
                         void (*holds)(const struct hearth_message *, const struct hearth_buf *,
                                       struct kit_random *))
{
    const struct hearth_layout *layout;
    for (size_t i = 0; (layout = hearth_wire_message_at(i)) != NULL; i++) {
        struct world w = {.random = random};
        hearth_arena_init(&w.arena, WORLD_BYTES);
        struct hearth_message message = {.type = (enum hearth_message_type)layout->number};
        fill_record(&w, layout, &message.as);
        HEARTH_AUTO(hearth_buf) struct hearth_buf frame;
        hearth_buf_init(&frame, HEARTH_MAX_FRAME_BYTES);
        assert_int_equal(hearth_wire_check_fields(&message, NULL), 0);
        assert_int_equal(hearth_wire_encode(&message, &frame), 0);
        assert_int_equal(frame.size, hearth_wire_size(&message));
        holds(&message, &frame, random);
        hearth_arena_finish(&w.arena);
    }
}

static void comes_back(const struct hearth_message *message, const struct hearth_buf *frame,
                       struct kit_random *random)
{
    (void)random;
    struct hearth_message again;
    struct hearth_error err;
    assert_int_equal(hearth_wire_decode(hearth_buf_slice(frame), &again, &err), 0);
    assert_int_equal(again.type, message->type);
    assert_same_record(hearth_wire_message_layout(message->type), &message->as, &again.as);

    HEARTH_AUTO(hearth_buf) struct hearth_buf second;
    hearth_buf_init(&second, HEARTH_MAX_FRAME_BYTES);
    assert_int_equal(hearth_wire_encode(&again, &second), 0);
    assert_true(hearth_slice_equal(hearth_buf_slice(frame), hearth_buf_slice(&second)));
}

static size_t bytes_of_field(const struct hearth_field *field, const void *member);

static size_t bytes_of_fields(const struct hearth_layout *layout, const void *record)
{
    size_t bytes = 0;
    for (size_t i = 0; i < layout->field_count; i++) {
        bytes +=
            bytes_of_field(&layout->fields[i], (const char *)record + layout->fields[i].offset);
    }
    return bytes;
}

/* By the rules at the top of hearth_wire.h, not by those of the codec. */
static size_t bytes_of_field(const struct hearth_field *field, const void *member)
{
    static const uint8_t widths[] = {1, 2, 4, 8, 4};
    if (field->kind <= HEARTH_FIELD_f32) {
        return widths[field->kind];
    }
    if (field->kind == HEARTH_FIELD_str || field->kind == HEARTH_FIELD_bytes) {
        return 4 + ((const struct hearth_slice *)member)->size;
    }
    if (field->kind != HEARTH_FIELD_list) {
        return 4 + 4 * (size_t)((const struct hearth_wire_f32s *)member)->count;
    }
    const struct hearth_wire_list *list = member;
    const struct hearth_layout *layout = hearth_wire_record_layout(field->record);
    size_t bytes = 8;
    for (uint32_t i = 0; i < list->count; i++) {
        bytes += 4 + bytes_of_fields(layout, (const char *)list->items + i * layout->struct_bytes);
    }
    return bytes;
}

static bool is_field_border(const struct hearth_message *message, size_t size)
{
    const struct hearth_layout *layout = hearth_wire_message_layout(message->type);
    size_t border = 4;
    for (size_t i = 0; i < layout->field_count && border < size; i++) {
        border += bytes_of_field(&layout->fields[i],
                                 (const char *)&message->as + layout->fields[i].offset);
    }
    return border == size;
}

/* A message that ends where a field would begin comes from an older peer; any other end is a cut.
 */
static void a_cut_is_malformed_or_zero(const struct hearth_message *message,
                                       const struct hearth_buf *frame, struct kit_random *random)
{
    (void)random;
    for (size_t size = 0; size < frame->size; size++) {
        struct hearth_message ret;
        int rc = decode_cut(frame, size, &ret);
        if (is_field_border(message, size)) {
            assert_int_equal(rc, 0);
        } else {
            assert_int_equal(rc, HEARTH_E_MALFORMED);
        }
    }
}

/* Whatever a flipped byte makes of it, decoding ends with one of its codes and, if it is accepted,
 * gives a message that can be encoded and read again. */
static void a_flipped_byte_is_survived(const struct hearth_message *message,
                                       const struct hearth_buf *frame, struct kit_random *random)
{
    (void)message;
    uint8_t *copy = exact_copy(frame->data, frame->size);
    copy[kit_random_below(random, frame->size)] ^= (uint8_t)kit_random_between(random, 1, 255);
    struct hearth_message ret;
    int rc = hearth_wire_decode(hearth_slice_of(copy, frame->size), &ret, NULL);
    assert_true(rc == 0 || rc == HEARTH_E_MALFORMED || rc == HEARTH_E_TOO_LARGE ||
                rc == HEARTH_E_INPUT_INVALID);
    if (rc == 0) {
        assert_same_record(hearth_wire_message_layout(ret.type), &ret.as, &ret.as);
    }
    hearth_free(copy);
}

static void bytes_of_a_newer_peer_are_skipped(const struct hearth_message *message,
                                              const struct hearth_buf *frame,
                                              struct kit_random *random)
{
    uint8_t *longer = hearth_alloc(frame->size + 16, 1);
    assert_non_null(longer);
    memcpy(longer, frame->data, frame->size);
    kit_random_bytes(random, longer + frame->size, 16);
    struct hearth_message again;
    assert_int_equal(hearth_wire_decode(hearth_slice_of(longer, frame->size + 16), &again, NULL),
                     0);
    assert_same_record(hearth_wire_message_layout(message->type), &message->as, &again.as);
    hearth_free(longer);
}

#define PROPERTY(name)                                                                             \
    static void run_##name(struct kit_random *random, void *context)                               \
    {                                                                                              \
        (void)context;                                                                             \
        each_message(random, name);                                                                \
    }
PROPERTY(comes_back)
PROPERTY(a_cut_is_malformed_or_zero)
PROPERTY(a_flipped_byte_is_survived)
PROPERTY(bytes_of_a_newer_peer_are_skipped)
#undef PROPERTY

static void decode_is_the_inverse_of_encode(void **state)
{
    (void)state;
    kit_property(200, run_comes_back, NULL);
}

static void a_truncation_inside_a_field_is_malformed(void **state)
{
    (void)state;
    kit_property(20, run_a_cut_is_malformed_or_zero, NULL);
}

static void damage_never_breaks_the_decoder(void **state)
{
    (void)state;
    kit_property(400, run_a_flipped_byte_is_survived, NULL);
}

static void unknown_trailing_fields_are_skipped(void **state)
{
    (void)state;
    kit_property(20, run_bytes_of_a_newer_peer_are_skipped, NULL);
}

/* The same inside a list: a record that grew by a field keeps its neighbours readable. */
static void unknown_trailing_fields_of_a_record_are_skipped(void **state)
{
    (void)state;
    static const uint8_t
        frame[] = {5,    0,    0,    0,                        /* stream_chunk */
                   9,    0,    0,    0, 0,   0,   0,   0,      /* request_id 9 */
                   2,    0,    0,    0, 110, 0,   0,   0,      /* 2 results in 110 bytes */
                   73,   0,    0,    0,                        /* a record with 3 bytes more */
                   7,    0,    0,    0, 1,   0,   0,   0,   0, /* index 7, tokens 1, whole */
                   4,    0,    0,    0, 'e', 'i', 'n', 's', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                   0,    0,    0,    0, /* no labels, no vector, no ids */
                   0,    0,    0,    0, 0,   0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                   0,    0,    0,    0, 0,   0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 0, /* no score …
                                                                                          no end */
                   0xAA, 0xBB, 0xCC,                                                   /* ? */
                   29,   0,    0,    0,                        /* one of a peer that knows no ids */
                   8,    0,    0,    0, 2,   0,   0,   0,   1, /* index 8, tokens 2, cut */
                   4,    0,    0,    0, 'z', 'w', 'e', 'i', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct hearth_message message;
    struct hearth_error err = {0};
    assert_int_equal(hearth_wire_decode(hearth_slice_of(frame, sizeof frame), &message, &err), 0);
    struct hearth_wire_list cursor = message.as.stream_chunk.results;
    struct hearth_wire_result result;
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_result, &result));
    assert_int_equal(result.index, 7);
    assert_true(hearth_slice_equals_string(result.text, "eins"));
    assert_true(hearth_wire_next(&cursor, HEARTH_RECORD_result, &result));
    assert_int_equal(result.index, 8);
    assert_int_equal(result.is_truncated, 1);
    assert_true(hearth_slice_equals_string(result.text, "zwei"));
    assert_false(hearth_wire_next(&cursor, HEARTH_RECORD_result, &result));
}

static void unknown_numbers_and_headers_are_malformed(void **state)
{
    (void)state;
    static const uint8_t frames[][4] = {
        {0, 0, 0, 0}, {63, 0, 0, 0}, {0xFF, 0xFF, 0, 0}, {10, 0, 1, 0}, {10, 1, 0, 0}};
    for (size_t i = 0; i < HEARTH_COUNT(frames); i++) {
        struct hearth_message message;
        struct hearth_error err = {0};
        int rc = hearth_wire_decode(hearth_slice_of(frames[i], 4), &message, &err);
        assert_int_equal(rc, HEARTH_E_MALFORMED);
        KIT_ASSERT_ERROR(err, HEARTH_E_MALFORMED, "no message starts with");
    }
}

static void a_list_that_does_not_fill_its_bytes_is_malformed(void **state)
{
    (void)state;
    static const uint8_t frame[] = {5, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0,
                                    0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0};
    struct hearth_message message;
    struct hearth_error err = {0};
    int rc = hearth_wire_decode(hearth_slice_of(frame, sizeof frame), &message, &err);
    assert_int_equal(rc, HEARTH_E_MALFORMED);
    KIT_ASSERT_ERROR(err, HEARTH_E_MALFORMED,
                     "stream_chunk.results: 4 bytes after the last of 0 records");
}

static void encode_survives_any_failed_allocation(void **state)
{
    (void)state;
    struct hearth_message message = {.type = HEARTH_MSG_error};
    message.as.error.message = hearth_slice_of_string("no");
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_buf out;
        hearth_buf_init(&out, 4096);
        int rc = hearth_wire_encode(&message, &out);
        if (hearth_alloc_has_failed()) {
            assert_int_equal(rc, HEARTH_E_NO_MEMORY);
            assert_int_equal(out.size, 0);
        } else {
            assert_int_equal(rc, 0);
        }
        hearth_buf_finish(&out);
    }
}

static void encode_appends_and_leaves_a_full_buf_alone(void **state)
{
    (void)state;
    struct hearth_message message = {.type = HEARTH_MSG_models_request};
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, 10);
    assert_int_equal(hearth_wire_encode(&message, &out), 0);
    assert_int_equal(hearth_wire_encode(&message, &out), 0);
    assert_int_equal(out.size, 8);
    assert_int_equal(hearth_wire_encode(&message, &out), HEARTH_E_TOO_LARGE);
    assert_int_equal(out.size, 8);
}

static void a_number_is_changed_where_it_stands_and_nothing_else_is(void **state)
{
    (void)state;
    struct hearth_wire_text text = {.text = hearth_slice_of_string("abc")};
    struct hearth_message message = {.type = HEARTH_MSG_inference_request};
    struct hearth_wire_inference_request *asked = &message.as.inference_request;
    HEARTH_AUTO(hearth_buf) struct hearth_buf patched;
    HEARTH_AUTO(hearth_buf) struct hearth_buf made;
    hearth_buf_init(&patched, 4096);
    hearth_buf_init(&made, 4096);
    hearth_wire_default_request(asked);
    asked->model_id = hearth_slice_of_string("m");
    asked->texts = (struct hearth_wire_list){.count = 1, .items = &text};
    assert_int_equal(hearth_wire_encode(&message, &patched), 0);
    asked->request_id = UINT64_C(0x1122334455667788);
    asked->timeout_ms = 77;
    assert_int_equal(hearth_wire_encode(&message, &made), 0);
    hearth_wire_patch(patched.data, message.type,
                      offsetof(struct hearth_wire_inference_request, request_id),
                      asked->request_id);
    hearth_wire_patch(patched.data, message.type,
                      offsetof(struct hearth_wire_inference_request, timeout_ms), 77);
    assert_true(hearth_slice_equal(hearth_buf_slice(&patched), hearth_buf_slice(&made)));
}

KIT_MAIN(cmocka_unit_test(a_number_is_changed_where_it_stands_and_nothing_else_is),
         cmocka_unit_test(decode_is_the_inverse_of_encode),
         cmocka_unit_test(a_truncation_inside_a_field_is_malformed),
         cmocka_unit_test(damage_never_breaks_the_decoder),
         cmocka_unit_test(unknown_trailing_fields_are_skipped),
         cmocka_unit_test(unknown_trailing_fields_of_a_record_are_skipped),
         cmocka_unit_test(unknown_numbers_and_headers_are_malformed),
         cmocka_unit_test(a_list_that_does_not_fill_its_bytes_is_malformed),
         cmocka_unit_test(encode_survives_any_failed_allocation),
         cmocka_unit_test(encode_appends_and_leaves_a_full_buf_alone))
