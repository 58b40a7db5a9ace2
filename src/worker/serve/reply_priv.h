/* reply_priv.h — the answer to one request while it is made. */

#ifndef HEARTH_REPLY_PRIV_H
#define HEARTH_REPLY_PRIV_H

#include "serve_priv.h"

#define REPLY_KEEP_BYTES  (64u * 1024u) /* of each buffer of a spare reply */
#define REPLY_TEXT_CAP    (HEARTH_MAX_RING_MESSAGE_BYTES - 65536u)
#define REPLY_IDS_CAP     (HEARTH_MAX_RING_MESSAGE_BYTES / 2)
#define REPLY_VECTORS_CAP (HEARTH_MAX_BATCH * HEARTH_MAX_VECTOR * sizeof(float))
#define REPLY_LABELS_CAP  (HEARTH_MAX_BATCH * HEARTH_MAX_LABELS * sizeof(struct hearth_wire_label))
#define REPLY_ENTITIES_CAP                                                                         \
    (HEARTH_MAX_BATCH * HEARTH_MAX_ENTITIES * sizeof(struct hearth_wire_entity))
/* Data of outputs that is not in memfds; the rest of a message is for names and shapes. */
#define REPLY_DATA_CAP (HEARTH_MAX_RING_MESSAGE_BYTES - 65536u)

/* A stretch of a buffer: places instead of pointers, because buffers move while they grow. */
struct stretch {
    size_t at;
    uint32_t count; /* of elements */
};

/* One result that was not sent yet. */
struct collected {
    uint32_t index;
    uint32_t tokens;
    bool is_truncated;
    float score;
    float scale;
    struct stretch vector;   /* floats, in vectors */
    struct stretch packed;   /* bytes, in vectors */
    struct stretch labels;   /* in labels */
    struct stretch entities; /* in entities */
};

/* One output of a tensors request. */
struct output {
    struct stretch name; /* in data, as the next */
    struct stretch data;
    int fd; /* or here; -1: it is not */
    uint64_t memfd_bytes;
    uint8_t type;
    uint32_t shape[HEARTH_MAX_TENSOR_RANK];
    uint32_t rank;
};

struct reply {
    struct hearth_worker *worker;
    struct hearth_list in_spare;
    pthread_mutex_t lock; /* guards all below */
    uint64_t request_id;
    bool is_stream;
    bool is_in_order; /* of a stream: a result waits until all before it have been sent */
    bool is_generation;
    bool takes_memfds;
    uint32_t next_index;
    uint32_t prompt_tokens;
    uint32_t generated_tokens;
    uint32_t pending_tokens; /* of empty pieces: told with the next piece */
    uint64_t first_ns;
    int code; /* the first error */
    char error[HEARTH_ERROR_TEXT_BYTES];
    enum hearth_finish_reason finish;
    struct hearth_buf text;
    struct hearth_buf ids; /* of generated tokens: all, or of the next piece of a stream */
    struct hearth_buf vectors;
    struct hearth_buf labels;   /* struct hearth_wire_label, best first within a result */
    struct hearth_buf entities; /* struct hearth_wire_entity */
    struct hearth_buf data;     /* names and data of outputs */
    struct collected collected[HEARTH_MAX_BATCH];
    struct hearth_wire_result results[HEARTH_MAX_BATCH];
    uint32_t count;
    struct output outputs[HEARTH_MAX_TENSORS];
    struct hearth_wire_tensor tensors[HEARTH_MAX_TENSORS];
    uint32_t output_count;
};

/* results.c. The lock is held. */
int results_collect(struct reply *reply, uint32_t index, const struct hearth_item_result *result);
/* The wire's view of all that was collected, by index; its pointers hold until the next one is. */
struct hearth_wire_list results_all(struct reply *reply);
/* Takes out the result of input @index; false if it was not collected. */
bool results_take(struct reply *reply, uint32_t index, struct hearth_wire_list *ret);
void results_clear(struct reply *reply);
struct hearth_wire_u32s results_ids(const struct reply *reply, uint32_t tokens);

/* outputs.c. The lock is held. */
int outputs_collect(struct reply *reply, const struct hearth_item_result *result,
                    struct hearth_error *err);
struct hearth_wire_list outputs_all(struct reply *reply);
uint32_t outputs_fds(const struct reply *reply, int fds[HEARTH_MAX_TENSORS]);
void outputs_clear(struct reply *reply);

#endif
