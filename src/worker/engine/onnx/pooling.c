/* pooling.c — mean, CLS, max and last-token pooling; length 1; softmax. */

#include "pooling.h"

#include <math.h>
#include <string.h>

bool pooling_parse(const char *name, enum pooling *ret)
{
    static const struct {
        const char *name;
        enum pooling pooling;
    } known[] = {{"mean", POOLING_MEAN},
                 {"cls", POOLING_CLS},
                 {"max", POOLING_MAX},
                 {"lasttoken", POOLING_LAST}};
    for (size_t i = 0; i < HEARTH_COUNT(known); i++) {
        if (strcmp(name, known[i].name) == 0) {
            *ret = known[i].pooling;
            return true;
        }
    }
    return false;
}

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

void pooling_fold(enum pooling pooling, const float *hidden, size_t rows, size_t dimensions,
                  float *room)
{
    switch (pooling) {
    case POOLING_MEAN: fold_mean(hidden, rows, dimensions, room); break;
    case POOLING_CLS: memcpy(room, hidden, dimensions * sizeof *room); break;
    case POOLING_MAX: fold_max(hidden, rows, dimensions, room); break;
    case POOLING_LAST:
        memcpy(room, hidden + (rows - 1) * dimensions, dimensions * sizeof *room);
        break;
    }
}

void pooling_normalise(float *vector, size_t dimensions)
{
    double sum = 0;
    for (size_t i = 0; i < dimensions; i++) {
        sum += (double)vector[i] * (double)vector[i];
    }
    if (sum > 0) {
        float scale = (float)(1.0 / sqrt(sum));
        for (size_t i = 0; i < dimensions; i++) {
            vector[i] *= scale;
        }
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

bool pooling_is_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}
