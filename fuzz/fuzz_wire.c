/* fuzz_wire.c — any bytes → the decoder of messages.
 *
 * What is accepted must survive being walked to the last element, encoded again to the size that
 * was foretold (what a newer peer appended to it falls away; what an older one left out is zero)
 * and decoded to the same bytes. */

#include "hearth_wire.h"

#define ARENA_BYTES (64u << 20)

int hearth_fuzz_wire(const uint8_t *data, size_t size);

static void walk(const struct hearth_layout *layout, const void *record);

static void walk_list(const struct hearth_field *field, struct hearth_wire_list cursor)
{
    union {
#define ROOM(name, help) struct hearth_wire_##name name;
        HEARTH_RECORDS(ROOM)
#undef ROOM
    } record;
    uint32_t seen = 0;
    while (hearth_wire_next(&cursor, field->record, &record)) {
        walk(hearth_wire_record_layout(field->record), &record);
        seen++;
    }
    HEARTH_ASSERT(cursor.count == 0 && cursor.bytes.size == 0 && seen <= field->limit);
}

static void copy_array(const struct hearth_field *field, const void *member)
{
    static uint32_t room[HEARTH_MAX_GENERATED_TOKENS];
    if (field->kind == HEARTH_FIELD_f32s) {
        const struct hearth_wire_f32s *floats = member;
        HEARTH_ASSERT(floats->count <= field->limit && field->limit <= HEARTH_COUNT(room));
        hearth_wire_copy_floats(*floats, (float *)room, floats->count);
    } else {
        const struct hearth_wire_u32s *numbers = member;
        HEARTH_ASSERT(numbers->count <= field->limit && field->limit <= HEARTH_COUNT(room));
        hearth_wire_copy_u32s(*numbers, room, numbers->count);
    }
}

static void walk(const struct hearth_layout *layout, const void *record)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct hearth_field *field = &layout->fields[i];
        const void *member = (const char *)record + field->offset;
        if (field->kind == HEARTH_FIELD_list) {
            walk_list(field, *(const struct hearth_wire_list *)member);
        } else if (field->kind == HEARTH_FIELD_str) {
            const struct hearth_slice *text = member;
            HEARTH_ASSERT(text->size <= field->limit && hearth_utf8_is_valid(*text));
        } else if (field->kind == HEARTH_FIELD_f32s || field->kind == HEARTH_FIELD_u32s) {
            copy_array(field, member);
        }
    }
}

/* Puts the lists of @record into memory, to the last depth. */
static void put_into_memory(const struct hearth_layout *layout, void *record,
                            struct hearth_arena *arena)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct hearth_field *field = &layout->fields[i];
        if (field->kind != HEARTH_FIELD_list) {
            continue;
        }
        struct hearth_wire_list *list = (void *)((char *)record + field->offset);
        struct hearth_wire_list cursor = *list;
        const struct hearth_layout *inner = hearth_wire_record_layout(field->record);
        char *items = hearth_arena_alloc(arena, HEARTH_MAX(cursor.count, 1u), inner->struct_bytes);
        HEARTH_ASSERT(items != NULL);
        for (char *item = items; hearth_wire_next(&cursor, field->record, item);
             item += inner->struct_bytes) {
            put_into_memory(inner, item, arena);
        }
        *list = (struct hearth_wire_list){.count = list->count, .items = items};
    }
}

static void encode_again(const struct hearth_message *message)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf first;
    HEARTH_AUTO(hearth_buf) struct hearth_buf second;
    hearth_buf_init(&first, HEARTH_MAX_FRAME_BYTES);
    hearth_buf_init(&second, HEARTH_MAX_FRAME_BYTES);
    HEARTH_ASSERT(hearth_wire_encode(message, &first) == 0);
    HEARTH_ASSERT(first.size == hearth_wire_size(message));
    struct hearth_message again;
    HEARTH_ASSERT(hearth_wire_decode(hearth_buf_slice(&first), &again, NULL) == 0);
    HEARTH_ASSERT(hearth_wire_encode(&again, &second) == 0);
    HEARTH_ASSERT(hearth_slice_equal(hearth_buf_slice(&first), hearth_buf_slice(&second)));
    HEARTH_AUTO(hearth_buf) struct hearth_buf small; /* by one byte: nothing is written */
    hearth_buf_init(&small, first.size - 1);
    HEARTH_ASSERT(hearth_wire_encode(message, &small) < 0 && small.size == 0);
}

/* A number that is changed in the frame is changed in the message, and nothing else is. */
static void patch_request(struct hearth_message *message)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf patched;
    HEARTH_AUTO(hearth_buf) struct hearth_buf wanted;
    struct hearth_wire_inference_request *request = &message->as.inference_request;
    hearth_buf_init(&patched, HEARTH_MAX_FRAME_BYTES);
    hearth_buf_init(&wanted, HEARTH_MAX_FRAME_BYTES);
    HEARTH_ASSERT(hearth_wire_encode(message, &patched) == 0);
    hearth_wire_patch(patched.data, message->type,
                      offsetof(struct hearth_wire_inference_request, request_id), UINT64_MAX - 1);
    hearth_wire_patch(patched.data, message->type,
                      offsetof(struct hearth_wire_inference_request, timeout_ms), 77);
    request->request_id = UINT64_MAX - 1;
    request->timeout_ms = 77;
    HEARTH_ASSERT(hearth_wire_encode(message, &wanted) == 0);
    HEARTH_ASSERT(hearth_slice_equal(hearth_buf_slice(&patched), hearth_buf_slice(&wanted)));
}

static void encode_from_memory(struct hearth_message *message)
{
    struct hearth_arena arena;
    struct hearth_error err = {0};
    hearth_arena_init(&arena, ARENA_BYTES);
    put_into_memory(hearth_wire_message_layout(message->type), &message->as, &arena);
    HEARTH_ASSERT(hearth_wire_check_fields(message, &err) == 0);
    encode_again(message);
    hearth_arena_finish(&arena);
}

int hearth_fuzz_wire(const uint8_t *data, size_t size)
{
    struct hearth_message message;
    struct hearth_error err;
    int rc = hearth_wire_decode(hearth_slice_of(data, size), &message, &err);
    HEARTH_ASSERT(rc == 0 || rc == err.code);
    if (rc == 0) {
        walk(hearth_wire_message_layout(message.type), &message.as);
        if (message.type == HEARTH_MSG_inference_request) {
            rc = hearth_wire_check_request(&message.as.inference_request, &err);
            HEARTH_ASSERT(rc == 0 || rc == err.code);
            patch_request(&message);
        }
        encode_again(&message);
        encode_from_memory(&message);
    }
    return 0;
}
