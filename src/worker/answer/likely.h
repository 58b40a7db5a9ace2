/* likely.h — how likely a model found its tokens, from one row of logits. */

#ifndef HEARTH_LIKELY_H
#define HEARTH_LIKELY_H

#include "hearth_base.h"

#define HEARTH_LIKELY_MOST 20u /* likeliest tokens of one place */

struct hearth_likely {
    int32_t id;
    float logprob; /* natural logarithm */
};

/** The logarithm of the sum of exponentials of a row, in double precision: a token's logit minus it
 *  is its log-probability at temperature 1. @logits: @count of them (> 0), none is NaN, the largest
 *  is finite; -INFINITY is probability 0. */
double hearth_log_sum_exp(const float *logits, size_t count);

/** The @most (at most HEARTH_LIKELY_MOST) likeliest tokens of a row, likeliest first; of equal ones
 *  the lower id first. @log_sum as above. Returns how many: fewer if the row has fewer. One pass.
 */
size_t hearth_likeliest(const float *logits, size_t count, double log_sum,
                        struct hearth_likely *room, size_t most);

#endif
