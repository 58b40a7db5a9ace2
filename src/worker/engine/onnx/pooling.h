/* pooling.h — from the encoder's output to an answer: plain arithmetic on rows of floats. */

#ifndef HEARTH_ONNX_POOLING_H
#define HEARTH_ONNX_POOLING_H

#include "hearth_inspect.h"

/**
 * Folds @rows × @dimensions floats (one row a token, all of them real: texts are never padded) into
 * @room (@dimensions floats). @rows is at least 1.
 */
void pooling_fold(enum hearth_pooling pooling, const float *hidden, size_t rows, size_t dimensions,
                  float *room);

/** Turns @count logits (at least 1) into probabilities in place; stable for large logits. */
void pooling_softmax(float *logits, size_t count);

/** Turns each of @count logits into its own probability in place: any number may be likely. */
void pooling_sigmoid(float *logits, size_t count);

/** True if no value is NaN or infinite. */
bool pooling_is_finite(const float *values, size_t count);

#endif
