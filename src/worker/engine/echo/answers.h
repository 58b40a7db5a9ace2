/* answers.h — what the null engine answers to the tasks of encoders that tell more than numbers.
 *
 *   rerank    1 / (1 + d), d: how many characters query and text differ in length
 *   entities  each run of characters without white space that begins with A to Z. One of n
 *             characters has the label of number (n - 1) modulo the count of labels, without B- and
 *             I-, and the score 1 / n; where that label is O it is none
 *   tensors   its inputs, under their names, as they came; or those that are asked for
 *
 * They finish or fail the item. */

#ifndef ECHO_ANSWERS_H
#define ECHO_ANSWERS_H

#include "hearth_engine.h"

/** Counts the characters of valid UTF-8. */
uint32_t echo_count_characters(struct hearth_slice text);

/** @text is what the directives left of item->pair. */
void echo_answer_rerank(struct hearth_item *item, struct hearth_slice text, uint32_t tokens);

/** @text is the end of item->text that the directives left; places count from the start of that. */
void echo_answer_entities(struct hearth_item *item, const struct hearth_engine_plan *plan,
                          struct hearth_slice text, uint32_t tokens);

void echo_answer_tensors(struct hearth_item *item);

/** The bytes of the uint8 tensor "directives" of the request, which are read as such; else empty.
 */
struct hearth_slice echo_directives_of_tensors(const struct hearth_item *item);

#endif
