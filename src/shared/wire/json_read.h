/* json_read.h — what the two files that read V1 share. */

#ifndef HEARTH_JSON_READ_H
#define HEARTH_JSON_READ_H

#include "json_priv.h"

struct json_reader {
    struct hearth_json_room *room;
    struct hearth_error *err;
    int soft;            /* first soft failure, or 0 */
    bool is_from_client; /* null is no number in a request */
    unsigned depth;      /* objects and arrays around the current value */
};

/* Both kinds of failure name the place. A hard one is returned. */
int json_hard(struct json_reader *in, const struct hearth_wire_place *place, const char *wanted);
HEARTH_PRINTF(4, 5)
void json_soft(struct json_reader *in, const struct hearth_wire_place *place, int code,
               const char *format, ...);

/* Memory of the room, or NULL with the error filled. */
void *json_take(struct json_reader *in, size_t count, size_t size);

/* Walks what is not known, only to see how deep it is. */
int json_skip(struct json_reader *in, yyjson_val *value, unsigned depth);

/* Each reads @value into @member: 0 also after a soft failure, which leaves it as it is. */
int json_read_number(struct json_reader *in, const struct hearth_wire_place *place,
                     const struct hearth_json_shape *shape, yyjson_val *value, void *member);
int json_read_string(struct json_reader *in, const struct hearth_wire_place *place,
                     yyjson_val *value, struct hearth_slice *member);
int json_read_run(struct json_reader *in, const struct hearth_wire_place *place, yyjson_val *value,
                  void *member);
int json_read_base64(struct json_reader *in, const struct hearth_wire_place *place,
                     yyjson_val *value, struct hearth_slice *member);
/* Text that is JSON itself, given as the value that it holds instead of in a string. */
int json_read_json(struct json_reader *in, const struct hearth_wire_place *place, yyjson_val *value,
                   struct hearth_slice *member);

#endif
