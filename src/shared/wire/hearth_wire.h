/* hearth_wire.h — messages: bytes ↔ structs. Pure: no descriptor, no clock, no allocation.
 *
 * V2, the binary encoding (little-endian, packed, no alignment):
 *   message = u16 number, u16 zero, fields in the order of messages.def
 *   str, bytes = u32 size, bytes      f32s, u32s = u32 count, elements
 *   list = u32 count, u32 size in bytes, records;  record = u32 size, fields;  f32 = IEEE 754
 * What follows the last known field of a message or record is skipped; one that ends where a field
 * would begin leaves this and the following fields zero. So both sides may be the newer one.
 *
 * Words: a *message* has a number and travels alone; a *record* is an element of a list. */

#ifndef HEARTH_WIRE_H
#define HEARTH_WIRE_H

#include "hearth_base.h"
#include "limits.h"
#include "messages.def"
#include <hearth/types.h> /* tasks, priorities, roles … and the words for them */

/* Protocol versions are encodings of the same list. A handshake may come in either; its answer
 * comes in the same, and what follows is in the version that the answer names. */
#define HEARTH_PROTOCOL_V1      1u                 /* JSON, see json.h */
#define HEARTH_PROTOCOL_V2      2u                 /* binary, above */
#define HEARTH_PROTOCOL_VERSION HEARTH_PROTOCOL_V2 /* the newest */

enum hearth_file_role {
    HEARTH_FILE_MODEL,
    HEARTH_FILE_WEIGHTS,
    HEARTH_FILE_TOKENIZER,
    HEARTH_FILE_CONFIG
};
#define HEARTH_FLAG_STREAM    1u
#define HEARTH_FLAG_TOKEN_IDS 2u
#define HEARTH_FLAG_IN_ORDER  4u  /* of a stream: results by index, not as they finish */
#define HEARTH_FLAG_MEMFDS    8u  /* large outputs of a tensors request may come as memfds */
#define HEARTH_FLAG_LOGPROBS  16u /* of generated tokens */
#define HEARTH_FLAG_EXACT     32u /* same tokens, whatever runs beside it */
#define HEARTH_FLAG_SHIFT     64u /* a full context forgets its middle and goes on */
#define HEARTH_FLAG_NO_CACHE  128u
#define HEARTH_FLAG_SHORTEN   256u  /* a prompt that is too long may lose its oldest part */
#define HEARTH_FLAG_NOTICES   512u  /* while it waits, its place is told */
#define HEARTH_FLAG_TIMING    1024u /* the answer tells all its times */
#define HEARTH_FLAGS_KNOWN    2047u

/** Floats as they stand in a frame (decoded: unaligned, little-endian) or in memory (to encode). */
struct hearth_wire_f32s {
    const void *data;
    uint32_t count;
};

/** As f32s, for token ids. */
struct hearth_wire_u32s {
    const void *data;
    uint32_t count;
};

/**
 * A list. To encode: @items is an array of @count records. Decoded: @items is NULL and @bytes holds
 * the checked elements, read with hearth_wire_next(); re-encoding a decoded list copies @bytes.
 */
struct hearth_wire_list {
    uint32_t count;
    const void *items;
    struct hearth_slice bytes;
};

#define HEARTH_WIRE_C_u8    uint8_t
#define HEARTH_WIRE_C_u16   uint16_t
#define HEARTH_WIRE_C_u32   uint32_t
#define HEARTH_WIRE_C_u64   uint64_t
#define HEARTH_WIRE_C_f32   float
#define HEARTH_WIRE_C_str   struct hearth_slice
#define HEARTH_WIRE_C_bytes struct hearth_slice
#define HEARTH_WIRE_C_f32s  struct hearth_wire_f32s
#define HEARTH_WIRE_C_u32s  struct hearth_wire_u32s

/* struct hearth_wire_<name> for each record and message. A message without fields gets one byte. */
#define HEARTH_WIRE_MEMBER(kind, name, limit, help)        HEARTH_WIRE_C_##kind name;
#define HEARTH_WIRE_LIST_MEMBER(record, name, limit, help) struct hearth_wire_list name;
#define HEARTH_WIRE_STRUCT(name, ...)                                                              \
    struct hearth_wire_##name {                                                                    \
        HEARTH_FIELDS_##name(HEARTH_WIRE_MEMBER, HEARTH_WIRE_LIST_MEMBER) uint8_t end_;            \
    };
HEARTH_RECORDS(HEARTH_WIRE_STRUCT)
HEARTH_MESSAGES(HEARTH_WIRE_STRUCT)
#undef HEARTH_WIRE_STRUCT
#undef HEARTH_WIRE_LIST_MEMBER
#undef HEARTH_WIRE_MEMBER

enum hearth_message_type {
#define HEARTH_WIRE_ENUM(name, number, direction, help) HEARTH_MSG_##name = (number),
    HEARTH_MESSAGES(HEARTH_WIRE_ENUM)
#undef HEARTH_WIRE_ENUM
};

enum hearth_record_type {
#define HEARTH_WIRE_ENUM(name, help) HEARTH_RECORD_##name,
    HEARTH_RECORDS(HEARTH_WIRE_ENUM)
#undef HEARTH_WIRE_ENUM
};

enum hearth_direction {
    HEARTH_TO_DAEMON,
    HEARTH_TO_CLIENT,
    HEARTH_TO_BROKER,
    HEARTH_TO_WORKER,
    HEARTH_TO_SPAWNER
};

/** Any message: @type says which member of @as is meant. */
struct hearth_message {
    enum hearth_message_type type;
    union {
#define HEARTH_WIRE_UNION(name, number, direction, help) struct hearth_wire_##name name;
        HEARTH_MESSAGES(HEARTH_WIRE_UNION)
#undef HEARTH_WIRE_UNION
    } as;
};

/**
 * Appends @message to @out in V2. Never blocks; allocates only if @out must grow. A field over its
 * limit is a programmer's error on this side and returns HEARTH_E_TOO_LARGE (a number out of range:
 * HEARTH_E_INPUT_INVALID), as does a message over HEARTH_MAX_FRAME_BYTES; HEARTH_E_NO_MEMORY.
 * On failure @out is as before. @out->size need not be 0: several may share a buf.
 */
HEARTH_NODISCARD int hearth_wire_encode(const struct hearth_message *message,
                                        struct hearth_buf *out);

/**
 * Checks the limits of every field of a message to be encoded, and that its texts are UTF-8, as the
 * other side will: the same codes and texts as hearth_wire_decode(). Encoding checks limits itself;
 * this is for whoever has to explain the refusal.
 */
HEARTH_NODISCARD int hearth_wire_check_fields(const struct hearth_message *message,
                                              struct hearth_error *err);

/**
 * Overwrites one number of @frame, a sound V2 message of @type, without looking at the rest of it.
 * @offset is the member's in its struct; only numbers that nothing of variable size precedes can be
 * meant. Anything else is a programmer's error and aborts.
 */
void hearth_wire_patch(uint8_t *frame, enum hearth_message_type type, size_t offset,
                       uint64_t value);

/** The exact size that hearth_wire_encode() would append. */
size_t hearth_wire_size(const struct hearth_message *message);

/**
 * Decodes one V2 message. Slices in *@ret point into @frame and live as long as it does. Lists are
 * checked to the last element here, so that hearth_wire_next() cannot fail later.
 *
 * HEARTH_E_MALFORMED: the bytes are not a message of this protocol; nothing in *@ret is meant.
 * HEARTH_E_TOO_LARGE (a field over its limit) or HEARTH_E_INPUT_INVALID (a str that is not UTF-8, a
 * number out of range): the frame is sound, ret->type and the fields before the bad one are set —
 * so the request_id that leads a message may be answered. @err names message, field and numbers.
 */
HEARTH_NODISCARD int hearth_wire_decode(struct hearth_slice frame, struct hearth_message *ret,
                                        struct hearth_error *err);

/**
 * Takes the next record off @cursor (a copy of a list, decoded or to be encoded) into @ret_record,
 * a pointer to the struct of @type, which must be the list's. Returns false at the end.
 */
bool hearth_wire_next(struct hearth_wire_list *cursor, enum hearth_record_type type,
                      void *ret_record);

/** Copies @count floats out of a frame (or memory); @count must be at most floats.count. */
void hearth_wire_copy_floats(struct hearth_wire_f32s floats, float *room, uint32_t count);

/** The same for token ids. */
void hearth_wire_copy_u32s(struct hearth_wire_u32s numbers, uint32_t *room, uint32_t count);

/**
 * Checks what a client asks beyond the shape: ranges, empty inputs, which fields a task needs, and
 * the sums (texts, chat). HEARTH_E_INPUT_INVALID or HEARTH_E_TOO_LARGE with the field in @err.
 */
HEARTH_NODISCARD int hearth_wire_check_request(const struct hearth_wire_inference_request *request,
                                               struct hearth_error *err);

/** The tensors of a request or an answer: named, each name once, of a known type, and with as much
 *  data (here or in a memfd, not both) as type and shape make. Errors as check_request(). */
HEARTH_NODISCARD int hearth_wire_check_tensors(struct hearth_wire_list tensors,
                                               struct hearth_error *err);

/** The outputs that a request wants: named, each once. */
HEARTH_NODISCARD int hearth_wire_check_outputs(struct hearth_wire_list outputs,
                                               struct hearth_error *err);

/** Counts the memfds that tensors claim, and tells the bytes of each, in their order. */
uint32_t hearth_wire_memfds(struct hearth_wire_list tensors,
                            uint64_t ret_bytes[HEARTH_MAX_TENSORS]);

/** Bytes of one element; 0: no type of ours. */
size_t hearth_wire_element_bytes(unsigned type);

#include "generation.h"
#include "json.h"   /* V1 */
#include "layout.h" /* the list as data; needs the enums above */

#endif
