/* request.h — what to ask of a model, and calls that wait for the answer. Included by hearth.h. */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_REQUEST_H
#define HEARTH_REQUEST_H

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

/** The answer to one input, or a piece of generated text. Fields of other tasks are empty. May grow
 *  at its end: it is lent by pointer. */
typedef struct hearth_item {
    uint32_t index;             /* of the input, from 0 */
    uint32_t tokens;            /* of the input; of a piece: tokens that it stands for */
    int is_truncated;           /* the input had more tokens than the model takes */
    const char *text;           /* generate, chat */
    size_t text_bytes;          /* without the NUL */
    const hearth_label *labels; /* classify: best first */
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

/** What to ask of which model. Starts from hearth_request_params_default(). */
typedef struct hearth_request_params {
    size_t size;       /* of this struct, as the caller knows it */
    const char *model; /* name, as hearth_models() lists it; required */
    enum hearth_priority priority;
    uint32_t timeout_ms;     /* 0: what the daemon allows; then this side waits without a limit */
    hearth_item_fn *on_item; /* streams if not NULL */
    void *arg;               /* for on_item and on_done */
    /* For generate and chat: */
    uint32_t max_tokens;        /* 256; 0: the daemon's default */
    float temperature;          /* 0.7; 0: always the likeliest token */
    uint32_t top_k;             /* 40; 0: off */
    float top_p;                /* 0.9; 1: off */
    float min_p;                /* 0: off */
    float repetition_penalty;   /* 1.1; 1: off */
    uint32_t repetition_window; /* 64 tokens */
    uint64_t seed;              /* 42; same seed, same text */
    const char *const *stops;   /* generation ends before any of them; up to 8 */
    size_t stop_count;
    hearth_done_fn *on_done;    /* for hearth_submit(), which requires it */
    int wants_token_ids;        /* generate, chat: 1 fills hearth_item.token_ids */
    const char *query;          /* rerank: what each text is compared with */
    const char *const *pairs;   /* classify with a model of pairs: as many second texts as inputs,
                                   each may be NULL; or NULL */
    const char *const *outputs; /* tensors: names of the outputs that are wanted, up to 16 */
    size_t output_count;        /* 0: all */
    uint32_t dimensions;        /* embed: only the first so many; 0: all */
    enum hearth_vector_type vector_type; /* embed: other than FLOAT32 fills hearth_item.packed */
    enum hearth_normalize normalize;     /* embed */
    int in_order; /* 1: on_item comes in the order of the inputs, however they finish */
} hearth_request_params;

/** Fills the first @size bytes with defaults. Use hearth_request_params_default(). */
HEARTH_API void hearth_request_params_init(hearth_request_params *params, size_t size);

/** Returns the defaults: normal priority, 5 minutes, the sampling values named above. */
static inline hearth_request_params hearth_request_params_default(void)
{
    hearth_request_params params;
    hearth_request_params_init(&params, sizeof(params));
    return params;
}

/** One input: a text, or the ids that the model's own tokenizer would make of one, which are given
 *  to the model as they are (special tokens included). Exactly one of the two. Never grows. */
typedef struct hearth_input {
    const char *text; /* NULL if ids are given */
    const uint32_t *token_ids;
    size_t token_id_count; /* of all inputs of a request together: 262144 at the most */
} hearth_input;

typedef struct hearth_chat_message {
    enum hearth_role role;
    const char *content;
} hearth_chat_message;

/**
 * Classifies or embeds 1 to 32 texts, finds what is named in them, or tells how well each answers a
 * query (see hearth_result_ranked()); generates from a prompt; answers a chat of up to 256 messages
 * with the template of the model. hearth_infer() does any but the chat, with texts or token ids;
 * for rerank it takes params->query.
 *
 * Nothing passed in is kept. *@ret_result (@ret_result may be NULL) is owned by the caller until
 * hearth_result_free(); it is complete also when on_item has seen its parts before. on_done is not
 * called. Blocks until the answer is there, params->timeout_ms (and 2 s for the daemon to say so)
 * is over, or the request is cancelled. An expired or cancelled request ends at the daemon too.
 * Meanwhile the callbacks of submitted requests of the same client come from here.
 *
 * Returns HEARTH_E_NO_MODEL, HEARTH_E_NOT_READY, HEARTH_E_INPUT_INVALID, HEARTH_E_TOO_LARGE (over
 * 64 KiB or 32 texts), HEARTH_E_TOO_LONG (in tokens), HEARTH_E_QUEUE_FULL, HEARTH_E_EXPIRED,
 * HEARTH_E_CANCELLED, HEARTH_E_WORKER_LOST, HEARTH_E_ENGINE_FAILED, HEARTH_E_SHUTTING_DOWN,
 * HEARTH_E_DISCONNECTED (see hearth_reconnect()), HEARTH_E_BUSY (in a callback), HEARTH_E_ARGUMENT,
 * HEARTH_E_NO_MEMORY, or what hearth_connect() returns if it had to connect again.
 */
HEARTH_API int hearth_classify(hearth_client *client, const char *const *texts, size_t count,
                               const hearth_request_params *params, hearth_result **ret_result,
                               hearth_error *err);
HEARTH_API int hearth_embed(hearth_client *client, const char *const *texts, size_t count,
                            const hearth_request_params *params, hearth_result **ret_result,
                            hearth_error *err);
HEARTH_API int hearth_rerank(hearth_client *client, const char *query, const char *const *texts,
                             size_t count, const hearth_request_params *params,
                             hearth_result **ret_result, hearth_error *err);
HEARTH_API int hearth_entities(hearth_client *client, const char *const *texts, size_t count,
                               const hearth_request_params *params, hearth_result **ret_result,
                               hearth_error *err);
HEARTH_API int hearth_generate(hearth_client *client, const char *prompt,
                               const hearth_request_params *params, hearth_result **ret_result,
                               hearth_error *err);
HEARTH_API int hearth_chat(hearth_client *client, const hearth_chat_message *messages, size_t count,
                           const hearth_request_params *params, hearth_result **ret_result,
                           hearth_error *err);
HEARTH_API int hearth_infer(hearth_client *client, enum hearth_task task,
                            const hearth_input *inputs, size_t count,
                            const hearth_request_params *params, hearth_result **ret_result,
                            hearth_error *err);

/**
 * Asks the daemon to end the request for which a call on @client waits; that call then returns
 * HEARTH_E_CANCELLED, or its result if that came first. Any thread; not a signal handler. Returns
 * at once; within a second if the daemon does not read. HEARTH_E_NO_REQUEST if none waits,
 * HEARTH_E_DISCONNECTED.
 */
HEARTH_API int hearth_cancel(hearth_client *client, hearth_error *err);

#ifdef __cplusplus
}
#endif

#endif
