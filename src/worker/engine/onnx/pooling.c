/* pooling.c — mean, CLS, max and last-token pooling; softmax and sigmoid. */

#include "pooling.h"

#include <math.h>
#include <string.h>

static void fold_mean(const float *hidden, size_t rows, size_t dimensions, float *room)
{
    memset(room, 0, dimensions * sizeof *room);
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < dimensions; i++) {
            room[i] += hidden[row * dimensions + i];
        }
    }
    for (size_t i = 0; i < dimensions; i++) {
        room[i] /= (float)rows;
    }
}

static void fold_max(const float *hidden, size_t rows, size_t dimensions, float *room)
{
    memcpy(room, hidden, dimensions * sizeof *room);
    for (size_t row = 1; row < rows; row++) {
        for (size_t i = 0; i < dimensions; i++) {
            room[i] = HEARTH_MAX(room[i], hidden[row * dimensions + i]);
        }
    }
}

void pooling_fold(enum hearth_pooling pooling, const float *hidden, size_t rows, size_t dimensions,
                  float *room)
{
    switch (pooling) {
    case HEARTH_POOLING_MEAN: fold_mean(hidden, rows, dimensions, room); break;
    case HEARTH_POOLING_CLS: memcpy(room, hidden, dimensions * sizeof *room); break;
    case HEARTH_POOLING_MAX: fold_max(hidden, rows, dimensions, room); break;
    case HEARTH_POOLING_LAST:
        memcpy(room, hidden + (rows - 1) * dimensions, dimensions * sizeof *room);
        break;
    }
}

void pooling_softmax(float *logits, size_t count)
{
    float most = logits[0];
    for (size_t i = 1; i < count; i++) {
        most = HEARTH_MAX(most, logits[i]);
    }
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double power = exp((double)logits[i] - (double)most);
        logits[i] = (float)power;
        sum += power;
    }
    for (size_t i = 0; i < count; i++) {
        logits[i] = (float)((double)logits[i] / sum);
    }
}

void pooling_sigmoid(float *logits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        logits[i] = (float)(1.0 / (1.0 + exp(-(double)logits[i]))); /* exp may be infinite: 0 */
    }
}

bool pooling_is_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}
