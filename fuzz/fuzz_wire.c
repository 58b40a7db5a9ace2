/* fuzz_wire.c — any bytes → the decoder of messages.
 *
 * What is accepted must survive being walked to the last element, encoded again to the size that
 * was foretold (what a newer peer appended to it falls away; what an older one left out is zero)
 * and decoded to the same bytes. */

#include "hearth_wire.h"

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
        }
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
        }
        encode_again(&message);
    }
    return 0;
}
