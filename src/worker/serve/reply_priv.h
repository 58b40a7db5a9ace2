/* reply_priv.h — the answer to one request while it is made. */

#ifndef HEARTH_REPLY_PRIV_H
#define HEARTH_REPLY_PRIV_H

#include "serve_priv.h"

/* Of each buffer of a spare reply, and of each of its answers but the first; larger ones are kept
 * as long as all of them in the worker do not take more than REPLY_LARGE_BYTES. */
#define REPLY_KEEP_BYTES  (64u * 1024u)
#define ANSWER_KEEP_BYTES (8u * 1024u)
#define REPLY_LARGE_BYTES (8u << 20)
/* Of all answers to a prompt, as the message has them; the rest of it is for the envelope. */
#define REPLY_ANSWERS_CAP (HEARTH_MAX_RING_MESSAGE_BYTES - 65536u)
#define ANSWER_SCORES_CAP (HEARTH_MAX_LOGPROBS * sizeof(struct hearth_wire_token_score))
#define ANSWER_CALLS_CAP  (HEARTH_MAX_TOOL_CALLS * sizeof(struct hearth_wire_tool_call))
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

/* One generated answer: of a stream what was not sent yet, else all of it. */
struct answer {
    struct hearth_buf text;
    struct hearth_buf ids;        /* of tokens, those included whose text is held back */
    struct hearth_buf scores;     /* struct hearth_wire_token_score; … */
    struct hearth_buf score_text; /* … and their texts, one behind the other */
    struct hearth_buf calls;      /* struct hearth_wire_tool_call; … */
    struct hearth_buf call_text;  /* … and id, name and arguments of each, likewise */
    size_t kept_bytes;            /* of all that, as a message has it */
    uint32_t tokens;
    uint32_t untold_tokens; /* of a stream: of pieces without a chunk, told with the next */
    enum hearth_finish_reason finish;
    bool is_told; /* there is a result of it, be its text empty */
};

/* What items tell of the request as a whole. */
struct told {
    uint32_t prompt_tokens;
    uint32_t generated_tokens;
    uint32_t cached_tokens;
    uint32_t evicted_tokens;
    uint32_t evicted_of_others;
    uint32_t left_out_tokens;
    uint32_t drafted_tokens;
    uint32_t accepted_tokens;
    enum hearth_cache_state cache;
    uint32_t items; /* that have finished */
    char fingerprint[HEARTH_MAX_FINGERPRINT_BYTES + 1];
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
    bool is_text;     /* generate, chat: its results are answers */
    bool takes_memfds;
    struct hearth_wire_list choices; /* of the request, which outlives this */
    uint32_t next_index;
    uint64_t first_ns;
    int code; /* the first error */
    char error[HEARTH_ERROR_TEXT_BYTES];
    struct told told;
    struct answer answers[HEARTH_MAX_ANSWERS];
    uint32_t answer_count;
    uint32_t used_answers; /* by any request so far: others have no buffers */
    size_t kept_bytes;     /* of them all */
    size_t large_bytes;    /* while it is spare: of buffers that are larger than usual */
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

/* answers.c. The lock is held. Those that add: 0, HEARTH_E_TOO_LARGE for what no message takes, or
 * HEARTH_E_NO_MEMORY; HEARTH_E_INTERNAL for parts of tool calls that are out of order. */
void answers_init(struct reply *reply);
void answers_finish(struct reply *reply);
void answers_reset(struct reply *reply); /* wiped; buffers are kept */
/* Bytes of the buffers that are larger than a spare reply's usually are; and without these. */
size_t answers_large_bytes(struct reply *reply);
void answers_trim(struct reply *reply);
int answer_add_text(struct reply *reply, uint32_t index, struct hearth_slice text);
int answer_add_id(struct reply *reply, uint32_t index, uint32_t id);
int answer_add_score(struct reply *reply, uint32_t index,
                     const struct hearth_wire_token_score *score);
int answer_add_call(struct reply *reply, uint32_t index, const struct hearth_wire_tool_call *part);
/* Of a stream: ids and scores of the tokens that the piece stands for; forgotten once it was sent.
 */
bool answer_has_notes(const struct reply *reply, uint32_t index);
void answer_take_notes(struct reply *reply, uint32_t index, struct hearth_wire_result *into);
void answer_drop_notes(struct reply *reply, uint32_t index, const struct hearth_wire_result *told);
/* The wire's view of all answers that there is something of. */
struct hearth_wire_list answers_all(struct reply *reply);
/* Adds what an item has told to what is told of the request. */
void told_add(struct told *told, uint32_t index, bool is_one_prompt,
              const struct hearth_item_result *result);

/* outputs.c. The lock is held. */
int outputs_collect(struct reply *reply, const struct hearth_item_result *result,
                    struct hearth_error *err);
struct hearth_wire_list outputs_all(struct reply *reply);
uint32_t outputs_fds(const struct reply *reply, int fds[HEARTH_MAX_TENSORS]);
void outputs_clear(struct reply *reply);

#endif
