/* params.h — what to ask of a model: parameters, inputs, turns of a chat. Included by hearth.h. */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_PARAMS_H
#define HEARTH_PARAMS_H

#ifdef __cplusplus
extern "C" {
#endif

/** What is added to the logit of one token, -100 to 100; -100 forbids it. Never grows. */
typedef struct hearth_bias {
    uint32_t token_id;
    float bias;
} hearth_bias;

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
    uint64_t seed;              /* 42; same text for sure with exact */
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
    /* For generate and chat, and what choice can use of it: see docs/generation.md. */
    uint32_t answers;              /* to one prompt, with seed, seed + 1 …; up to 8; 0: 1 */
    float typical_p;               /* 0 or 1: off */
    float frequency_penalty;       /* -2 to 2; 0: off */
    float presence_penalty;        /* -2 to 2; 0: off */
    const hearth_bias *logit_bias; /* up to 1024 */
    size_t logit_bias_count;
    int wants_logprobs;                    /* 1 fills hearth_item.logprobs */
    uint32_t top_logprobs;                 /* then: so many of the likeliest too, up to 20 */
    enum hearth_grammar_type grammar_type; /* what the answer follows … */
    const char *grammar;                   /* … a JSON schema, or GBNF */
    const char *tools;                     /* chat: JSON, as docs/generation.md shows */
    enum hearth_tool_choice tool_choice;
    int exact;             /* 1: the same tokens whatever runs beside it; slower beside others */
    int shift;             /* 1: a full context forgets its middle; 0: it ends the answer */
    int no_cache;          /* 1: takes no prefix from the cache and leaves none */
    uint64_t cache_domain; /* requests that differ in it share no prefix; nor do users, ever */
    const char *const *choices; /* choice: 2 to 128 different texts */
    size_t choice_count;
    int shorten; /* 1: a prompt that is too long loses its oldest part (hearth_usage tells) */
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

/** As hearth_chat_message, for chats with tools. Never grows. */
typedef struct hearth_turn {
    enum hearth_role role;
    const char *content;    /* may be NULL if there are tool_calls */
    const char *tool_calls; /* assistant: JSON, an array of {"name", "arguments", "id"}; or NULL */
    const char *name;       /* tool: whose answer the content is; or NULL */
    const char *tool_call_id; /* tool: the call that it answers; or NULL */
} hearth_turn;

#ifdef __cplusplus
}
#endif

#endif
