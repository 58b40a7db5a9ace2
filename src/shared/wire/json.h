/* json.h — V1, the JSON encoding of the same messages.
 *
 * Part of the face: included by hearth_wire.h. One message is one JSON object in UTF-8 whose member
 * "type" names it; the other members are its fields, by the names that docs/protocol.md lists for
 * V1. Members that are not known are ignored, members that are missing are zero or the default.
 *
 * Threads: none of its own; one room serves one thread at a time. */

#ifndef HEARTH_JSON_H
#define HEARTH_JSON_H

#include "hearth_wire.h"

/** Memory of the JSON library and of decoded records, used again for each message. Private. */
struct hearth_json_room {
    void *memory;
    size_t room; /* bytes of it */
    size_t used;
    size_t cap;
};

/** Prepares a room that grows to @cap_bytes at the most; allocates nothing yet. */
void hearth_json_room_init(struct hearth_json_room *room, size_t cap_bytes);

/** Wipes and frees it. */
void hearth_json_room_finish(struct hearth_json_room *room);

/** Forgets the message that it holds (its bytes are wiped) and keeps the memory for the next; above
 *  @keep_bytes it is given back. */
void hearth_json_room_reset(struct hearth_json_room *room, size_t keep_bytes);

/** True if @frame can only be V1: its first byte is {. */
static inline bool hearth_wire_is_json(struct hearth_slice frame)
{
    return frame.size > 0 && *(const uint8_t *)frame.data == 0x7B;
}

/**
 * Decodes one V1 message. Slices and lists in *@ret live in @room, until its next decode, reset or
 * finish; lists have items. Limits, ranges and the three kinds of failure are those of
 * hearth_wire_decode(); HEARTH_E_MALFORMED is not JSON, no object, no known "type", a member of the
 * wrong JSON type, or deeper than HEARTH_MAX_JSON_DEPTH; HEARTH_E_NO_MEMORY also when @room is
 * full. The caller has checked the size of @frame. @err names the member and never quotes its
 * content.
 */
HEARTH_NODISCARD int hearth_json_decode(struct hearth_slice frame, struct hearth_json_room *room,
                                        struct hearth_message *ret, struct hearth_error *err);

/**
 * Appends @message to @out in V1, as hearth_wire_encode() does in V2. Numbers come back exactly:
 * an f32 is written so that reading it as a double and rounding gives the same f32; one that is not
 * finite is null. Errors as there. Uses @room for what the JSON library needs.
 */
HEARTH_NODISCARD int hearth_json_encode(const struct hearth_message *message,
                                        struct hearth_json_room *room, struct hearth_buf *out);

#endif
