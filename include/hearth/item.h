/* item.h — what comes back for one input, and the callbacks that are told. Included by hearth.h. */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_ITEM_H
#define HEARTH_ITEM_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hearth_label {
    const char *name;
    float probability; /* of a regression: its value */
} hearth_label;

/** A named stretch of a text. Both pairs of offsets mean the same stretch, from its first to behind
 *  its last. */
typedef struct hearth_entity {
    const char *label;
    float score;         /* mean probability of its tokens */
    uint32_t start_byte; /* in the UTF-8 that was sent */
    uint32_t end_byte;
    uint32_t start_char; /* in Unicode code points */
    uint32_t end_char;
} hearth_entity;

/** How likely the model itself, at temperature 1, found a token: the one that it generated, or one
 * of the likeliest beside it. Never grows. */
typedef struct hearth_token_score {
    uint32_t place; /* of the token in the whole answer, from 0 */
    uint32_t id;
    float logprob;    /* natural logarithm of the probability */
    int is_chosen;    /* this one was generated */
    const char *text; /* its bytes and a NUL: need not be whole characters */
    size_t text_bytes;
} hearth_token_score;

/** A call of a tool; of a stream: a call or its next part. Never grows. */
typedef struct hearth_tool_call {
    uint32_t index;        /* which call of the answer, from 0 */
    const char *id;        /* for the answer of the tool; "" in later parts */
    const char *name;      /* of the tool; "" in later parts */
    const char *arguments; /* JSON, or the next part of it */
} hearth_tool_call;

/** The answer to one input, or a piece of generated text. Fields of other tasks are empty. May grow
 *  at its end: it is lent by pointer. */
typedef struct hearth_item {
    uint32_t index;             /* of the input, or of the answer if several were asked, from 0 */
    uint32_t tokens;            /* of the input; of a piece: tokens that it stands for */
    int is_truncated;           /* the input had more tokens than the model takes */
    const char *text;           /* generate, chat */
    size_t text_bytes;          /* without the NUL */
    const hearth_label *labels; /* classify, choice: best first */
    size_t label_count;
    const float *vector;       /* embed as HEARTH_VECTOR_FLOAT32 */
    size_t dimensions;         /* of the vector, packed or not */
    const uint32_t *token_ids; /* generate, chat: what was generated, if params.wants_token_ids */
    size_t token_id_count;
    const void *packed; /* embed as HEARTH_VECTOR_FLOAT16 (little-endian) or _INT8 */
    size_t packed_bytes;
    float scale;                   /* HEARTH_VECTOR_INT8: a number is its int8_t times this */
    float score;                   /* rerank: how well the text answers the query; more is better */
    const hearth_entity *entities; /* entities: in the order of the text */
    size_t entity_count;
    const hearth_token_score *logprobs; /* if params.wants_logprobs: by place, the generated one of
                                           a place first, then the likeliest, best first */
    size_t logprob_count;
    const hearth_tool_call *tool_calls; /* chat with tools */
    size_t tool_call_count;
    enum hearth_finish_reason finish_reason; /* how this answer ended; NONE before its last piece,
                                                and of tasks that generate nothing */
} hearth_item;

/**
 * Is called for each piece of text, or for each finished input of a batch, in the order in which
 * they finish or, if params.in_order, in theirs. @item lives until the call returns. Return 0 to go
 * on; anything else cancels.
 */
typedef int hearth_item_fn(const hearth_item *item, void *arg);

/**
 * Is called once for each submitted request, when it has ended and all its items were told.
 * @result is NULL if it failed; else it is complete and belongs to the callback, which frees it
 * with hearth_result_free(), then or later. @err lives until the call returns; its code is 0 or
 * says why the request failed: as the calls below return it, HEARTH_E_DISCONNECTED if the
 * connection was lost.
 */
typedef void hearth_done_fn(uint64_t request, hearth_result *result, const hearth_error *err,
                            void *arg);

#ifdef __cplusplus
}
#endif

#endif
