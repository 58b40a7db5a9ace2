/* gguf_engine.h — what the files of this engine share; the test driver looks at it too.
 *
 * Words: a *sequence* holds one item and its tokens; it is *parked* until the cells that it may
 * need can be had, and runs then, unless it is put *aside* for one of a higher class; a *row* is
 * one token of a sequence in a call of the library; a *stream* is a sequence past its prompt; a
 * *lane* is a context of the library (lane.h); a *step* is one call of the shared lane and one for
 * each exact sequence. */

#ifndef HEARTH_GGUF_ENGINE_H
#define HEARTH_GGUF_ENGINE_H

#include "hearth_engine.h"

#include "after_logits.h"
#include "cache.h"
#include "cores.h"
#include "hearth_inspect.h"
#include "lane.h"

#include <llama.h>

#include <stdatomic.h>

#define GGUF_DEFAULT_SEQUENCES  4u
#define GGUF_DEFAULT_CONTEXT    4096u
#define GGUF_LEAST_CONTEXT      16u
#define GGUF_DEFAULT_TOKENS     256u /* generated, if the request does not say */
#define GGUF_MAX_THREADS        512u
#define GGUF_MAX_PROMPT_BYTES   (1u << 20) /* a chat's contents and its template around them */
#define GGUF_CELL_STEP          256u       /* the library rounds cells up to this */
#define GGUF_INTER_TOKEN_MS     100u
#define GGUF_MAX_INTER_TOKEN_MS 10000u
#define GGUF_GUESSING_STREAMS   2u  /* sequences beside which guesses may pay */
#define GGUF_MAX_ASIDE          64u /* items that have a place beside those that run */
#define GGUF_MAX_PLACES         (GGUF_MAX_SEQUENCES + GGUF_MAX_ASIDE)
#define GGUF_APPEND_ROOM        600u /* tokens behind a full context, until it is shifted */
/* How long a thread looks for the next graph before it sleeps, in the library's unit (131,072
 * looks: some milliseconds). Enough for the time between two steps, since waking a core that the
 * host of a virtual machine gave away is slow; and soon over when nothing follows. */
#define GGUF_POLL     1u
#define GGUF_MAX_TOLD 12u /* facts of a generator */

/* Load options. */
struct gguf_options {
    uint64_t context_tokens; /* of one sequence, prompt and answer */
    uint64_t sequences;
    uint64_t kv_tokens; /* cells of the shared lane */
    uint64_t exact_sequences;
    uint64_t cache_sequences; /* idle prefixes in cells */
    uint64_t cache_mb;        /* of prefixes beside them */
    uint64_t inter_token_ms;
    enum ggml_type kv_type;
    bool use_mmap;
    bool use_drafts; /* guesses of a plain greedy stream, where they pay */
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
    uint32_t slot;            /* its entry in the prefix index; that of one that runs is its id */
    llama_seq_id id;          /* in its lane, once it runs */
    uint64_t turn;            /* order of arrival */
    uint8_t priority;
    bool is_exact;
    bool is_started;     /* runs; else parked or aside */
    bool was_aside;      /* it ran before: what it finds again are its own tokens */
    bool is_shifting;    /* a full context loses its middle */
    uint32_t kept;       /* tokens that a shift leaves in place */
    uint32_t need_cells; /* reserved while it runs */
    uint32_t cached_tokens;
    uint32_t evicted_tokens;
    uint32_t evicted_of_others;
    uint32_t drafted_tokens;
    uint32_t accepted_tokens;
    struct gguf_luck luck;
    llama_token *tokens; /* lent by the index; room for context_tokens and GGUF_APPEND_ROOM */
    uint32_t prompt_count;
    uint32_t left_out_tokens; /* of a prompt that was shortened */
    uint32_t answer_from; /* where generated tokens begin; a shift may move it into the prompt */
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

struct hearth_engine {
    struct gguf_options options;
    struct llama_model *model;
    struct llama_context *context; /* of an embedder */
    struct gguf_lane shared;
    struct gguf_lane exact;
    struct gguf_cache cache;
    const struct llama_vocab *vocab;
    int32_t vocab_size;
    struct gguf_embedder *embedder; /* embed.h: makes vectors and nothing else; NULL: a generator */
    struct gguf_sequence sequences[GGUF_MAX_PLACES];
    uint32_t places; /* of sequences[]; options.sequences of them run at a time */
    uint32_t busy;
    uint64_t turns;
    _Atomic uint64_t steps; /* tests read it while they are taken */
    uint64_t put_aside;     /* how often one stood back, for tests */
    struct hearth_engine_fact told[GGUF_MAX_TOLD];
    char build[96];         /* what all fingerprints begin with */
    struct gguf_room *room; /* of what comes after the logits, for one sequence at a time */
    /* Threads. */
    unsigned most_threads;
    unsigned threads; /* in force */
    atomic_uint wanted_threads;
    atomic_bool wants_shed;
    struct ggml_threadpool *pool;
    struct gguf_tempo tempo;
    struct gguf_cores cores;
    /* Looked at in the middle of llama_decode(). */
    const struct gguf_lane *_Atomic called; /* NULL: no call of a lane is under way */
    struct hearth_inbox *inbox;
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
/* Makes the @tokens of the item's prompt, which are too many, fewer; if nothing may be left out
 * they stay too many. Notes how many were. NO_MEMORY and errors of the chat. */
int gguf_shorten(struct hearth_engine *engine, struct gguf_sequence *sequence,
                 struct gguf_tokens *tokens, struct hearth_error *err);
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
struct gguf_lane *gguf_lane_of(struct hearth_engine *engine, const struct gguf_sequence *sequence);

/* turns.c */

/* How many places there are: for as many items of each class as can run, up to GGUF_MAX_ASIDE. */
uint32_t gguf_places(const struct gguf_options *options);
/* Takes what there is room for; waits only if nothing runs. False: the inbox is closed. */
bool gguf_take_items(struct hearth_engine *engine, struct hearth_inbox *inbox);
/* The first in order, the highest class and then the oldest, of those in @lane that have a prompt
 * to compute and are not in the call; NULL if there is none. */
struct gguf_sequence *gguf_first_prompt(struct hearth_engine *engine, const struct gguf_lane *lane,
                                        bool must_be_started);
/* A sequence begins when all the cells that it may ever need can be had, so none that runs is ever
 * stuck; until then it is parked, and none of its lane that comes behind it begins either. Lower
 * classes stand back for it, unless they are in the call. */
bool gguf_start(struct hearth_engine *engine, struct gguf_sequence *sequence);
/* The prompt that is next, started; NULL if there is none, or none that can go on. */
struct gguf_sequence *gguf_next_prompt(struct hearth_engine *engine, const struct gguf_lane *lane);

/* options.c */

extern const struct hearth_engine_option gguf_option_table[];
/* HEARTH_E_CONFIG. @context_length: of the model. */
int gguf_read_options(const struct hearth_engine_plan *plan, uint64_t context_length,
                      struct gguf_options *ret, struct hearth_error *err);

/* Whether the cells can be kept in the type that the options want. HEARTH_E_CONFIG. */
int gguf_check_kv_type(const struct gguf_options *options, const struct hearth_gguf_facts *facts,
                       struct hearth_error *err);

/* Adds the options in force, and whether prefixes can be shared, to what the model tells. */
void gguf_tell(struct hearth_engine *engine, struct hearth_engine_facts *ret);
uint64_t gguf_padded_context(const struct gguf_options *options);
uint64_t gguf_shared_cells(const struct gguf_options *options);
/* Once the processor was looked at, and then for each reply: what must be the same for the same
 * tokens. The order of cores, threads and neighbours plays a part in the shared lane only. */
void gguf_prepare_fingerprint(struct hearth_engine *engine, const struct hearth_engine_plan *plan);
void gguf_fingerprint(const struct hearth_engine *engine, bool is_exact, uint64_t seed,
                      char text[HEARTH_MAX_FINGERPRINT_BYTES + 1]);

/* step.c */
void gguf_work(struct hearth_engine *engine, struct hearth_inbox *inbox);

/* lane.c */
/* ggml asks it between the nodes of a graph; true ends the call of llama_decode(). */
bool gguf_must_abort(void *arg);

#endif
