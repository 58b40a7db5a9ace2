/* golden.h — golden.json: inputs whose answers tell whether a version of a model is right.
 *
 * It lies beside the manifest as golden.json, or as ID.golden.json beside ID.manifest.json. An
 * input has its answer written down, or is there to be compared with what another version answers.
 * Reading and comparing are pure: nothing is run here. docs/operating.md tells the format. */

#ifndef HEARTH_GOLDEN_H
#define HEARTH_GOLDEN_H

#include "hearth_base.h"
#include "hearth_wire.h"

#define HEARTH_MAX_GOLDEN_BYTES      (1u << 20) /* of the file: it is read in one go */
#define HEARTH_MAX_GOLDEN_TEXT_BYTES 8192u
#define HEARTH_MAX_GOLDEN_TOKENS     256u /* generated for one input */
#define HEARTH_GOLDEN_TOLERANCE      0.01 /* unless the file says otherwise */

struct hearth_golden_score {
    const char *label;
    double score;
};

/** What one input is to be answered with. What is not told is not compared. */
struct hearth_golden_answer {
    bool is_known;     /* else nothing is written down */
    const char *label; /* classify: the best one; NULL: not told */
    struct hearth_golden_score *scores;
    uint32_t score_count;
    float *vector; /* embed */
    uint32_t dimensions;
    bool has_score; /* rerank */
    double score;
    const char *text; /* generate; NULL: not told */
};

struct hearth_golden_input {
    const char *text;
    const char *pair;  /* classify; NULL: none */
    const char *query; /* rerank */
    uint32_t max_tokens;
    double tolerance; /* of scores: their difference; of vectors: what the cosine lacks of 1 */
    struct hearth_golden_answer answer;
};

/** All of one file; owned by its caller, everything in it lives in its arena. */
struct hearth_golden {
    struct hearth_arena arena;
    enum hearth_task task;
    struct hearth_golden_input inputs[HEARTH_MAX_GOLDEN];
    uint32_t count;
};

/**
 * Reads @json for a model of @task, which must be classify, embed, rerank or generate. On success
 * the caller owns *@ret. HEARTH_E_MODEL_INVALID names the member and what it must be;
 * HEARTH_E_UNSUPPORTED for another task; HEARTH_E_TOO_LARGE; HEARTH_E_NO_MEMORY.
 */
HEARTH_NODISCARD int hearth_golden_parse(struct hearth_slice json, enum hearth_task task,
                                         struct hearth_golden **ret, struct hearth_error *err);

/** NULL is fine. */
void hearth_golden_destroy(struct hearth_golden *golden);
HEARTH_DEFINE_CLEANUP(hearth_golden)

/**
 * Compares the answer to the input @index with what is known of it. HEARTH_E_MODEL_INVALID says
 * what differs and by how much, in numbers and labels and never in texts; HEARTH_E_NO_MEMORY.
 */
HEARTH_NODISCARD int hearth_golden_compare(const struct hearth_golden *golden, uint32_t index,
                                           const struct hearth_wire_result *result,
                                           struct hearth_error *err);

/**
 * Takes @result as the answer to the input @index, instead of what was known. HEARTH_E_NO_MEMORY;
 * HEARTH_E_MODEL_INVALID if it has nothing to compare with.
 */
HEARTH_NODISCARD int hearth_golden_keep(struct hearth_golden *golden, uint32_t index,
                                        const struct hearth_wire_result *result,
                                        struct hearth_error *err);

/** True if an input has no answer yet. */
bool hearth_golden_has_gaps(const struct hearth_golden *golden);

#endif
