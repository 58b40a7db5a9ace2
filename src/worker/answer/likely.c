/* likely.c — one row of logits: the sum of its exponentials, and its largest. */

#include "hearth_answer.h"

#include <math.h>

double hearth_log_sum_exp(const float *logits, size_t count)
{
    float largest = logits[0];
    for (size_t i = 1; i < count; i++) {
        largest = logits[i] > largest ? logits[i] : largest;
    }
    double sum = 0; /* in parts of 256: single precision inside, so that it is quick, and no more */
    for (size_t from = 0; from < count; from += 256) {
        size_t end = HEARTH_MIN(count, from + 256);
        float part = 0;
        for (size_t i = from; i < end; i++) {
            part += expf(logits[i] - largest);
        }
        sum += (double)part;
    }
    return (double)largest + log(sum);
}

size_t hearth_likeliest(const float *logits, size_t count, double log_sum,
                        struct hearth_likely *room, size_t most)
{
    size_t found = 0;
    most = HEARTH_MIN(most, HEARTH_LIKELY_MOST);
    float least = -INFINITY; /* of those in the room, once it is full */
    for (size_t i = 0; most > 0 && i < count; i++) {
        if (found == most && !(logits[i] > least)) {
            continue;
        }
        size_t at = found < most ? found++ : most - 1;
        while (at > 0 && logits[i] > room[at - 1].logprob) {
            room[at] = room[at - 1];
            at--;
        }
        room[at] = (struct hearth_likely){.id = (int32_t)i, .logprob = logits[i]};
        least = room[found - 1].logprob;
    }
    for (size_t i = 0; i < found; i++) {
        room[i].logprob = (float)((double)room[i].logprob - log_sum);
    }
    return found;
}
