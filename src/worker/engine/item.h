/* item.h — the work of an engine: items from the inbox, results to the sink. Included by
 * hearth_engine.h, where the words are explained. */

#ifndef HEARTH_ENGINE_ITEM_H
#define HEARTH_ENGINE_ITEM_H

#include "hearth_base.h"
#include "hearth_wire.h"

struct hearth_inbox;
struct hearth_job;

/** One input. Engines read it and may use the last three fields; they own it until they finish it.
 */
struct hearth_item {
    struct hearth_job *job;
    uint32_t index;           /* in the request; which answer, if it wants several to one prompt */
    struct hearth_slice text; /* valid UTF-8, lent by the job; empty for a chat (see job messages),
                                 for tokens and for tensors; the query of a rerank request */
    struct hearth_slice pair; /* second text of a pair, or empty; the text of a rerank request */
    struct hearth_wire_u32s
        tokens; /* ids instead of text, lent; as the client gave them: nothing is put around them */
    void *engine_data;       /* the engine's own, NULL at first */
    struct hearth_list link; /* the engine's own while it holds the item */
};

/** The request behind an item, decoded; slices live as long as the job. Read only. */
const struct hearth_wire_inference_request *hearth_job_request(const struct hearth_job *job);

/**
 * The memfd that holds the data of tensor @index of the request, mapped read-only for the life of
 * the job: @size bytes as the tensor promises. NULL slice if its data is inline. The memfd is
 * sealed (no shrink, grow or write), which was checked before.
 */
struct hearth_slice hearth_job_memfd(const struct hearth_job *job, uint32_t index);

/** Takes the next item by priority, then by the engine's order. With @may_wait, blocks until there
 *  is one and returns NULL only when the inbox is closed, or once after the engine was told to
 *  shed; without, NULL means none now. */
struct hearth_item *hearth_inbox_take(struct hearth_inbox *inbox, bool may_wait);

/** The same, but only an item of a higher class than @priority, and it never waits. */
struct hearth_item *hearth_inbox_take_above(struct hearth_inbox *inbox, unsigned priority);

/** True once the inbox is closed: hand back what you hold with hearth_item_fail() and return. */
bool hearth_inbox_is_closed(const struct hearth_inbox *inbox);

/** 0, or why this item must end now: HEARTH_E_CANCELLED or HEARTH_E_EXPIRED. Cheap; poll it at each
 *  step. Pass the code to hearth_item_fail(). */
int hearth_item_must_end(const struct hearth_item *item);

/** True while the engine holds exactly one item, none waits, and it may hold @items at a time: then
 *  that one may use what @items would. True at one moment only; the next may bring more. */
bool hearth_inbox_is_lonely(const struct hearth_inbox *inbox, unsigned items);

/** Tells that the worker makes progress: a step or a run has ended, or a long one goes on as it
 *  should. A worker that has work and tells nothing for too long is killed (progress_timeout_ms).
 *  Any thread; costs one addition. */
void hearth_inbox_progress(struct hearth_inbox *inbox);
void hearth_item_progress(const struct hearth_item *item);

/* ---- results (the sink): all copy what they are given and never block on the broker ---------- */

/** Notes the id of a generated token, which the next piece stands for. Kept only if the request
 *  asks for ids, so it may be called for every token. */
void hearth_item_token(struct hearth_item *item, uint32_t id);

/** A piece of generated text: valid UTF-8, whole characters, may be empty; stands for @tokens. */
void hearth_item_piece(struct hearth_item *item, struct hearth_slice text, uint32_t tokens);

/** Notes how likely the model found a token of the next piece; copied, its text too. For requests
 *  with HEARTH_FLAG_LOGPROBS alone. */
void hearth_item_logprob(struct hearth_item *item, const struct hearth_wire_token_score *score);

/** A call of a tool or its next part, instead of text; copied. What was said before it as a piece
 *  comes before it in the stream too. */
void hearth_item_tool_call(struct hearth_item *item, const struct hearth_wire_tool_call *part);

/** One output of a tensors request. The sink copies @data, or takes it over if it is a memfd. */
struct hearth_engine_tensor {
    const char *name;
    enum hearth_tensor_type type;
    uint32_t shape[HEARTH_MAX_TENSOR_RANK];
    uint32_t rank;
    struct hearth_slice data;
};

/** What the item ends with. Fields of other tasks stay zero. */
struct hearth_item_result {
    uint32_t prompt_tokens; /* tokens of the input, special ones included */
    bool is_truncated;
    enum hearth_finish_reason finish; /* generation: why it ended; else NONE */
    const float *vector;              /* embedding: @dimensions floats, or NULL */
    uint32_t dimensions;
    const float *scores; /* classification: one score a label of the plan; choice: one a choice;
                            or NULL */
    const void *packed;  /* embedding, if the request's vector_type says so, instead of vector */
    size_t packed_bytes;
    float scale;                               /* int8 */
    float score;                               /* rerank */
    const struct hearth_wire_entity *entities; /* labels are those of the plan, without B- and I- */
    uint32_t entity_count;
    const struct hearth_engine_tensor *tensors;
    uint32_t tensor_count;
    /* Generation. */
    uint32_t cached_tokens;     /* of prompt_tokens: taken from the prefix cache */
    uint32_t evicted_tokens;    /* of its cache domain, that left the cache for this item */
    uint32_t evicted_of_others; /* of other domains: the client is not told */
    uint32_t left_out_tokens;   /* of the prompt, which was too long; not in prompt_tokens */
    enum hearth_cache_state cache;
    uint32_t drafted_tokens;
    uint32_t accepted_tokens;
    const char *fingerprint; /* at most HEARTH_MAX_FINGERPRINT_BYTES, or NULL */
};

/** Ends the item with its result; the item is gone after this. */
void hearth_item_finish(struct hearth_item *item, const struct hearth_item_result *result);

/** Ends the item with an error (for CANCELLED and EXPIRED pieces so far are kept); it is gone. */
void hearth_item_fail(struct hearth_item *item, int code, const struct hearth_error *err);

#endif
