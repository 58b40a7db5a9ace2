/* json_priv.h — what the files of V1 share: the room, and writing. */

#ifndef HEARTH_JSON_PRIV_H
#define HEARTH_JSON_PRIV_H

#include "json_shape.h"

#include <yyjson.h>

/* ── Room ── */

/** Forgets what is in it and makes it @bytes large, or as large as it may be. */
int json_room_hold(struct hearth_json_room *room, size_t bytes);

/** Memory for @count * @size bytes, not zeroed, or NULL if the room is full. */
void *json_room_take(struct hearth_json_room *room, size_t count, size_t size);

struct yyjson_alc json_room_allocator(struct hearth_json_room *room);

/* ── Writing: text at the end of a buf. The first failure stays and ends all further writing. ── */

struct json_writer {
    struct hearth_buf *out;
    int rc;
    bool is_first; /* no comma before the next value */
};

void json_open(struct json_writer *to, char bracket);
void json_close(struct json_writer *to, char bracket);
/** The name of the member whose value comes next. */
void json_put_name(struct json_writer *to, struct hearth_slice name);
/** Escapes what JSON wants escaped; HEARTH_E_INPUT_INVALID if it is not UTF-8. */
void json_put_string(struct json_writer *to, struct hearth_slice text);
void json_put_word(struct json_writer *to, const char *word);
void json_put_u64(struct json_writer *to, uint64_t number);
void json_put_u32s(struct json_writer *to, struct hearth_wire_u32s numbers);
/** The shortest of the tried forms that reads back as the same number; null if not finite. */
void json_put_f32(struct json_writer *to, float number);
void json_put_f32s(struct json_writer *to, struct hearth_wire_f32s numbers);
/** A string of base64. */
void json_put_base64(struct json_writer *to, struct hearth_slice bytes);
/** true, false or null, as it stands. */
void json_put_literal(struct json_writer *to, const char *literal);

/* ── Base64 ── */

/** Writes the digits of @size bytes, four for each three begun, and returns their end. */
char *json_base64_write(char *at, const uint8_t *data, size_t size);
/** How many bytes @text stands for; false if no base64 has its length. */
bool json_base64_measure(struct hearth_slice text, size_t *ret_bytes);
/** Reads a @text that was measured into @room; false if it is not base64, or not the only one for
 *  its bytes. */
bool json_base64_read(struct hearth_slice text, uint8_t *room);

#endif
