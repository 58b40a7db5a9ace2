/* generate.h — what the null engine answers to the tasks of generators.
 *
 *   text     the input in reverse, one character (or given id) a piece; answer number n of several
 *            goes on with n times "+"
 *   scores   of the token at place i the logarithm -(i + 1) / 64; of the k-th likeliest beside it,
 *            whose id and text are those of the letter k from "a" on, that minus k
 *   tools    see directives.h; each call comes in three parts, its arguments are {"n":NUMBER}
 *   choice   a probability in proportion to a number that depends on input and choice
 *   print    "echo seed=N"
 *
 * They finish or fail the item. */

#ifndef ECHO_GENERATE_H
#define ECHO_GENERATE_H

#include "directives.h"
#include "hearth_engine.h"

void echo_answer_text(struct hearth_engine *engine, struct hearth_item *item,
                      const struct echo_directives *asked, uint32_t tokens);

void echo_answer_choice(struct hearth_item *item, const struct echo_directives *asked,
                        uint32_t tokens);

/* engine_echo.c */
/** Sleeps without waking up meanwhile; returns early when the item must end. */
void echo_wait_ms(struct hearth_engine *engine, const struct hearth_item *item, uint64_t ms);

/** A number in 0.001 … 1 that depends on all three. */
float echo_number(struct hearth_slice text, struct hearth_slice pair, uint64_t place);

#endif
