/* after_logits.h — what comes after the logits of a sequence: choosing its next tokens, the rules
 * that they follow, and its text on the way out.
 *
 * Included by gguf_engine.h, where the words are explained; step.c says when each is called. All
 * run on the run thread. */

#ifndef HEARTH_GGUF_AFTER_LOGITS_H
#define HEARTH_GGUF_AFTER_LOGITS_H

#include "hearth_engine.h"

#include "hearth_answer.h"
#include "grammars.h"

#include <llama.h>

struct gguf_sequence;

#define GGUF_MAX_FORCED 512u /* tokens that rules give at a time */

/* How the next token of a sequence is chosen, see sample.c. */
struct gguf_sampling {
    struct llama_sampler *chain; /* filters and the draw; NULL: argmax */
    float repetition;            /* 1: off */
    float frequency;
    float presence;
    uint32_t window; /* of generated tokens that the three look at; 0: off */
    struct hearth_wire_list biases;
};

/* Generated text on its way out, see output.c. */
struct gguf_output {
    struct hearth_item *item;
    struct hearth_buf pending; /* bytes that are no whole characters yet */
    struct hearth_buf clean;   /* characters of the token that is added */
    struct hearth_buf text;    /* to be sent, or held for a stop string */
    struct hearth_stops stops;
    struct hearth_tool_calls calls;
    bool has_tools;
    bool is_stopped; /* by a stop string */
    uint32_t tokens; /* that the next piece stands for */
};

enum gguf_phase {
    GGUF_FREE,      /* no rules */
    GGUF_ANSWER,    /* the whole answer follows a grammar */
    GGUF_HEAD,      /* a call up to its arguments */
    GGUF_ARGUMENTS, /* of a call */
    GGUF_LOOSE      /* a call that began in a way of its own */
};

struct gguf_tool {
    struct hearth_slice name; /* lent by doc */
    struct hearth_grammar *arguments;
};

/* The rules of an answer, see rules.c. */
struct gguf_rules {
    enum gguf_phase phase;
    struct hearth_matcher *matcher; /* made at first use */
    struct hearth_matcher *spare;   /* as it stood before the token that is tried */
    struct gguf_tool *tools;
    struct hearth_slice *names; /* of the tools */
    struct hearth_grammar *heads;
    size_t tool_count;
    void *tools_doc; /* yyjson_doc * */
    /* Tokens that must come next. */
    llama_token forced[GGUF_MAX_FORCED];
    size_t forced_count;
    size_t forced_at;
    bool ends_when_forced; /* the answer ends with them */
};

struct gguf_choosing; /* choose.c */

struct gguf_after {
    struct gguf_sampling sampling;
    struct gguf_output output;
    struct gguf_rules rules;
    struct gguf_choosing *choosing; /* made at first use */
    bool is_choice;
    bool wants_logprobs;
    uint32_t top_logprobs;
};

/* Scratch for one row at a time, of the whole engine. */
struct gguf_room {
    llama_token_data *candidates; /* vocab_size of each */
    float *edited;
    uint16_t *counts; /* all 0 between calls */
    /* Made when the first request has rules. */
    struct hearth_vocabulary *vocabulary;
    uint64_t *mask;
    struct gguf_grammars grammars;
    uint64_t masks;    /* how often all tokens that fit were looked for, for tests */
    llama_token *ends; /* tokens that end an answer */
    size_t end_count;
    llama_token of_byte[256]; /* the token that is this byte alone, or -1 */
};

/* take.c */

/* Makes the scratch of the engine, and the memory of a sequence, once, at load. */
int gguf_create_room(struct hearth_engine *engine, struct hearth_error *err);
void gguf_destroy_room(struct gguf_room *room);
int gguf_create_after_logits(struct hearth_engine *engine, struct gguf_sequence *sequence,
                             struct hearth_error *err);
void gguf_destroy_after_logits(struct gguf_sequence *sequence);

/* A request has its prompt: reads what it asks for. An error ends the item. */
int gguf_begin_taking(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      struct hearth_error *err);

/* Forgets and wipes all that the request left; after its item has ended or is about to. */
void gguf_end_taking(struct gguf_sequence *sequence);

/**
 * Row @first_row of the last call holds the logits behind tokens[logits_from], the rows behind it
 * those of the tokens that follow, guessed ones included; that of the last known token is always
 * among them (see gguf_logits()). Must leave the sequence with something to compute (gguf_append(),
 * gguf_rewind()), or end its item (gguf_finish(), gguf_fail()).
 */
void gguf_take_logits(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      int32_t first_row);

/* Up to @most tokens that could come after the known ones, into @room; how many. They are only
 * asked for if the request is greedy, free of rules, and its answer alone decides what comes. */
size_t gguf_guess(const struct hearth_engine *engine, const struct gguf_sequence *sequence,
                  llama_token *room, size_t most);

/* Whether guesses may be checked by argmax alone: greedy, no penalty, bias or grammar. */
bool gguf_is_plain_greedy(const struct gguf_sequence *sequence);

/* sample.c */

/* Makes the sampler of answer @index of a request. INPUT_INVALID: a bias of no token. */
int gguf_begin_sampling(struct gguf_sampling *sampling, int32_t vocab_size,
                        const struct hearth_wire_inference_request *request, uint32_t index,
                        struct hearth_error *err);
void gguf_end_sampling(struct gguf_sampling *sampling);
/* The row with biases and penalties: @logits itself if there are none. @generated: so far. */
const float *gguf_edit_logits(const struct gguf_sampling *sampling, struct gguf_room *room,
                              const float *logits, int32_t vocab_size, const llama_token *generated,
                              size_t count);
/* The next token; of those whose bits are set in @allowed, unless that is NULL. -1 if one of them
 * is not a number, or none is possible. */
llama_token gguf_pick(const struct gguf_sampling *sampling, struct gguf_room *room,
                      const float *logits, int32_t vocab_size, const uint64_t *allowed);

/* output.c */

int gguf_output_create(struct gguf_output *output, struct hearth_error *err);
void gguf_output_destroy(struct gguf_output *output);
/* @names: of the tools that the answer may call, lent; none: it is text throughout. */
int gguf_output_begin(struct gguf_output *output, struct hearth_item *item,
                      const struct hearth_slice *names, size_t name_count);
/* Adds the text of @token and sends what may be sent. 1: a stop string came, 0, or an error. */
int gguf_output_add(struct gguf_output *output, const struct llama_vocab *vocab, llama_token token);
/* Sends the rest: bytes that never became a character are replaced. */
int gguf_output_end(struct gguf_output *output);
/* Forgets and wipes everything. */
void gguf_output_clear(struct gguf_output *output);
/* The bytes of a token as they are shown, into @room; 0 for control tokens, negative if they do not
 * fit. With tools the tags around a call are shown even if they are control tokens. */
int32_t gguf_piece(const struct llama_vocab *vocab, llama_token token, bool has_tools, char *room,
                   size_t room_bytes);

/* rules.c — what may come next, and what must */

/* Compiles what the request wants. INPUT_INVALID and UNSUPPORTED say where. */
int gguf_begin_rules(struct hearth_engine *engine, struct gguf_sequence *sequence,
                     struct hearth_error *err);
void gguf_end_rules(struct gguf_rules *rules);
void gguf_destroy_rules(struct gguf_rules *rules);
/* The next token by the rules, from an edited row; negative HEARTH_E_* if there is none. */
llama_token gguf_pick_by_rules(struct hearth_engine *engine, struct gguf_sequence *sequence,
                               const float *logits, struct hearth_error *err);
/* A token was appended, and its text is with the output: goes on. 1: the answer must end; 0; or an
 * error. */
int gguf_follow_rules(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      struct hearth_error *err);
static inline bool gguf_has_forced(const struct gguf_rules *rules)
{
    return rules->forced_at < rules->forced_count;
}

/* force.c */

/* The room's vocabulary and mask are there after this. */
int gguf_prepare_rules(struct hearth_engine *engine, struct hearth_error *err);
/* Tokens whose pieces are exactly @text. @knows_tags: tags of calls become their own tokens.
 * Returns how many, or 0 if there are none that give the text or more than @most. */
size_t gguf_tokens_of(const struct hearth_engine *engine, struct hearth_slice text, bool knows_tags,
                      llama_token *tokens, size_t most);

/* tools.c */

/* Reads the tools of the request: names and grammars of their arguments. */
int gguf_read_tools(struct hearth_engine *engine, struct gguf_rules *rules,
                    const struct hearth_wire_inference_request *request, struct hearth_error *err);
void gguf_forget_tools(struct gguf_rules *rules);

/* choose.c — the task choice */

int gguf_begin_choosing(struct hearth_engine *engine, struct gguf_sequence *sequence,
                        struct hearth_error *err);
void gguf_take_choice(struct hearth_engine *engine, struct gguf_sequence *sequence,
                      int32_t first_row);
void gguf_end_choosing(struct gguf_choosing *choosing);
void gguf_destroy_choosing(struct gguf_choosing *choosing);

#endif
