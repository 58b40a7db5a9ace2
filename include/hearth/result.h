/* result.h — reading an answer. Included by hearth.h. */

#ifndef HEARTH_HEARTH_H
#include <hearth/hearth.h> /* which includes this file */
#endif

#ifndef HEARTH_RESULT_H
#define HEARTH_RESULT_H

#ifdef __cplusplus
extern "C" {
#endif

/** How a request went; lives in its result. May grow at its end in later releases: do not copy it
 * by value. */
typedef struct hearth_usage {
    enum hearth_finish_reason finish_reason;
    uint32_t prompt_tokens; /* of all inputs */
    uint32_t tokens_generated;
    uint32_t queue_us; /* time that it waited for a worker */
    uint32_t first_us; /* from admission to the first piece or result */
    uint32_t total_us; /* from admission to the end */
    /* Of models that generate: */
    uint32_t cached_tokens;  /* of prompt_tokens: taken from the prefix cache */
    uint32_t evicted_tokens; /* that left the cache to make room for this request */
    enum hearth_cache_state cache;
    uint32_t drafted_tokens;  /* guessed ahead … */
    uint32_t accepted_tokens; /* … and guessed right */
    const char *fingerprint;  /* what must be the same for the same tokens; "" if not told */
    uint32_t left_out_tokens; /* of a prompt that was too long, with params.shorten */
} hearth_usage;

/** Returns how many inputs are answered; for generate and chat how many answers were asked for; 0
 * for tensors (see tensors.h). */
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
