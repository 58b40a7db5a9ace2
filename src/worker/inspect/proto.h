/* proto.h — walks the protobuf wire format. Room-private.
 *
 * A message is fields; a field is a number, a wire type and a value. Only what ONNX uses is taken:
 * varint, 32 and 64 bits, and bytes (which may be a message again); groups are refused. */

#ifndef HEARTH_PROTO_H
#define HEARTH_PROTO_H

#include "hearth_inspect.h"

enum proto_wire { PROTO_VARINT = 0, PROTO_64 = 1, PROTO_BYTES = 2, PROTO_32 = 5 };

struct proto_field {
    uint32_t number;
    enum proto_wire wire;
    uint64_t value;            /* varint, 32 or 64 bits */
    struct hearth_slice bytes; /* PROTO_BYTES: lies inside the message */
};

/* One walk over a whole file; the limits count over all its messages. */
struct proto_walk {
    struct hearth_slice file; /* for offsets in errors */
    uint32_t fields;
    uint32_t depth;
    struct hearth_error *err;
};

/* Called for each field of a message; 0 goes on. */
typedef int proto_visit(struct proto_walk *walk, const struct proto_field *field, void *context);

/* Visits the fields of @message (named @what in errors) in order; one level deeper in between. */
HEARTH_NODISCARD int proto_message(struct proto_walk *walk, struct hearth_slice message,
                                   const char *what, proto_visit *visit, void *context);

/* Whether @field is bytes; otherwise fails naming @what. */
HEARTH_NODISCARD int proto_want_bytes(struct proto_walk *walk, const struct proto_field *field,
                                      const char *what);
HEARTH_NODISCARD int proto_want_varint(struct proto_walk *walk, const struct proto_field *field,
                                       const char *what);

/* Reads one varint at *@at; false if it is cut off or longer than 64 bits. */
bool proto_varint(struct hearth_slice bytes, size_t *at, uint64_t *ret);

#endif
