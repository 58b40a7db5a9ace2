/* gguf_engine.h — what the files of this engine share; the test driver looks at it too.
 *
 * Words: a *sequence* is a slot of the context with its own stretch of the key-value cache, free or
 * busy with one item; a *chunk* is what one step prefills of one prompt; a *row* is one token of a
 * sequence that decodes; a *step* decodes all rows and then prefills at most one chunk.
 *
 * Why results of a request do not depend on its neighbours: each sequence has a cache stretch of
 * its own (kv_unified off), chunks start at multiples of GGUF_CHUNK_TOKENS of their own prompt and
 * never share a call of llama_decode() with anything else, and flash attention is off, because on a
 * CPU it splits a lone row's work by the number of threads. */

#ifndef HEARTH_GGUF_ENGINE_H
#define HEARTH_GGUF_ENGINE_H

#include "hearth_engine.h"

#include "after_logits.h"
#include "hearth_inspect.h"
#include "pace.h"

#include <llama.h>

#include <stdatomic.h>

/* n_batch and n_ubatch of the context. 128 costs 9 % of the prefill speed of 512 and bounds what a
 * running stream waits for a neighbour's prompt to a quarter of it. */
#define GGUF_CHUNK_TOKENS      128u
#define GGUF_MAX_SEQUENCES     64u
#define GGUF_DEFAULT_SEQUENCES 4u
#define GGUF_DEFAULT_CONTEXT   4096u
#define GGUF_LEAST_CONTEXT     16u
#define GGUF_DEFAULT_TOKENS    256u /* generated, if the request does not say */
#define GGUF_CACHE_TYPE        1u   /* F16, as hearth_gguf_kv_bytes_per_token() counts types */
#define GGUF_MAX_THREADS       512u
#define GGUF_MAX_PROMPT_BYTES  (1u << 20) /* a chat's contents and its template around them */
#define GGUF_MAX_LOGIT_ROWS    8u         /* of one sequence in one call */

/* Load options. */
struct gguf_options {
    uint64_t context_tokens;
    uint64_t sequences;
    bool use_mmap;
};

/* The tokens of a prompt while they are collected; @count goes on past @room so that an error can
 * say how many there would be. */
struct gguf_tokens {
    llama_token *data;
    size_t room;
    size_t count;
};

/* One item and its tokens. Known are tokens[0 .. count), prompt and answer alike; in the cache are
 * the first @done of them, and behind these, when all known ones are in, @guessed more that nobody
 * has confirmed yet. What is to be computed is tokens[done .. count + guessed). */
struct gguf_sequence {
    struct hearth_item *item; /* NULL: free */
    uint64_t turn;            /* order of arrival */
    llama_token *tokens;      /* room for context_tokens */
    uint32_t prompt_count;
    uint32_t count;
    uint32_t done;
    uint32_t guessed;
    uint32_t logits_from; /* the row of this token is the first whose logits are wanted */
    uint32_t max_tokens;  /* of the answer */
    uint32_t generated;
    bool is_prompt_done;      /* logits were taken: what it computes from now on is few rows */
    bool has_leftovers;       /* the cache holds more than tokens[0 .. done + guessed) */
    struct gguf_after *after; /* what comes after the logits */
};

/* A control token that templates may spell out. */
struct gguf_special {
    llama_token id;
    const char *text;
    size_t size;
    enum llama_token_attr attributes;
};

/* Both clocks of the run thread at one moment. */
struct gguf_moment {
    uint64_t wall_ns;
    uint64_t cpu_ns;
};

/* The call of llama_decode() that is under way. */
struct gguf_call {
    struct gguf_moment since; /* when it was looked at last */
    bool has_shed;            /* given up to be made again with fewer threads */
};

struct hearth_engine {
    struct gguf_options options;
    struct llama_model *model;
    struct llama_context *context;
    const struct llama_vocab *vocab;
    int32_t vocab_size;
    struct gguf_embedder *embedder; /* embed.h: makes vectors and nothing else; NULL: a generator */
    struct llama_batch batch;       /* room for a chunk or for all rows */
    struct gguf_sequence sequences[GGUF_MAX_SEQUENCES];
    uint32_t busy;
    uint64_t turns;
    struct gguf_room *room; /* of what comes after the logits, for one sequence at a time */
    /* Threads. */
    unsigned most_threads;
    unsigned threads; /* in force */
    atomic_uint wanted_threads;
    struct gguf_pace pace;
    struct gguf_moment pace_since; /* when the measurement began */
    struct gguf_call call;
    /* Looked at in the middle of llama_decode(). */
    struct hearth_inbox *inbox;
    const struct hearth_item *prefilling; /* may end the call when it must end; NULL: none */
    /* Chat. */
    struct hearth_template *chat_template;  /* of the model file; NULL: template_error says why */
    struct hearth_template *tools_template; /* the same, taught tools; NULL: cannot be, or can */
    struct hearth_template_context *template_context;
    struct hearth_error template_error;
    int template_code;
    bool template_takes_tools;
    struct gguf_special *specials; /* longest text first */
    size_t special_count;
    struct hearth_buf run;
    /* For tests: told each token that is sampled, end tokens included. NULL otherwise. */
    void (*on_token)(void *arg, const struct hearth_item *item, llama_token token);
    void *on_token_arg;
};

/* prompt.c */

/* Fills tokens, count and prompt_count from the item's request. INPUT_INVALID, TOO_LONG,
 * UNSUPPORTED. */
int gguf_read_prompt(struct hearth_engine *engine, struct gguf_sequence *sequence,
                     struct hearth_error *err);
/* Appends the tokens of @text; what looks like a special token in it stays plain text. */
int gguf_tokenize(const struct hearth_engine *engine, struct hearth_slice text, bool add_special,
                  struct gguf_tokens *tokens, struct hearth_error *err);
void gguf_add_token(struct gguf_tokens *tokens, llama_token token);

/* chat.c */

/* Finds the template and the special tokens; a model without a template loads all the same. */
int gguf_prepare_chat(struct hearth_engine *engine, struct hearth_error *err);
void gguf_finish_chat(struct hearth_engine *engine);
/* Appends the tokens of a chat with the model's own template around the messages. */
int gguf_tokenize_chat(struct hearth_engine *engine,
                       const struct hearth_wire_inference_request *request,
                       struct gguf_tokens *tokens, struct hearth_error *err);

/* chat_input.c */

/* Gives a template the variables of a chat. *@ret_uses_tools: it has tools, or calls of some. */
struct hearth_template_context;
int gguf_give_chat(struct hearth_template_context *context,
                   const struct hearth_wire_inference_request *request, bool *ret_uses_tools,
                   struct hearth_error *err);

/* sequence.c — for those who take logits (after_logits.h) */

/* The logits of @row of the last call, vocab_size of them; NULL if there are none. */
const float *gguf_logits(const struct hearth_engine *engine, const struct gguf_sequence *sequence,
                         int32_t row);

/**
 * Adds @token to what is known. True: it had been guessed, is in the cache already, and the next
 * row holds the logits behind it. There must be room, see gguf_reason_to_end(). Tokens that rules
 * force are appended one after another; all are computed in one call, and only the last row of them
 * has logits unless logits_from is set back.
 */
bool gguf_append(struct gguf_sequence *sequence, llama_token token);

/* Forgets the tokens from @count on, to try another continuation; at least one stays known. The
 * last that stays is computed again for its logits. */
void gguf_rewind(struct gguf_sequence *sequence, uint32_t count);

/* How many tokens may still be appended before the answer must end. */
uint32_t gguf_tokens_left(const struct hearth_engine *engine, const struct gguf_sequence *sequence);

/* NONE, or why the answer must end now that a token was appended: MAX_TOKENS or CONTEXT_FULL. */
enum hearth_finish_reason gguf_reason_to_end(const struct hearth_engine *engine,
                                             const struct gguf_sequence *sequence);

/* Ends the item with @result, to which it adds what the engine knows (tokens, cache, fingerprint),
 * and makes the sequence free. */
void gguf_finish(struct hearth_engine *engine, struct gguf_sequence *sequence,
                 struct hearth_item_result *result);

/* Ends the item with an error and makes the sequence free. */
void gguf_fail(struct hearth_engine *engine, struct gguf_sequence *sequence, int code,
               const struct hearth_error *err);

/* sequence.c — for step.c */

/* Gives a free @sequence its item, and reads the prompt; an error ends the item. */
void gguf_admit(struct hearth_engine *engine, struct gguf_sequence *sequence,
                struct hearth_item *item);
llama_seq_id gguf_id_of(const struct hearth_engine *engine, const struct gguf_sequence *sequence);

/* step.c */
void gguf_work(struct hearth_engine *engine, struct hearth_inbox *inbox);
/* ggml asks it between the nodes of a graph; true ends the call of llama_decode(). */
bool gguf_must_abort(void *arg);

#endif
