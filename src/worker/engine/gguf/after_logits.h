/* after_logits.h — what one sequence knows about sampling and about its text on the way out.
 *
 * Included by gguf_engine.h, where the words are explained; step.c says when each is called. All
 * run on the run thread. */

#ifndef HEARTH_GGUF_AFTER_LOGITS_H
#define HEARTH_GGUF_AFTER_LOGITS_H

#include "hearth_engine.h"

#include <llama.h>

struct gguf_sequence;

/* Generated text on its way out, see output.c. */
struct gguf_output {
    struct hearth_buf pending; /* bytes that were not sent yet */
    struct hearth_buf clean;   /* the same as valid UTF-8 */
    struct hearth_slice stops[HEARTH_MAX_STOPS];
    size_t stop_count;
    uint32_t tokens; /* that the next piece stands for */
};

/* How the next token of a sequence is chosen. */
struct gguf_sampling {
    float temperature;
    struct llama_sampler *chain; /* NULL: plain argmax */
};

/* take.c */

/* Makes the memory of a sequence once, at load, and gives it back. */
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

#endif
