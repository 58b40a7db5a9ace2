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
#define GGUF_PLACE_BYTES       12u        /* of a stand-in for a message, see chat.c */

/* Load options. */
struct gguf_options {
    uint64_t context_tokens;
    uint64_t sequences;
    bool use_mmap;
};

/* Generated text on its way out, see output.c. */
struct gguf_output {
    struct hearth_buf pending; /* bytes that were not sent yet */
    struct hearth_buf clean;   /* the same as valid UTF-8 */
    struct hearth_slice stops[HEARTH_MAX_STOPS];
    size_t stop_count;
    uint32_t tokens; /* that the next piece stands for */
};

/* The tokens of a prompt while they are collected; @count goes on past @room so that an error can
 * say how many there would be. */
struct gguf_tokens {
    llama_token *data;
    size_t room;
    size_t count;
};

struct gguf_sequence {
    struct hearth_item *item; /* NULL: free */
    uint64_t turn;            /* order of arrival */
    llama_token *prompt;      /* room for context_tokens */
    uint32_t prompt_count;
    uint32_t done; /* tokens in the cache */
    uint32_t generated;
    uint32_t max_tokens;
    llama_token next; /* sampled and not in the cache yet; meant once the prompt is done */
    float temperature;
    struct llama_sampler *chain; /* NULL: plain argmax */
    struct gguf_output output;
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
    struct llama_batch batch; /* room for a chunk or for all rows */
    struct gguf_sequence sequences[GGUF_MAX_SEQUENCES];
    uint32_t busy;
    uint64_t turns;
    llama_token_data *candidates; /* vocab_size of them */
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
    const char *chat_template; /* of the model file, lent by it; NULL: none */
    bool is_template_known;
    struct gguf_special *specials; /* longest text first */
    size_t special_count;
    struct hearth_buf rendered;
    struct hearth_buf run;
    char places[HEARTH_MAX_CHAT_MESSAGES][GGUF_PLACE_BYTES];
    struct llama_chat_message turns_of_chat[HEARTH_MAX_CHAT_MESSAGES];
    struct hearth_slice contents[HEARTH_MAX_CHAT_MESSAGES];
    /* For tests: told each token that is sampled, end tokens included. NULL otherwise. */
    void (*on_token)(void *arg, const struct hearth_item *item, llama_token token);
    void *on_token_arg;
};

/* prompt.c */

/* Fills prompt and prompt_count from the item's request. INPUT_INVALID, TOO_LONG, UNSUPPORTED. */
int gguf_read_prompt(struct hearth_engine *engine, struct gguf_sequence *sequence,
                     struct hearth_error *err);
/* Appends the tokens of @text; what looks like a special token in it stays plain text. */
int gguf_tokenize(const struct hearth_engine *engine, struct hearth_slice text, bool add_special,
                  struct gguf_tokens *tokens, struct hearth_error *err);
void gguf_add_token(struct gguf_tokens *tokens, llama_token token);

/* chat.c */

/* Finds the template and the special tokens; a model without a template loads all the same. */
int gguf_prepare_chat(struct hearth_engine *engine, struct hearth_error *err);
/* Appends the tokens of a chat with the model's own template around the messages. */
int gguf_tokenize_chat(struct hearth_engine *engine,
                       const struct hearth_wire_inference_request *request,
                       struct gguf_tokens *tokens, struct hearth_error *err);

/* sample.c */

/* Makes the sampler of a request. */
void gguf_begin_sampling(struct hearth_engine *engine, struct gguf_sequence *sequence,
                         const struct hearth_wire_inference_request *request);
/* The next token from the logits of a row, or -1 if they are no numbers. */
llama_token gguf_sample(struct hearth_engine *engine, struct gguf_sequence *sequence,
                        const float *logits);

/* output.c */

int gguf_output_create(struct gguf_output *output, struct hearth_error *err);
void gguf_output_destroy(struct gguf_output *output);
void gguf_output_begin(struct gguf_output *output,
                       const struct hearth_wire_inference_request *request);
/* Adds the text of @token and sends what may be sent. 1: a stop string came, 0, or an error. */
int gguf_output_add(struct gguf_output *output, const struct llama_vocab *vocab, llama_token token,
                    struct hearth_item *item);
/* Sends the rest: bytes that never became a character are replaced. */
int gguf_output_end(struct gguf_output *output, struct hearth_item *item);
/* Forgets and wipes everything. */
void gguf_output_clear(struct gguf_output *output);

/* step.c */
void gguf_work(struct hearth_engine *engine, struct hearth_inbox *inbox);
/* ggml asks it between the nodes of a graph; true ends the call of llama_decode(). */
bool gguf_must_abort(void *arg);

#endif
