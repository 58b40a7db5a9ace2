/* result.h — reading an answer. Included by hearth.h. */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_RESULT_H
#define HEARTH_RESULT_H

#ifdef __cplusplus
extern "C" {
#endif

/** How a request went. May grow at its end in later releases: do not copy it by value. */
typedef struct hearth_usage {
    enum hearth_finish_reason finish_reason;
    uint32_t prompt_tokens; /* of all inputs */
    uint32_t tokens_generated;
    uint32_t queue_us; /* time that it waited for a worker */
    uint32_t first_us; /* from admission to the first piece or result */
    uint32_t total_us; /* from admission to the end */
} hearth_usage;

/** Returns how many inputs are answered: 1 for generate and chat, 0 for tensors (see tensors.h). */
HEARTH_API size_t hearth_result_count(const hearth_result *result);

/** Lends the answer to the input at @index; lives in the result. NULL if there is none. */
HEARTH_API const hearth_item *hearth_result_item(const hearth_result *result, size_t index);

/** Lends the answer with the @rank-th best score, from 0; of equals the earlier input. For rerank;
 *  lives in the result. NULL if there is none. */
HEARTH_API const hearth_item *hearth_result_ranked(const hearth_result *result, size_t rank);

/** Lends counts and times; lives in the result. */
HEARTH_API const hearth_usage *hearth_result_usage(const hearth_result *result);

/** Wipes and frees. NULL is fine. */
HEARTH_API void hearth_result_free(hearth_result *result);

#ifdef __cplusplus
}
#endif

#endif
