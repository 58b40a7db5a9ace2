/* proto.c — the wire format of protobuf, field by field, nothing believed. */

#include "proto.h"

#include <inttypes.h>

bool proto_varint(struct hearth_slice bytes, size_t *at, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (*at >= bytes.size) {
            return false;
        }
        uint8_t byte = bytes.data[(*at)++];
        if (shift == 63 && byte > 1) {
            return false;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool fixed(struct hearth_slice message, size_t *at, size_t size, uint64_t *ret)
{
    if (message.size - *at < size) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = size; i > 0; i--) {
        value = value << 8 | message.data[*at + i - 1];
    }
    *at += size;
    *ret = value;
    return true;
}

/* What stands wrong at @at, or NULL. */
static const char *read_field(struct hearth_slice message, size_t *at, struct proto_field *ret)
{
    uint64_t tag = 0;
    if (!proto_varint(message, at, &tag) || tag >> 3 == 0 || tag >> 3 > (1u << 29) - 1) {
        return "no valid field number";
    }
    *ret = (struct proto_field){.number = (uint32_t)(tag >> 3)};
    switch (tag & 7) {
    case PROTO_VARINT:
        ret->wire = PROTO_VARINT;
        return proto_varint(message, at, &ret->value) ? NULL : "a number that does not end";
    case PROTO_64:
        ret->wire = PROTO_64;
        return fixed(message, at, 8, &ret->value) ? NULL : "8 bytes that are cut off";
    case PROTO_32:
        ret->wire = PROTO_32;
        return fixed(message, at, 4, &ret->value) ? NULL : "4 bytes that are cut off";
    case PROTO_BYTES:
        ret->wire = PROTO_BYTES;
        if (!proto_varint(message, at, &ret->value) || ret->value > message.size - *at) {
            return "a length beyond the end of what contains it";
        }
        ret->bytes = hearth_slice_of(message.data + *at, (size_t)ret->value);
        *at += (size_t)ret->value;
        return NULL;
    default: return "a wire type that is not used";
    }
}

int proto_message(struct proto_walk *walk, struct hearth_slice message, const char *what,
                  proto_visit *visit, void *context)
{
    if (walk->depth >= HEARTH_ONNX_MAX_DEPTH) {
        return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID, "%s: nested deeper than %u messages",
                           what, HEARTH_ONNX_MAX_DEPTH);
    }
    walk->depth++;
    for (size_t at = 0; at < message.size;) {
        size_t start = (size_t)(message.data - walk->file.data) + at;
        struct proto_field field;
        const char *wrong = read_field(message, &at, &field);
        if (wrong == NULL && ++walk->fields > HEARTH_ONNX_MAX_FIELDS) {
            wrong = "one field more than the limit allows";
        }
        if (wrong != NULL) {
            return hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                               "%s: at byte %zu of %zu is %s; the file is cut off or no ONNX model",
                               what, start, walk->file.size, wrong);
        }
        int rc = visit(walk, &field, context);
        if (rc < 0) {
            return rc;
        }
    }
    walk->depth--;
    return 0;
}

int proto_want_bytes(struct proto_walk *walk, const struct proto_field *field, const char *what)
{
    return field->wire == PROTO_BYTES
               ? 0
               : hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                             "%s: field %" PRIu32 " has wire type %d, not bytes", what,
                             field->number, (int)field->wire);
}

int proto_want_varint(struct proto_walk *walk, const struct proto_field *field, const char *what)
{
    return field->wire == PROTO_VARINT
               ? 0
               : hearth_fail(walk->err, HEARTH_E_MODEL_INVALID,
                             "%s: field %" PRIu32 " has wire type %d, not a number", what,
                             field->number, (int)field->wire);
}
