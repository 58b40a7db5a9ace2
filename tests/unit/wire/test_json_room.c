#include "kit.h"

#include "hearth_wire.h"

#include <stdio.h>
#include <string.h>

/* Memory of V1: one block, used again, wiped, never over its cap. */

#define IDS_BYTES (64u << 10)

static char request[IDS_BYTES + 256];

/* A request with as many ids as fit; returns its size. */
static size_t build_request(void)
{
    size_t size = (size_t)snprintf(request, sizeof request,
                                   "{\"type\":\"inference_request\",\"request_id\":7,"
                                   "\"model_id\":\"m\",\"prompt_tokens\":[1");
    for (unsigned i = 0; size < IDS_BYTES; i++) {
        size += (size_t)snprintf(request + size, sizeof request - size, ",%u", i % 50000);
    }
    return size + (size_t)snprintf(request + size, sizeof request - size, "]}");
}

static void nothing_is_allocated_once_it_fits(void **state)
{
    (void)state;
    struct hearth_json_room room;
    hearth_json_room_init(&room, 4u << 20);
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, HEARTH_MAX_FRAME_BYTES);
    struct hearth_slice frame = hearth_slice_of(request, build_request());
    struct hearth_message message;
    uint64_t before = 0;
    for (unsigned i = 0; i < 50; i++) {
        before = i == 1 ? hearth_alloc_count() : before;
        assert_int_equal(hearth_json_decode(frame, &room, &message, NULL), 0);
        hearth_buf_clear(&out);
        assert_int_equal(hearth_json_encode(&message, &room, &out), 0);
        hearth_json_room_reset(&room, 1u << 20);
    }
    assert_int_equal(hearth_alloc_count(), before);
    hearth_json_room_finish(&room);
}

static void the_cap_is_an_ordinary_error(void **state)
{
    (void)state;
    struct hearth_slice frame = hearth_slice_of(request, build_request());
    unsigned refused = 0;
    for (size_t cap = 0; cap < (1u << 20); cap += 10007) {
        struct hearth_json_room room;
        hearth_json_room_init(&room, cap);
        struct hearth_message message;
        struct hearth_error err;
        int rc = hearth_json_decode(frame, &room, &message, &err);
        assert_true(rc == 0 || (rc == HEARTH_E_NO_MEMORY && err.code == rc));
        assert_true(room.room <= cap && room.used <= cap);
        refused += rc != 0;
        hearth_json_room_finish(&room);
    }
    assert_true(refused > 0 && refused < 100);
}

/* Sixty-four empty models are larger than their text by far: the room grows, and only once. */
static void records_that_outgrow_the_room_get_a_larger_one(void **state)
{
    (void)state;
    static const char start[] = "{\"type\":\"models_response\",\"models\":[{}";
    HEARTH_AUTO(hearth_buf) struct hearth_buf text;
    hearth_buf_init(&text, 4096);
    assert_int_equal(hearth_buf_append(&text, start, sizeof start - 1), 0);
    for (unsigned i = 1; i < HEARTH_MAX_MODELS; i++) {
        assert_int_equal(hearth_buf_append(&text, ",{}", 3), 0);
    }
    assert_int_equal(hearth_buf_append(&text, "]}", 2), 0);
    struct hearth_json_room room;
    hearth_json_room_init(&room, 1u << 20);
    struct hearth_message message;
    struct hearth_error err = {0};
    uint64_t before = 0;
    for (unsigned i = 0; i < 3; i++) {
        before = i == 1 ? hearth_alloc_count() : before;
        assert_int_equal(hearth_json_decode(hearth_buf_slice(&text), &room, &message, &err), 0);
        assert_int_equal(message.as.models_response.models.count, HEARTH_MAX_MODELS);
        assert_true(room.used > HEARTH_MAX_MODELS * sizeof(struct hearth_wire_model_info));
    }
    assert_int_equal(hearth_alloc_count(), before);
    hearth_json_room_finish(&room);
}

static void a_frame_at_the_limit_fits_into_the_room_that_is_advised(void **state)
{
    (void)state;
    static char frame[HEARTH_MAX_JSON_BYTES];
    static const char start[] = "{\"type\":\"inference_request\",\"prompt_tokens\":[1";
    memset(frame, ' ', sizeof frame);
    memcpy(frame, start, sizeof start - 1);
    for (size_t i = sizeof start - 1; i + 4 < sizeof frame; i += 2) {
        memcpy(frame + i, ",1", 2);
    }
    memcpy(frame + sizeof frame - 2, "]}", 2);
    struct hearth_json_room room;
    hearth_json_room_init(&room, HEARTH_JSON_ROOM_BYTES);
    struct hearth_message message;
    struct hearth_error err = {0};
    assert_int_equal(
        hearth_json_decode(hearth_slice_of(frame, sizeof frame), &room, &message, &err), 0);
    hearth_json_room_finish(&room);
}

static void what_a_message_said_is_wiped(void **state)
{
    (void)state;
    static const char secret[] = "{\"type\":\"inference_request\",\"prompt\":\"correct horse\"}";
    struct hearth_json_room room;
    hearth_json_room_init(&room, 1u << 20);
    struct hearth_message message;
    assert_int_equal(hearth_json_decode(hearth_slice_of_string(secret), &room, &message, NULL), 0);
    assert_true(room.used > 0 && memmem(room.memory, room.room, "horse", 5) != NULL);
    hearth_json_room_reset(&room, 1u << 20);
    assert_non_null(room.memory);
    assert_int_equal(room.used, 0);
    assert_null(memmem(room.memory, room.room, "horse", 5));

    /* The next decode wipes as well, and so does one that fails in the middle. */
    assert_int_equal(hearth_json_decode(hearth_slice_of_string(secret), &room, &message, NULL), 0);
    assert_int_equal(hearth_json_decode(hearth_slice_of_string("{\"type\":\"models_request\"}"),
                                        &room, &message, NULL),
                     0);
    assert_null(memmem(room.memory, room.room, "horse", 5));
    hearth_json_room_reset(&room, 16);
    assert_null(room.memory);
    hearth_json_room_finish(&room);
}

static void decode_survives_any_failed_allocation(void **state)
{
    (void)state;
    struct hearth_slice frame = hearth_slice_of(request, build_request());
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_json_room room;
        hearth_json_room_init(&room, 4u << 20);
        struct hearth_message message;
        struct hearth_error err;
        int rc = hearth_json_decode(frame, &room, &message, &err);
        if (hearth_alloc_has_failed()) {
            assert_int_equal(rc, HEARTH_E_NO_MEMORY);
        } else {
            assert_int_equal(rc, 0);
        }
        hearth_json_room_finish(&room);
    }
}

static void encode_survives_any_failed_allocation(void **state)
{
    (void)state;
    struct hearth_message message = {.type = HEARTH_MSG_error};
    message.as.error.message = hearth_slice_of_string("no");
    KIT_FOR_EACH_FAILURE(n) {
        struct hearth_buf out;
        hearth_buf_init(&out, 4096);
        int rc = hearth_json_encode(&message, NULL, &out);
        if (hearth_alloc_has_failed()) {
            assert_int_equal(rc, HEARTH_E_NO_MEMORY);
            assert_int_equal(out.size, 0);
        } else {
            assert_int_equal(rc, 0);
        }
        hearth_buf_finish(&out);
    }
}

static void a_full_buf_is_left_as_it_was(void **state)
{
    (void)state;
    struct hearth_message message = {.type = HEARTH_MSG_models_request};
    static const char wanted[] = "{\"type\":\"models_request\"}";
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, 1000);
    size_t size = 0;
    while (hearth_json_encode(&message, NULL, &out) == 0) {
        assert_memory_equal(out.data + size, wanted, sizeof wanted - 1);
        size += sizeof wanted - 1;
        assert_int_equal(out.size, size);
    }
    assert_true(size > 0 && out.size == size);
    assert_int_equal(hearth_json_encode(&message, NULL, &out), HEARTH_E_TOO_LARGE);
    assert_int_equal(out.size, size);
}

KIT_MAIN(cmocka_unit_test(nothing_is_allocated_once_it_fits),
         cmocka_unit_test(the_cap_is_an_ordinary_error),
         cmocka_unit_test(records_that_outgrow_the_room_get_a_larger_one),
         cmocka_unit_test(a_frame_at_the_limit_fits_into_the_room_that_is_advised),
         cmocka_unit_test(what_a_message_said_is_wiped),
         cmocka_unit_test(decode_survives_any_failed_allocation),
         cmocka_unit_test(encode_survives_any_failed_allocation),
         cmocka_unit_test(a_full_buf_is_left_as_it_was))
